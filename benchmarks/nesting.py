"""What does a chain of nested agents cost, when only one of them may run at a time?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    CompletionResponse,
    FunctionDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    UserMessage,
    tool,
)

from .figures import Spread, ratios
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors import CompletionRequest

QUESTION = "What does a chain of agents nested five deep cost, when one may run at a time?"

DEPTH = 5
BOUND = 30.0
MANIFEST = AgentManifest(name="nested")


@dataclass(frozen=True, slots=True)
class Workload:
    """Repeats, and runs in each."""

    repeats: int
    runs: int


WORKLOADS = {Size.FULL: Workload(9, 100), Size.QUICK: Workload(3, 30), Size.SMOKE: Workload(1, 2)}


class Nested(Agent[int]):
    """Starts the next level and waits for it."""

    def run(self, query: int) -> int:
        """How many levels there are from here on."""
        if query == 1:
            return 1
        child = self.spawn(SpawnConfig(self.manifest, query - 1, agent=Nested))
        result: int = child.result(BOUND)
        return 1 + result


@tool(timeout=BOUND)
def delegate(levels: int, agent: Agent[Any]) -> str:
    """Give the rest of the work to an agent one level deeper.

    Args:
        levels: How many levels are left.
    """
    text: str = agent.spawn(SpawnConfig(agent.manifest, str(levels))).result(BOUND).text
    return text


def decide(request: CompletionRequest) -> CompletionResponse:
    """A model that delegates until no level is left, and then passes the answer up."""
    last = request.messages[-1]
    if not isinstance(last, UserMessage):
        return CompletionResponse(last.text + "+1")
    levels = int(last.text)
    if levels == 1:
        return CompletionResponse("1")
    return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", "delegate", {"levels": levels - 1}),))


def by_agents(pool: AgentPool) -> None:
    """Agents that wait for agents."""
    assert pool.spawn(SpawnConfig(MANIFEST, DEPTH, agent=Nested)).result(BOUND) == DEPTH


def by_tools(pool: AgentPool) -> None:
    """Language-model agents whose tools wait for agents."""
    assert pool.spawn(SpawnConfig(MANIFEST, str(DEPTH))).result(BOUND).text == "1" + "+1" * (DEPTH - 1)


def by_threads(level: int = DEPTH) -> None:
    """Bare threads that wait for threads: no limit, no outcome, no cancel."""
    if level:
        thread = threading.Thread(target=by_threads, args=(level - 1,))
        thread.start()
        thread.join(BOUND)


def timed(run: Callable[[], None], runs: int) -> list[float]:
    """Seconds of each of *runs* runs."""
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - its peers are always there
    """Find the answer."""
    load = WORKLOADS[size]
    with AgentPool(FunctionDriver(decide), max_concurrent=1, tools=ToolRegistry([delegate])) as pool:
        found = in_turn(
            {
                "bare threads": lambda: timed(by_threads, load.runs),
                "agents": lambda: timed(partial(by_agents, pool), load.runs),
                "LlmAgents, by a tool": lambda: timed(partial(by_tools, pool), load.runs),
            },
            repeats=load.repeats,
        )
    rows = [_row(name, repeats, found["bare threads"]) for name, repeats in found.items()]
    return Report(
        "nesting",
        QUESTION,
        [Table(f"{DEPTH} levels, max_concurrent 1, {load.repeats} x {load.runs} runs", rows)],
        ["Each level waits for the next, parked. Ratio: of the medians of each turn, to bare threads that join."],
    )


def _row(name: str, repeats: Sequence[Sequence[float]], floor: Sequence[Sequence[float]]) -> dict[str, Cell]:
    every = Spread.of([seconds for one in repeats for seconds in one])
    return {
        "case": name,
        "median ms": 1000 * every.median,
        "p99 ms": 1000 * every.p99,
        "highest ms": 1000 * every.high,
        "ratio of medians": str(
            ratios([Spread.of(one).median for one in repeats], [Spread.of(one).median for one in floor])
        ),
    }
