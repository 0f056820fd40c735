"""What an actor missed: messages that others had for it, and for which its mailbox had no room."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .actor_cell import IS_STOPPED
from .envelope import Order

if TYPE_CHECKING:
    from ..messaging.dead_letter import DeadLetter, DeadLetterReason
    from .actor_cell import ActorCell

KEPT = 1000
"""So many are told to the actor when it has not been told for long; of older ones it has the count."""


class Missed:
    """Part of an actor. What it missed is a dead letter at once; the log and ``on_undelivered`` come on its own turn,
    so that nobody else runs the actor's code.

    Locks: none. ``_letters`` changes by single operations; ``_is_ordered`` is a hint: two orders do as well as one.
    """

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._letters: deque[DeadLetter] = deque(maxlen=KEPT)
        self._is_ordered = False

    def add(self, message: Any, reason: DeadLetterReason) -> None:
        """It missed *message*. Threads: any."""
        letters = self._cell.dead_letters
        self._letters.append(letters.add(message, reason, self._cell.label))
        letters.announce()  # lets go of those that are no longer kept
        if not self._is_ordered:
            self._is_ordered = True
            if not self._cell.mailbox.put_system(Order(self._announce)) and self._cell.stage >= IS_STOPPED:
                self._announce()  # for the log: the actor is no more

    def _announce(self) -> None:
        self._is_ordered = False
        while self._letters:
            try:
                letter = self._letters.popleft()
            except IndexError:  # another thread was faster
                return
            self._cell.dead_letters.announce(letter)

    def shed(self) -> None:
        """Who is made anew is told, too."""

    def wind_up(self) -> None:
        """It may still miss something."""

    def end(self) -> None:
        """What it was not told yet."""
        self._announce()
