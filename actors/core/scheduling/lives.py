"""Where the admitted agents of a pool live: in threads of this process, or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .agent_cell import AgentCell


class Lives(Protocol):
    """Lets agents live. The pool decides who, when and how long; this does it.

    Threads: any. Locks: nothing of it is called under the pool's turn.
    """

    def admit(self, cells: Sequence[AgentCell]) -> None:
        """They are about to be admitted, in the caller's thread.

        Raises:
            NotPortable: One of them cannot go where it would live.
            EngineLost: Nobody can live there any more.
        """

    def start(self, cell: AgentCell) -> None:
        """Let it live: it got a slot. In a thread that has just taken a step.

        Raises:
            RuntimeError: It cannot be started: that is its outcome.
        """

    def stop(self, cells: Sequence[AgentCell]) -> None:
        """They were cancelled: those that have no thread here to be woken."""

    def node_of(self, cell: AgentCell) -> str | None:
        """The name of the node on which it lives; None for this process, and before it was sent."""

    def resize(self, slots: int) -> None:
        """So many may run at once, from now on."""

    def listen(self) -> None:
        """Whether anybody listens to all agents has changed."""

    def close(self) -> None:
        """Nobody lives any more."""
