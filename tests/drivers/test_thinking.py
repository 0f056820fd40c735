"""How Anthropic's models are told to think, and what goes back of their thoughts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from actors import (
    AssistantMessage,
    Attachment,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    Deadline,
    InferenceFailed,
    Message,
    ModelSettings,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from actors.agent.context_window import ContextWindow
from actors.drivers.anthropic import AnthropicDriver
from tests.drivers.provider import Asked, Provider, Reply, failure, reply

FIND = ToolDefinition("find", "Finds.", {"type": "object", "properties": {"q": {"type": "string"}}})
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "Sig=="}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "a"}}


def whole(*content: dict[str, Any]) -> Reply:
    """A whole answer."""
    body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content}
    return reply({**body, "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 3}})


@pytest.fixture
def connect() -> Iterator[Callable[..., AnthropicDriver]]:
    """``connect(provider)`` makes a driver; its connections are closed at the end."""
    made: list[AnthropicDriver] = []

    def make(provider: Provider, **options: Any) -> AnthropicDriver:
        made.append(AnthropicDriver("m", base_url=provider.root, api_key="k", **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close_idle()


def request(*messages: Message, **settings: Any) -> CompletionRequest:
    """A question with *settings*; thoughts are asked for unless they say otherwise."""
    most = settings.pop("most", 4096)
    given = ModelSettings(**{"reasoning_effort": "medium", **settings})
    return CompletionRequest(messages or (UserMessage("q"),), (FIND,), max_tokens=most, settings=given)


def ask(driver: AnthropicDriver, asked: CompletionRequest) -> CompletionResponse:
    """Ask once."""
    return driver.complete(asked, cancel=CancelToken(Deadline.after(20)))


def said(response: CompletionResponse) -> AssistantMessage:
    """The answer as a message."""
    return AssistantMessage(response.text, response.tool_calls, response.reasoning, response.attachment)


@pytest.mark.parametrize(
    ("effort", "most", "budget"),
    [
        ("minimal", 20_000, 2000),
        ("low", 4096, 1024),
        ("medium", 4096, 2048),
        ("high", 10_000, 8000),
        ("xhigh", 1025, 1024),
    ],
)
def test_an_effort_is_a_share_of_the_answer(
    connect: Callable[..., AnthropicDriver], effort: str, most: int, budget: int
) -> None:
    """Of at least 1,024 tokens, and below the limit; no temperature is sent."""
    with Provider(lambda _: whole({"type": "text", "text": "ok"})) as provider:
        ask(connect(provider), request(reasoning_effort=effort, most=most))
    body = provider.asked[0].body
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] == most
    assert "temperature" not in body


def test_no_effort(connect: Callable[..., AnthropicDriver]) -> None:
    """Turns thoughts off, and leaves the temperature."""
    with Provider(lambda _: whole({"type": "text", "text": "ok"})) as provider:
        ask(connect(provider), request(reasoning_effort="none"))
    assert provider.asked[0].body["thinking"] == {"type": "disabled"}
    assert provider.asked[0].body["temperature"] == 0.3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"most": 1024}, "max_tokens above 1024"),
        ({"top_p": 0.5}, "top_p from 0.95"),
        ({"tool_choice": "required"}, "tool_choice 'auto' or 'none'"),
        ({"tool_choice": "find"}, "tool_choice 'auto' or 'none'"),
    ],
)
def test_what_does_not_go_together(connect: Callable[..., AnthropicDriver], more: Any, words: str) -> None:
    """Is refused by name, and nothing is sent."""
    with Provider([whole()]) as provider, pytest.raises(InferenceFailed, match=f"nothing was sent.*{words}"):
        ask(connect(provider), request(**more))
    assert provider.asked == []


@pytest.mark.parametrize("thoughts", [(THOUGHT,), (HIDDEN,), (THOUGHT, HIDDEN)], ids=["said", "hidden", "both"])
def test_thoughts_go_back_before_their_call(
    connect: Callable[..., AnthropicDriver], thoughts: Sequence[dict[str, Any]]
) -> None:
    """Unchanged, in their order, and the model goes on to think."""
    with Provider(lambda asked: whole(*thoughts, CALL)) as provider:
        driver = connect(provider)
        first = said(ask(driver, request()))
        ask(driver, request(UserMessage("q"), first, ToolResultMessage("toolu_1", "found")))
    body = provider.asked[1].body
    assert body["messages"][1]["content"] == [*thoughts, CALL]
    assert body["thinking"]["type"] == "enabled"


def test_thoughts_that_nothing_followed(connect: Callable[..., AnthropicDriver]) -> None:
    """Do not go back: no answer may end with them."""
    with Provider(lambda asked: whole(THOUGHT, {"type": "text", "text": "So."}, THOUGHT)) as provider:
        driver = connect(provider)
        first = said(ask(driver, request()))
        ask(driver, request(UserMessage("q"), first, UserMessage("and?")))
    assert provider.asked[1].body["messages"][1]["content"] == [THOUGHT, {"type": "text", "text": "So."}]


def test_within_the_turn_of_another_model(connect: Callable[..., AnthropicDriver]) -> None:
    """Which called a tool without thoughts that can be shown, none are asked for; after the next words of a user they
    are.
    """
    others = AssistantMessage("", (ToolCall("c1", "find", {"q": "a"}),), attachment=Attachment("other", {"items": []}))
    turn = UserMessage("q"), others, ToolResultMessage("c1", "found")
    with Provider(lambda _: whole({"type": "text", "text": "ok"})) as provider:
        driver = connect(provider)
        ask(driver, request(*turn))
        ask(driver, request(*turn, UserMessage("Quick!")))
        ask(driver, request(*turn, AssistantMessage("So."), UserMessage("and?")))
    assert ["thinking" in asked.body for asked in provider.asked] == [False, False, True]


def test_a_model_that_chooses_itself(connect: Callable[..., AnthropicDriver]) -> None:
    """Says so once; then it is told an effort, beside the answer's type, and forced to nothing else."""
    words = '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"'

    def reply_to(asked: Asked) -> Reply:
        if asked.body["thinking"]["type"] == "enabled":
            return failure(400, words, "invalid_request_error")
        return whole({"type": "text", "text": "{}"})

    schema = {"type": "object", "properties": {}}
    question = CompletionRequest(
        (UserMessage("q"),), output_schema=schema, settings=ModelSettings(reasoning_effort="minimal")
    )
    with Provider(reply_to) as provider:
        driver = connect(provider)
        ask(driver, question)
        ask(driver, question)
    assert [asked.body["thinking"]["type"] for asked in provider.asked] == ["enabled", "adaptive", "adaptive"]
    assert provider.asked[-1].body["output_config"]["effort"] == "low"
    assert provider.asked[-1].body["output_config"]["format"]["type"] == "json_schema"


def test_a_model_that_does_not_choose(connect: Callable[..., AnthropicDriver]) -> None:
    """Is told a budget again."""

    def reply_to(asked: Asked) -> Reply:
        if asked.body["thinking"]["type"] == "adaptive":
            return failure(400, "adaptive thinking is not supported on this model", "invalid_request_error")
        return whole({"type": "text", "text": "ok"})

    with Provider(reply_to) as provider:
        driver = connect(provider)
        driver._writer.profile = replace(driver._writer.profile, thinking="adaptive")
        ask(driver, request())
    assert [asked.body["thinking"]["type"] for asked in provider.asked] == ["adaptive", "enabled"]


REFUSED = [
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
]


@pytest.mark.parametrize("words", REFUSED, ids=["signature", "modified"])
def test_thoughts_that_are_refused_are_left_out(connect: Callable[..., AnthropicDriver], words: str) -> None:
    """And within a turn that calls tools the model does not think on; the conversation does not end by it."""

    def reply_to(asked: Asked) -> Reply:
        if len(asked.body["messages"]) == 1:
            return whole(THOUGHT, CALL)
        refused = "signature" in json.dumps(asked.body)
        return failure(400, words, "invalid_request_error") if refused else whole({"type": "text", "text": "ok"})

    with Provider(reply_to) as provider:
        driver = connect(provider)
        first = said(ask(driver, request()))
        answer = ask(driver, request(UserMessage("q"), first, ToolResultMessage("toolu_1", "found")))
    assert answer.text == "ok"
    assert provider.asked[2].body["messages"][1]["content"] == [CALL]
    assert "thinking" not in provider.asked[2].body


@pytest.mark.parametrize("long", ["text", "input"])
def test_a_window_that_cuts_an_answer_drops_its_thoughts(connect: Callable[..., AnthropicDriver], long: str) -> None:
    """A signature holds for the answer as it was."""
    words, data = ("x " * 3000, "a") if long == "text" else ("short", "y " * 3000)
    content: list[dict[str, Any]] = [THOUGHT, {"type": "text", "text": words}, {**CALL, "input": {"q": data}}]
    with Provider(lambda asked: whole(*content)) as provider:
        driver = connect(provider)
        first = said(ask(driver, request()))
        query = UserMessage("q")
        messages: list[Message] = [query, first, ToolResultMessage("toolu_1", "found")]
        kept = ContextWindow(1000, 100).fit(messages, query)
        ask(driver, request(*kept))
    sent = provider.asked[1].body["messages"]
    assert "thinking" not in [block["type"] for turn in sent for block in turn["content"]]
    assert [block["type"] for block in sent[1]["content"]][-1] == "tool_use"
    assert "thinking" not in provider.asked[1].body
