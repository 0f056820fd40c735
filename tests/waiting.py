"""How a test waits: until something holds, or at a gate; never without a bound, never for a set time."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from actors.core.scheduling.host_room import HostRoom

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentHandle, AgentPool

BOUND = 10.0
"""Seconds after which a wait of a test has failed. None of them is meant to take long."""


def comes_true(predicate: Callable[[], object], timeout: float = BOUND) -> bool:
    """Does *predicate* hold within *timeout* seconds?"""
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not predicate():
        if time.monotonic() > end:
            return False
        pause.wait(0.001)
    return True


def eventually(predicate: Callable[[], object], timeout: float = BOUND) -> None:
    """Wait until *predicate* holds: for states that can be seen, but that no event announces."""
    assert comes_true(predicate, timeout), f"did not come true within {timeout} s"


def lives_elsewhere(pool: AgentPool) -> bool:
    """Do the agents of *pool* live on nodes?"""
    return isinstance(pool._supervisor.pool.slots, HostRoom)


def at_once(pool: AgentPool, predicate: Callable[[], object]) -> bool:
    """Does *predicate* hold now? Of agents on nodes: soon. They count as queued until their hosts say that they began,
    and as there until those say that they ended.
    """
    return comes_true(predicate) if lives_elsewhere(pool) else bool(predicate())


def until_parked(pool: AgentPool, *handles: AgentHandle[Any]) -> None:
    """Wait until all *handles* are parked: of agents on nodes the pool knows only how many are."""
    if lives_elsewhere(pool):
        eventually(lambda: pool.stats().parked >= len(handles))
    else:
        eventually(lambda: all(handle.status == "parked" for handle in handles))


class Gate:
    """Holds a thread at a point of its code, blind to cancels, until the test opens it. Every wait is bounded."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()
        self._arrivals: queue.SimpleQueue[Any] = queue.SimpleQueue()

    # For the code under test ------------------------------------------------------------------------------------

    def hold(self, *_: Any) -> None:
        """Stop here until the gate is opened; can be a hook or a callback, whatever it is called with."""
        self.arrive()

    def arrive(self, who: Any = None) -> None:
        """Stop here until the gate is opened; the test hears *who* came."""
        self.note(who)
        if not self._opened.wait(BOUND):
            raise AssertionError(f"nobody opened the gate for {who!r}")

    def note(self, who: Any = None) -> None:
        """Let the test hear that *who* is here, and go on."""
        self._arrivals.put(who)
        self._reached.set()

    # For the test -----------------------------------------------------------------------------------------------

    def await_reached(self) -> None:
        """Wait until somebody is, or was, at the gate."""
        assert self._reached.wait(BOUND), "nobody reached the gate"

    def next(self) -> Any:
        """Wait for the next who comes; each is told of once."""
        try:
            return self._arrivals.get(timeout=BOUND)
        except queue.Empty:
            raise AssertionError("nobody else reached the gate") from None

    @property
    def reached(self) -> bool:
        """Has somebody come to it?"""
        return self._reached.is_set()

    @property
    def is_open(self) -> bool:
        """Does it hold nobody any more?"""
        return self._opened.is_set()

    def open(self) -> None:
        """Let everybody pass, now and later."""
        self._opened.set()
