"""Shapes of more servers, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from actors import (
    AssistantMessage,
    CancelToken,
    CompletionRequest,
    Deadline,
    SystemMessage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from actors.drivers.edge.overflow import Overflow, overflow_in
from actors.drivers.edge.refusals import Refusal
from actors.drivers.edge.refused_fields import unknown_fields
from actors.drivers.edge.thoughts import split_thoughts
from actors.drivers.openai import OpenAIDriver
from actors.ports import Message
from actors.tools.docstring import Docstring
from tests.drivers.provider import Provider


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("profile", ["openai", "careful"])
@pytest.mark.parametrize("value", [7, None])
def test_the_users_own_bound_is_the_only_one(name: str, profile: Any, value: int | None) -> None:
    """Servers refuse both names together."""
    with Provider(["done"]) as provider:
        driver = OpenAIDriver("m", base_url=provider.url, profile=profile, options={name: value})
        driver.complete(CompletionRequest((UserMessage("q"),)), cancel=CancelToken(Deadline.after(20)))
        driver.close_idle()
    sent = {name: value for name, value in provider.asked[0].body.items() if name.startswith("max")}
    assert sent == ({} if value is None else {name: value})


def test_an_answer_without_a_word_does_not_go_back() -> None:
    """Mistral and others refuse it."""
    with Provider(["done"]) as provider:
        driver = OpenAIDriver("m", base_url=provider.url)
        asked = CompletionRequest((UserMessage("q"), AssistantMessage(""), UserMessage("go on")))
        driver.complete(asked, cancel=CancelToken(Deadline.after(20)))
        driver.close_idle()
    assert provider.asked[0].body["messages"] == [{"role": "user", "content": "q\n\ngo on"}]


def test_messages_go_through_json_as_what_they_are() -> None:
    """What a user said does not become an instruction."""
    said: list[Message] = [
        SystemMessage("s"),
        UserMessage("u"),
        AssistantMessage("a", (ToolCall("1", "f", {"a": 1}),)),
        ToolResultMessage("1", "r", is_error=True),
    ]
    adapter: TypeAdapter[list[Message]] = TypeAdapter(list[Message])
    again = adapter.validate_json(adapter.dump_json(said))
    assert [type(message) for message in again] == [type(message) for message in said]
    assert [message.content for message in again if not isinstance(message, ToolResultMessage)] == ["s", "u", "a"]
    assert adapter.validate_python(said) == said
    assert [one["role"] for one in json.loads(adapter.dump_json(said))] == ["system", "user", "assistant", "tool"]
    with pytest.raises(ValidationError, match="whose words these are is not guessed"):
        adapter.validate_json('[{"content": "of before"}]')


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("[First, look.] So:\n</think>\n[1]", "[First, look.] So:", "[1]"),
        ('He said "hi"</think>Hi', 'He said "hi"', "Hi"),
        ("a `b</think>Hi", "a `b", "Hi"),
        ("a[/THINK]Hi", "a", "Hi"),
        ('["</think>"]', "", '["</think>"]'),
        ('say "</think>" at the end', "", 'say "</think>" at the end'),
        ("write `</think>` there", "", "write `</think>` there"),
    ],
)
def test_a_closing_mark_alone(text: str, thoughts: str, answer: str) -> None:
    """Ends thoughts of any kind; unless it is quoted, or stands in JSON."""
    assert split_thoughts(text) == (thoughts, answer)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("`temperature` may only be set to 1 when thinking is enabled.", "temperature"),
        ("invalid temperature: only 1 is allowed for this model", "temperature"),
        ("This response_format type is unavailable now", "response_format"),
        ("This model does not support response format `json_schema`. See supported models at x", "response_format"),
        ("Function calling with a response mime type: 'application/json' is unsupported", "response_format"),
        ("response_format value as json_schema is enabled only for api versions x and later", "response_format"),
        ("Cannot use custom grammar constraints with tools.", "response_format"),
    ],
)
def test_fields_that_are_refused_in_other_words(words: str, field: str) -> None:
    """Claude with thinking, Kimi, DeepSeek, Groq, Gemini, Azure, llama.cpp."""
    assert unknown_fields(words, {"model", "temperature", "response_format", "tools"}) == {field}


@pytest.mark.parametrize(
    ("words", "needed", "available"),
    [
        (
            "Requested generation length 4096 is not possible! The provided prompt is 17 tokens long, so generating "
            "4096 tokens requires a sequence length of 4113, but the maximum supported sequence length is just 4096!",
            4113,
            4096,
        ),
        ("the input token count is 40000 but model only supports up to 32768. Reduce it.", 40000, 32768),
        ("length of prompt_tokens (9010) must be less than max_seq_len (8192)", 9010, 8192),
        (
            "The estimated number of input and maximum output tokens (5096) exceeded this model context window limit "
            "(4096).",
            5096,
            4096,
        ),
        ("Prompt 超长", None, None),
    ],
)
def test_too_long_in_more_words(words: str, needed: int | None, available: int | None) -> None:
    """SambaNova, Vertex, Fireworks, Cloudflare, Zhipu."""
    assert overflow_in(words, "") == Overflow(needed, available)


@pytest.mark.parametrize(
    ("words", "hopeless"),
    [
        ("Your request of 51000 tokens exceeds the limit of 30000 tokens per minute", True),
        ("This request requires 51,000 tokens, but your limit is 30,000 tokens per minute", True),
        ("Prompt tokens limit exceeded: 51000 > 30000.", True),
        ("Your request of 3000 tokens exceeds the limit of 30000 tokens per minute", False),
        ("Limit 30000 tokens, Used 29000, Requested 5000. Please try again in 8s.", False),
    ],
)
def test_a_request_that_is_larger_than_its_limit(words: str, hopeless: bool) -> None:
    """Is not asked again."""
    assert (Refusal.of(429, {}, {"error": {"message": words}}).hopeless is not None) is hopeless


def test_stars_that_are_escaped() -> None:
    """Name a parameter of their own."""
    read = Docstring.parse("Do.\n\nArgs:\n    x: the x\n    \\*\\*kw: more")
    assert read.parameters == {"x": "the x", "kw": "more"}
