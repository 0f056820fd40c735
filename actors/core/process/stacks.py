"""What the threads of the process are at: for dumps."""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType, FrameType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_CORE = os.path.join(_PACKAGE, "core") + os.sep
_CALLS_A_FUNCTION = os.path.join(_PACKAGE, "agent", "function_agent.py")


class Stacks:
    """The stacks of all threads at one moment."""

    def __init__(self) -> None:
        self._frames = _frames_of_all_threads()

    def text(self, ident: int) -> str:
        """The Python stack of that thread, from where code begins that is not the library's; empty when it has none."""
        frame = self._frames.get(ident)
        if frame is None:
            return ""
        frames = traceback.extract_stack(frame)
        # What every worker has at its top tells nothing: show from where the user's own code begins.
        own = next((n for n, entry in enumerate(frames) if not _is_ours(entry.filename)), 0)
        return "".join(traceback.format_list(frames[own:]))

    def own(self, ident: int) -> str:
        """As :meth:`text`, up to the last line that is not the library's; empty when all of it is."""
        frame = self._frames.get(ident)
        frames = [] if frame is None else traceback.extract_stack(frame)
        own = [n for n, entry in enumerate(frames) if not _is_ours(entry.filename)]
        return "".join(traceback.format_list(frames[own[0] : own[-1] + 1])) if own else ""

    def is_inside(self, ident: int, *codes: CodeType) -> bool:
        """Has that thread called a function of *codes*, and not returned?"""
        frame = self._frames.get(ident)
        while frame is not None:
            if frame.f_code in codes:
                return True
            frame = frame.f_back
        return False


def _frames_of_all_threads() -> dict[int, FrameType]:
    """The current frame of each thread, by its ident.

    With no garbage collection in between: 3.11 holds the lock of all threads then, and a finalizer that starts or
    ends a thread would wait for it for ever (seen; cpython gh-106883).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
    finally:
        if collects:
            gc.enable()


def _is_ours(filename: str) -> bool:
    return filename == threading.__file__ or filename.startswith(_CORE) or filename == _CALLS_A_FUNCTION


def indented(text: str) -> list[str]:
    """The lines of *text*, two spaces further to the right."""
    return ["  " + line for line in text.rstrip().splitlines()]
