"""Reports handlers that neither end nor wait."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from ..crash import fenced
from ..waiting.crowd import crowd

if TYPE_CHECKING:
    from .shift import Ready, Shift

LOOKS = 4
"""How often in the time after which it is reported it is looked whether a handler has come to its end; and at least"""
PERIOD = 0.5
"""every so many seconds: so much may be missing of what a dump says."""


class Watched(Protocol):
    """A dispatcher, as far as it is watched."""

    def shifts(self) -> dict[int, Shift]:
        """Those at work, by the idents of their threads."""

    def watched_no_more(self) -> bool:
        """Nobody is at work, and who comes next is watched by another; False when somebody has come."""


class StallWatch:
    """Looks from time to time whether handlers come to their ends, as long as there are workers at work.

    Threads: that of the alarm.
    """

    def __init__(self, dispatcher: Watched, after: float) -> None:
        self._dispatcher = dispatcher
        self._after = after
        self._seen: dict[int, tuple[Ready, int, float, bool]] = {}

    def begin(self) -> None:
        """Look a while from now; if there can be no thread for that now, when there can be one."""
        alarm = crowd().alarm
        alarm.mind(self, alarm.clock.monotonic() + min(self._after / LOOKS, PERIOD))

    def ring(self) -> None:
        """Look. Each standstill is told once."""
        now = crowd().alarm.clock.monotonic()
        shifts = self._dispatcher.shifts()
        seen: dict[int, tuple[Ready, int, float, bool]] = {}
        for ident, shift in shifts.items():
            cell, progress = shift.cell, shift.progress
            if cell is None or shift.is_blocked:
                continue
            shift.since(now)
            before = self._seen.get(ident)
            if before is None or before[:2] != (cell, progress):
                seen[ident] = (cell, progress, now, False)
                continue
            is_told = before[3]
            if not is_told and now - before[2] >= self._after:
                fenced(self._tell, cell, ident, now - before[2], what="a report of a stall")
                is_told = True
            seen[ident] = (cell, progress, before[2], is_told)
        self._seen = seen
        if shifts or not self._dispatcher.watched_no_more():
            self.begin()

    def _tell(self, cell: Ready, ident: int, seconds: float) -> None:
        frame = sys._current_frames().get(ident)  # noqa: SLF001 - the documented way to another thread's stack
        stack = "" if frame is None else "".join(traceback.format_stack(frame))
        logger.warning(
            "{} has been in one handler for {:.1f} s and does not wait through the library: others of {} wait for its "
            "worker; put what blocks into `with actors.blocking():`\n{}",
            cell.label,
            seconds,
            self._dispatcher,
            stack,
        )
