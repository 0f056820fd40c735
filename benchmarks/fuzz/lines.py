"""Which lines of the library an input reaches for the first time: such an input is worth to go on from."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import actors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

LIBRARY = str(Path(actors.__file__).parent)
TOOLS = (3, 4)
"""Numbers of ``sys.monitoring`` that it names for nobody."""


class SeenLines:
    """Counts the lines of the library that have run, between ``with`` and its end.

    From Python 3.12 on a line costs once, by ``sys.monitoring``; before, by ``sys.settrace``, each one does in a
    function that still has lines to show. Where somebody traces already (a debugger, the measurement of coverage),
    none is seen, and ``works`` is False.

    Threads: one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.works = False
        self._unseen: dict[CodeType, set[int]] = {}
        self._tool: int | None = None

    def __enter__(self) -> Self:
        if sys.version_info >= (3, 12):
            monitoring = sys.monitoring
            self._tool = next((tool for tool in TOOLS if monitoring.get_tool(tool) is None), None)
            if self._tool is not None:
                monitoring.use_tool_id(self._tool, "actors fuzz")
                monitoring.register_callback(self._tool, monitoring.events.LINE, self._monitored)
                monitoring.set_events(self._tool, monitoring.events.LINE)
                monitoring.restart_events()
            self.works = self._tool is not None
        else:
            self.works = sys.gettrace() is None
            if self.works:
                sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.version_info >= (3, 12):
            if self._tool is not None:
                sys.monitoring.set_events(self._tool, 0)
                sys.monitoring.free_tool_id(self._tool)
        elif sys.gettrace() == self._call:
            sys.settrace(None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Look away: what runs meanwhile has run before."""
        if sys.version_info >= (3, 12) or sys.gettrace() != self._call:
            yield
            return
        sys.settrace(None)
        try:
            yield
        finally:
            sys.settrace(self._call)

    def _monitored(self, code: CodeType, line: int) -> Any:
        if code.co_filename.startswith(LIBRARY):
            self._take(self._lines_of(code), line)
        return sys.monitoring.DISABLE  # type: ignore[attr-defined, unused-ignore]

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:  # noqa: ARG002 - the interpreter's signature
        if not frame.f_code.co_filename.startswith(LIBRARY):
            return None
        unseen = self._lines_of(frame.f_code)
        if not unseen:
            return None

        def line(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                self._take(unseen, frame.f_lineno)
            return line if unseen else None

        return line

    def _lines_of(self, code: CodeType) -> set[int]:
        if code not in self._unseen:
            self._unseen[code] = {line for *_, line in code.co_lines() if line is not None}
            self._unseen[code].discard(code.co_firstlineno)  # no line of its own
        return self._unseen[code]

    def _take(self, unseen: set[int], line: int) -> None:
        if line in unseen:
            unseen.discard(line)
            self.count += 1
