"""What do guardrails cost that let everything pass?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import (
    AgentManifest,
    AgentPool,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Guardrail,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    ToolResult,
    ToolResultMessage,
    tool,
)

from .contest import contest
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .peers import Peers

QUESTION = "What do guardrails cost that let everything pass, in a run with one tool call and a final answer?"

ANSWER = "3"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many runs, and how often."""

    runs: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 9), Size.QUICK: Workload(50, 3), Size.SMOKE: Workload(2, 1)}


class Everywhere(Guardrail):
    """Looks at all that there is to look at."""

    def check_input(self, query: Any) -> None:
        """Let it pass."""

    def before_completion(self, request: CompletionRequest) -> None:
        """Let it pass."""

    def after_completion(self, response: CompletionResponse) -> None:
        """Let it pass."""

    def before_tool(self, call: ToolCall) -> None:
        """Let it pass."""

    def after_tool(self, call: ToolCall, result: ToolResult) -> None:
        """Let it pass."""

    def check_output(self, value: Any) -> None:
        """Let it pass."""


class First(Guardrail):
    """Looks at the query alone; with ``concurrent`` beside the first completion."""

    def check_input(self, query: Any) -> None:
        """Let it pass."""


class Beside(First):
    """The same, while the model already answers."""

    concurrent = True


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def answer(request: CompletionRequest) -> CompletionResponse:
    """Call the tool, then tell what it said."""
    if any(isinstance(message, ToolResultMessage) for message in request.messages):
        return CompletionResponse(ANSWER)
    return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", "add", {"a": 1, "b": 2}),))


def run(runs: int, guardrails: Sequence[Guardrail] = ()) -> float:
    """Seconds for so many, one after another."""
    config = SpawnConfig(AgentManifest(name="adder"), "What is 1 + 2?", guardrails=tuple(guardrails))
    with AgentPool(FunctionDriver(answer), 1, tools=ToolRegistry([add])) as pool:
        begin = time.perf_counter()
        for _ in range(runs):
            text = pool.spawn(config).result().text
        seconds = time.perf_counter() - begin
    assert text == ANSWER
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    tables = contest(
        f"{load.runs} runs one after another, microseconds for one",
        {
            "one, of the query": lambda: run(load.runs, [First()]),
            "the same, beside the first completion": lambda: run(load.runs, [Beside()]),
            "one, of everything": lambda: run(load.runs, [Everywhere()]),
            "ten, of everything": lambda: run(load.runs, [Everywhere() for _ in range(10)]),
        },
        {"none": lambda: run(load.runs)},
        repeats=load.repeats,
        per=load.runs,
    )
    return Report("guardrails", QUESTION, tables, ["The model is a function that answers at once."])
