"""Agents of servers that insist on something: each answers with an error until it gets what it wants."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentOutcome,
    AgentPool,
    AssistantMessage,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    ContextOverflow,
    Deadline,
    RoutingDriver,
    SpawnConfig,
    ToolCall,
    ToolDefinition,
    ToolRegistry,
    UserMessage,
    tool,
)
from actors.agent.assembly.llm_agent import AgentLoopResult
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.drivers.remote import RemoteDriver
from actors.ports import StopReason, TokenUsage
from tests.drivers.provider import Answer, Asked, Provider, failure, reply

acted: list[str] = []


@tool
def look(place: str = "/") -> str:
    """Look at a place."""
    acted.append(place)
    return f"saw {place}"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    acted.clear()


def ask(driver: Any, query: str = "q", **config: Any) -> AgentOutcome:
    """One agent that may look."""
    with AgentPool(driver, tools=ToolRegistry([look])) as pool:
        return pool.spawn(SpawnConfig(AgentManifest(name="a"), query, **config)).outcome(30)


def chat(message: dict[str, Any], finish: str = "stop") -> Answer:
    return reply({"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]})


def calling(id_: str = "call_1", arguments: str = '{"place": "/tmp"}', **more: Any) -> list[dict[str, Any]]:
    return [{"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}, **more}]


def assistant(asked: Asked) -> dict[str, Any] | None:
    return next((turn for turn in asked.body["messages"] if turn["role"] == "assistant"), None)


SIGNED = {"google": {"thought_signature": "S=="}}


def gemini(asked: Asked) -> Answer:
    said = assistant(asked)
    if said is None:
        return chat({"content": None, "tool_calls": calling(extra_content=SIGNED)}, "tool_calls")
    if said["tool_calls"][0].get("extra_content") != SIGNED:
        return reply([{"error": {"code": 400, "message": "Function call is missing a thought_signature"}}], 400)
    return chat({"content": "done"})


def thinking(asked: Asked) -> Answer:
    said = assistant(asked)
    if said is None:
        thoughts = {"reasoning_content": "hm"}
        return chat({"content": "", **thoughts, "tool_calls": calling()}, "tool_calls")
    if said.get("reasoning_content") != "hm":
        return failure(400, "The reasoning_content in the thinking mode must be passed back to the API.")
    return chat({"content": "done", "reasoning_content": "so"})


def mistral(asked: Asked) -> Answer:
    roles = [turn["role"] for turn in asked.body["messages"]]
    for before, after in itertools.pairwise(roles):
        if (before, after) == ("tool", "user") or before == after != "tool":
            return failure(400, f"Unexpected role '{after}' after role '{before}'", "invalid_request_message_order")
    for turn in asked.body["messages"]:
        for id_ in [call["id"] for call in turn.get("tool_calls", ())] + [turn.get("tool_call_id", "a" * 9)]:
            if not re.fullmatch("[A-Za-z0-9]{9}", id_):
                return failure(400, f"Tool call id was {id_} but must be a-z, A-Z, 0-9, with a length of 9.")
    if assistant(asked) is None:
        return chat({"content": "", "tool_calls": calling("ABCdef123")}, "tool_calls")
    return chat({"content": "done"})


@pytest.mark.parametrize(
    ("server", "profile"),
    [
        (gemini, "gemini"),
        (gemini, None),
        (thinking, "deepseek"),
        (thinking, "kimi"),
        (thinking, None),
        (mistral, "mistral"),
        (mistral, None),
    ],
)
def test_a_server_gets_back_what_it_needs(server: Callable[[Asked], Answer], profile: str | None) -> None:
    """Known or not: the agent acts once, and answers."""
    with Provider(server) as provider:
        outcome = ask(OpenAIDriver("m", base_url=provider.url, profile=profile))  # type: ignore[arg-type]
    assert outcome.status == "completed", outcome.error
    assert outcome.unwrap().text == "done"
    assert acted == ["/tmp"]


def test_the_thoughts_of_the_answer_are_told() -> None:
    """Beside it, and not as the answer."""
    with Provider(thinking) as provider:
        result = ask(OpenAIDriver("m", base_url=provider.url)).unwrap()
    assert (result.text, result.reasoning) == ("done", "so")
    assert [getattr(message, "reasoning", "") for message in result.messages] == ["", "hm", "", "so"]


@pytest.mark.parametrize("profile", ["mistral", None])
def test_a_message_to_a_running_agent(profile: str | None) -> None:
    """Comes after the result of a tool, in an order that the server takes."""

    @tool(name="look")
    def told(place: str, agent: Any) -> str:
        """Look, while somebody sends a message."""
        agent.send(agent.agent_id, "hurry")
        return place

    with Provider(mistral) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, profile=profile)  # type: ignore[arg-type]
        with AgentPool(driver, tools=ToolRegistry([told])) as pool:
            assert pool.spawn(SpawnConfig(AgentManifest(name="a"), "q")).outcome(30).unwrap().text == "done"
    assert "hurry" in json.dumps(provider.asked[-1].body)


def test_a_route_that_changes_with_calls_of_another_server() -> None:
    """Their ids, and what belongs to them alone, do not reach it."""

    def first(asked: Asked) -> Answer:
        if assistant(asked) is None:
            extra = {"extra_content": SIGNED}
            return chat({"content": None, "tool_calls": calling("functions.look:0", **extra)}, "tool_calls")
        return failure(503, "gone")

    def second(asked: Asked) -> Answer:
        blocks = [block for turn in asked.body["messages"] for block in turn["content"]]
        ids = [block.get("id") or block.get("tool_use_id") for block in blocks if block["type"] != "text"]
        if len(ids) != 2 or len(set(ids)) != 1 or not re.fullmatch(r"[a-zA-Z0-9_-]+", ids[0]) or "S==" in str(blocks):
            return failure(400, f"String should match pattern: {ids}", "invalid_request_error")
        return reply({"type": "message", "content": [{"type": "text", "text": "done"}], "stop_reason": "end_turn"})

    with Provider(first) as one, Provider(second) as other:
        drivers = [OpenAIDriver("m", base_url=one.url), AnthropicDriver("m", base_url=other.root)]
        outcome = ask(RoutingDriver(*drivers))
    assert outcome.unwrap().text == "done"


# What a request asks for ------------------------------------------------------------------------------------------


def strict(window: int) -> Callable[[Asked], Answer]:
    """Question and answer have to fit together, by the server's own count."""

    def server(asked: Asked) -> Answer:
        read = len(json.dumps(asked.body["messages"])) // 2
        limit = asked.body.get("max_tokens") or asked.body["max_completion_tokens"]
        if read + limit > window:
            return failure(
                400,
                f"This model's maximum context length is {window} tokens. However, you requested {read + limit} tokens "
                f"({read} in the messages, {limit} in the completion).",
                "context_length_exceeded",
            )
        return chat({"content": "done"})

    return server


def test_a_window_that_question_and_answer_share() -> None:
    """The default manifest asks for an answer as long as this window."""
    with Provider(strict(4096)) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, context_window=4096)
        assert ask(driver).unwrap().text == "done"
        assert ask(driver, "word " * 1000).unwrap().text == "done"
    assert all(asked.body["max_tokens"] > 1000 for asked in provider.asked)


def test_a_question_that_is_too_long_by_itself() -> None:
    """Is told with the server's numbers, and asked once."""
    with Provider(strict(300)) as provider:
        with pytest.raises(ContextOverflow) as caught:
            OpenAIDriver("m", base_url=provider.url).complete(
                CompletionRequest((UserMessage("word " * 400),), max_tokens=20), cancel=CancelToken(Deadline.after(20))
            )
        assert caught.value.available == 300
        assert len(provider.asked) == 1


def test_a_field_of_another_name() -> None:
    """Is tried once, and remembered."""

    def server(asked: Asked) -> Answer:
        if "max_tokens" in asked.body:
            return failure(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "invalid_request_error",
            )
        return chat({"content": "done"}) if asked.body["max_completion_tokens"] else failure(400, "no")

    with Provider(server) as provider:
        driver = OpenAIDriver("m", base_url=provider.url)
        assert [ask(driver).unwrap().text for _ in range(2)] == ["done", "done"]
    assert ["max_tokens" in asked.body for asked in provider.asked] == [True, False, False]


def test_options_win() -> None:
    """And can leave a field out, of both protocols."""
    with Provider(["done"]) as provider:
        for kind, url in ((OpenAIDriver, provider.url), (AnthropicDriver, provider.root)):
            driver: RemoteDriver = kind("m", base_url=url, options={"temperature": None, "max_tokens": 7, "seed": 3})
            driver.complete(CompletionRequest((UserMessage("q"),)), cancel=CancelToken(Deadline.after(20)))
            driver.close_idle()
    for asked in provider.asked:
        assert "temperature" not in asked.body
        assert (asked.body["max_tokens"], asked.body["seed"]) == (7, 3)


def test_an_option_that_a_server_refuses_is_told() -> None:
    """It is the user's own: it is not left out in silence, and not asked for again and again."""
    with Provider([failure(400, "Unsupported parameter: 'temperature'")]) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, options={"temperature": 2.0})
        outcome = ask(driver)
    assert "temperature" in str(outcome.error)
    assert len(provider.asked) <= 2


BAD = ToolDefinition("bad", "Bad.", {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}})


def test_a_tool_without_arguments_is_told_so() -> None:
    """A schema of an object without properties is refused by some, with the whole request."""
    request = CompletionRequest((UserMessage("q"),), (ToolDefinition("t", "T.", {"type": "object"}),))
    with Provider(["done"]) as provider:
        for kind, url in ((OpenAIDriver, provider.url), (AnthropicDriver, provider.root)):
            driver: RemoteDriver = kind("m", base_url=url)
            driver.complete(request, cancel=CancelToken(Deadline.after(20)))
            driver.close_idle()
    chat_tool, message_tool = (asked.body["tools"][0] for asked in provider.asked)
    assert chat_tool["function"]["parameters"] == {"type": "object", "properties": {}}
    assert message_tool["input_schema"]["type"] == "object"


# What is not an answer --------------------------------------------------------------------------------------------


def test_a_call_that_was_cut_off_is_not_run() -> None:
    """Not with the defaults of its arguments either; the model hears of it."""

    def server(asked: Asked) -> Answer:
        if assistant(asked) is None:
            return chat({"content": None, "tool_calls": calling(arguments="")}, "length")
        result = next(turn for turn in asked.body["messages"] if turn["role"] == "tool")
        return chat({"content": "done" if "reached its limit" in result["content"] else "wrong"})

    with Provider(server) as provider:
        outcome = ask(OpenAIDriver("m", base_url=provider.url))
    assert outcome.unwrap().text == "done"
    assert acted == []


def test_calls_that_are_always_cut_off_end_an_agent() -> None:
    """It would ask for ever."""
    with Provider([chat({"content": None, "tool_calls": calling(arguments="")}, "length")]) as provider:
        outcome = ask(OpenAIDriver("m", base_url=provider.url))
    assert outcome.status == "failed"
    assert "cut off by max_tokens" in str(outcome.error)


def test_an_empty_answer_is_asked_for_once_more() -> None:
    """And can be told from an answer."""
    with Provider([chat({"content": ""}), chat({"content": "done"})]) as provider:
        result = ask(OpenAIDriver("m", base_url=provider.url)).unwrap()
    assert (result.text, result.is_empty, len(provider.asked)) == ("done", False, 2)
    assert len(provider.asked[1].body["messages"]) == len(provider.asked[0].body["messages"])
    with Provider([chat({"content": None})]) as provider:
        result = ask(OpenAIDriver("m", base_url=provider.url)).unwrap()
    assert (result.text, result.is_empty, len(provider.asked)) == ("", True, 2)


def test_an_empty_answer_after_a_tool_has_acted() -> None:
    """Stands: who asks again might act again."""
    acting = chat({"content": None, "tool_calls": calling()}, "tool_calls")
    with Provider([acting, chat({"content": ""})]) as provider:
        result = ask(OpenAIDriver("m", base_url=provider.url)).unwrap()
    assert isinstance(result, AgentLoopResult)
    assert (result.is_empty, len(provider.asked)) == (True, 2)


def test_a_refusal_of_the_rate_inside_an_answer() -> None:
    """Reaches the limiter as if it had been the status."""
    limited = reply({"error": {"code": 429, "message": "slowly", "type": "rate_limit_error"}}, retry_after="0.01")
    with Provider([limited, chat({"content": "done"})]) as provider:
        driver = OpenAIDriver("m", base_url=provider.url)
        before = driver.limiter.stats().refused
        assert ask(driver).unwrap().text == "done"
        assert driver.limiter.stats().refused == before + 1


def test_thoughts_are_kept_from_a_typed_answer() -> None:
    """Only the answer has to be JSON."""
    with Provider([chat({"content": "<think>\nhm, {}\n</think>\n[1, 2]"})]) as provider:
        outcome = ask(OpenAIDriver("m", base_url=provider.url), output_type=list[int])
    assert outcome.unwrap() == [1, 2]
    assert len(provider.asked) == 1


def test_a_message_goes_through_json_with_what_is_attached() -> None:
    """So that a stored conversation goes on."""
    from pydantic import TypeAdapter

    from actors.ports import AssistantMessage, Attachment

    kept = Attachment("me", {"reasoning_content": "hm"})
    said = AssistantMessage("x", (ToolCall("1", "f", {"a": 1}, "", kept),), "hm", kept)
    adapter = TypeAdapter(AssistantMessage)
    again = adapter.validate_json(adapter.dump_json(said))
    assert (again.attachment, again.reasoning, again.tool_calls[0].attachment) == (kept, "hm", kept)


def test_any_driver_may_cut_a_call() -> None:
    """The guard counts answers of which nothing can be used."""
    response = CompletionResponse("", StopReason.MAX_TOKENS, (ToolCall("1", "look", {}, "cut off"),), TokenUsage(1, 1))
    from actors import FunctionDriver

    outcome = ask(FunctionDriver(lambda _: response))
    assert outcome.status == "failed"
    assert acted == []


def test_a_paused_answer_goes_back_as_it_is() -> None:
    """Nobody says a word between; the answer is what was said before and after."""
    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}

    def server(asked: Asked) -> Answer:
        said = assistant(asked)
        if said is None:
            content = [{"type": "text", "text": "I look. "}, used]
            return reply({"type": "message", "content": content, "stop_reason": "pause_turn"})
        if asked.body["messages"][-1] is not said or said["content"][-1] != used:
            return failure(400, "server_tool_use ids were found without a result", "invalid_request_error")
        return reply({"type": "message", "content": [{"type": "text", "text": "done"}], "stop_reason": "end_turn"})

    with Provider(server) as provider:
        outcome = ask(AnthropicDriver("m", base_url=provider.root))
    assert outcome.unwrap().text == "I look. done"


def test_a_call_without_a_result_has_one() -> None:
    """Of a conversation that was given, and broke off: servers refuse it as it is."""

    begun = AssistantMessage("", (ToolCall("c1", "look", {}), ToolCall("c2", "look", {})))
    with Provider(["done"]) as provider:
        for kind, url in ((OpenAIDriver, provider.url), (AnthropicDriver, provider.root)):
            assert ask(kind("m", base_url=url), messages=(UserMessage("a"), begun)).unwrap().text == "done"
    for asked in provider.asked:
        assert str(asked.body["messages"]).count("This call was not run.") == 2
