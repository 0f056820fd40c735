"""Small programs of actors, the same for ours and for bare Pykka, in the manner of the Savina suite.

Source: Imam and Sarkar, "Savina: An Actor Benchmark Suite", 2014.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pykka

from actors import Actor

from .contest import MILLI, contest
from .report import Cell, Report, Table
from .thespian_peer import ONE_THREAD, PROCESSES, on_thespian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .peers import Peers

    Program = Callable[[type[Any], int], float]

BOUND = 300.0
"""Seconds after which a program hangs."""


class Pinned(Actor):
    """Ours with a thread of its own, and without a bound, as Pykka's are."""

    inbox_capacity: ClassVar[int | None] = None


class Shared(Actor):
    """Ours without a thread."""

    inbox_capacity: ClassVar[int | None] = None
    dispatcher = "shared"


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
        by_processes: For thespian's actors, each of which is a process: so many that they end, and fit this machine; 0
            leaves them out.
        too_many: Who cannot do so many, and why.
    """

    count: int
    by_processes: int
    repeats: int
    warmups: int = 1
    too_many: Mapping[str, str] = field(default_factory=dict)


def answer(name: str, question: str, program: Program, load: Load, peers: Peers) -> Report:
    """Run *program* on ours, on Pykka, and on thespian, which has it by the same *name*."""
    count = load.count
    ours: dict[str, Callable[[], float]] = {
        "pinned": lambda: program(Pinned, count),
        "shared": lambda: program(Shared, count),
    }
    others: dict[str, Callable[[], float]] = {}
    notes: list[str] = []
    if peers.has("pykka"):
        others["pykka"] = lambda: program(pykka.ThreadingActor, count)
    if peers.has("thespian"):
        if load.by_processes:
            others["thespian"] = lambda: on_thespian(PROCESSES, name, load.by_processes) * count / load.by_processes
        others["thespian's default"] = lambda: on_thespian(ONE_THREAD, name, count)
        notes = [
            f"thespian: {PROCESSES}, which its documentation recommends: a process for each actor. "
            f"{load.by_processes:,} of them, their time scaled up.",
            f"thespian's default: {ONE_THREAD}, for unit tests: all actors in the calling thread, one after another.",
        ]
    for case, why in load.too_many.items():
        ours.pop(case, None)
        others.pop(case, None)
        notes.append(f"{case} was skipped: {why}")
    tables = contest(
        f"{count:,} of them, milliseconds for all",
        ours,
        others,
        repeats=load.repeats,
        warmups=load.warmups,
        scale=MILLI,
        unit="ms",
    )
    return Report(name, question, tables, [*notes, *peers.notes()])


TARGETS = {
    "ping_pong": 0.25,
    "counting": 0.4,
    "fork_join": 0.1,
    "thread_ring": 0.3,
    "banking": 0.5,
    "skynet": 0.15,
}
"""How much of Pykka's time the shared dispatcher may take."""
BY_PYKKA = "by pykka"


def by_pykka(reports: Iterable[Report]) -> Report:
    """What each program takes of Pykka's time, in one table."""
    rows: list[dict[str, Cell]] = []
    for report in reports:
        found = {row["case"]: row for table in report.tables for row in table.rows if BY_PYKKA in row}
        row: dict[str, Cell] = {"program": report.name}
        for case, ratio in found.items():
            row[f"{case} {BY_PYKKA}"] = ratio[BY_PYKKA]
            row[f"spread {case}"] = ratio["spread pykka"]
        if found:
            rows.append({**row, "target for shared": TARGETS.get(report.name)})
    return Report("savina", "What does each of these programs take of Pykka's time?", [Table("By Pykka", rows)])
