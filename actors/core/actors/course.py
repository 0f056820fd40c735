"""What an actor has to go through before its next message, with pauses in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reply import ReplyFuture


class Pause:
    """A wait inside a course. An actor with a thread waits in it; one without is not run until the pause is over.

    Args:
        seconds: At most so long; None has no end.
        until: Over when this is settled, too.
        ends_at_stop: Over when the actor is told to stop.
        ends_at_abort: Over when the actor is aborted. Whoever goes on looks at the token.

    Locks: none; it never changes.
    """

    __slots__ = ("ends_at_abort", "ends_at_stop", "seconds", "until")

    def __init__(
        self,
        seconds: float | None = None,
        until: ReplyFuture[Any] | None = None,
        *,
        ends_at_stop: bool = False,
        ends_at_abort: bool = True,
    ) -> None:
        self.seconds = seconds
        self.until = until
        self.ends_at_stop = ends_at_stop
        self.ends_at_abort = ends_at_abort


Course = Generator[Pause, None, bool]
"""Steps and pauses; in the end, whether the actor goes on to its next message. It is never left half-way but at the end
of the program, so it has no ``finally`` around a pause.
"""
