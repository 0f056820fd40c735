"""Arguments of calls, from what a model sent to what a function gets."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from actors import CancelToken
from actors.agent.bounds import within_bounds
from actors.drivers.edge.answer import arguments_of
from actors.ports import CompletionResponse, ToolCall
from actors.tools import tool

from ..target import Target, Violation, hold, hold_message

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

LONGEST_REFUSAL = 5_000


class Colour(Enum):
    """Of few."""

    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """Two numbers."""

    x: int
    y: float = 0.0


_got: list[dict[str, Any]] = []


@tool
def take(
    path: str,
    count: int = 3,
    share: float = 0.5,
    loud: bool = False,
    tags: list[str] | None = None,
    extra: dict[str, Any] | None = None,
    colour: Colour = Colour.RED,
    kind: Literal["a", "b", 1] = "a",
    point: Point | None = None,
    points: list[Point] = [],  # noqa: B006 - never changed
    pair: tuple[int, str] = (1, "x"),
    value: Any = None,
) -> str:
    """Take one of each kind.

    Args:
        path: The only one that must come.
    """
    _got.append(dict(locals()))
    return "taken"


KINDS: Mapping[str, type | tuple[type, ...]] = {
    "path": str,
    "count": int,
    "share": (float, int),
    "loud": bool,
    "tags": (list, type(None)),
    "extra": (dict, type(None)),
    "colour": Colour,
    "kind": (str, int),
    "point": (Point, type(None)),
    "points": list,
    "pair": tuple,
    "value": object,
}
SEEDS: tuple[Mapping[str, Any], ...] = (
    {"path": "/"},
    {"path": "/", "count": "7", "share": "0.25", "loud": "true", "tags": '["a"]', "extra": '{"a": 1}'},
    {"path": "a", "count": None, "tags": None, "colour": "blue", "kind": 1, "point": {"x": 1}, "pair": [2, "y"]},
    {"path": "a", "points": [{"x": 1}, {"x": "2", "y": "3"}], "point": '{"x": 5}', "value": {"deep": [1, [2]]}},
    {"path": 5},
    {"count": 1},
    {"path": "x", "unknown": 1, "points": '[{"x": 1}]'},
)


class Arguments(Target):
    """The JSON of the arguments, as text."""

    about = "arguments of a call, to a function"
    words = tuple(f'"{name}": '.encode() for name in KINDS)

    def seeds(self) -> Iterable[bytes]:
        """Good ones, and what models make of them."""
        for values in SEEDS:
            yield json.dumps(values).encode()
            yield json.dumps(json.dumps(values)).encode()

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """The function gets what was sent, of the types that it asks for; or the model is told in few words why not."""
        given, problem = arguments_of(data.decode("utf-8", "surrogatepass" if _has_halves(data) else "replace"))
        (call,) = within_bounds(CompletionResponse(tool_calls=(ToolCall("1", "take", given, problem),))).tool_calls
        if call.problem:
            hold_message(call.problem, 2_000)
            hold(not call.input, "a call with a problem has no arguments", call)
            return "problem", call.problem[:30]
        _got.clear()
        refused = take.check(call.input)
        hold(not _got, "a check runs nothing")
        result = take.execute(call.input, cancel=CancelToken(), agent=None)
        hold(
            len(result.content) <= LONGEST_REFUSAL,
            "what a model is told is bounded",
            f"{len(result.content):,} characters",
        )
        hold((refused is None) == bool(_got), "what is refused is not run, and the other way round", (refused, _got))
        if not _got:
            hold(result.is_error and result.content, "who is refused is told why", result)
            return "refused", result.content[:40]
        (got,) = _got
        for name, kind in KINDS.items():
            hold(isinstance(got[name], kind), "a function gets the types that it asks for", (name, got[name]))
        _hold_came(call.input, got)
        return "taken", tuple(sorted(call.input.keys() & KINDS.keys()))[:4]

    def grown(self, data: bytes, times: int) -> bytes | None:
        """Lists and texts so many times as long."""
        try:
            return json.dumps(_grown(json.loads(data), times)).encode()
        except (ValueError, RecursionError):
            return data * times


def _hold_came(given: Mapping[str, Any], got: dict[str, Any]) -> None:
    inner = given
    if "path" not in given and len(given) == 1:  # one object around them all
        (inner,) = given.values()
        inner = json.loads(inner) if isinstance(inner, str) else inner
    sent = inner.get("path")
    if isinstance(sent, str) and got["path"] != sent:
        raise Violation("a text comes as it was sent", (sent, got["path"]))
    defaults = {"count": 3, "share": 0.5, "loud": False, "tags": None, "extra": None, "value": None}
    for name, value in defaults.items():
        hold(name in inner or got[name] == value, "what was not sent is the default", (name, got[name]))


def _has_halves(data: bytes) -> bool:
    return b"\xed" in data and not _decodes(data, "strict") and _decodes(data, "surrogatepass")


def _decodes(data: bytes, errors: str) -> bool:
    try:
        data.decode("utf-8", errors)
    except UnicodeDecodeError:
        return False
    return True


def _grown(value: Any, times: int) -> Any:
    if isinstance(value, dict):
        return {key: _grown(inner, times) for key, inner in value.items()}
    if isinstance(value, list | str):
        return value * times
    return value


TARGET = Arguments()
