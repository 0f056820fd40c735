"""Answers that are values of a type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from actors import (
    AgentManifest,
    CompletionResponse,
    InvalidOutput,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    UserMessage,
    tool,
)
from actors.agent.terms.structured import OutputShape, shape_of

from .doubles import Refusing

BOT = AgentManifest(name="bot")


class Verdict(BaseModel):
    name: str
    score: int


@dataclass
class Point:
    x: int
    y: int


GOOD = '{"name": "a", "score": 3}'


@pytest.mark.parametrize(
    ("output_type", "text", "value"),
    [
        (Verdict, GOOD, Verdict(name="a", score=3)),
        (Verdict, f"```json\n{GOOD}\n```", Verdict(name="a", score=3)),
        (Verdict, f"  {GOOD}\n", Verdict(name="a", score=3)),
        (Verdict, f"```json {GOOD}```", Verdict(name="a", score=3)),
        (Verdict, f"```{GOOD}```", Verdict(name="a", score=3)),
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (list[int], "[1, 2]", [1, 2]),
        (int | None, "null", None),
        (dict[str, list[Verdict]], f'{{"k": [{GOOD}]}}', {"k": [Verdict(name="a", score=3)]}),
        (str, '"text"', "text"),
    ],
)
def test_the_result_is_a_value(make_pool: Any, output_type: Any, text: str, value: Any) -> None:
    """Of whatever type pydantic knows."""
    pool = make_pool(ScriptedDriver([text]), 1)
    assert pool.spawn(SpawnConfig(BOT, "q", output_type=output_type)).result(10) == value


def test_what_does_not_fit_goes_back(make_pool: Any) -> None:
    """The model is told what is wrong, and where."""
    driver = ScriptedDriver(["Sure! It is 3.", '{"name": "a", "score": "high"}', GOOD])
    pool = make_pool(driver, 1)
    assert pool.spawn(SpawnConfig(BOT, "q", output_type=Verdict)).result(10) == Verdict(name="a", score=3)
    last = driver.requests[-1].messages
    assert [type(message).__name__ for message in last] == [
        "UserMessage",
        "AssistantMessage",
        "UserMessage",
        "AssistantMessage",
        "UserMessage",
    ]
    assert isinstance(last[4], UserMessage)
    assert "score: Input should be a valid integer" in last[4].content


def test_not_for_ever(make_pool: Any) -> None:
    """Three corrections, then the agent has failed; the error says why."""
    driver = ScriptedDriver([], default="no")
    outcome = make_pool(driver, 1).spawn(SpawnConfig(BOT, "q", output_type=Verdict)).outcome(10)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, InvalidOutput)
    assert "after 3 corrections" in str(outcome.error)
    assert len(driver.requests) == 4


def test_the_model_is_told_the_schema(make_pool: Any) -> None:
    """In words, and to drivers that can pass it on; only objects are passed on."""
    driver = ScriptedDriver([GOOD, "[1]"])
    pool = make_pool(driver, 1)
    pool.spawn(SpawnConfig(BOT, "q", output_type=Verdict)).result(10)
    pool.spawn(SpawnConfig(BOT, "q", output_type=list[int])).result(10)
    first, second = driver.requests
    assert first.output_schema == OutputShape(Verdict).schema
    assert '"score"' in str(first.system)
    assert second.output_schema is None
    assert '"integer"' in str(second.system)


def test_a_shape_is_made_once_for_a_type() -> None:
    """Many agents share it; a type that cannot be kept is looked at again."""
    odd = Annotated[int, Field(json_schema_extra={"x": [1]})]
    assert shape_of(Verdict) is shape_of(Verdict)
    assert shape_of(list[int]) is not shape_of(list[str])
    assert shape_of(odd).read("3") == 3


def test_tools_come_before_the_answer(make_pool: Any) -> None:
    """And an answer that was cut off is read as a whole."""

    @tool
    def look() -> int:
        """Look."""
        return 3

    driver = ScriptedDriver(
        [
            CompletionResponse("looking", StopReason.TOOL_USE, (ToolCall("c", "look", {}),), TokenUsage(1, 1)),
            CompletionResponse(GOOD[:9], StopReason.MAX_TOKENS),
            GOOD[9:],
        ]
    )
    pool = make_pool(driver, 1, tools=ToolRegistry([look]))
    assert pool.spawn(SpawnConfig(BOT, "q", output_type=Verdict)).result(10) == Verdict(name="a", score=3)


class Picky(BaseModel):
    kind: str

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        return {"a": "A"}[kind]


def test_what_does_not_fit_is_told_in_few_words() -> None:
    """Although it may repeat all of the answer: its keys, and what a validator says of it."""
    for kind, text in (
        (Refusing, json.dumps({"text": "x" * 1_000_000})),
        (dict[str, int], json.dumps({"k" * 1_000_000: "y"})),
    ):
        with pytest.raises(ValueError, match="characters left out") as caught:
            OutputShape(kind).read(text)
        assert len(str(caught.value)) <= 4_000


def test_a_validator_that_breaks_is_a_misfit(make_pool: Any) -> None:
    """The model may mend it."""
    driver = ScriptedDriver(['{"kind": "b"}', '{"kind": "a"}'])
    assert make_pool(driver, 1).spawn(SpawnConfig(BOT, "q", output_type=Picky)).result(10).kind == "A"
    assert "KeyError" in driver.requests[-1].messages[-1].content


@pytest.mark.parametrize("output_type", [object(), 3, type("Odd", (), {})])
def test_what_has_no_schema(output_type: Any) -> None:
    """Is refused when the config is made."""
    with pytest.raises(ValidationError, match="output_type"):
        SpawnConfig(BOT, "q", output_type=output_type)
