"""Lanes: numbered items in one direction, each given over once and in order, whatever the calls do that carry them."""

from __future__ import annotations

import pickle
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound=tuple[Any, ...])

MOST_ITEMS = 512
"""In one call: the next ones fill up while it is out."""

MOST_BYTES = 90_000
"""In one call: an argument of above 100 KiB goes through Ray's store, and takes 14 ms in place of 1.2."""

_ITEM_COST = 6
"""Bytes that an item has in a frame beside its own."""


class Gap(RuntimeError):
    """Items are missing for good, or were never sent: the two ends no longer speak of the same lane."""


# Frames: what the calls carry ---------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """Items that follow each other, as bytes; the first of them has the number *first*."""

    first: int
    items: list[bytes]


class HostState(NamedTuple):
    """What every answer of a host tells of it.

    Args:
        incarnation: Another one than was called: the old one is lost.
        sent_at: The moment of the answer, on the host's own clock: rises from answer to answer.
        took: The number of the last item that it has got.
        parked: How many of its agents wait without a slot.
        free: How many more could begin there at once.
        strays: Threads there of agents and tools that were abandoned, and have not ended.
    """

    incarnation: str
    sent_at: float
    took: int
    parked: int
    free: int
    strays: int = 0


class PutCall(NamedTuple):
    """Items for a host. *heard* is the latest ``sent_at`` that the program has got from it; 0 before the first."""

    incarnation: str
    first: int
    items: list[bytes]
    heard: float = 0.0


class PutAnswer(NamedTuple):
    """They came."""

    state: HostState


class DrainCall(NamedTuple):
    """Asks for the items after the number *ack*, and waits up to *wait* seconds until there are some.

    Args:
        heard: The latest ``sent_at`` that the program has got from the host: what its fence counts from.
    """

    incarnation: str
    ack: int
    wait: float
    heard: float = 0.0


class Drained(NamedTuple):
    """Items of a host: all that follow the number that was acknowledged, as far as they fit; none if none came."""

    state: HostState
    first: int
    items: list[bytes]


def dump(value: tuple[Any, ...]) -> bytes:
    """Write a frame, or an item, as bytes."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def load(data: bytes, kind: type[_F]) -> _F:
    """Read a frame.

    Raises:
        TypeError: It is no *kind*.
    """
    frame = pickle.loads(data)  # noqa: S301  # whoever is a node is trusted with the program
    if type(frame) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(frame).__name__}")
    return frame


# The two ends -------------------------------------------------------------------------------------------------------


class Outbox:
    """The end at which items enter: it numbers them, and keeps each until it was acknowledged.

    Guarantees: numbers begin with 1 and have no gap; what one thread puts in keeps its order; what is taken out comes
    again until it is acknowledged; ``when_filled`` is called each time when there is something after there was nothing.

    Args:
        when_filled: Called by the thread that put the item in, after it is in.

    Locks: ``_lock`` guards ``_items`` and ``_first``. ``when_filled`` never changes.
    """

    def __init__(self, when_filled: Callable[[], object] | None = None) -> None:
        self.when_filled = when_filled
        self._lock = threading.Lock()
        self._items: deque[bytes] = deque()
        self._first = 1

    def put(self, item: tuple[Any, ...]) -> None:
        """Put *item* in, as it is now: it is pickled at once."""
        self.put_bytes(dump(item))

    def put_bytes(self, data: bytes) -> None:
        """Put an item in that was pickled before, as for several lanes."""
        with self._lock:
            was_empty = not self._items
            self._items.append(data)
        if was_empty and self.when_filled is not None:
            self.when_filled()

    def next(self) -> Batch | None:
        """Look at what is not acknowledged, from the first: at most 512 items and 90,000 bytes, a larger item alone.

        Returns:
            None if there is nothing. The same items as before, and perhaps further ones, if none was acknowledged.
        """
        with self._lock:
            if not self._items:
                return None
            taken: list[bytes] = []
            size = 0
            for data in islice(self._items, MOST_ITEMS):
                size += len(data) + _ITEM_COST
                if size > MOST_BYTES and taken:
                    break
                taken.append(data)
            return Batch(self._first, taken)

    def acknowledge(self, number: int) -> None:
        """Let go of all up to *number*; what was acknowledged before is left.

        Raises:
            Gap: There was no such number yet.
        """
        with self._lock:
            count = number - self._first + 1
            if count > len(self._items):
                raise Gap(f"number {number} is acknowledged, but the last is {self._first + len(self._items) - 1}")
            for _ in range(count):
                self._items.popleft()
            self._first += max(count, 0)

    @property
    def acknowledged(self) -> int:
        """The number of the last item that was acknowledged."""
        with self._lock:
            return self._first - 1

    def __len__(self) -> int:
        return len(self._items)


class Inlet:
    """The end at which items leave: each once, in the order of their numbers.

    Threads: one at a time. Whoever takes in several threads holds a lock of its own until what it got is in its place:
    the next call may come before.
    """

    def __init__(self) -> None:
        self.last = 0

    def take(self, batch: Batch | PutCall | Drained) -> list[Any]:
        """Take what of *batch* has not been taken yet.

        Raises:
            Gap: Items are missing before it.
        """
        new = self.last + 1 - batch.first
        if new < 0:
            raise Gap(f"items {self.last + 1} to {batch.first - 1} are missing")
        items = [pickle.loads(data) for data in batch.items[new:]]  # noqa: S301  # as above
        self.last += len(items)
        return items
