"""How fast does a tree of actors grow to its leaves and sum them up? (skynet)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .program_sizes import BRANCHES
from .report import Report
from .savina import Finish, Load, answer
from .size import Size
from .tree import hear

QUESTION = "How fast does a tree of actors grow to its leaves, which send their numbers up?"
LOADS = {
    Size.FULL: Load(10_000, 100, repeats=7),
    Size.QUICK: Load(1_000, 100, repeats=3),
    Size.SMOKE: Load(10, 10, repeats=1),
}


def play(base: type[Any], leaves: int) -> float:
    """Seconds from the root to the sum."""
    finish = Finish()
    sums: list[int] = []

    class Root:
        """The program, as the root's parent."""

        def tell(self, message: tuple[str, int]) -> None:
            sums.append(message[1])
            finish.one()

    class Node(base):  # type: ignore[misc]
        def __init__(self, parent: Any) -> None:
            super().__init__()
            self.parent = parent
            self.left, self.sum = BRANCHES, 0

        def on_receive(self, message: Any) -> None:
            hear(self, message)

        def branch(self, message: Any) -> None:
            Node.start(self.actor_ref).tell(message)

        def end(self, total: int) -> None:
            self.parent.tell(("sum", total))
            self.stop()

    begin = time.perf_counter()
    Node.start(Root()).tell(("grow", 0, leaves))
    finish.wait()
    seconds = time.perf_counter() - begin
    assert sums == [leaves * (leaves - 1) // 2]
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("skynet", QUESTION, play, LOADS[size], peers or Peers())
