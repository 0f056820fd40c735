"""Places in code where something was raised: kept without frames, which would keep whatever was alive there."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from functools import lru_cache
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PRINTED = r'(?m)^ *(?:\| *)*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$'

Spot = tuple["CodeType", int]
"""A function's code, and the line in its file."""


ToldSpot = tuple[str, str, str, int, int]
"""A spot as plain data: file, name, qualified name, the first line of the function, and the line."""


class Place(NamedTuple):
    """A line of code, as messages and tables name it."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def spots_of(tb: TracebackType | None) -> list[Spot]:
    """Where *tb* leads through, first call first."""
    spots = []
    while tb is not None:
        spots.append((tb.tb_frame.f_code, tb.tb_lineno))
        tb = tb.tb_next
    return spots


def told_spots(spots: list[Spot]) -> list[ToldSpot]:
    """*spots* as plain data."""
    return [(code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno, line) for code, line in spots]


def spots_told(told: list[ToldSpot]) -> list[Spot]:
    """The spots that were *told* as plain data."""
    return [(_frame(*each).f_code, each[-1]) for each in told]


def without_ours(spots: list[Spot]) -> list[Spot]:
    """*spots* from the first that is none of this package; all of them when there is no other."""
    for index, (code, _) in enumerate(spots):
        if not code.co_filename.startswith(PACKAGE):
            return spots[index:]
    return spots


def places_of(spots: list[Spot]) -> list[Place]:
    """*spots* by name."""
    return [Place(code.co_filename, line, code.co_name) for code, line in spots]


def printed(places: list[Place]) -> str:
    """*places* as Python prints them, with their lines of source."""
    frames = [traceback.FrameSummary(place.file, place.line, place.function) for place in places]
    return "".join(traceback.StackSummary.from_list(frames).format())


def traceback_through(spots: list[Spot]) -> TracebackType | None:
    """A traceback through *spots*, whose frames hold nothing: no values, no globals, and no frame that called them."""
    tb: TracebackType | None = None
    for code, line in reversed(spots):
        frame = _frame(code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno, line)
        tb = TracebackType(tb, frame, 0, line)
    return tb


@lru_cache(maxsize=1024)
def _frame(file: str, name: str, qualified_name: str, first_line: int, line: int) -> FrameType:
    # Of a generator that was never started: a frame that has run knows its caller, and so all of a thread.
    code = _stub.__code__.replace(
        co_filename=file,
        co_name=name,
        co_qualname=qualified_name,
        co_firstlineno=first_line,
        co_linetable=_all_in_one_line(line - first_line, len(_stub.__code__.co_code) // 2),
    )
    frame: FrameType = FunctionType(code, {"__name__": qualified_name})().gi_frame
    return frame


def _stub() -> Iterator[None]:
    yield


def _all_in_one_line(line: int, units: int) -> bytes:
    """The table of lines of a code of so many units: all in one, counted from its first, and at no column. Its form is
    that of Python 3.11, in which each entry says how many lines it is further than the one before.
    """
    no_columns = 0b1_1101_000
    delta = line << 1 if line >= 0 else -line << 1 | 1
    number = bytearray()
    while delta > 0b11_1111:  # six bits a byte, the lowest first
        number.append(0b100_0000 | delta & 0b11_1111)
        delta >>= 6
    number.append(delta)
    table = bytes((no_columns | min(8, units) - 1, *number))
    return table + b"".join(bytes((no_columns | min(8, units - start) - 1, 0)) for start in range(8, units, 8))


def printed_places(text: str) -> list[Place]:
    """The places that a printed traceback names last: those of the exception that it is about."""
    last = text.rpartition("Traceback (most recent call last):")[2]
    return [Place(found["file"], int(found["line"]), found["function"]) for found in re.finditer(_PRINTED, last)]


def innermost(places: list[Place]) -> Place | None:
    """The last of *places* that is the user's own: neither Python's, nor installed, nor ours. Else the last of all."""
    own = (place for place in reversed(places) if is_own(place.file))
    return next(own, places[-1] if places else None)


def is_own(file: str) -> bool:
    """Is *file* the user's own code?"""
    if file.startswith(("<frozen ", PACKAGE)):
        return False
    if {"site-packages", "dist-packages"} & set(file.split(os.sep)):
        return False
    return not file.startswith(_standard_library())


@lru_cache(maxsize=1)
def _standard_library() -> tuple[str, ...]:
    paths = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    return tuple({os.path.join(path, "") for path in paths if path})
