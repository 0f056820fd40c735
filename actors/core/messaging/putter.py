"""Who wants to put something into a mailbox, and what becomes of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Final

from ..waiting.waiter import Waiter


class Put(Enum):
    """What became of an offered item."""

    ACCEPTED = auto()
    FULL = auto()
    CLOSED = auto()


ACCEPTED: Final = Put.ACCEPTED
"""By a name of the module: before 3.12 a member of an enum is looked up slowly."""


class Putter:
    """A sender that waits for room, with its item in hand.

    Locks: the mailbox's guards ``result``.
    """

    __slots__ = ("item", "result", "waiter")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.waiter = Waiter()
        self.result = Put.FULL

    def admit(self, _: Any) -> bool:
        """There is room for its item in that mailbox, whose lock is held; False when it is not wanted any more."""
        self.result = Put.ACCEPTED
        return True

    def refuse(self) -> None:
        """The mailbox, whose lock is held, was closed."""
        self.result = Put.CLOSED
