"""How a message gets to one member of a router: to any, or to that of its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ...errors import DeadlockError
from ..clock import SYSTEM_CLOCK
from ..messaging.mailbox import ACCEPTED, Put
from ..process.at_exit import at_exit
from ..waiting.wait_graph import wait_for
from .delivery import offer_to, seek_room
from .handover import Held
from .key_hash import point_of
from .routed import Routed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from ..actors.envelope import Envelope
    from .handover import Gate
    from .routes import Routes
    from .routing import Choose
    from .seat import Seat
    from .table import Table


class Way(Protocol):
    """How one message gets to one member."""

    def send(self, envelope: Envelope, timeout: float | None, *, is_awaited: bool = False) -> Put:
        """Have a member accept *envelope*, waiting for room at most *timeout* seconds.

        Args:
            is_awaited: The caller waits for an answer next: a member that waits for the caller is refused.
        Raises:
            DeadlockError: Whoever could accept it waits for the caller.
        """


class ToAny:
    """To the member that is chosen; if that has no room, to the next one that has."""

    def __init__(self, table: Table, choose: Choose) -> None:
        self._table = table
        self._choose = choose

    def send(self, envelope: Envelope, timeout: float | None, *, is_awaited: bool = False) -> Put:
        """Have any member accept it."""
        routes = self._table.routes
        if routes.is_open and not isinstance(envelope, Routed):  # first without all that is seldom needed
            seat = routes.seats[self._choose(routes.seats)]
            box = seat.box
            if box is not None and box is seat.cell.mailbox and box.offer(envelope) is ACCEPTED:
                return ACCEPTED
        result = self._offer(envelope, routes, is_awaited=is_awaited)
        if result is ACCEPTED or (timeout is not None and timeout <= 0):
            return result
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        while result is Put.FULL and (end is None or SYSTEM_CLOCK.monotonic() < end):
            if seek_room(self._table, routes, routes.seats, envelope, SYSTEM_CLOCK.left(end), is_awaited=is_awaited):
                return ACCEPTED
            routes = self._table.routes
            result = self._offer(envelope, routes, is_awaited=is_awaited)
        return result

    def _offer(self, envelope: Envelope, routes: Routes, *, is_awaited: bool) -> Put:
        circle: DeadlockError | None = None
        while routes.is_open:
            result = Put.CLOSED
            for seat in self._in_turn(routes.seats):
                try:
                    taken = offer_to(self._table, seat, envelope, is_awaited=is_awaited)
                except DeadlockError as error:
                    circle = error
                    continue
                if taken is ACCEPTED:
                    return taken
                if taken is Put.FULL:
                    result = taken
            if result is Put.FULL:
                return result
            if circle is not None:
                raise circle
            routes = self._table.routes  # all of those seats were given up
        return Put.CLOSED

    def _in_turn(self, seats: Sequence[Seat]) -> Iterator[Seat]:
        """The chosen one, then those after it; last those whose member is just ending."""
        count, first = len(seats), self._choose(seats)
        later = []
        for at in range(first, first + count):
            seat = seats[at % count]
            if seat.is_manned:
                yield seat
            else:
                later.append(seat)
        yield from later

    def spread(self, seat: Seat, envelope: Envelope) -> bool:
        """Give what the member of *seat* has left to another one; False when none has room."""
        routes = self._table.routes
        if not routes.is_open:
            return False
        for other in self._in_turn(routes.seats):
            if other is seat or not other.is_manned or (isinstance(envelope, Routed) and envelope.is_stuck_at(other)):
                continue
            if offer_to(self._table, other, envelope) is ACCEPTED:
                return True
        return False


class ToOne:
    """To the member of its key, in order."""

    def __init__(self, table: Table, fn: Callable[[Any], Hashable]) -> None:
        self._table = table
        self._fn = fn

    def send(self, envelope: Envelope, timeout: float | None, *, is_awaited: bool = False) -> Put:
        """Have the member of its key accept it."""
        point = point_of(self._fn(envelope.message))
        end = None if timeout is None or timeout <= 0 else SYSTEM_CLOCK.monotonic() + timeout
        while True:
            routes = self._table.routes
            if not routes.is_open:
                return Put.CLOSED
            seat, gates = routes.way_of(point)
            result = self._try(routes, seat, gates, envelope, is_awaited=is_awaited)
            if result is ACCEPTED:
                return result
            if result is Put.FULL:
                if timeout is not None and (end is None or SYSTEM_CLOCK.monotonic() >= end):
                    return result
                if self._await_room(routes, seat, gates, envelope, SYSTEM_CLOCK.left(end), is_awaited=is_awaited):
                    return ACCEPTED

    def _try(
        self, routes: Routes, seat: Seat, gates: Sequence[Gate], envelope: Envelope, *, is_awaited: bool
    ) -> Put | None:
        """Offer it to *seat*; None: the routes have changed."""
        with at_exit().signals_held_off:  # who has entered must leave
            routes.inside.add(envelope)
            try:
                if self._table.routes is not routes:
                    return None
                return self._offer(seat, gates, envelope, is_awaited=is_awaited)
            finally:
                self._leave(routes, envelope)

    def _leave(self, routes: Routes, token: object) -> None:
        routes.inside.discard(token)
        if routes.is_over:
            self._table.settle()

    def _offer(self, seat: Seat, gates: Sequence[Gate], envelope: Envelope, *, is_awaited: bool) -> Put | None:
        if isinstance(envelope, Routed):
            envelope.wait_at(gates)
        if _shut_gate(seat, gates) is not None:
            return Put.FULL
        taken = offer_to(
            self._table, seat, envelope, Held(envelope, gates, seat) if gates else None, is_awaited=is_awaited
        )
        return None if taken is Put.CLOSED else taken

    def _await_room(
        self,
        routes: Routes,
        seat: Seat,
        gates: Sequence[Gate],
        envelope: Envelope,
        timeout: float | None,
        *,
        is_awaited: bool,
    ) -> bool:
        """Wait until there is room for it, or the routes change; True when it was accepted."""
        gate = _shut_gate(seat, gates)
        if gate is None:
            item = Held(envelope, gates, seat) if gates else None
            return seek_room(self._table, routes, [seat], envelope, timeout, item, is_awaited=is_awaited)
        waiter = gate.waiter()
        try:
            is_known = is_awaited or timeout is None
            wait_for(waiter, timeout, "room in a mailbox of a router", gate.source.cell if is_known else None)
        finally:
            gate.leave(waiter)
        return False


def _shut_gate(seat: Seat, gates: Sequence[Gate]) -> Gate | None:
    """What has to open before *seat* holds back more than it does; None when it may."""
    box = seat.box
    if not gates or box is None or box.capacity is None or seat.held_count < box.capacity:
        return None
    return next((gate for gate in gates if not gate.is_passed), None)
