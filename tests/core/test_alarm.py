"""The alarm tells each of many that its moment has come, by one thread, which ends when nobody is left."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from actors.core.waiting import alarm as alarm_module
from actors.core.waiting.alarm import Alarm

from ..manual_alarm import ManualAlarm
from ..waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sleeper:
    """Somebody who wants to be told."""

    def __init__(self, told: queue.SimpleQueue[Any], name: str = "") -> None:
        self.told = told
        self.name = name

    def ring(self) -> None:
        """Tell the test."""
        self.told.put((self.name, time.monotonic()))


@pytest.fixture
def told() -> queue.SimpleQueue[Any]:
    """Who was told, and when."""
    return queue.SimpleQueue()


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Alarm]:
    """An alarm whose thread must end after the test."""
    monkeypatch.setattr(alarm_module, "LOOK_AROUND", 0.05)
    made = Alarm()
    yield made
    eventually(lambda: not made._runs)


def test_each_is_told_once_in_the_order_of_the_moments(alarm: Alarm, told: queue.SimpleQueue[Any]) -> None:
    """Not before its moment, whoever came first."""
    now = time.monotonic()
    moments = {name: now + 0.01 * after for name, after in (("c", 3), ("a", 1), ("b", 2))}
    for name, at in moments.items():
        assert alarm.mind(Sleeper(told, name), at) is True
    for expected in "abc":
        name, at = told.get(timeout=BOUND)
        assert name == expected
        assert at >= moments[name]
    assert not alarm.minded
    assert told.empty()


def test_who_comes_later_may_be_told_earlier(alarm: Alarm, told: queue.SimpleQueue[Any]) -> None:
    """The thread that sleeps for another one is woken."""
    last = Sleeper(told, "last")
    alarm.mind(last, time.monotonic() + 1000)
    eventually(lambda: not alarm._new)
    alarm.mind(Sleeper(told, "first"), time.monotonic())
    assert told.get(timeout=BOUND)[0] == "first"
    alarm.forget(last)


def test_who_is_forgotten_is_not_told(alarm: Alarm, told: queue.SimpleQueue[Any]) -> None:
    """Nor is a thread kept for it, however late its moment is."""
    early, late = Sleeper(told, "early"), Sleeper(told, "late")
    alarm.mind(late, time.monotonic() + 1000)
    alarm.mind(early, time.monotonic() + 0.02)
    alarm.forget(early)
    alarm.forget(late)
    eventually(lambda: not alarm._runs)
    assert told.empty()


def test_the_moment_that_was_named_last_counts(alarm: Alarm, told: queue.SimpleQueue[Any]) -> None:
    """Of one that is minded again."""
    sleeper, now = Sleeper(told), time.monotonic()
    alarm.mind(sleeper, now + 0.3)
    alarm.mind(sleeper, now + 0.4)
    assert told.get(timeout=BOUND)[1] >= now + 0.4
    assert told.empty()


def test_what_was_forgotten_is_thrown_out(alarm: Alarm, told: queue.SimpleQueue[Any], monkeypatch: Any) -> None:
    """Waits that are over long before their moments keep nothing."""
    monkeypatch.setattr(alarm_module, "PRUNE_ABOVE", 8)
    kept = Sleeper(told)
    alarm.mind(kept, time.monotonic() + 1000)
    heaps: list[int] = []
    real = alarm._take_new

    def take(heap: list[Any]) -> None:
        real(heap)
        heaps.append(len(heap))

    monkeypatch.setattr(alarm, "_take_new", take)
    for _ in range(200):
        alarm.mind(one := Sleeper(told), time.monotonic() + 1000)
        alarm.forget(one)
    eventually(lambda: not alarm._new and heaps and heaps[-1] <= 8 + 2)
    alarm.forget(kept)


def test_one_that_cannot_be_told_holds_up_nobody(
    alarm: Alarm, told: queue.SimpleQueue[Any], log_lines: list[str]
) -> None:
    """A defect of it is reported; the thread lives."""

    class Broken(Sleeper):
        """Fails."""

        def ring(self) -> None:
            raise ValueError("boom")

    now = time.monotonic()
    alarm.mind(Broken(told), now + 0.01)
    alarm.mind(Sleeper(told, "next"), now + 0.02)
    assert told.get(timeout=BOUND)[0] == "next"
    assert any("could not tell" in line for line in log_lines)


def test_many_that_come_before_it_wakes_wake_it_once(
    alarm: Alarm, told: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each earlier than the one before, and more than it leaves lying: they are told all the same."""
    monkeypatch.setattr(alarm_module, "PRUNE_ABOVE", 8)
    gate = Gate()
    alarm.mind(held := Sleeper(told, "held"), time.monotonic())
    told.get(timeout=BOUND)
    held.ring = gate.hold  # type: ignore[method-assign]
    alarm.mind(held, time.monotonic())
    gate.await_reached()  # it is awake, and does not look yet
    wakes: list[None] = []
    real = alarm._wake

    def wake() -> bool:
        wakes.append(None)
        return real()

    monkeypatch.setattr(alarm, "_wake", wake)
    now = time.monotonic()
    for n in range(50):
        alarm.mind(Sleeper(told, str(n)), now - n)
    assert len(wakes) <= 1
    gate.open()
    assert [told.get(timeout=BOUND)[0] for _ in range(50)] == [str(n) for n in reversed(range(50))]


def test_without_a_thread_it_says_so(told: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked minds itself; the next one tries again."""
    alarm = Alarm()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert alarm.mind(Sleeper(told, "first"), time.monotonic()) is False
    assert alarm.mind(Sleeper(told, "second"), time.monotonic()) is True
    assert {told.get(timeout=BOUND)[0] for _ in range(2)} == {"first", "second"}
    eventually(lambda: not alarm._runs)


@pytest.mark.parametrize("winner", ["end", "comer"])
def test_the_end_of_the_thread_against_who_comes(
    winner: str, told: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, by that thread or by the next one."""
    monkeypatch.setattr(alarm_module, "LOOK_AROUND", 0.01)
    alarm, gate = Alarm(), Gate()
    real = alarm._has_ended

    def held(heap: list[Any]) -> bool:
        if winner == "end":
            ended = real(heap)
            gate.hold()
            return ended
        gate.hold()
        return real(heap)

    monkeypatch.setattr(alarm, "_has_ended", held)
    alarm.mind(Sleeper(told, "first"), time.monotonic())
    assert told.get(timeout=BOUND)[0] == "first"
    gate.await_reached()
    alarm.mind(Sleeper(told, "second"), time.monotonic())
    if winner == "end":
        assert told.get(timeout=BOUND)[0] == "second"
        gate.open()
    else:
        gate.open()
        assert told.get(timeout=BOUND)[0] == "second"
    eventually(lambda: not alarm._runs)


def test_what_is_over_before_the_thread_looks_never_gets_there(
    alarm: Alarm, told: queue.SimpleQueue[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: they are let go of at once, and the thread that sleeps is not woken."""
    monkeypatch.setattr(alarm_module, "PRUNE_ABOVE", 8)
    kept = Sleeper(told)
    alarm.mind(kept, time.monotonic() + 1000)
    eventually(lambda: not alarm._new)
    wakes: list[None] = []
    monkeypatch.setattr(alarm, "_wake", lambda: wakes.append(None))
    for _ in range(200):
        alarm.mind(one := Sleeper(told), time.monotonic() + 1000)
        alarm.forget(one)
    assert (wakes, len(alarm.minded)) == ([], 1)
    assert one not in alarm._new
    alarm.forget(kept)


def test_one_that_two_threads_name_a_moment_for_is_told(told: queue.SimpleQueue[Any]) -> None:
    """Whichever of them was in the middle of it."""
    alarm = ManualAlarm()
    sleeper, now = Sleeper(told), alarm.clock.monotonic()
    alarm.mind(sleeper, now + 2)
    alarm.minded[sleeper] = now + 1  # another thread, which has got so far
    alarm.advance(3)
    assert told.get_nowait()[0] == ""
    assert told.empty()
