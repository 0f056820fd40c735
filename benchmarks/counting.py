"""How fast does one actor take what another sends it? (Savina: counting)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, answer, stop_all
from .size import Size

QUESTION = "How fast does one actor take what another sends it?"
COUNTS = {Size.FULL: (50_000, 9), Size.QUICK: (10_000, 3), Size.SMOKE: (50, 1)}


def play(base: type[Any], count: int) -> float:
    """Seconds until so many increments are counted."""
    finish = Finish()
    found: list[int] = []

    class Counter(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

        def on_receive(self, message: Any) -> None:
            if message == "how many":
                found.append(self.count)
                finish.one()
            else:
                self.count += 1

    class Producer(base):  # type: ignore[misc]
        def on_receive(self, counter: Any) -> None:
            for _ in range(count):
                counter.tell("one more")
            counter.tell("how many")

    counter, producer = Counter.start(), Producer.start()
    begin = time.perf_counter()
    producer.tell(counter)
    finish.wait()
    seconds = time.perf_counter() - begin
    assert found == [count]
    stop_all(producer, counter)
    return seconds


def thespian(count: int) -> float:
    """The same on thespian."""
    from thespian.actors import Actor, ActorSystem

    class Counter(Actor):  # type: ignore[misc]
        count = 0

        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802 - the peer's name
            if isinstance(message, tuple):
                self.send(message[0], self.count)
            elif message == "one more":
                self.count += 1

    class Producer(Actor):  # type: ignore[misc]
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
            if isinstance(message, tuple):
                counter, amount = message
                for _ in range(amount):
                    self.send(counter, "one more")
                self.send(counter, (sender,))

    system = ActorSystem("simpleSystemBase")
    try:
        counter, producer = system.createActor(Counter), system.createActor(Producer)
        begin = time.perf_counter()
        assert system.ask(producer, (counter, count), 300) == count
        return time.perf_counter() - begin
    finally:
        system.shutdown()


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    count, repeats = COUNTS[size]
    return answer("counting", QUESTION, play, thespian, count=count, repeats=repeats, peers=peers or Peers())
