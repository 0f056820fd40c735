"""Outcomes through JSON: each is written, and comes back."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, ValidationError

from actors import (
    Agent,
    AgentLoopResult,
    AgentManifest,
    AgentOutcome,
    AgentPool,
    AgentStatus,
    ScriptedDriver,
    SpawnConfig,
    errors,
)
from actors.core.records.expenses import NOTHING_USED
from actors.core.records.trusted import trusted
from actors.errors import (
    ActorsError,
    AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentError,
    AgentTimedOut,
    CapacityError,
    ContextOverflow,
    DeadlockError,
    InferenceFailed,
    InvalidOutput,
    ManifestError,
    RemoteError,
)
from actors.ports import AssistantMessage, TokenUsage, ToolCall, UserMessage

from .test_json_value import TEXTS, VALUES, Hostile, Thing, same
from .test_message_json import MESSAGES

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def outcome(**fields: Any) -> AgentOutcome[Any]:
    """One as the pool makes it: nothing in it was checked."""
    made: dict[str, Any] = {"agent_id": 1, "name": "job", "query": "q", "tag": None, "result": None, "error": None}
    made |= {"status": AgentStatus.COMPLETED if fields.get("error") is None else AgentStatus.FAILED}
    made |= {"started_at": AT, "ended_at": AT, "duration": 0.5, "restarts": 0, "parent_id": None, "depth": 0}
    return trusted(AgentOutcome, made | NOTHING_USED | {"key": None, "recalled": False} | fields)


def again(told: AgentOutcome[Any]) -> AgentOutcome[Any]:
    """*told*, after it was JSON that any reader takes."""
    text = told.model_dump_json()
    data = json.loads(text, parse_constant=pytest.fail)
    read: AgentOutcome[Any] = AgentOutcome.model_validate_json(text)
    assert data == told.model_dump(mode="json")
    assert AgentOutcome.model_validate(data).model_dump(mode="json") == read.model_dump(mode="json") == data
    return read


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES, VALUES, TEXTS, st.lists(MESSAGES, max_size=2).map(tuple), st.integers(0), st.integers(0))
def test_any_outcome_comes_back_equal(
    query: Any, tag: Any, result: Any, name: str, messages: tuple[Any, ...], read: int, written: int
) -> None:
    """Of plain values; a tuple in a result comes back as a list, where no type is named."""

    def listed(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [listed(each) for each in value]
        return {key: listed(each) for key, each in value.items()} if isinstance(value, dict) else value

    told = outcome(query=query, tag=tag, result=result, name=name, messages=messages, usage=TokenUsage(read, written))
    back = AgentOutcome.model_validate_json(told.model_dump_json())
    assert same(back.query, query)
    assert same(back.tag, tag)
    assert back.result == listed(result)
    assert (back.name, back.messages, back.usage, back.ended_at) == (name, messages, told.usage, AT)
    python = AgentOutcome.model_validate(told.model_dump())
    assert python == told
    assert same(python.result, result)


class Color(Enum):
    """An enumeration."""

    RED = 1


class Verdict(BaseModel):
    """What an agent may be asked for."""

    label: str
    score: float = math.inf
    tags: set[str] = {"x"}
    at: datetime = AT
    color: Color = Color.RED
    more: Any = None


@dataclass
class Point:
    """A dataclass."""

    x: int
    names: set[str]


TALK = (UserMessage("u\ud800"), AssistantMessage("", [ToolCall("1", "f", {"a": (1, math.inf), "not_json": "set"})]))


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (Verdict, Verdict(label="a", more={"n": math.inf})),
        (list[Verdict], [Verdict(label="a"), Verdict(label="b", color=Color.RED)]),
        (Point, Point(1, {"a"})),
        (AgentLoopResult, AgentLoopResult("t", TokenUsage(1, 2), 1, 1, 0.5, TALK)),
        (AgentOutcome[set[int]], outcome(result={1}, tag=(1,))),
        (tuple[int, ...], (1, 2)),
        (set[int], {1}),
        (dict[int, Color], {1: Color.RED}),
        (Color, Color.RED),
        (datetime, AT),
        (Path, Path("a")),
        (tuple[bytes, Path], (b"\xff", Path("a"))),
        (bytes, b"\xff"),
        (int, 7),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_result_comes_back_as_the_type_that_is_named(kind: Any, result: Any) -> None:
    """A model, a dataclass, an answer of a model, whatever pydantic can read."""
    told = outcome(result=result, tag=("a", 1))
    back = AgentOutcome[kind].model_validate_json(told.model_dump_json())
    assert isinstance(back.result, type(result))
    assert back.result == result
    assert back == told
    assert AgentOutcome[kind].model_validate_json(outcome().model_dump_json()).result is None


ANSWER = AgentLoopResult("t", TokenUsage(1, 2), 1, 1, 0.5, TALK)


@pytest.mark.parametrize("kind", [AgentOutcome, AgentOutcome[Any], AgentOutcome[AgentLoopResult]])
def test_what_a_model_has_answered_comes_back_without_a_type(kind: Any) -> None:
    """Its row, its line and its table are those that they were."""
    told = outcome(result=ANSWER)
    back = kind.model_validate_json(told.model_dump_json())
    assert back == told
    assert type(back.result) is AgentLoopResult
    assert (back.to_row(), back._repr_html_()) == (told.to_row(), told._repr_html_())
    assert kind.model_validate(told.model_dump(mode="json")) == told


def test_what_only_looks_like_an_answer_stays_what_it_is() -> None:
    """A dict of the same names, or one whose values do not fit; and a dict where the reader asks for one."""
    look = json.loads(outcome(result=ANSWER).model_dump_json())["result"]
    for result in (look, look | {"text": 1}):
        assert again(outcome(result=result)).result == result
        assert type(again(outcome(result=result)).result) is dict
    unfit = dict.fromkeys(look, 1)
    text = json.dumps({**json.loads(outcome().model_dump_json()), "result": unfit})
    assert AgentOutcome.model_validate_json(text).result == unfit
    assert type(AgentOutcome[dict].model_validate_json(outcome(result=ANSWER).model_dump_json()).result) is dict


def test_a_result_of_another_type_is_refused() -> None:
    """It says which field."""
    with pytest.raises(ValidationError, match="result"):
        AgentOutcome[Verdict].model_validate_json(outcome(result={"label": 1}).model_dump_json())


BAD = {"Thing": Thing(), "Hostile": Hostile(), "type": Thing, "nan": math.nan, "iterator": iter([]), "function": len}


@pytest.mark.parametrize("which", BAD)
def test_what_json_cannot_hold_is_said_in_its_place(which: str) -> None:
    """Everything beside it is written, and read again."""
    bad = BAD[which]
    told = outcome(query=[bad, 1], tag=bad, result={"good": 1, "bad": bad})
    data = json.loads(told.model_dump_json())
    name = "float" if bad is math.nan else f"{type(bad).__module__}.{type(bad).__qualname__}".removeprefix("builtins.")
    assert data["tag"]["not_json"] == data["query"][0]["not_json"] == data["result"]["bad"]["not_json"] == name
    assert (data["query"][1], data["result"]["good"]) == (1, 1)
    assert again(told).result["good"] == 1


def test_without_json_the_objects_stay() -> None:
    """Query, tag, result and error are those that they were."""
    loop: list[Any] = []
    loop.append(loop)
    verdict, error = Verdict(label="a"), AgentError("no")
    told = outcome(query=loop, tag=Thing(), result=verdict, error=error)
    dumped = told.model_dump()
    assert dumped["query"] is loop
    assert dumped["tag"] is told.tag
    assert dumped["result"] is verdict
    assert dumped["error"] is error
    assert AgentOutcome.model_validate(dumped).result is verdict


def test_only_some_of_it() -> None:
    """The options of pydantic hold."""
    told = outcome(result={1})
    assert json.loads(told.model_dump_json(include={"result", "error"})) == {
        "result": {"not_json": "set", "value": [1]},
        "error": None,
    }
    assert "messages" not in told.model_dump(mode="json", exclude={"messages"})


def test_in_python_nothing_is_taken_for_json() -> None:
    """What looks like a mark is the user's own."""
    look = {"not_json": "set", "value": [1]}
    made: AgentOutcome[Any] = AgentOutcome(
        agent_id=1, name="n", query=look, status="completed", ended_at=AT, result=look
    )
    assert (made.query, made.result) == (look, look)
    assert again(made).query == look


def test_drivers_may_say_what_they_like() -> None:
    """A message or a count that is none is written, too."""
    talk = (AssistantMessage(None), UserMessage(Thing()), "word", UserMessage("fine"))  # type: ignore[arg-type]
    told = json.loads(outcome(messages=talk, usage=TokenUsage(1.5, Thing())).model_dump_json())  # type: ignore[arg-type]
    assert told["messages"][0]["content"] is None
    assert told["messages"][1]["content"]["text"] == "<Thing>"
    assert told["messages"][2:] == ["word", {"role": "user", "content": "fine"}]
    assert told["usage"]["input_tokens"] == 1.5


# Errors ---------------------------------------------------------------------------------------------------------


class Refused(AgentError):
    """A user's own."""

    def __init__(self, code: int, why: Any) -> None:
        super().__init__(f"refused: {code}")
        self.code = code
        self.why = why


class Wordless(AgentError):
    """One whose class raises when it is looked at."""

    def __str__(self) -> str:
        raise ValueError("no words")

    @property  # type: ignore[misc]
    def __dict__(self) -> Any:
        raise ValueError("no fields")


def error_of(error: ActorsError) -> dict[str, Any]:
    """What JSON says of it."""
    told: dict[str, Any] = json.loads(outcome(error=error).model_dump_json())["error"]
    return told


OURS = [
    InferenceFailed("no", retry_after=2.0),
    InferenceFailed(),
    InvalidOutput("does not fit", text="raw"),
    ContextOverflow(10, 5, "the query"),
    ManifestError(["one", "two"], source="a.toml", places=[("a", 1), ()]),
    DeadlockError("circle", ["a", "b"]),
    CapacityError("full"),
    AgentCancelled("enough"),
    AgentCancelled(),
    AgentTimedOut(),
    AgentError("words \ud800"),
]


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_errors_of_the_library_come_back_as_themselves(error: ActorsError) -> None:
    """Class, words and fields; they can be raised and pickled."""
    error.add_note("of an agent")
    told = error_of(error)
    assert told["type"] == f"actors.errors.{type(error).__name__}"
    assert (told["cause"], told["traceback"]) == (None, None)
    back = again(outcome(error=error))
    held = {name: value for name, value in vars(back.error).items() if name != "_traceback"}
    if isinstance(error, ManifestError):
        held["places"] = tuple(map(tuple, held["places"]))
    assert type(back.error) is type(error)
    assert str(back.error) == str(error)
    assert held == vars(error)
    assert back.traceback is None
    assert str(pickle.loads(pickle.dumps(back)).error) == str(error)
    with pytest.raises(type(error)):
        back.unwrap()


def test_every_class_of_the_library_comes_back() -> None:
    """Also those whose constructors take more than words."""
    for name in errors.__all__:
        cls = getattr(errors, name)
        if isinstance(cls, type) and issubclass(cls, ActorsError) and cls is not RemoteError:
            error = cls.__new__(cls)
            error.args = ("words",)
            if cls is AgentCrashed:
                error.__init__("KeyError", "'a'")
            elif cls is AgentAbandoned:
                error.cause = AgentTimedOut()
            text = outcome(error=error).model_dump_json()
            assert type(AgentOutcome.model_validate_json(text).error) is cls


def test_a_cause_is_told_like_an_error() -> None:
    """As far down as there is one; what the agent was stopped for is one, too."""
    error = AgentError("outer")
    error.__cause__ = InferenceFailed("inner")
    error.__cause__.__cause__ = KeyError("x")
    back = again(outcome(error=error)).error
    assert error_of(error)["cause"]["cause"]["type"] == "KeyError"
    assert isinstance(back, AgentError)
    assert isinstance(back.__cause__, InferenceFailed)
    assert isinstance(back.__cause__.__cause__, RemoteError)
    assert (back.__cause__.__cause__.type_name, back.__cause__.__cause__.text) == ("KeyError", "'x'")
    abandoned = again(outcome(error=AgentAbandoned(AgentCancelled("stuck")))).error
    assert isinstance(abandoned, AgentAbandoned)
    assert isinstance(abandoned.cause, AgentCancelled)
    assert abandoned.cause.reason == "stuck"
    circle = AgentError("circle")
    circle.__cause__ = circle
    assert isinstance(again(outcome(error=circle)).error, AgentError)


@pytest.mark.parametrize("error", [Refused(7, {1}), Wordless("x")], ids=lambda error: type(error).__name__)
def test_a_users_own_error_comes_back_with_its_words(error: AgentError) -> None:
    """As a RemoteError, and the same JSON again."""
    back = again(outcome(error=error)).error
    assert isinstance(back, RemoteError)
    assert back.type_name == f"{__name__}.{type(error).__name__}"
    if isinstance(error, Refused):
        assert (back.text, str(back)) == ("refused: 7", f"{__name__}.Refused: refused: 7")
        assert back.fields == {"code": 7, "why": {1}}
    assert isinstance(pickle.loads(pickle.dumps(back)), RemoteError)


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.KeyError", "actors.errors.fresh_copy", "actors.errors.Nobody", ""]
)
def test_nothing_is_made_because_json_names_it(name: str) -> None:
    """Only the library's own errors."""
    data = json.loads(outcome(error=AgentError("x")).model_dump_json())
    data["error"] = {"type": name, "message": "m", "cause": None, "traceback": "tb"}
    back = AgentOutcome.model_validate_json(json.dumps(data))
    assert isinstance(back.error, RemoteError)
    assert (back.error.type_name, back.error.text, back.traceback) == (name, "m", "tb")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"message": "m"}, 'has a "type" and a "message"'),
        ({"type": "t"}, 'has a "type" and a "message"'),
        ({"type": 1, "message": "m"}, 'the "type" of an error'),
        ({"type": "t", "message": "m", "traceback": []}, 'the "traceback" of an error'),
        ({"type": "t", "message": "m", "cause": "c"}, 'the "cause" of an error'),
        ({"type": "t", "message": "m", "fields": [1]}, 'the "fields" of an error'),
        ("words", "instance of ActorsError"),
    ],
    ids=str,
)
def test_what_is_no_error_is_refused(given: Any, words: str) -> None:
    """It says what is wrong with it."""
    data = outcome().model_dump(mode="json")
    with pytest.raises(ValidationError, match=words):
        AgentOutcome.model_validate(data | {"error": given})


def test_names_in_json_do_not_reach_the_inside() -> None:
    """Fields that would shadow what an error can do are left out."""
    fields = {
        "add_note": 1,
        "_traceback": 5,
        "args": [1],
        "code": 3,
        "__class__": 1,
        "retryable": True,
        "retry_after": 1.5,
    }
    told = {"type": "actors.errors.InferenceFailed", "message": "m", "cause": None, "traceback": None, "fields": fields}
    back = AgentOutcome.model_validate(outcome().model_dump(mode="json") | {"error": told})
    assert {name: value for name, value in vars(back.error).items() if value is not None and name != "token_parts"} == {
        "retry_after": 1.5,
        "code": 3,
        "_traceback": "",
    }


class Breaking(Agent[Any]):
    """Crashes, from an error of its own."""

    def run(self, query: str) -> Any:
        if query == "fail":
            raise Refused(1, None) from ValueError("inner")
        try:
            return {}["b"]
        except KeyError as error:
            raise ValueError("outer") from error


def test_outcomes_of_a_pool_come_back() -> None:
    """A crash with its causes and its traceback, a failure, an answer of a model."""
    with AgentPool(ScriptedDriver(["said"]), max_concurrent=3) as pool:
        configs = [SpawnConfig(AgentManifest(), query, agent=Breaking) for query in ("crash", "fail")]
        crashed, failed = (pool.spawn(config).outcome(30) for config in configs)
        said = pool.spawn(SpawnConfig(AgentManifest(), "hi")).outcome(30)
    data = json.loads(crashed.model_dump_json())["error"]
    assert (data["type"], data["message"]) == ("actors.errors.AgentCrashed", "ValueError: outer")
    assert (data["cause"]["type"], data["cause"]["message"]) == ("ValueError", "outer")
    assert (data["cause"]["cause"]["type"], data["cause"]["cause"]["message"]) == ("KeyError", "'b'")
    assert data["traceback"] == crashed.traceback
    assert 'return {}["b"]' in data["traceback"]
    back = again(crashed)
    assert isinstance(back.error, AgentCrashed)
    assert (back.error.type_name, back.error.text, back.traceback) == ("ValueError", "outer", crashed.traceback)
    back = again(failed)
    assert isinstance(back.error, RemoteError)
    assert "Refused: refused: 1" in str(back.traceback)
    assert AgentOutcome[AgentLoopResult].model_validate_json(said.model_dump_json()) == said
    assert again(said).messages == said.messages


def test_it_has_a_json_schema() -> None:
    """With an error as it is told."""
    schema = AgentOutcome[Verdict].model_json_schema()
    assert schema["properties"]["error"]["anyOf"][0]["properties"].keys() >= {"type", "message", "cause", "traceback"}
