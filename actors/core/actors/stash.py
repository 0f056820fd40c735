"""Messages that an actor keeps for later."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ...errors import StashFull
from ..messaging.dead_letter import DeadLetterReason
from .inside import PutAside, handled

if TYPE_CHECKING:
    from .actor_cell import ActorCell
    from .envelope import Envelope


class Stash:
    """What an actor has put aside, in the order in which it did (the protocol ``Part``).

    Guarantees: what is kept is handled later, or a dead letter; an asker waits on, and is told at once when the actor
    is aborted. A crash puts everything back in front of the mailbox.

    Locks: none. It belongs to whoever handles the actor's messages; who aborts the actor only looks at it.
    """

    __slots__ = ("_cell", "_kept")

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._kept: deque[Envelope] = deque()
        cell.token.remind(self._refuse)

    def keep(self, capacity: int | None) -> None:
        """Keep the message that is being handled.

        Raises:
            StashFull: *capacity* messages are kept already.
        """
        cell = self._cell
        envelope = handled(cell, "stash()")
        if capacity is not None and len(self._kept) >= capacity:
            self._forget_expired()
            if len(self._kept) >= capacity:
                raise StashFull(
                    f"{cell.label} keeps {len(self._kept)} messages already (stash_capacity = {capacity})",
                    envelope.message,
                )
        self._kept.append(envelope)
        cell.current = PutAside(envelope, "stashed")
        if cell.token.cancelled:  # who aborted it may have looked before
            self._refuse()

    def _forget_expired(self) -> None:
        """Nobody waits any more for what some of them ask: they need no place."""
        expired = [envelope for envelope in self._kept if envelope.is_settled()]
        for envelope in expired:
            self._kept.remove(envelope)
        dead_letters = self._cell.dead_letters
        dead_letters.announce(
            *(dead_letters.add(one.message, DeadLetterReason.ASK_EXPIRED, self._cell.label) for one in expired)
        )

    def give_back(self) -> int:
        """Put what is kept in front of the mailbox, before what stands there already; how many there were."""
        kept, self._kept = self._kept, deque()
        front = self._cell.front
        if front is None:
            front = self._cell.front = deque()
        front.extendleft(reversed(kept))
        if self._cell.token.cancelled:  # as above
            _refuse_all(kept, self._cell.label)
        return len(kept)

    def take_out(self, envelope: Envelope) -> None:
        """Its handler has failed after it had stashed it: what is done then is all that is done with it."""
        for place in (self._kept, self._cell.front):
            if place is not None and envelope in place:
                place.remove(envelope)

    def _refuse(self) -> None:
        _refuse_all(self._kept.copy(), self._cell.label)

    # The protocol Part ------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """It crashed: who comes in its place begins with what was kept."""
        self.give_back()

    def wind_up(self) -> None:
        """Nothing: ``on_stop`` may still look."""

    def end(self) -> None:
        """Nobody will handle it any more."""
        self._cell.token.forget(self._refuse)
        self._cell.leave(self._kept)


def _refuse_all(envelopes: deque[Envelope], whom: str) -> None:
    for envelope in envelopes:
        envelope.refuse(f"{whom} ended before it handled the message, which it had stashed")


def capacity_of(actor: object) -> int | None:
    """How many messages *actor* may keep.

    Raises:
        ValueError, TypeError: It has no sensible ``stash_capacity``.
    """
    capacity: int | None = getattr(actor, "stash_capacity", None)
    if capacity is not None and (isinstance(capacity, bool) or not isinstance(capacity, int)):
        raise TypeError(f"stash_capacity of {type(actor).__name__} must be an int or None, got {capacity!r}")
    if capacity is not None and capacity < 0:
        raise ValueError(f"stash_capacity of {type(actor).__name__} must be at least 0, got {capacity}")
    return capacity
