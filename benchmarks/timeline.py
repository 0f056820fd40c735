"""What does a timeline cost: for an event, to save it, and in memory over a long run?"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, AgentPool, AgentStatus, SpawnConfig, Timeline
from actors.events import (
    AgentEnded,
    AgentQueued,
    AgentStarted,
    CompletionFinished,
    CompletionStarted,
    ToolEnded,
    ToolStarted,
)

from .report import Report, Table
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.events import Event

    from .peers import Peers
    from .report import Cell

QUESTION = "What does a timeline cost: one event, saving what it has, and the memory of a long run?"

TURNS = 6
SLICES_OF_ONE = 3 + 3 * TURNS
"""In the picture, of an agent with so many turns: the queue, its own code, completions, tools on both tracks."""
SLOTS = 8


@dataclass(frozen=True, slots=True)
class Workload:
    """How many slices are saved, how many agents go through ``map``, and how often the rest is measured."""

    slices: int
    agents: int
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(50_000, 100_000, 5),
    Size.QUICK: Workload(10_000, 5_000, 3),
    Size.SMOKE: Workload(50, 20, 1),
}


class Echo(Agent[str]):
    """Says what it is told."""

    def run(self, query: str) -> str:
        """At once."""
        return query


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    runs = [run(load.agents, None), run(load.agents, Timeline())]  # in that order: the peak only rises
    events = [event for number in range(1, load.slices // SLICES_OF_ONE + 2) for event in life(number)]
    taking = min(told(events)[0] for _ in range(load.repeats))
    timeline = told(events)[1]
    rows: list[dict[str, Cell]] = [saved(timeline, ending, load.repeats) for ending in (".html", ".json", ".json.gz")]
    title = f"saving {len(timeline.spans()):,} slices of {load.slices // SLICES_OF_ONE + 1:,} agents"
    tables = [
        Table("one event", [{"what": "taken", "us": taking / len(events) * 1e6}]),
        Table(title, rows),
        Table(f"{load.agents:,} agents through map, {SLOTS} slots", runs),
    ]
    notes = ["The least of several times; the memory is the peak of the process, the run without a timeline first."]
    return Report("timeline", QUESTION, tables, notes)


def life(number: int) -> Iterator[Event]:
    """What is told of one agent that calls a tool a few times."""
    who: dict[str, Any] = {"agent_id": number, "agent": f"writer {number % 50}"}
    moment = number // SLOTS * 9.0
    yield AgentQueued(**who, moment=moment, key=f"job {number}")
    yield AgentStarted(**who, moment=moment + 0.5, slots=SLOTS)
    for turn in range(TURNS):
        moment += 1.2
        call: dict[str, Any] = {"call_id": str(turn), "tool": f"tool {turn}"}
        yield CompletionStarted(**who, moment=moment, model="model")
        used: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 100, "cost_usd": 0.01}
        yield CompletionFinished(**who, moment=moment + 1, model="model", stop_reason="tool_use", **used)
        yield ToolStarted(**who, moment=moment + 1, **call)
        yield ToolEnded(**who, moment=moment + 1.2, is_error=False, duration=0.2, **call)
    yield AgentEnded(**who, moment=moment + 1.3, status=AgentStatus.COMPLETED)


def told(events: list[Event]) -> tuple[float, Timeline]:
    """Seconds for all of them, and the timeline that was told."""
    timeline = Timeline()
    begin = time.perf_counter()
    for event in events:
        timeline(event)
    return time.perf_counter() - begin, timeline


def saved(timeline: Timeline, ending: str, repeats: int) -> dict[str, Cell]:
    """Seconds, and the size of the file."""
    least = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"run{ending}"
        for _ in range(repeats):
            begin = time.perf_counter()
            timeline.save(path)
            least = min(least, time.perf_counter() - begin)
        return {"as": ending, "seconds": least, "MB": path.stat().st_size / 1e6}


def run(agents: int, timeline: Timeline | None) -> dict[str, Cell]:
    """So many agents through ``map``, seen by *timeline*."""
    manifest = AgentManifest(name="echo")
    with AgentPool(max_concurrent=SLOTS, on_event=timeline) as pool:
        begin = time.perf_counter()
        count = sum(1 for _ in pool.map(SpawnConfig(manifest, "x", agent=Echo) for _ in range(agents)))
        seconds = time.perf_counter() - begin
    assert count == agents
    return {
        "seen by": "nobody" if timeline is None else "a timeline",
        "us for an agent": seconds / agents * 1e6,
        "folded": None if timeline is None else timeline.picture().folded,
        "peak MB": peak(),
    }


def peak() -> float:
    """The most memory that this process has had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3
