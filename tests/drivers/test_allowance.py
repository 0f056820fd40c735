"""How many calls are allowed when: no clock, no threads."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from actors.drivers.allowance import (
    FIRST_PAUSE,
    IN_A_ROW,
    LONGEST_HINT,
    LONGEST_PAUSE,
    LONGEST_WORD,
    MINUTE,
    SPREAD,
    Allowance,
    Started,
)
from actors.drivers.rate_headers import UsedUp


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


def refuse(allowance: Allowance, count: int, now: float, retry_after: float | None = None) -> list[Started]:
    """So many calls, one after another, all refused at once."""
    refused = []
    for number in range(count):
        started = allowance.begin(1, now + number / 1000)
        allowance.refused(started, now + number / 1000, retry_after)
        allowance.end(started, 0)
        refused.append(started)
    return refused


def take(allowance: Allowance, count: int, now: float, seconds: float = 0.2) -> None:
    """So many calls, one after another, all answered."""
    for number in range(count):
        at = now + number * seconds
        started = allowance.begin(1, at)
        allowance.answered(started, at + seconds)
        allowance.end(started, 1)


def test_single_refusals_stop_nobody() -> None:
    """Fewer in a row than chance explains."""
    allowance = Allowance()
    take(allowance, 10, 0.0)
    refuse(allowance, IN_A_ROW - 1, 10.0, 30.0)
    take(allowance, 1, 10.1)
    refuse(allowance, IN_A_ROW - 1, 10.5, 30.0)
    assert allowance.wait(1, 10.6) == 0
    assert (allowance.pauses, allowance.refusals) == (0, 2 * IN_A_ROW - 2)


def test_the_servers_word_holds_for_all_when_it_refuses_all() -> None:
    """A few refusals in a row with a time: nobody calls before."""
    allowance = Allowance(max_concurrent=8)
    refuse(allowance, IN_A_ROW, 10.0, 3.0)
    assert allowance.paused_for(10.0) == pytest.approx(3.0, abs=0.01)
    assert allowance.wait(1, 13.1) == 0
    assert allowance.pauses == 1
    refuse(allowance, 1, 20.0, 10**9)
    assert allowance.paused_until == pytest.approx(20.0 + LONGEST_WORD)


def test_an_answer_ends_a_pause_and_then_calls_begin_singly() -> None:
    """Of any call that is in flight; if the next one is refused, only one that began later does."""
    allowance = Allowance()
    early, late = allowance.begin(1, 9.0), allowance.begin(1, 9.0)
    refuse(allowance, IN_A_ROW, 10.0, 30.0)
    allowance.answered(early, 10.5)
    assert allowance.paused_for(10.5) == 0
    single = allowance.begin(1, 10.5)
    allowance.refused(single, 10.6, 30.0)
    allowance.answered(late, 10.7)
    assert allowance.paused_for(10.7) > 25
    trial = allowance.begin(1, 41.0)
    assert allowance.wait(1, 41.0) != 0
    allowance.answered(trial, 41.1)
    assert allowance.wait(1, 43.0) == 0


def test_without_a_time_all_pause_longer_and_longer() -> None:
    """While nothing but refusals comes; the next time about as long as it took."""
    allowance = Allowance()
    refuse(allowance, IN_A_ROW, 100.0)
    pauses = []
    while len(pauses) < 13:
        at = allowance.paused_until
        refuse(allowance, 1, at)
        pauses.append(allowance.paused_until - at)
    assert pauses == sorted(pauses)
    assert pauses[0] == FIRST_PAUSE
    assert pauses[-1] == LONGEST_PAUSE
    taken = allowance.begin(1, 300.0)
    allowance.answered(taken, 300.2)
    take(allowance, 100, 301.0)
    refuse(allowance, 3 * IN_A_ROW, 400.0)
    assert allowance.paused_until - 400.0 == pytest.approx(LONGEST_PAUSE, abs=0.1)


def test_refusals_in_a_row_by_chance_stop_nobody() -> None:
    """A server that refuses half of all: four in a row are nothing."""
    allowance = Allowance()
    for second in range(200):
        now = float(second)
        take(allowance, 1, now)
        refuse(allowance, 1, now + 0.5)
    refuse(allowance, 2 * IN_A_ROW, 300.0, 5.0)
    assert allowance.pauses == 0


def test_those_who_waited_come_back_one_by_one() -> None:
    """After a pause, spread over a while; later not any more."""
    allowance = Allowance()
    refuse(allowance, IN_A_ROW, 0.0, 5.0)
    single = allowance.begin(1, 5.1)
    allowance.answered(single, 5.1)
    now, starts = 5.1, []
    for waiting in range(99, -1, -1):
        wait = allowance.wait(1, now)
        assert wait is not None
        now += wait
        starts.append(now)
        allowance.begin(1, now, waiting)
    assert starts[-1] - starts[0] > SPREAD / 4
    assert len({round(start, 6) for start in starts}) > 20
    assert allowance.wait(1, now + 2 * SPREAD) == 0


# What headers say -----------------------------------------------------------------------------------------------

TOKENS = UsedUp(tokens=True, reset=360.0, limit=30_000.0)
REQUESTS = UsedUp(tokens=False, reset=60.0, limit=100.0)


def test_a_call_waits_for_its_share() -> None:
    """Of the reset, by what it needs; from when the call began whose answer told, and after those that began since."""
    allowance = Allowance()
    allowance.hear([TOKENS], 10.0, None)
    assert allowance.wait(1000, 10.0) == pytest.approx(12.0)
    assert allowance.wait(100, 10.0) == pytest.approx(1.2)
    allowance.hear([REQUESTS], 10.0, None)
    assert allowance.wait(1000, 10.0) == pytest.approx(0.6)
    teller, other = allowance.begin(1, 20.0), allowance.begin(1, 20.1)
    allowance.hear([REQUESTS], 21.0, teller)
    allowance.answered(teller, 21.0)
    assert allowance.wait(1, 21.0) == pytest.approx(0.2)
    allowance.answered(other, 21.1)
    assert allowance.wait(1, 21.1) == 0


@pytest.mark.parametrize("limits", [(), None], ids=["says so", "says nothing"])
def test_an_answer_proves_that_something_is_left(limits: tuple[UsedUp, ...] | None) -> None:
    """Whether its headers say so or not."""
    allowance = Allowance()
    started = allowance.begin(1, 9.0)
    allowance.hear([TOKENS], 10.0, None)
    assert allowance.paused_for(10.0) > 0
    if limits is not None:
        late = allowance.begin(1, 10.0)
        allowance.hear(limits, 10.1, late)
    else:
        allowance.answered(started, 10.1)
    assert allowance.wait(30_000, 10.1) == 0


def test_headers_of_a_refusal_stop_nobody_else() -> None:
    """The refused call waits for its share, for a while at most; all do when all are refused."""
    allowance = Allowance()
    for number in range(IN_A_ROW):
        assert allowance.wait(100, 1.0 + number) == 0
        started = allowance.begin(100, 1.0 + number)
        allowance.hear([TOKENS], 1.0 + number, started, refused=True)
        assert allowance.refused(started, 1.0 + number, None) == pytest.approx(1.2)
        allowance.end(started, 0)
    assert allowance.wait(1, 4.0) == pytest.approx(1.2)
    large = allowance.begin(30_000, 10.0)
    allowance.hear([TOKENS], 10.0, large, refused=True)
    assert allowance.refused(large, 10.0, None) == LONGEST_HINT


def test_headers_that_are_proved_wrong_are_not_listened_to() -> None:
    """Nothing is left for long, they say with each answer."""
    allowance = Allowance()
    crowd = [allowance.begin(1000, 1.0 + number / 100) for number in range(4)]
    for started in crowd:
        allowance.hear([TOKENS], 2.0, started)
        allowance.answered(started, 2.0)
    assert allowance.wait(1000, 2.0) == 0
    allowance.hear([TOKENS], 62.0, None)
    assert allowance.wait(1000, 62.0) == pytest.approx(12.0)


def test_headers_of_refusals_that_are_proved_wrong() -> None:
    """Others are answered meanwhile: then not even the refused call waits for so long."""
    allowance = Allowance()
    for number in range(2):
        at = 1.0 + number
        refused = allowance.begin(1000, at)
        allowance.hear([TOKENS], at, refused, refused=True)
        take(allowance, 1, at + 0.1)
    last = allowance.begin(1000, 5.0)
    allowance.hear([TOKENS], 5.0, last, refused=True)
    assert allowance.refused(last, 5.0, None) is None


@pytest.mark.parametrize("order", ["as they began", "the newest first", "the newest last and alone"])
def test_answers_that_all_say_that_nothing_is_left_stop_nobody(order: str) -> None:
    """They contradict each other, in whatever order they come: nobody is left under way who would prove it later."""
    allowance = Allowance()
    for batch in range(3):
        calls = [allowance.begin(4_000, batch + number / 1000) for number in range(16)]
        heard = calls[::-1] if order == "the newest first" else calls
        for call in heard:
            allowance.hear([TOKENS], batch + 0.2, call)
            if order == "the newest last and alone":
                allowance.answered(call, batch + 0.2)
                allowance.end(call, 4_000)
        if order != "the newest last and alone":
            for call in calls:
                allowance.answered(call, batch + 0.2)
                allowance.end(call, 4_000)
        assert allowance.wait(4_000, batch + 0.3) == 0
