"""A sink for events that looks at their order, and is sometimes slow or raises."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from actors import AgentEnded, AgentStarted

from .faults import Faults, Place

if TYPE_CHECKING:
    from random import Random

    from actors import AgentId, Event

    from .ledger import Ledger


class Sink:
    """Called by the pool's dispatcher, one event at a time."""

    def __init__(self, ledger: Ledger, faults: Faults, random: Random) -> None:
        self._ledger, self._faults, self._random = ledger, faults, random
        self._busy = threading.Lock()
        self.last = 0
        self.ended: Counter[AgentId] = Counter()
        self.started: Counter[AgentId] = Counter()

    def __call__(self, event: Event) -> None:
        """Look at *event*; be slow or raise, perhaps."""
        if not self._busy.acquire(blocking=False):
            self._ledger.violate(f"two events at once: {event!r}")
            return
        try:
            self._look(event)
            chance = self._random.random()
            if chance < 0.002:
                self._faults.note("the sink is slow")
                time.sleep(0.02 * self._random.random())
            elif chance < 0.005:
                raise self._faults.make(self._faults.draw(self._random), Place.SINK)
        finally:
            self._busy.release()

    def _look(self, event: Event) -> None:
        if event.seq != self.last + 1:
            self._ledger.violate(f"event {event.seq} came after {self.last}: {event!r}")
        self.last = event.seq
        if isinstance(event, AgentEnded):
            self.ended[event.agent_id] += 1
        elif isinstance(event, AgentStarted):
            self.started[event.agent_id] += 1
        elif self.ended[event.agent_id]:
            self._ledger.violate(f"an event after its agent's end: {event!r}")
