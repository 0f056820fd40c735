"""Yielding: what a wait of an agent, or of its tool calls, means for its slot."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..records.event import AgentParked, AgentResumed
from ..records.heard import KEPT
from ..records.state import PARKED
from ..scheduling.event_log import BATCH, EVENTS, NO_FIELDS, log_of
from ..waiting.waiter import Waiter
from .pool_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..records.event import Event
    from ..records.state import AgentState
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.effects import Effects
    from ..scheduling.event_log import EventLog
    from ..scheduling.tool_thread import ToolThread
    from .pool_state import PoolState


@lru_cache(64)
def _fields(on: str) -> dict[str, Any]:
    """What an ``AgentParked`` tells. Most wait for the same: of each agent that is parked it would take memory."""
    return {"on": on}


class Parking:
    """Lays out the slots of agents that wait, and gets them back: the ``Host`` of their cells.

    Locks: the pool's turn; ``clock``, ``wall``, ``moment`` and ``tool_lot`` never change.
    """

    def __init__(self, pool: PoolState) -> None:
        self._pool = pool
        self.clock = pool.clock
        self.wall = pool.wall
        self.moment = pool.moment
        self.tool_lot = ToolLot(pool, self)

    def park(self, member: AgentCell, on: str, state: AgentState = PARKED) -> None:
        """Lay the slot out for others. Only the agent's own thread, and only while none of its tools works.

        Parks nest: a wait inside ``parked()`` does not take the slot back.
        """
        member.parks += 1
        if member.parks > 1:
            return
        member.transition(state, on)
        pool = self._pool
        if member.heard:
            log: EventLog | None = member.lazies.get(EVENTS)
            if log is not None and not pool.listening and member.outcome is None:  # as emit does
                log.new.append((AgentParked, _fields(on), member.since))
                if log.waiting:
                    log.attend()
            else:
                pool.emit(member, AgentParked, _fields(on), member.since)
        if pool.tracing is not None:
            pool.trace(member, "parked", _fields(on))
        if member.has_slot:
            slots = pool.slots
            slots.idle[member] = None
            if slots.need:
                self.rebalance()
            if pool.witness is not None:
                pool.witness.parked()

    def unpark(self, member: AgentCell) -> None:
        """Get a slot back, waiting for it if somebody took it; a cancelled agent goes on without one."""
        member.parks -= 1
        pool = self._pool
        slots = pool.slots
        if member.parks:  # still inside parked(): a slot that came with the wake goes on to others
            if member.has_slot and member not in slots.idle:
                slots.idle[member] = None
                if slots.need:
                    self.rebalance()
                if pool.witness is not None:
                    pool.witness.parked()
            return
        if slots.idle.pop(member, pool) is pool:
            self.reclaim_slot(member)
        member.resume()
        if member.heard:
            log: EventLog | None = member.lazies.get(EVENTS)
            if log is not None and not pool.listening and member.outcome is None:  # as emit does
                new = log.new
                new.append((AgentResumed, NO_FIELDS, member.since))
                if log.waiting or len(new) >= BATCH:
                    log.attend()
            else:
                pool.emit(member, AgentResumed, NO_FIELDS, member.since)
        if pool.tracing is not None:
            pool.trace(member, "resumed", {})

    def tell(self, member: AgentCell, make: Callable[..., Event], fields: Mapping[str, Any]) -> None:
        """Tell an event of *member* to whoever listens."""
        if member.heard:
            self._pool.emit(member, make, fields)

    def rebalance(self) -> None:
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


TOLD: Final = "told_parked"
"""It was told of the agent that it is parked, and not yet that it goes on: one of the cell's lazies."""


class ToolLot:
    """Where tool calls park: their agent's slot is laid out exactly while none of them works.

    Guarantees: each ``AgentParked`` that is told of an agent is followed by an ``AgentResumed`` before the next one,
    unless the agent ends.

    Locks: the pool's turn.
    """

    def __init__(self, pool: PoolState, parking: Parking) -> None:
        self._pool = pool
        self._parking = parking
        self._clock = pool.clock

    def park(self, member: ToolThread[AgentCell], on: str) -> None:
        """*member* waits for somebody else: its agent needs no slot if all of its tool calls do."""
        cell: AgentCell = member.cell
        with Step(self._pool) as effects:
            member.parks += 1
            if member.parks == 1:
                member.parked_on, member.since = on, self._clock.monotonic()
            cell.steps += 1
            if not (member.abandoned or member.parks > 1 or cell.works()):  # parks nest
                self.lay_out(cell, effects)
        if member.parks == 1:  # its own thread is here
            self._pool.trace(cell, "parked", _fields(on), member)

    def unpark(self, member: ToolThread[AgentCell]) -> None:
        """*member* goes on: its agent needs a slot again, if it was the first to go on."""
        cell: AgentCell = member.cell
        with Step(self._pool) as effects:
            member.parks -= 1
            cell.steps += 1
            if member.abandoned:  # a slot that came with its wake goes on to others, if nobody else of its agent works
                if any(cell.running_tools()) and not cell.works():
                    self.lay_out(cell, effects)
                return
            if member.parks:  # still inside parked(): a slot that came with the wake goes on to others
                if not cell.works():
                    self.lay_out(cell, effects)
                return
            member.parked_on, member.since = None, self._clock.monotonic()
            if cell.state is PARKED:
                cell.resume()
            self._pool.slots.idle.pop(cell, None)
            has_slot = cell.has_slot
        if not has_slot:
            self._parking.reclaim_slot(cell)
        if TOLD in cell.lazies and not member.abandoned:
            self.tell_resumed(cell)
        self._pool.trace(cell, "resumed", {}, member)

    def has_told(self, cell: AgentCell) -> bool:
        """Was it told of *cell* that it is parked, and not yet that it goes on? Under the turn."""
        return TOLD in cell.lazies

    def tell_resumed(self, cell: AgentCell) -> None:
        """*cell*, of which it may have been told that it is parked, has its slot again."""
        with Step(self._pool) as effects:
            if cell.lazies.pop(TOLD, False) and cell.outcome is None:
                self._pool.roster.tell(cell, AgentResumed, NO_FIELDS, self._clock.monotonic(), effects)

    def tell(self, member: ToolThread[AgentCell], make: Callable[..., Event], fields: Mapping[str, Any]) -> None:
        """Tell an event of its agent to whoever listens."""
        self._parking.tell(member.cell, make, fields)

    def lay_out(self, cell: AgentCell, effects: Effects) -> None:
        """All tool calls of *cell* wait, and so does the agent. Under the turn."""
        on = next(tool.parked_on or "" for tool in cell.running_tools())
        cell.transition(PARKED, on)
        if cell.heard and TOLD not in cell.lazies and cell.outcome is None:
            cell.lazies[TOLD] = True
            if cell.heard is KEPT:
                log_of(cell)
            self._pool.roster.tell(cell, AgentParked, _fields(on), cell.since, effects)
        # One that stood in line for a slot, and was left meanwhile, needs none; any other asks again when it runs.
        effects.wakes.extend(self._pool.slots.woken.pop(cell, ()))
        if cell.has_slot:
            self._pool.slots.idle[cell] = None
        self._pool.roster.balance(effects)
        if self._pool.witness is not None:
            self._pool.witness.parked()
