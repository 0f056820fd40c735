"""What the headers of an answer say about a provider's limits."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOUR = 3600.0
LONGEST = 31 * 86400.0
"""Seconds; what is farther away is no moment that anybody means."""
LONGEST_TEXT = 200
"""Characters of a header that is read."""
CAREFUL = 1.0
"""Seconds at most until the next try, where a limit is used up and its size is not told."""
NUMBER = re.compile(r"\d{1,20}(?:\.\d{0,20})?", re.ASCII)
SPAN = re.compile(r"(\d{1,20}(?:\.\d{0,20})?)(ms|us|µs|ns|[dhms])", re.ASCII)
UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e9, 1.0))
"""A number of at least so much is a moment since 1970: in nanoseconds, microseconds, milliseconds, seconds."""
PARTS = ("limit", "remaining", "reset")
ITEM = re.compile(r'\s*"([^"]*)"\s*((?:;[^;,"]*)*)', re.ASCII)


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A limit of which nothing is left.

    Args:
        tokens: It counts tokens; otherwise requests.
        reset: Seconds until it is whole again.
        limit: How much it is when it is whole; None when that is not told.
    """

    tokens: bool
    reset: float
    limit: float | None

    def share(self, requests: int, tokens: int) -> float:
        """Seconds in which comes back what *requests* of *tokens* together need; never more than the whole takes."""
        if self.limit is None:
            return min(self.reset, CAREFUL)
        return min(1.0, max(1, tokens if self.tokens else requests) / self.limit) * self.reset


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, at most an hour; None when it does not say, or says nonsense."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        in_milliseconds = _number(headers.get(name))
        if in_milliseconds is not None:
            return min(in_milliseconds / 1000, HOUR)
    seconds = _span(headers.get("retry-after"))
    return None if seconds is None else min(seconds, HOUR)


def used_up(headers: Mapping[str, str]) -> tuple[UsedUp, ...]:
    """The limits of which nothing is left. ``Retry-After`` is the better word: beside it there are none.

    Limits are known by their names, however a provider composes them of ``ratelimit``, ``limit``, ``remaining``,
    ``reset`` and a kind (``x-ratelimit-reset-tokens``, ``anthropic-ratelimit-requests-reset``, ``RateLimit-Reset``), or
    stand together in ``RateLimit``.
    """
    if retry_after(headers) is not None:
        return ()
    found = []
    for kind, said in _limits(headers):
        if _number(said.get("remaining")) == 0:
            reset = _span(said.get("reset"))
            if reset:
                found.append(UsedUp("token" in kind, reset, _number(said.get("limit")) or None))
    return tuple(found)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each limit: its kind, and what is said of it."""
    named: defaultdict[str, dict[str, str]] = defaultdict(dict)
    together: dict[str, str] = {}
    for header, text in headers.items():
        name = header.lower().replace("rate-limit", "ratelimit")
        if "ratelimit" not in name or len(text) > LONGEST_TEXT:
            continue
        words = name.split("-")
        if name in ("ratelimit", "ratelimit-policy"):
            together[name] = text
        for part in PARTS:
            if part in words:
                words.remove(part)
                # "100, 100;w=60": the limit, and how it is made up
                named["-".join(words)][part] = text.partition(",")[0] if name == "ratelimit-limit" else text
                break
    yield from named.items()
    yield from _structured(together.get("ratelimit", ""), together.get("ratelimit-policy", ""))


def _structured(limits: str, policies: str) -> Iterator[tuple[str, dict[str, str]]]:
    """``limit=9, remaining=0, reset=5``, or ``"name";r=0;t=5`` beside a policy ``"name";q=9;w=60``."""
    pairs = _pairs(limits, ",")
    if "remaining" in pairs:
        yield "", pairs
        return
    sizes = {name: _pairs(text, ";").get("q", "") for name, text in ITEM.findall(policies)}
    for name, text in ITEM.findall(limits):
        said = _pairs(text, ";")
        yield name, {"remaining": said.get("r", ""), "reset": said.get("t", ""), "limit": sizes.get(name, "")}


def _pairs(text: str, between: str) -> dict[str, str]:
    return {
        name.strip().lower(): value.strip() for name, _, value in (one.partition("=") for one in text.split(between))
    }


def _span(text: str | None) -> float | None:
    """Seconds of ``6m0s`` or of a plain number, or until a moment: since 1970, in ISO 8601, or as HTTP writes dates."""
    if not text or len(text) > LONGEST_TEXT:
        return None
    number = _number(text)
    if number is not None:
        seconds = next((number / unit - time.time() for least, unit in EPOCHS if number >= least), number)
    elif SPAN.sub("", text).strip() == "":
        seconds = sum(float(count) * UNITS[unit] for count, unit in SPAN.findall(text))
    else:
        at = _moment(text.strip())
        if at is None:
            return None
        seconds = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - time.time()
    return max(0.0, seconds) if seconds <= LONGEST else None


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            pass
    return None


def _number(text: str | None) -> float | None:
    """A number of at least 0."""
    text = text.strip() if text else ""
    return float(text) if NUMBER.fullmatch(text) else None
