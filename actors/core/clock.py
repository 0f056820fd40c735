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


SYSTEM_CLOCK = Clock()
