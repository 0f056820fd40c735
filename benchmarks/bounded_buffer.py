"""How fast do producers and consumers work over a bounded buffer? (Savina: bounded buffer)"""

from __future__ import annotations

import time
from typing import Any

from .buffer import Buffer
from .peers import Peers
from .program_sizes import CONSUMERS, PRODUCERS
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do producers and consumers work over a bounded buffer?"
LOADS = {
    Size.FULL: Load(10_000, 800, repeats=9),
    Size.QUICK: Load(2_000, 160, repeats=3),
    Size.SMOKE: Load(40, 40, repeats=1),
}


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
