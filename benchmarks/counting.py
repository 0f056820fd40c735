"""How fast does one actor take what another sends it? (Savina: counting)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast does one actor take what another sends it?"
LOADS = {
    Size.FULL: Load(50_000, 2_000, repeats=9),
    Size.QUICK: Load(10_000, 500, repeats=3),
    Size.SMOKE: Load(50, 20, repeats=1),
}


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


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("counting", QUESTION, play, LOADS[size], peers or Peers())
