"""What is recorded of an agent of a host: the program records it."""

from __future__ import annotations

from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

from ...agent.agent import Agent
from ...core.records.outcome import AgentStatus
from ...errors import Cancelled, EngineLost, NotPortable
from ..arrivals import KEEP

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.records.ending import Ending
    from ...core.records.outcome import AgentOutcome
    from ...core.scheduling.agent_cell import AgentCell
    from ..items import Ended
    from ..program import Program


class NodeRecord:
    """Has the program record how an agent ended before its ``on_end`` is told. Where it has none of its own nothing is
    asked: the program records it as it hears of it, before anybody else does.

    Args:
        told: How an end is told to the program.

    Threads: one at a time. Locks: none; ``_cell`` is set before the agent is admitted.
    """

    counts = True

    def __init__(self, program: Program, told: Callable[[AgentCell, AgentOutcome[Any]], Ended]) -> None:
        self._program = program
        self._told = told
        self._cell: AgentCell | None = None

    def claim(self, cell: Any) -> str | None:
        """It has its key already."""
        self._cell = cell
        key: str | None = cell.spec.key
        return key

    def release(self) -> None:
        """It is always admitted."""

    def recall(self) -> Ending | None:
        """Nothing: that was looked up before it came."""

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Have it recorded.

        Raises:
            AgentError: It cannot be.
        """
        cell = self._cell
        if cell is None or cell.actor is None or outcome.status is AgentStatus.ABANDONED:
            return
        if getattr(type(cell.actor), "on_end", None) is Agent.on_end:
            return
        try:
            item = self._told(cell, outcome)
        except NotPortable:  # so it crashes, and that is what is recorded
            return
        with suppress(Cancelled, EngineLost):  # it was abandoned, or nobody listens any more
            Context().run(self._program.ask, KEEP, cell.id, item)  # not as the agent: a cancel comes too late
