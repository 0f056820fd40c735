"""What a wait of an agent means for its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .event import AgentParked, AgentResumed
from .pool_state import Step
from .waiter import Waiter

if TYPE_CHECKING:
    from .cell import AgentCell
    from .pool_state import PoolState


class Parking:
    """Lays out the slots of agents that wait, and gets them back.

    Locks: the pool's turn.
    """

    def __init__(self, pool: PoolState) -> None:
        self._pool = pool

    def rebalance(self) -> None:
        """A slot was laid out, and somebody needs one."""
        with Step(self._pool) as acts:
            self._pool.roster.balance(acts)

    def expect_slot(self, waiter: Waiter) -> None:
        """Whoever is parked at *waiter*, and holds no slot, is about to be woken."""
        with Step(self._pool) as acts:
            self._pool.roster.expect(waiter)
            self._pool.roster.balance(acts)

    def reclaim_slot(self, cell: AgentCell) -> None:
        """Wait until *cell* holds a slot again. A cancelled agent goes on without one, to its end."""
        if cell.token.cancelled:
            return
        pool = self._pool
        waiter = Waiter()
        with Step(pool) as acts:
            if cell.has_slot or cell.stopping or cell.outcome is not None:
                return
            pool.slots.woken.setdefault(cell, []).append(waiter)
            pool.roster.balance(acts)
        wake = waiter.wake
        cell.token.remind(wake)
        try:
            waiter.wait()
        finally:
            cell.token.forget(wake)
            with pool.turn:
                if waiter in pool.slots.woken.get(cell, ()):
                    del pool.slots.woken[cell]

    def parked(self, cell: AgentCell, on: str) -> None:
        """*cell* has parked."""
        self._pool.emit(cell, AgentParked, on=on)

    def resumed(self, cell: AgentCell) -> None:
        """*cell* goes on."""
        self._pool.emit(cell, AgentResumed)
