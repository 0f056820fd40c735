"""One wait of one thread."""

from __future__ import annotations

import threading
from typing import Any

from actors.core.clock import SYSTEM_CLOCK
from actors.core.waiting.waiter import Waiter


def test_a_wake_before_the_wait_is_not_lost() -> None:
    """The gate stays open for the one wait that it was made for."""
    waiter = Waiter()
    waiter.wake()
    assert waiter.wait() is True


def test_waking_twice_is_once() -> None:
    """A second wake neither raises nor opens the gate for a second wait."""
    waiter = Waiter()
    waiter.wake()
    waiter.wake()
    assert waiter.wait(0) is True
    assert waiter.wait(0) is False


def test_a_wait_without_time_does_not_wait() -> None:
    """0 and less look once; a short wait runs out."""
    waiter = Waiter()
    assert waiter.wait(0) is False
    assert waiter.wait(-5) is False
    assert waiter.wait(0.001) is False


def test_a_longer_wait_than_the_platform_knows_is_allowed(in_thread: Any) -> None:
    """Centuries are no overflow."""
    waiter = Waiter()
    waiting = in_thread(waiter.wait, threading.TIMEOUT_MAX * 10)
    waiter.wake()
    assert waiting.result(10) is True


def test_the_clock_counts_up_and_stamps_in_utc() -> None:
    """Monotonic seconds do not fall; the wall clock carries its zone."""
    first = SYSTEM_CLOCK.monotonic()
    assert SYSTEM_CLOCK.monotonic() >= first
    offset = SYSTEM_CLOCK.now().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
