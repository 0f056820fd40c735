"""How many calls are allowed when: no clock, no threads."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from actors.drivers.allowance import HALVE_EVERY, IN_A_ROW, LONGEST_WORD, MINUTE, SPREAD, Allowance, Started


def test_without_limits_everything_may_begin() -> None:
    """At once."""
    allowance = Allowance()
    for _ in range(1000):
        assert allowance.wait(10**9, 0.0) == 0
        allowance.begin(10**9, 0.0)


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute", "max_concurrent"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_bad_limits(name: str, value: Any) -> None:
    """Are refused by name."""
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        Allowance(**{name: value})


def test_calls_at_once() -> None:
    """One more begins when one has ended."""
    allowance = Allowance(max_concurrent=2)
    first = allowance.begin(1, 0.0)
    allowance.begin(1, 0.0)
    assert allowance.wait(1, 0.0) is None
    allowance.end(first, 1)
    assert allowance.wait(1, 0.0) == 0


def test_requests_in_a_minute() -> None:
    """The next one waits until the oldest is a minute old."""
    allowance = Allowance(requests_per_minute=2)
    for at in (0.0, 10.0):
        allowance.end(allowance.begin(1, at), 1)
    assert allowance.wait(1, 20.0) == pytest.approx(MINUTE - 20)
    assert allowance.wait(1, MINUTE) == 0


def test_tokens_in_a_minute() -> None:
    """Estimated while a call runs, counted when it has ended; what was too much comes back."""
    allowance = Allowance(tokens_per_minute=100)
    first = allowance.begin(80, 0.0)
    assert allowance.wait(40, 1.0) == pytest.approx(MINUTE - 1)
    allowance.end(first, 30)
    assert allowance.wait(40, 1.0) == 0
    allowance.begin(70, 2.0)
    assert allowance.wait(30, 3.0) == pytest.approx(MINUTE - 3)


def test_a_call_larger_than_a_minute_waits_for_an_empty_one() -> None:
    """It can never fit, but it must not wait for ever."""
    allowance = Allowance(tokens_per_minute=100)
    assert allowance.wait(500, 0.0) == 0
    allowance.end(allowance.begin(50, 0.0), 50)
    assert allowance.wait(500, 1.0) == pytest.approx(MINUTE - 1)


@pytest.mark.parametrize("seed", range(20))
def test_no_minute_has_more_than_allowed(seed: int) -> None:
    """Whatever comes: in any 60 seconds no more calls and tokens begin than allowed."""
    rng = random.Random(seed)
    requests, tokens = rng.randint(1, 20), rng.randint(50, 500)
    allowance = Allowance(requests, tokens)
    now, begun = 0.0, deque[tuple[float, int]]()
    for _ in range(400):
        wanted = rng.randint(1, 50)
        now += rng.random() * rng.choice((0.0, 0.1, 10.0))
        while (wait := allowance.wait(wanted, now)) != 0:
            assert wait is not None
            assert wait <= MINUTE
            now += max(wait, 1e-9)
        allowance.end(allowance.begin(wanted, now), wanted)
        begun.append((now, wanted))
        lately = [size for at, size in begun if now - at < MINUTE]
        assert len(lately) <= requests
        assert sum(lately) <= tokens


def test_a_late_end_changes_nothing_of_a_minute_that_is_over() -> None:
    """What was counted then is forgotten."""
    allowance = Allowance(tokens_per_minute=100)
    old = allowance.begin(60, 0.0)
    assert allowance.wait(90, MINUTE + 1) == 0
    allowance.end(old, 1000)
    assert allowance.wait(90, MINUTE + 1) == 0


def calls(allowance: Allowance, count: int) -> list[Started]:
    return [allowance.begin(1, 0.0) for _ in range(count)]


def test_a_refusal_halves_the_window_once_a_second() -> None:
    """The calls in flight are what is halved first; one at a time is the least."""
    allowance = Allowance()
    calls(allowance, 64)
    for _ in range(40):
        allowance.refused(100.0, None)
    assert allowance.window == 32
    allowance.refused(100.0 + HALVE_EVERY / 2, None)
    assert allowance.window == 32
    allowance.refused(100.0 + HALVE_EVERY, None)
    assert allowance.window == 16
    for step in range(2, 20):
        allowance.refused(100.0 + step * HALVE_EVERY, None)
    assert allowance.window == 1.0


def test_the_window_grows_by_one_a_round() -> None:
    """Up to its bound."""
    allowance = Allowance(max_concurrent=10)
    allowance.window = 4.0
    for _ in range(4):
        allowance.answered()
    assert allowance.window == pytest.approx(5, abs=0.1)
    for _ in range(200):
        allowance.answered()
    assert allowance.window == 10


def test_single_refusals_bring_nobody_to_a_halt() -> None:
    """A server that refuses three of ten at random is asked by fewer at once, but asked."""
    rng = random.Random(1)
    allowance = Allowance()
    calls(allowance, 64)
    for step in range(2000):
        if rng.random() < 0.3:
            allowance.refused(step / 50, 1.0)
        else:
            allowance.answered()
    assert 2 < allowance.window < 64


def test_without_a_time_all_pause_longer_and_longer() -> None:
    """While nothing but refusals comes, once a second."""
    allowance = Allowance()
    pauses = []
    for second in range(1, 9):
        for _ in range(IN_A_ROW):
            allowance.refused(100.0 * second, None)
        pauses.append(allowance.paused_until - 100.0 * second)
    assert pauses[1:] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    allowance.answered()
    for _ in range(IN_A_ROW):
        allowance.refused(2000.0, 10**9)
    assert allowance.paused_until == 2000.0 + LONGEST_WORD


def test_the_servers_word_holds_for_all_when_it_refuses_all() -> None:
    """A few refusals in a row with a time: nobody calls before; an answer in between, and nobody else waits."""
    allowance = Allowance(max_concurrent=8)
    for _ in range(IN_A_ROW - 1):
        allowance.refused(10.0, 3.0)
    allowance.answered()
    assert allowance.wait(1, 10.0) == 0
    for _ in range(IN_A_ROW):
        allowance.refused(10.0, 3.0)
    assert allowance.wait(1, 10.0) == pytest.approx(3.0)
    assert allowance.wait(1, 13.0) == 0


def test_those_who_waited_come_back_one_by_one() -> None:
    """After a pause, spread over a while; later not any more."""
    allowance = Allowance()
    allowance.pause(0.0, 5.0)
    now, starts = 5.0, []
    for waiting in range(99, -1, -1):
        wait = allowance.wait(1, now)
        assert wait is not None
        now += wait
        starts.append(now)
        allowance.begin(1, now, waiting)
    assert starts[-1] - starts[0] > SPREAD / 4
    assert len({round(start, 6) for start in starts}) > 20
    assert allowance.wait(1, now + 2 * SPREAD) == 0
