"""The log of one agent: what is merged, what is kept, and that each reader gets all of it."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from actors import Event, TextDelta
from actors.core.records.event import AgentEnded, AgentParked, AgentResumed, EventsMissed
from actors.core.scheduling.event_log import MOST, SPARE, THIN, EventLog
from actors.core.waiting.waiter import Waiter


class Tick(Event):
    """An event that is never merged."""

    n: int


class Place:
    """A reader."""

    def __init__(self, log: EventLog) -> None:
        self.position = 0
        self.log = log
        log.follow(self)

    def take(self) -> Any:
        """Its next event, as its class and what it says; None when there is none."""
        taken = self.log.take(self)
        if taken is None:
            return None
        (_, _, make, fields), count = taken
        return make, count if make is EventsMissed else next(iter(fields.values()), None)

    def all(self) -> list[Any]:
        """All that are left."""
        found = []
        while (one := self.take()) is not None:
            found.append(one)
        return found


def say(log: EventLog, *texts: str, attempt: int = 1) -> None:
    """Note deltas."""
    for text in texts:
        log.note(TextDelta, {"text": text, "attempt": attempt}, 1.0)


def tick(log: EventLog, *numbers: int) -> None:
    """Note events that are never merged."""
    for number in numbers:
        log.note(Tick, {"n": number}, 1.0)


def test_deltas_that_nobody_has_read_are_merged() -> None:
    """Of one attempt, next to each other; a reader that keeps up gets each."""
    log = EventLog()
    say(log, "a", "b")
    tick(log, 1)
    say(log, "c")
    say(log, "d", "e", attempt=2)
    texts = [(TextDelta, "ab"), (Tick, 1), (TextDelta, "c"), (TextDelta, "de")]
    assert Place(log).all() == texts
    place = Place(log)
    assert place.all() == texts
    say(log, "f", attempt=2)
    assert place.take() == (TextDelta, "f")
    say(log, "g", attempt=2)
    assert place.take() == (TextDelta, "g")


@pytest.mark.parametrize("last", [AgentEnded, AgentParked])
@pytest.mark.parametrize("texts", [False, True])
def test_many_at_once_are_put_in_order_as_one_by_one(last: Any, *, texts: bool) -> None:
    """Numbers, moments that never run back, merged texts, and nothing after the end."""
    kinds = [AgentParked, Tick, Tick, AgentResumed, *([TextDelta, TextDelta] if texts else [])]
    made = [(kinds[n % len(kinds)], {"text": str(n), "attempt": 1, "n": n}, float(n % 7)) for n in range(100)]
    made.insert(60, (last, {"on": "x"}, 60.0))
    at_once, singly = EventLog(), EventLog()
    at_once.new.extend(made)
    for one in made:
        singly.new.append(one)
        place = Place(singly)
        singly.take(place)
        singly.leave(place)
    whole = Place(at_once)
    found = [entry for entry, _ in iter(lambda: at_once.take(whole), None)]
    count = 61 if last is AgentEnded else 101
    assert found[-1][0] == count
    moments = [entry[1] for entry in found]
    assert moments == sorted(moments)
    if not texts:
        again = Place(singly)
        assert found == [entry for entry, _ in iter(lambda: singly.take(again), None)]
        assert [entry[0] for entry in found] == list(range(1, count + 1))


def test_of_old_routine_one_mark_is_left_between_what_stays() -> None:
    """What is no routine stays where it is, and who comes late learns how many passed in between."""
    log = EventLog()
    tick(log, 0)
    for number in range(THIN):
        log.note(AgentParked, {"on": "x"}, 1.0)
        log.note(AgentResumed, {}, 1.0)
        if number == 5:
            tick(log, 1)
        log.attend()
    expected: list[tuple[Any, int]] = [(Tick, 0), (EventsMissed, 12), (Tick, 1)]
    taken = Place(log).all()
    assert taken[:3] == expected
    assert taken[3][0] is EventsMissed
    assert {kind for kind, _ in taken[4:]} == {AgentParked, AgentResumed}


def test_a_text_that_has_grown_long_is_left_alone() -> None:
    """What is merged is copied: a long text in small pieces would cost the square of its length."""
    log = EventLog()
    say(log, *["x" * 1000] * 20)
    assert [len(text) for _, text in Place(log).all()] == [8000, 8000, 4000]


def test_a_reader_that_keeps_up_and_one_that_stopped_get_all() -> None:
    """What the first has read is merged for the other, but never across a place where somebody stands."""
    log = EventLog()
    fast, stopped = Place(log), Place(log)
    words = [f"{number} " for number in range(3 * THIN)]
    heard = []
    for number, word in enumerate(words):
        say(log, word)
        heard.append(fast.take())
        if number == 100:
            assert stopped.take() == (TextDelta, words[0])
    assert heard == [(TextDelta, word) for word in words]
    rest = [text for _, text in stopped.all()]
    assert "".join(rest) == "".join(words[1:])
    assert len(rest) < 2 * THIN
    assert "".join(text for _, text in Place(log).all()) == "".join(words)


def test_of_too_many_the_oldest_go_and_a_reader_is_told() -> None:
    """Each by how many it missed; none twice."""
    log = EventLog()
    early, late = Place(log), Place(log)
    tick(log, *range(10))
    assert [early.take() for _ in range(4)] == [(Tick, number) for number in range(4)]
    for number in range(10, MOST + 100):
        tick(log, number)
        log.attend()
    for place, read in ((early, 4), (late, 0), (Place(log), 0)):
        kind, missed = place.take()
        assert kind is EventsMissed
        rest = place.all()
        assert MOST - SPARE - 1 <= len(rest) <= MOST
        assert rest == [(Tick, number) for number in range(read + missed, MOST + 100)]


def test_the_routine_of_an_agent_that_lives_long_goes_first() -> None:
    """What it said of itself stays."""
    log = EventLog()
    tick(log, 1)
    for _ in range(5 * THIN):
        log.note(AgentParked, {"on": "receive"}, 1.0)
        log.note(AgentResumed, {}, 1.0)
        log.attend()
    tick(log, 2)
    events = Place(log).all()
    assert events[0] == (Tick, 1)
    assert events[-1] == (Tick, 2)
    assert len(events) <= 2 * THIN
    missed = sum(count for kind, count in events if kind is EventsMissed)
    assert missed + sum(kind is not EventsMissed for kind, _ in events) == 10 * THIN + 2


def test_a_reader_that_waits_for_its_next_event_misses_no_routine() -> None:
    """It goes only where all have passed."""
    log = EventLog()
    place = Place(log)
    for _ in range(2 * THIN):
        log.note(AgentParked, {"on": "receive"}, 1.0)
        tick(log, 0)
        log.attend()
    assert [kind for kind, _ in place.all()] == [AgentParked, Tick] * (2 * THIN)


def test_after_its_end_nothing_is_noted() -> None:
    """An agent that was abandoned may be just telling something."""
    log = EventLog()
    log.end({"status": "abandoned"}, 1.0)
    tick(log, 1)
    place = Place(log)
    assert place.all() == [(AgentEnded, "abandoned")]
    assert log.is_over(place)


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_reader_that_is_gone_keeps_nothing(is_dropped: bool) -> None:
    """It may be dropped at any time, without a word, or leave: the routine that it had not read goes."""
    log = EventLog()
    gone = Place(log)
    if is_dropped:
        del gone
        gc.collect()
    else:
        log.leave(gone)
    for _ in range(2 * THIN):
        log.note(AgentParked, {"on": "receive"}, 1.0)
        tick(log, 0)
        log.attend()
    assert Place(log).take()[0] is EventsMissed


@pytest.mark.parametrize("is_first", [True, False])
def test_an_event_that_comes_as_somebody_begins_to_wait(is_first: bool) -> None:
    """It is there, or the waiter is told: both orders."""
    log = EventLog()
    place = Place(log)
    waiter: Any = object()
    if is_first:
        assert not log.note(Tick, {"n": 1}, 1.0)
        assert not log.await_more(place, waiter)
    else:
        assert log.await_more(place, waiter)
        assert log.note(Tick, {"n": 1}, 1.0) == (waiter,)
    log.forget(waiter)
    assert place.take() == (Tick, 1)
    assert not log.note(Tick, {"n": 2}, 1.0)


def test_who_waits_may_leave_under_its_lock() -> None:
    """A coroutine that nobody awaits any more is ended by the collector, which may run anywhere."""
    log, waiter = EventLog(), Waiter()
    log.wake_always(waiter)
    with log._lock:
        log.forget(waiter)
        log.forget(waiter)
    assert not log.waiting
