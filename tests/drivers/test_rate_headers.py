"""What headers say about a provider's limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from actors.drivers.rate_headers import exhausted_for, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e300"}, 3600.0),
        ({"retry-after": "Wed, 21 Oct 2999 07:28:00 GMT"}, 3600.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date; nonsense is as if it were not there."""
    assert retry_after(headers) == seconds


def test_retry_after_a_date() -> None:
    """Seconds from now."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < (retry_after({"retry-after": at}) or 0) <= 30


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("5", "1s", 0.0),
        ("0", "1s", 1.0),
        ("0", "6m0s", 60.0),
        ("0", "120ms", 0.12),
        ("0", "1h2m3.5s", 60.0),
        ("0", "32.5s", 32.5),
        ("0", "1e300", 60.0),
        ("0", "1500000000", 0.0),
        ("0", "7", 7.0),
        ("0", "later", 0.0),
        ("none", "1s", 0.0),
    ],
)
def test_a_limit_that_is_used_up(remaining: str, reset: str, seconds: float) -> None:
    """Tells when it is whole again, in the spans that providers write."""
    headers = {"x-ratelimit-remaining-requests": remaining, "x-ratelimit-reset-requests": reset}
    assert exhausted_for(headers) == pytest.approx(seconds)


def test_the_longest_wait_counts() -> None:
    """Of several limits, also in the other provider's words, with a moment in time."""
    reset = (datetime.now(UTC) + timedelta(seconds=20)).isoformat().replace("+00:00", "Z")
    headers = {
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": reset,
    }
    assert 15 < exhausted_for(headers) <= 20
