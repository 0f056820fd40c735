"""Pictures of runs that never were, of any size, the same each time."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from actors.core.records.state import AgentState as At
from actors.inside.picture import (
    Load,
    PathPiece,
    Picture,
    TimelineAgent,
    TimelineMark,
    TimelineMessage,
    TimelineSpan,
    TimelineSummary,
)

NAMES = ("planner", "researcher", "writer", "editor", "fact checker", "translator", "illustrator", "reviewer")
MODELS = ("gpt-5-mini", "claude-sonnet-4-5", "gpt-5")
TOOLS = ("read_file", "search_web", "run_tests", "grep", "http_get")


def agent(number: int, *spans: TimelineSpan, **fields: Any) -> TimelineAgent:
    """One that lasts as long as its stretches."""
    told: dict[str, Any] = {
        "name": f"agent {number}",
        "parent_id": None,
        "depth": 0,
        "begin": min((span.begin for span in spans), default=0.0),
        "end": max((span.end for span in spans), default=0.0),
        "status": "completed",
    }
    return TimelineAgent(id=number, spans=spans, **(told | fields))


def span(number: int, state: At, begin: float, end: float, **fields: Any) -> TimelineSpan:
    """A stretch of agent *number*."""
    return TimelineSpan(agent_id=number, state=state, begin=begin, end=end, **fields)


def picture(*agents: TimelineAgent, **fields: Any) -> Picture:
    """Of these agents alone."""
    told: dict[str, Any] = {
        "name": "pool",
        "began_at": datetime(2026, 11, 30, 21, 14, 3, tzinfo=UTC),
        "seconds": max((each.end for each in agents), default=0.0),
        "slots": ((0.0, 8),),
        "summary": TimelineSummary(longest=tuple(each.id for each in agents[:10])),
    }
    return Picture(agents=agents, **(told | fields))


@dataclass
class _Life:
    """One agent while it is made up."""

    id: int
    chance: random.Random
    at: float
    spans: list[TimelineSpan] = field(default_factory=list)
    marks: list[TimelineMark] = field(default_factory=list)

    def do(self, state: At, seconds: float, **more: Any) -> TimelineSpan:
        made = span(self.id, state, self.at, self.at + seconds, **more)
        self.spans.append(made)
        self.at += seconds
        return made

    def turn(self, *, with_tools: bool, with_content: bool) -> None:
        self.do(At.RUNNING, self.chance.uniform(0.002, 0.03))
        model = MODELS[self.id % 3]
        if self.chance.random() < 0.07:
            self.do(At.IN_DRIVER, self.chance.uniform(0.1, 0.4), label=model, error="RateLimited: 429, retry after 2 s")
            self.do(At.IN_BACKOFF, self.chance.uniform(0.4, 1.5))
        more: dict[str, Any] = {"input": "Go on.", "output": "Here it is.\n" * 8} if with_content else {}
        told, said = self.chance.randrange(800, 6000), self.chance.randrange(50, 700)
        took = self.chance.uniform(0.4, 2.4)
        self.do(At.IN_DRIVER, took, label=model, input_tokens=told, output_tokens=said, cost_usd=told * 2e-6, **more)
        if with_tools:
            self.tools()

    def tools(self) -> None:
        begin, names = self.at, self.chance.sample(TOOLS, self.chance.choice((1, 1, 2, 3)))
        lasts = [self.chance.uniform(0.05, 1.1) for _ in names]
        self.do(At.IN_TOOL, max(lasts), label=names[0])
        for lane, (name, seconds) in enumerate(zip(names, lasts, strict=True)):
            error = "FileNotFoundError: notes.md" if self.chance.random() < 0.05 else None
            self.spans.append(span(self.id, At.IN_TOOL, begin, begin + seconds, label=name, lane=lane, error=error))


def a_run(count: int, *, turns: int = 4, slots: int = 8, with_content: bool = False) -> Picture:
    """*count* agents on *slots*, every eighth with the seven after it as children, which it waits for."""
    chance = random.Random(count)
    free = [0.0] * slots
    agents: list[TimelineAgent] = []
    messages: list[TimelineMessage] = []
    for first in range(1, count + 1, 8):
        family = range(first + 1, min(first + 8, count + 1))
        admitted = 0.02 * first if count <= 8 else 0.0
        parent = _started(first, chance, free, admitted)
        parent.turn(with_tools=True, with_content=with_content)
        heapq.heappush(free, parent.at)
        born, ends = parent.at, [parent.at]
        for number in family:
            child = _started(number, chance, free, born)
            for turn in range(max(1, chance.randrange(turns // 2, turns + 2))):
                child.turn(with_tools=turn % 2 == 0, with_content=with_content)
            if chance.random() < 0.1:
                child.do(At.RESTARTING, 0.4)
                child.turn(with_tools=False, with_content=False)
            ends.append(child.at)
            heapq.heappush(free, child.at)
            agents.append(_told(child, born, first, chance))
            messages.append(TimelineMessage(number, first, child.at - 0.02, max(ends) + 0.01))
        if family:
            parent.do(At.PARKED, max(ends) - parent.at, label=f"agents {family[0]} to {family[-1]}")
        parent.turn(with_tools=False, with_content=with_content)
        parent.marks.append(TimelineMark(parent.at - 0.3, "approved", "publish"))
        agents.append(_told(parent, admitted, None, chance))
    agents.sort(key=lambda each: (each.begin, each.id))
    return _framed(f"newsroom of {count}", agents, messages, slots)


def _started(number: int, chance: random.Random, free: list[float], admitted: float) -> _Life:
    life = _Life(number, chance, admitted)
    start = max(admitted, heapq.heappop(free))
    if start > admitted:
        life.do(At.QUEUED, start - admitted)
    return life


def _told(life: _Life, begin: float, parent: int | None, chance: random.Random) -> TimelineAgent:
    status, error = "completed", None
    if parent is not None and chance.random() < 0.08:
        status = chance.choice(("failed", "crashed", "timed_out", "cancelled", "abandoned", "lost"))
        error = {"failed": "BudgetExceeded: 0.50 USD spent of 0.50", "crashed": "KeyError: 'headline'"}.get(status)
    return TimelineAgent(
        id=life.id,
        name=NAMES[0] if parent is None else NAMES[1 + life.id % 7],
        key=f"story/{life.id}",
        group="desk" if life.id % 2 else "night",
        parent_id=parent,
        depth=0 if parent is None else 1,
        begin=begin,
        end=life.at,
        status=status,
        error=error,
        input_tokens=sum(each.input_tokens for each in life.spans),
        output_tokens=sum(each.output_tokens for each in life.spans),
        cost_usd=sum(each.cost_usd for each in life.spans),
        spans=tuple(sorted(life.spans, key=lambda each: (each.begin, each.lane is not None))),
        marks=tuple(life.marks),
    )


def _framed(name: str, agents: list[TimelineAgent], messages: list[TimelineMessage], slots: int) -> Picture:
    seconds = max(each.end for each in agents)
    sums: defaultdict[At, float] = defaultdict(float)
    for each in agents:
        for made in each.spans:
            if made.lane is None:
                sums[made.state] += made.end - made.begin
    last = max(agents, key=lambda each: each.end)
    longest = sorted(agents, key=lambda each: each.begin - each.end)[:10]
    return Picture(
        name=name,
        began_at=datetime(2026, 11, 30, 21, 14, 3, tzinfo=UTC),
        seconds=seconds,
        slots=((0.0, slots),),
        agents=tuple(agents),
        messages=tuple(messages),
        load=tuple(_load(agents)),
        summary=TimelineSummary(
            sentences=(
                f"All {slots} slots were in use for 92 % of the run, and {len(agents) - slots} agents waited 41 s "
                "for one (median): more slots would have helped.",
                "For 64 % of the agents' time the model worked.",
                f"Agent {last.id} ({last.name}) ended last, 3.1 s after all others: 2 attempts failed, then backoff.",
            ),
            seconds=sums,
            longest=tuple(each.id for each in longest),
            mean_used=slots * 0.94,
            full=0.92,
            path=tuple(
                PathPiece(last.id, made.state, made.begin, made.end, made.label)
                for made in last.spans
                if made.lane is None
            ),
        ),
    )


def _load(agents: list[TimelineAgent]) -> list[Load]:
    steps: list[tuple[float, int, int]] = []
    for each in agents:
        for made in each.spans:
            if made.lane is not None or made.state in (At.PARKED, At.RESTARTING):
                continue
            waits = made.state is At.QUEUED
            steps += [(made.begin, int(not waits), int(waits)), (made.end, -int(not waits), -int(waits))]
    load, used, queued = [], 0, 0
    for at, starts, joins in sorted(steps):
        used, queued = used + starts, queued + joins
        load.append(Load(at, used, queued))
    return load
