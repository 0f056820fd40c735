"""The long-lived actors of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from loguru import logger

from ...errors import PoolClosed
from ..actors.actor_cell import ActorCell
from ..shown import shown
from ..waiting.wait_graph import current, wait_for
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..actors.home import Resident
    from ..clock import Clock
    from ..scheduling.turn import Turn
    from ..waiting.wait_graph import WaitMember


class OwningPool(Protocol):
    """A pool, as far as its actors are concerned."""

    name: str
    turn: Turn
    clock: Clock
    abort_timeout: float

    @property
    def is_open(self) -> bool:
        """Does it take agents of the program?"""

    def refuse_after_fork(self) -> None:
        """Raise in a forked child."""


class StrayActor(NamedTuple):
    """An actor that did not end in time, and the moment at which it was left."""

    cell: Resident
    since: float


class PoolActors:
    """The long-lived actors of a pool: they begin while it is open, and end before it does (the protocol ``Home``).

    They are no agents: they hold no slot, and nothing is owed for them. Their children belong to the pool, too; these
    end with their parents, so nothing is kept of them here.

    Guarantees: who is adopted is stopped or aborted by whoever ends the pool.

    Locks: the pool's turn guards ``_live``, ``_leaving``, ``_line``, ``_told_at``, ``strays`` and ``_waiters``; nobody
    is stopped or woken under it. ``door`` is written before anybody else has the pool.
    """

    def __init__(self, pool: OwningPool) -> None:
        self._pool = pool
        self.name = pool.name
        self._live: dict[Resident, None] = {}
        self._leaving: Resident | None = None
        self._line: list[Resident] = []
        self._waiters: list[Waiter] = []
        self._told_at = self._abort_at = 0.0
        self.strays: dict[Resident, float] = {}
        """Those that did not end in time, by the moments at which they were left."""
        self.door: Callable[[], Any] = _nobody

    @property
    def label(self) -> str:
        """How messages name the pool."""
        return f"pool {shown(self._pool.name)}"

    def cells(self) -> list[Resident]:
        """Those that have not ended, the oldest first; without their children."""
        with self._pool.turn:
            return list(self._live)

    def abandoned(self) -> list[StrayActor]:
        """Those that did not end in time, and have not yet."""
        return [StrayActor(*each) for each in list(self.strays.items())]

    def hosts(self, member: WaitMember | None) -> bool:
        """Is *member* one of them, or below one?"""
        return isinstance(member, ActorCell) and member.home is self

    def is_here(self) -> bool:
        """Does the handler of one of them run in this thread?"""
        return self.hosts(current())

    # The protocol Home --------------------------------------------------------------------------------------------

    def refuse_when_closed(self) -> None:
        """Raise when the pool takes no actors any more."""
        self._pool.refuse_after_fork()
        if not self._pool.is_open:
            raise PoolClosed(f"{self.label} drains or is closed: it takes no new actors")

    def adopt(self, cell: Resident) -> None:
        """*cell* begins, unless the pool ends meanwhile."""
        with self._pool.turn:
            self.refuse_when_closed()
            self._live[cell] = None

    def forget(self, cell: Resident) -> None:
        """*cell* has ended. While all are stopped, the next one is now."""
        following: Resident | None = None
        waiters: list[Waiter] = []
        with self._pool.turn:
            self._live.pop(cell, None)
            self.strays.pop(cell, None)
            if self._leaving is cell:
                self._leaving = following = self._next()
                self._told_at = self._pool.clock.monotonic()
            if not self._live:
                waiters = list(self._waiters)
        if following is not None:
            following.stop()
        for waiter in waiters:
            waiter.wake()

    def _next(self) -> Resident | None:
        """The youngest that is left. (Not looked for in ``_live``: that would step over all who have left before.)"""
        while self._line:
            cell = self._line.pop()
            if cell in self._live:
                return cell
        return None

    # Their end ----------------------------------------------------------------------------------------------------

    def stop(self, end: float | None = None) -> bool:
        """Stop them, the youngest first, which may still ask those before it; what each has accepted is handled.

        Each has ``abort_timeout`` seconds, however many there are; when one needs more, all that are left are aborted.

        Args:
            end: The moment at which the caller waits no longer; None: whatever it takes.
        Returns:
            False when not all have ended by then; they go on.
        """
        with self._pool.turn:
            begins = self._leaving is None
            if begins:
                self._line = list(self._live)
                self._leaving = self._next()
            first = self._leaving
            self._told_at = self._pool.clock.monotonic()
        if begins and first is not None:
            first.stop()
        while True:
            overdue_at = self._overdue_at()
            until = overdue_at if end is None else min(end, overdue_at)
            if self._wait_until(until):
                return True
            if until == end:
                return False
            if overdue_at == self._overdue_at():  # else others have ended meanwhile
                self.abort(f"it did not end within {self._pool.abort_timeout} s")
                self.wait_or_abandon()
                return True

    def _overdue_at(self) -> float:
        """The moment at which the one that ends now has had its time."""
        with self._pool.turn:
            return self._told_at + self._pool.abort_timeout

    def _wait_until(self, moment: float) -> bool:
        return self.wait(max(0.0, moment - self._pool.clock.monotonic()))

    def abort(self, reason: str) -> None:
        """Abort them; returns at once."""
        cells = self.cells()
        try:
            for cell in cells:
                cell.abort(reason)
        finally:
            self._abort_at = self._abort_at or self._pool.clock.monotonic()

    def wait(self, timeout: float) -> bool:
        """Wait until all have ended; False when the time ran out."""
        waiter = Waiter()
        with self._pool.turn:
            if not self._live:
                return True
            self._waiters.append(waiter)
        try:
            wait_for(waiter, timeout, "the actors of the pool")
        finally:
            with self._pool.turn:
                self._waiters.remove(waiter)
        return not self._live

    def wait_or_abandon(self) -> None:
        """Wait until all that were aborted have ended, at most ``abort_timeout`` seconds since; then leave them."""
        if self._wait_until(self._abort_at + self._pool.abort_timeout):
            return
        with self._pool.turn:
            left = list(self._live)
            self._live.clear()
            self.strays.update(dict.fromkeys(left, self._pool.clock.monotonic()))
        for cell in left:
            logger.warning(
                "{} of {} has not ended {} s after it was aborted: its thread is left behind",
                shown(cell.label),
                self.label,
                self._pool.abort_timeout,
            )

    def give_up(self) -> None:
        """Whoever waits for their ends waits no longer."""
        with self._pool.turn:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()


def _nobody() -> None:
    """No pool was made of it."""
