"""How a message gets to all members of a router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InboxFull
from ..actors.envelope import Envelope
from ..clock import SYSTEM_CLOCK
from ..messaging.mailbox import ACCEPTED, Put
from .delivery import offer_to, seek_room
from .routed import Routed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .seat import Seat
    from .table import Table


class ToAll:
    """To all members of now, to each a message of its own. One that is full keeps none of the others from theirs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def tell(self, message: Any, timeout: float | None) -> tuple[int, int]:
        """Have all of them accept *message*, waiting for room at most *timeout* seconds.

        Returns:
            How many have taken it, and how many there are: none, when the router was told to end.
        """
        seats = self._seats()
        takes = self._deliver([(seat, Envelope(message)) for seat in seats], timeout, is_awaited=False)
        return takes.count(ACCEPTED), len(seats)

    def ask(self, message: Any, timeout: float | None, *, is_awaited: bool) -> list[Routed]:
        """Ask all of them; none, when the router was told to end. Who has no room in time has answered with that.

        Raises:
            DeadlockError: One of them waits for the caller; then nobody was asked.
        """
        seats = self._seats()
        questions = [Routed(message) for _ in seats]
        for seat, question in zip(seats, questions, strict=True):
            question.go_to(seat)
            if is_awaited:
                question.refuse_circle()
        takes = self._deliver(list(zip(seats, questions, strict=True)), timeout, is_awaited=is_awaited)
        for question, taken in zip(questions, takes, strict=True):
            if taken is Put.FULL:
                question.reply_to.fail(InboxFull(f"the mailbox of {question.label} is full", message))
            elif taken is Put.CLOSED:
                question.refuse(f"{question.label} stopped before it handled the message")
        return questions

    def _seats(self) -> Sequence[Seat]:
        routes = self._table.routes
        return routes.seats if routes.is_open else ()

    def _deliver(self, pairs: Sequence[tuple[Seat, Envelope]], timeout: float | None, *, is_awaited: bool) -> list[Put]:
        """First to all that have room now, then to those that get some in time."""
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        takes = [offer_to(self._table, seat, envelope) for seat, envelope in pairs]
        for at, (seat, envelope) in enumerate(pairs):
            while takes[at] is Put.FULL and (end is None or SYSTEM_CLOCK.monotonic() < end):
                left = SYSTEM_CLOCK.left(end)
                if seek_room(self._table, self._table.routes, [seat], envelope, left, is_awaited=is_awaited):
                    takes[at] = ACCEPTED
                else:
                    takes[at] = offer_to(self._table, seat, envelope)
        return takes
