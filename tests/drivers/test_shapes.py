"""Answers of servers, one file a shape: its bytes, and what an agent has to see of them.

A file of ``shapes/`` begins with TOML: ``title``, ``source`` (where the shape is known from), ``dialect`` (``openai``,
``responses`` or ``anthropic``), ``profile``, and the table
``see``: ``text``, ``reasoning``, ``stop``, ``paused``, ``calls`` (name,
arguments, and the words of the problem if there is one), ``read`` and ``written`` (tokens), ``cached``,
``cache_write`` and ``thought`` (those of them), ``told`` (the text that a reader of the stream is told), or ``error``
and its ``words``; ``back`` and ``call_back`` are what goes back with the message, or with its first call. Below the
line ``---`` stand the bytes. Who meets a new server adds a file.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from actors import (
    AssistantMessage,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    Deadline,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.edge.answer import Answer, Asked
from actors.drivers.edge.chat_answer import ChatAnswer
from actors.drivers.edge.message_answer import MessageAnswer
from actors.drivers.edge.names import ToolNames
from actors.drivers.edge.reading import Reading
from actors.drivers.edge.responses_answer import ResponsesAnswer
from actors.drivers.openai import OpenAIDriver
from tests.drivers.provider import Provider, Reply

SHAPES = sorted((Path(__file__).parent / "shapes").glob("*.txt"))
ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "openai": ChatAnswer,
    "responses": ResponsesAnswer,
    "anthropic": MessageAnswer,
}
WIPE = ToolDefinition("wipe", "Wipes.", {"type": "object", "properties": {"path": {"type": "string"}}})
ASK = CompletionRequest((UserMessage("q"),), (WIPE,), max_tokens=50)


@dataclass
class Shape:
    """One file."""

    head: dict[str, Any]
    body: bytes

    @classmethod
    def of(cls, path: Path) -> Shape:
        """Read it."""
        head, _, body = path.read_bytes().partition(b"\n---\n")
        return cls(tomllib.loads(head.decode()), body)

    @property
    def see(self) -> dict[str, Any]:
        """What has to be seen."""
        return self.head["see"]  # type: ignore[no-any-return]

    def check(self, response: CompletionResponse) -> None:
        """Is it what has to be seen?"""
        see = self.see
        seen = {
            "text": response.text,
            "reasoning": response.reasoning,
            "stop": str(response.stop_reason),
            "paused": response.is_paused,
            "read": response.usage.input_tokens,
            "written": response.usage.output_tokens,
            "cached": response.usage.cached_input_tokens,
            "cache_write": response.usage.cache_write_tokens,
            "thought": response.usage.reasoning_tokens,
        }
        assert {name: value for name, value in seen.items() if name in see} == {
            name: value for name, value in see.items() if name in seen
        }
        calls = [json.loads(call) for call in see.get("calls", ())]
        assert [[call.name, dict(call.input)] for call in response.tool_calls] == [call[:2] for call in calls]
        for call, expected in zip(response.tool_calls, calls, strict=True):
            problem = expected[2] if len(expected) > 2 else ""
            assert problem in call.problem
            assert bool(problem) == bool(call.problem)
        assert len({call.id for call in response.tool_calls}) == len(calls)


@pytest.fixture(params=SHAPES, ids=lambda path: path.stem)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Each of them."""
    return Shape.of(request.param)


def driver_of(shape: Shape, provider: Provider) -> Any:
    """A driver of its dialect."""
    if shape.head["dialect"] == "anthropic":
        return AnthropicDriver("m", base_url=provider.root)
    api = "responses" if shape.head["dialect"] == "responses" else "chat"
    return OpenAIDriver("m", base_url=provider.url, profile=shape.head.get("profile"), api=api)


def test_what_an_agent_sees(shape: Shape) -> None:
    """Over loopback, streamed and not; and what goes back with the next request."""
    kind = "application/json" if shape.body[:1] in (b"{", b"<", b"") else "text/event-stream"
    plain = Reply([json.dumps({"choices": []}).encode()])
    answer = Reply([shape.body] if shape.body else [], content_type=kind)
    with Provider(lambda asked: answer if len(_turns(asked.body)) < 2 else plain) as provider:
        driver = driver_of(shape, provider)
        told: list[Any] = []
        asks = [
            lambda: driver.stream(ASK, told.append, cancel=CancelToken(Deadline.after(20))),
            lambda: driver.complete(ASK, cancel=CancelToken(Deadline.after(20))),
        ]
        for ask in asks:
            if "error" in shape.see:
                with pytest.raises(Exception, match=shape.see.get("words", ".")) as caught:
                    ask()
                assert type(caught.value).__name__ == shape.see["error"]
                continue
            response = ask()
            shape.check(response)
        if "error" not in shape.see:
            assert "".join(event.text for event in told) == shape.see.get("told", response.text)
            _goes_back(shape, driver, provider, response)
        driver.close_idle()


def _turns(body: dict[str, Any]) -> list[Any]:
    """The conversation of a request."""
    return body["input"] if "input" in body else body["messages"]


def _goes_back(shape: Shape, driver: Any, provider: Provider, response: CompletionResponse) -> None:
    said = AssistantMessage(response.text, response.tool_calls, response.reasoning, response.attachment)
    if not (said.content or said.tool_calls or said.attachment):
        return  # nothing does
    results = [ToolResultMessage(call.id, "done") for call in response.tool_calls]
    request = CompletionRequest((UserMessage("q"), said, *(results or [UserMessage("and?")])), (WIPE,), max_tokens=50)
    with pytest.raises(Exception):  # the answer is of no interest
        driver.complete(request, cancel=CancelToken(Deadline.after(20)))
    back, call_back = shape.see.get("back"), shape.see.get("call_back")
    if shape.head["dialect"] == "responses":
        if back is not None:
            assert _turns(provider.asked[-1].body)[1 : -len(results or [1])] == json.loads(back)
        return
    sent = _turns(provider.asked[-1].body)[1]
    if shape.head["dialect"] == "anthropic":
        if back is not None:
            assert sent["content"] == json.loads(back)
        return
    own = {name: value for name, value in sent.items() if name not in ("role", "content", "tool_calls")}
    assert own == (json.loads(back) if back is not None else {})
    calls = [
        {n: v for n, v in call.items() if n not in ("id", "type", "function")} for call in sent.get("tool_calls", ())
    ]
    assert calls == ([json.loads(call_back)] if call_back is not None else [{}] * len(calls))


def read(shape: Shape, cuts: list[int]) -> tuple[CompletionResponse | str, str]:
    """What becomes of its bytes, cut at *cuts*; and what was told."""
    asked = Asked(ToolNames(["wipe"]), 10, "test", 99)
    answer = ANSWERS[shape.head["dialect"]](asked)
    reading = Reading(answer)
    places = [0, *sorted(cuts), len(shape.body)]
    told = []
    try:
        for begin, end in itertools.pairwise(places):
            told.append(reading.take(shape.body[begin:end]))
        told.append(reading.end())
        return answer.response(), "".join(told)
    except Exception as error:
        return f"{type(error).__name__}: {error}", ""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cut_gives_the_same(shape: Shape, data: st.DataObject) -> None:
    """However the network cuts the bytes."""
    places = st.integers(0, len(shape.body))
    cuts = data.draw(st.lists(places, max_size=12))
    assert read(shape, cuts) == read(shape, [])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pieces_give_the_same(shape: Shape, size: int) -> None:
    """Down to single bytes."""
    assert read(shape, list(range(0, len(shape.body), size))) == read(shape, [])
