"""What the machine and the agents on other threads share: the log, the count of slots, the commands."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import CancelToken

BOUND = 10.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
PATIENCE = 60.0
"""Seconds that an agent waits for a command: longer than any example takes."""


class Log:
    """What happened, in order; whoever waits for something looks again at each entry."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: deque[tuple[str, Any]] = deque()
        self.violations: list[str] = []

    def add(self, kind: str, value: Any = None) -> None:
        """Note that something happened."""
        with self._changed:
            self._entries.append((kind, value))
            self._changed.notify_all()

    def violation(self, text: str) -> None:
        """Note what must not happen, from any thread."""
        with self._changed:
            self.violations.append(text)
            self._changed.notify_all()

    def follow(self, consume: Callable[[str, Any], None], until: Callable[[], bool]) -> bool:
        """Hand the entries to *consume*, in order, until *until* holds; False when it never does."""
        end = time.monotonic() + BOUND
        with self._changed:
            while True:
                while self._entries:
                    consume(*self._entries.popleft())
                if self.violations or until():
                    return True
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False


class SlotMeter:
    """Counts who runs, at every instant.

    An agent counts itself in after it was given a slot and out before it gives the slot back: so whenever the count
    is above the limit, more slots are held than there are.
    """

    def __init__(self, limit: int, log: Log) -> None:
        self._lock = threading.Lock()
        self._log = log
        self._held = 0
        self.limit = limit

    def take(self) -> None:
        """One more runs."""
        with self._lock:
            self._held += 1
            if self._held > self.limit:
                self._log.violation(f"{self._held} agents run at once, the limit is {self.limit}")

    def give(self) -> None:
        """One runs no longer."""
        with self._lock:
            self._held -= 1


class Port:
    """How the machine steers one agent: commands while it runs, a gate at its end."""

    def __init__(self) -> None:
        self.commands: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self.end_gate = threading.Event()
        self.end_gate.set()
        self.births = 0

    def next(self, token: CancelToken) -> tuple[str, Any]:
        """The next command; raises when the agent was cancelled. The slot is kept."""
        forget = token.on_cancel(lambda: self.commands.put(None))
        try:
            command = self.commands.get(timeout=PATIENCE)
        finally:
            forget()
        token.check()
        assert command is not None
        return command


class Stage:
    """Everything that the agents of one example share."""

    def __init__(self, limit: int) -> None:
        self.log = Log()
        self.slots = SlotMeter(limit, self.log)
        self.ports: dict[int, Port] = {}
        self.handles: dict[int, Any] = {}
        self.refs: dict[int, Any] = {}
        self.decisions: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        self.pool: Any = None

    def port(self, number: int) -> Port:
        """The port of the agent with that number."""
        return self.ports.setdefault(number, Port())
