"""The clock. One object, so that a test may bring its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Monotonic seconds for deadlines, wall-clock stamps for people."""

    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def now() -> datetime:
        """The wall-clock time, in UTC."""
        return datetime.now(UTC)


SYSTEM_CLOCK = Clock()
