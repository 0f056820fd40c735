"""What is being recorded, until it is a file."""

from __future__ import annotations

import json
import math
import threading
from collections import defaultdict, deque
from typing import Any, Final

from ...agent.wire import to_text
from .answer import VERSION, to_line

TENTHS: Final = 10


class Tape:
    """Collects lines of a file in whatever order they come, and tells them in one that does not depend on it.

    Threads: any.

    Locks: ``_lock`` guards ``_lines`` and ``_asked``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = 0
        self._lines: list[tuple[int, dict[str, Any]]] = []

    def ask(self) -> int:
        """Something is asked: which place its answer has among those of the same request."""
        with self._lock:
            self._asked += 1
            return self._asked

    def keep(self, place: int, data: dict[str, Any]) -> None:
        """Keep an answer: all of its line but ``v``."""
        with self._lock:
            self._lines.append((place, {"v": VERSION, **data}))

    def content(self, old: bytes = b"") -> bytes:
        """The file: conversations by what they begin with, each in its order.

        Args:
            old: What was recorded there before. What is asked and answered as it was then keeps its seconds: so a
                recording in which nothing has changed is the same file.
        """
        with self._lock:
            lines = list(self._lines)
        lines.sort(key=lambda one: (*_conversation(one[1]), one[0]))
        before = _seconds_of(old)
        told = []
        for _, data in lines:
            known = before.get(_key(data))
            told.append(to_line({**data, "seconds": known.popleft()} if known else data))
        return "".join(f"{line}\n" for line in told).encode()


def rounded(seconds: float) -> float:
    """Whole tenths, down: what takes no time takes none the next time, too."""
    return math.floor(seconds * TENTHS + 1e-6) / TENTHS


def _conversation(data: dict[str, Any]) -> tuple[list[str], str]:
    """By this a request comes after those that it goes on from."""
    return [to_text(message) for message in data["request"]["messages"]], data["digest"]


def _key(data: dict[str, Any]) -> str:
    return to_text([data.get("digest"), data.get("response"), data.get("error")])


def _seconds_of(old: bytes) -> dict[str, deque[float]]:
    """How long each answer took; of what cannot be read, nothing is known."""
    found: dict[str, deque[float]] = defaultdict(deque)
    for line in old.split(b"\n"):
        try:
            data = json.loads(line.decode("utf-8-sig"))
            if isinstance(data, dict) and type(data.get("seconds")) in (int, float):
                found[_key(data)].append(data["seconds"])
        except (ValueError, RecursionError):  # that was no recording: it is about to be one
            pass
    return found
