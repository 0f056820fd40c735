"""What keeps the order of a key's messages while it goes from one seat to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..waiting.waiter import Waiter
from .key_hash import place_of
from .seat import SeatOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..actors.actor_life import ActorLife
    from ..actors.course import Course
    from ..actors.envelope import Envelope
    from .seat import Seat


class Gate:
    """What later messages of keys that left the seat *source* wait for: it handles what it has accepted before. Who
    passed it once is let through for ever.

    Locks: none. ``is_passed`` only ever becomes true; the lists change by single operations. Who enters itself looks at
    it after that, and who opens it looks at the lists after that.
    """

    __slots__ = ("_seats", "_waiters", "is_passed", "number", "source")

    def __init__(self, source: Seat, number: int) -> None:
        self.source = source
        self.number = number
        self.is_passed = False
        self._seats: list[Seat] = []
        self._waiters: list[Waiter] = []

    def await_by(self, seat: Seat) -> None:
        """*seat* holds messages back; it is told, unless the gate is open now."""
        self._seats.append(seat)

    def waiter(self) -> Waiter:
        """Woken when the gate opens."""
        waiter = Waiter()
        self._waiters.append(waiter)
        if self.is_passed:
            waiter.wake()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """It is waited for no longer."""
        self._waiters.remove(waiter)

    def open(self) -> list[Seat]:
        """Let everybody pass; the seats that have to be told."""
        self.is_passed = True
        for waiter in list(self._waiters):
            waiter.wake()
        return list(self._seats)


class Change:
    """The seats of a router that goes by keys were others before, and some of the keys have moved.

    Locks: none; it never changes.
    """

    __slots__ = ("_after", "_before", "gates")

    def __init__(self, before: Sequence[Seat], after: Sequence[Seat], number: int) -> None:
        self._before = before
        self._after = after
        kept = len(after) > len(before)  # then every seat gives keys away, else those that go
        sources = before if kept else before[len(after) :]
        self.gates = {seat: Gate(seat, number) for seat in sources}

    def gate_of(self, point: int) -> Gate | None:
        """What a key of that *point* waits for; None when it has not moved."""
        before = self._before[place_of(point, len(self._before))]
        after = self._after[place_of(point, len(self._after))]
        return None if before is after else self.gates[before]

    @property
    def is_over(self) -> bool:
        """Are all gates open?"""
        return all(gate.is_passed for gate in self.gates.values())


class Held(SeatOrder):
    """A message of a key that has moved: the *seat* handles it once all *gates* are open, the earlier first, and puts
    it aside until then.
    """

    __slots__ = ("_gates", "_inner", "_seat")

    def __init__(self, inner: Envelope, gates: Sequence[Gate], seat: Seat) -> None:
        self.message = inner.message
        self._inner = inner
        self._gates = gates
        self._seat = seat

    def carry_out(self) -> Course | None:
        """Let it be handled next, or put it aside."""
        seat, held = self._seat, self._seat.held
        for gate in self._gates:
            line = held.get(gate)
            if line is None:
                if gate.is_passed:
                    continue
                held[gate] = [self]
                gate.await_by(seat)
            else:
                line.append(self)
            seat.held_count += 1
            if gate.is_passed:  # what was put aside before comes first, and looks again
                let_through(gate, seat)
            return None
        seat.put_first([self._inner])
        return None

    def refuse(self, text: str) -> None:
        """It will not be handled."""
        self._inner.refuse(text)

    def unwrapped(self) -> Envelope:
        """The message."""
        return self._inner


def let_through(gate: Gate, seat: Seat) -> None:
    """The gate is open: have the member of *seat* handle next what it has put aside. Twice does nothing twice."""
    line = seat.held.pop(gate, [])
    seat.held_count -= sum(isinstance(one, Held) for one in line)
    seat.put_first(line)


class Opened(SeatOrder):
    """Tells *seat* that a gate is open."""

    __slots__ = ("_gate", "_seat")

    def __init__(self, gate: Gate, seat: Seat) -> None:
        self.message = None
        self._gate = gate
        self._seat = seat

    def carry_out(self) -> Course | None:
        """Go on with what was held back."""
        let_through(self._gate, self._seat)
        return None


class EndMark(SeatOrder):
    """Calls *reached* when the member of *seat* has handled all that the seat accepted before, with what it holds back
    for changes before that *number*.
    """

    __slots__ = ("_behind", "_number", "_reached", "_seat")

    def __init__(self, seat: Seat, number: int, reached: Callable[[], object]) -> None:
        self.message = None
        self._seat = seat
        self._number = number
        self._reached = reached
        self._behind: ActorLife | None = None

    def carry_out(self) -> Course | None:
        """Go behind all that is there; the second time, it was handled."""
        seat = self._seat
        if self._behind is not seat.cell:  # it may have been, for one that was aborted just then
            self._behind = seat.cell
            seat.put_behind(self)
            return None
        for gate, line in seat.held.items():
            if gate.number < self._number:
                line.append(self)
                self._behind = None  # what waited for another gate before may have come into that line after it
                return None
        self._reached()
        return None
