"""Tells of moments: when timers are due, and when timed waits end, if many threads are in one."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import Protocol

from ..checks import Rank, ranked_rlock
from ..clock import SYSTEM_CLOCK, Clock
from ..crash import report

LOOK_AROUND = 0.5
"""Seconds after which the thread looks whether anybody is still minded; if not, it ends."""
SOON = float("-inf")
"""When it wakes that is awake, or is being woken: it looks who has come before it sleeps again."""
PRUNE_ABOVE = 1024
"""So many entries are kept of waits that are over before their moment, however few are minded."""


class Timed(Protocol):
    """Somebody who wants to be told of a moment."""

    def ring(self) -> None:
        """The moment has come. It may have been forgotten just now.

        On the alarm's thread, for which others wait: it calls nothing of a user's, writes no log, and never waits.
        """


class Alarm:
    """Tells others that their moment has come, by one thread for all; it is started when it is first needed.

    Guarantees: who is minded is told once, soon after its moment, unless it is forgotten before; whatever telling one
    raises, the others are told; the thread ends when nobody is minded.

    Args:
        clock: Where the moments come from.

    Locks: ``clock`` never changes. ``_starting`` guards the start and the end of the thread, and ``_runs``; it may be
    taken again by the thread that has it: a finalizer may wait. ``minded`` and ``_new`` change by single operations:
    who comes enters itself, then looks at ``_wakes_at``; the thread writes that, then looks who has come. The heap is
    the thread's own: who is forgotten before the thread looks never gets there.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self.clock = clock
        self.minded: dict[Timed, float] = {}
        self._new: dict[Timed, int] = {}
        self._order = itertools.count()
        self._starting = ranked_rlock(Rank.STARTING)
        self._runs = False
        self._wakes_at = float("inf")
        self._gate = threading.Lock()
        self._gate.acquire()

    def mind(self, whom: Timed, at: float) -> bool:
        """Let *whom* ring at *at*, monotonic seconds; False when no thread can be started: it must mind itself."""
        self.minded[whom] = at
        self._new[whom] = next(self._order)
        wakes_at = self._wakes_at
        if at >= wakes_at and (wakes_at == SOON or len(self._new) < PRUNE_ABOVE):
            return True
        return self._wake()

    def forget(self, whom: Timed) -> None:
        """It wants to be told no more."""
        self.minded.pop(whom, None)
        self._new.pop(whom, None)

    def _wake(self) -> bool:
        with self._starting:
            if not self._runs:
                try:
                    self._runs = True
                    self._wakes_at = SOON
                    threading.Thread(target=self._run, name="actors-alarm", daemon=True).start()
                except BaseException as error:
                    self._runs = False
                    self._wakes_at = float("inf")
                    if not isinstance(error, RuntimeError):
                        raise
                return self._runs
            self._wakes_at = SOON  # here: who ends the thread takes it back
        try:
            self._gate.release()
        except RuntimeError:  # it is being woken
            pass
        return True

    def _run(self) -> None:
        heap: list[tuple[float, int, Timed]] = []
        clock = self.clock
        while True:
            self._take_new(heap)
            self._ring(heap, clock.monotonic())
            now = clock.monotonic()  # telling them has taken its time
            until = min(heap[0][0], now + LOOK_AROUND) if heap else now + LOOK_AROUND
            self._wakes_at = until
            if self._new or until <= now:  # they came before they could see that
                continue
            if not self._gate.acquire(timeout=until - now) and self._has_ended(heap):
                return

    def _ring(self, heap: list[tuple[float, int, Timed]], now: float) -> None:
        """Tell those whose moment has come."""
        while heap and heap[0][0] <= now:
            at, _, whom = heapq.heappop(heap)
            if self.minded.get(whom) == at:
                self.minded.pop(whom, None)
                try:
                    whom.ring()
                except BaseException:  # noqa: BLE001 - a defect of ours; the others' moments come all the same
                    report("the alarm could not tell {}", whom)

    def _take_new(self, heap: list[tuple[float, int, Timed]]) -> None:
        try:
            while True:
                whom, order = self._new.popitem()
                if (at := self.minded.get(whom)) is not None:  # the last that was named, by whichever thread
                    heapq.heappush(heap, (at, order, whom))
        except KeyError:  # all are in, whoever forgets itself meanwhile
            pass
        if len(heap) > PRUNE_ABOVE + 2 * len(self.minded):
            heap[:] = [entry for entry in heap if self.minded.get(entry[2]) == entry[0]]
            heapq.heapify(heap)

    def _has_ended(self, heap: list[tuple[float, int, Timed]]) -> bool:
        """Is nobody left? Who comes from now on starts another thread."""
        if self.minded:
            return False
        heap.clear()  # what is left was forgotten
        with self._starting:
            self._wakes_at = float("inf")
            self._runs = bool(self._new or self.minded)
        return not self._runs
