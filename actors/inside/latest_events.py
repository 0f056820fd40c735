"""The latest events of a pool, heard only while somebody asks for them."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from enum import Enum
from functools import lru_cache
from json import dumps
from math import isfinite
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..core.checks import leaf_lock
from ..core.glance import plain
from ..errors import PoolClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.records.event import Event

    Subscribe = Callable[[Callable[[Event], object]], Callable[[], None]]

KEPT = 500
"""Events that are kept, and heard between one question and the next: who looks sees no more, and making them costs."""
LOOKS_AWAY_AFTER = 10.0
"""Seconds after the last question until nothing is heard any more."""
TEXT = 500
"""Characters of a text in an event."""
LEFT_OUT = frozenset({"TextDelta", "PhaseChanged"})
CONTENTS = ("input", "text", "result", "seq")
"""Fields that are not told: what was said, and the number that this subscription counts by."""


class LatestEvents:
    """The latest events of a pool.

    Each subscription hears a bounded number of events: in a pool that makes thousands a second the others are missed,
    so that looking costs the same whatever the pool does.

    Guarantees: nothing is heard before the first question, nor ten seconds after the last one.

    Threads: the pool's delivery brings the events, the door's thread asks.

    Locks: ``_lock`` guards ``_events``, ``_number``, ``_room`` and ``_missed``. The door's thread has the rest.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._events: deque[tuple[int, Event]] = deque(maxlen=KEPT)
        self._number = 0
        self._room = 0
        self._end: Callable[[], None] | None = None
        self._asked_at = 0.0

    def ask(self, subscribe: Subscribe) -> None:
        """Somebody looks: hear events for a while."""
        self._asked_at = monotonic()
        with self._lock:
            was_full, self._room = self._room <= 0, KEPT
        if self._end is not None and was_full:  # it has ended itself
            self._end = None
        if self._end is None:
            try:
                self._end = subscribe(self._hear)
            except PoolClosed:  # just now: what there is stays
                return
            with self._lock:
                is_full = self._room <= 0
            if is_full:  # before it could know how to end itself
                self._end()

    def rest(self) -> float | None:
        """Look away when nobody has asked for some time; seconds until then, None when nothing is heard."""
        if self._end is None:
            return None
        left = self._asked_at + LOOKS_AWAY_AFTER - monotonic()
        if left > 0:
            return left
        self.end()
        return None

    def end(self) -> None:
        """Hear nothing any more."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def after(self, number: int) -> tuple[list[dict[str, Any]], int, int]:
        """Those that came after the one of that number, the number of the last one, and how many were not kept."""
        with self._lock:
            last, events = self._number, list(self._events)
        if number > last:  # of another view
            number = 0
        new = [told(event, n) for n, event in events if n > number]
        return new, last, last - number - len(new)

    def of(self, agent_id: int, most: int) -> list[dict[str, Any]]:
        """The latest of one agent."""
        with self._lock:
            events = [(n, event) for n, event in self._events if event.agent_id == agent_id]
        return [told(event, n) for n, event in events[-most:]]

    def _hear(self, event: Event) -> None:
        if type(event).__name__ in LEFT_OUT:
            return
        with self._lock:
            self._room -= 1
            is_full = self._room <= 0
            self._number += 1
            self._events.append((self._number, event))
        if is_full and self._end is not None:
            self._end()


@lru_cache(maxsize=200)
def kind_of(name: str) -> str:
    """What an event of the class *name* is called: ``agent_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def told(event: Event, number: int) -> dict[str, Any]:
    """*event* as JSON says it, without what was said in it."""
    fields: Mapping[str, Any] = {name: value for name, value in event if name not in CONTENTS}
    return {"event": kind_of(type(event).__name__), "seq": number, **{name: _plain(fields[name]) for name in fields}}


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if abs(value) < 2**53 else str(value)
    if kind is float:
        return value if isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value)
    return plain(value, TEXT)


def encoded(events: list[dict[str, Any]], last: int, missed: int) -> bytes:
    """The answer to ``/events``."""
    return dumps({"events": events, "last": last, "missed": missed}).encode("ascii")
