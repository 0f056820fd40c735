"""Hands events to the sink, in order, on a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..clock import SYSTEM_CLOCK, WallTime
from ..crash import report
from .deliveries import Deliveries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..records.event import Event
    from ..records.message import AgentId


class Posted(NamedTuple):
    """An event before it is built: building takes longer than noting what happened. ``moment``: as in the event."""

    make: Callable[..., Event]
    fields: Mapping[str, Any]
    agent_id: AgentId
    agent: str
    parent_id: AgentId | None
    depth: int
    tag: Any
    moment: float


class Source(Protocol):
    """Whose events they are.

    Locks: the event delivery's guards ``silent`` and ``told``.
    """

    silent: bool
    """Its last event was told."""
    told: float
    """The moment of its latest one."""


class EventDelivery(Deliveries[Posted]):
    """Calls ``sink(event)`` for each event, one at a time, in the order of ``seq``.

    Guarantees: no event is dropped; the moments of one agent never run back; text deltas of one agent that stand next
    to each other may be merged when the sink is slow. A sink that raises is logged once and called again for the next
    event.

    Locks: ``_lock`` guards every field; the sink is called outside it.
    """

    MERGE_ABOVE = 1000

    def __init__(self, sink: Callable[[Event], object], name: str, wall: WallTime | None = None) -> None:
        super().__init__(name)
        self._sink = sink
        self._wall = WallTime(SYSTEM_CLOCK) if wall is None else wall
        self._complained = False

    def post(self, posted: Posted, source: Source | None = None, *, last: bool = False) -> None:
        """Put an event of *source* at the end of the queue; never waits. After its *last* one it is silent."""
        with self._lock:
            if self._closing or (source is not None and source.silent):
                return
            if source is not None:
                source.silent = last
                if posted.moment < source.told:  # another thread of the agent has overtaken this one
                    posted = Posted(*posted[:-1], source.told)
                source.told = posted.moment
            if len(self._queue) > self.MERGE_ABOVE and self._merge(posted):
                return
            self._queue.append(posted)
            sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake()

    def _merge(self, posted: Posted) -> bool:
        last = self._queue[-1]
        if last.make is not posted.make or last.agent_id != posted.agent_id:
            return False
        merge = getattr(posted.make, "_merge", None)  # ours alone: it is called under the lock
        merged = None if merge is None else merge(last.fields, posted.fields)
        if merged is None:
            return False
        self._queue[-1] = Posted(last.make, merged, *last[2:])
        return True

    def _deliver(self, posted: Posted, seq: int) -> None:
        try:
            self._sink(event_of(posted, seq, self._wall))
        except BaseException:  # noqa: BLE001 - a sink harms nobody
            if not self._complained:
                self._complained = True
                report("the event sink failed; further failures of it are not logged")


def event_of(posted: Posted, seq: int, wall: WallTime) -> Event:
    """The event itself, with its place in the order of whoever gets it."""
    return posted.make(
        **posted.fields,
        agent_id=posted.agent_id,
        agent=posted.agent,
        parent_id=posted.parent_id,
        depth=posted.depth,
        tag=posted.tag,
        seq=seq,
        at=wall.at(posted.moment),
        moment=posted.moment,
    )


def posted(
    make: Callable[..., Event],
    fields: Mapping[str, Any],
    *,
    agent_id: AgentId = 0,
    agent: str = "",
    parent_id: AgentId | None = None,
    depth: int = 0,
    tag: Any = None,
    moment: float | None = None,
) -> Posted:
    """Note that something happened, at that *moment* or now."""
    moment = SYSTEM_CLOCK.monotonic() if moment is None else moment
    return Posted(make, fields, agent_id, agent, parent_id, depth, tag, moment)
