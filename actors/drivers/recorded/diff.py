"""What tells a request from a recorded one, in few lines for a person."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from ...core.shown import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST: Final = 34
"""Lines of a diff: with the words around it a message has at most 40."""
WIDTH: Final = 110
BLOCK: Final = 10
"""So many lines of one change are shown, of each side: of a longer one the other side would not be seen."""
AROUND: Final = 2
"""Lines that are the same, shown before and after a change."""
COMPARED: Final = 2_000
"""Lines that are compared, from the first that differs on: time grows with their square."""
BEFORE: Final = 40
"""Characters of a long line that are shown before the first that differs."""


def readable(data: Any) -> list[str]:
    """*data* as lines of JSON; a text of several lines is a list of them."""
    return json.dumps(_with_lines(data), indent=1, sort_keys=True, ensure_ascii=False).split("\n")


def differences(recorded: Sequence[str], asked: Sequence[str], most: int = MOST) -> list[str]:
    """What differs in two lists of lines: ``-`` only recorded, ``+`` only asked; nothing when they are equal."""
    head = common_start(recorded, asked)
    tail = common_start(recorded[head:][::-1], asked[head:][::-1])
    first = max(0, head - AROUND)
    old, new = recorded[first : len(recorded) - tail + AROUND], asked[first : len(asked) - tail + AROUND]
    if old == new:
        return []
    told = list(_told(old[:COMPARED], new[:COMPARED]))
    return told if len(told) <= most else [*told[: most - 1], f"... {len(told) - most + 1} more lines"]


def _told(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND)
    for number, group in enumerate(groups):
        if number:
            yield "..."
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                yield from (f"  {one_line(line, WIDTH)}" for line in old[start:end])
            else:
                yield from _change(old[start:end], new[other_start:other_end])


def _change(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    pairs = [
        _cut(one or "", other or "") if one is not None and other is not None else (one or "", other or "")
        for one, other in zip_longest(old[:BLOCK], new[:BLOCK])
    ]
    for sign, lines, whole in (("-", [one for one, _ in pairs], old), ("+", [other for _, other in pairs], new)):
        yield from (f"{sign} {one_line(line, WIDTH)}" for line in lines[: len(whole)])
        if len(whole) > BLOCK:
            yield f"{sign} ... {len(whole) - BLOCK} more lines"


def _cut(one: str, other: str) -> tuple[str, str]:
    """Both without the long part that they begin with."""
    if max(len(one), len(other)) <= WIDTH:
        return one, other
    start = common_start(one, other) - BEFORE
    return (one, other) if start <= 0 else (f"…{one[start:]}", f"…{other[start:]}")


def common_start(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items both begin with."""
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return index
    return min(len(one), len(other))


def _with_lines(data: Any) -> Any:
    if isinstance(data, str):
        lines = data.split("\n")
        return data if len(lines) == 1 else lines
    if isinstance(data, dict):
        return {key: _with_lines(value) for key, value in data.items()}
    return [_with_lines(value) for value in data] if isinstance(data, list) else data
