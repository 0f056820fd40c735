"""One agent as the supervisor sees it."""

from __future__ import annotations

import threading
from contextvars import copy_context
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...errors import AgentAbandoned, Cancelled
from ..clock import SYSTEM_CLOCK
from ..messaging.router import PROGRAM, Endpoint
from ..process.log import labelled
from ..records.ending import Ending, stopped
from ..records.outcome import AgentOutcome, AgentStatus
from ..records.state import AgentState
from ..waiting.cancel import CancelToken
from ..waiting.wait_graph import WaitMember, enter
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context
    from datetime import datetime

    from ..actors.restarts import Restarts
    from ..clock import Clock
    from ..records.spec import AgentSpec, Runnable
    from ..waiting.wait_graph import WaitNode
    from .approval import Approvals


class Host(Protocol):
    """The pool of an agent, as far as its cell needs it."""

    clock: Clock

    def park(self, cell: AgentCell, on: str) -> None:
        """*cell* waits for somebody else, and needs no slot."""

    def unpark(self, cell: AgentCell) -> None:
        """*cell* goes on, with a slot."""

    def expect_slot(self, cell: AgentCell, waiter: Waiter) -> None:
        """*cell*, which is parked at *waiter* without a slot, is about to be woken."""

    def park_tool(self, branch: ToolThread, on: str) -> None:
        """One of an agent's tool calls waits for somebody else."""

    def unpark_tool(self, branch: ToolThread) -> None:
        """One of an agent's tool calls goes on."""


class Creditor(Protocol):
    """To whom an outcome is owed. Under the turn, but for :meth:`remove`, which takes it."""

    def add(self, cell: AgentCell) -> None:
        """*cell* was admitted."""

    def finish(self, cell: AgentCell, wakes: list[Waiter]) -> list[AgentCell]:
        """The outcome of *cell* is there; who has to be woken is added to *wakes*. Those to be cancelled with it."""

    def remove(self, cell: AgentCell) -> None:
        """*cell* is not owed (any more)."""


class AgentCell(Endpoint, WaitMember):
    """What the supervisor keeps of one agent. The name is Akka's: the cell holds an actor, and outlives it.

    Guarantees: the outcome is set once, by whichever comes first: the agent's own end, or its abandonment.

    Locks: the supervisor's turn guards ``state``, ``has_slot``, ``outcome``, ``children``, ``owner``, ``waiters``,
    ``callbacks``, ``branches`` and ``working``; the others belong to the agent's thread, or never change. ``outcome``
    is written last, so reading it without the lock is safe.
    """

    __slots__ = (
        "__weakref__",
        "_lazies",
        "actor",
        "approvals",
        "bounded",
        "branches",
        "callbacks",
        "children",
        "context",
        "depth",
        "doing",
        "family_waiter",
        "has_slot",
        "host",
        "outcome",
        "owner",
        "parent",
        "parked_on",
        "parks",
        "restarted",
        "silent",
        "since",
        "spec",
        "started",
        "started_at",
        "state",
        "steps",
        "stopping",
        "survives_restart",
        "team",
        "thread",
        "tied",
        "token",
        "tools_waiter",
        "unclaimed",
        "waiter",
        "waiters",
        "waits",
        "working",
    )

    def __init__(
        self,
        host: Host,
        spec: AgentSpec,
        parent: AgentCell | None,
        owner: Creditor | None,
        *,
        bounded: bool,
    ) -> None:
        super().__init__(PROGRAM)  # the id comes with the admission
        self.host = host
        self.spec = spec
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.owner = owner
        self.bounded = bounded
        self.state = AgentStatus.QUEUED
        self.token = CancelToken()
        self.context: Context | None = copy_context()
        self.stopping = False
        self.silent = False
        self.tied: list[AgentCell] | None = None
        self.family_waiter: Waiter | None = None
        self.has_slot = False
        self.outcome: AgentOutcome[Any] | None = None
        self.actor: Runnable | None = None
        self.approvals: Approvals | None = None
        self.children: dict[int, AgentCell] | None = None
        self.waiter: Waiter | None = None
        self.waiters: list[Waiter] | None = None
        self.unclaimed = True
        self.callbacks: list[Callable[[], object]] | None = None
        self.waits: list[tuple[WaitNode, Waiter]] = []
        self.doing = AgentState.RUNNING
        self.steps = 0
        self.team: Sequence[ToolThread] = ()
        self.branches = 0
        self.tools_waiter: Waiter | None = None
        self._lazies: dict[str, Any] | None = None
        self.working = 1
        self.parked_on: str | None = None
        self.parks = 0
        self.since = host.clock.monotonic()
        self.started: float | None = None
        self.started_at: datetime | None = None
        self.thread = 0
        self.restarted: Restarts | None = None
        self.survives_restart: Any = None

    @property
    def cell(self) -> AgentCell:
        """Itself: a tool call answers with its agent."""
        return self

    @property
    def status(self) -> AgentStatus:
        """Where it is in its life."""
        if self.outcome is not None:
            return self.outcome.status
        if self.state is AgentStatus.RUNNING and self.parked_on is not None:
            return AgentStatus.PARKED
        return self.state

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return 0 if self.restarted is None else self.restarted.total

    def state_and_place(self) -> tuple[AgentState, str | None]:
        """What it is at, and what it is parked on or which tools run."""
        if self.state is AgentStatus.QUEUED:
            return AgentState.QUEUED, None
        if self.state is AgentStatus.RESTARTING:
            return AgentState.RESTARTING, None
        parked_on = self.parked_on
        if parked_on is not None:
            return AgentState.PARKED, parked_on
        if self.doing is AgentState.IN_TOOL:
            return self.doing, ", ".join(branch.name for branch in self.team if not branch.done)
        return self.doing, None

    def tether(self) -> list[AgentCell]:
        """What timers hold instead of the cell; emptied when it ends."""
        if self.tied is None:
            self.tied = [self]
        return self.tied

    def release(self) -> object:
        """Let go of what an ended agent needs no more: a handle may be kept for long.

        Returns:
            What was let go, to be dropped without the turn: its finalizers may be a user's.
        """
        released = (self.survives_restart, self.context, self.spec.build)
        self.survives_restart = self.context = None
        self.spec.build = _gone
        if self.tied is not None:
            self.tied.clear()
        return released

    def turn_to(self, doing: AgentState) -> None:
        """It begins something else. For whoever asks what it does, and for how long; called on its own thread."""
        self.doing = doing
        self.steps += 1
        self.since = self.host.clock.monotonic()

    def targets(self) -> Sequence[WaitNode]:
        """Whom it waits for right now; at its end, its children."""
        if self.family_waiter is not None and self.waiter is self.family_waiter:
            return tuple((self.children or {}).values())
        return super().targets()

    def add_child(self, child: AgentCell) -> None:
        """*child* was admitted. Under the turn."""
        if self.children is None:
            self.children = {}
        self.children[child.id] = child

    def remove_child(self, child: AgentCell, wakes: list[Waiter]) -> None:
        """*child* has ended. Under the turn."""
        if self.children:
            self.children.pop(child.id, None)
            if not self.children and self.family_waiter is not None:
                wakes.append(self.family_waiter)

    def await_children(self) -> Waiter | None:
        """A waiter that is woken when all children have ended; None when they have. Under the turn."""
        if not self.children:
            return None
        self.family_waiter = self.waiter = Waiter()
        self.family_waiter.owner = self
        return self.family_waiter

    def lazies(self) -> dict[str, Any]:
        """What Pykka knows of an actor and most agents never use; made on first use."""
        if self._lazies is None:
            self._lazies = {}
        return self._lazies

    def begin(self) -> bool:
        """Claim the one life; False when another thread has. (An interrupted start is tried again.)"""
        try:
            del self.unclaimed  # one operation, so one thread wins
        except AttributeError:
            return False
        return True

    def make_outcome(self, ending: Ending) -> AgentOutcome[Any]:
        """Turn *ending* into the outcome, as of now."""
        clock = self.host.clock
        return AgentOutcome.trusted(
            agent_id=self.id,
            name=self.spec.name,
            query=self.spec.query,
            tag=self.spec.tag,
            status=ending.status,
            result=ending.result,
            error=ending.error,
            started_at=self.started_at,
            ended_at=clock.now(),
            duration=0.0 if self.started is None else clock.monotonic() - self.started,
            restarts=self.restarts,
        )

    def stopped_outcome(self, *, abandoned: bool = False) -> AgentOutcome[Any]:
        """The outcome of a cancelled agent that cannot tell it itself: not started yet, or stuck."""
        ending = stopped(Cancelled(self.token.reason, timed_out=self.token.timed_out))
        if abandoned:
            assert ending.error is not None
            ending = Ending(AgentStatus.ABANDONED, error=AgentAbandoned(ending.error))
        return self.make_outcome(ending)

    # Waiting (the protocol WaitMember) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"agent {self.id} ({self.spec.name})"

    def check(self) -> None:
        """Raise when it was cancelled."""
        self.token.check()

    def is_here(self) -> bool:
        """Is this the agent's own thread?"""
        return self.thread == threading.get_ident()

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* this agent or one of its ancestors?"""
        cell: AgentCell | None = self
        while cell is not None:
            if cell is other:
                return True
            cell = cell.parent
        return False

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:
        """Park until *waiter* is woken, the agent is cancelled, or the time runs out."""
        self.check()
        token = self.token
        wake = waiter.wake
        token.remind(wake)
        try:
            if target is not None:
                self.watch(target, waiter)
            self.waiter = waiter
            waiter.owner = self
            self.host.park(self, on)
            try:
                woken = waiter.wait(timeout)
            finally:
                self.host.unpark(self)
                waiter.owner = self.waiter = None
        finally:
            token.forget(wake)
            if target is not None:
                self.unwatch(target, waiter)
        token.check()
        return woken

    def expect_slot(self, waiter: Waiter) -> None:
        """It is being woken from *waiter*: without a slot it stands in line for one now, not only when it runs."""
        if not (self.has_slot or self.stopping):
            self.host.expect_slot(self, waiter)


def _gone(_: AgentCell) -> Callable[[], Runnable]:
    raise RuntimeError("the agent has ended")


class _Late(Enum):
    LATE = auto()


LATE: Final = _Late.LATE
"""The result of a branch that ran past its time."""


class ToolThread(WaitMember):
    """One piece of an agent's work on a thread of its own.

    It has the agent's identity and context, but no slot: the agent's slot is laid out for others exactly while none of
    its threads works. A branch that runs past its time is abandoned: its token is cancelled, its thread counted.

    Locks: the supervisor's turn guards ``abandoned``, ``parks``, ``done`` and the cell's ``branches`` and ``working``.
    """

    def __init__(self, cell: AgentCell, name: str, job: Callable[[CancelToken], Any], timeout: float | None) -> None:
        self._cell = cell
        self.name = name
        self._job = job
        self.thread = 0
        self.waits = []  # its waits are noted on the agent
        self._context = copy_context()
        self.token = cell.token.child()
        self.waiter: Waiter | None = None
        self.since = cell.host.clock.monotonic()
        self.end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        self.parked_on: str | None = None
        self.result: Any = LATE
        self.error: BaseException | None = None
        self.done = False
        self.parks = 0
        self.abandoned = False
        self.abandoned_at = 0.0

    def work(self) -> None:
        """Do the work, on a worker's thread."""
        self.thread = threading.get_ident()
        self._context.run(labelled, self._cell.id, self._cell.spec.name, self._work)

    def _work(self) -> None:
        enter(self)
        try:
            self.token.check()
            self.result = self._job(self.token)
        except BaseException as error:  # noqa: BLE001 - handed to the agent's thread
            self.error = error

    @property
    def cell(self) -> AgentCell:
        """The agent that it works for."""
        return self._cell

    # Waiting (the protocol WaitMember) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it: as its agent."""
        return self._cell.label

    def waiting_self(self) -> WaitMember:
        """The agent that it works for."""
        return self._cell

    def expect_slot(self, waiter: Waiter) -> None:
        """It is being woken from *waiter*: its agent stands in line for a slot now."""
        self._cell.expect_slot(waiter)

    def check(self) -> None:
        """Raise when its agent was cancelled, or when it ran past its time."""
        self.token.check()

    def is_here(self) -> bool:
        """Is this its own thread?"""
        return self.thread == threading.get_ident()

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* its agent or one of its ancestors?"""
        return self._cell.is_below(other)

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:
        """Park this branch until *waiter* is woken, the agent is cancelled, or the time runs out."""
        self.check()
        wake = waiter.wake
        self.token.remind(wake)
        host = self._cell.host
        try:
            if target is not None:
                self._cell.watch(target, waiter)
            self.waiter = waiter
            waiter.owner = self
            host.park_tool(self, on)
            try:
                woken = waiter.wait(timeout)
            finally:
                host.unpark_tool(self)
                waiter.owner = self.waiter = None
        finally:
            self.token.forget(wake)
            if target is not None:
                self._cell.unwatch(target, waiter)
        self.token.check()
        return woken
