"""How fast do many actors take messages that come to each in turn? (Savina: fork-join throughput)"""

from __future__ import annotations

import math
import time
from typing import Any

from .peers import Peers
from .program_sizes import FORKS
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do many actors take messages that come to each in turn?"
LOADS = {
    Size.FULL: Load(30_000, 3_000, repeats=9),
    Size.QUICK: Load(6_000, 600, repeats=3),
    Size.SMOKE: Load(20, 0, repeats=1),
}


def play(base: type[Any], count: int) -> float:
    """Seconds until so many messages, the same number to each, were handled."""
    workers = min(FORKS, count)
    each = count // workers
    finish = Finish(workers)

    class Worker(base):  # type: ignore[misc]
        left = each

        def on_receive(self, message: float) -> None:
            math.sin(message)
            self.left -= 1
            if self.left == 0:
                finish.one()

    refs = [Worker.start() for _ in range(workers)]
    begin = time.perf_counter()
    for _ in range(each):
        for ref in refs:
            ref.tell(1.5)
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(*refs)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("fork_join_throughput", QUESTION, play, LOADS[size], peers or Peers())
