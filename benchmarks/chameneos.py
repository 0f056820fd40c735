"""How fast do actors meet at one place, two at a time? (Savina: chameneos)"""

from __future__ import annotations

import time
from typing import Any

from .mall import COLOURS, Mall, changed
from .peers import Peers
from .program_sizes import CHAMENEOS
from .report import Report
from .savina import Finish, Load, answer, stop_all
from .size import Size

QUESTION = "How fast do actors meet at one place, two at a time?"
LOADS = {
    Size.FULL: Load(10_000, 500, repeats=9),
    Size.QUICK: Load(2_000, 100, repeats=3),
    Size.SMOKE: Load(20, 0, repeats=1),
}


def play(base: type[Any], meetings: int) -> float:
    """Seconds for so many meetings, until all have heard that it is closed."""
    size = min(CHAMENEOS, meetings)
    finish = Finish(size)

    class Place(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.mall = Mall(meetings, lambda who, message: who.tell(message))

        def on_receive(self, message: Any) -> None:
            self.mall.came(*message)

    class Chameneo(base):  # type: ignore[misc]
        def __init__(self, place: Any, colour: int) -> None:
            super().__init__()
            self.place, self.colour = place, colour

        def on_receive(self, message: Any) -> None:
            kind, other = message
            if kind == "closed":
                finish.one()
                return
            if kind == "met":
                self.colour = changed(self.colour, other)
            self.place.tell((self.actor_ref, self.colour))

    place = Place.start()
    refs = [Chameneo.start(place, number % COLOURS) for number in range(size)]
    begin = time.perf_counter()
    for ref in refs:
        ref.tell(("go", 0))
    finish.wait()
    seconds = time.perf_counter() - begin
    stop_all(*refs, place)
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    return answer("chameneos", QUESTION, play, LOADS[size], peers or Peers())
