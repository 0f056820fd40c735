"""The monitor of a pool: the lock under which one step of it is decided."""

from __future__ import annotations

import threading
import time
from threading import get_ident

from ...errors import DeadlockError
from ..checks import Rank, ranked_rlock
from ..process.signals import SignalsHeldOff

PATIENCE = 8
"""How often a thread that finds the turn taken lets others run before it stands in line."""


class Turn:
    """The lock under which a pool takes one step at a time. Signals of the main thread wait for its end.

    Who finds it taken does not stand in line at once. A thread that does is handed the lock before it can run, and then
    the one that had it must stand in line for its next step, which lets the first one run, and so on: every step of
    every thread costs a change of threads. Letting the holder run on instead, till it has had its time, costs one
    change in thousands of steps. Only one thread at a time does so: of a thousand that did, each would keep the holder
    from running.

    Locks: itself, and ``_line`` before it, which only those take who find it taken. The thread that has it writes
    ``_owner`` and ``holds_signals``.
    """

    __slots__ = ("_line", "_lock", "_owner", "holds_signals", "signals_held_off")

    def __init__(self) -> None:
        self._lock = ranked_rlock(Rank.TURN)  # of these alone a thread can tell whether it has it
        self._line = threading.RLock()  # a finalizer may come to it again
        self._owner = 0
        self.signals_held_off = SignalsHeldOff()
        self.holds_signals = False
        """Does the thread that takes this step keep signals off meanwhile? For that thread to ask."""

    def __enter__(self) -> None:
        me = get_ident()
        if self._owner == me:
            self.refuse_inside()
        holds_signals = me == self.signals_held_off.main
        if holds_signals:
            self.signals_held_off.hold()
        try:
            if not self._lock.acquire(False):
                self._wait()
            self._owner = me
            self.holds_signals = holds_signals
        except BaseException:  # a lock that is checked refuses; or another thread has set an exception in this one
            if self._lock._is_owned():  # noqa: SLF001 - as ``threading.Condition`` asks it
                self._owner = 0
                self._lock.release()
            if holds_signals:
                self.signals_held_off.let_go()
            raise

    def refuse_inside(self) -> None:
        """Raise in a thread that is just taking a step: a collection may come anywhere, and run a finalizer there that
        calls the pool. Better an error than a wait for oneself.
        """
        if self._owner == threading.get_ident():
            raise DeadlockError("the pool was called by a finalizer, in a thread that is just taking a step of it")

    def _wait(self) -> None:
        """Get the lock that another thread has."""
        lock = self._lock
        with self._line:
            for _ in range(PATIENCE):
                time.sleep(0)
                if lock.acquire(blocking=False):
                    return
            lock.acquire()

    def __exit__(self, *_: object) -> None:
        if self.release():
            self.signals_held_off.let_go()

    def release(self) -> bool:
        """End the step, and keep signals off if they are: True, when who took it has to let them go."""
        holds_signals = self.holds_signals
        self._owner = 0
        self._lock.release()
        return holds_signals

    def locked(self) -> bool:
        """Is a step being taken?"""
        return self._owner != 0
