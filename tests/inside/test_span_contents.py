"""What the spans of a pool say: attributes of the conventions, and contents for who asks for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    CompletionResponse,
    FunctionDriver,
    ImagePart,
    ScriptedDriver,
    SpawnConfig,
    ToolFailed,
    ToolRegistry,
    tool,
)

from ..core.pictures import png
from .spans import BOT, DONE, calls, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import TokenUsage

    from .spans import Recorder


def test_a_span_says_what_the_table_says_and_no_more(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Names, kinds and attributes are those of the conventions; nothing of what was said goes out."""

    @tool
    def look(word: str) -> str:
        """Look."""
        return f"{word} private"

    driver = ScriptedDriver([calls("look", word="private"), DONE])
    manifest = AgentManifest(
        name="bot",
        version="2.0.0",
        description="It looks.",
        privacy="standard",
        model={"remote_model": "m-1", "system_prompt": "private", "max_tokens": 100, "temperature": 0.5},
    )
    pool = traced(driver, tools=ToolRegistry([look]))
    assert pool.spawn(SpawnConfig(manifest, "private", group="night", key="k")).outcome().ok
    agent, (chat, _), call = (
        recorder.one("invoke_agent bot"),
        recorder.named("chat m-1"),
        recorder.one("execute_tool look"),
    )
    assert [span.kind.name for span in (agent, chat, call)] == ["INTERNAL", "CLIENT", "INTERNAL"]
    told = said(agent)
    assert told == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "scripted",
        "gen_ai.agent.name": "bot",
        "gen_ai.agent.version": "2.0.0",
        "gen_ai.agent.description": "It looks.",
        "gen_ai.request.model": "m-1",
        "actors.agent.id": 1,
        "actors.agent.key": "k",
        "actors.agent.group": "night",
        "actors.agent.restarts": 0,
        "actors.queued_seconds": 0.0,
        "actors.outcome": "completed",
    }
    assert said(chat) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ("tool_use",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "actors.attempt": 1,
        "actors.cost_usd": 0.0,
        "actors.recalled": False,
    }
    assert said(call) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "c0",
        "actors.is_error": False,
        "actors.recalled": False,
    }


def test_a_session_is_the_conversation(traced: Callable[..., AgentPool], recorder: Recorder, tmp_path: Any) -> None:
    """Its id is ``gen_ai.conversation.id``."""
    pool = traced(ScriptedDriver([DONE]), sessions=tmp_path / "chats.db")
    assert pool.converse(BOT, "anna").ask("hi").ok
    assert said(recorder.one("invoke_agent bot"))["gen_ai.conversation.id"] == "anna"


HOSTILE = "</script> \ud800 \x00 \u2028 \u202e ✓"
"""What a model may say; half a pair is no UTF-8."""


def test_contents_are_json_of_the_conventions(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Messages of parts, arguments and results; half a surrogate pair breaks no exporter."""

    @tool
    def look(word: str) -> str:
        """Look."""
        return word

    driver = ScriptedDriver([calls("look", word=HOSTILE), CompletionResponse(HOSTILE)])
    manifest = AgentManifest(name="bot </script> \u2028 \u202e", privacy="standard")
    pool = traced(driver, tools=ToolRegistry([look]), content=True)
    outcome = pool.spawn(SpawnConfig(manifest, HOSTILE, group=HOSTILE, tag=HOSTILE)).outcome()
    assert outcome.ok
    for span in recorder.spans:
        span.name.encode()
        for value in said(span).values():
            str(value).encode()
    clean = HOSTILE.replace("\ud800", "?")
    _, chat = recorder.named("chat")
    asked = json.loads(said(chat)["gen_ai.input.messages"])
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool"]
    assert asked[1]["parts"] == [{"type": "text", "content": clean}]
    assert asked[2]["parts"] == [{"type": "tool_call", "id": "c0", "name": "look", "arguments": {"word": clean}}]
    assert [part["type"] for part in asked[3]["parts"]] == ["tool_call_response"]
    (answer,) = json.loads(said(chat)["gen_ai.output.messages"])
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": clean}], "finish_reason": "stop"}
    call = said(recorder.one("execute_tool look"))
    assert json.loads(call["gen_ai.tool.call.arguments"]) == {"word": clean}
    assert json.loads(call["gen_ai.tool.call.result"]) == clean
    agent = next(span for span in recorder.spans if span.name.startswith("invoke_agent"))
    assert json.loads(said(agent)["gen_ai.input.messages"])[0]["parts"][0]["content"] == clean
    assert json.loads(said(agent)["gen_ai.output.messages"])[0]["parts"][0]["content"]


class Sly(dict[str, int]):
    """Raises when it is looked at."""

    def items(self) -> Any:
        raise RuntimeError("changed meanwhile")


@dataclass
class Report:
    """A result."""

    score: float
    words: tuple[str, ...]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Report(0.5, ("a", "b")), '{"score": 0.5, "words": ["a", "b"]}'),
        (["what", ImagePart(png())], "what\n[image/png, "),
        (ImagePart(png()), "[image/png, "),
        (Sly(a=1), '{"not_json": '),
        (float("nan"), '{"not_json": "float", "value": "nan"}'),
        ({(1, 2): 3}, '{"not_json": "dict"'),
    ],
    ids=["a record", "parts", "a part", "raises", "no number", "odd keys"],
)
def test_any_query_and_result_is_told_as_a_text(
    traced: Callable[..., AgentPool], recorder: Recorder, log_lines: list[str], value: Any, words: str
) -> None:
    """Images are named, of all else there is JSON; and whatever a user's class does loses no span."""

    class Echo(Agent[Any]):
        def run(self, query: Any) -> Any:
            return query

    assert traced(content=True).spawn(SpawnConfig(BOT, value, agent=Echo)).outcome().ok
    told = said(recorder.one("invoke_agent bot"))
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        ((part,),) = (message["parts"] for message in json.loads(told[name]))
        assert part["type"] == "text"
        assert part["content"].startswith(words)
    assert not [line for line in log_lines if "tracing" in line]


def test_what_the_model_is_told_of_a_failure_is_content(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """The words of a tool that failed, or raised, or gave nothing that can be told, as the model reads them."""

    @tool
    def fails() -> str:
        """Fail."""
        raise ToolFailed("not today")

    @tool
    def raises() -> str:
        """Raise."""
        raise KeyError("oh")

    driver = ScriptedDriver([calls("fails", "raises"), DONE])
    assert traced(driver, tools=ToolRegistry([fails, raises]), content=True).spawn(SpawnConfig(BOT, "go")).outcome().ok
    results = [
        json.loads(said(recorder.one(f"execute_tool {name}"))["gen_ai.tool.call.result"])
        for name in ("fails", "raises")
    ]
    assert results == ["not today", "raises failed: KeyError: 'oh'"]


@pytest.mark.parametrize("cost", [0, 1, True], ids=str)
def test_a_cost_is_a_number_of_one_kind(traced: Callable[..., AgentPool], recorder: Recorder, cost: float) -> None:
    """A backend that saw a whole number first would refuse the others."""

    class Priced(FunctionDriver):
        def estimate_cost(self, usage: TokenUsage) -> float:
            return cost

    assert traced(Priced(lambda _: DONE)).spawn(SpawnConfig(BOT, "go")).outcome().ok
    found = said(recorder.one("chat"))["actors.cost_usd"]
    assert (type(found), found) == (float, float(cost))
