"""A worker of a dispatcher while it works."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Protocol

from ..clock import SYSTEM_CLOCK
from ..process import fork

if TYPE_CHECKING:
    from ..waiting.cancel import CancelToken


class Ready(Protocol):
    """What stands in line for a worker: an actor that has no thread."""

    @property
    def token(self) -> CancelToken:
        """Cancelled by an abort."""

    @property
    def label(self) -> str:
        """How messages name it."""

    @property
    def is_idle(self) -> bool:
        """Is there nothing of it that would notice its end?"""

    def claim(self) -> bool:
        """Take the right to run it; False when a worker has it."""

    def run(self, shift: Shift) -> None:
        """Take a turn, and give that right back."""

    def abort(self, reason: str) -> None:
        """End it now."""


class Places(Protocol):
    """What a dispatcher is to one of its workers."""

    def give_place(self, *, must: bool) -> bool:
        """A handler begins to wait: another may run in its place. False: it keeps it, as it must wait all the same.

        Raises:
            DispatcherExhausted: Too many wait already, and it need not wait.
        """

    def take_place(self) -> None:
        """Its wait is over."""


class Shift:
    """A worker at work; what waits in it tells it (the protocol ``Compensated``).

    Locks: none. ``cell``, ``turns``, ``handled`` and ``has_place``, as all else, are written by the worker, and by what
    it runs; the others only read. ``_seen`` is written by whoever looks, as a whole.
    """

    __slots__ = (
        "_blocked_at",
        "_has_given",
        "_places",
        "_seen",
        "cell",
        "depth",
        "generation",
        "handled",
        "has_place",
        "ident",
        "throughput",
        "turns",
        "waits",
    )

    def __init__(self, places: Places, throughput: int) -> None:
        self._places = places
        self.ident = get_ident()
        self.throughput = throughput
        self.generation = fork.generation()
        self.has_place = True
        """Does it hold one of its dispatcher's places? While it waits, others may have it all the same."""
        self.depth = 0
        """How many waits are nested."""
        self._has_given = False
        self.cell: Ready | None = None
        self.handled = 0
        self.turns = 0
        self.waits = 0
        self._blocked_at = 0.0
        self._seen = (-1, 0.0)

    @property
    def is_blocked(self) -> bool:
        """Does it wait, and another runs in its place?"""
        return self.depth > 0

    @property
    def progress(self) -> int:
        """It rises with all that a handler may come to: its end, and each wait."""
        return self.turns + self.handled + self.waits

    def has_forked(self) -> bool:
        """Is this the thread that is left in a forked child? (What it ran has forked.)"""
        return self.generation != fork.generation()

    def since(self, now: float) -> float:
        """Since when it waits, or is at what it does: of that the moment at which somebody first looked, as a stamp for
        each turn would cost more than most of them do.
        """
        if self.depth:
            return self._blocked_at
        progress, at = self._seen
        if progress != self.progress:
            at = now
            self._seen = (self.progress, now)
        return at

    def block(self, *, must: bool = False) -> int:
        """It begins to wait. Waits may be nested.

        Args:
            must: It waits also when too many wait already, but then nobody runs in its place.
        Returns:
            What :meth:`unblock` needs.
        Raises:
            DispatcherExhausted: Too many wait already.
        """
        if not self.depth:
            self._blocked_at = SYSTEM_CLOCK.monotonic()
            self._has_given = self._places.give_place(must=must)
            self.waits += 1
        self.depth += 1
        return self.waits

    def unblock(self, wait: int) -> None:
        """That wait is over. One that was ended by :meth:`come_back` is over already."""
        if self.depth and wait == self.waits:
            self.depth -= 1
            if not self.depth:
                self._take_back()

    def come_back(self) -> None:
        """What it ran has ended, and left waits open: a block that was never left, or is left by another thread."""
        self.depth = 0
        self._take_back()

    def _take_back(self) -> None:
        has_given, self._has_given = self._has_given, False
        if has_given and not self.has_forked():  # the child's places are others
            self._places.take_place()
