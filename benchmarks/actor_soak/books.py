"""What must add up among actors: messages, asks, handlers, ends."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from actors import ActorDead, AskTimeout, DeadlockError, DispatcherExhausted, InboxFull

if TYPE_CHECKING:
    from actors import ReplyFuture

KEPT_VIOLATIONS = 20
EXPECTED = (ActorDead, AskTimeout, DeadlockError, DispatcherExhausted, InboxFull)
"""How an ask may fail, but for what its handler raised."""


class Boom(Exception):
    """What a handler raises on purpose."""


class PutOff(Exception):
    """What the answer to an ask is that was put off."""


class Books:
    """The books of one era.

    Locks: ``_lock`` guards every field.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._last: dict[tuple[str, int], int] = {}
        self._fates: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.replies: list[tuple[ReplyFuture[Any], list[int]]] = []
        self.violations: list[str] = []

    def note(self, what: str) -> None:
        """Count one of *what*."""
        with self._lock:
            self.counts[what] += 1

    def violate(self, rule: str, text: str) -> None:
        """Something happened that must not."""
        with self._lock:
            self.counts["violations"] += 1
            if len(self.violations) < KEPT_VIOLATIONS:
                self.violations.append(f"{rule}: {text}")

    # Messages ---------------------------------------------------------------------------------------------------

    def number(self) -> int:
        """The number of a new message; those of one sender rise."""
        with self._lock:
            self._number += 1
            return self._number

    def accepted(self, number: int) -> None:
        """An actor accepted that message; it may have handled it already."""
        with self._lock:
            self.counts["accepted"] += 1
            self._fates.setdefault(number, "accepted")

    def handled(self, sender: str, actor: int, number: int, *, ordered: bool, again: bool) -> None:
        """An actor began to handle that message.

        Args:
            again: It may have been handled before: put aside, or tried again after a crash.
        """
        with self._lock:
            self.counts["handled"] += 1
            before, pair = self._fates.get(number), (sender, actor)
            self._fates[number] = "handled"
            is_late = ordered and self._last.get(pair, 0) > number
            if ordered:
                self._last[pair] = max(number, self._last.get(pair, 0))
        if before == "dead" or (before == "handled" and not again):
            self.violate("I1", f"message {number} of {sender} to {actor} is handled, and was {before}")
        if is_late:
            self.violate("I4", f"message {number} of {sender} to {actor} is out of order")

    def buried(self, number: int, *, crashed: bool) -> None:
        """That message is a dead letter; one that has crashed its actor was handled, too."""
        with self._lock:
            self.counts["dead letters"] += 1
            before = self._fates.get(number)
            self._fates[number] = "dead"
        if before == "dead" or (before == "handled" and not crashed):
            self.violate("I1", f"message {number} is a dead letter, and was {before}")

    def lost(self) -> list[int]:
        """What was accepted, and neither handled nor a dead letter."""
        with self._lock:
            return [number for number, fate in self._fates.items() if fate == "accepted"]

    # Asks -------------------------------------------------------------------------------------------------------

    def asked(self, reply: ReplyFuture[Any]) -> None:
        """Somebody asked, and did not wait."""
        calls: list[int] = []
        with self._lock:
            self.counts["asks"] += 1
            self.replies.append((reply, calls))
        reply.add_done_callback(lambda _: calls.append(1))

    def failed(self, error: BaseException) -> None:
        """An ask raised *error*."""
        self.note(f"ask: {type(error).__name__}")
        if not isinstance(error, (*EXPECTED, Boom)):
            self.violate("I2", f"an ask failed with {error!r}")

    def unsettled(self) -> int:
        """How many asks have no answer; of the others each callback was called once."""
        with self._lock:
            replies = list(self.replies)
        for reply, calls in replies:
            if reply.done() and len(calls) > 1:
                self.violate("A8", f"an ask was settled {len(calls)} times")
        return sum(not reply.done() for reply, _ in replies)
