"""The port between an agent and the pool that runs it."""

from __future__ import annotations

from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ..actors.agent_actor import HostedActor
from ..messaging.dead_letter import DeadLetterReason
from ..messaging.router import PROGRAM
from ..records.answer import CompletionFinished
from ..records.event import MessageSent
from ..records.heard import KEPT
from ..records.message import AgentMessage
from ..records.told import told_text
from ..scheduling.agent_cell import At
from ..scheduling.event_log import BATCH, EVENTS, log_of
from ..scheduling.tool_thread import ToolThread
from ..tracing import SPANS
from ..waiting.wait_graph import current
from .agent_inbox import AgentInbox
from .handle import AgentHandle
from .inline_call import InlineCall, ToolEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ..actors.envelope import Question
    from ..messaging.mailbox import Mailbox
    from ..messaging.router import Inbox
    from ..records.event import Event
    from ..records.expenses import Expenses
    from ..records.message import AgentId
    from ..records.outcome import AgentStatus
    from ..records.spec import AgentSpec
    from ..records.state import AgentState
    from ..records.usage import TokenUsage
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.approval import Decision, Question as ApprovalQuestion
    from ..scheduling.event_log import EventLog
    from ..waiting.cancel import CancelToken, Deadline
    from ..waiting.wait_graph import WaitMember
    from .agent_spans import AgentSpans
    from .supervisor import Supervisor
    from .tool_threads import Job

OWN_WAIT: Final = "a wait of its own"
"""What an agent is parked on inside ``parked()``: nobody here knows what it is."""


class Colleague(NamedTuple):
    """Another agent of the pool, as an agent sees it. ``parent_id`` is 0 for one that the program started."""

    id: AgentId
    name: str
    status: AgentStatus
    parent_id: AgentId


class AgentContext(HostedActor, Protocol):
    """All that an agent has of its pool. An agent that lives elsewhere has another one.

    Threads: the agent's own and those of its tools, unless a member says otherwise.

    Locks: none; ``survives_restart`` is written by the agent's own thread.
    """

    survives_restart: Any
    """What the agent keeps when it is started again: it belongs to the id. None at first."""

    @property
    def expenses(self) -> Expenses:
        """What the agent has used so far."""

    def spend(self, usage: TokenUsage, cost_usd: float, told: Mapping[str, Any]) -> None:
        """Enter a completion into the agent's account, and tell of it by a ``CompletionFinished``, which has the fields
        *told*, too: both, or neither when the agent has ended.
        """

    @property
    def agent_id(self) -> AgentId:
        """The agent's id."""

    @property
    def key(self) -> str | None:
        """What names the agent over all processes; None for one without a name."""

    @property
    def depth(self) -> int:
        """0 for an agent that the program started, 1 for its children, and so on."""

    @property
    def max_depth(self) -> int | None:
        """The deepest level at which its children may live; None has no limit."""

    @property
    def token(self) -> CancelToken:
        """Cancelled when the agent is; in a tool call, also when that call runs past its time."""

    @property
    def deadline(self) -> Deadline | None:
        """The moment at which the agent times out."""

    @property
    def listening(self) -> bool:
        """Is anybody told of its events, now or later: the pool's sink, its own callback, who reads its handle? Else no
        event need be made.
        """

    @property
    def tells_content(self) -> bool:
        """Do its events tell what was said?"""

    @property
    def streams(self) -> bool:
        """Is the text of an answer that is asked for now to be told as it comes?"""

    @property
    def spans(self) -> AgentSpans | None:
        """Its spans, where somebody traces it, until it has ended."""

    def progress(self) -> None:
        """It has got on: it has not stalled."""

    def checkpoint(self) -> None:
        """It has got on; raise when :attr:`token` is cancelled."""

    def inbox(self, serve: Callable[[Question], None]) -> Inbox:
        """The receiving end of its mailbox; *serve* answers the asks that it meets."""

    def send(self, to: AgentId, content: Any, timeout: float | None) -> None:
        """Send *content*; what an abandoned agent sends is a dead letter."""

    def emit(self, make: Callable[..., Event], fields: Mapping[str, Any]) -> None:
        """Note an event of the agent; where nobody is told of them, and after its end, nothing happens.

        Args:
            make: Makes the event of *fields*, which nobody changes from now on, and of what all events have.
        """

    def parked(self) -> AbstractContextManager[None]:
        """Lay the slot out for others during a wait. Leaving the block waits for a slot."""

    def at(self, state: AgentState, on: str | None = None) -> AbstractContextManager[None]:
        """Be at *state* during the block, *on* what, for whoever asks what the agent does. The agent's own thread."""

    def spawn(self, spec: AgentSpec) -> AgentHandle[Any]:
        """Start a child."""

    def run_tools(self, jobs: Sequence[Job], names: Sequence[str]) -> list[ToolEnd]:
        """Run *jobs* at the same time, each on a thread of its own, and wait for all. The agent's own thread."""

    def inline_call(self, job: Callable[[CancelToken], Any], timeout: float | None, name: str) -> InlineCall:
        """*job* as a call that may be made in the agent's own thread."""

    def limit_tools(self, seconds: float) -> None:
        """What :meth:`run_tools` still waits for has so long, at most: then it is left behind."""

    def ask_approval(
        self,
        call_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        timeout: float | None,
        default: Decision,
        *,
        in_doubt: bool = False,
    ) -> ApprovalQuestion:
        """Ask whether *tool* may be called; the answer may come from now on. The agent's own thread."""

    def await_approvals(
        self, questions: Sequence[ApprovalQuestion], decided: Callable[[ApprovalQuestion], None] | None = None
    ) -> None:
        """Wait, parked, until all *questions* are decided; *decided* is called with each at once. The agent's own
        thread.
        """

    def colleagues(self) -> list[Colleague]:
        """The other agents of the pool that have not ended, by id."""


class LocalContext:
    """The context of an agent that lives in its pool's process.

    Locks: none. ``_log`` and ``_inbox`` are set by any thread of the agent, to the one that there is.
    """

    __slots__ = ("_inbox", "_log", "_pool", "_supervisor", "cell")

    def __init__(self, supervisor: Supervisor, cell: AgentCell) -> None:
        self.cell = cell
        self._supervisor = supervisor
        self._pool = supervisor.pool
        self._inbox: Inbox | None = None
        self._log: EventLog | None = None  # where the events go, and nowhere else while no sink listens

    # What Pykka needs of an agent -------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it."""
        return self.cell.label

    @property
    def member(self) -> WaitMember:
        """The agent, as one that waits and is waited for."""
        return self.cell

    @property
    def has_ended(self) -> bool:
        """Is its outcome there?"""
        return self.cell.outcome is not None

    def lazies(self) -> dict[str, Any]:
        """What is made on first use, by name."""
        return self.cell.lazies

    def mailbox(self) -> Mailbox:
        """Its mailbox, made now if need be."""
        return self._pool.router.open(self.cell)

    def message_from_program(self, content: Any) -> AgentMessage:
        """*content* as a message from the program to this agent."""
        return AgentMessage(PROGRAM, self.cell.id, content)

    def when_ended(self, call: Callable[[], object]) -> None:
        """Call *call* once when it has ended; at once if it has."""
        self._supervisor.when_ended(self.cell, call)

    def cancel(self, reason: str) -> bool:
        """Cancel it; False when it has ended already."""
        return self._supervisor.cancel(self.cell, reason)

    def bury_expired(self, message: Any) -> None:
        """Whoever asked with *message* waits no longer."""
        self._bury(message, DeadLetterReason.ASK_EXPIRED, self.cell.label)

    def _bury(self, message: Any, reason: DeadLetterReason, receiver: str) -> None:
        letters = self._pool.router.dead_letters
        letters.announce(letters.add(message, reason, receiver))

    # What it is -------------------------------------------------------------------------------------------------

    @property
    def survives_restart(self) -> Any:
        """What the agent keeps when it is started again."""
        return self.cell.survives_restart

    @survives_restart.setter
    def survives_restart(self, value: Any) -> None:
        """Keep *value*."""
        self.cell.survives_restart = value

    @property
    def expenses(self) -> Expenses:
        """What the agent has used so far."""
        return self.cell.expenses

    def spend(self, usage: TokenUsage, cost_usd: float, told: Mapping[str, Any]) -> None:
        """Enter a completion into the agent's account, and tell of it."""
        cell, pool = self.cell, self._pool
        cell.steps += 1
        log = self._log
        if log is None and not cell.heard:
            cell.expenses.spend(usage, cost_usd, cell.is_here)
            return
        fields = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": cost_usd,
            **told,
        }
        event = CompletionFinished, fields, pool.moment()
        if log is None and cell.heard is KEPT:
            log = log_of(cell)
        new = None if log is None else log.new
        if pool.listening:
            with pool.turn:  # its end, wherever that comes from, is before both or after both
                if cell.expenses.spend(usage, cost_usd, cell.is_here, new, event):
                    pool.post(cell, *event)
        else:
            cell.expenses.spend(usage, cost_usd, cell.is_here, new, event)
        if log is not None and (log.waiting or len(log.new) >= BATCH):
            log.attend()

    @property
    def agent_id(self) -> AgentId:
        """The agent's id."""
        return self.cell.id

    @property
    def key(self) -> str | None:
        """What names the agent over all processes."""
        return self.cell.spec.key

    @property
    def depth(self) -> int:
        """0 for an agent that the program started, 1 for its children, and so on."""
        return self.cell.depth

    @property
    def max_depth(self) -> int | None:
        """The deepest level at which its children may live; None has no limit."""
        return self.cell.spec.max_depth

    @property
    def token(self) -> CancelToken:
        """Cancelled when the agent is; in a tool call, also when that call runs past its time."""
        cell = self.cell
        if not cell.tool_threads and cell.thread == get_ident():  # none of its tools: those have threads, or are noted
            return cell.token
        member = current()
        return member.token if isinstance(member, ToolThread) and member.cell is cell else cell.token

    @property
    def deadline(self) -> Deadline | None:
        """The moment at which the agent times out."""
        return self.cell.token.deadline

    @property
    def listening(self) -> bool:
        """Is anybody told of its events?"""
        return bool(self.cell.heard)

    @property
    def tells_content(self) -> bool:
        """Do its events tell what was said?"""
        return self._pool.with_content

    @property
    def streams(self) -> bool:
        """Is the text of an answer that is asked for now to be told as it comes?"""
        said, heard = self.cell.spec.streams, self.cell.heard
        if said is not None:
            return said
        return heard is KEPT or (bool(heard) and self._pool.event_delivery.wants_text)

    @property
    def spans(self) -> AgentSpans | None:
        """Its spans, where somebody traces it."""
        return self.cell.lazies.get(SPANS)

    # What it does -----------------------------------------------------------------------------------------------

    def progress(self) -> None:
        """It has got on."""
        self.cell.steps += 1

    def checkpoint(self) -> None:
        """It has got on; raise when its token is cancelled."""
        self.cell.steps += 1
        token = self.token
        if token.marked or token.deadline is not None:
            token.check()

    def inbox(self, serve: Callable[[Question], None]) -> Inbox:
        """The receiving end of its mailbox."""
        inbox = self._inbox
        if inbox is None:
            made = self.cell.lazies
            inbox = made.get("inbox")
            if inbox is None:
                inbox = made["inbox"] = AgentInbox(self.cell, self._supervisor, serve)
            self._inbox = inbox
        return inbox

    def send(self, to: AgentId, content: Any, timeout: float | None) -> None:
        """Send *content* to the agent of that id."""
        cell, pool, log = self.cell, self._pool, self._log
        message = AgentMessage.between(cell.id, to, content)
        cell.steps += 1
        if cell.outcome is not None:  # it was abandoned: what it does now must reach nobody
            self._bury(message, DeadLetterReason.SENDER_ABANDONED, f"agent {to}")
            return
        if log is None or pool.with_content:
            self._send_and_tell(message, timeout)
            return
        moment = pool.moment()  # before: who is faster has read it when this goes on
        pool.router.send(message, timeout)
        if pool.listening:
            pool.emit(cell, MessageSent, {"to": to}, moment)
            return
        new = log.new
        new.append((MessageSent, {"to": to}, moment))  # as emit does
        if log.waiting or len(new) >= BATCH:
            log.attend()

    def _send_and_tell(self, message: AgentMessage, timeout: float | None) -> None:
        """Send *message*, and note that by the pool, if it is heard."""
        cell, pool = self.cell, self._pool
        told: dict[str, Any] = {"to": message.to}
        if cell.heard and pool.with_content:
            told["text"] = told_text(message.content)  # before: whoever gets it may change it
        moment = pool.moment()
        pool.router.send(message, timeout)
        if cell.heard:
            self._find_log(MessageSent, told, moment)

    def emit(self, make: Callable[..., Event], fields: Mapping[str, Any]) -> None:
        """Note an event of the agent."""
        cell, log = self.cell, self._log
        cell.steps += 1
        if log is None or self._pool.listening:
            self._find_log(make, fields)
        elif cell.outcome is None:
            new = log.new
            new.append((make, fields, self._pool.moment()))  # and not by a method: ten times for each answer
            if log.waiting or len(new) >= BATCH:
                log.attend()

    def _find_log(self, make: Callable[..., Event], fields: Mapping[str, Any], moment: float | None = None) -> None:
        """Note an event by the pool, as it may have to tell others, too."""
        cell = self.cell
        self._pool.emit(cell, make, fields, moment)
        if self._log is None and cell.heard is KEPT:
            self._log = cell.lazies.get(EVENTS)

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Lay the slot out for others during a wait."""
        cell, member = self.cell, current()
        parking = self._supervisor.parking
        if isinstance(member, ToolThread):
            parking.tool_lot.park(member, OWN_WAIT)
            try:
                yield
            finally:
                parking.tool_lot.unpark(member)
        elif cell.is_here():
            parking.park(cell, OWN_WAIT)
            try:
                yield
            finally:
                parking.unpark(cell)
        else:
            yield  # a thread of the user's own: it holds no slot

    def at(self, state: AgentState, on: str | None = None) -> AbstractContextManager[None]:
        """Be at *state* during the block."""
        return At(self.cell, state, on)

    def spawn(self, spec: AgentSpec) -> AgentHandle[Any]:
        """Start a child."""
        (child,) = self._supervisor.admission.admit([spec], owner=None, parent=self.cell, keeps_events=True)
        return AgentHandle(child, self._supervisor)

    def run_tools(self, jobs: Sequence[Job], names: Sequence[str]) -> list[ToolEnd]:
        """Run *jobs* at the same time, and wait for all."""
        ran = self._supervisor.tool_threads.run(self.cell, jobs, names)
        return [ToolEnd(one.result, one.error, one.abandoned) for one in ran]

    def inline_call(self, job: Callable[[CancelToken], Any], timeout: float | None, name: str) -> InlineCall:
        """*job* as a call that may be made in the agent's own thread."""
        return InlineCall(self._supervisor.tool_threads, self.cell, job, timeout, name)

    def limit_tools(self, seconds: float) -> None:
        """What :meth:`run_tools` still waits for has so long, at most."""
        self._supervisor.tool_threads.limit(self.cell, seconds)

    def ask_approval(
        self,
        call_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        timeout: float | None,
        default: Decision,
        *,
        in_doubt: bool = False,
    ) -> ApprovalQuestion:
        """Ask whether *tool* may be called."""
        if self.cell.approvals is None:
            self.cell.approvals = self._pool.approvals_of(self.cell.id)
        return self.cell.approvals.ask(call_id, tool, arguments, timeout, default, in_doubt=in_doubt)

    def await_approvals(
        self, questions: Sequence[ApprovalQuestion], decided: Callable[[ApprovalQuestion], None] | None = None
    ) -> None:
        """Wait, parked, until all *questions* are decided."""
        approvals = self.cell.approvals
        assert approvals is not None  # they were asked by it
        approvals.wait(questions, decided)

    def colleagues(self) -> list[Colleague]:
        """The other agents of the pool that have not ended, by id."""
        if self._pool.colleagues is not None:
            return self._pool.colleagues(self.cell.id)
        return [
            Colleague(
                id=cell.id,
                name=cell.spec.name,
                status=cell.status,
                parent_id=PROGRAM if cell.parent is None else cell.parent.id,
            )
            for cell in self._supervisor.cells()[0]
            if cell is not self.cell
        ]
