"""One step of a supervisor: decided under a lock, done outside it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from loguru import logger

from ..errors import DeadlockError
from .acts import Acts
from .crash import crashed
from .ending import Ending
from .outcome import AgentStatus
from .shield import Shield

if TYPE_CHECKING:
    from .supervisor import Supervisor
    from .threads import Worker


PATIENCE = 8
"""How often a thread that finds the turn taken lets others run before it stands in line."""


class Turn:
    """The lock under which a supervisor takes one step at a time. Signals of the main thread wait for its end.

    Who finds it taken does not stand in line at once. A thread that does is handed the lock before it can run, and then
    the one that had it must stand in line for its next step, which lets the first one run, and so on: every step of
    every thread costs a change of threads. Letting the holder run on instead, till it has had its time, costs one
    change in thousands of steps.
    """

    __slots__ = ("_lock", "_owner", "shield", "shielded")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self.shield = Shield()
        self.shielded = False
        """Does the thread that takes this step keep signals off meanwhile? For that thread to ask."""

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._owner == me:  # a collection may come anywhere; better an error than a wait for oneself
            raise DeadlockError("the pool was called by a finalizer, in a thread that is just taking a step of it")
        shielded = self.shield.is_for(me)
        if shielded:
            self.shield.__enter__()
        if not self._lock.acquire(blocking=False):
            self._wait()
        self._owner = me
        self.shielded = shielded

    def _wait(self) -> None:
        """Get the lock that another thread has."""
        lock = self._lock
        for _ in range(PATIENCE):
            time.sleep(0)
            if lock.acquire(blocking=False):
                return
        lock.acquire()

    def __exit__(self, *_: object) -> None:
        shielded = self.shielded
        self._owner = 0
        self._lock.release()
        if shielded:
            self.shield.__exit__()

    def locked(self) -> bool:
        """Is a step being taken?"""
        return self._lock.locked()


class Step:
    """What is decided in its block is done when the block is left: ``with Step(supervisor) as acts: ...``.

    Nothing of the user's, no wake and no thread start happens under the turn. Signals wait until threads are started
    and waiters are woken; the user's callbacks run after that, so that Ctrl-C ends one that never returns.

    Args:
        calls_here: False hands what may be slow, the user's callbacks, to a worker: the timers must go on, and an
            abort returns at once.
    """

    __slots__ = ("_acts", "_calls_here", "_supervisor")

    def __init__(self, supervisor: Supervisor, *, calls_here: bool = True) -> None:
        self._supervisor = supervisor
        self._calls_here = calls_here
        self._acts = Acts()

    def __enter__(self) -> Acts:
        self._supervisor.turn.__enter__()
        return self._acts

    def __exit__(self, *_: object) -> None:
        turn, acts = self._supervisor.turn, self._acts
        try:
            if turn.shielded:
                with turn.shield:
                    turn.__exit__()
                    self._start_and_wake()
            else:
                turn.__exit__()
                self._start_and_wake()
        finally:  # a signal's handler may have raised
            if acts.may_be_slow():
                if self._calls_here:
                    acts.call()
                else:
                    self._call_elsewhere()

    def _start_and_wake(self) -> None:
        supervisor, acts = self._supervisor, self._acts
        while acts.starts:
            cell = acts.starts.popleft()
            try:
                supervisor.crew.start(cell.work)
            except RuntimeError as error:  # "can't start new thread": a clear outcome instead of a hang
                logger.error("{} could not be started: {}", cell.label, error)
                with supervisor.turn:
                    ending = Ending(AgentStatus.CRASHED, error=crashed(error))
                    supervisor.roster.settle(cell, cell.make_outcome(ending), acts)
                    supervisor.roster.balance(acts)
        for waiter in acts.wakes:
            waiter.wake()
        supervisor.timekeeper.mind()

    def _call_elsewhere(self) -> None:
        acts = self._acts

        def call(_: Worker) -> bool:
            acts.call()
            return False

        try:
            with self._supervisor.turn.shield:  # a worker that was taken from rest must get its job
                self._supervisor.crew.start(call)
        except RuntimeError:  # no thread can be started
            acts.call()
