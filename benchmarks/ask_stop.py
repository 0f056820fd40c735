"""Is an ask that races a stop always settled?"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import pykka

from actors import Actor, ActorDead, AskTimeout

from .figures import Spread
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUESTION = "Is an ask that races a stop always answered or refused?"

SWITCH_INTERVAL = 1e-5
ASKERS = 2
PATIENCE = {"actors": 5.0, "bare Pykka": 0.25}
"""Seconds after which an ask counts as unanswered. Stock asks go unanswered so often that the run would take hours."""
SPIN = 4000
"""The most steps that the stopper counts before it stops: so both winners are seen."""
ANSWERED, REFUSED, UNANSWERED = "answered", "refused", "unanswered"


Found: TypeAlias = tuple[Counter[str], list[float]]


@dataclass(frozen=True, slots=True)
class Workload:
    """Rounds in each repeat."""

    repeats: int
    ours: int
    stock: int


WORKLOADS = {Size.FULL: Workload(10, 2000, 200), Size.QUICK: Workload(3, 1000, 50), Size.SMOKE: Workload(1, 10, 5)}


class Ours(Actor):
    """Answers with what it was asked."""

    def on_receive(self, message: object) -> object:
        """Echo."""
        return message


class Stock(pykka.ThreadingActor):
    """The same, on Pykka as it is."""

    def on_receive(self, message: object) -> object:
        """Echo."""
        return message


class Askers:
    """Threads that ask the actor of each round, and count what becomes of it."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._work: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(ASKERS)]
        self._done: SimpleQueue[str] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, args=(queue,), daemon=True) for queue in self._work]
        for thread in self._threads:
            thread.start()

    def _run(self, work: SimpleQueue[Any]) -> None:
        while (ref := work.get()) is not None:
            self._done.put(_ask(ref, self._patience))

    def race(self, ref: Any, spin: int) -> list[str]:
        """Stop *ref* while all ask it; what became of each ask."""
        for queue in self._work:
            queue.put(ref)
        for _ in range(spin):
            pass
        ref.stop()
        return [self._done.get() for _ in self._work]

    def close(self) -> None:
        """End the threads."""
        for queue in self._work:
            queue.put(None)
        for thread in self._threads:
            thread.join()


def _ask(ref: Any, patience: float) -> str:
    try:
        ref.ask("?", timeout=patience)
    except (ActorDead, pykka.ActorDeadError):
        return REFUSED
    except (AskTimeout, pykka.Timeout):
        return UNANSWERED
    return ANSWERED


def races(actor: type[pykka.ThreadingActor], rounds: int, *, random: Random, patience: float) -> Found:
    """Race *rounds* times; what became of the asks, and the seconds of each round."""
    askers = Askers(patience)
    fates: Counter[str] = Counter()
    seconds = []
    try:
        for _ in range(rounds):
            begin = time.perf_counter()
            fates.update(askers.race(actor.start(), random.randrange(SPIN)))
            seconds.append(time.perf_counter() - begin)
    finally:
        askers.close()
    return fates, seconds


@contextmanager
def switching(interval: float) -> Iterator[None]:
    """Let threads change that often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - its peers are always there
    """Find the answer."""
    load = WORKLOADS[size]
    random = Random(1)
    with switching(SWITCH_INTERVAL):
        found = in_turn(
            {
                "actors": lambda: races(Ours, load.ours, random=random, patience=PATIENCE["actors"]),
                "bare Pykka": lambda: races(Stock, load.stock, random=random, patience=PATIENCE["bare Pykka"]),
            },
            repeats=load.repeats,
            warmups=0,
        )
    rows = [_row(name, repeats) for name, repeats in found.items()]
    lost = sum(fates[UNANSWERED] for fates, _ in found["actors"])
    return Report(
        "ask_stop",
        QUESTION,
        [Table(f"{ASKERS} askers race a stop, switch interval {SWITCH_INTERVAL} s", rows)],
        [
            "Unanswered: neither a reply nor an error within "
            f"{PATIENCE['actors']} s (ours), {PATIENCE['bare Pykka']} s (Pykka). No warm-up: each race counts.",
        ],
        [f"{lost} asks of ours were never settled"] if lost else [],
    )


def _row(name: str, repeats: Sequence[Found]) -> dict[str, Cell]:
    fates: Counter[str] = sum((one for one, _ in repeats), Counter())
    seconds = [one for _, rounds in repeats for one in rounds]
    return {
        "case": name,
        "rounds": len(seconds),
        ANSWERED: fates[ANSWERED],
        REFUSED: fates[REFUSED],
        UNANSWERED: fates[UNANSWERED],
        "unanswered of 10,000 asks": 10_000 * fates[UNANSWERED] / fates.total(),
        "median us a round": 1e6 * Spread.of(seconds).median,
    }
