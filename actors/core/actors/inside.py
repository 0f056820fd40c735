"""What only a handler may do with the message that it handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ActorsError
from ..waiting.wait_graph import current
from .envelope import Envelope

if TYPE_CHECKING:
    from .actor_cell import ActorCell


class PutAside(Envelope):
    """Stands in ``cell.current`` for *envelope*, which its handler has put aside: stashed, or with a deferred reply."""

    __slots__ = ("envelope", "how")

    def __init__(self, envelope: Envelope, how: str) -> None:
        self.message = envelope.message
        self.envelope = envelope
        self.how = how


def refuse_outside(cell: ActorCell, what: str) -> None:
    """Raise unless the actor's own code runs here: its hooks and handlers, and coroutines of these."""
    if current() is not cell:
        raise ActorsError(
            f"{what} is for the handlers of {cell.label}: it was called outside of them, or from another thread; let "
            "the actor call it itself"
        )


def handled(cell: ActorCell, what: str) -> Envelope:
    """The message that is being handled here, and was not put aside.

    Raises:
        ActorsError: There is none.
    """
    refuse_outside(cell, what)
    envelope = cell.current
    if envelope is None:
        raise ActorsError(f"{what}: {cell.label} handles no message now; call it where a message is handled")
    if isinstance(envelope, PutAside):
        raise ActorsError(f"{what}: the message was put aside already ({envelope.how}); a handler does that once")
    return envelope
