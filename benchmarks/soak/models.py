"""The drivers and the tools of the language-model agents."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actors import (
    Agent,
    CancelToken,
    CompletionResponse,
    FunctionDriver,
    InferenceFailed,
    RateLimited,
    ScriptedDriver,
    StopReason,
    ToolCall,
    ToolFailed,
    ToolRegistry,
    UserMessage,
    tool,
)

from .faults import KINDS, Place

if TYPE_CHECKING:
    from random import Random

    from actors import CompletionRequest, LlmDriver

    from .world import World

TOOLS = ("add", "patient", "deaf", "later", "never", "broken", "sends")


def registry(world: World) -> ToolRegistry:
    """Tools that answer, fail, block, take the cancel, are async, or act for their agent."""

    @tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @tool(timeout=0.03)
    def patient(cancel: CancelToken) -> str:
        """Wait for the cancel."""
        cancel.wait(0.5)
        return "waited"

    @tool(timeout=0.02)
    def deaf() -> str:
        """Run past the time, and never look."""
        world.faults.note("stuck in a tool")
        world.release.wait(0.3)
        return "late"

    @tool
    async def later() -> str:
        """Answer on the event loop."""
        await asyncio.sleep(0.002)
        return "async"

    @tool(timeout=0.02)
    async def never() -> str:
        """Run past the time on the event loop."""
        await asyncio.sleep(30)
        return "late"

    @tool
    def broken(kind: int) -> str:
        """Raise."""
        if kind < 0:
            raise ToolFailed("injected")
        raise world.faults.make(KINDS[kind % len(KINDS)], Place.TOOL)

    @tool
    def sends(agent: Agent[Any]) -> str:
        """Send to the program in the agent's name."""
        agent.send(0, (world.ledger.number(), False))  # several tools of one agent at once: no order among them
        world.ledger.note("messages accepted")
        return "sent"

    return ToolRegistry([add, patient, deaf, later, never, broken, sends])


def driver(world: World, random: Random) -> LlmDriver:
    """A driver with a script of its own."""
    chance = random.random()
    if chance < 0.1:
        return ScriptedDriver([], latency=0.05, default="at last")
    if chance < 0.2:
        kind = random.choice(KINDS)
        return FunctionDriver(lambda _: _fail(world, kind))
    if chance < 0.3:
        return FunctionDriver(_ping_pong)
    script: list[Any] = [_calls(random) for _ in range(random.randint(0, 3))]
    if chance < 0.4:
        script.insert(0, RateLimited("injected", retry_after=0.005))
    if chance < 0.45:
        script.append(InferenceFailed("injected"))
    return ScriptedDriver([*script, "done"], default="done")


def _fail(world: World, kind: Any) -> str:
    raise world.faults.make(kind, Place.DRIVER)


def _ping_pong(request: CompletionRequest) -> CompletionResponse | str:
    """Call one tool, then answer."""
    if isinstance(request.messages[-1], UserMessage):
        return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("call", "add", {"a": 1, "b": 2}),))
    return "done"


def _calls(random: Random) -> CompletionResponse:
    """An answer that calls one to three tools at once, sometimes with what does not fit."""
    calls = []
    for number in range(random.randint(1, 3)):
        name = random.choice((*TOOLS, "unknown"))
        arguments: dict[str, Any] = {"add": {"a": 1, "b": 2}, "broken": {"kind": random.randint(-1, 5)}}.get(name, {})
        calls.append(ToolCall(f"call_{number}", name, arguments if random.random() < 0.95 else {"wrong": 1}))
    return CompletionResponse("", StopReason.TOOL_USE, tuple(calls))
