"""One wait of one thread: a one-shot event."""

from __future__ import annotations

import threading
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from .crowd import LOOK_UP, MANY, UNDER_WAY, crowd

if TYPE_CHECKING:
    from .crowd import Crowd

LOOK_OUT = 0.1
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


class Wakeable(Protocol):
    """A gate that somebody waits at: a thread, or a coroutine."""

    owner: Parked | None
    """The agent or tool call that is parked at it, if one is."""

    def wake(self) -> None:
        """Open the gate; opening it again does nothing."""


class Waiter:
    """A gate that one thread waits at once, and that any thread opens.

    Made anew for each wait: a signal that arrives just as a timed wait runs out dies with it, so it cannot end
    the next wait too early. About a tenth of the cost of a ``threading.Event``. ``owner`` is the agent or tool
    call that is parked at it, if one is. ``towards`` is there when who was waited for has handed that on to another.

    Locks: none. ``owner`` is written by the thread that waits, before it waits and after; ``towards`` by whoever hands
    it on; ``woken`` only ever becomes true, by whoever wakes.
    """

    __slots__ = ("_crowd", "_gate", "owner", "towards", "woken")

    towards: Any

    def __init__(self) -> None:
        self.owner: Parked | None = None
        self.woken = False
        self._crowd: Crowd | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def wake(self) -> None:
        """Open the gate; opening it again does nothing. An agent without a slot stands in line for one from now on."""
        self.woken = True  # first: from here on nobody waits at it, whoever looks for circles
        owner = self.owner
        if owner is not None:
            owner.expect_slot(self)
        others = self._crowd
        if others is None or len(others.waiting) <= UNDER_WAY:  # as ``open``: a call costs as much as all of this
            try:
                self._gate.release()
            except RuntimeError:  # it is open
                pass
        else:
            others.let_go(self)

    def open(self) -> None:
        """Open the gate, and nothing else: for who was interrupted in :meth:`wake` and must leave nobody asleep."""
        self.woken = True
        self.ring()

    def ring(self) -> None:
        """Let whoever waits look whether it was woken, or its time is over: soon, if many are to be let go."""
        others = self._crowd
        if others is None:
            self.unlock()
        else:
            others.let_go(self)

    def unlock(self) -> None:
        """Let whoever waits look, now: for the crowd, which says when."""
        try:
            self._gate.release()
        except RuntimeError:  # it is open
            pass

    def is_waiting(self) -> bool:
        """Does its thread wait now?"""
        return self._crowd is not None

    def wait(self, timeout: float | None = None, *, looks_up: bool = False, must: bool = True) -> bool:
        """Wait until somebody opens the gate, at most *timeout* seconds; False when the time ran out.

        The thread looks up now and then: an exception that another one has set in it is raised then.

        Args:
            looks_up: Often, however many wait.
            must: Also when too many handlers of the dispatcher that runs this one wait already: what is waited for is
                a step of our own, that must not fail.
        Raises:
            DispatcherExhausted: Too many of them wait, and it need not wait.
        """
        gate = self._gate
        if timeout is not None and timeout <= 0:
            return gate.acquire(blocking=False)
        others = crowd()
        me = get_ident()
        if me == others.main:
            return self._wait_for_signals_too(timeout)
        host = others.compensated.get(me) if others.compensated and not self.woken else None
        block = 0 if host is None else host.block(must=must)
        waiting = others.waiting
        end = None
        try:  # all in one function: of each agent that is parked the frames take memory
            waiting[self] = None
            self._crowd = others  # from here on it is let go by the crowd
            pause = LOOK_UP if looks_up or len(waiting) <= MANY else others.pause()
            if timeout is None:
                while not (gate.acquire(True, pause) or self.woken):
                    pass
                return True
            end = time.monotonic() + timeout
            minds_itself = others.mind(self, end)
            while True:
                left = end - time.monotonic()
                gate.acquire(timeout=max(0.0, min(left, pause) if minds_itself else pause))
                if self.woken:
                    return True
                if time.monotonic() >= end:
                    return False
        finally:
            self._crowd = None
            waiting.pop(self, None)
            if end is not None:
                others.forget(self)
            if others.under_way:
                others.left(self)
            if host is not None:
                host.unblock(block)

    def rest(self, others: Crowd) -> None:
        """As :meth:`wait`, without an end, and in fewer steps: for an agent, whose thread is neither the main one nor a
        dispatcher's. *others* are the process's.
        """
        waiting, gate = others.waiting, self._gate
        try:
            waiting[self] = None
            self._crowd = others
            pause = LOOK_UP if len(waiting) <= MANY else others.pause()
            while not (gate.acquire(True, pause) or self.woken):
                pass
        finally:
            self._crowd = None
            waiting.pop(self, None)
            if others.under_way:
                others.left(self)

    def _wait_for_signals_too(self, timeout: float | None) -> bool:
        """Wait in the main thread, where signals are handled.

        One that arrives just as the thread gives up the interpreter lock, before it sleeps at the gate, would be seen
        only when the gate opens: CPython looks before, and is not woken after. So it looks up now and then.
        """
        if timeout is None:
            while not self._gate.acquire(timeout=LOOK_OUT):
                pass
            return True
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > LOOK_OUT:
            if self._gate.acquire(timeout=LOOK_OUT):
                return True
        return self._gate.acquire(timeout=max(0.0, left))
