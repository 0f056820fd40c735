"""Threads that work for an agent: its tool calls."""

from __future__ import annotations

from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from ..clock import SYSTEM_CLOCK
from ..records.state import AgentState
from ..scheduling.agent_cell import ToolThread
from ..waiting.waiter import Waiter
from .pool_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..process.threads import Worker
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.effects import Effects
    from ..waiting.cancel import CancelToken
    from .parking import Parking
    from .pool_state import PoolState

    Job = tuple[Callable[[CancelToken], Any], float | None]


class ToolThreads:
    """The branches of all agents of a pool, and what they mean for the slots.

    Locks: the pool's turn guards what it changes: the branches' ``done``, ``parks`` and ``abandoned``, the
    cells' ``branches``, ``working`` and ``tools_waiter``.
    """

    def __init__(self, pool: PoolState, parking: Parking) -> None:
        self._pool = pool
        self._parking = parking

    def run(self, cell: AgentCell, jobs: Sequence[Job], names: Sequence[str] = ()) -> list[ToolThread]:
        """Run *jobs* at the same time for the agent whose thread this is, and wait for all of them.

        Args:
            cell: The agent.
            jobs: Functions with their timeouts in seconds. Each gets a token that its agent's cancel, or its own
                timeout, cancels.
            names: How a dump names them.
        Returns:
            The branches in the order of *jobs*. ``error`` is what the function raised; ``abandoned`` says that it
            still runs, past its time.
        Raises:
            Cancelled: The agent was cancelled; what still runs is abandoned.
        """
        cell.token.check()
        called = chain(names, repeat("a tool"))
        branches = [ToolThread(cell, name, job, timeout) for (job, timeout), name in zip(jobs, called, strict=False)]
        waiter = Waiter()
        wake = waiter.wake
        cell.token.remind(wake)
        self._begin(cell, branches, waiter)
        try:
            self._await(cell, branches, waiter)
        finally:
            cell.token.forget(wake)
            if not all(branch.done for branch in branches):
                self._abandon(branches)
            self._end(cell)
        cell.token.check()
        return branches

    def _await(self, cell: AgentCell, branches: Sequence[ToolThread], waiter: Waiter) -> None:
        while running := [branch for branch in branches if not (branch.done or branch.abandoned)]:
            if cell.token.cancelled:
                return
            ends = [branch.end for branch in running if branch.end is not None]
            now = SYSTEM_CLOCK.monotonic()
            if not waiter.wait(min(ends) - now if ends else None):
                now = SYSTEM_CLOCK.monotonic()
                self._abandon([branch for branch in running if branch.end is not None and branch.end <= now])

    def _begin(self, cell: AgentCell, branches: Sequence[ToolThread], waiter: Waiter) -> None:
        """The agent's thread starts *branches*, and works no more itself."""
        with self._pool.turn:
            cell.branches = cell.working = len(branches)
            cell.tools_waiter = waiter
            cell.team = branches
            cell.turn_to(AgentState.IN_TOOL)
        for branch in branches:
            try:
                self._pool.crew.start(partial(self._work, branch))
            except RuntimeError as error:  # "can't start new thread"
                branch.error = error
                self.ended(branch)

    def _work(self, branch: ToolThread, _: Worker) -> bool:
        """The job of a worker."""
        branch.work()
        if self._pool.is_forked:
            return False
        branch.cell.steps += 1
        branch.token.untie()
        self.ended(branch)
        return False

    def _end(self, cell: AgentCell) -> None:
        """The agent's thread goes on itself, with a slot."""
        with self._pool.turn:
            cell.branches = 0
            cell.team = ()
            cell.turn_to(AgentState.RUNNING)
            cell.working = 1
            cell.tools_waiter = None
            cell.parked_on = None
            self._pool.slots.idle.pop(cell, None)  # laid out and not taken: it is still held
            has_slot = cell.has_slot
        if not has_slot:
            self._parking.reclaim_slot(cell)

    def ended(self, branch: ToolThread) -> None:
        """*branch* has done its work."""
        with Step(self._pool) as effects:
            if branch.abandoned:
                self._pool.cancellation.abandoned.discard(branch)
                return
            branch.done = True
            self._leave(branch, effects)

    def _leave(self, branch: ToolThread, effects: Effects) -> None:
        cell = branch.cell
        cell.branches -= 1
        if not branch.parks:
            cell.working -= 1
        if cell.branches == 0 and cell.tools_waiter is not None:
            effects.wakes.append(cell.tools_waiter)  # the agent's thread goes on, with the slot
        elif cell.working == 0:
            self._parking.lay_out_waiting(cell, effects)

    def _abandon(self, branches: Iterable[ToolThread]) -> None:
        """Wait no longer for *branches* that still run: they are cancelled, and their threads are counted."""
        late: list[ToolThread] = []
        with Step(self._pool) as effects:
            for branch in branches:
                if not branch.done and not branch.abandoned:
                    branch.abandoned = True
                    branch.abandoned_at = self._pool.clock.monotonic()
                    self._pool.cancellation.abandoned.add(branch)
                    self._leave(branch, effects)
                    late.append(branch)
        for branch in late:
            stopped = branch.cell.token
            if stopped.cancelled:
                branch.token.cancel(stopped.reason, timed_out=stopped.timed_out)
            else:
                branch.token.cancel("the tool ran past its time", timed_out=True)
