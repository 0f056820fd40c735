"""Threads that work for an agent: its tool calls."""

from __future__ import annotations

import threading
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from ...errors import Cancelled
from ..clock import SYSTEM_CLOCK
from ..records.state import IN_TOOL, RUNNING
from ..scheduling.tool_thread import ToolThread
from ..tracing import SPANS
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
    """Runs the tool calls of all agents of a pool, each on a thread of its own.

    Locks: the pool's turn guards what it changes of cells and tool threads.
    """

    def __init__(self, pool: PoolState, parking: Parking) -> None:
        self._pool = pool
        self._parking = parking

    def run(self, cell: AgentCell, jobs: Sequence[Job], names: Sequence[str] = ()) -> list[ToolThread[AgentCell]]:
        """Run *jobs* at the same time for the agent whose thread this is, and wait for all of them.

        Args:
            cell: The agent.
            jobs: Functions with their timeouts in seconds. Each gets a token that its agent's cancel, or its own
                timeout, cancels.
            names: How a dump names them.
        Returns:
            The tools in the order of *jobs*. ``error`` is what the function raised; ``abandoned`` says that it
            still runs, past its time.
        Raises:
            Cancelled: The agent was cancelled; what still runs is abandoned.
        """
        cell.token.check()
        called = chain(names, repeat("a tool"))
        lot, now = cell.host.tool_lot, cell.host.clock.monotonic()
        tools = [
            ToolThread(cell, name, job, timeout, lot=lot, since=now)
            for (job, timeout), name in zip(jobs, called, strict=False)
        ]
        wake = partial(_wake, cell)
        cell.token.remind(wake)
        self._begin(cell, tools)
        try:
            self._await(cell, tools)
        finally:
            cell.token.forget(wake)
            if not all(tool.done for tool in tools):
                self._abandon(tools)
            self._end(cell)
        cell.token.check()
        return tools

    # In the agent's own thread -----------------------------------------------------------------------------------

    def begin_inline(self, cell: AgentCell, tool: ToolThread[AgentCell]) -> None:
        """The agent's thread is about to do the work of *tool* itself."""
        with self._pool.turn:
            cell.tool_threads = (tool,)
            cell.transition(IN_TOOL)

    def end_inline(self, cell: AgentCell, tool: ToolThread[AgentCell]) -> bool:
        """It has done it; False: another thread has gone on with the agent meanwhile."""
        if self._pool.is_forked:
            return False  # the tool has forked, and this is the child: nobody is left to go on
        tool.token.untie()
        is_held = tool.when_free is not None
        with self._pool.turn:
            was_left = tool.abandoned
            if not is_held:
                tool.done = True
                if was_left:
                    self._pool.cancellation.abandoned.discard(tool)
            elif not was_left:  # a loop that it holds was left behind, past its time
                tool.abandoned = True
                tool.abandoned_at = self._pool.clock.monotonic()
                self._pool.cancellation.abandoned.add(tool)
            has_slot, is_told = (False, False) if was_left else self._goes_on(cell)
        if tool.when_free is not None:
            tool.when_free(lambda: self.ended(tool))
        if was_left:
            return False
        if not has_slot:
            self._parking.reclaim_slot(cell)
        if is_told:
            self._parking.tool_lot.tell_resumed(cell)
        return True

    def leave_inline(self, cell: AgentCell, tool: ToolThread[AgentCell]) -> bool:
        """This thread goes on with the agent, and leaves the one that is in *tool* behind; False: it is too late."""
        with self._pool.turn:
            context = cell.context
            if tool.done or tool.abandoned or context is None:
                return False
            cell.thread = threading.get_ident()
            cell.context = context.copy()  # the other thread is inside that one
            tool.abandoned = True
            tool.abandoned_at = self._pool.clock.monotonic()
            self._pool.cancellation.abandoned.add(tool)
        self._cancel_late(tool)
        self._end(cell)
        return True

    def limit(self, cell: AgentCell, seconds: float) -> None:
        """What still runs for *cell* has so long from now on, at most: nobody needs it any more. Any thread."""
        end = SYSTEM_CLOCK.monotonic() + seconds
        tool: ToolThread[AgentCell]
        with Step(self._pool) as effects:
            for tool in cell.running_tools():
                tool.end = end if tool.end is None else min(tool.end, end)
            if cell.tools_waiter is not None:  # the agent's thread looks how long it has to wait
                effects.wakes.append(cell.tools_waiter)
                cell.tools_waiter = Waiter()

    def _await(self, cell: AgentCell, tools: Sequence[ToolThread[AgentCell]]) -> None:
        while running := [tool for tool in tools if not (tool.done or tool.abandoned)]:
            waiter = cell.tools_waiter
            assert waiter is not None  # it is taken away by this thread
            if cell.token.cancelled:
                return
            ends = [tool.end for tool in running if tool.end is not None]
            now = SYSTEM_CLOCK.monotonic()
            if not waiter.wait(min(ends) - now if ends else None):
                now = SYSTEM_CLOCK.monotonic()
                self._abandon([tool for tool in running if tool.end is not None and tool.end <= now])

    def _begin(self, cell: AgentCell, tools: Sequence[ToolThread[AgentCell]]) -> None:
        """The agent's thread starts *tools*, and works no more itself."""
        with self._pool.turn:
            cell.tool_threads = tools
            cell.tools_waiter = Waiter()
            cell.transition(IN_TOOL)
        for tool in tools:
            try:
                self._pool.crew.start(self._job(tool))
            except RuntimeError as error:  # "can't start new thread"
                tool.error = error
                self.ended(tool)

    def _job(self, tool: ToolThread[AgentCell]) -> Callable[[Worker], bool]:
        """What a worker does for *tool*. A closure: a partial function would take stack for as long as it runs."""

        def work(_: Worker) -> bool:
            cell: AgentCell = tool.cell
            tool.work()
            if not self._pool.is_forked:
                cell.steps += 1
                tool.token.untie()
                if tool.when_free is None:
                    self.ended(tool)
                else:  # a loop that it holds was left behind: it counts until that is free
                    tool.when_free(lambda: self.ended(tool))
            return False

        return work

    def _end(self, cell: AgentCell) -> None:
        """The agent's thread goes on itself, with a slot."""
        with self._pool.turn:
            has_slot, is_told = self._goes_on(cell)
        if not has_slot:
            self._parking.reclaim_slot(cell)
        if is_told:
            self._parking.tool_lot.tell_resumed(cell)

    def _goes_on(self, cell: AgentCell) -> tuple[bool, bool]:
        """*cell* works itself again. Under the turn. Has it a slot, and was it told that it waits?"""
        cell.tool_threads = ()
        cell.tools_waiter = None
        cell.transition(RUNNING)
        self._pool.slots.idle.pop(cell, None)  # laid out and not taken: it is still held
        return cell.has_slot, self._parking.tool_lot.has_told(cell)  # all that waited may have been left behind

    def ended(self, tool: ToolThread[AgentCell]) -> None:
        """*tool* has done its work."""
        with Step(self._pool) as effects:
            tool.done = True
            if tool.abandoned:
                self._pool.cancellation.abandoned.discard(tool)
                return
            self._leave(tool, effects)

    def _leave(self, tool: ToolThread[AgentCell], effects: Effects) -> None:
        cell: AgentCell = tool.cell
        if not any(cell.running_tools()):  # a tool call is true
            if cell.tools_waiter is not None:
                effects.wakes.append(cell.tools_waiter)  # the agent's thread goes on, with the slot
        elif not cell.works():
            self._parking.tool_lot.lay_out(cell, effects)

    def _abandon(self, tools: Iterable[ToolThread[AgentCell]]) -> None:
        """Wait no longer for *tools* that still run: they are cancelled, and their threads are counted."""
        late: list[ToolThread[AgentCell]] = []
        with Step(self._pool) as effects:
            for tool in tools:
                if not tool.done and not tool.abandoned:
                    tool.abandoned = True
                    tool.abandoned_at = self._pool.clock.monotonic()
                    self._pool.cancellation.abandoned.add(tool)
                    self._leave(tool, effects)
                    late.append(tool)
        for tool in late:
            self._cancel_late(tool)

    def _cancel_late(self, tool: ToolThread[AgentCell]) -> None:
        """*tool* was abandoned: whoever works in it may hear of that."""
        stopped = tool.cell.token
        if stopped.cancelled:
            tool.token.cancel(stopped.reason, timed_out=stopped.timed_out)
        else:
            tool.token.cancel("the tool ran past its time", timed_out=True)
        if self._pool.tracing is not None and (spans := tool.cell.lazies.get(SPANS)) is not None:
            spans.leave_behind(tool, Cancelled(tool.token.reason, timed_out=tool.token.timed_out))


def _wake(cell: AgentCell) -> None:
    """Wake the thread of *cell*: it was cancelled."""
    waiter = cell.tools_waiter
    if waiter is not None:
        waiter.wake()
