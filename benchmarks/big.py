"""How fast do many actors talk, each to any other? (Savina: big)"""

from __future__ import annotations

import random
import time
from typing import Any

from .peers import Peers
from .program_sizes import CROWD
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do many actors talk, each to any other, with an answer to each message?"
LOADS = {
    Size.FULL: Load(10_000, 500, repeats=9),
    Size.QUICK: Load(2_000, 100, repeats=3),
    Size.SMOKE: Load(20, 0, repeats=1),
}


def play(base: type[Any], pings: int) -> float:
    """Seconds until so many pings, the same number by each, were answered."""
    size = min(CROWD, pings)
    each = pings // size
    finish = Finish(size)

    class One(base):  # type: ignore[misc]
        def __init__(self, number: int) -> None:
            super().__init__()
            self.dice, self.left = random.Random(number), each

        def on_receive(self, message: Any) -> None:
            kind, who = message
            if kind == "ping":
                who.tell(("pong", None))
                return
            if kind == "all":
                self.others = who
            self.ping()

        def ping(self) -> None:
            if self.left == 0:
                finish.one()
                return
            self.left -= 1
            self.dice.choice(self.others).tell(("ping", self.actor_ref))

    refs = [One.start(number) for number in range(size)]
    begin = time.perf_counter()
    for ref in refs:
        ref.tell(("all", refs))
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(*refs)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("big", QUESTION, play, LOADS[size], peers or Peers())
