"""How fast do two actors send one message to and fro? (Savina: ping-pong)"""

from __future__ import annotations

import time
from typing import Any

from .peers import Peers
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do two actors send one message to and fro?"
LOADS = {
    Size.FULL: Load(10_000, 1_000, repeats=9),
    Size.QUICK: Load(2_000, 200, repeats=3),
    Size.SMOKE: Load(20, 10, repeats=1),
}


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


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("ping_pong", QUESTION, play, LOADS[size], peers or Peers())
