"""How fast do two actors send one message to and fro? (Savina: ping-pong)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, answer, stop_all
from .size import Size

QUESTION = "How fast do two actors send one message to and fro?"
COUNTS = {Size.FULL: (10_000, 9), Size.QUICK: (2_000, 3), Size.SMOKE: (20, 1)}


def play(base: type[Any], rounds: int) -> float:
    """Seconds for so many times to and fro."""
    finish = Finish()

    class Pong(base):  # type: ignore[misc]
        def on_receive(self, message: Any) -> None:
            sender, left = message
            sender.tell((self.actor_ref, left))

    class Ping(base):  # type: ignore[misc]
        def on_receive(self, message: Any) -> None:
            pong, left = message
            if left == 0:
                finish.one()
            else:
                pong.tell((self.actor_ref, left - 1))

    ping, pong = Ping.start(), Pong.start()
    begin = time.perf_counter()
    ping.tell((pong, rounds))
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(ping, pong)
    return seconds


def thespian(rounds: int) -> float:
    """The same on thespian."""
    from thespian.actors import Actor, ActorSystem

    class Pong(Actor):  # type: ignore[misc]
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - the peer's name
            if isinstance(message, int):
                self.send(sender, message)

    class Ping(Actor):  # type: ignore[misc]
        def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802
            if isinstance(message, tuple):
                self.asker, self.pong = sender, message[0]
                self.send(self.pong, message[1] - 1)
            elif isinstance(message, int):
                if message == 0:
                    self.send(self.asker, "done")
                else:
                    self.send(self.pong, message - 1)

    system = ActorSystem("simpleSystemBase")
    try:
        ping, pong = system.createActor(Ping), system.createActor(Pong)
        begin = time.perf_counter()
        assert system.ask(ping, (pong, rounds), 300) == "done"
        return time.perf_counter() - begin
    finally:
        system.shutdown()


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    count, repeats = COUNTS[size]
    return answer("ping_pong", QUESTION, play, thespian, count=count, repeats=repeats, peers=peers or Peers())
