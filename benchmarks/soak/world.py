"""What agents, drivers and tools see of the field that they live in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from actors import ActorRef, AgentHandle, AgentId, SpawnConfig

    from .faults import Faults
    from .ledger import Ledger
    from .plan import Plan


class World(Protocol):
    """The actors, the other agents and the books; ``release`` frees who is stuck, ``endpoint`` is the program's."""

    faults: Faults
    ledger: Ledger
    release: threading.Event
    endpoint: AgentId
    most_slots: int

    def actors(self) -> Sequence[ActorRef[Any]]:
        """The actors, in an order of the moment; some may have ended."""

    def tell(self, word: str, timeout: float) -> None:
        """Tell an actor something, numbered."""

    def config(self, plan: Plan) -> SpawnConfig:
        """*plan* as something to be spawned."""

    def watch(self, handle: AgentHandle[Any], plan: Plan) -> None:
        """See how *handle* ends."""

    def someone(self, amount: float) -> AgentId:
        """The id of one of the last agents; it may have ended."""

    def cancel(self, agent_id: AgentId) -> None:
        """Cancel that agent, if there is one."""
