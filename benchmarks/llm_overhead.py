"""What does the loop around a model cost, when the model costs nothing?"""

from __future__ import annotations

import asyncio
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
    from collections.abc import Awaitable, Callable

QUESTION = "What does a run with one tool call and a final answer cost, when the model is a function?"

ANSWER = "1 + 2 = 3"
AT_ONCE = 8


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


class Cases:
    """The same run on each side, one after another or :data:`AT_ONCE` at a time; each gives its seconds."""

    def __init__(self, runs: int) -> None:
        self.runs = runs

    def one_by_one(self) -> float:
        """Each run after the one before."""
        raise NotImplementedError

    def at_once(self) -> float:
        """As many as that at a time."""
        raise NotImplementedError


class Ours(Cases):
    """An ``LlmAgent`` in a pool."""

    def __init__(self, runs: int) -> None:
        super().__init__(runs)

        def answer(request: CompletionRequest) -> CompletionResponse:
            if any(isinstance(message, ToolResultMessage) for message in request.messages):
                return CompletionResponse(ANSWER, usage=TokenUsage(1, 1))
            call = ToolCall("call", "add", {"a": 1, "b": 2})
            return CompletionResponse("", StopReason.TOOL_USE, (call,), TokenUsage(1, 1))

        self.driver, self.registry = FunctionDriver(answer), ToolRegistry([add])
        self.config = SpawnConfig(AgentManifest(name="adder"), "What is 1 + 2?")

    def one_by_one(self) -> float:
        """Each run after the one before."""
        with AgentPool(self.driver, 1, tools=self.registry) as pool:
            begin = time.perf_counter()
            for _ in range(self.runs):
                text = pool.spawn(self.config).result().text
            seconds = time.perf_counter() - begin
        assert text == ANSWER
        return seconds

    def at_once(self) -> float:
        """As many as that at a time."""
        with AgentPool(self.driver, AT_ONCE, max_queued=None, tools=self.registry) as pool:
            begin = time.perf_counter()
            pool.fan_out([self.config] * self.runs)
            outcomes = pool.join_all()
            seconds = time.perf_counter() - begin
        assert all(outcome.unwrap().text == ANSWER for outcome in outcomes.values())
        return seconds


async def in_tasks(run: Callable[[], Awaitable[str]], runs: int) -> float:
    """Seconds for *runs* of an async peer, a task each, :data:`AT_ONCE` of them at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with slots:
            assert await run() == ANSWER

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(runs):
            tasks.create_task(one())
    return time.perf_counter() - begin


class PydanticAi(Cases):
    """An ``Agent`` with a ``FunctionModel``."""

    def __init__(self, runs: int) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
        from pydantic_ai.models.function import AgentInfo, FunctionModel
        from pydantic_ai.usage import RequestUsage

        async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:  # noqa: ARG001 - the peer's
            usage = RequestUsage(input_tokens=1, output_tokens=1)
            if any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts):
                return ModelResponse(parts=[TextPart(ANSWER)], usage=usage)
            return ModelResponse(parts=[ToolCallPart("add", {"a": 1, "b": 2})], usage=usage)

        super().__init__(runs)
        self.agent = Agent(FunctionModel(answer), tools=[add.function])

    def one_by_one(self) -> float:
        """Each run after the one before."""
        begin = time.perf_counter()
        for _ in range(self.runs):
            text = self.agent.run_sync("What is 1 + 2?").output
        assert text == ANSWER
        return time.perf_counter() - begin

    def at_once(self) -> float:
        """As many as that at a time."""

        async def run() -> str:
            return str((await self.agent.run("What is 1 + 2?")).output)

        return asyncio.run(in_tasks(run, self.runs))


class OpenAiAgents(Cases):
    """A ``Runner`` with a scripted model; tracing is off."""

    def __init__(self, runs: int) -> None:
        from agents import Agent, Model, ModelResponse, Usage, function_tool, set_tracing_disabled
        from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

        set_tracing_disabled(True)

        class Scripted(Model):  # type: ignore[misc]
            """Calls the tool, then answers."""

            async def get_response(
                self,
                system_instructions: Any,  # noqa: ARG002 - the peer's signature
                input: Any,  # noqa: A002
                *_: Any,
                **__: Any,
            ) -> ModelResponse:
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

        super().__init__(runs)
        self.agent = Agent(name="adder", model=Scripted(), tools=[function_tool(add.function)])

    def one_by_one(self) -> float:
        """Each run after the one before."""
        from agents import Runner

        begin = time.perf_counter()
        for _ in range(self.runs):
            text = Runner.run_sync(self.agent, "What is 1 + 2?").final_output
        assert text == ANSWER
        return time.perf_counter() - begin

    def at_once(self) -> float:
        """As many as that at a time."""
        from agents import Runner

        async def run() -> str:
            return str((await Runner.run(self.agent, "What is 1 + 2?")).final_output)

        return asyncio.run(in_tasks(run, self.runs))


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    ours = Ours(load.runs)
    makers: dict[str, type[Cases]] = {"pydantic-ai": PydanticAi, "openai-agents": OpenAiAgents}
    others = {name: make(load.runs) for name, make in makers.items() if peers.has(name)}
    tables = contest(
        f"{load.runs} runs one after another, microseconds for one",
        {"actors": ours.one_by_one},
        {name: case.one_by_one for name, case in others.items()},
        repeats=load.repeats,
        per=load.runs,
    )
    tables += contest(
        f"{load.runs} runs, {AT_ONCE} at once, microseconds for one",
        {"actors": ours.at_once},
        {name: case.at_once for name, case in others.items()},
        repeats=load.repeats,
        per=load.runs,
    )
    notes = [
        "Every run makes two completions and one tool call; the models are functions that answer at once.",
        "The tool is the same plain function everywhere; each side runs such a one on a thread.",
    ]
    return Report("llm_overhead", QUESTION, tables, [*notes, *peers.notes()])
