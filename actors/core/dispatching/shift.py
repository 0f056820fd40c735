"""A worker of a dispatcher while it works."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..waiting.cancel import CancelToken


class Ready(Protocol):
    """What stands in line for a worker: an actor that has no thread."""

    token: CancelToken

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

    def give_place(self) -> None:
        """A handler begins to wait: another may run in its place.

        Raises:
            DispatcherExhausted: Too many wait already.
        """

    def take_place(self) -> None:
        """Its wait is over."""


class Shift:
    """A worker at work; what waits in it tells it (the protocol ``Compensated``).

    Locks: none. ``cell``, ``turns`` and ``handled`` are written by the worker, and by what it runs; others only read.
    """

    __slots__ = ("_depth", "_places", "cell", "handled", "ident", "throughput", "turns")

    def __init__(self, places: Places, throughput: int) -> None:
        self._places = places
        self.ident = get_ident()
        self.throughput = throughput
        self._depth = 0
        self.cell: Ready | None = None
        self.handled = 0
        self.turns = 0

    @property
    def is_blocked(self) -> bool:
        """Does it wait, and another runs in its place?"""
        return self._depth > 0

    def block(self) -> None:
        """It begins to wait. Waits may be nested.

        Raises:
            DispatcherExhausted: Too many wait already.
        """
        if not self._depth:
            self._places.give_place()
        self._depth += 1

    def unblock(self) -> None:
        """Its wait is over."""
        self._depth -= 1
        if not self._depth:
            self._places.take_place()
