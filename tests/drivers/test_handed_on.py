"""A conversation that is handed on, as servers are told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, Handoff, SpawnConfig, ToolCall
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.ports import CompletionResponse, StopReason, TokenUsage

from ..agent.staff import member
from ..waiting import BOUND
from .provider import Asked, Provider, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import LlmDriver

TRANSFER = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("t1", "transfer_to_billing", {}),), TokenUsage(7, 3))

DRIVERS: dict[str, Callable[[Provider], LlmDriver]] = {
    "chat": lambda server: OpenAIDriver("m", base_url=server.url, api_key="k"),
    "responses": lambda server: OpenAIDriver("m", base_url=server.url, api_key="k", api="responses"),
    "anthropic": lambda server: AnthropicDriver("m", base_url=server.root, api_key="k"),
}


def handed_on(kind: str, other: str) -> list[dict[str, Any]]:
    """What the servers of both were asked, when *kind* hands on to *other*."""
    asked: list[dict[str, Any]] = []

    def answer(request: Asked) -> Any:
        asked.append(request.body)
        return say(TRANSFER if len(asked) == 1 else "paid", request)

    with Provider(answer) as server:
        DRIVER.append(DRIVERS[other](server))
        billing = member("billing", model={"driver": "tests.drivers.test_handed_on:other_driver"})
        config = SpawnConfig(member("triage"), "refund me", handoffs=[Handoff(billing)], stream=False)
        with AgentPool(DRIVERS[kind](server)) as pool:
            outcome = pool.spawn(config).outcome(BOUND)
    DRIVER.clear()
    assert (outcome.unwrap().text, outcome.answered_by) == ("paid", "billing")
    return asked


DRIVER: list[Any] = []


def other_driver(_: Any) -> Any:
    """The driver of the one that goes on."""
    return DRIVER[-1]


@pytest.mark.parametrize("other", DRIVERS)
@pytest.mark.parametrize("kind", DRIVERS)
def test_from_any_to_any(kind: str, other: str) -> None:
    """Each is told the whole conversation in its own words; a call has its result."""
    _, second = handed_on(kind, other)
    said = "billing goes on"
    if other == "anthropic":
        assert second["system"] == "I am billing."
        _, call, result = second["messages"]
        assert (call["content"][0]["type"], call["content"][0]["name"]) == ("tool_use", "transfer_to_billing")
        assert result["content"][0]["tool_use_id"] == call["content"][0]["id"]
        assert said in str(result["content"][0]["content"])
    elif other == "chat":
        system, query, call, result = second["messages"]
        assert (system["content"], query["content"]) == ("I am billing.", "refund me")
        assert result["tool_call_id"] == call["tool_calls"][0]["id"]
        assert said in result["content"]
    else:
        assert second["instructions"] == "I am billing."
        calls = [item for item in second["input"] if item.get("type") == "function_call"]
        results = [item for item in second["input"] if item.get("type") == "function_call_output"]
        assert [item["call_id"] for item in calls] == [item["call_id"] for item in results]
        assert said in results[0]["output"]


def test_messages_without_tools_that_tell_of_calls() -> None:
    """Anthropic refuses them: what was called is named, and may not be called any more."""
    first, second = handed_on("anthropic", "anthropic")
    assert [tool["name"] for tool in first["tools"]] == ["transfer_to_billing"]
    assert [tool["name"] for tool in second["tools"]] == ["transfer_to_billing"]
    assert second["tool_choice"] == {"type": "none"}
    assert "tools" not in handed_on("chat", "chat")[1]
