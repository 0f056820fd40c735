"""How fast do producers and consumers work over a bounded buffer? (Savina: bounded buffer)"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do producers and consumers work over a bounded buffer?"
LOADS = {
    Size.FULL: Load(10_000, 800, repeats=9),
    Size.QUICK: Load(2_000, 160, repeats=3),
    Size.SMOKE: Load(40, 40, repeats=1),
}
PRODUCERS = CONSUMERS = 8
ROOM = 50


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


def play(base: type[Any], count: int) -> float:
    """Seconds until so many items were made and eaten."""
    finish = Finish()
    each = count // PRODUCERS

    class Manager(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.buffer = Buffer(each * PRODUCERS, lambda ref, message: ref.tell(message), finish.one)

        def on_receive(self, message: Any) -> None:
            self.buffer.hear(*message)

    class Producer(base):  # type: ignore[misc]
        def __init__(self, manager: Any) -> None:
            super().__init__()
            self.manager, self.left = manager, each

        def on_receive(self, message: str) -> None:  # noqa: ARG002 - "make" is all it hears
            if self.left:
                self.left -= 1
                self.manager.tell(("made", self.actor_ref, self.left))

    class Consumer(base):  # type: ignore[misc]
        def __init__(self, manager: Any) -> None:
            super().__init__()
            self.manager = manager

        def on_receive(self, message: Any) -> None:  # noqa: ARG002 - it eats whatever comes
            self.manager.tell(("ate", self.actor_ref, None))

    manager = Manager.start()
    producers = [Producer.start(manager) for _ in range(PRODUCERS)]
    consumers = [Consumer.start(manager) for _ in range(CONSUMERS)]
    begin = time.perf_counter()
    for consumer in consumers:
        manager.tell(("hungry", consumer, None))
    for producer in producers:
        producer.tell("make")
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(*producers, *consumers, manager)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("bounded_buffer", QUESTION, play, LOADS[size], peers or Peers())
