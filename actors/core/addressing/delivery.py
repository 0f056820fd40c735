"""How something is put into the mailbox of a seat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messaging.mailbox import Put
from ..waiting.wait_graph import AnyOf
from .routed import Routed
from .seat import SeatBox
from .seeker import Seeker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..actors.envelope import Envelope
    from .handover import Held
    from .routes import Routes
    from .seat import Seat
    from .table import Table


def offer_to(
    table: Table, seat: Seat, envelope: Envelope, held: Held | None = None, *, is_awaited: bool = False
) -> Put:
    """Have *seat* accept *envelope*, if it has room now.

    Args:
        held: The envelope in another one, that is put there in place of it.
        is_awaited: The caller waits for an answer next.
    Raises:
        DeadlockError: The member of *seat* waits for the caller.
    """
    if isinstance(envelope, Routed):
        envelope.go_to(seat)
        if is_awaited:
            envelope.refuse_circle()
    box = seat.box
    while box is not None:
        taken = box.offer(envelope if held is None else held)
        if taken is not Put.CLOSED:
            return taken
        box = table.renewed(seat, box)
    return Put.CLOSED


def seek_room(
    table: Table,
    routes: Routes,
    seats: Sequence[Seat],
    envelope: Envelope,
    timeout: float | None,
    held: Held | None = None,
    *,
    is_awaited: bool = False,
) -> bool:
    """Wait until one of *seats* has room for *envelope*, or the routes change; True when it was accepted."""
    if is_awaited and isinstance(envelope, Routed):
        seats = [seat for seat in seats if not envelope.is_stuck_at(seat)] or seats
    seeker = Seeker(envelope if held is None else held)

    def leave() -> None:
        routes.inside.discard(seeker)
        if routes.is_over:
            table.settle()

    def is_wanted() -> bool:
        is_current = table.routes is routes
        if not is_current:
            seeker.give_up()  # before it leaves: what was accepted until then was in time
        leave()
        return is_current

    target = AnyOf(lambda: [seat.cell for seat in seats]) if is_awaited or timeout is None else None
    routes.inside.add(seeker)
    try:
        if table.routes is not routes:
            return False
        routes.seekers.add(seeker)
        box = seeker.seek([seat.box for seat in seats if seat.box is not None], timeout, target, is_wanted)
    finally:
        routes.seekers.discard(seeker)
        leave()
    if isinstance(envelope, Routed) and isinstance(box, SeatBox):
        envelope.go_to(box.seat)
    return box is not None
