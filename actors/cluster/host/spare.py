"""How many slots a host has to spare, as it tells the program with every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lane import HostState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.supervision.pool_state import PoolState


class Spare:
    """Counts the agents of a host that have laid their slots out, and the slots that nobody of it needs.

    Guarantees: when the program was told last that no slot is free, and one is, there is news: so what waits in the
    program for room is placed at once, and not when the host has something else to say. A drain that has waited for a
    while is told of every other change of the counts.

    Args:
        pool: The host's own.
        when_news: Called when there is, also under the turn.

    Locks: none. The pool's turn is taken to count; ``_told`` and ``_raised_at`` are written by calls of the program,
    and who lays a slot out looks at them after that: so one of the two sees the other. The same holds for a drain: it
    sets ``_is_awaited``, and then counts.
    """

    def __init__(self, incarnation: str, pool: PoolState, when_news: Callable[[], object]) -> None:
        self._incarnation = incarnation
        self._pool = pool
        self._when_news = when_news
        self._told = 1
        self._counts = (0, 0)
        self._is_awaited = False
        self._raised_at = 0.0

    def state(self, took: int, *, is_void: bool) -> HostState:
        """For an answer.

        Args:
            took: The number of the last item that came.
            is_void: The host has nothing to say any more: the answer is none of it.
        """
        pool = self._pool
        with pool.turn:
            free, now = self._free(), pool.clock.monotonic()
            parked, strays = self._count()
        if self._told <= 0 < free:
            self._raised_at = now
        self._told, self._counts = free, (parked, strays)
        incarnation = f"{self._incarnation}, fenced off" if is_void else self._incarnation
        return HostState(incarnation, now, took, parked, max(0, free), strays)

    def heard(self, sent_at: float) -> None:
        """The program has got the answer that was sent at that moment."""
        if sent_at < self._raised_at:  # it may never get the one that told of free slots
            self._told = 0

    def parked(self) -> None:
        """A slot was laid out. Also under the turn."""
        if self._is_awaited or self.is_news():
            self._is_awaited = False
            self._when_news()

    def is_news(self) -> bool:
        """Does the program take the host for full, and it is not?"""
        return self._told <= 0 < self._free()

    def has_changed(self) -> bool:
        """Are the counts others than those that were told? If not, who lays a slot out says so."""
        self._is_awaited = True
        return self._count() != self._counts

    def _count(self) -> tuple[int, int]:
        """Those that are parked without a slot, and the threads that were left behind."""
        pool, slots = self._pool, self._pool.slots
        parked = len(pool.roster.live) - slots.held + len(slots.idle) - len(slots.woken)
        return max(0, parked), len(pool.cancellation.abandoned)

    def _free(self) -> int:
        return self._pool.slots.available - len(self._pool.roster.queued)
