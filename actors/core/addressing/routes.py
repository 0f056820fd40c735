"""Who a router's members are, as those see it who send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .key_hash import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .handover import Change, Gate
    from .seat import Seat
    from .seeker import Seeker


class Routes:
    """The seats of a router, until they change: then others take its place.

    Locks: none; ``inside`` and ``seekers`` change by single operations; ``when_left`` and ``is_over`` are written by
    whoever replaces them, the latter when nobody waits for room by them any more. Who sends enters, looks whether these
    are still the routes of now, and leaves; so whoever replaced them knows when nobody sends by them any more.
    """

    __slots__ = ("changes", "inside", "is_open", "is_over", "number", "seats", "seekers", "when_left")

    def __init__(self, seats: Sequence[Seat], number: int, changes: Sequence[Change], *, is_open: bool = True) -> None:
        self.seats: tuple[Seat, ...] = tuple(seats)
        self.number = number
        self.changes = changes
        """Those after which some seats still handle what came before."""
        self.is_open = is_open
        self.is_over = False
        self.inside: set[object] = set()
        """Those who send by them right now."""
        self.seekers: set[Seeker] = set()
        """Those who wait for room."""
        self.when_left: Callable[[], None] | None = None
        """What is to be done once nobody sends by them any more."""

    def way_of(self, point: int) -> tuple[Seat, list[Gate]]:
        """Which seat a key of that *point* has, and what its messages wait for there."""
        seat = self.seats[place_of(point, len(self.seats))]
        if not self.changes:
            return seat, []
        return seat, [gate for change in self.changes if (gate := change.gate_of(point)) is not None]
