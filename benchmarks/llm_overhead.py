"""What does the loop around a model cost, when the model costs nothing?"""

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
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    ToolResultMessage,
    tool,
)

from .contest import contest
from .peers import Peers
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTION = "What does a run with one tool call and a final answer cost, when the model is a function?"

ANSWER = "1 + 2 = 3"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many runs, one after another, and how often."""

    runs: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 9), Size.QUICK: Workload(50, 3), Size.SMOKE: Workload(3, 1)}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def ours(runs: int) -> Callable[[], float]:
    """Runs of an ``LlmAgent`` in a pool, one after another."""

    def answer(request: CompletionRequest) -> CompletionResponse:
        if any(isinstance(message, ToolResultMessage) for message in request.messages):
            return CompletionResponse(ANSWER, usage=TokenUsage(1, 1))
        call = ToolCall("call", "add", {"a": 1, "b": 2})
        return CompletionResponse("", StopReason.TOOL_USE, (call,), TokenUsage(1, 1))

    driver, registry = FunctionDriver(answer), ToolRegistry([add])
    config = SpawnConfig(AgentManifest(name="adder"), "What is 1 + 2?")

    def measure() -> float:
        with AgentPool(driver, 1, tools=registry) as pool:
            begin = time.perf_counter()
            for _ in range(runs):
                text = pool.spawn(config).result().text
            seconds = time.perf_counter() - begin
        assert text == ANSWER
        return seconds

    return measure


def pydantic_ai(runs: int) -> Callable[[], float]:
    """The same by ``Agent.run_sync`` with a ``FunctionModel``."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:  # noqa: ARG001 - the peer's signature
        if any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts):
            return ModelResponse(parts=[TextPart(ANSWER)])
        return ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 2})])

    agent = Agent(FunctionModel(answer), tools=[add.function])

    def measure() -> float:
        begin = time.perf_counter()
        for _ in range(runs):
            text = agent.run_sync("What is 1 + 2?").output
        assert text == ANSWER
        return time.perf_counter() - begin

    return measure


def openai_agents(runs: int) -> Callable[[], float]:
    """The same by ``Runner.run_sync`` with a scripted model; tracing is off."""
    from agents import Agent, Model, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    set_tracing_disabled(True)

    class Scripted(Model):  # type: ignore[misc]
        """Calls the tool, then answers."""

        async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:  # noqa: A002, ARG002
            output: Any
            if isinstance(input, list) and any(item.get("type") == "function_call_output" for item in input):
                text = ResponseOutputText(text=ANSWER, type="output_text", annotations=[])
                output = ResponseOutputMessage(
                    id="m", content=[text], role="assistant", status="completed", type="message"
                )
            else:
                output = ResponseFunctionToolCall(
                    arguments='{"a": 1, "b": 2}', call_id="call", name="add", type="function_call"
                )
            return ModelResponse(output=[output], usage=Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            """Nobody asks for it."""
            raise NotImplementedError

    agent = Agent(name="adder", model=Scripted(), tools=[function_tool(add.function)])

    def measure() -> float:
        begin = time.perf_counter()
        for _ in range(runs):
            text = Runner.run_sync(agent, "What is 1 + 2?").final_output
        assert text == ANSWER
        return time.perf_counter() - begin

    return measure


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    makers = {"pydantic-ai": pydantic_ai, "openai-agents": openai_agents}
    others = {name: make(load.runs) for name, make in makers.items() if peers.has(name)}
    tables = contest(
        f"{load.runs} runs one after another, microseconds for one",
        {"actors": ours(load.runs)},
        others,
        repeats=load.repeats,
        per=load.runs,
    )
    notes = ["Every run makes two completions and one tool call; the models are functions that answer at once."]
    return Report("llm_overhead", QUESTION, tables, [*notes, *peers.notes()])
