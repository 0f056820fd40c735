"""The caller's view of one agent."""

from __future__ import annotations

import concurrent.futures
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from ...errors import fresh_copy
from ..actors.eventual import Eventual
from ..crash import fenced
from ..glance import glance
from ..messaging.router import PROGRAM
from ..records.message import AgentMessage
from ..records.outcome_words import ended
from ..scheduling.approval import Decision
from ..waiting.wait_graph import checkpoint
from .awaiting import outcome_of
from .event_reader import AsyncEventReader, EventReader, TextReader

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..records.message import AgentId
    from ..records.outcome import AgentOutcome, AgentStatus
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.approval import PendingApproval
    from ..waiting.wait_graph import WaitMember
    from .supervisor import Supervisor

T_co = TypeVar("T_co", covariant=True, default=Any)


class AgentHandle(Eventual, Generic[T_co]):
    """One agent, as the one who started it sees it. Threads: any."""

    __slots__ = ("__weakref__", "_cell", "_supervisor")

    def __init__(self, cell: AgentCell, supervisor: Supervisor) -> None:
        self._cell = cell
        self._supervisor = supervisor

    def __repr__(self) -> str:
        cell = self._cell  # whose status can be read in a forked child, too
        outcome = cell.outcome
        how = cell.status if outcome is None else ended(outcome)
        return f"<AgentHandle {cell.id} {glance(cell.spec.name, 40)} {how}>"

    def _repr_html_(self) -> str:
        from .notebook import agent_html

        outcome = self._cell.outcome
        return agent_html(self._cell) if outcome is None else outcome._repr_html_()

    @property
    def id(self) -> AgentId:
        """The agent's id."""
        return self._cell.id

    @property
    def member(self) -> WaitMember:
        """The agent, as one that waits and is waited for."""
        return self._cell

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._cell.spec.name

    @property
    def key(self) -> str | None:
        """What names the agent over all processes: given, or made by a journal; None without either."""
        return self._cell.spec.key

    @property
    def status(self) -> AgentStatus:
        """``queued``, ``running``, ``parked``, ``restarting``, or the word of the outcome."""
        self._supervisor.pool.refuse_after_fork()
        return self._cell.status

    def done(self) -> bool:
        """Is the outcome there?"""
        self._supervisor.pool.refuse_after_fork()
        return self._cell.outcome is not None

    def outcome(self, timeout: float | None = None) -> AgentOutcome[T_co]:
        """Wait for the outcome and take it; the handle keeps it, so asking again answers again.

        Args:
            timeout: Seconds; None waits for ever.
        Raises:
            TimeoutError: It has not ended in time; nothing is lost.
            DeadlockError: Called by the agent itself, by one of its descendants, or by one it waits for.
        """
        checkpoint()
        cell = self._cell
        if cell.outcome is None and not self._supervisor.wait_ended(cell, timeout):
            raise TimeoutError(f"{cell.label} is still {cell.status} after {timeout} s")
        if cell.owner is not None:
            self._supervisor.disown(cell)
        return cast("AgentOutcome[T_co]", cell.outcome)

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for the outcome, take it, and return its result.

        Args:
            timeout: Seconds to wait; None waits for ever.
        Raises:
            TimeoutError: It has not ended in time; nothing is lost.
            ActorsError: It did not complete: a fresh copy of the outcome's error. For a crash it is caused by what the
                agent raised, and is also of the class of that, where such a class can be made.
        """
        return _result_of(self.outcome(timeout))

    def __await__(self) -> Generator[Any, None, T_co]:
        """``await handle``: as :meth:`result`, on any asyncio loop, without a thread.

        A cancelled await takes nothing, and cancels nothing but itself: the agent runs on.

        Raises:
            ActorsError: It did not complete, as :meth:`result` raises it.
        """
        outcome: AgentOutcome[T_co] = yield from outcome_of(self._supervisor, self._cell).__await__()
        return _result_of(outcome)

    # Its events ---------------------------------------------------------------------------------------------------

    def events(self, timeout: float | None = None) -> EventReader:
        """All events of the agent, from the first to its ``AgentEnded``, as they come: ``for event in
        handle.events(): ...``.

        Each call reads all of them, also after the end. A reader that stops holds nobody up, and may be dropped. The
        ``seq`` of an event is its place in what this reader gets. More than are kept are told by an ``EventsMissed``.

        Args:
            timeout: Seconds for each step; None waits for ever.
        Raises:
            TimeoutError: From a step: no event in time; nothing is lost, and the iterator goes on.
            DeadlockError: From a step: read by the agent itself, by one of its descendants, or by one it waits for.
        """
        return EventReader(self._cell, self._supervisor.pool, timeout)

    def aevents(self, timeout: float | None = None) -> AsyncEventReader:
        """As :meth:`events`, on any running asyncio loop, without a thread: ``async for event in handle.aevents()``.

        A cancelled await loses no event, and cancels nothing but itself.

        Args:
            timeout: As for :meth:`events`.
        """
        return AsyncEventReader(self._cell, self._supervisor.pool, timeout)

    def text(self, timeout: float | None = None) -> TextReader:
        """What the agent's model says, piece by piece: ``for piece in handle.text(): print(piece, end="")``.

        All its answers, what it says between tool calls included. Where one has broken off and is asked for again, or
        the agent is started again, comes a ``TextRestarted``: an empty text that says how much of it all still stands.

        Args:
            timeout: As for :meth:`events`, whose errors are raised here, too.
        """
        return TextReader(self.events(timeout))

    # Messages -----------------------------------------------------------------------------------------------------

    def send(self, content: Any, timeout: float | None = 0.0) -> None:
        """Send *content* to the agent, from the program (id 0).

        Args:
            timeout: Seconds to wait for room in its inbox; 0 does not wait, None waits for ever.
        Raises:
            NotRegistered: It has ended.
            InboxFull: No room in time.
            InboxClosed: It ended while this waited.
        """
        self._supervisor.pool.router.send(AgentMessage.between(PROGRAM, self._cell.id, content), timeout)

    @property
    def messages_in(self) -> int:
        """How many messages wait in its inbox."""
        self._supervisor.pool.refuse_after_fork()
        mailbox = self._cell.mailbox
        return 0 if mailbox is None else len(mailbox)

    # Its end ------------------------------------------------------------------------------------------------------

    def cancel(self, reason: str = "") -> bool:
        """Cancel the agent; returns at once. False when it has ended already.

        Args:
            reason: The error of its outcome says it.
        """
        return self._supervisor.cancel(self._cell, reason)

    @property
    def approvals(self) -> tuple[PendingApproval, ...]:
        """The tool calls that wait for approval."""
        self._supervisor.pool.refuse_after_fork()
        approvals = self._cell.approvals
        return () if approvals is None else approvals.pending()

    def approve(self, call_id: str) -> bool:
        """Approve a tool call; False when it does not wait for it (any more): denied, too late, cancelled.

        Args:
            call_id: Which of its calls: the event ``ApprovalRequested`` says it.
        """
        return self._supervisor.decide(self._cell, call_id, Decision(approved=True))

    def deny(self, call_id: str, reason: str = "") -> bool:
        """Refuse a tool call; the model is told *reason*. False when it does not wait for approval (any more).

        Args:
            call_id: Which of its calls: the event ``ApprovalRequested`` says it.
        """
        return self._supervisor.decide(self._cell, call_id, Decision(approved=False, reason=reason))

    def detach(self) -> None:
        """Owe the outcome to nobody: no join will yield it. The agent runs on, and the handle still answers."""
        self._supervisor.disown(self._cell)

    def add_done_callback(self, fn: Callable[[AgentHandle[T_co]], object]) -> None:
        """Call ``fn(handle)`` once, when the outcome is there; at once, in this thread, if it is there already.

        Taking is not part of it: the outcome stays owed. What *fn* raises is logged.
        """

        call = partial(fenced, fn, self, what="a done callback", whose=self._cell)
        self._supervisor.when_ended(self._cell, call)

    @property
    def future(self) -> concurrent.futures.Future[T_co]:
        """The outcome as a standard future, for ``asyncio.wrap_future`` and ``concurrent.futures.wait``.

        It is done no earlier than the handle; its ``cancel`` is the handle's; reading it takes nothing.
        """
        made = self._cell.lazies
        if "future" not in made:
            future = AgentFuture(self._cell, self._supervisor)
            # First: an interrupt in between must not leave one that never settles.
            self.add_done_callback(future.settle)
            made.setdefault("future", future)
        return cast("concurrent.futures.Future[T_co]", made["future"])


class AgentFuture(concurrent.futures.Future[Any]):
    """A standard future that follows an agent."""

    def __init__(self, cell: AgentCell, supervisor: Supervisor) -> None:
        super().__init__()
        self._cell = cell
        self._supervisor = supervisor
        self.set_running_or_notify_cancel()

    def settle(self, _: AgentHandle[Any]) -> None:
        """Take over what the agent ended with."""
        outcome = self._cell.outcome
        assert outcome is not None
        if outcome.error is not None:
            self.set_exception(outcome.error)
        else:
            self.set_result(outcome.result)

    def cancel(self) -> bool:
        """Cancel the agent. The future is done when the agent has ended."""
        return self._supervisor.cancel(self._cell, "its future was cancelled")

    def result(self, timeout: float | None = None) -> Any:
        """The agent's result; raises a fresh copy of its error."""
        self._await_end(timeout)
        error = super().exception(timeout)
        if error is not None:
            raise fresh_copy(error)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """A fresh copy of the agent's error."""
        self._await_end(timeout)
        error = super().exception(timeout)
        return None if error is None else fresh_copy(error)

    def _await_end(self, timeout: float | None) -> None:
        """Wait as a handle does, which sees what a signal or another thread raises here. The standard wait, of which a
        moment is left for it, is not made for that: an interrupt at its beginning breaks its lock.
        """
        self._supervisor.pool.refuse_after_fork()
        if self._cell.outcome is None and not self._supervisor.wait_ended(self._cell, timeout):
            raise TimeoutError(f"{self._cell.label} is still {self._cell.status} after {timeout} s")


def _result_of(outcome: AgentOutcome[T_co]) -> T_co:
    if outcome.error is not None:
        raise fresh_copy(outcome.error)
    return outcome.unwrap()
