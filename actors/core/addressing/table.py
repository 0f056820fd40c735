"""Where a router's messages go, and how that changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..actors.envelope import PykkaActorDead
from ..checks import leaf_rlock
from ..process.at_exit import at_exit
from .handover import Change, EndMark, Opened
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .handover import Gate
    from .seat import Seat, SeatBox, SeatOrder


class Table:
    """The routes of a router of now, and the steps from one to the next.

    When a key moves from one seat to another, its later messages are held back there until the first has handled what
    it had accepted. For that the end of this is marked, once nobody sends by the earlier routes any more.

    Args:
        make_box: Makes a mailbox for a seat.
        label: How messages name the router.
        goes_by_keys: Does it matter which seat a message goes to?

    Locks: ``_lock`` guards ``routes``, which may be read without it, ``_over``, and of the seats what they say; nothing
    is called while it is held.
    """

    def __init__(self, make_box: Callable[[Seat], SeatBox], label: str, *, goes_by_keys: bool) -> None:
        self._make_box = make_box
        self._label = label
        self._goes_by_keys = goes_by_keys
        self._lock = leaf_rlock()
        self._over: list[Routes] = []
        """Routes of before by which somebody may still send, the oldest first."""
        self.routes = Routes((), 0, ())

    # Seats and their mailboxes ----------------------------------------------------------------------------------

    def renewed(self, seat: Seat, box: SeatBox | None) -> SeatBox | None:
        """The mailbox of *seat* after *box*, which takes no more; None when nobody will come to read it."""
        with self._lock:
            if seat.is_closed:
                return None
            if seat.box is box:
                seat.box = self._make_box(seat)
            return seat.box

    def order(self, seat: Seat, order: SeatOrder) -> bool:
        """Let the member of *seat*, or the next one, carry out *order*; False when there will be none."""
        box = seat.box
        while box is None or not box.put_system(order):
            box = self.renewed(seat, box)
            if box is None:
                return False
        return True

    def close(self, seat: Seat) -> None:
        """Let *seat* end once what it has accepted is handled."""
        is_closed = False
        while not is_closed:
            box = seat.box
            if box is not None:
                box.seal()  # first: whoever sees that the seat is closed finds that nothing comes any more
            with self._lock:
                is_closed = seat.is_closed = seat.is_closed or seat.box is box
        seat.cell.stop()  # it may be in a backoff

    def leave(self, seat: Seat, *, unless: Callable[[], bool]) -> bool:
        """*seat* ends, and gets nothing any more; False when there is still something for it to do."""
        with self._lock:
            if unless():
                return False
            seat.is_closed = seat.is_gone = True
            return True

    def keep(self, seat: Seat, order: SeatOrder) -> bool:
        """Leave *order* to the next member of *seat*; False when there will be none."""
        if self.order(seat, order):
            return True
        with self._lock:
            if seat.is_gone:
                return False
            seat.left.append(order)
            return True

    # Changing ---------------------------------------------------------------------------------------------------

    def refuse_ended(self) -> None:
        """Raise when the router was told to end."""
        if not self.routes.is_open:
            raise PykkaActorDead(f"{self._label} has stopped")

    def arrange(self, count: int, fresh: list[Seat]) -> bool:
        """Have *count* seats; those that are missing are taken out of *fresh*. False when there are too few."""
        with at_exit().signals_held_off:  # what is begun here others wait for
            with self._lock:
                self.refuse_ended()
                before = self.routes.seats
                more = count - len(before)
                if more > len(fresh):
                    return False
                if not more:
                    return True
                after = (*before, *fresh[:more]) if more > 0 else before[:count]
                del fresh[: max(0, more)]
                old = self._change(before, after)
            self._let_go(old)
        return True

    def _change(self, before: tuple[Seat, ...], after: tuple[Seat, ...]) -> Routes:
        number, changes, going = self.routes.number + 1, self._open_changes(), before[len(after) :]
        marks: dict[Seat, Gate] = {}
        if self._goes_by_keys and before:
            change = Change(before, after, number)
            changes = (*changes, change)
            marks = {} if going else change.gates
        for seat in going:
            seat.go()
        when_left = partial(self._begin_change, number, marks, going, is_careful=bool(changes))
        return self._publish(Routes(after, number, changes), when_left)

    def shut(self) -> None:
        """Send nothing any more, and let all seats end once what they have accepted is handled."""
        with at_exit().signals_held_off:  # as above
            with self._lock:
                routes = self.routes
                if not routes.is_open:
                    return
                number, changes = routes.number + 1, self._open_changes()
                when_left = partial(self._begin_change, number, {}, routes.seats, is_careful=bool(changes))
                old = self._publish(Routes(routes.seats, number, changes, is_open=False), when_left)
            self._let_go(old)

    def _open_changes(self) -> tuple[Change, ...]:
        return tuple(change for change in self.routes.changes if not change.is_over)

    def _publish(self, routes: Routes, when_left: Callable[[], None] | None = None) -> Routes:
        """Send by *routes* from now on. A finalizer may come at any moment, and do what was left to be done."""
        old: Routes = self.routes
        old.when_left = when_left
        self.routes = routes  # before it counts as over
        self._over.append(old)
        return old

    def _let_go(self, old: Routes) -> None:
        """Who waits for room by the *old* routes looks again."""
        for seeker in list(old.seekers):
            if seeker.give_up() is None:
                seeker.waiter.wake()
        old.is_over = True  # only now: what they wait with may have been accepted until they were told
        self.settle()

    def settle(self) -> None:
        """Go on with the changes since which nobody sends by earlier routes any more, the oldest first."""
        while True:
            with self._lock:
                if not self._over or not self._over[0].is_over or self._over[0].inside:
                    return
                old = self._over.pop(0)
            if old.when_left is not None:
                old.when_left()

    def _begin_change(self, number: int, gates: dict[Seat, Gate], going: Sequence[Seat], *, is_careful: bool) -> None:
        """What was sent by the earlier routes was accepted: mark its end, where others wait for that."""
        for seat, gate in gates.items():
            self.order(seat, EndMark(seat, number, partial(self.open, gate)))
        for seat in going:
            if not (is_careful and self.order(seat, EndMark(seat, number, partial(self.close, seat)))):
                self.close(seat)

    def open(self, gate: Gate) -> None:
        """All that came before the change was handled on the seat of *gate*: others go on."""
        for seat in gate.open():
            self.order(seat, Opened(gate, seat))
        with self._lock:
            routes, changes = self.routes, self._open_changes()
            if len(changes) == len(routes.changes):
                return
            self._publish(Routes(routes.seats, routes.number, changes, is_open=routes.is_open))
        self._let_go(routes)

    def open_all(self, seat: Seat) -> None:
        """*seat* has ended: nobody waits for it any more."""
        for change in self.routes.changes:
            gate = change.gates.get(seat)
            if gate is not None and not gate.is_passed:
                self.open(gate)
