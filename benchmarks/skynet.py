"""How fast does a tree of actors grow to its leaves and sum them up? (skynet)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, answer
from .size import Size

QUESTION = "How fast does a tree of actors grow to its leaves, which send their numbers up?"
COUNTS = {Size.FULL: (10_000, 7), Size.QUICK: (1_000, 3), Size.SMOKE: (10, 1)}
BRANCHES = 10


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
            if message[0] == "sum":
                self.sum += message[1]
                self.left -= 1
                if self.left == 0:
                    self.end(self.sum)
                return
            _, number, size = message
            if size == 1:
                self.end(number)
                return
            below = size // BRANCHES
            for branch in range(BRANCHES):
                Node.start(self.actor_ref).tell(("grow", number + branch * below, below))

        def end(self, total: int) -> None:
            self.parent.tell(("sum", total))
            self.stop()

    begin = time.perf_counter()
    Node.start(Root()).tell(("grow", 0, leaves))
    finish.wait()
    seconds = time.perf_counter() - begin
    assert sums == [leaves * (leaves - 1) // 2]
    return seconds


def thespian(leaves: int) -> float:
    """The same on thespian."""
    from thespian.actors import Actor, ActorExitRequest, ActorSystem

    class Node(Actor):  # type: ignore[misc]
        parent: Any
        left: int
        sum: int

        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - the peer's name
            if not isinstance(message, tuple):
                return
            if message[0] == "sum":
                self.sum += message[1]
                self.left -= 1
                if self.left == 0:
                    self.end(self.sum)
                return
            self.parent, self.left, self.sum = sender, BRANCHES, 0
            _, number, size = message
            if size == 1:
                self.end(number)
                return
            below = size // BRANCHES
            for branch in range(BRANCHES):
                self.send(self.createActor(Node), ("grow", number + branch * below, below))

        def end(self, total: int) -> None:
            self.send(self.parent, ("sum", total))
            self.send(self.myAddress, ActorExitRequest())

    system = ActorSystem("simpleSystemBase")
    try:
        begin = time.perf_counter()
        found = system.ask(system.createActor(Node), ("grow", 0, leaves), 300)
        seconds = time.perf_counter() - begin
    finally:
        system.shutdown()
    assert found == ("sum", leaves * (leaves - 1) // 2)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    count, repeats = COUNTS[size]
    return answer("skynet", QUESTION, play, thespian, count=count, repeats=repeats, peers=peers or Peers())
