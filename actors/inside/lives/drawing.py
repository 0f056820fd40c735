"""Makes the picture of a run of the notes that were taken of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from ...core.records.state import QUEUED
from ..picture import Picture, TimelineAgent, TimelineMark, TimelineSpan
from .life import Life
from .messages import messages_of
from .occupancy import load_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import datetime

    from ...core.records.message import AgentId
    from .folding import Folding
    from .notes import Note
    from .stretch import Stretch


class Noted(Protocol):
    """Who an agent is."""

    @property
    def agent_id(self) -> AgentId:
        """Its id in the picture."""

    @property
    def parent_id(self) -> AgentId | None:
        """Its parent's."""

    name: str
    depth: int
    key: str | None
    group: Hashable
    tag: Any


@dataclass(slots=True, kw_only=True)
class Drawn:
    """What there is to draw; moments are those of the pool's clock.

    Args:
        agents: Each with its notes, and how far it had come before the first of them.
        first, latest: The first and the last moment.
        began_at: A time of day, and its moment.
    """

    name: str
    agents: Sequence[tuple[Noted, list[Note], Life | None]]
    first: float
    latest: float
    began_at: tuple[datetime, float] | None
    slots: Sequence[tuple[float, int]]
    folding: Folding | None


def draw(drawn: Drawn) -> Picture:
    """The picture of all that, without a summary."""
    origin, folding = drawn.first, drawn.folding
    found: list[TimelineAgent] = []
    held: list[tuple[float, float]] = []
    queued: list[tuple[float, float]] = []
    for agent, told, life in drawn.agents:
        told.sort(key=itemgetter(1))
        life = life or Life(origin)
        life.take(told)
        life.close(drawn.latest)
        held += life.held
        queued += [(each.begin, each.end) for each in life.stretches if each.state is QUEUED]
        found.append(_agent(agent, life, origin))
    found.sort(key=lambda agent: (agent.begin, agent.id))
    pairs = [(agent.agent_id, told) for agent, told, _ in drawn.agents]
    before = ({}, {}) if folding is None else (folding.sent, folding.read)
    load = load_of(held, queued, origin, drawn.latest, past=None if folding is None else folding.occupancy)
    return Picture(
        name=drawn.name,
        began_at=None if drawn.began_at is None else _began_at(*drawn.began_at, origin),
        seconds=max(0.0, drawn.latest - origin),
        slots=tuple((max(0.0, moment - origin), slots) for moment, slots in drawn.slots),
        agents=tuple(found),
        messages=tuple(messages_of(pairs, origin, sent_before=before[0], read_before=before[1])),
        folded=0 if folding is None else folding.count,
        rest=None if folding is None else folding.sums(origin),
        load=tuple(load),
    )


def _began_at(at: datetime, moment: float, origin: float) -> datetime:
    return at - timedelta(seconds=moment - origin)


def _agent(agent: Noted, life: Life, origin: float) -> TimelineAgent:
    life.stretches.sort(key=lambda each: (each.begin, -1 if each.lane is None else each.lane, each.end))
    return TimelineAgent(
        id=agent.agent_id,
        name=agent.name,
        parent_id=agent.parent_id,
        depth=agent.depth,
        key=agent.key,
        group=agent.group,
        tag=agent.tag,
        begin=life.begin - origin,
        end=life.end - origin,
        status=life.status,
        error=life.error,
        is_open=life.is_open,
        is_cut=life.is_cut,
        recalled=life.recalled,
        restarts=life.restarts,
        input_tokens=life.used.input_tokens,
        output_tokens=life.used.output_tokens,
        cost_usd=life.used.cost_usd,
        spans=tuple([_span(agent.agent_id, each, origin) for each in life.stretches]),
        marks=tuple([TimelineMark(each.at - origin, each.kind, each.text) for each in life.marks]),
        input=life.input,
        output=life.output,
    )


def _span(agent_id: AgentId, stretch: Stretch, origin: float) -> TimelineSpan:
    used = stretch.used
    return TimelineSpan(
        agent_id=agent_id,
        state=stretch.state,
        begin=stretch.begin - origin,
        end=stretch.end - origin,
        label=stretch.label,
        lane=stretch.lane,
        attempt=stretch.attempt,
        error=stretch.error,
        is_open=stretch.is_open,
        recalled=stretch.recalled,
        input_tokens=0 if used is None else used.input_tokens,
        output_tokens=0 if used is None else used.output_tokens,
        cost_usd=0.0 if used is None else used.cost_usd,
        input=stretch.input,
        output=stretch.output,
    )
