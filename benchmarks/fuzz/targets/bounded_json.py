"""JSON of strangers, counted before objects are made of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from actors.network.bounded_json import MAX_DEPTH, TooManyValues, loads

from ..nasty import NASTY
from ..target import Target, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

FEW_VALUES = 1_000


class BoundedJson(Target):
    """Any bytes."""

    about = "JSON that is bounded before it is read"
    words = (b'"\\"', b"\\\\", b'"[', b'{"":', b"[[[[", b"]]]]", b'"{"')

    def seeds(self) -> Iterable[bytes]:
        """Values that parsers trip over."""
        return [text.encode() for text in NASTY if len(text) < FEW_VALUES * 10]

    def work(self, data: bytes) -> object:
        """Read, or refused."""
        try:
            return loads(data)
        except ValueError as error:
            return error

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:  # noqa: ARG002 - nothing takes longer
        """What json.loads makes of it, but for what is too deep, too long a number, or too much."""
        read = self.work(data)
        few = self._few(data)
        hold(isinstance(few, TooManyValues) or _count(few) <= 2 * FEW_VALUES + 2, "values are counted before", few)
        if isinstance(read, ValueError):
            return type(read).__name__
        depth = _depth(read)
        hold(depth <= MAX_DEPTH + 1, "nothing is deeper than the bound", depth)
        try:
            plain = json.loads(
                data.decode(errors="replace"),
                parse_int=lambda digits: int(digits) if len(digits) <= 300 else float(digits),
            )
        except RecursionError:
            return "deep"
        except ValueError as error:  # what is left out is not looked at
            hold(depth >= MAX_DEPTH, "what is no JSON is refused", f"{error}: {data[:200]!r}")
            return "deep"
        hold(depth >= MAX_DEPTH or repr(plain) == repr(read), "it says what it says", (plain, read))
        return type(read).__name__, min(depth, 3)

    @staticmethod
    def _few(data: bytes) -> object:
        try:
            return loads(data, max_values=FEW_VALUES)
        except ValueError as error:
            return error


def _count(value: Any) -> int:
    line, count = [value], 0
    while line:
        one = line.pop()
        count += 1
        line.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
    return count


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [
        inner
        for one in level
        if isinstance(one, dict | list)
        for inner in (one.values() if isinstance(one, dict) else one)
    ]:
        depth += 1
    return depth


TARGET = BoundedJson()
