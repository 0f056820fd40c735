"""Events made by hand: what a pool would tell, at moments that a test chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.inside.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.events import Event
    from actors.inside.picture import TimelineAgent, TimelineSpan


class Told:
    """Events of one agent."""

    def __init__(self, agent_id: int = 1, name: str = "writer", **fields: Any) -> None:
        self.agent_id = agent_id
        self.events: list[Event] = []
        self._fields = {"agent_id": agent_id, "agent": name, **fields}

    def at(self, moment: float, kind: type[Event], **fields: Any) -> Told:
        """One more."""
        self.events.append(kind(**self._fields, moment=moment, **fields))
        return self


def timeline_of(*agents: Told, **options: Any) -> Timeline:
    """One that was told all of them, in the order of their moments."""
    return told(
        sorted((event for agent in agents for event in agent.events), key=lambda event: event.moment), **options
    )


def told(events: Iterable[Event], **options: Any) -> Timeline:
    """One that was told these."""
    timeline = Timeline(**options)
    for event in events:
        timeline(event)
    return timeline


def one(timeline: Timeline) -> TimelineAgent:
    """The only agent of the picture."""
    (agent,) = timeline.picture().agents
    return agent


def own(spans: Iterable[TimelineSpan]) -> list[tuple[str, float, float, str]]:
    """The agent's own track, in short."""
    return [(str(s.state), round(s.begin, 6), round(s.end, 6), s.label) for s in spans if s.lane is None]


def lanes(spans: Iterable[TimelineSpan]) -> list[tuple[int, float, float, str]]:
    """The tool calls, in short."""
    return [(s.lane, round(s.begin, 6), round(s.end, 6), s.label) for s in spans if s.lane is not None]
