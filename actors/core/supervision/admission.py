"""Admission control: how agents come into a pool, or meet its backpressure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import Cancelled, CapacityError, PoolClosed
from ..checks import checking
from ..figures import counted
from ..records.heard import KEPT, NOT_HEARD
from ..records.told import INPUT, told_value
from ..scheduling.agent_cell import AgentCell, CheckedCell
from ..scheduling.roster import WaitingSpawn
from ..waiting.wait_graph import wait_for
from .pool_state import PoolPhase, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..records.spec import AgentSpec, Record
    from ..scheduling.agent_cell import Creditor, Host
    from .pool_state import PoolState


class Admission:
    """Admits agents, or refuses them.

    Guarantees: all that are asked for at once are admitted, or none; who waits for room is served in order.

    Locks: the pool's turn.
    """

    def __init__(self, pool: PoolState, host: Host) -> None:
        self._pool = pool
        self._host = host
        self._roster = pool.roster
        self.make_cell = CheckedCell if checking() else AgentCell

    def admit(
        self,
        specs: Sequence[AgentSpec],
        *,
        owner: Creditor | None,
        parent: AgentCell | None = None,
        timeout: float | None = 0.0,
        bounded: bool = True,
        keeps_events: bool = False,
    ) -> list[AgentCell]:
        """Admit all of *specs*, or none.

        Args:
            owner: To whom the outcomes are owed; None owes them to the handles alone.
            parent: The agent whose children they are. Children are never refused for lack of room.
            timeout: Seconds to wait for room, first come first served.
            bounded: False lets them queue beyond ``max_queued``.
            keeps_events: Are their events kept for whoever reads them?
        Raises:
            CapacityError: No room in time, or more than could ever fit.
            PoolClosed: The pool is closed; or it drains, and this is neither a child nor started by an actor of it.
        """
        self._pool.refuse_after_fork()
        if parent is not None:
            parent.check()
        bounded = bounded and parent is None
        key = self._pool.groups.key  # here: a user's group is compared and hashed, which is not done under the turn
        heard = KEPT if keeps_events else NOT_HEARD  # who listens is told of it from its admission on
        cells = [
            self.make_cell(self._host, spec, parent, owner, bounded=bounded, group=key(spec.group), heard=heard)
            for spec in specs
        ]
        cell: AgentCell
        if self._pool.with_content:  # here, and not when it starts: that is decided under the turn
            for cell in cells:
                cell.lazies[INPUT] = told_value(cell.spec.query)
        waiting: WaitingSpawn | None = None
        claimed: list[Record] | None = None
        try:
            for cell in cells:  # a deadline that nobody could watch is refused before anything is admitted, and so on
                spec = cell.spec
                if spec.timeout is not None or spec.deadline is not None:
                    self._pool.timer_thread.ensure_thread()
                if spec.on_event is not None:
                    self._pool.callbacks.follow(cell)
                if spec.record is not None:
                    claimed = claimed or []
                    claimed.append(spec.record)  # before: whatever interrupts it, the key is free again
                    spec.key = spec.record.claim(cell)
            self._pool.lives.admit(cells)
            with Step(self._pool) as effects:
                self._refuse_when_closed(parent)
                if not bounded or (not self._roster.waiting_spawns and self._roster.has_room(len(cells))):
                    self._roster.enter(cells, effects)
                else:
                    self._refuse_when_full(len(cells), timeout)
                    waiting = WaitingSpawn(cells)
                    self._roster.waiting_spawns.append(waiting)
                    self._roster.balance(effects)  # raises need: who parks next makes room
            if waiting is not None:
                wait_for(waiting.waiter, timeout, "room in the pool")
        finally:
            if waiting is not None:
                self._leave_line(waiting)
            if claimed and not cells[0].id:  # it has none: it was not admitted
                for record in claimed:
                    record.release()
        if waiting is not None:
            self._refuse_unless_admitted(waiting, timeout)
        return cells

    def enter(self, cells: Sequence[AgentCell]) -> None:
        """Take *cells* that were admitted in another process, under the ids that they have from there. None is refused;
        in a closed pool they are cancelled.
        """
        with Step(self._pool, calls_here=False) as effects:
            if self._pool.is_closed:
                for cell in cells:
                    cell.token.mark(f"pool {self._pool.name} is closed")
            self._roster.enter(cells, effects)

    def _refuse_when_closed(self, parent: AgentCell | None) -> None:
        if parent is not None:
            if parent.stopping:
                raise Cancelled(parent.token.reason, timed_out=parent.token.timed_out)
            if parent.outcome is not None:
                raise PoolClosed(f"{parent.label} has ended: it can have no more children")
        if self._pool.is_closed or not (self._pool.is_open or parent is not None or self._pool.actors.is_here()):
            state = "closed" if self._pool.is_closed else "draining"
            raise PoolClosed(f"pool {self._pool.name} is {state}: it takes no new agents")
        if parent is None and self._pool.slots.limit == 0:
            raise CapacityError("the pool takes no agents: max_concurrent is 0")

    def _refuse_when_full(self, count: int, timeout: float | None) -> None:
        self._roster.refuse_impossible(count)
        if timeout is not None and timeout <= 0:
            active, queued = self._pool.counts()
            raise CapacityError(
                f"agent pool at capacity ({active} active of {self._pool.slots.limit}, {queued} queued): nothing was "
                "started; AgentPool(max_queued=None) lets agents queue, spawn and fan_out wait for room with timeout="
            )

    def _leave_line(self, waiting: WaitingSpawn) -> None:
        with Step(self._pool) as effects:
            if waiting in self._roster.waiting_spawns:
                self._roster.waiting_spawns.remove(waiting)
                self._roster.balance(effects)  # who stands behind may need less room

    def _refuse_unless_admitted(self, waiting: WaitingSpawn, timeout: float | None) -> None:
        if not waiting.admitted:
            if self._pool.phase >= PoolPhase.DRAINING:
                raise PoolClosed(f"pool {self._pool.name} closed while the spawn waited for room")
            self._pool.lives.admit(())
            raise CapacityError(
                f"no room for {counted(len(waiting.cells), 'agent')} within {timeout} s: nothing was started; "
                "AgentPool(max_queued=None) lets agents queue, a longer timeout= waits longer"
            )
