"""Agents that live in threads of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..scheduling.agent_cell import AgentCell
    from .pool_state import PoolState


class LocalLives:
    """Lets each agent live on a worker's thread. What wakes a cancelled one is its token: nothing has to be told."""

    __slots__ = ("_pool",)

    def __init__(self, pool: PoolState) -> None:
        self._pool = pool

    def admit(self, cells: Sequence[AgentCell]) -> None:
        """All can live here."""

    def start(self, cell: AgentCell) -> None:
        """Start a worker for *cell*.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._pool.crew.start(Runner(self._pool, cell).work)

    def stop(self, cells: Sequence[AgentCell]) -> None:
        """Nobody lives without a thread."""

    def node_of(self, cell: AgentCell) -> str | None:  # noqa: ARG002
        """All live here."""
        return None

    def resize(self, slots: int) -> None:
        """The slots say who may run."""

    def listen(self) -> None:
        """The agents look themselves."""

    def close(self) -> None:
        """The end of the pool ends its threads."""
