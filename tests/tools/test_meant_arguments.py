"""Arguments as a model meant them, written as models write them: the function gets what was meant."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal

from hypothesis import given, settings, strategies as st
from pydantic import BaseModel

from actors import CancelToken, tool
from actors.drivers.edge.answer import arguments_of


class Colour(Enum):
    """Of two."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A model of values."""

    x: int
    names: list[str] = []


got: list[dict[str, Any]] = []


@tool
def take(
    path: str,
    count: int = 3,
    share: float = 0.5,
    is_loud: bool = False,
    tags: list[str] | None = None,
    extra: dict[str, int] | None = None,
    colour: Colour = Colour.RED,
    kind: Literal["a", "b"] = "a",
    point: Point | None = None,
    points: list[Point] = [],  # noqa: B006 - never changed
) -> str:
    """Take one of each."""
    got.append(dict(locals()))
    return "taken"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
POINTS = st.builds(Point, x=st.integers(-99, 99), names=st.lists(TEXT, max_size=2))
MEANT = st.fixed_dictionaries(
    {"path": TEXT},
    optional={
        "count": st.integers(-(10**6), 10**6),
        "share": st.floats(allow_nan=False, allow_infinity=False),
        "is_loud": st.booleans(),
        "tags": st.lists(TEXT, max_size=3),
        "extra": st.dictionaries(TEXT, st.integers(-9, 9), max_size=3),
        "colour": st.sampled_from(Colour),
        "kind": st.sampled_from(["a", "b"]),
        "point": POINTS,
        "points": st.lists(POINTS, max_size=2),
    },
)
DEFAULTS = {"count": 3, "share": 0.5, "is_loud": False, "tags": None, "extra": None, "colour": Colour.RED, "kind": "a"}
DEFAULTS |= {"point": None, "points": []}
AS_TEXT = ("count", "share", "is_loud", "tags", "extra", "point", "points")
"""Where no text is wanted, so that one can only mean its value."""


def plain(value: Any) -> Any:
    """As JSON."""
    if isinstance(value, Point):
        return value.model_dump()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


@settings(deadline=None)
@given(MEANT, st.data(), st.booleans())
def test_a_function_gets_what_was_meant(meant: dict[str, Any], data: st.DataObject, twice: bool) -> None:
    """Values as text, null for what has a default, all of it encoded twice: and what was not sent is the default."""
    sent = {name: plain(value) for name, value in meant.items()}
    for name in data.draw(st.sets(st.sampled_from(AS_TEXT))) & sent.keys():
        sent[name] = json.dumps(sent[name])
    for name in data.draw(st.sets(st.sampled_from(sorted(DEFAULTS)))) - sent.keys():
        sent[name] = None
    values, problem = arguments_of(json.dumps(json.dumps(sent) if twice else sent))
    assert problem == ""
    assert take.check(values) is None
    got.clear()
    result = take.execute(values, cancel=CancelToken(), agent=None)
    assert (result.content, result.is_error) == ("taken", False)
    assert got == [{**DEFAULTS, **meant}]
