"""Children of an agent of a host, for the host's pool: it ends them with their parent, wherever they live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.records.state import RUNNING
from ...core.shown import agent_label
from ...core.waiting.cancel import CancelToken
from ...core.waiting.wait_graph import WaitNode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...agent.ledger import Scope
    from ...core.records.message import AgentId
    from ...core.waiting.waiter import Waiter


class FarFamily(WaitNode):
    """Some children of one agent, which stand together in its cell's table of children: a cancel of that agent is one
    cancel for all of them, and it ends when the last of them has.

    Locks: the turn of the host's pool guards ``stopping`` and ``members``.
    """

    children = None
    has_slot = False
    thread = 0
    state = RUNNING

    def __init__(self, first: AgentId, parent_id: AgentId) -> None:
        self.id = first
        self.parent_id = parent_id
        self.token = CancelToken()
        self.stopping = False
        self.members: set[AgentId] = set()
        self.lazies: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"children of agent {self.parent_id}"

    @property
    def outcome(self) -> object:
        """Has the host's pool nothing to do for it (any more)? They end where they live, once that was told."""
        return self.stopping or None

    def targets(self) -> Sequence[WaitNode]:
        """Whom they wait for is not known here."""
        return ()

    def tether(self) -> list[Any]:
        """No timer of the host minds them: the program's do."""
        return []


class FarChild(WaitNode):
    """One of them, as handles see it.

    Locks: the turn of the host's pool guards ``data``, ``family`` and ``waiters``; ``data`` is read without it, too.
    """

    def __init__(self, child_id: AgentId, name: str, parent_id: AgentId, scope: Scope | None) -> None:
        self.id = child_id
        self.name = name
        self.parent_id = parent_id
        self.scope = scope
        self.family: FarFamily | None = None
        self.data: bytes | None = None
        self.waiters: list[Waiter] = []

    @property
    def label(self) -> str:
        """How messages name it."""
        return agent_label(self.id, self.name)

    def targets(self) -> Sequence[WaitNode]:
        """Whom it waits for is not known here."""
        return ()
