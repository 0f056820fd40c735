"""Any value as JSON, and back."""

from __future__ import annotations

import collections
import json
import math
import types
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel
from pydantic_core import from_json as parsed

from actors.core.records.json_marks import from_json, is_utf8, quoted, unmarked
from actors.core.records.json_value import LEVELS, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = st.text(st.characters(codec=None))  # halves of pairs among them
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=8)
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.sampled_from(["not_json", "value", "set", "float", "dict", "nan"])
)
HASHABLE = st.recursive(LEAVES, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXTS | st.sampled_from(["not_json", "value", "text"]), inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.fixed_dictionaries({"not_json": st.sampled_from(["set", "float", "dict", "x"]), "value": inner})
    ),
    max_leaves=12,
)


def through(value: Any, *, exact: bool = False) -> Any:
    """*value*, after it was a text that any reader of JSON takes."""
    text = json.dumps(to_json(value, exact=exact), allow_nan=False, ensure_ascii=False)
    return from_json(parsed(text.encode()))


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one == other and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    """Tuples, sets, keys of any kind, halves of pairs of surrogates, and what only looks like a mark."""
    assert same(through(value, exact=True), value)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_read_is_written_the_same(value: Any) -> None:
    """JSON that was read once is the same JSON, and a mark of what only looks like one is read once alone."""
    once = through(value, exact=True)
    assert through(once, exact=True) == value
    assert from_json(quoted(to_json(value, exact=True))) == to_json(value, exact=True)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, 1),
        ("text", "text"),
        ((1, (2,)), [1, [2]]),
        ({"a": [None, True]}, {"a": [None, True]}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (math.nan, {"not_json": "float", "value": "nan"}),
        (-math.inf, {"not_json": "float", "value": "-inf"}),
        ({3, 1, 2}, {"not_json": "set", "value": [1, 2, 3]}),
        ({1: "a"}, {"not_json": "dict", "value": [[1, "a"]]}),
        (b"\xff", {"not_json": "bytes", "value": "/w=="}),
        ("a\ud800", {"not_json": "str", "value": "a\\ud800"}),
        (date(2026, 1, 2), {"not_json": "datetime.date", "value": "2026-01-02"}),
        (timedelta(days=-1, microseconds=5), {"not_json": "datetime.timedelta", "value": "-86399.999995"}),
        (Path("a/b"), {"not_json": "pathlib.Path", "value": "a/b"}),
        (PurePosixPath("a"), {"not_json": f"{PurePosixPath.__module__}.PurePosixPath", "value": "a"}),
        (Fraction(1, 3), {"not_json": "fractions.Fraction", "value": "1/3"}),
        (collections.deque([1]), {"not_json": "collections.deque", "value": [1]}),
        (len, {"not_json": "builtin_function_or_method", "text": "<built-in function len>"}),
        (ValueError("no"), {"not_json": "ValueError", "text": "ValueError('no')"}),
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_said_by_its_type(value: Any, written: Any) -> None:
    """In its place, with its value where it can be told."""
    assert to_json(value) == written
    assert to_json([value]) == [written]


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        time(1, 2),
        timedelta.max,
        timedelta.min,
        Decimal("1.10"),
        uuid.UUID(int=5),
        Path("a/b\udcff"),
        complex(1, -2),
        Fraction(1, 3),
        collections.deque([1, {2}]),
        bytearray(b"x"),
        2**5000,
        -(2**5000),
        10**600,
        "\ud83d\ude00",
        {("a", 1): {2}},
        frozenset({frozenset({1})}),
        {"\ud800": 1},
        -0.0,
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:20]!a}" if not isinstance(value, int) else "a long number",
)
def test_values_of_pythons_own_types_come_back(value: Any) -> None:
    """Equal, and of that type."""
    assert same(through(value), value)


class Color(Enum):
    """An enumeration whose members are no plain values."""

    RED = 1


class Word(StrEnum):
    """One whose members are texts."""

    YES = "yes"


class Thing:
    """Something that JSON has no word for."""

    def __repr__(self) -> str:
        return "<Thing>"


class Hostile:
    """Its class raises wherever it can."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no eq")

    __hash__ = object.__hash__

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("no class")


class Liar(dict[str, Any]):
    """A dict that cannot be looked through."""

    def items(self) -> Any:
        raise ValueError("no items")


class Model(BaseModel):
    """A model with a field of any kind."""

    model_config = {"arbitrary_types_allowed": True}

    label: str
    at: datetime | None = None
    more: Any = None


@dataclass
class Record:
    """A dataclass that pydantic knows."""

    names: set[str]


@dataclass
class Unknown:
    """A dataclass whose annotation leads nowhere."""

    what: Any
    other: Nowhere = None  # type: ignore[name-defined]  # noqa: F821


def test_enumerations_are_their_values() -> None:
    """A text or a number as itself, any other beside its name."""
    assert to_json(Word.YES) == "yes"
    assert to_json({Word.YES: Word.YES}) == {"yes": "yes"}
    assert to_json(Color.RED) == {"not_json": f"{__name__}.Color", "value": 1}
    assert unmarked(to_json([Color.RED, {1: Color.RED}])) == [1, {1: 1}]


def test_models_and_dataclasses_are_what_pydantic_writes() -> None:
    """Where it can; else field by field, and only the field that JSON cannot hold is a mark."""
    assert to_json(Model(label="a", at=datetime(2026, 1, 2))) == {
        "label": "a",
        "at": "2026-01-02T00:00:00",
        "more": None,
    }
    assert to_json(Record({"a"})) == {"names": ["a"]}
    thing = {"not_json": f"{__name__}.Thing", "text": "<Thing>"}
    assert to_json(Model(label="a", more=[Thing()])) == {"label": "a", "at": None, "more": [thing]}
    assert to_json(Unknown(Thing())) == {"what": thing, "other": None}
    assert to_json(Model(label="a", more=math.nan))["more"] == {"not_json": "float", "value": "nan"}


def test_nothing_raises() -> None:
    """Whatever a class does; what stands beside it is written."""
    for bad in (Hostile(), Liar(a=1)):
        written = to_json({"bad": bad, "good": 1})
        assert written["good"] == 1
        assert written["bad"]["not_json"] == f"{__name__}.{type(bad).__name__}"
    assert to_json({Thing(): 1})["value"] == [[{"not_json": f"{__name__}.Thing", "text": "<Thing>"}, 1]]
    assert from_json(to_json({Thing(): 1})) == {f'{{"not_json": "{__name__}.Thing", "text": "<Thing>"}}': 1}
    assert len(to_json(type("Long", (), {"__repr__": lambda _: "x" * 9999})())["text"]) == 1000


def test_an_iterator_is_not_used_up() -> None:
    """Looking into it would."""

    def numbers() -> Iterator[int]:
        yield 1

    held = numbers()
    assert to_json(held)["not_json"] == "generator"
    assert list(held) == [1]


def test_what_holds_itself_ends() -> None:
    """A list, a dict, a model; what stands there twice stands there twice."""
    loop: list[Any] = [1]
    loop.append(loop)
    assert to_json(loop) == [1, {"not_json": "list", "text": "it holds itself"}]
    model = Model(label="a")
    model.more = {"me": model}
    assert to_json(model)["more"] == {"me": {"not_json": f"{__name__}.Model", "text": "it holds itself"}}
    twice = [1]
    assert to_json([twice, twice]) == [[1], [1]]


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: frozenset([inner]), lambda inner: {1: inner}])
def test_what_is_too_deep_is_said(wrap: Any) -> None:
    """So that every reader takes it: some stop at 200 levels."""
    value: Any = 1
    for _ in range(LEVELS * 10):
        value = wrap(value)
    text = json.dumps(to_json({"deep": value, "beside": 1}))
    assert parsed(text)["beside"] == 1
    assert "more than 150 levels deep" in text
    shallow: Any = 1
    for _ in range(40):
        shallow = wrap(shallow)
    assert through(shallow) == shallow


def test_numbers_of_numpy_are_numbers() -> None:
    """Where that is exact; else they are said by their type."""
    numpy = pytest.importorskip("numpy")
    assert to_json([numpy.int64(3), numpy.float32(0.5), numpy.bool_(True)]) == [3, 0.5, True]
    assert to_json(numpy.float64("nan")) == {"not_json": "float", "value": "nan"}
    assert to_json(numpy.array([1, 2])) == {"not_json": "numpy.ndarray", "text": "array([1, 2])"}
    assert to_json(numpy.longdouble("1.5"))["not_json"] == "numpy.longdouble"


@pytest.mark.parametrize(
    "value",
    [
        {"not_json": "set", "value": 3},
        {"not_json": "bytes", "value": "***"},
        {"not_json": "datetime.date", "value": "never"},
        {"not_json": "int", "value": None},
        {"not_json": "decimal.Decimal", "value": "x"},
        {"not_json": "dict", "value": [1]},
        {"not_json": "datetime.timedelta", "value": "1e999999"},
        {"not_json": "fractions.Fraction", "value": "1e999999"},
        {"not_json": "str", "value": "\\d"},
        {"not_json": "str", "value": "\\U99999999"},
        {"not_json": "float", "value": {}},
        {"not_json": "os.system", "value": "true"},
        {"not_json": ["set"], "value": []},
        {"not_json": "set", "value": [], "more": 1},
    ],
    ids=str,
)
def test_marks_that_nobody_has_written_stay_as_they_are(value: Any) -> None:
    """Nothing is imported or called because JSON names it, and nothing raises."""
    assert from_json(value) == value
    assert through(value) == value


def test_which_texts_can_be_written() -> None:
    """All but halves of pairs."""
    assert is_utf8("abc")
    assert is_utf8("aé😀\0")
    assert not is_utf8("a\udc00")
