"""The host of a node that is played: it takes what is placed there, and reports ends; nothing runs."""

from __future__ import annotations

import itertools
import pickle
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from actors.cluster.items import Began, Cancel, Close, Ended, Lease, Leased, Place
from actors.cluster.lane import Batch, Drained, HostState, Inlet, Outbox, PutAnswer, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.cluster.lane import DrainCall, PutCall

NOTHING = pickle.dumps(None)


class PlayedHost:
    """One host.

    Args:
        seconds: How long each agent lives after it got a slot.
        later: Does something after so many seconds.

    Threads: one at a time.
    """

    def __init__(
        self, incarnation: str, *, seconds: float, later: Callable[[float, Callable[[], object]], None]
    ) -> None:
        self.incarnation = incarnation
        self._seconds = seconds
        self._later = later
        self._inlet = Inlet()
        self.outbox = Outbox()
        self._lease = 0
        self._running: set[int] = set()
        self._waiting: deque[int] = deque()

    def put(self, call: PutCall) -> bytes:
        """Take items; the answer."""
        for item in self._inlet.take(call):
            self._take(item)
        return dump(PutAnswer(self._state()))

    def drain(self, call: DrainCall) -> bytes:
        """What there is to tell after what was acknowledged; perhaps nothing."""
        self.outbox.acknowledge(call.ack)
        batch = self.outbox.next() or Batch(self.outbox.acknowledged + 1, [])
        return dump(Drained(self._state(), batch.first, batch.items))

    def has_news(self, ack: int) -> bool:
        """Is there anything after number *ack*?"""
        return self.outbox.acknowledged + len(self.outbox) > ack

    def _state(self) -> HostState:
        return HostState(self.incarnation, time.monotonic(), self._inlet.last, 0, self._lease - len(self._running))

    def _take(self, item: Any) -> None:
        if isinstance(item, Place):
            self._waiting.append(item.id)
            self._start()
        elif isinstance(item, Lease):
            self._lease = item.slots
            self.outbox.put(Leased(item.slots))
            self._start()
        elif isinstance(item, Cancel):
            self._cancel(item.ids)
        elif isinstance(item, Close):
            self._waiting.clear()

    def _start(self) -> None:
        begun: list[int] = []
        while self._waiting and len(self._running) < self._lease:
            number = self._waiting.popleft()
            self.outbox.put(Began(number, time.monotonic()))
            if self._seconds:
                self._running.add(number)
                begun.append(number)
            else:
                self._end(number, "completed", 0.0)
        if begun:
            self._later(self._seconds, lambda: self._end_all(begun))

    def _end_all(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if number in self._running:
                self._running.remove(number)
                self._end(number, "completed", self._seconds)
        self._start()

    def _cancel(self, numbers: Sequence[int]) -> None:
        gone = set(numbers)
        told = [number for number in itertools.chain(self._running, self._waiting) if number in gone]
        self._running -= gone
        self._waiting = deque(number for number in self._waiting if number not in gone)
        for number in told:
            self._end(number, "cancelled", 0.0)
        self._start()

    def _end(self, number: int, status: str, duration: float) -> None:
        result = NOTHING if status == "completed" else None
        self.outbox.put(Ended(number, status, result, None, time.monotonic(), duration, 0, None))


def frame(data: bytes, kind: type[Any]) -> Any:
    """The call that *data* is."""
    return load(data, kind)
