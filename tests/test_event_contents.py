"""``events_with_content``: what was said, in the events of whoever asks for it, and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentPool,
    CompletionResponse,
    ImagePart,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolRegistry,
    tool,
)
from actors.core.supervision import agent_context, runner
from actors.core.supervision.admission import Admission
from actors.events import (
    AgentEnded,
    AgentStarted,
    CompletionFinished,
    CompletionStarted,
    Event,
    MessageRead,
    MessageSent,
    ToolEnded,
    ToolStarted,
)
from tests.contract.doubles import WAIT, doing, echo, manifest

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENTS = ("input", "text", "result")
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    + "1f15c4890000000d49444154789c6360000002000001e221bc33"
)


@tool
def count(words: list[str]) -> str:
    """Count words, and forget them."""
    told = f"{len(words)} words"
    words.clear()
    return told


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no luck")


def answers(*calls: ToolCall) -> ScriptedDriver:
    """A driver that asks for *calls*, and then says something."""
    script = [CompletionResponse("", StopReason.TOOL_USE, calls)] if calls else []
    return ScriptedDriver([*script, CompletionResponse("Two words.", StopReason.END_TURN)])


def told_by(run: Callable[[AgentPool], object], driver: Any = None, *, content: bool = True) -> list[Event]:
    """The events of what *run* does with a pool."""
    told: list[Event] = []
    tools = ToolRegistry([count, fail])
    with AgentPool(driver, tools=tools, on_event=told.append, events_with_content=content) as pool:
        run(pool)
    return told


def only(told: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in told if isinstance(event, kind)]


def ask(pool: AgentPool) -> None:
    config = SpawnConfig(manifest(), "How many?")
    pool.spawn(config).outcome(WAIT)


def test_a_run_with_a_call_tells_all_of_it() -> None:
    """The query, what the driver is asked and answers, arguments, what the model is told, and the result."""
    told = told_by(ask, answers(ToolCall("c1", "count", {"words": ["a", "b"]})))
    first, second = only(told, CompletionStarted)
    assert [message["role"] for message in first.input] == ["system", "user"]
    assert first.input[-1]["content"] == "How many?"
    assert [message["role"] for message in second.input] == ["system", "user", "assistant", "tool"]
    assert second.input[-1]["content"] == "2 words"
    assert second.input[-2]["tool_calls"][0]["input"] == {"words": ["a", "b"]}
    assert [event.text for event in only(told, CompletionFinished)] == ["", "Two words."]
    assert [event.input for event in only(told, ToolStarted)] == [{"words": ["a", "b"]}]
    assert [event.result for event in only(told, ToolEnded)] == ["2 words"]
    assert [event.input for event in only(told, AgentStarted)] == ["How many?"]
    assert [event.result for event in only(told, AgentEnded)] == ["Two words."]


def test_a_call_that_fails_tells_what_the_model_is_told() -> None:
    """The error's text, as it stands in the conversation."""
    told = told_by(ask, answers(ToolCall("c1", "fail", {})))
    (ended,) = only(told, ToolEnded)
    assert ended.is_error
    assert ended.result == "fail failed: ValueError: no luck"


def test_who_does_not_ask_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every such field is None, and nothing is copied for it."""

    def refuse(value: object) -> object:
        raise AssertionError(f"{value!r} was copied")

    monkeypatch.setattr(agent_context, "told_text", refuse)
    monkeypatch.setattr(runner, "told_value", refuse)
    monkeypatch.setitem(Admission.admit.__globals__, "told_value", refuse)
    told = told_by(ask, answers(ToolCall("c1", "count", {"words": ["a"]})), content=False)
    said = told_by(lambda pool: pool.spawn(doing(lambda agent, _: agent.send(0, "secret"))), content=False)
    fields = [getattr(event, name, None) for event in [*told, *said] for name in CONTENTS]
    assert [field for field in fields if field is not None] == ["Two words."]  # what streams is told as it comes


def test_messages_tell_their_text() -> None:
    """As a text; anything else as JSON."""

    def run(pool: AgentPool) -> None:
        reader = pool.spawn(doing(lambda agent, _: [agent.receive(WAIT) for _ in range(2)]))
        pool.spawn(doing(lambda agent, _: [agent.send(reader.id, "hello"), agent.send(reader.id, {"n": [1, None]})]))
        reader.outcome(WAIT)

    told = told_by(run)
    assert [event.text for event in only(told, MessageSent)] == ["hello", '{"n": [1, null]}']
    assert [event.text for event in only(told, MessageRead)] == ["hello", '{"n": [1, null]}']


@dataclass
class Place:
    """A result of a user's."""

    name: str
    near: list[str]


def test_what_is_told_is_a_copy() -> None:
    """That JSON can hold, and that nobody changes afterwards."""
    place = Place("Ulm", ["Blaubeuren"])
    told = told_by(lambda pool: pool.spawn(doing(lambda agent, _: place)).outcome(WAIT))
    place.near.clear()
    (ended,) = only(told, AgentEnded)
    assert ended.result == {"name": "Ulm", "near": ["Blaubeuren"]}


class Hostile:
    """Raises whatever is done with it."""

    def __repr__(self) -> str:
        raise SystemExit("repr")

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("dict")


@pytest.mark.parametrize(
    "value", [Hostile(), "\ud800", float("nan"), {1: object}, b"\0", [[]] * 3], ids=lambda value: type(value).__name__
)
def test_anything_can_be_told(value: Any) -> None:
    """As a query, a message and a result: it harms nobody, and JSON holds what is told."""

    def work(agent: Any, query: Any) -> Any:
        agent.send(0, query)
        return query

    told = told_by(lambda pool: pool.spawn(doing(work, query=value)).outcome(WAIT))
    (ended,) = only(told, AgentEnded)
    assert ended.status == "completed"
    assert json.dumps([getattr(event, name, None) for event in told for name in CONTENTS])


def test_bytes_of_an_image_are_not_told() -> None:
    """But what tells it from others."""
    picture = ImagePart(PIXEL, "image/png")
    driver = ScriptedDriver([CompletionResponse("A dot.")])
    told = told_by(lambda pool: pool.spawn(SpawnConfig(manifest(), ["What is it?", picture])).outcome(WAIT), driver)
    (started,), (agent,) = only(told, CompletionStarted), only(told, AgentStarted)
    text, image = started.input[-1]["content"]
    assert text["text"] == "What is it?"
    assert image == agent.input[1]
    assert image["digest"] == picture.digest
    assert "data" not in image


def test_messages_that_requests_share_are_told_once() -> None:
    """A long conversation does not take its square in memory."""
    told = told_by(ask, answers(ToolCall("c1", "count", {"words": []})))
    first, second = only(told, CompletionStarted)
    assert first.input[-1] is second.input[1]


def test_a_reader_of_a_handle_has_them_too() -> None:
    """However late it comes."""
    with AgentPool(events_with_content=True) as pool:
        handle = pool.spawn(echo("hello"))
        handle.outcome(WAIT)
        started, *_, ended = handle.events(0)
    assert (started.input, ended.result) == ("hello", "hello")


@pytest.mark.parametrize("value", [None, 1, "yes"], ids=repr)
def test_yes_or_no(value: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(TypeError, match="events_with_content"):
        AgentPool(events_with_content=value)
