"""The headers of an answer that tell of a provider's limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from actors.drivers.rate_headers import LONGEST, retry_after, used_up

from ..target import Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

HOUR = 3600.0
SEEDS = (
    b"retry-after: 5",
    b"retry-after-ms: 1500\nx-ratelimit-remaining-tokens: 0",
    b"retry-after: Wed, 21 Oct 2099 07:28:00 GMT",
    b"x-ratelimit-limit-tokens: 30000\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s",
    b"x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1735689600000\nx-ratelimit-limit-requests: 9",
    b"anthropic-ratelimit-tokens-remaining: 0\nanthropic-ratelimit-tokens-reset: 2099-01-01T00:00:00Z",
    b"anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 0\n"
    b"anthropic-ratelimit-requests-reset: 2099-01-01T00:00:00+01:00",
    b"RateLimit-Limit: 100, 100;w=60\nRateLimit-Remaining: 0\nRateLimit-Reset: 7",
    b'RateLimit: "default";r=0;t=5\nRateLimit-Policy: "default";q=9;w=60',
    b"RateLimit: limit=9, remaining=0, reset=5",
)


class Headers(Target):
    """One header a line."""

    about = "headers that tell of limits"
    words = (
        b"-1",
        b"1e9",
        b"nan",
        b"inf",
        b"0",
        b"ms",
        b"6m0s",
        b"1h",
        b"99999999999999999999",
        b"-reset",
        b"-limit",
        b"\xb2",
    )

    def seeds(self) -> Iterable[bytes]:
        """What providers send."""
        return SEEDS

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """Waits are finite and bounded, whatever the headers say."""
        headers = _headers(data)
        wait = retry_after(headers)
        hold(wait is None or (math.isfinite(wait) and 0 <= wait <= HOUR), "a wait is at most an hour", wait)
        found = used_up(headers)
        hold(wait is None or not found, "Retry-After is the better word", found)
        for limit in found:
            hold(math.isfinite(limit.reset) and 0 < limit.reset <= LONGEST, "a reset is a moment", limit)
            hold(limit.limit is None or (math.isfinite(limit.limit) and limit.limit > 0), "a limit is a number", limit)
            for tokens in (0, 1, 10**9):
                share = limit.share(1, tokens)
                hold(0 <= share <= limit.reset, "a share is no more than the whole", (limit, tokens, share))
        return wait is None, len(found), any(limit.tokens for limit in found), any(limit.limit for limit in found)

    def grown(self, data: bytes, times: int) -> bytes | None:
        """So many of each."""
        return b"\n".join(
            line.replace(b":", b"-%d:" % number, 1) for number in range(times) for line in data.split(b"\n")
        )


def _headers(data: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in data.decode("latin-1").split("\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


TARGET = Headers()
