"""Children of the agents of a host: the program starts them, and says how they ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from ...agent.ledger import next_child_path, scope_of
from ...core.records.outcome import AgentStatus
from ...core.supervision.agent_context import Colleague
from ...core.supervision.pool_state import Step
from ...core.waiting.wait_graph import current
from ..family import CANCEL_CHILD, CHILD, COLLEAGUES, END_CHILDREN, SPAWN
from ..portable import dump_value, load_value
from .child_handle import ChildHandle
from .far_children import FarChild, FarFamily

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...agent.agent import Agent
    from ...agent.assembly.factory import AgentFactory
    from ...agent.config import SpawnConfig
    from ...agent.specialist import Specialist
    from ...core.records.message import AgentId, AgentMessage
    from ...core.scheduling.agent_cell import AgentCell
    from ...core.supervision.supervisor import Supervisor
    from ...core.waiting.waiter import Waiter
    from ..pickler import Way
    from ..program import Program
    from .node_post import NodePost

ResultT = TypeVar("ResultT")
FAR: Final = "far_children"
"""Children that have not ended, by their ids: one of the parent's lazies."""
EARLY: Final = "early_children"
"""Children that have ended before their parent knew of them: one of the parent's lazies."""


class FamilyHost(Protocol):
    """The host, as its families see it."""

    @property
    def program(self) -> Program:
        """The program."""

    @property
    def core(self) -> Supervisor:
        """Its pool."""

    @property
    def way(self) -> Way:
        """What goes from it to the program, and stays there."""

    @property
    def factory(self) -> AgentFactory:
        """What equips its agents."""

    def cell(self, agent_id: int) -> AgentCell | None:
        """An agent of it, unless it has ended."""

    def take(self, what: str, fn: Callable[..., object]) -> None:
        """Give each ``Told`` of that *what* to ``fn(agent_id, *args)``."""


class NodeFamily:
    """Has the program start children of the agents of a host.

    Guarantees: a parent has ended, and its ``on_end`` begins, only after the program has said that its children have.

    Threads: any of the host's.

    Locks: the turn of the host's pool guards the children of its agents, and ``_is_over``.
    """

    def __init__(self, host: FamilyHost, post: NodePost) -> None:
        self._host = host
        self._post = post
        self._pool = host.core.pool
        self._is_over = False
        self._pool.colleagues = self._colleagues
        host.factory.elsewhere = self
        host.take(CHILD, self._ended)

    def spawn(
        self, config: SpawnConfig[ResultT], parent: Agent[Any], specialist: Specialist | None
    ) -> ChildHandle[ResultT]:
        """Start a child of *parent*, an agent of this host.

        Raises:
            CapabilityDenied, CircuitBreak, ManifestError, TypeError, ValueError: The program refuses it.
            NotPortable: Its config cannot go to another machine.
            Cancelled: *parent* was cancelled.
        """
        context, parts = parent._context, parent._parts
        token, agent_id = context.token, context.agent_id
        token.check()
        job = dump_value((config, specialist, parts.manifest), "the config of a child", self._host.way)
        place = next_child_path(parent)
        answer = self._host.program.ask(SPAWN, agent_id, job, place, cancel=token)
        child_id, name, key, counts = answer
        scope = scope_of(parts.ledger) if counts and parts.ledger is not None else None
        child = FarChild(child_id, name, agent_id, scope)
        self._add(child)
        return ChildHandle(child, key, config, self)

    def _add(self, child: FarChild) -> None:
        parent = self._host.cell(child.parent_id)
        if parent is None:
            return  # it was abandoned: nobody waits
        with self._pool.turn:
            if parent.outcome is not None:
                return  # as above
            data = parent.lazies.get(EARLY, {}).pop(child.id, None)
            if data is not None:
                child.data = data
            elif not self._is_over:
                parent.lazies.setdefault(FAR, {})[child.id] = child
                self._join_family(parent, child)

    def _join_family(self, parent: AgentCell, child: FarChild) -> None:
        """Let *parent* end no earlier than *child*. Under the turn."""
        families = cast("list[FarFamily]", list((parent.children or {}).values()))  # no others are there
        family = next((one for one in families if not one.stopping), None)
        if family is None:
            family = FarFamily(child.id, parent.id)
            family.token.remind(partial(self._tell_end, family))
            parent.add_child(cast("AgentCell", family))  # as far as a pool minds the children of its agents
        family.members.add(child.id)
        child.family = family

    def _ended(self, parent_id: AgentId, child_id: AgentId, data: bytes) -> None:
        """The program says how a child ended."""
        parent = self._host.cell(parent_id)
        if parent is None:
            return
        with Step(self._pool) as effects:
            child: FarChild | None = parent.lazies.get(FAR, {}).pop(child_id, None)
            if child is None:  # its parent will hear of it
                parent.lazies.setdefault(EARLY, {})[child_id] = data
                return
            child.data = data
            family = child.family
            assert family is not None
            family.members.discard(child_id)
            if not family.members:
                parent.remove_child(cast("AgentCell", family), cast("Any", effects.wakes))
            effects.wakes += child.waiters
            for waiter in effects.wakes:
                self._pool.roster.expect(waiter)
            self._pool.roster.balance(effects)
        if child.scope is not None and child.scope.path:
            rest, _, _ = load_value(data)
            child.scope.below.append((rest.usage_total, rest.cost_usd_total))

    def give_up(self) -> None:
        """The program is gone, or has given this host up: nobody says any more how a child ended."""
        with Step(self._pool) as effects:
            self._is_over = True
            for parent in self._pool.roster.everybody():
                for child in list((parent.children or {}).values()):
                    parent.remove_child(child, cast("Any", effects.wakes))
            for waiter in effects.wakes:
                self._pool.roster.expect(waiter)
            self._pool.roster.balance(effects)

    # For handles --------------------------------------------------------------------------------------------------

    def line_up(self, child: FarChild, waiter: Waiter) -> None:
        """Let *waiter* be woken when *child* has ended; at once if it has."""
        with self._pool.turn:
            if child.data is None:
                child.waiters.append(waiter)
                return
        waiter.wake()

    def leave_line(self, child: FarChild, waiter: Waiter) -> None:
        """*waiter* waits no longer."""
        with self._pool.turn:
            if waiter in child.waiters:
                child.waiters.remove(waiter)

    def cancel(self, child: FarChild, reason: str) -> bool:
        """Cancel *child*; False when it has ended."""
        if child.data is not None:
            return False
        self._tell_cancel(child, reason)
        return True

    def _tell_end(self, family: FarFamily) -> None:
        """The host's pool ends the children of an agent."""
        self._host.program.note(END_CHILDREN, family.parent_id, family.token.reason)

    def _tell_cancel(self, child: FarChild, reason: str) -> None:
        self._host.program.note(CANCEL_CHILD, child.parent_id, child.id, reason)

    def send(self, child: FarChild, message: AgentMessage, timeout: float | None) -> None:
        """Send *message* to *child*, wherever it lives."""
        router = self._pool.router
        if router.find(child.id) is not None:
            router.send(message, timeout)
        else:
            self._post.send_for(child.parent_id, message, timeout)

    def _colleagues(self, agent_id: AgentId) -> list[Colleague]:
        """All others, wherever they live."""
        member = current()
        token = None if member is None else member.token
        found = self._host.program.ask(COLLEAGUES, agent_id, cancel=token)
        return [Colleague(one, name, AgentStatus(status), parent) for one, name, status, parent in found]
