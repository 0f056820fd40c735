"""What a pool keeps of one agent: its control block."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...errors import AgentAbandoned, Cancelled
from ..checks import BrokenRuleError
from ..messaging.router import PROGRAM, Endpoint
from ..records.ending import Ending, stopped
from ..records.expenses import NOTHING_USED, Expenses
from ..records.heard import NOT_HEARD
from ..records.outcome import AgentOutcome, AgentStatus
from ..records.state import IN_TOOL, NEXT, PARKED, QUEUED, RESTARTING, RUNNING, AgentState
from ..records.trusted import names_of, trusted
from ..shown import agent_label, listed
from ..waiting.cancel import CancelToken
from ..waiting.wait_graph import Lot
from ..waiting.waiter import Waiter
from .tool_thread import ToolOwner, ToolThread

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from contextvars import Context
    from datetime import datetime

    from ..actors.restarts import Restarts
    from ..clock import Clock, WallTime
    from ..records.heard import Heard
    from ..records.spec import AgentSpec, Runnable
    from ..waiting.wait_graph import WaitNode
    from ..waiting.waiter import Wakeable
    from .approval import Approvals


STATUS: Final[Mapping[AgentState, AgentStatus]] = dict.fromkeys(AgentState, AgentStatus.RUNNING) | {
    QUEUED: AgentStatus.QUEUED,
    PARKED: AgentStatus.PARKED,
    RESTARTING: AgentStatus.RESTARTING,
}
"""The status of an agent that has not ended, by its state: whatever has no word of its own is running."""


EXPENSES = "expenses"
"""What the agent has used: one of the cell's lazies, made by whoever spends first."""
AT_FIRST: Final[Any] = (
    PROGRAM, None, False, 0, QUEUED, RUNNING, None, None,
    False, False, 0.0, None, None, False, None,
    None, None, None, None, True, None, 0,
    (), None, 0, None, None, None,
    None, 0, None, None,
)  # fmt: skip
"""What a cell that is just made has, in the order of its ``__init__``. (The id comes with the admission.)"""
WAITERS = "waiters"
"""Those who wait for the outcome of an agent: a list of the cell's lazies, which changes by single operations."""


class Host(Lot, Protocol):
    """The pool of an agent, as far as its cell needs it: where its own thread parks, and what else there is."""

    clock: Clock
    wall: WallTime
    moment: Callable[[], float]
    """That of the clock: it is asked for each wait."""

    @property
    def tool_lot(self) -> Lot:
        """Where its tool calls park."""

    def park(self, member: AgentCell, on: str, state: AgentState = PARKED) -> None:
        """An agent waits for somebody else, and needs no slot."""

    def expect_slot(self, cell: AgentCell, waiter: Waiter) -> None:
        """*cell*, which is parked at *waiter* without a slot, is about to be woken."""


class Creditor(Protocol):
    """To whom an outcome is owed. Under the turn, but for :meth:`remove`, which takes it."""

    def add(self, cell: AgentCell) -> None:
        """*cell* was admitted."""

    def finish(self, cell: AgentCell, wakes: list[Wakeable], calls: deque[Callable[[], object]]) -> list[AgentCell]:
        """The outcome of *cell* is there; who has to be woken is added to *wakes*, what is to be said of it to *calls*.
        Those to be cancelled with it.
        """

    def remove(self, cell: AgentCell) -> None:
        """*cell* is not owed (any more)."""


class AgentCell(Endpoint, ToolOwner):
    """What a pool keeps of one agent. The name is Akka's: the cell holds an actor, and outlives it.

    Guarantees: the outcome is set once, by whichever comes first: the agent's own end, or its abandonment.

    Locks: the pool's turn guards

    - ``id``, ``queued_at``, ``of_slots``, ``started``, ``started_at``, written once, by the admission and by the start;
    - ``has_slot``, ``stopping``, ``children``, ``owner``, ``callbacks``, ``tied``, ``family_waiter``;
    - ``tool_threads``, written by the agent's own thread, and ``tools_waiter``, which one of its tools may replace;
    - ``outcome``, which is written last, so that reading it without the lock is safe.

    The state (``state``, ``since``, and what belongs to it) is moved by :meth:`transition`, :meth:`stand_aside` and
    :meth:`resume` alone: under the turn while the agent is queued and while its tools run, else by its own thread; it
    may be read anywhere. ``steps`` is counted by all threads of the agent, without a lock, and may lose some: only that
    it changes matters.

    ``heard`` is changed under the turn, or before the admission. What is in ``lazies`` changes by single operations.
    The agent's own thread writes ``thread``, ``actor``, ``approvals``, ``parks``, ``restarted``, ``waiter``,
    ``works_on`` and ``survives_restart``; the end lets go of the latter and of ``context``, under the turn. The claim
    of ``unclaimed`` is one operation. Who goes on with an agent whose thread is left behind in a tool call becomes its
    own thread under the turn, writes ``thread`` and ``context`` there, and ``unclaimed`` after that. The event
    delivery's lock guards ``silent`` and ``told``, the router's ``mailbox`` and ``gone``.
    Nothing else changes.
    """

    __slots__ = (
        "__weakref__",
        "_before",
        "_on",
        "actor",
        "approvals",
        "bounded",
        "callbacks",
        "children",
        "context",
        "depth",
        "family_waiter",
        "group",
        "has_slot",
        "heard",
        "host",
        "lazies",
        "of_slots",
        "outcome",
        "owner",
        "parent",
        "parks",
        "queued_at",
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
        "thread",
        "tied",
        "token",
        "told",
        "tool_threads",
        "tools_waiter",
        "unclaimed",
        "waiter",
        "waits",
        "works_on",
    )

    host: Host
    depth: int
    thread: int
    _on: str | None
    works_on: str | None
    context: Context | None
    tied: list[AgentCell] | None
    family_waiter: Waiter | None
    outcome: AgentOutcome[Any] | None
    actor: Runnable | None
    approvals: Approvals | None
    children: dict[int, AgentCell] | None
    waiter: Waiter | None
    callbacks: list[Callable[[], object]] | None
    waits: list[tuple[WaitNode, Waiter]]
    tool_threads: Sequence[ToolThread[AgentCell]]
    tools_waiter: Waiter | None
    lazies: dict[str, Any]
    """What Pykka knows of an actor, and whatever else most agents never use."""
    queued_at: float | None
    of_slots: int | None
    started: float | None
    started_at: datetime | None
    restarted: Restarts | None
    survives_restart: Any

    def __init__(  # not that of ``Endpoint``, whose fields are among the rest
        self,
        host: Host,
        spec: AgentSpec,
        parent: AgentCell | None,
        owner: Creditor | None,
        *,
        bounded: bool,
        group: Hashable = None,
        heard: Heard = NOT_HEARD,
    ) -> None:
        self.host = host
        self.spec = spec
        self.parent = parent
        self.owner = owner
        self.bounded = bounded
        self.group = group
        self.heard = heard
        self.token = CancelToken()
        self.context = copy_context()
        self.waits = []
        self.lazies = {}
        self.since = host.clock.monotonic()
        (  # all the rest at once: half of what a cell costs
            self.id, self.mailbox, self.gone, self.depth, self.state, self._before, self._on, self.works_on,
            self.stopping, self.silent, self.told, self.tied, self.family_waiter, self.has_slot, self.outcome,
            self.actor, self.approvals, self.children, self.waiter, self.unclaimed, self.callbacks, self.steps,
            self.tool_threads, self.tools_waiter, self.parks, self.queued_at, self.of_slots, self.started,
            self.started_at, self.thread, self.restarted, self.survives_restart,
        ) = AT_FIRST  # fmt: skip
        if parent is not None:
            self.depth = parent.depth + 1

    @property
    def cell(self) -> AgentCell:
        """Itself: a tool call answers with its agent."""
        return self

    # Its state --------------------------------------------------------------------------------------------------

    def transition(self, to: AgentState, on: str | None = None) -> None:
        """Go from one state to the next: the only way. ``NEXT`` says which may follow.

        Args:
            on: What it stands aside for, parked or until it is started again; :meth:`resume` goes back.
        """
        if on is not None:
            if self.state is not PARKED:
                self._before = self.state
            self._on = on
        self.state = to
        self.steps += 1
        self.since = self.host.clock.monotonic()

    def stand_aside(self, on: str) -> None:
        """Be parked on what *on* says: as :meth:`transition`, by its own thread, in fewer steps."""
        state = self.state
        if state is not PARKED:
            self._before = state
            self.state = PARKED
        self._on = on
        self.steps += 1
        self.since = self.host.moment()

    def resume(self) -> None:
        """Go back to what it was at before it stood aside."""
        self.state = self._before
        self.steps += 1
        self.since = self.host.moment()

    @property
    def parked_on(self) -> str | None:
        """What it is parked on; None when it is not."""
        return self._on if self.state is PARKED else None

    @property
    def status(self) -> AgentStatus:
        """Where it is in its life."""
        return STATUS[self.state] if self.outcome is None else self.outcome.status

    def state_and_place(self) -> tuple[AgentState, str | None]:
        """What it is at, and what it is parked on, which tools run, which model works, or after what it backs off."""
        state = self.state
        if state is IN_TOOL:
            return state, listed([tool.name for tool in self.tool_threads if not tool.done])
        return state, self._on if state is PARKED else self.works_on

    def running_tools(self) -> Iterator[ToolThread[AgentCell]]:
        """Its tool calls that have not ended, and that it still waits for."""
        return (tool for tool in self.tool_threads if not (tool.done or tool.abandoned))

    def works(self) -> bool:
        """Does one of its tool calls work? (Its own thread does not, while they run.)"""
        return any(not tool.parks for tool in self.running_tools())

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return 0 if self.restarted is None else self.restarted.total

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
        released = (self, self.survives_restart, self.context, self.spec.build)
        self.survives_restart = self.context = None
        self.spec.build = _gone
        if self.tied is not None:
            self.tied.clear()
        return released

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

    def remove_child(self, child: AgentCell, wakes: list[Wakeable]) -> None:
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

    def begin(self) -> bool:
        """Claim the one life; False when another thread has. (An interrupted start is tried again.)"""
        try:
            del self.unclaimed  # one operation, so one thread wins
        except AttributeError:
            return False
        return True

    @property
    def expenses(self) -> Expenses:
        """What it has used."""
        made: Expenses | None = self.lazies.get(EXPENSES)
        return self.lazies.setdefault(EXPENSES, Expenses()) if made is None else made

    def make_outcome(self, ending: Ending, at: float | None = None) -> AgentOutcome[Any]:
        """Turn *ending* into the outcome, as of *at*; None is now."""
        host, spec, now = self.host, self.spec, self.host.clock.monotonic() if at is None else at
        expenses: Expenses | None = self.lazies.get(EXPENSES)
        fields = {
            "agent_id": self.id,
            "name": spec.name,
            "query": spec.query,
            "tag": spec.tag,
            "status": ending.status,
            "result": ending.result,
            "error": ending.error,
            "started_at": self.started_at,
            "ended_at": host.wall.at(now),
            "duration": 0.0 if self.started is None else now - self.started,
            "restarts": 0 if self.restarted is None else self.restarted.total,
            "parent_id": None if self.parent is None else self.parent.id,
            "depth": self.depth,
            **(NOTHING_USED if expenses is None else expenses.fields()),
            "key": spec.key,
            "recalled": False,
        }
        if ending.recalled is not None:
            fields.update(ending.recalled, recalled=True)
        return trusted(AgentOutcome, fields, names_of(AgentOutcome))

    def close_account(self, outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
        """*outcome*, with what was used since it was made: by a child of the last moment, or a tool. Under the turn."""
        more = self.expenses.end()
        return outcome if more is None else outcome.model_copy(update=more)

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
        return agent_label(self.id, self.spec.name)

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

    def expect_slot(self, waiter: Waiter) -> None:
        """It is being woken from *waiter*: without a slot it stands in line for one now, not only when it runs."""
        if not (self.has_slot or self.stopping):
            self.host.expect_slot(self, waiter)


class CheckedCell(AgentCell):
    """A cell that refuses a step which its state does not allow: for our own tests, see ``checks``."""

    __slots__ = ()

    def transition(self, to: AgentState, on: str | None = None) -> None:
        """Go from one state to the next.

        Raises:
            BrokenRuleError: It may not follow.
        """
        if to not in NEXT[self.state]:
            raise BrokenRuleError(f"{self.label} goes from {self.state} to {to}")
        super().transition(to, on)

    def stand_aside(self, on: str) -> None:
        """Be parked on what *on* says."""
        self.transition(PARKED, on)

    def resume(self) -> None:
        """Go back to what it was at before it stood aside."""
        self.transition(self._before)


def _gone(_: AgentCell) -> Callable[[], Runnable]:
    raise RuntimeError("the agent has ended")


class At:
    """A block during which an agent is at some state. A generator would cost twice as much."""

    __slots__ = ("_cell", "_on", "_state")

    def __init__(self, cell: AgentCell, state: AgentState, on: str | None) -> None:
        self._cell = cell
        self._state = state
        self._on = on

    def __enter__(self) -> None:
        self._cell.works_on = self._on
        self._cell.transition(self._state)

    def __exit__(self, *_: object) -> None:
        self._cell.works_on = None
        self._cell.transition(RUNNING)
