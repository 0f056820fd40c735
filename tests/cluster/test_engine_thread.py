"""The thread of an engine: one thing after the other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from actors.cluster.engine_thread import IN_A_ROW, EngineThread
from actors.core.clock import SYSTEM_CLOCK

from ..waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def done() -> list[object]:
    """What was done, in order; ``after`` between."""
    return []


@pytest.fixture
def thread(done: list[object]) -> Iterator[EngineThread]:
    """One that runs, and ends with the test."""
    made = EngineThread("engine", lambda: done.append("after"))
    yield made
    assert made.end(BOUND)


def test_in_order_and_then_after(thread: EngineThread, done: list[object]) -> None:
    """All that is there is done before what is to be done after it."""
    for number in range(5):
        thread.do(lambda number=number: done.append(number))  # type: ignore[misc]
    thread.start()
    eventually(lambda: "after" in done)
    assert done[: done.index("after")] == [0, 1, 2, 3, 4]


def test_one_that_fails_ends_no_other(thread: EngineThread, done: list[object]) -> None:
    """It is reported, and the next one is done."""
    thread.do(lambda: 1 / 0)
    thread.do(lambda: done.append("next"))
    thread.start()
    eventually(lambda: "next" in done)


def test_a_timer_rings_however_much_comes(thread: EngineThread, done: list[object]) -> None:
    """Whoever has always something to do looks at the clock all the same."""
    rang = threading.Event()

    def again() -> None:
        if not rang.is_set():
            thread.do(again)

    thread.do(lambda: thread.do_at(SYSTEM_CLOCK.monotonic(), rang.set))
    for _ in range(IN_A_ROW):
        thread.do(again)
    thread.start()
    assert rang.wait(BOUND)
    assert "after" in done


def test_timers_in_their_order(thread: EngineThread, done: list[object]) -> None:
    """The earlier one first, whichever was set first."""
    now = SYSTEM_CLOCK.monotonic()

    def both() -> None:
        thread.do_at(now + 0.002, lambda: done.append("later"))
        thread.do_at(now + 0.001, lambda: done.append("sooner"))

    thread.do(both)
    thread.start()
    eventually(lambda: "later" in done)
    assert [one for one in done if one != "after"] == ["sooner", "later"]
