"""Small programs of actors, the same for ours and for bare Pykka, in the manner of the Savina suite.

Source: Imam and Sarkar, "Savina: An Actor Benchmark Suite", 2014.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pykka

from actors import Actor

from .contest import MILLI, contest
from .report import Report
from .thespian_peer import ONE_THREAD, PROCESSES, on_thespian

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peers import Peers

    Program = Callable[[type[Any], int], float]

BOUND = 300.0
"""Seconds after which a program hangs."""


class Unbounded(Actor):
    """Ours, without a bound, as Pykka's are."""

    inbox_capacity: ClassVar[int | None] = None


class Finish:
    """Where a program waits for its end; the actors count down."""

    def __init__(self, count: int = 1) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._event = threading.Event()

    def one(self) -> None:
        """One of them is done."""
        with self._lock:
            self._left -= 1
            left = self._left
        if left == 0:
            self._event.set()

    def wait(self) -> None:
        """Until all are done."""
        assert self._event.wait(BOUND), "the program hangs"


def stop_all(*refs: Any) -> None:
    """Stop them, and wait for their ends."""
    for ref in refs:
        ref.stop()


@dataclass(frozen=True, slots=True)
class Load:
    """How much of a program, and how often.

    Args:
        count: Of whatever it does.
        by_processes: For thespian's actors, each of which is a process: so many that they end, and fit this machine.
    """

    count: int
    by_processes: int
    repeats: int


def answer(name: str, question: str, program: Program, load: Load, peers: Peers) -> Report:
    """Run *program* on ours, on Pykka, and on thespian, which has it by the same *name*."""
    count = load.count
    others: dict[str, Callable[[], float]] = {}
    notes: list[str] = []
    if peers.has("pykka"):
        others["pykka"] = lambda: program(pykka.ThreadingActor, count)
    if peers.has("thespian"):
        others["thespian"] = lambda: on_thespian(PROCESSES, name, load.by_processes) * count / load.by_processes
        others["thespian's default"] = lambda: on_thespian(ONE_THREAD, name, count)
        notes = [
            f"thespian: {PROCESSES}, which its documentation recommends: a process for each actor. "
            f"{load.by_processes:,} of them, their time scaled up.",
            f"thespian's default: {ONE_THREAD}, for unit tests: all actors in the calling thread, one after another.",
        ]
    tables = contest(
        f"{count:,} of them, milliseconds for all",
        {"actors": lambda: program(Unbounded, count)},
        others,
        repeats=load.repeats,
        scale=MILLI,
        unit="ms",
    )
    return Report(name, question, tables, [*notes, *peers.notes()])
