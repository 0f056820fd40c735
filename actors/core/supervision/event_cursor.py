"""A place in the stream of one agent's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.event import EventsMissed
from .posted import event_of, posted

if TYPE_CHECKING:
    from ..records.event import Event
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.event_log import EventLog


class EventCursor:
    """Goes from the first event of an agent to its last, and makes each as it passes.

    Threads: one at a time.

    Locks: the log's guards ``position``.
    """

    __slots__ = ("__weakref__", "_cell", "_log", "_seq", "position")

    def __init__(self, cell: AgentCell, log: EventLog) -> None:
        self.position = 0
        self._cell = cell
        self._log = log
        self._seq = 0
        log.follow(self)

    def next(self) -> Event | None:
        """The next event; None when there is none yet, or there are no more."""
        taken = self._log.take(self)
        if taken is None:
            return None
        (_, moment, make, fields), count = taken
        self._seq += 1
        cell = self._cell
        noted = posted(
            make,
            {"count": count} if make is EventsMissed else fields,
            agent_id=cell.id,
            agent=cell.spec.name,
            parent_id=None if cell.parent is None else cell.parent.id,
            depth=cell.depth,
            tag=cell.spec.tag,
            moment=moment,
        )
        return event_of(noted, self._seq, cell.host.wall)

    def is_over(self) -> bool:
        """Was the last one passed?"""
        return self._log.is_over(self)

    def leave(self) -> None:
        """Go no further: the log keeps nothing for it any more."""
        self._log.leave(self)
