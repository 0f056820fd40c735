"""The thread that changes what an engine knows: one thing after the other."""

from __future__ import annotations

import heapq
import itertools
import threading
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from ..core.clock import SYSTEM_CLOCK
from ..core.crash import report
from ..core.process.threads import join

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.clock import Clock

    Job: TypeAlias = Callable[[], object]

IN_A_ROW = 1_000
"""Jobs that are done before it looks at timers."""


class EngineThread:
    """Does what it is given, in order; whoever gives it waits for nobody.

    Guarantees: jobs are done one at a time; *after* is called when all that were there are done, or many of them, and
    before it waits.

    Args:
        name: Of the thread.
        after: Called between jobs, when none is left.

    Locks: none. The queue is one of the standard library; all else is its own thread's, but ``_is_ending``, which
    changes once.
    """

    def __init__(self, name: str, after: Callable[[], object], clock: Clock = SYSTEM_CLOCK) -> None:
        self._after = after
        self._clock = clock
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._timers: list[tuple[float, int, Job]] = []
        self._order = itertools.count()
        self._is_ending = False
        self._thread = threading.Thread(target=Context().run, args=(self._run,), name=name, daemon=True)

    def start(self) -> None:
        """Start it.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._thread.start()

    def do(self, job: Job) -> None:
        """Do *job* as soon as it can. Any thread, also under a lock."""
        self._jobs.put(job)

    def do_at(self, moment: float, job: Job) -> None:
        """Do *job* at *moment*, monotonic seconds. Its own thread only."""
        heapq.heappush(self._timers, (moment, next(self._order), job))

    def now(self) -> float:
        """The moment, by its clock."""
        return self._clock.monotonic()

    def is_here(self) -> bool:
        """Is this it?"""
        return threading.current_thread() is self._thread

    def end(self, timeout: float) -> bool:
        """Do what was given to it, and end; False when that takes longer than *timeout* seconds."""
        self.do(self._end)
        if self._thread.ident is not None and not self.is_here():
            join(self._thread, self._clock.monotonic() + timeout)
        return not self._thread.is_alive()

    def _end(self) -> None:
        self._is_ending = True

    def _run(self) -> None:
        while not self._is_ending:
            job = self._next()
            left = IN_A_ROW  # however much comes: what is due is done, and what was done is decided
            while job is not None:
                self._try(job)
                left -= 1
                try:
                    job = self._jobs.get_nowait() if left else None
                except Empty:
                    job = None
            self._ring()
            self._try(self._after)

    def _next(self) -> Job | None:
        """What is to be done next; None when a timer is due first."""
        wait = None
        if self._timers:
            wait = self._timers[0][0] - self._clock.monotonic()
            if wait <= 0:
                return None
        try:
            return self._jobs.get(timeout=wait)
        except Empty:
            return None

    def _ring(self) -> None:
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            self._try(heapq.heappop(self._timers)[2])

    def _try(self, job: Job) -> None:
        try:
            job()
        except BaseException:  # noqa: BLE001 - a defect of ours, or of one answer, must not end all others
            report("the engine's thread {} failed at {}", self._thread.name, job)
