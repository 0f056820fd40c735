"""How much of the time that models take is hidden by running agents at once?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from actors import (
    AgentManifest,
    AgentPool,
    CompletionResponse,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)

from .figures import Spread
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

QUESTION = "How near to the ideal time are 4 N agents with two slow completions each, N at once?"

ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Workload:
    """How many at once, how slow the model is, and how often."""

    at_once: tuple[int, ...]
    latency: float
    repeats: int


WORKLOADS = {
    Size.FULL: Workload((8, 64, 512, 1_000, 2_000), 0.5, 7),
    Size.QUICK: Workload((8, 64, 512, 1_000, 2_000), 0.5, 1),
    Size.SMOKE: Workload((2,), 0.01, 1),
}


@tool
def note(text: str) -> str:
    """Note something."""
    return text


def seconds_for(at_once: int, latency: float) -> float:
    """Seconds from the first spawn to the last outcome."""
    ask = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", "note", {"text": "x"}),))
    config = SpawnConfig(AgentManifest(name="patient"), "?")
    drivers = [ScriptedDriver([ask, "done"], latency=latency) for _ in range(ROUNDS * at_once)]
    configs = [config.model_copy(update={"driver": driver}) for driver in drivers]
    with AgentPool(max_concurrent=at_once, max_queued=None, tools=ToolRegistry([note])) as pool:
        begin = time.perf_counter()
        pool.fan_out(configs)
        outcomes = pool.join_all()
        seconds = time.perf_counter() - begin
    assert all(outcome.ok for outcome in outcomes.values())
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - the ideal is what it is measured by
    """Find the answer."""
    load = WORKLOADS[size]
    ideal = ROUNDS * 2 * load.latency
    found = in_turn(
        {f"{count:,} at once": lambda count=count: seconds_for(count, load.latency) for count in load.at_once},  # type: ignore[misc]
        repeats=load.repeats,
        warmups=0 if size is Size.QUICK else 1,
    )
    rows: list[dict[str, Cell]] = []
    for case, seconds in found.items():
        spread = Spread.of(seconds)
        shares = Spread.of([ideal / one for one in seconds])
        rows.append(
            {
                "case": case,
                "ideal s": ideal,
                "median s": spread.median,
                "p99 s": spread.p99,
                "lowest s": spread.low,
                "highest s": spread.high,
                "share of the ideal": shares.median,
                "spread": f"{shares.low:.3f} to {shares.high:.3f}",
            }
        )
    title = f"{ROUNDS} N agents, two completions of {load.latency:g} s each, a tool call between them"
    return Report("latency_hidden", QUESTION, [Table(title, rows)])
