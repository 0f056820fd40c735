"""An alarm whose time a test moves: no thread, no waiting."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from actors.core.clock import Clock
from actors.core.waiting.alarm import Alarm

if TYPE_CHECKING:
    from actors.core.waiting.alarm import Timed


class ManualClock(Clock):
    """Stands until it is moved. It begins where the real one is: waits that use that one are not all over."""

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.monotonic = lambda: self.at  # type: ignore[method-assign]


class ManualAlarm(Alarm):
    """Rings in the thread that moves its time: ``monkeypatch.setattr(crowd(), "alarm", ManualAlarm())``.

    What is rung (a timer, an actor's ``receive_timeout``, a pause of a shared actor) has been told when ``advance``
    returns; what actors make of it is theirs, in their own threads.
    """

    def __init__(self) -> None:
        self.by_hand = ManualClock()
        super().__init__(self.by_hand)
        self._heap: list[tuple[float, int, Timed]] = []

    def _wake(self) -> bool:
        """Nobody waits for it."""
        return True

    def advance(self, seconds: float) -> None:
        """Let so much time pass; each rings at its own moment."""
        end = self.by_hand.at + seconds
        while True:
            self._take_new(self._heap)
            if not self._heap or self._heap[0][0] > end:
                break
            self.by_hand.at = max(self.by_hand.at, self._heap[0][0])
            self._ring(self._heap, self.by_hand.at)
        self.by_hand.at = end

    def jump(self, seconds: float) -> None:
        """Let so much time pass at once, as for a machine that slept: all that became due meanwhile rings late."""
        self.by_hand.at += seconds
        self.advance(0.0)
