"""Messages that were accepted and never read."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

from .clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class DeadLetterReason(StrEnum):
    """Why nobody read it."""

    RECEIVER_ENDED = "receiver_ended"
    UNREGISTERED = "unregistered"
    DROPPED_OLDEST = "dropped_oldest"
    SENDER_ABANDONED = "sender_abandoned"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One undelivered message; ``at`` is UTC."""

    message: Any
    reason: DeadLetterReason
    at: datetime


class DeadLetters(Sequence[DeadLetter]):
    """The latest dead letters, oldest first, and counters of all.

    Locks: ``_lock`` guards ``_letters`` and ``_counts``.
    """

    def __init__(self, keep: int = 1000) -> None:
        self._lock = threading.Lock()
        self._letters: deque[DeadLetter] = deque(maxlen=keep)
        self._counts: Counter[DeadLetterReason] = Counter()

    def add(self, message: Any, reason: DeadLetterReason) -> None:
        """Keep *message*; the oldest goes when there are too many."""
        with self._lock:
            self._letters.append(DeadLetter(message, reason, SYSTEM_CLOCK.now()))
            self._counts[reason] += 1

    @property
    def total(self) -> int:
        """How many there were, the ones no longer kept included."""
        return self._counts.total()

    def counts(self) -> dict[DeadLetterReason, int]:
        """How many there were, by reason."""
        with self._lock:
            return dict(self._counts)

    def __len__(self) -> int:
        return len(self._letters)

    @overload
    def __getitem__(self, index: int) -> DeadLetter: ...

    @overload
    def __getitem__(self, index: slice) -> list[DeadLetter]: ...

    def __getitem__(self, index: int | slice) -> DeadLetter | list[DeadLetter]:
        with self._lock:
            letters = list(self._letters)
        return letters[index]

    def __iter__(self) -> Iterator[DeadLetter]:
        with self._lock:
            return iter(list(self._letters))

    def __repr__(self) -> str:
        return f"<DeadLetters {dict(self._counts)}>"
