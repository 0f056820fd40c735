"""Who sees the agents of a pool begin, park and end, where another process is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..records.outcome import AgentOutcome
    from ..scheduling.agent_cell import AgentCell


class Witness(Protocol):
    """Sees what becomes of the agents of a pool. Nothing of it raises."""

    def began(self, cell: AgentCell) -> None:
        """*cell* got a slot. On its own thread."""

    def ended(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
        """What is to be the outcome of *cell*, whose life came to *outcome*. On its own thread, before it has one."""

    def parked(self) -> None:
        """An agent has laid its slot out. Any thread, also under the turn."""
