"""How often something that crashed may start again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock
    from ..records.spec import RestartPolicy


class Restarts:
    """The restarts of one agent or actor, counted in a sliding window.

    Guarantees: at most ``max_restarts`` within any ``window`` seconds.

    Threads: one, that of the agent or actor.
    """

    __slots__ = ("_at", "_clock", "_policy", "total")

    def __init__(self, policy: RestartPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._at: deque[float] = deque()
        self.total = 0

    @property
    def next_at(self) -> float:
        """The moment, by the clock, at which what was restarted last begins again."""
        at = tuple(self._at)
        return at[-1] if at else 0.0

    def take(self) -> float | None:
        """Take one restart: the seconds to wait before it; None when none is left in the window."""
        policy = self._policy
        now = self._clock.monotonic()
        while self._at and self._at[0] <= now - policy.window:
            self._at.popleft()
        if len(self._at) >= policy.max_restarts:
            return None
        delay = policy.backoff.delay(len(self._at) + 1)
        self._at.append(now + delay)  # when it starts again, not when it crashed
        self.total += 1
        return delay

    def go_on(self, total: int) -> None:
        """It was started again *total* times so far, elsewhere: all of them count as if they were now."""
        self.total = total
        self._at.extend([self._clock.monotonic()] * min(total, self._policy.max_restarts))

    def counted(self, total: int) -> None:
        """It was started again elsewhere: so often in all."""
        self.total = max(self.total, total)
