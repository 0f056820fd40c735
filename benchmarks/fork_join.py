"""How fast are actors made, given one message, and ended? (Savina: fork-join create)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, Load, answer
from .size import Size

QUESTION = "How fast are actors made, given one message, and ended?"
LOADS = {
    Size.FULL: Load(4_000, 40, repeats=9),
    Size.QUICK: Load(1_000, 20, repeats=3),
    Size.SMOKE: Load(20, 4, repeats=1),
}


def play(base: type[Any], count: int) -> float:
    """Seconds until so many actors have handled their message and ended."""
    finish = Finish(count)

    class Worker(base):  # type: ignore[misc]
        def on_receive(self, message: float) -> None:
            if message > 0:
                self.stop()

        def on_stop(self) -> None:
            finish.one()

    begin = time.perf_counter()
    for _ in range(count):
        Worker.start().tell(1.5)
    finish.wait()
    return time.perf_counter() - begin


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("fork_join", QUESTION, play, LOADS[size], peers or Peers())
