"""How fast are actors made, given one message, and ended? (Savina: fork-join create)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, answer
from .size import Size

QUESTION = "How fast are actors made, given one message, and ended?"
COUNTS = {Size.FULL: (4_000, 9), Size.QUICK: (1_000, 3), Size.SMOKE: (20, 1)}


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


def thespian(count: int) -> float:
    """The same on thespian."""
    from thespian.actors import Actor, ActorExitRequest, ActorSystem

    class Worker(Actor):  # type: ignore[misc]
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: ARG002, N802 - the peer's name
            if isinstance(message, float):
                self.send(self.myAddress, ActorExitRequest())

    system = ActorSystem("simpleSystemBase")
    try:
        begin = time.perf_counter()
        for _ in range(count):
            system.tell(system.createActor(Worker), 1.5)
        return time.perf_counter() - begin
    finally:
        system.shutdown()


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    count, repeats = COUNTS[size]
    return answer("fork_join", QUESTION, play, thespian, count=count, repeats=repeats, peers=peers or Peers())
