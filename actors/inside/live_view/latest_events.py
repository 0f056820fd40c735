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

from ...core.checks import leaf_lock
from ...core.glance import plain
from ...errors import PoolClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...core.records.event import Event

    Overhear = Callable[[Callable[[Event], object], int], tuple[Callable[[], None], Callable[[], bool]]]

KEPT = 500
"""Events that are kept, and heard between one question and the next: who looks sees no more, and making them costs."""
LOOKS_AWAY_AFTER = 10.0
"""Seconds after the last question until nothing is heard any more."""
TEXT = 500
"""Characters of a text in an event."""
LEFT_OUT = frozenset({"PhaseChanged"})
"""Beside the text of answers, which nobody who looks is told."""
CONTENTS = ("input", "text", "result", "seq")
"""Fields that are not told: what was said, and the number that this subscription counts by."""


class LatestEvents:
    """The latest events of a pool.

    Of what happens between one question and the next a bounded number is heard: in a pool with thousands of events a
    second the others are missed, so that looking costs the same whatever the pool does.

    Guarantees: nothing is heard before the first question, nor ten seconds after the last one.

    Threads: the pool's delivery brings the events, the door's thread asks.

    Locks: ``_lock`` guards ``_events``, ``_number`` and ``_gap_after``. The door's thread has the rest.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._events: deque[tuple[int, Event]] = deque(maxlen=KEPT)
        self._number = 0
        self._gap_after = -1
        self._end: Callable[[], None] = _nothing
        self._go_on: Callable[[], bool] | None = None
        self._asked_at = 0.0

    def ask(self, overhear: Overhear) -> None:
        """Somebody looks: hear events for a while."""
        self._asked_at = monotonic()
        if self._go_on is None:
            try:
                self._end, self._go_on = overhear(self._hear, KEPT)
            except PoolClosed:  # just now: what there is stays
                pass
        elif not self._go_on():
            with self._lock:
                self._gap_after = self._number

    def rest(self) -> float | None:
        """Look away when nobody has asked for some time; seconds until then, None when nothing is heard."""
        if self._go_on is None:
            return None
        left = self._asked_at + LOOKS_AWAY_AFTER - monotonic()
        if left > 0:
            return left
        self.end()
        return None

    def end(self) -> None:
        """Hear nothing any more."""
        end, self._end, self._go_on = self._end, _nothing, None
        end()

    def after(self, number: int) -> bytes:
        """Those that came after the one of that number, the number of the last one, how many more there were that are
        not kept, and whether there were others that nobody heard.
        """
        with self._lock:
            last, events, gap_after = self._number, list(self._events), self._gap_after
        if number > last:  # of another view
            number = 0
        new = [told(event, n) for n, event in events if n > number]
        missed = last - number - len(new)
        answer = {"events": new, "last": last, "missed": missed, "gap": gap_after >= number}
        return dumps(answer).encode("ascii")

    def of(self, agent_id: int, most: int) -> list[dict[str, Any]]:
        """The latest of one agent."""
        with self._lock:
            events = [(n, event) for n, event in self._events if event.agent_id == agent_id]
        return [told(event, n) for n, event in events[-most:]]

    def _hear(self, event: Event) -> None:
        if type(event).__name__ not in LEFT_OUT:
            with self._lock:
                self._number += 1
                self._events.append((self._number, event))


def _nothing() -> None:
    """Nothing is heard."""


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
