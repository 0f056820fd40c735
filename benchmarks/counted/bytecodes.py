"""Counts the bytecodes that all threads execute, by the function that they belong to."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

SLOWER = 20
"""Counting makes a program so many times slower: threads change that much later, at the same places as without it."""
HERE = Path(__file__).parents[2]


class Bytecodes(Protocol):
    """Counts all threads that are started after it, and this one, until it is stopped."""

    def start(self) -> None:
        """Count from now on."""

    def stop(self) -> None:
        """Count no more."""

    def so_far(self) -> Counter[CodeType]:
        """How many each function has executed."""


def bytecodes() -> Bytecodes:
    """The way of this Python."""
    return Monitored() if sys.version_info >= (3, 12) else Traced()


class Traced:
    """By ``sys.settrace``, which gives each thread its own.

    Locks: none. A cell is written by its thread alone; that of a thread that has ended goes on in the next one of its
    number. ``_cells`` only grows.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[int, CodeType], tuple[list[int], Any]] = {}
        self._interval = sys.getswitchinterval()

    def start(self) -> None:
        """Count from now on."""
        sys.setswitchinterval(self._interval * SLOWER)
        threading.settrace(self._begin)
        sys.settrace(self._begin)

    def stop(self) -> None:
        """Count no more."""
        sys.settrace(None)
        threading.settrace(None)
        sys.setswitchinterval(self._interval)

    def so_far(self) -> Counter[CodeType]:
        """How many each function has executed."""
        found: Counter[CodeType] = Counter()
        for (_, code), (cell, _) in list(self._cells.items()):
            found[code] += cell[0]
        return found

    def _begin(self, frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG002 - a trace function's signature
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        key = (threading.get_ident(), frame.f_code)
        known = self._cells.get(key)
        if known is None:
            cell = [0]
            known = self._cells[key] = (cell, _counting(cell))
        return known[1]


def _counting(cell: list[int]) -> Callable[[FrameType, str, object], Any]:
    def count(frame: FrameType, event: str, arg: object) -> Any:  # noqa: ARG001 - a trace function's signature
        if event == "opcode":
            cell[0] += 1
        return count

    return count


class Monitored:
    """By ``sys.monitoring`` (Python 3.12), which sees all threads.

    Locks: none. Threads change at the beginnings of functions, after calls and at the ends of loops: not between the
    reading and the writing of a cell.
    """

    def __init__(self) -> None:
        self._cells: dict[int, list[Any]] = {}
        self._interval = sys.getswitchinterval()

    def start(self) -> None:
        """Count from now on."""
        watch: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        sys.setswitchinterval(self._interval * SLOWER)
        watch.use_tool_id(watch.PROFILER_ID, "bytecodes")
        watch.register_callback(watch.PROFILER_ID, watch.events.INSTRUCTION, self._counting())
        watch.set_events(watch.PROFILER_ID, watch.events.INSTRUCTION)

    def stop(self) -> None:
        """Count no more."""
        watch: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        watch.set_events(watch.PROFILER_ID, 0)
        watch.free_tool_id(watch.PROFILER_ID)
        sys.setswitchinterval(self._interval)

    def so_far(self) -> Counter[CodeType]:
        """How many each function has executed."""
        found: Counter[CodeType] = Counter()
        for code, count in list(self._cells.values()):
            found[code] += count
        return found

    def _counting(self) -> Callable[[CodeType, int], None]:
        cells = self._cells

        def count(code: CodeType, offset: int) -> None:  # noqa: ARG001 - a callback's signature
            key = id(code)  # the hash of a code is made anew each time
            if key not in cells:
                cells[key] = [code, 0]
            cells[key][1] += 1

        return count


def name_of(code: CodeType) -> str:
    """File and function, from the top of the repository or of what is installed."""
    path = Path(code.co_filename)
    try:
        where = str(path.relative_to(HERE))
    except ValueError:
        where = "/".join(path.parts[-2:])
    return f"{where}:{code.co_qualname}"
