"""The timer queue of a pool: what is due at a later moment."""

from __future__ import annotations

import heapq
import itertools
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .agent_cell import AgentCell


class Due(Enum):
    """What is due."""

    DEADLINE = auto()
    ABANDON = auto()
    WAVE = auto()
    LOOK = auto()


class Timers:
    """A heap of moments.

    Each timer holds its agent by a tether, a list that is emptied when the agent ends: so a timer that is due in an
    hour keeps nothing alive. Such dead timers stay until they are due, or until they may outnumber the others.

    Locks: none; the pool's turn guards the heap; the others only read its first entry.
    """

    PRUNE_ABOVE = 4096

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Due, list[AgentCell]]] = []
        """Empty: nothing is due, now or later. For all but this class only to be looked at."""
        self._order = itertools.count()
        self._sleeps_until = float("inf")
        self._prune_at = self.PRUNE_ABOVE

    def push(self, at: float, kind: Due, tether: list[AgentCell]) -> None:
        """Remember that *kind* is due at *at*, monotonic seconds."""
        if len(self.heap) >= self._prune_at:
            self.heap[:] = [entry for entry in self.heap if entry[3] or entry[2] in (Due.WAVE, Due.LOOK)]
            heapq.heapify(self.heap)
            self._prune_at = max(self.PRUNE_ABOVE, 2 * len(self.heap))
        heapq.heappush(self.heap, (at, next(self._order), kind, tether))

    def due(self, now: float) -> Iterator[tuple[Due, AgentCell | None]]:
        """Take what is due."""
        while self.heap and self.heap[0][0] <= now:
            _, _, kind, tether = heapq.heappop(self.heap)
            yield kind, tether[0] if tether else None

    def next_at(self) -> float:
        """The next moment; infinity when there is none."""
        try:
            return self.heap[0][0]
        except IndexError:
            return float("inf")

    def sleep(self, now: float) -> float | None:
        """Seconds that the timer thread may sleep; it counts as asleep until then."""
        at = self._sleeps_until = self.next_at()
        return None if at == float("inf") else max(0.0, at - now)

    def earlier(self) -> bool:
        """Is something due before the timer thread wakes by itself?"""
        return bool(self.heap) and self.next_at() < self._sleeps_until

    def announce(self) -> None:
        """The timer thread is being woken: it need not be woken again for the same moment."""
        self._sleeps_until = self.next_at()
