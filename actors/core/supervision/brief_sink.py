"""Calls a sink with some events, and then ends: for those who look now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .event_sink import EventSink, is_delta

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from ..clock import WallTime
    from ..records.event import Event
    from ..waiting.waiter import Waiter
    from .posted import Posted


class BriefSink(EventSink):
    """Takes a bounded number of events, and no text: whoever looks at a pool is shown no more, and does not change how
    it asks its models.

    Args:
        most: So many it takes.

    Locks: as of an ``EventSink``; ``_lock`` guards ``_room``, too.
    """

    def __init__(
        self, sink: Callable[[Event], object], name: str, wall: WallTime, lock: threading.Lock, *, most: int
    ) -> None:
        super().__init__(sink, name, wall, lock)
        self.wants_text = False
        self._most = self._room = most

    def refill(self) -> bool:
        """Take so many again, from now on; False when it was full, and so has missed some, and is to be added again."""
        with self._lock:
            was_full, self.is_full = self.is_full, False
            self._room = self._most
        return not was_full

    def take_in(self, posted: Posted, dropped: list[object]) -> Waiter | None:
        """Put *posted* at the end of the queue, unless it is text, or one too many."""
        if self._room <= 0 or is_delta(posted):
            return None
        self._room -= 1
        self.is_full = self._room <= 0
        return super().take_in(posted, dropped)
