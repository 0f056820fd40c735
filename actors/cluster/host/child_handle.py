"""A child of an agent that lives on a node, as its parent sees it there: wherever it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, cast

from ...core.messaging.router import PROGRAM
from ...core.records.message import AgentMessage
from ...core.records.outcome import AgentStatus
from ...core.supervision.handle import AgentHandle
from ...core.waiting.wait_graph import checkpoint, wait_for
from ...core.waiting.waiter import Waiter
from ...errors import NotAcrossNodes, NotPortable, fresh_copy
from ..portable import load_value

if TYPE_CHECKING:
    from collections.abc import Generator

    from ...agent.config import SpawnConfig
    from ...core.records.message import AgentId
    from ...core.records.outcome import AgentOutcome
    from .far_children import FarChild

T_co = TypeVar("T_co", covariant=True)
ANSWERS = "the program sees what is asked in pool.dump(), and answers by pool.approve and pool.deny"


class Siblings(Protocol):
    """The children of the agents of a host, as a handle sees them. Threads: any."""

    def line_up(self, child: FarChild, waiter: Waiter) -> None:
        """Let *waiter* be woken when *child* has ended; at once if it has."""

    def leave_line(self, child: FarChild, waiter: Waiter) -> None:
        """*waiter* waits no longer."""

    def send(self, child: FarChild, message: AgentMessage, timeout: float | None) -> None:
        """Send *message* to *child*, wherever it lives."""

    def cancel(self, child: FarChild, reason: str) -> bool:
        """Cancel *child*; False when it has ended."""


class ChildHandle(AgentHandle[T_co], Generic[T_co]):
    """A child, as the agent on a node that has started it sees it.

    Threads: any of that agent.

    Locks: none; ``_outcome`` is made once it is there, and made again gives the same.
    """

    __slots__ = ("_child", "_config", "_family", "_key", "_outcome")

    def __init__(self, child: FarChild, key: str | None, config: SpawnConfig[T_co], family: Siblings) -> None:
        self._child = child
        self._key = key
        self._config = config
        self._family = family
        self._outcome: AgentOutcome[T_co] | None = None

    def __repr__(self) -> str:
        return f"<ChildHandle {self._child.id} {self._child.name} {self.status}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<code>{escape(repr(self))}</code>"

    @property
    def id(self) -> AgentId:
        """Its id."""
        return self._child.id

    @property
    def member(self) -> Any:
        """It, as one that is waited for."""
        return self._child

    @property
    def name(self) -> str:
        """Its name."""
        return self._child.name

    @property
    def key(self) -> str | None:
        """What names it over all processes."""
        return self._key

    @property
    def status(self) -> AgentStatus:
        """``running`` until it has ended: a node knows no more of it."""
        return AgentStatus.RUNNING if self._child.data is None else self._made().status

    def done(self) -> bool:
        """Has it ended?"""
        return self._child.data is not None

    def outcome(self, timeout: float | None = None) -> AgentOutcome[T_co]:
        """Wait for the outcome, parked.

        Raises:
            TimeoutError: It has not ended in time; nothing is lost.
            Cancelled: This agent was cancelled.
        """
        checkpoint()
        child = self._child
        if child.data is None:
            waiter = Waiter()
            self._family.line_up(child, waiter)
            try:
                wait_for(waiter, timeout, f"the outcome of {child.label}", child)
            finally:
                self._family.leave_line(child, waiter)
            if child.data is None:
                raise TimeoutError(f"{child.label} is still running after {timeout} s")
        return self._made()

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for the outcome, and return its result.

        Raises:
            TimeoutError: It has not ended in time; nothing is lost.
            ActorsError: It did not complete.
        """
        outcome = self.outcome(timeout)
        if outcome.error is not None:
            raise fresh_copy(outcome.error)
        return outcome.unwrap()

    def _made(self) -> AgentOutcome[T_co]:
        """The outcome, unpickled here: on the thread of who looks at it."""
        if self._outcome is None:
            assert self._child.data is not None
            rest, result, error = load_value(self._child.data)
            own: dict[str, Any] = {"query": self._config.query, "tag": self._config.tag}
            try:
                own |= {"result": load_value(result), "error": load_value(error)}
            except Exception as failure:  # noqa: BLE001 - what a user's class does when it is made again
                refusal = NotPortable("the result of a child", f"it cannot be read here: {failure}")
                refusal.__cause__ = failure
                own["error"] = refusal
            if own["error"] is not None and rest.status is AgentStatus.COMPLETED:
                own["status"] = AgentStatus.CRASHED
            self._outcome = cast("AgentOutcome[T_co]", rest.model_copy(update=own))
        return self._outcome

    def send(self, content: Any, timeout: float | None = 0.0) -> None:
        """Send *content* to it, as from the program.

        Raises:
            NotRegistered: It has ended.
            InboxFull: No room in time.
        """
        child = self._child
        self._family.send(child, AgentMessage.between(PROGRAM, child.id, content), timeout)

    def cancel(self, reason: str = "") -> bool:
        """Cancel it; returns at once. False when it has ended already."""
        return self._family.cancel(self._child, reason)

    # What a node has not ---------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, T_co]:
        """Not here."""
        _refuse("await of a child's handle", "handle.result() waits, and lays the slot out")

    def events(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("events of a child's handle", "pool.subscribe in the program hears those of all agents")

    def aevents(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("aevents of a child's handle", "pool.subscribe in the program hears those of all agents")

    def text(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("text of a child's handle", "pool.subscribe in the program hears that of all agents")

    @property
    def messages_in(self) -> int:
        """Not here."""
        _refuse("messages_in of a child's handle", "the program has it, where it was admitted")

    @property
    def approvals(self) -> NoReturn:
        """Not here."""
        _refuse("approvals of a child's handle", ANSWERS)

    def approve(self, call_id: str) -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("approve of a child's handle", ANSWERS)

    def deny(self, call_id: str, reason: str = "") -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("deny of a child's handle", ANSWERS)

    def detach(self) -> NoReturn:
        """Not here."""
        _refuse("detach of a child's handle", "a child ends with its parent in any case")

    def add_done_callback(self, fn: object) -> NoReturn:  # noqa: ARG002
        """Not here."""
        _refuse("add_done_callback of a child's handle", "handle.outcome() waits, and lays the slot out")

    @property
    def future(self) -> NoReturn:
        """Not here."""
        _refuse("future of a child's handle", "handle.result() waits, and lays the slot out")


def _refuse(feature: str, instead: str) -> NoReturn:
    raise NotAcrossNodes(feature, instead)
