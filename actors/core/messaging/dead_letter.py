"""Messages that nobody will handle any more."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

from loguru import logger

from ...public import publish
from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..crash import fenced, safe_repr
from ..shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class DeadLetterReason(StrEnum):
    """Why nobody read it."""

    RECEIVER_ENDED = "receiver_ended"
    UNREGISTERED = "unregistered"
    DROPPED_OLDEST = "dropped_oldest"
    SENDER_ABANDONED = "sender_abandoned"
    ASK_EXPIRED = "ask_expired"
    INBOX_FULL = "inbox_full"
    TIMER_FULL = "timer_full"
    POISON = "poison"
    RESTARTS_USED_UP = "restarts_used_up"
    TOPIC_FULL = "topic_full"
    NODE_LOST = "node_lost"
    """It may have been read: the node went that it was handed on to."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One undelivered message.

    Args:
        message: The message itself.
        reason: Why nobody read it, or handled it to the end; ``inbox_full``: a broadcast found no room;
            ``timer_full``: a ``tell_later`` did;
            ``poison``: it crashed its handler too often;
            ``restarts_used_up``: it crashed it when no restart was left in the window;
            ``topic_full``: it was published, and the mailbox had no room.
        at: UTC.
        receiver: Whom it was for, in words.
    """

    message: Any
    reason: DeadLetterReason
    at: datetime
    receiver: str = ""


LOGGED = 10
"""So many dead letters are logged in any period; the others are counted."""
LOG_PERIOD = 60.0
"""Seconds."""
SHOWN = 200
"""Characters of a message that its log line shows."""


class DeadLetters(Sequence[DeadLetter]):
    """The latest dead letters, oldest first, and counters of all.

    Locks: ``_lock`` guards what changes, and may be taken again: a finalizer may make a dead letter at any moment;
    ``total`` and ``len`` are single reads. Log and listener are called outside
    it, by :meth:`announce`, which also lets go of those that are no longer kept.

    Source: Akka's dead letters, and the limit of their log.
    """

    def __init__(self, listener: Callable[[DeadLetter], object] | None = None, keep: int = 1000) -> None:
        if listener is not None and not callable(listener):
            raise TypeError(f"on_undelivered must be a function that takes a dead letter, got {listener!r}")
        self._listener = listener
        self._inside = threading.local()
        self._lock = leaf_rlock()
        self._keep = keep
        self._letters: deque[DeadLetter] = deque()
        self._gone: list[DeadLetter] = []
        self._counts: Counter[DeadLetterReason] = Counter()
        self._period_ends = 0.0
        self._logged = 0
        self._unlogged = 0

    def add(self, message: Any, reason: DeadLetterReason, receiver: str = "") -> DeadLetter:
        """Keep *message*; the oldest goes when there are too many. :meth:`announce` it once no lock is held.

        Args:
            reason: Why nobody reads it.
            receiver: Who should have.
        """
        letter = DeadLetter(message, reason, SYSTEM_CLOCK.now(), receiver)
        with self._lock:
            self._letters.append(letter)
            if len(self._letters) > self._keep:
                self._gone.append(self._letters.popleft())  # not let go of here: it may be the last of a message
            self._counts[reason] += 1
        return letter

    def announce(self, *letters: DeadLetter) -> None:
        """Log *letters*, as far as the limit goes, and hand them to the listener. What it raises is logged.

        A listener that makes a dead letter itself is not called for that one: it would never end.
        """
        if self._gone:
            self._let_go()
        for letter in letters:
            self._log(letter)
            if self._listener is not None and not getattr(self._inside, "listener", False):
                self._inside.listener = True
                try:
                    fenced(self._listener, letter, what="on_undelivered")
                finally:
                    self._inside.listener = False

    def _let_go(self) -> None:
        with self._lock:
            gone, self._gone = self._gone, []
        gone.clear()

    def _log(self, letter: DeadLetter) -> None:
        missed = 0
        with self._lock:
            now = SYSTEM_CLOCK.monotonic()
            if now >= self._period_ends:
                self._period_ends = now + LOG_PERIOD
                self._logged, missed, self._unlogged = 0, self._unlogged, 0
            wanted = self._logged < LOGGED
            if wanted:
                self._logged += 1
            else:
                self._unlogged += 1
        if missed:
            logger.warning("{} further dead letters were not logged", missed)
        if wanted:
            logger.opt(lazy=True).warning("{}", lambda: _line(letter))

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


def _line(letter: DeadLetter) -> str:
    text = safe_repr(letter.message)
    if not text[:SHOWN].isprintable():  # a repr of a user's own
        text = shown(text, SHOWN)
    if len(text) > SHOWN:
        text = f"{text[:SHOWN]}... ({len(text)} characters)"
    return f"dead letter for {letter.receiver or 'nobody'} ({letter.reason}): {text}"


publish("actors.messages", DeadLetter, DeadLetterReason)
