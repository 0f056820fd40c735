"""Limits of which nothing is left, as the headers of answers tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rate_headers import UsedUp
    from .started import Started

LONGEST = 60.0
"""Seconds: a header must not stop everybody for longer."""
LIES = 2
"""So many answers that should not have been are enough."""
DEAF = 60.0
"""Seconds for which what headers say is ignored after that."""


class UsedLimits:
    """When a call fits again, by what the newest answer said.

    A limit of which nothing is left comes back bit by bit until its reset: a call waits for the bit that it needs, and
    for those of all calls that began after the one whose answer told. Whatever is answered without saying so proves
    that there is something left; and who says so and answers all the same, time and again, is not listened to.

    Locks: none; its limiter's lock guards it. All times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._limits: Sequence[UsedUp] = ()
        self._since = -math.inf
        self._requests = 0
        self._tokens = 0
        self._refused_at = self._refused_until = -math.inf
        self._lies = 0
        self._deaf_until = -math.inf

    def hear(self, limits: Sequence[UsedUp], now: float, call: Started | None, requests: int, tokens: int) -> None:
        """An answer has come that says so of *limits*.

        Args:
            call: Whose answer it is; None when that is not known.
            requests, tokens: Of all that began before it, and itself.
        """
        since = now if call is None else call.at
        if since < self._since:
            return  # a call that began later knows better
        if limits and call is not None and self.wait(call.tokens, requests - 1, tokens - call.tokens, since) > 0:
            self._lie(now)
        self._limits = limits if now >= self._deaf_until else ()
        self._since, self._requests, self._tokens = since, requests, tokens

    def wait(self, tokens: int, all_requests: int, all_tokens: int, now: float) -> float:
        """Seconds until a call of *tokens* fits, after all that began so far."""
        requests, needed = 1 + all_requests - self._requests, tokens + all_tokens - self._tokens
        longest = max((limit.share(requests, needed) for limit in self._limits), default=0.0)
        return max(0.0, self._since + min(LONGEST, longest) - now) if longest else 0.0

    def hear_refusal(self, limits: Sequence[UsedUp], now: float, call: Started) -> float | None:
        """*call* was refused, and the headers say so of *limits*: seconds until it fits, if they are believed."""
        if not limits or now < self._deaf_until:
            return None
        seconds = max(limit.share(1, call.tokens) for limit in limits)
        self._refused_at, self._refused_until = call.at, call.at + seconds
        return min(LONGEST, seconds)

    def answered(self, call: Started, now: float) -> None:
        """*call* was answered."""
        if self._refused_at < call.at < self._refused_until:
            self._lie(now)
        if call.at != self._since:  # else it is the one that told
            self._limits = ()

    def _lie(self, now: float) -> None:
        """What was answered should not have been."""
        self._lies += 1
        if self._lies >= LIES:
            self._lies = 0
            self._deaf_until = now + DEAF
            self._refused_until = -math.inf
