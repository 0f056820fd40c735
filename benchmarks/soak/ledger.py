"""What must add up: messages, asks, ends."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from actors import AgentId, AgentMessage, CancelToken, ReplyFuture

KEPT_VIOLATIONS = 20


class Ledger:
    """The books of one era.

    Locks: ``_lock`` guards every field.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._last: dict[tuple[AgentId, AgentId], int] = {}
        self._seen: set[int] = set()
        self._tried: set[int] = set()
        self._at_work: dict[int, CancelToken] = {}
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.watched: dict[AgentId, int] = {}
        self.taken: Counter[AgentId] = Counter()
        self.on_ends: Counter[AgentId] = Counter()
        self.tells: set[int] = set()
        self.hearings: Counter[int] = Counter()
        self.replies: list[ReplyFuture[Any]] = []
        self.violations: list[str] = []

    def note(self, what: str) -> None:
        """Count one of *what*."""
        with self._lock:
            self.counts[what] += 1

    def violate(self, text: str) -> None:
        """Something happened that must not."""
        with self._lock:
            self.counts["violations"] += 1
            if len(self.violations) < KEPT_VIOLATIONS:
                self.violations.append(text)

    def first_try(self, plan: int) -> bool:
        """Is this the first attempt at the plan of that number?"""
        with self._lock:
            first = plan not in self._tried
            self._tried.add(plan)
            return first

    # Ends -------------------------------------------------------------------------------------------------------

    def watch(self, agent_id: AgentId) -> None:
        """An agent of that id was admitted, and has to end once."""
        with self._lock:
            self.watched.setdefault(agent_id, 0)

    def ended(self, agent_id: AgentId, status: str) -> None:
        """The done callback of that agent was called."""
        with self._lock:
            self.watched[agent_id] = self.watched.get(agent_id, 0) + 1
            self.statuses[status] += 1

    def took(self, agent_id: AgentId) -> None:
        """A join yielded that agent's outcome."""
        with self._lock:
            self.taken[agent_id] += 1

    def cleaned(self, agent_id: AgentId) -> None:
        """``on_end`` of that agent was called."""
        with self._lock:
            self.on_ends[agent_id] += 1

    # Messages ---------------------------------------------------------------------------------------------------

    def number(self) -> int:
        """The number of a new message; those of one sender rise."""
        return next(self._numbers)

    def handled(self, message: AgentMessage) -> None:
        """*message* was read: once only, and after all that its sender sent before."""
        number, ordered = message.content
        pair = message.to, message.sender
        with self._lock:
            self.counts["messages handled"] += 1
            twice, late = number in self._seen, ordered and self._last.get(pair, 0) > number
            self._seen.add(number)
            if ordered:
                self._last[pair] = number
        if twice or late:
            fault = "read twice" if twice else "out of order"
            self.violate(f"message {number} from {message.sender} to {message.to} was {fault}")

    def told(self, number: int) -> None:
        """An actor accepted that message."""
        with self._lock:
            self.counts["tells accepted"] += 1
            self.tells.add(number)

    def heard(self, number: int) -> None:
        """An actor began to handle that message; one that crashed it may come again."""
        with self._lock:
            self.hearings[number] += 1

    # Asks -------------------------------------------------------------------------------------------------------

    def asked(self, reply: ReplyFuture[Any]) -> None:
        """Somebody asked, and did not wait."""
        with self._lock:
            self.counts["asks"] += 1
            self.replies.append(reply)

    # Slots ------------------------------------------------------------------------------------------------------

    def at_work(self, agent_id: AgentId, token: CancelToken) -> AbstractContextManager[int]:
        """While an agent works with its slot; yields how many do. Cancelled ones need no slot, and do not count."""
        return _AtWork(self, agent_id, token)

    def enter(self, agent_id: AgentId, token: CancelToken) -> int:
        """An agent begins to work."""
        with self._lock:
            self._at_work[agent_id] = token
            return sum(not other.cancelled for other in self._at_work.values())

    def leave(self, agent_id: AgentId) -> None:
        """It works no more."""
        with self._lock:
            self._at_work.pop(agent_id, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.violations)


class _AtWork:
    def __init__(self, ledger: Ledger, agent_id: AgentId, token: CancelToken) -> None:
        self._ledger, self._id, self._token = ledger, agent_id, token

    def __enter__(self) -> int:
        return self._ledger.enter(self._id, self._token)

    def __exit__(self, *_: object) -> None:
        self._ledger.leave(self._id)
