"""An ask that went to a router: its asker waits for whoever has it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..actors.envelope import Question
from ..actors.reply import ReplyFuture
from ..waiting.wait_graph import WaitNode, current, path_between, refuse_circle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .handover import Gate
    from .seat import Seat


class Routed(Question, WaitNode):
    """A message that was asked of a router. Its asker waits for the member that has it, whichever that is.

    Locks: none. ``seat`` and ``gates`` are written by whoever has the message in hand.
    """

    __slots__ = ("_asker", "gates", "seat")

    def __init__(self, message: Any) -> None:
        super().__init__(message, ReplyFuture(self))
        member = current()
        self._asker = None if member is None else member.waiting_self()
        self.seat: Seat | None = None
        self.gates: Sequence[Gate] = ()
        """What it waits for at its seat."""

    @property
    def label(self) -> str:
        """How messages name who has it."""
        return self.seat.cell.label if self.seat is not None else "a router"

    def targets(self) -> Sequence[WaitNode]:
        """Who has it, and whoever has to handle something before."""
        if self.seat is None:
            return ()
        return [self.seat.cell, *(gate.source.cell for gate in self.gates if not gate.is_passed)]

    def go_to(self, seat: Seat) -> None:
        """It is sent to *seat* now."""
        self.seat = seat

    def wait_at(self, gates: Sequence[Gate]) -> None:
        """It will wait for *gates* first."""
        self.gates = gates

    def is_stuck_at(self, seat: Seat) -> bool:
        """Does *seat* wait for the asker?"""
        asker = self._asker
        cell = seat.cell
        return asker is not None and (cell is asker or path_between(cell, asker) is not None)

    def refuse_circle(self) -> None:
        """Raise when whoever has it waits for the one who runs here."""
        if self._asker is not None:
            refuse_circle(self._asker, self)


class AllOf(WaitNode):
    """Several, who all have to answer."""

    def __init__(self, questions: Sequence[Routed]) -> None:
        self._questions = questions

    @property
    def label(self) -> str:
        """How messages name them."""
        return "all members of a router"

    def targets(self) -> Sequence[WaitNode]:
        """Those who have not answered."""
        return [question for question in self._questions if not question.is_settled()]


def gathered(questions: Sequence[Routed]) -> ReplyFuture[list[Any]]:
    """A future of the list of their replies; the first error is its error."""
    together: ReplyFuture[list[Any]] = ReplyFuture(AllOf(questions))
    left = set(range(len(questions)))

    def settled(at: int, reply: ReplyFuture[Any]) -> None:
        try:
            reply.get(timeout=0)
        except BaseException as error:  # noqa: BLE001 - it is the error of all
            together.fail(error.__cause__ or error)
            return
        left.discard(at)
        if not left:
            together.set([question.reply_to.get(timeout=0) for question in questions])

    for at, question in enumerate(questions):
        question.reply_to.add_done_callback(lambda reply, at=at: settled(at, reply))  # type: ignore[misc]
    return together
