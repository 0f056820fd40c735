"""Reports handlers that neither end nor wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

from loguru import logger

from ..crash import fenced
from ..process.at_exit import at_exit
from ..process.stacks import Stacks
from ..waiting.crowd import crowd

if TYPE_CHECKING:
    from ..process.threads import Worker
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


class Stall(NamedTuple):
    """A handler that stands: what it was at when that was seen, and for how many seconds."""

    cell: Ready
    shift: Shift
    progress: int
    seconds: float


class StallWatch:
    """Looks from time to time whether handlers come to their ends, as long as there are workers at work.

    It looks on the thread of the alarm, for which everybody waits, and tells on another: a log may block.

    Locks: none. ``_seen`` is the alarm's. ``_untold`` changes by single operations. ``_is_telling`` is set with a
    thread that is then started, which clears it when nothing is left; what comes just then is seen by the next look.
    """

    def __init__(self, dispatcher: Watched, after: float) -> None:
        self._dispatcher = dispatcher
        self._after = after
        self._seen: dict[int, tuple[Ready, int, float, bool]] = {}
        self._untold: deque[Stall] = deque()
        self._is_telling = False

    def begin(self) -> None:
        """Look a while from now; if there can be no thread for that now, when there can be one."""
        alarm = crowd().alarm
        alarm.mind(self, alarm.clock.monotonic() + min(self._after / LOOKS, PERIOD))

    def ring(self) -> None:
        """Look. Each standstill is told once."""
        shifts = self._dispatcher.shifts()
        self._look(shifts, crowd().alarm.clock.monotonic())
        if self._untold and not self._is_telling:
            self._begin_telling()
        if shifts or not self._dispatcher.watched_no_more():
            self.begin()

    def _look(self, shifts: dict[int, Shift], now: float) -> None:
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
                self._untold.append(Stall(cell, shift, progress, now - before[2]))
                is_told = True
            seen[ident] = (cell, progress, before[2], is_told)
        self._seen = seen

    def _begin_telling(self) -> None:
        self._is_telling = True
        try:
            at_exit().crew.start(self._tell_all)
        except RuntimeError:  # no thread can be started now: the next look tries again
            self._is_telling = False

    def _tell_all(self, _: Worker) -> bool:
        """A job: one thread at a time, however long the log takes."""
        try:
            while self._untold:
                fenced(self._tell, self._untold.popleft(), what="a report of a stall")
        finally:
            self._is_telling = False
        return False

    def _tell(self, stall: Stall) -> None:
        logger.warning(
            "{} has been in one handler for {:.1f} s and does not wait through the library: others of {} wait for its "
            "worker; put what blocks into `with actors.blocking():`\n{}",
            stall.cell.label,
            stall.seconds,
            self._dispatcher,
            _stack(stall),
        )


def _stack(stall: Stall) -> str:
    """The stack of its thread; empty when that is at something else by now."""
    text = Stacks().text(stall.shift.ident)
    return text if (stall.shift.cell, stall.shift.progress) == (stall.cell, stall.progress) else ""
