"""The agents that an agent starts: who starts them elsewhere, and what is known of those of its earlier lives."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..core.records.ending import Ending
from ..core.records.json_plain import is_plain
from ..core.records.outcome import AgentStatus
from .ledger import KnownChild, next_child_path

if TYPE_CHECKING:
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.handle import AgentHandle
    from .agent import Agent, Parts
    from .config import SpawnConfig
    from .ledger import MemoryLedger
    from .specialist import Specialist

ResultT = TypeVar("ResultT")

OF_ITS_OWN = frozenset({"agent_id", "name", "query", "tag", "status", "result", "error", "parent_id", "depth", "key"})
"""Fields of an outcome that are those of the agent at hand, or told by its ending."""


class ChildrenElsewhere(Protocol):
    """Starts the children of agents that live away from the program."""

    def spawn(
        self, config: SpawnConfig[ResultT], parent: Agent[Any], specialist: Specialist | None
    ) -> AgentHandle[ResultT]:
        """Start a child of *parent*."""


class ChildRecord:
    """Gives a child that its parent has started before, in the same place and with the same job, back to the parent's
    next life: with its outcome when it completed, else with its ledger.

    Guarantees: its result is the same object as before; what it used was counted then, and is not counted again.

    Args:
        parts: What the child is given.
        ledger: The child's, which knows nothing yet.
        parent: Who starts it.
        known: The parent's ledger: it holds outcomes and ledgers of children as long as the parent lives.

    Threads: one at a time; ``keep`` any.
    """

    counts = False

    def __init__(self, parts: Parts, ledger: MemoryLedger, parent: Agent[Any], known: MemoryLedger) -> None:
        self._parts = parts
        self._ledger = ledger
        self._parent = parent
        self._known = known
        self._path = ""
        self._child: KnownChild | None = None

    def claim(self, cell: Any) -> str | None:  # noqa: ARG002 - for those who wait for others
        """Look whether it was started before. Its key is the one that it was given."""
        self._path = next_child_path(self._parent)
        asked = _asked(self._parts)
        known = self._known.children.get(self._path)
        if known is None or not _is_same(known.asked, asked):
            self._child = KnownChild(asked, self._ledger)
        elif known.ledger is None:
            self._child = known
        else:  # a copy: the one before may have been abandoned, and be at work with its own
            self._parts.ledger = ledger = known.ledger.copied()
            self._child = KnownChild(asked, ledger)
        return self._parts.config.key

    def release(self) -> None:
        """Nobody is told of it before it begins."""

    def recall(self) -> Ending | None:
        """How it ended in an earlier life of its parent, if it completed."""
        child = self._child
        assert child is not None  # it was admitted
        self._known.children[self._path] = child
        outcome = child.outcome
        if outcome is None:
            return None
        fields = {name: value for name, value in dict(outcome).items() if name not in OF_ITS_OWN}
        return Ending(outcome.status, outcome.result, recalled=fields)

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Hold the outcome of one that completed."""
        if self._child is not None and outcome.status is AgentStatus.COMPLETED:
            self._child.complete(outcome)


def _asked(parts: Parts) -> tuple[Any, ...]:
    """What makes out the job of an agent. Not what it works with or is watched by: tools, memory, budgets, limits of
    time and callbacks are often made anew in each life.
    """
    config = parts.config
    return (
        parts.agent_class,
        parts.manifest,
        _as_it_is_now(config.query),
        config.messages,
        _as_it_is_now(config.kwargs),
        config.output_type,
        config.settings,
        parts.driver,
        config.key,
        config.keep_messages,
    )


def _as_it_is_now(value: Any) -> Any:
    """*value* whatever is made of it later; what is no plain data counts as the object that it is."""
    return deepcopy(value) if is_plain(value) else value


def _is_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    try:
        return all(a is b or (type(a) is type(b) and bool(a == b)) for a, b in zip(one, other, strict=True))
    except Exception:  # noqa: BLE001 - as a class of the user's pleases: it is another one then
        return False
