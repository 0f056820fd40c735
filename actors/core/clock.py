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


SYSTEM_CLOCK = Clock()
