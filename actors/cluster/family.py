"""Children of agents that live on nodes: checked, admitted and ended in the program, as those of local ones."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ..agent.assembly.factory import AgentParts
from ..agent.ledger import Scope, inside
from ..core.messaging.router import PROGRAM
from ..core.scheduling.agent_cell import WAITERS
from ..core.supervision.handle import AgentHandle
from ..errors import Cancelled, NotPortable
from ..journal.ledger import JournalLedger
from .failures import dump_error
from .items import Told
from .portable import ANYWHERE, dump_value, load_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.agent import Agent
    from ..agent.ledger import Ledger
    from ..agent.terms.manifest import AgentManifest
    from ..agent.transfer import Transfer
    from ..core.records.outcome import AgentOutcome
    from ..core.records.spec import AgentSpec
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.supervision.supervisor import Supervisor
    from ..core.waiting.waiter import Parked
    from .engine_state import EngineState
    from .program import Asked

PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
"""What a result is made of that runs nothing when it is pickled."""
SPAWN: Final = "spawn"
"""The question for a child: its config, what its parent's manifest calls it and that manifest, as bytes; its place
among the children of its parent.
"""
CHILD: Final = "child"
"""What the host of a parent is told when a child has ended: its id, and its outcome, as bytes."""
CANCEL_CHILD: Final = "cancel_child"
END_CHILDREN: Final = "end_children"
"""The note that an agent has run to its end, or was cancelled: all below it are to end, at once."""
COLLEAGUES: Final = "colleagues"


class _Place(Scope):
    """The effect of an agent of a host inside which it starts a child: it has said there in which place.

    Locks: none.
    """

    __slots__ = ("_child",)

    def __init__(self, ledger: Ledger, child: str) -> None:
        super().__init__(ledger, "")
        self._child = child

    def next_child(self) -> str:
        """Where the child is started."""
        return self._child


class _ParentContext:
    """What the pool is for an agent of a host, as far as its children go. For one child, which is then there.

    Locks: none: one thread has it.
    """

    __slots__ = ("_cell", "_supervisor", "child")

    def __init__(self, cell: AgentCell, supervisor: Supervisor) -> None:
        self._cell = cell
        self._supervisor = supervisor
        self.child: AgentCell

    @property
    def label(self) -> str:
        """How messages name it."""
        return self._cell.label

    @property
    def agent_id(self) -> int:
        """Its id."""
        return self._cell.id

    @property
    def key(self) -> str | None:
        """What names it over all processes."""
        return self._cell.spec.key

    @property
    def depth(self) -> int:
        """How deep it is."""
        return self._cell.depth

    @property
    def max_depth(self) -> int | None:
        """How deep its children may be."""
        return self._cell.spec.max_depth

    def spawn(self, spec: AgentSpec) -> AgentHandle[Any]:
        """Admit a child. Nobody reads its events by a handle: that is on a host."""
        (self.child,) = self._supervisor.admission.admit([spec], owner=None, parent=self._cell)
        return AgentHandle(self.child, self._supervisor)


@dataclass(frozen=True, slots=True)
class _Parent:
    """Stands in the program for an agent of a host that starts a child: with what the program has given that agent."""

    _context: _ParentContext
    _parts: AgentParts

    @property
    def key(self) -> str | None:
        """What names it over all processes."""
        return self._context.key

    @property
    def manifest(self) -> AgentManifest:
        """Its manifest, as it is now."""
        return self._parts.manifest

    @property
    def driver(self) -> Any:
        """What its children ask when they are given nothing else."""
        return self._parts.driver

    @property
    def memory(self) -> Any:
        """Where they remember."""
        return self._parts.memory

    @property
    def deps(self) -> Any:
        """What it was given of the program."""
        return self._parts.deps


class Family:
    """Starts children for agents of hosts, and tells those how they ended.

    Guarantees: what a child may do, its place and its budgets are looked at in the program, by what that has given the
    parent; a child whose parent does not wait for it any more is cancelled.

    Threads: any. Locks: none.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        state.desk.serve_later(SPAWN, self._asked)
        state.desk.serve(COLLEAGUES, self._colleagues)
        state.desk.hear(CANCEL_CHILD, self._cancel)
        state.desk.hear(END_CHILDREN, self._end_children)

    # On the engine's thread -----------------------------------------------------------------------------------------

    def _asked(self, asked: Asked, job: bytes, place: str) -> None:
        parent = self._state.cell(asked.agent_id)
        if parent is None:
            asked.refuse(Cancelled("it has ended"))
            return
        self._state.elsewhere(partial(self._spawn, asked, parent, job, place), asked.refuse)

    def _cancel(self, agent_id: int, child_id: int, reason: str) -> None:
        child = self._state.cell(child_id)
        if child is not None and child.parent is not None and child.parent.id == agent_id:
            self._state.supervisor.cancel(child, reason)

    def _end_children(self, agent_id: int, reason: str) -> None:
        """In one step: so none of them gets a slot that another one leaves."""
        parent = self._state.cell(agent_id)
        if parent is not None:
            with self._state.pool.turn:
                children = list((parent.children or {}).values())
            self._state.pool.cancel_all(reason, children)

    def _colleagues(self, agent_id: int) -> list[tuple[int, str, str, int]]:
        return [
            (cell.id, cell.spec.name, str(cell.status), PROGRAM if cell.parent is None else cell.parent.id)
            for cell in self._state.supervisor.cells()[0]
            if cell.id != agent_id
        ]

    # On a thread of its own -----------------------------------------------------------------------------------------

    def _spawn(self, asked: Asked, cell: AgentCell, job: bytes, place: str) -> None:
        """Start a child of *cell*: what a user gave is unpickled, and looked at, here."""
        try:
            child, answer = self._child(cell, job, place)
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            asked.refuse(error)
            return
        supervisor = self._state.supervisor
        _End(self, cell.id, child).stand_in_line()
        asked.when_gone(partial(supervisor.cancel, child, "nobody waits for it any more"))
        asked.answer(answer)

    def _child(self, cell: AgentCell, job: bytes, place: str) -> tuple[AgentCell, tuple[int, str, str | None, bool]]:
        state = self._state
        parts = parts_of(cell)
        config, specialist, manifest = load_value(job, state.references)
        parts = under(parts, manifest)
        context = _ParentContext(cell, state.supervisor)
        parent = cast("Agent[Any]", _Parent(context, parts))
        with nullcontext() if parts.ledger is None else inside(_Place(parts.ledger, place)):
            state.factory.spawn_child(config, parent, parts.tool_source, specialist)
        child = context.child
        return child, (child.id, child.spec.name, child.spec.key, isinstance(parts.ledger, JournalLedger))

    def ended(self, parent_id: int, child: AgentCell) -> None:
        """Tell the parent how *child* ended: at once where nothing that a user wrote is pickled for it, so that the
        parent is told before its slot, or that of the child, is given to anybody.
        """
        outcome, tell = child.outcome, partial(self._tell, parent_id, child)
        assert outcome is not None
        if outcome.error is None and type(outcome.result) in PLAIN:
            tell()
        else:
            self._state.elsewhere(tell, lambda _: tell())

    def _tell(self, parent_id: int, child: AgentCell) -> None:
        assert child.outcome is not None
        told = dump_value((child.id, written(child.outcome)), CHILD)
        self._state.tell(parent_id, Told(CHILD, parent_id, told))


class _End:
    """Stands in line for the outcome of a child, as one of those who are woken by it.

    Locks: none; the removal of ``_is_open`` is one operation.
    """

    __slots__ = ("_child", "_family", "_is_open", "_parent_id")

    owner: Parked | None = None

    def __init__(self, family: Family, parent_id: int, child: AgentCell) -> None:
        self._family = family
        self._parent_id = parent_id
        self._child = child
        self._is_open = True

    def stand_in_line(self) -> None:
        """From now on; at once if it has ended."""
        self._child.lazies.setdefault(WAITERS, []).append(self)
        if self._child.outcome is not None:  # whoever settles it sets that first, and then looks who waits
            self.wake()

    def wake(self) -> None:
        """It has ended."""
        try:
            del self._is_open  # one operation, so one thread wins
        except AttributeError:
            return
        self._family.ended(self._parent_id, self._child)


def parts_of(cell: AgentCell) -> AgentParts:
    """What the program has given the agent of *cell*.

    Raises:
        Cancelled: It has ended.
    """
    parts = getattr(cell.spec.build, "__self__", None)
    if not isinstance(parts, AgentParts):
        raise Cancelled("it has ended")
    return parts


def under(parts: AgentParts, manifest: AgentManifest) -> AgentParts:
    """*parts* as they are under *manifest*, to which the conversation of the agent may have been handed on."""
    if manifest == parts.manifest:
        return parts
    for transfer in _ways(parts.transfers):
        destination = transfer.destination
        if destination.manifest == manifest:
            return replace(
                parts,
                manifest=destination.manifest,
                driver=destination.driver,
                shape=destination.shape,
                transfers=destination.transfers,
                guardrails=destination.guardrails,
            )
    return parts


def _ways(transfers: tuple[Transfer, ...]) -> Iterator[Transfer]:
    """All ways on, over any number of steps."""
    found = list(transfers)
    seen: set[int] = set()
    for transfer in found:  # it grows
        if id(transfer.destination) not in seen:
            seen.add(id(transfer.destination))
            found += transfer.destination.transfers
            yield transfer


def written(outcome: AgentOutcome[Any]) -> bytes:
    """*outcome* for the host of the parent, which has the query and the tag; what cannot go there is said in it."""
    try:
        result = dump_value(outcome.result, "the result of a child")
        error = dump_value(None, "") if outcome.error is None else dump_error(outcome.error, ANYWHERE)
    except NotPortable as refusal:
        result, error = dump_value(None, ""), dump_error(refusal, ANYWHERE)
    rest = outcome.model_copy(update={"query": None, "tag": None, "result": None, "error": None})
    return dump_value((rest, result, error), "the outcome of a child")
