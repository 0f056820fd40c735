"""The program, as whatever stands on a node for something of it sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.waiting.cancel import CancelToken


class Program(Protocol):
    """How a host reaches the program. Threads: any of the host's."""

    def ask(
        self, what: str, agent_id: int, /, *args: Any, cancel: CancelToken | None = None, parked: str | None = None
    ) -> Any:
        """Ask the program, and wait for its answer.

        Args:
            what: Who answers: the name under which a ``ProgramDesk`` has a function.
            agent_id: On whose behalf; 0 for none.
            args: What that function is given; pickled.
            cancel: Ends the wait; an answer that comes then is let go of (see ``Asked.is_gone``).
            parked: What the agent is parked on until the answer comes, where that may take long: others get its slot.
                None: it keeps it.
        Raises:
            BaseException: What that function raised.
            Cancelled: *cancel* came first.
            EngineLost: The program is gone, or has given this host up.
            NotPortable: *args* cannot be pickled.
        """

    def note(self, what: str, agent_id: int, /, *args: Any) -> None:
        """Tell the program, and wait for nobody. What one thread notes and asks arrives in that order."""


class Asked(Protocol):
    """One question, on the program's side. It is answered once, at any time, in any thread; what comes then is left."""

    @property
    def agent_id(self) -> int:
        """On whose behalf it was asked."""

    @property
    def is_gone(self) -> bool:
        """Is nobody left who waits for the answer? Its host was lost, or it waits no longer."""

    def answer(self, value: Any) -> None:
        """Answer it."""

    def refuse(self, error: BaseException) -> None:
        """Raise *error* where it was asked."""

    def when_gone(self, call: Callable[[], object]) -> None:
        """Call *call* once when whoever asked is gone before the answer came; at once if so. Of an agent whose host was
        lost, or that was cancelled.
        """
