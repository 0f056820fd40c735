"""What headers say about a provider's limits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from actors.drivers.allowance import Allowance
from actors.drivers.rate_headers import CAREFUL, HOUR, LONGEST, UsedUp, retry_after, used_up

if TYPE_CHECKING:
    from collections.abc import Callable


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
        ({"retry-after": "1e300"}, None),
        ({"retry-after": "7200"}, 3600.0),
        ({"retry-after": "1, 2"}, None),
        ({"retry-after": "1s"}, 1.0),
        ({"retry-after": "Wed, 21 Oct 2999 07:28:00 GMT"}, None),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
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
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("7", 7.0),
        ("0.5", 0.5),
        ("1500000000", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("1e300", None),
        ("9" * 30, None),
        ("1s, 6m0s", None),
        ("7, 7", None),
        ("later", None),
        ("", None),
        ("Wed, 21 Oct 2999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_a_reset(reset: str, seconds: float | None) -> None:
    """In all spans that providers write; what is over, or nonsense, is as if nothing were used up."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}
    assert [limit.reset for limit in used_up(headers)] == ([] if seconds is None else [pytest.approx(seconds)])


@pytest.mark.parametrize(
    "written",
    [
        lambda at: str(at.timestamp()),
        lambda at: str(int(at.timestamp() * 1e3)),
        lambda at: str(int(at.timestamp() * 1e6)),
        lambda at: at.isoformat(),
        lambda at: at.isoformat().replace("+00:00", "Z"),
        lambda at: format_datetime(at, usegmt=True),
    ],
    ids=["seconds", "milliseconds", "microseconds", "ISO 8601", "ISO 8601 Z", "HTTP"],
)
def test_a_reset_at_a_moment(written: Callable[[datetime], str]) -> None:
    """Since 1970, or as a date: seconds from now, and no minute for milliseconds."""
    reset = written(datetime.now(UTC) + timedelta(seconds=20))
    (limit,) = used_up({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})
    assert 15 < limit.reset <= 20


@pytest.mark.parametrize("remaining", ["5", "0.5", "none", "-1", "", "0, 0"])
def test_a_limit_that_is_not_used_up(remaining: str) -> None:
    """Stops nobody."""
    assert used_up({"x-ratelimit-remaining-requests": remaining, "x-ratelimit-reset-requests": "1s"}) == ()


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        (
            {
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-requests": "99",
                "x-ratelimit-reset-requests": "1s",
            },
            UsedUp(True, 360.0, 30_000.0),
        ),
        (
            {
                "anthropic-ratelimit-input-tokens-limit": "50000",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "30",
            },
            UsedUp(True, 30.0, 50_000.0),
        ),
        (
            {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"},
            UsedUp(False, 9.0, 20.0),
        ),
        (
            {"RateLimit-Limit": "100, 100;w=60", "RateLimit-Remaining": "0", "RateLimit-Reset": "50"},
            UsedUp(False, 50.0, 100.0),
        ),
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, UsedUp(False, 50.0, 100.0)),
        (
            {"RateLimit": '"day";r=5;t=3, "burst";r=0;t=50', "RateLimit-Policy": '"day";q=9;w=1, "burst";q=100;w=60'},
            UsedUp(False, 50.0, 100.0),
        ),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "5"}, UsedUp(False, 5.0, None)),
        (
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5", "x-ratelimit-limit": "0"},
            UsedUp(False, 5.0, None),
        ),
    ],
)
def test_whose_limit(headers: dict[str, str], limit: UsedUp) -> None:
    """By their names, in the words of several providers."""
    assert used_up(headers) == (limit,)


def test_retry_after_is_the_better_word() -> None:
    """Beside it nothing is used up."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
    assert used_up({**headers, "retry-after": "1"}) == ()
    assert used_up({**headers, "retry-after": "-1"}) != ()


def test_the_share_of_a_reset() -> None:
    """What one call needs of the whole: its tokens, or one request; the whole at most; little where no size is told."""
    assert UsedUp(True, 360.0, 30_000.0).share(1, 1000) == pytest.approx(12.0)
    assert UsedUp(False, 60.0, 100.0).share(1, 1000) == pytest.approx(0.6)
    assert UsedUp(True, 360.0, 30_000.0).share(1, 10**9) == 360.0
    assert UsedUp(True, 360.0, None).share(1, 1000) == CAREFUL
    assert UsedUp(True, 0.2, None).share(1, 1000) == 0.2


NAMES = [
    f"{family}-{part}{kind}"
    for family in ("x-ratelimit", "anthropic-ratelimit", "ratelimit", "x-rate-limit")
    for part in ("limit", "remaining", "reset")
    for kind in ("", "-tokens", "-requests")
]
NUMBERS = st.one_of(st.integers(), st.floats()).map(str)
TEXTS = st.one_of(st.text(), NUMBERS, st.datetimes().map(str), st.from_regex(r"([0-9.]{1,9}(ms|[dhms])){1,4}"))
SAID = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", *NAMES]), TEXTS, max_size=8
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(SAID)
def test_whatever_the_headers_say(headers: dict[str, str]) -> None:
    """Nothing is raised, and no wait is without bounds."""
    wait = retry_after(headers)
    assert wait is None or 0 <= wait <= HOUR
    for limit in used_up(headers):
        assert 0 < limit.reset <= LONGEST
        assert limit.limit is None or 0 < limit.limit < math.inf
        assert 0 <= limit.share(1, 1000) <= limit.reset


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TEXTS)
def test_a_limit_that_is_used_up_until_whatever(reset: str) -> None:
    """Nobody is stopped for longer than a minute."""
    allowance = Allowance()
    headers = {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": reset,
    }
    allowance.hear(used_up(headers), 0.0, None)
    wait = allowance.wait(10**6, 0.0)
    assert wait is not None
    assert 0 <= wait <= 60.0
