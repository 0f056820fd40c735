"""What does it cost that a conversation goes on under other manifests?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import (
    AgentManifest,
    AgentPool,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Handoff,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)

from .contest import contest
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peers import Peers

QUESTION = "What does a handoff cost, next to a turn that calls a tool, and what does it cost that one could be made?"

HOPS = 5
ANSWER = "done"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often."""

    agents: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 9), Size.QUICK: Workload(50, 3), Size.SMOKE: Workload(2, 1)}


@tool
def note(text: str) -> str:
    """Do as good as nothing."""
    return text


def called(name: str, **arguments: str) -> CompletionResponse:
    """An answer that calls *name*."""
    return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", name, arguments),))


def passes_on(request: CompletionRequest) -> CompletionResponse:
    """Hand on as long as there is somebody to hand on to."""
    name = next((each.name for each in request.tools if each.name.startswith("transfer_to_")), None)
    return CompletionResponse(ANSWER) if name is None else called(name)


def takes_notes(request: CompletionRequest) -> CompletionResponse:
    """Call the tool as often as the other hands on."""
    is_done = len(request.messages) > 2 * HOPS
    return CompletionResponse(ANSWER) if is_done else called("note", text=str(len(request.messages)))


def chain(hops: int) -> SpawnConfig:
    """An agent that may be handed on so many times, each time to another manifest."""
    manifest = AgentManifest(name=f"desk {hops}")
    for number in reversed(range(hops)):
        manifest = AgentManifest(name=f"desk {number}", handoffs=[{"name": f"desk_{number + 1}", "manifest": manifest}])
    return SpawnConfig(manifest, "question")


def run(agents: int, reply: Callable[[CompletionRequest], CompletionResponse], config: SpawnConfig) -> float:
    """Seconds for so many, one after another."""
    with AgentPool(FunctionDriver(reply), 1, tools=ToolRegistry([note])) as pool:
        begin = time.perf_counter()
        for _ in range(agents):
            text = pool.spawn(config).result().text
        seconds = time.perf_counter() - begin
    assert text == ANSWER
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    plain = SpawnConfig(AgentManifest(name="desk"), "question")
    could = SpawnConfig(plain.manifest, "question", handoffs=[Handoff(AgentManifest(name="other"))])
    tables = contest(
        "agents one after another, microseconds for one",
        {
            "could hand on, and does not": lambda: run(load.agents, lambda _: CompletionResponse(ANSWER), could),
            "one handoff": lambda: run(load.agents, passes_on, chain(1)),
            f"{HOPS} handoffs": lambda: run(load.agents, passes_on, chain(HOPS)),
        },
        {
            "no handoff": lambda: run(load.agents, lambda _: CompletionResponse(ANSWER), plain),
            f"{HOPS} tool calls": lambda: run(load.agents, takes_notes, plain),
        },
        repeats=load.repeats,
        per=load.agents,
    )
    return Report("handoff", QUESTION, tables, ["The models are functions that answer at once."])
