"""One wait of one thread: a one-shot event."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

LOOK_UP = 0.1
"""Seconds after which a waiting main thread looks whether a signal has come."""


class Parked(Protocol):
    """An agent, or one of its tool calls, that waits without needing a slot."""

    waiter: Waiter | None
    """Where it waits now."""
    parks: int
    """How many waits of it are nested."""

    @property
    def cell(self) -> Any:
        """The cell of the agent. What that is, only the rooms above know."""

    def expect_slot(self, waiter: Waiter) -> None:
        """It is being woken from *waiter*: its agent stands in line for a slot now."""


class Waiter:
    """A gate that one thread waits at once, and that any thread opens.

    Made anew for each wait: a signal that arrives just as a timed wait runs out dies with it, so it cannot end
    the next wait too early. About a tenth of the cost of a ``threading.Event``. ``owner`` is the agent or tool
    call that is parked at it, if one is.

    Locks: none. ``owner`` is written by the thread that waits, before it waits and after; ``woken`` only ever becomes
    true, by whoever wakes.
    """

    __slots__ = ("_gate", "owner", "woken")

    def __init__(self) -> None:
        self.owner: Parked | None = None
        self.woken = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def wake(self) -> None:
        """Open the gate; opening it again does nothing. An agent without a slot stands in line for one from now on."""
        self.woken = True  # first: from here on nobody waits at it, whoever looks for circles
        owner = self.owner
        if owner is not None:
            owner.expect_slot(self)
        self.open()

    def open(self) -> None:
        """Open the gate, and nothing else: for who was interrupted in :meth:`wake` and must leave nobody asleep."""
        self.woken = True
        try:
            self._gate.release()
        except RuntimeError:  # it is open
            pass

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody opens the gate, at most *timeout* seconds; False when the time ran out."""
        if timeout is not None and timeout <= 0:
            return self._gate.acquire(blocking=False)
        if threading.get_ident() == threading.main_thread().ident:
            return self._wait_for_signals_too(timeout)
        if timeout is None:
            return self._gate.acquire()
        return self._gate.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def _wait_for_signals_too(self, timeout: float | None) -> bool:
        """Wait in the main thread, where signals are handled.

        One that arrives just as the thread gives up the interpreter lock, before it sleeps at the gate, would be seen
        only when the gate opens: CPython looks before, and is not woken after. So it looks up now and then.
        """
        if timeout is None:
            while not self._gate.acquire(timeout=LOOK_UP):
                pass
            return True
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > LOOK_UP:
            if self._gate.acquire(timeout=LOOK_UP):
                return True
        return self._gate.acquire(timeout=max(0.0, left))
