"""What the headers of an answer say about a provider's limits."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
LONGEST = 60.0
"""Seconds; limits are whole again within a minute, and a header that says otherwise must not stop everybody."""
HOUR = 3600.0
EPOCH = 1e9
"""A larger number is a moment in seconds since 1970."""
LIMITS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)
"""What is left of a limit, and when it is whole again."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, at most an hour; None when it does not say, or says nonsense."""
    seconds = _retry_after(headers)
    return None if seconds is None else min(seconds, HOUR)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    in_milliseconds = _number(headers.get("retry-after-ms"))
    if in_milliseconds is not None:
        return in_milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return _until(at)


def exhausted_for(headers: Mapping[str, str]) -> float:
    """Seconds until a limit that is used up allows a call again, at most a minute; 0 when none is."""
    waits = [0.0]
    for remaining, reset in LIMITS:
        left = _number(headers.get(remaining))
        if left == 0:
            waits.append(_span(headers.get(reset, "")) or 0.0)
    return min(max(waits), LONGEST)


def _span(text: str) -> float | None:
    """Seconds of ``6m0s``, of a plain number, or until a moment in ISO 8601."""
    seconds = _number(text)
    if seconds is not None:
        return seconds if seconds < EPOCH else max(0.0, seconds - time.time())
    parts = SPAN.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text.strip():
        return float(sum(float(number) * UNITS[unit] for number, unit in parts))
    try:
        return _until(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None


def _until(at: datetime) -> float:
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _number(text: str | None) -> float | None:
    """A number of at least 0."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
