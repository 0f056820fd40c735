"""What a wait of an agent, or of its tool calls, means for its slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.event import AgentParked, AgentResumed
from ..records.state import PARKED
from ..waiting.waiter import Waiter
from .pool_state import Step

if TYPE_CHECKING:
    from ..records.state import AgentState
    from ..scheduling.agent_cell import AgentCell, ToolThread
    from ..scheduling.effects import Effects
    from .pool_state import PoolState


class Parking:
    """Lays out the slots of agents that wait, and gets them back: the ``Host`` of their cells.

    Locks: the pool's turn; ``clock`` never changes.
    """

    def __init__(self, pool: PoolState) -> None:
        self._pool = pool
        self.clock = pool.clock

    # An agent's own thread --------------------------------------------------------------------------------------

    def park(self, cell: AgentCell, on: str, state: AgentState = PARKED) -> None:
        """Lay the slot out for others. Only the agent's own thread, and only while none of its tools works.

        Parks nest: a wait inside ``parked()`` does not take the slot back.
        """
        cell.parks += 1
        if cell.parks > 1:
            return
        cell.transition(state, on)
        pool = self._pool
        if pool.listening:
            pool.emit(cell, AgentParked, on=on)
        if cell.has_slot:
            self._lay_out(cell)

    def _lay_out(self, cell: AgentCell) -> None:
        slots = self._pool.slots
        slots.idle[cell] = None
        if slots.need:
            self._rebalance()

    def unpark(self, cell: AgentCell) -> None:
        """Get a slot back, waiting for it if somebody took it; a cancelled agent goes on without one."""
        cell.parks -= 1
        pool = self._pool
        idle = pool.slots.idle
        if cell.parks:  # still inside parked(): a slot that came with the wake goes on to others
            if cell.has_slot and cell not in idle:
                self._lay_out(cell)
            return
        if idle.pop(cell, pool) is pool:
            self.reclaim_slot(cell)
        cell.resume()
        if pool.listening:
            pool.emit(cell, AgentResumed)

    def _rebalance(self) -> None:
        """A slot was laid out, and somebody needs one."""
        with Step(self._pool) as effects:
            self._pool.roster.balance(effects)

    def expect_slot(self, cell: AgentCell, waiter: Waiter) -> None:
        """*cell*, which is parked at *waiter* and holds no slot, is about to be woken."""
        if cell in self._pool.slots.woken:
            return
        with Step(self._pool) as effects:
            self._pool.roster.expect(waiter)
            self._pool.roster.balance(effects)

    def reclaim_slot(self, cell: AgentCell) -> None:
        """Wait until *cell* holds a slot again. A cancelled agent goes on without one, to its end."""
        if cell.token.cancelled:
            return
        pool = self._pool
        waiter = Waiter()
        with Step(pool) as effects:
            if cell.has_slot or cell.stopping or cell.outcome is not None:
                return
            pool.slots.woken.setdefault(cell, []).append(waiter)
            pool.roster.balance(effects)
        wake = waiter.wake
        cell.token.remind(wake)
        try:
            waiter.wait()
        finally:
            cell.token.forget(wake)
            with pool.turn:
                if waiter in pool.slots.woken.get(cell, ()):
                    del pool.slots.woken[cell]

    # Its tool calls ---------------------------------------------------------------------------------------------

    def park_tool(self, tool: ToolThread, on: str) -> None:
        """*tool* waits for somebody else: its agent needs no slot if all of its tool calls do."""
        cell = tool.cell
        with Step(self._pool) as effects:
            tool.parks += 1
            if tool.parks == 1:
                tool.parked_on, tool.since = on, self.clock.monotonic()
            cell.steps += 1
            if not (tool.abandoned or tool.parks > 1 or cell.works()):  # parks nest
                self.lay_out_waiting(cell, effects)

    def unpark_tool(self, tool: ToolThread) -> None:
        """*tool* goes on: its agent needs a slot again, if it was the first to go on."""
        cell = tool.cell
        with Step(self._pool) as effects:
            tool.parks -= 1
            cell.steps += 1
            if tool.abandoned:
                return
            if tool.parks:  # still inside parked(): a slot that came with the wake goes on to others
                if not cell.works():
                    self.lay_out_waiting(cell, effects)
                return
            tool.parked_on, tool.since = None, self.clock.monotonic()
            if cell.state is PARKED:
                cell.resume()
            self._pool.slots.idle.pop(cell, None)
            has_slot = cell.has_slot
        if not has_slot:
            self.reclaim_slot(cell)

    def lay_out_waiting(self, cell: AgentCell, effects: Effects) -> None:
        """All tool calls of *cell* wait, and so does the agent. Under the turn."""
        cell.transition(PARKED, next(tool.parked_on or "" for tool in cell.running_tools()))
        if cell.has_slot:
            self._pool.slots.idle[cell] = None
            self._pool.roster.balance(effects)
