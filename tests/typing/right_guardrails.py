"""Guardrails as users write them: checkers have nothing to say."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_type

from actors import (
    AgentManifest,
    CompletionRequest,
    CompletionResponse,
    Guardrail,
    GuardrailStage,
    Refuse,
    SpawnConfig,
    ToolCall,
    ToolResult,
    Trip,
    guardrail,
)


class Desk(Guardrail):
    """All six, each with the types that it has to do with."""

    concurrent = True

    def check_input(self, query: str) -> str | Trip | None:
        return Trip("no") if "bomb" in query else None

    def before_completion(self, request: CompletionRequest) -> CompletionRequest | None:
        return replace(request, system="be kind")

    def after_completion(self, response: CompletionResponse) -> Refuse | None:
        return Refuse("say more") if not response.text else None

    def before_tool(self, call: ToolCall) -> ToolCall:
        return replace(call, input={})

    def after_tool(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        return ToolResult("***") if call.name == "secret" else None

    def check_output(self, value: dict[str, int]) -> dict[str, int]:
        return value


@guardrail("check_output")
def short(value: str) -> Refuse | None:
    """It stays the function that it is."""
    return Refuse("shorter") if len(value) > 10 else None


@guardrail(GuardrailStage.CHECK_INPUT, concurrent=True)
def look(query: str, *, agent: object) -> None:
    """By the enumeration."""


assert_type(short("x"), Refuse | None)
config = SpawnConfig(AgentManifest(), "q", guardrails=[Desk(), short, look, Desk().before_tool])
