"""An agent of an engine before it goes to a host, while it is looked up whether it has ended before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..core.waiting.wait_graph import WaitMember

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.scheduling.agent_cell import AgentCell
    from ..core.waiting.wait_graph import WaitNode
    from ..core.waiting.waiter import Waiter


class LookingUp(WaitMember):
    """Stands for an agent in the thread that looks up what it has done: where that waits, for its turn in a session
    perhaps, it waits as the agent, which can be cancelled, and others go to hosts meanwhile.

    Args:
        lay_out: Called before it waits for the first time: its place on a host is for others.

    Threads: the one that made it.
    """

    __slots__ = ("_cell", "_has_waited", "_lay_out", "_thread", "token", "waiter", "waits")

    def __init__(self, cell: AgentCell, lay_out: Callable[[], object]) -> None:
        self.token = cell.token
        self.waits = cell.waits
        self.waiter = None
        self._cell = cell
        self._lay_out = lay_out
        self._has_waited = False
        self._thread = threading.get_ident()

    @property
    def label(self) -> str:
        """How messages name it."""
        return self._cell.label

    def is_here(self) -> bool:
        """Is the calling thread its own?"""
        return threading.get_ident() == self._thread

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* its agent or an ancestor of that?"""
        return self._cell.is_below(other)

    def waiting_self(self) -> WaitMember:
        """The agent."""
        return self._cell

    def targets(self) -> Sequence[WaitNode]:
        """Whom it waits for right now."""
        return self._cell.targets()

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:
        """Wait as the agent, which holds no place meanwhile."""
        if not self._has_waited:
            self._has_waited = True
            self._lay_out()
        return super().wait(waiter, timeout, on, target)
