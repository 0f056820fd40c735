"""How fast agents end."""

from __future__ import annotations

from collections import deque

WINDOW = 30.0
"""Seconds that are looked back."""


class Pace:
    """Counts how many ended by when; tells how many end in a second now.

    Threads: one.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def count(self, moment: float, ended: int) -> None:
        """By *moment* so many had ended."""
        if self._seen and moment < self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((moment, ended))
        while self._seen[-1][0] - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def per_second(self) -> float | None:
        """How many a second; None as long as there is nothing to compare with."""
        if len(self._seen) < 2:
            return None
        (earlier, before), (later, after) = self._seen[0], self._seen[-1]
        return (after - before) / (later - earlier) if later > earlier else None
