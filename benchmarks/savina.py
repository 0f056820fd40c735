"""Small programs of actors, the same for ours and for bare Pykka, in the manner of the Savina suite.

Source: Imam and Sarkar, "Savina: An Actor Benchmark Suite", 2014.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pykka

from actors import Actor

from .contest import MILLI, contest
from .report import Report

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


def answer(
    name: str,
    question: str,
    program: Program,
    thespian: Callable[[int], float],
    *,
    count: int,
    repeats: int,
    peers: Peers,
) -> Report:
    """Run *program* on both, and *thespian* beside them; each gives its seconds for *count* things."""
    others: dict[str, Callable[[], float]] = {}
    if peers.has("pykka"):
        others["pykka"] = lambda: program(pykka.ThreadingActor, count)
    if peers.has("thespian"):
        others["thespian"] = lambda: thespian(count)
    tables = contest(
        f"{count:,} of them, milliseconds for all",
        {"actors": lambda: program(Unbounded, count)},
        others,
        repeats=repeats,
        scale=MILLI,
        unit="ms",
    )
    notes = ["thespian: simpleSystemBase, its default, which runs all actors in the calling thread."]
    return Report(name, question, tables, [*notes, *peers.notes()])
