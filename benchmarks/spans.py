"""What do spans cost: where nobody traces, with OpenTelemetry's API alone, and with an SDK that keeps them?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from actors import (
    AgentManifest,
    AgentPool,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    OpenTelemetry,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolEnding,
    ToolRegistry,
    ToolResultMessage,
    TracedTool,
    tool,
)

from .contest import contest
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .peers import Peers

QUESTION = "What do spans cost, in a run with one tool call and a final answer, and one alone?"

ANSWER = "3"
API, SDK = "opentelemetry", "opentelemetry.sdk"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many runs, how many spans, and how often."""

    runs: int
    spans: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 5_000, 9), Size.QUICK: Workload(50, 1_000, 3), Size.SMOKE: Workload(2, 2, 1)}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def answer(request: CompletionRequest) -> CompletionResponse:
    """Call the tool, then tell what it said."""
    if any(isinstance(message, ToolResultMessage) for message in request.messages):
        return CompletionResponse(ANSWER)
    return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", "add", {"a": 1, "b": 2}),))


def run(runs: int, tracing: OpenTelemetry | None) -> float:
    """Seconds for so many, one after another."""
    config = SpawnConfig(AgentManifest(name="adder"), "What is 1 + 2?")
    with AgentPool(FunctionDriver(answer), 1, tools=ToolRegistry([add]), tracing=tracing) as pool:
        begin = time.perf_counter()
        for _ in range(runs):
            text = pool.spawn(config).result().text
        seconds = time.perf_counter() - begin
    assert text == ANSWER
    return seconds


def spans(count: int, tracing: OpenTelemetry) -> float:
    """Seconds for so many, one after another: from what is known of a call to its end."""
    begin = time.perf_counter()
    for _ in range(count):
        with tracing.tool(TracedTool("add", "call")) as span:
            span.ended(ToolEnding())
    return time.perf_counter() - begin


def tracings() -> Mapping[str, OpenTelemetry]:
    """Those whose packages are installed, by what they are."""
    found: dict[str, OpenTelemetry] = {}
    if find_spec(API) is not None:
        from opentelemetry.trace import NoOpTracerProvider

        found["the API alone"] = OpenTelemetry(NoOpTracerProvider())
    if found and find_spec(SDK) is not None:
        found["an SDK that keeps all"] = OpenTelemetry(keeper())
        found["the same, with contents"] = OpenTelemetry(keeper(), with_content=True)
    return found


def keeper() -> Any:
    """A provider that keeps every span in memory."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    return provider


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load, found = WORKLOADS[size], tracings()
    tables = contest(
        f"{load.runs} runs of four spans one after another, microseconds for a run",
        {name: partial(run, load.runs, tracing) for name, tracing in found.items()},
        {"nobody traces": lambda: run(load.runs, None)},
        repeats=load.repeats,
        per=load.runs,
    )
    if found:
        tables += contest(
            f"{load.spans} spans one after another, microseconds for one",
            {name: partial(spans, load.spans, tracing) for name, tracing in found.items()},
            {},
            repeats=load.repeats,
            per=load.spans,
        )
    return Report("spans", QUESTION, tables, ["The model is a function that answers at once."])
