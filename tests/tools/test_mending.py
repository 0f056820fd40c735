"""Arguments that are plain, but not written as their types want them."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, Field

from actors.core.waiting.cancel import CancelToken
from actors.tools.tool import FunctionTool, tool


class Point(BaseModel):
    """A point."""

    x: int
    y: int = 0
    tags: list[str] = []


@dataclass
class Span:
    """A span."""

    start: int
    marks: list[int] | None = None


class Color(enum.Enum):
    """A color."""

    RED = "red"


def taking(kind: Any, *default: Any) -> FunctionTool[..., Any]:
    """A tool with one parameter of that type, which says what it got."""

    def take(a: Any) -> str:
        return repr(a)

    take.__annotations__["a"] = kind
    take.__defaults__ = default or None
    return tool(take)


def told(made: FunctionTool[..., Any], given: Any) -> str:
    return made.execute(given, cancel=CancelToken(), agent=None).content


SHORT = Annotated[str, Field(max_length=3)]


@pytest.mark.parametrize(
    ("kind", "given", "got"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (list[int], '"[1, 2]"', [1, 2]),
        (list[list[int]], ["[1]", "[2]"], [[1], [2]]),
        (list[str], '["a", "[1]"]', ["a", "[1]"]),
        (tuple[int, int], "[1, 2]", (1, 2)),
        (set[int], "[1]", {1}),
        (dict[str, int], '{"k": "1"}', {"k": 1}),
        (dict[str, list[int]], {"k": "[1]"}, {"k": [1]}),
        (list[dict[str, Any]], '[{"k": "[1]"}]', [{"k": "[1]"}]),
        (Point, '{"x": "3", "y": null}', Point(x=3)),
        (Point, {"x": 1, "tags": '["q"]'}, Point(x=1, tags=["q"])),
        (list[Point], ['{"x": 1}', {"x": "2", "y": None}], [Point(x=1), Point(x=2)]),
        (list[Point], '["{\\"x\\": 1}"]', [Point(x=1)]),
        (Span, {"start": "1", "marks": "[2]"}, Span(1, [2])),
        (Span, '{"start": 1, "marks": "null"}', Span(1)),
        (Point | Span, '{"start": 1}', Span(1)),
        (int | list[int], "[1]", [1]),
        (list[int] | None, "null", None),
        (Color, '"red"', Color.RED),
        (Literal["x", "y"], '"x"', "x"),
        (date, '"2024-01-01"', date(2024, 1, 1)),
        (bool, "true", True),
        (bool, '"true"', True),
        (int, "3", 3),
        (int, "1e3", 1000),
        (float, '"2.5"', 2.5),
    ],
)
def test_json_in_a_text(kind: Any, given: Any, got: Any) -> None:
    """It is read where no text is wanted: at the top, in lists, in models, encoded twice."""
    before = json.dumps(given)
    made = taking(kind)
    assert made.check({"a": given}) is None
    assert told(made, {"a": given}) == repr(got)
    assert json.dumps(given) == before  # what the model sent stays as it is


@pytest.mark.parametrize(
    ("kind", "given"),
    [(str, "[1]"), (str, '"x"'), (str | list[int], "[1]"), (Any, "[1]"), (SHORT, "[1]"), (list[str], ["[1]"])],
)
def test_a_text_that_is_wanted_stays_one(kind: Any, given: Any) -> None:
    """Also when it happens to be JSON."""
    assert told(taking(kind), {"a": given}) == repr(given)


def test_a_text_that_is_too_long_is_not_read() -> None:
    """It is told as what it is."""
    said = told(taking(SHORT), {"a": '"abc"'})
    assert "at most 3 characters (got '\"abc\"')" in said


@pytest.mark.parametrize(
    ("kind", "default", "got"),
    [(int, 5, 5), (list[int], None, None), (int | None, 5, None), (str, "x", "x"), (Point, Point(x=7), Point(x=7))],
)
@pytest.mark.parametrize("given", [{"a": None}, {}])
def test_null_is_the_default(kind: Any, default: Any, got: Any, given: dict[str, Any]) -> None:
    """Where there is one; where null is a value it stays null."""
    assert told(taking(kind, default), given) == repr(got if given else default)


def test_null_without_a_default_is_told() -> None:
    """As null, and beside what else is wrong."""
    assert "- a: Input should be a valid integer (got None)" in told(taking(int), {"a": None})
    assert "- a.x: Input should be a valid integer (got None)" in told(taking(Point), {"a": {"x": None, "y": None}})


@pytest.mark.parametrize("name", ["arguments", "args", "input", "kwargs", "parameters", "params"])
@pytest.mark.parametrize("as_text", [False, True])
def test_all_arguments_under_one_name(name: str, as_text: bool) -> None:
    """They are taken out."""
    inner: Any = {"a": "[1]"}
    assert told(taking(list[int]), {name: json.dumps(inner) if as_text else inner}) == "[1]"


def test_a_parameter_of_such_a_name_is_one() -> None:
    """Nothing is taken out of it."""

    @tool
    def run(input: dict[str, Any], a: int = 1) -> str:  # noqa: A002
        """Run."""
        return repr((input, a))

    assert told(run, {"input": {"a": 3}}) == "({'a': 3}, 1)"
    assert told(run, {"input": {"input": {}, "a": 3}}) == "({'input': {}, 'a': 3}, 1)"
    assert "- arguments: unknown argument" not in told(run, {"arguments": {"input": {}}})


@pytest.mark.parametrize("given", [{"arguments": {"b": 1}}, {"arguments": {"a": 1}, "b": 2}, {"arguments": 3}])
def test_what_cannot_be_taken_out_is_told(given: dict[str, Any]) -> None:
    """As it came."""
    said = told(taking(int), given)
    assert "- arguments: unknown argument" in said
    assert "- a: missing" in said


@pytest.mark.parametrize("given", ['{"a": 1}', json.dumps('{"a": 1}')])
def test_the_whole_as_a_text(given: str) -> None:
    """Once or twice encoded."""
    assert told(taking(int), given) == "1"


def test_what_stays_wrong_is_told_alone() -> None:
    """What could be mended is no problem any more."""

    @tool
    def three(a: list[int], b: int, c: int = 1) -> None:
        """Do."""

    assert told(three, {"a": "[1]", "b": "x", "c": None}).splitlines()[1:-1] == [
        "- b: Input should be a valid integer, unable to parse string as an integer (got 'x')"
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"a": "["},
        {"a": "[" * 100_000},
        {"a": "y" * 3_000_000},
        {"a": ["x"] * 100_000},
        {"a": {"k" * 1_000_000: 1}},
        {"k" * 1_000_000: 1},
        {f"key{number}": 1 for number in range(10_000)},
        {"a": [10**5_000, "x"]},
        {"a": json.dumps(["x"] * 100_000)},
    ],
    ids=lambda given: repr(given)[:20] if len(given) == 1 and "a" not in given else None,
)
def test_bad_arguments_are_told_in_few_words(given: dict[str, Any]) -> None:
    """However much of them there is."""
    said = told(taking(list[int]), given)
    assert said.startswith("invalid arguments for take:\n- ")
    assert len(said) < 2_500
    if given.get("a") == ["x"] * 100_000:
        assert "and 99,990 more" in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["[1]", "null"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "tags", "a"]), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "arguments"]), JSON, max_size=3), st.booleans())
def test_whatever_is_sent(values: dict[str, Any], as_text: bool) -> None:
    """It is taken or told, and nothing else happens."""

    @tool
    def take(a: Point | list[int] | None, b: list[Point] = []) -> str:  # noqa: B006
        """Take."""
        return "taken"

    given = {key: json.dumps(value) for key, value in values.items()} if as_text else values
    said = told(take, given)
    assert said == "taken" or said.startswith("invalid arguments")
