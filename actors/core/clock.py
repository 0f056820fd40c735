"""The clock. One object, so that a test may bring its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Monotonic seconds for deadlines, wall-clock stamps for people."""

    monotonic: Callable[[], float] = staticmethod(time.monotonic)

    @staticmethod
    def now() -> datetime:
        """The wall-clock time, in UTC."""
        return datetime.now(UTC)

    def left(self, end: float | None) -> float | None:
        """Seconds until *end*, a moment of :attr:`monotonic`, and 0 when it is over; None when there is none."""
        return None if end is None else max(0.0, end - self.monotonic())


class WallTime:
    """The wall-clock time of moments of a clock's :attr:`Clock.monotonic`.

    Guarantees: a later moment has a later time, unless somebody has set the wall clock.

    Locks: none; both fields change by single operations, and any thread may look again.
    """

    LOOK_AGAIN = 1.0
    """Seconds after which it looks whether somebody has set the wall clock, or the machine has slept."""
    STEP = 0.1
    """So many seconds are a step. Less is how precisely two clocks can be read, and their drift."""

    __slots__ = ("_clock", "_look_at", "_offset")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._measured()
        self._look_at = clock.monotonic() + self.LOOK_AGAIN

    def at(self, moment: float) -> datetime:
        """The time of *moment*, in UTC."""
        if moment > self._look_at:
            self._look_at = moment + self.LOOK_AGAIN
            offset = self._measured()
            if abs(offset - self._offset) > self.STEP:
                self._offset = offset
        return datetime.fromtimestamp(moment + self._offset, UTC)

    def moment(self, at: datetime) -> float:
        """The moment of the time *at*."""
        return at.timestamp() - self._offset

    def _measured(self) -> float:
        """Wall-clock time less monotonic seconds: the best of three, as a thread may be interrupted between the two."""
        clock, best, offset = self._clock, float("inf"), 0.0
        for _ in range(3):
            before = clock.monotonic()
            now = clock.now().timestamp()
            took = clock.monotonic() - before
            if took < best:
                best, offset = took, now - before - took / 2
        return offset


SYSTEM_CLOCK = Clock()
