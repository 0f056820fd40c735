"""How many slots were used over time, and how many agents waited for one."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from ..picture import Load

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Interval = tuple[float, float]

MOST: Final = 1_024
"""So many bins at most; and so many times two are told exactly where nothing was binned."""
FINEST: Final = 0.001
"""Seconds of a bin at first: twice as many each time that the bins do not reach."""


class Bins:
    """How many of something there were in each of equal pieces of time: their mean.

    Threads: one at a time.
    """

    def __init__(self) -> None:
        self._area = [0.0] * MOST  # of those that begin or end in it
        self._passing = [0] * (MOST + 1)  # how many more go through it than through the one before

    def add(self, begin: float, end: float, width: float) -> None:
        """One more from *begin* to *end*, in seconds since the first bin begins."""
        first, last = int(begin / width), int(end / width)
        if first == last:
            self._area[first] += end - begin
            return
        self._area[first] += (first + 1) * width - begin
        if last < MOST:
            self._area[last] += end - last * width
        self._passing[first + 1] += 1
        self._passing[last] -= 1

    def areas(self, width: float) -> list[float]:
        """For how many seconds there were how many, in all, in each bin."""
        return [area + count * width for area, count in zip(self._area, accumulate(self._passing), strict=False)]

    def widen(self, width: float) -> None:
        """Bins are twice as wide from now on: they were *width*."""
        areas = self.areas(width)
        self._area = [one + other for one, other in zip(areas[::2], areas[1::2], strict=True)] + [0.0] * (MOST // 2)
        self._passing = [0] * (MOST + 1)


class Occupancy:
    """The use of slots, as means over bins: however long a run is, it takes the same memory.

    Args:
        origin: The moment at which the first bin begins.

    Threads: one at a time.
    """

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._width = FINEST
        self._used = Bins()
        self._queued = Bins()

    def add(self, held: Iterable[Interval], queued: Iterable[Interval]) -> None:
        """Slots were held, and waited for, from these moments to those."""
        for bins, intervals in ((self._used, held), (self._queued, queued)):
            for begin, end in intervals:
                first, last = max(0.0, begin - self._origin), max(0.0, end - self._origin)
                while last >= self._width * MOST:
                    self._widen()
                bins.add(first, last, self._width)

    def _widen(self) -> None:
        self._used.widen(self._width)
        self._queued.widen(self._width)
        self._width *= 2

    def copy(self) -> Occupancy:
        """One that goes on by itself."""
        return deepcopy(self)

    def loads(self, origin: float, end: float) -> Iterable[Load]:
        """The means of all bins that begin before the moment *end*, in seconds since *origin*."""
        width = self._width
        used, queued = self._used.areas(width), self._queued.areas(width)
        for index, (one, other) in enumerate(zip(used, queued, strict=True)):
            begin = self._origin + index * width
            if begin >= end:
                return
            part = min(width, end - begin)  # the last bin may reach beyond
            yield Load(begin - origin, one / part, other / part)


def load_of(
    held: Sequence[Interval], queued: Sequence[Interval], origin: float, end: float, *, past: Occupancy | None
) -> list[Load]:
    """How many slots were used from *origin* to *end*: exactly; as means where that is too much, or *past* has some."""
    if past is None and len(held) + len(queued) <= MOST:
        return _exact(held, queued, origin)
    bins = Occupancy(origin) if past is None else past.copy()
    bins.add(held, queued)
    return list(bins.loads(origin, end))


def _exact(held: Sequence[Interval], queued: Sequence[Interval], origin: float) -> list[Load]:
    used, waiting = _changes(held), _changes(queued)
    loads: list[Load] = []
    now_used = now_waiting = 0
    for moment in sorted({*used, *waiting}):
        now_used += used[moment]
        now_waiting += waiting[moment]
        loads.append(Load(moment - origin, now_used, now_waiting))
    return loads


def _changes(intervals: Iterable[Interval]) -> Counter[float]:
    changes: Counter[float] = Counter()
    for begin, end in intervals:
        changes[begin] += 1
        changes[end] -= 1
    return changes
