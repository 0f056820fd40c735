"""Events before they are built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..clock import WallTime
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
