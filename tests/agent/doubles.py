"""Agents, drivers and tools that a test controls."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, field_validator

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    CompletionResponse,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolRegistry,
    ToolResult,
)

from ..waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from actors import AgentOutcome, Capability, LlmDriver


class Refusing(BaseModel):
    """Its validator says all that it was given."""

    text: str

    @field_validator("text")
    @classmethod
    def refuse(cls, text: str) -> str:
        """Refuse it."""
        raise ValueError(text)


class Doing(Agent[Any]):
    """Runs ``fn(agent, query)``."""

    def __init__(self, fn: Callable[[Any, Any], Any]) -> None:
        self.fn = fn

    def run(self, query: Any) -> Any:
        return self.fn(self, query)


def doing(fn: Callable[[Any, Any], Any], query: Any = "q", **fields: Any) -> SpawnConfig:
    """An agent that runs *fn*."""
    manifest = fields.pop("manifest", None) or AgentManifest(name=fields.pop("name", "doing"))
    return SpawnConfig(manifest, query, agent=Doing, kwargs={"fn": fn}, **fields)


def run_agent(fn: Callable[[Any, Any], Any], query: Any = "q", **fields: Any) -> AgentOutcome[Any]:
    """The outcome of one agent that runs *fn*."""
    with AgentPool(max_concurrent=1, abort_timeout=BOUND) as pool:
        return pool.spawn(doing(fn, query, **fields)).outcome(BOUND)


def run_llm(
    driver: LlmDriver,
    query: Any = "the question",
    *,
    manifest: AgentManifest | None = None,
    tools: Iterable[Any] = (),
    on_event: Callable[[Any], object] | None = None,
    **fields: Any,
) -> AgentOutcome[Any]:
    """The outcome of one ``LlmAgent``."""
    config = SpawnConfig(manifest or AgentManifest(name="bot"), query, **fields)
    with AgentPool(driver, 1, tools=ToolRegistry(tools), on_event=on_event, abort_timeout=BOUND) as pool:
        return pool.spawn(config).outcome(BOUND)


def asks(*calls: tuple[str, Mapping[str, Any]], text: str = "", usage: TokenUsage | None = None) -> CompletionResponse:
    """An answer that asks for tool calls, with the ids c1, c2, ..."""
    made = tuple(ToolCall(f"c{number}", name, input_) for number, (name, input_) in enumerate(calls, start=1))
    return CompletionResponse(text, StopReason.TOOL_USE, made, usage or TokenUsage(0, 0))


def cut(text: str) -> CompletionResponse:
    """An answer that was cut off by ``max_tokens``."""
    return CompletionResponse(text, StopReason.MAX_TOKENS)


def different_calls(name: str = "note") -> Iterable[CompletionResponse]:
    """For ever calls of *name*, each with another input."""
    return (asks((name, {"text": str(number)})) for number in itertools.count())


class Probe:
    """A tool that notes its calls and does what the test says."""

    def __init__(
        self,
        fn: Callable[..., Any] = lambda input, cancel, agent: "done",  # noqa: A006
        *,
        name: str = "note",
        capability: Capability | None = None,
        timeout: float | None = BOUND,
    ) -> None:
        self.fn = fn
        self.name = name
        self.required_capability = capability
        self.timeout = timeout
        self.calls: list[dict[str, Any]] = []
        self.definition = ToolDefinition(name, "A probe.", {"type": "object"})

    def execute(self, input: Mapping[str, Any], *, cancel: Any, agent: Any) -> Any:  # noqa: A002
        self.calls.append(dict(input))
        answer = self.fn(input, cancel, agent)
        return ToolResult(answer) if isinstance(answer, str) else answer


def results_of(outcome: AgentOutcome[Any]) -> list[Any]:
    """The tool results of a conversation, in order."""
    return [message for message in outcome.unwrap().messages if hasattr(message, "tool_call_id")]
