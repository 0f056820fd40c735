"""A tool call that an agent makes in its own thread, and that it can leave all the same."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clock import SYSTEM_CLOCK
from ..scheduling.tool_thread import ToolThread
from ..waiting.crowd import crowd

if TYPE_CHECKING:
    from ..scheduling.agent_cell import AgentCell
    from ..waiting.cancel import CancelToken
    from .tool_threads import ToolThreads

TRY_AGAIN = 0.05
"""Seconds after which another thread is tried for an agent that must leave its call, when none could be started."""


class ToolEnd(NamedTuple):
    """How one tool call ended: ``error`` is what it raised; ``abandoned`` says that it still runs, past its time."""

    result: Any
    error: BaseException | None
    abandoned: bool


class InlineCall:
    """One tool call of an agent, in the agent's own thread.

    What an agent does between its calls is a generator that yields them (``AgentSteps``), so any thread can go on with
    it. When the time of the call runs out, or the agent is cancelled, another worker does, and leaves this thread
    behind with the tool: nobody waits for a thread, and in the good case none is woken.

    Guarantees: one thread goes on with the agent: the one that makes the call, or the one that has left it.

    Args:
        threads: Where calls are made on threads of their own.

    Locks: the pool's turn decides who goes on. ``_tool`` and ``_leave`` are written by the agent's thread before
    anybody else knows of the call.
    """

    __slots__ = ("_cell", "_job", "_leave", "_name", "_threads", "_timeout", "_tool")

    def __init__(
        self,
        threads: ToolThreads,
        cell: AgentCell,
        job: Callable[[CancelToken], Any],
        timeout: float | None,
        name: str,
    ) -> None:
        self._threads = threads
        self._cell = cell
        self._job = job
        self._timeout = timeout
        self._name = name
        self._tool: ToolThread[AgentCell] | None = None
        self._leave: Callable[[InlineCall], object] | None = None

    def apart(self) -> ToolEnd:
        """Make the call on a thread of its own, and wait for it: for who cannot go on in another thread.

        Raises:
            Cancelled: The agent was cancelled.
        """
        (ran,) = self._threads.run(self._cell, [(self._job, self._timeout)], [self._name])
        return ToolEnd(ran.result, ran.error, ran.abandoned)

    def here(self, leave: Callable[[InlineCall], object]) -> ToolEnd | None:
        """Make the call in this thread, the agent's.

        Args:
            leave: Starts the worker that is to go on with the agent, which begins with :meth:`left`. Any thread.
        Returns:
            How it ended; None: another thread goes on with the agent.
        Raises:
            Cancelled: The agent was cancelled; this thread goes on with it.
            RuntimeError: No thread can be started, if one is to be left.
        """
        cell, threads = self._cell, self._threads
        cell.token.check()
        host = cell.host
        self._tool = tool = ToolThread(
            cell, self._name, self._job, self._timeout, lot=host.tool_lot, since=host.clock.monotonic()
        )
        self._leave = leave
        threads.begin_inline(cell, tool)
        end, alarm = tool.end, crowd().alarm
        if end is not None and not alarm.mind(self, end):
            return self._unminded()
        cell.token.remind(self.ring)
        try:
            tool.work()
        finally:
            if end is not None:
                alarm.forget(self)
            goes_on = threads.end_inline(cell, tool)
            cell.token.forget(self.ring)
            self._leave = None
        if not goes_on:
            return None
        cell.token.check()
        return ToolEnd(tool.result, tool.error, tool.abandoned)

    def _unminded(self) -> ToolEnd | None:
        """No thread can be started that would tell of its time: the agent's own has to wait for that."""
        tool = self._tool
        assert tool is not None  # it was begun
        crowd().alarm.forget(self)
        goes_on = self._threads.end_inline(self._cell, tool)
        self._leave = None
        return self.apart() if goes_on else None

    def ring(self) -> None:
        """The agent must leave: the time of the call has run out, or it was cancelled. Any thread."""
        leave = self._leave
        if leave is None:
            return
        try:
            leave(self)
        except RuntimeError:  # no thread can be started: when one can, or when the tool ends
            crowd().alarm.mind(self, SYSTEM_CLOCK.monotonic() + TRY_AGAIN)

    def left(self) -> bool:
        """Be the agent's thread from now on; False: the call ended before. On the worker that goes on with it."""
        tool = self._tool
        return tool is not None and self._threads.leave_inline(self._cell, tool)

    def left_end(self) -> ToolEnd:
        """How it ended for whoever goes on with the agent.

        Raises:
            Cancelled: The agent was.
        """
        tool = self._tool
        assert tool is not None  # it was begun
        self._cell.token.check()
        return ToolEnd(tool.result, tool.error, True)


AgentSteps = Generator[InlineCall, ToolEnd, Any]
"""What an agent does, step by step: it yields each tool call that may be made in its thread, and is sent its end. It is
never left half-way but at the end of the program.
"""


def done_apart(steps: AgentSteps) -> Any:
    """The result of *steps*, done in this thread; each call is made on a thread of its own."""
    try:
        call = next(steps)
        while True:
            try:
                end = call.apart()
            except BaseException as error:  # noqa: BLE001 - they see to it
                call = steps.throw(error)
            else:
                call = steps.send(end)
    except StopIteration as done:
        return done.value
