"""How fast does one message go round a ring of actors? (Savina: thread ring)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .program_sizes import RING
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast does one message go round a ring of actors?"
LOADS = {
    Size.FULL: Load(20_000, 1_000, repeats=9),
    Size.QUICK: Load(4_000, 200, repeats=3),
    Size.SMOKE: Load(20, 0, repeats=1),
}


def play(base: type[Any], hops: int) -> float:
    """Seconds for so many hops."""
    finish = Finish()

    class Node(base):  # type: ignore[misc]
        def on_receive(self, message: Any) -> None:
            if not isinstance(message, int):
                self.following = message
            elif message:
                self.following.tell(message - 1)
            else:
                finish.one()

    nodes = [Node.start() for _ in range(min(RING, hops))]
    for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        node.tell(following)
    begin = time.perf_counter()
    nodes[0].tell(hops)
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(*nodes)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("thread_ring", QUESTION, play, LOADS[size], peers or Peers())
