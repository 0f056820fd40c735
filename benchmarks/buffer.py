"""The buffer of the bounded-buffer program, whatever library its actors are made with."""

from __future__ import annotations

from collections import deque
from typing import Any

from .program_sizes import ROOM


class Buffer:
    """What the manager keeps: items, and who waits for room or for an item. ``post(to, message)`` sends."""

    def __init__(self, total: int, post: Any, finished: Any) -> None:
        self.items: deque[int] = deque()
        self.full: deque[Any] = deque()
        self.hungry: deque[Any] = deque()
        self.left = total
        self.post = post
        self.finished = finished

    def hear(self, kind: str, who: Any, item: Any) -> None:
        """A message of one who works for it: ``made``, ``hungry``, or ``ate``, which means hungry, too."""
        if kind == "made":
            self.produced(who, item)
            return
        if kind == "ate":
            self.eaten()
        self.asked(who)

    def produced(self, producer: Any, item: int) -> None:
        """An item has come; its producer may make the next one when there is room."""
        if self.hungry:
            self.post(self.hungry.popleft(), ("eat", item))
        else:
            self.items.append(item)
        if len(self.items) >= ROOM:
            self.full.append(producer)
        else:
            self.post(producer, "make")

    def asked(self, consumer: Any) -> None:
        """A consumer wants an item."""
        if not self.items:
            self.hungry.append(consumer)
            return
        self.post(consumer, ("eat", self.items.popleft()))
        if self.full:
            self.post(self.full.popleft(), "make")

    def eaten(self) -> None:
        """One is gone."""
        self.left -= 1
        if self.left == 0:
            self.finished()
