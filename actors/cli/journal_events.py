"""What a journal knows of a run, as the events that would have told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..agent.events import ToolEnded, ToolStarted
from ..core.records.answer import CompletionFinished, CompletionStarted
from ..core.records.event import AgentEnded, AgentQueued, AgentStarted
from ..core.records.outcome import AgentStatus
from ..inside.timeline import Timeline
from ..journal.journaled import EffectState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from ..core.records.event import Event
    from ..journal.journaled import JournaledAgent, JournaledEffect
    from ..journal.reader import JournalReader

ENDED: Final = frozenset(map(str, AgentStatus))
LASTING: Final = ("tool", "step")
BOUGHT: Final = ("completion", "summary")


def timeline_of(journal: JournalReader) -> Timeline:
    """The picture of a journal's agents: when they came, began and ended, what they have bought and called.

    A completion is entered when its answer is there: it is drawn from what was entered before it. A call of a tool
    that may be made again is entered when it has ended: it is drawn from the answer that asked for it. What was
    dropped by ``prune`` cannot be drawn.

    Raises:
        JournalError: It cannot be read.
    """
    agents = sorted(
        journal.agents(), key=lambda agent: (agent.admitted_at is None, agent.admitted_at or agent.started_at)
    )
    ids = {agent.key: number for number, agent in enumerate(agents, 1)}
    depths = _depths(agents)
    timeline = Timeline()
    for agent in agents:
        fields = {
            "agent_id": ids[agent.key],
            "agent": agent.name,
            "parent_id": None if agent.parent is None else ids.get(agent.parent),
            "depth": depths[agent.key],
        }
        for event in _events(agent, [] if agent.pruned else journal.effects(agent.key), fields):
            timeline(event)
    return timeline


def _depths(agents: list[JournaledAgent]) -> dict[str, int]:
    parents = {agent.key: agent.parent for agent in agents}
    depths: dict[str, int] = {}
    for key in parents:
        line, at = [], key
        while at in parents and at not in depths and at not in line:
            line.append(at)
            at = parents[at] or ""
        depth = depths.get(at, -1)
        for each in reversed(line):
            depth += 1
            depths[each] = depth
    return depths


def _events(agent: JournaledAgent, effects: list[JournaledEffect], fields: Mapping[str, Any]) -> Iterator[Event]:
    begin = agent.admitted_at or agent.started_at
    if begin is None:
        return
    yield AgentQueued(**fields, **_at(begin), key=agent.key)
    if agent.started_at is not None:
        yield AgentStarted(**fields, **_at(agent.started_at), key=agent.key)
        yield from _of_effects(agent.started_at, effects, fields)
    if agent.ended_at is not None and str(agent.status) in ENDED:
        status = AgentStatus(str(agent.status))
        yield AgentEnded(**fields, **_at(agent.ended_at), status=status, error=agent.error)


def _of_effects(started: datetime, effects: list[JournaledEffect], fields: Mapping[str, Any]) -> Iterator[Event]:
    before, process = started.timestamp(), 1
    asked = before  # since when its tools may have worked: from the answer that asked for them
    for effect in effects:
        end = effect.at.timestamp()
        if effect.process != process:  # between two processes nothing was done
            before, process = max(before, end - (effect.seconds or 0.0)), effect.process
            asked = before
        if effect.kind in LASTING:
            yield from _tool(effect, asked, end, fields)
        elif effect.kind in BOUGHT:
            begin = min(before, end) if effect.seconds is None else end - effect.seconds
            yield from _completion(effect, begin, end, fields)
            asked = end
        before = max(before, end)


def _tool(effect: JournaledEffect, asked: float, end: float, fields: Mapping[str, Any]) -> Iterator[Event]:
    name, has_ended = effect.name or effect.kind, effect.state in (EffectState.DONE, EffectState.RAISED)
    begin = min(asked, end) if has_ended else end  # who has not ended was entered when it began
    if effect.seconds is not None:
        begin = end - effect.seconds
    yield ToolStarted(**fields, moment=begin, call_id=effect.path, tool=name)
    if has_ended:
        is_error = effect.state is EffectState.RAISED
        yield ToolEnded(**fields, moment=end, call_id=effect.path, tool=name, is_error=is_error, duration=end - begin)


def _completion(effect: JournaledEffect, begin: float, end: float, fields: Mapping[str, Any]) -> Iterator[Event]:
    model = effect.name or None
    yield CompletionStarted(**fields, moment=begin, model=model)
    if effect.state is EffectState.DONE:
        yield CompletionFinished(
            **fields,
            moment=end,
            model=model,
            stop_reason="end_turn",
            input_tokens=effect.input_tokens,
            output_tokens=effect.output_tokens,
            cost_usd=effect.cost_usd,
        )


def _at(moment: datetime) -> dict[str, Any]:
    return {"at": moment, "moment": moment.timestamp()}
