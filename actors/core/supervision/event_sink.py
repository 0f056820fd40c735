"""Calls one sink with events, in order, on a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from ..crash import report
from ..records.event import Event, EventsMissed
from .deliveries import Deliveries
from .posted import Posted, event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..clock import WallTime
    from ..records.message import AgentId
    from ..waiting.waiter import Waiter


class EventSink(Deliveries[Posted]):
    """Calls ``sink(event)`` for each event, one at a time, in the order of ``seq``, which rises by one.

    Guarantees: a sink that is slow gets texts in larger pieces: deltas of one agent that stand next to each other are
    merged. When that is not enough the oldest deltas are dropped, and an ``EventsMissed`` of their agent tells how many
    there were. No other event is dropped. A sink that raises is logged once and called again for the next event. One
    that has a ``wants_text`` that is False gets no deltas, and no answer is streamed because it listens.

    Locks: ``_lock``, that of all sinks of the pool, guards every field but ``_complained``, which its thread has; the
    sink is called outside it. ``_is_over`` is looked at without: it changes once.
    """

    MERGE_ABOVE = 1_000
    """Above so many that wait, deltas are merged."""
    MOST_DELTAS = 10_000
    """Deltas that wait, at most."""
    SPARE = 1_000
    """So many are dropped at once."""

    def __init__(
        self, sink: Callable[[Event], object], name: str, wall: WallTime, lock: threading.Lock | None = None
    ) -> None:
        super().__init__(name, lock)
        self._sink = sink
        self._wall = wall
        self._complained = False
        self._is_over = False
        self._look_at = self.MOST_DELTAS
        self.wants_text = bool(getattr(sink, "wants_text", True))
        """Are answers to be streamed because it listens?"""
        self.is_full = False
        """Takes nothing any more."""

    def take_in(self, posted: Posted, dropped: list[object]) -> Waiter | None:
        """Put *posted* at the end of the queue; whom the caller has to wake. Under the lock.

        Args:
            dropped: Gets what is let go of, to be dropped without the lock.
        """
        queue = self._queue
        if self._closing or (not self.wants_text and is_delta(posted)):
            return None
        if len(queue) > self.MERGE_ABOVE:
            if self._merge(posted):
                return None
            if len(queue) >= self._look_at:
                self._make_room(dropped)
                queue = self._queue
        queue.append(posted)
        sleeper, self._sleeper = self._sleeper, None
        return sleeper

    def _merge(self, posted: Posted) -> bool:
        last = self._queue[-1]
        if last.make is not posted.make or last.agent_id != posted.agent_id:
            return False
        merge = _merge_of(posted)
        merged = None if merge is None else merge(last.fields, posted.fields)
        if merged is None:
            return False
        self._queue[-1] = Posted(last.make, merged, *last[2:])
        return True

    def _make_room(self, dropped: list[object]) -> None:
        """Drop the oldest deltas, if there are too many."""
        queue = self._queue
        deltas = sum(is_delta(posted) for posted in queue)
        if deltas >= self.MOST_DELTAS:
            dropped.append(queue)
            self._queue = without_oldest(queue, self.SPARE)
            deltas -= self.SPARE
        self._look_at = max(self.MOST_DELTAS, len(self._queue) + self.MOST_DELTAS - deltas)

    def _deliver(self, posted: Posted, seq: int) -> None:
        if self._is_over:
            return
        try:
            self._sink(event_of(posted, seq, self._wall))
        except BaseException:  # noqa: BLE001 - a sink harms nobody
            if not self._complained:
                self._complained = True
                report("the event sink failed; further failures of it are not logged")

    def end(self, timeout: float) -> None:
        """Tell what has come by now, and no more. In a call of the sink itself, that is its last one; one that takes
        longer than *timeout* seconds for an event is told nothing further.
        """
        if self.thread is not threading.current_thread() and self.close(timeout):
            return
        self.tell_end()
        self._is_over = True


def without_oldest(queue: Iterable[Posted], count: int) -> deque[Posted]:
    """*queue* without its *count* oldest deltas: one event of each agent that stood in a row tells how many."""
    out: list[Posted] = []
    gaps: dict[AgentId, int] = {}  # where the latest of an agent is one that tells of a gap
    for posted in queue:
        missed = 1 if count > 0 and is_delta(posted) else 0
        count -= missed
        if not missed and posted.make is not EventsMissed:
            gaps.pop(posted.agent_id, None)
            out.append(posted)
            continue
        missed = missed or posted.fields["count"]
        place = gaps.setdefault(posted.agent_id, len(out))
        if place < len(out):
            missed += out[place].fields["count"]
            out[place] = _missed(posted, missed)
        else:
            out.append(_missed(posted, missed))
    return deque(out)


def _missed(posted: Posted, count: int) -> Posted:
    return Posted(EventsMissed, {"count": count}, *posted[2:])


def _merge_of(posted: Posted) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | None] | None:
    return getattr(posted.make, "_merge", None)  # ours alone: it is called under the lock


def is_delta(posted: Posted) -> bool:
    """Is it a piece of a text, which may be merged with the next one?"""
    return _merge_of(posted) not in (None, Event._merge)  # noqa: SLF001 - ours
