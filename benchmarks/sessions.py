"""What does a conversation that goes on cost beside its answers?"""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from actors import AgentManifest, AgentPool, FunctionDriver, SessionConflict, Sessions, SpawnConfig
from actors.testing.sessions import make_turn

from .figures import Spread
from .report import Cell, Report, Table
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .peers import Peers

QUESTION = "What does a session cost: to begin with 200 turns, to store one, to list 10,000?"

MANIFEST = AgentManifest(name="bench")
ANSWER = "word " * 190


@dataclass(frozen=True, slots=True)
class Workload:
    """Turns of the long session, sessions of the file, and how often each is measured."""

    turns: int
    sessions: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 10_000, 100), Size.QUICK: Workload(200, 2_000, 20), Size.SMOKE: Workload(3, 5, 1)}


@contextmanager
def filled(load: Workload) -> Iterator[Sessions]:
    """A file with one long session, and many of one turn."""
    with tempfile.TemporaryDirectory(prefix="bench-sessions-") as folder, Sessions(Path(folder) / "chats.db") as made:
        for number in range(1, load.turns + 1):
            made.store.append("long", make_turn(number, f"question {number}", ANSWER))
        made.store.append("seed", make_turn(1, "question", ANSWER))
        for number in range(load.sessions - 2):
            made.store.fork("seed", f"user-{number}")
        yield made


def cases(sessions: Sessions, pool: AgentPool, load: Workload) -> dict[str, Callable[[int], object]]:
    """What is measured, by what it is called; each gets the number of the repeat."""
    store = sessions.store

    def ask(session: str | None) -> object:
        return pool.spawn(SpawnConfig(MANIFEST, "question", session=session)).outcome().unwrap()

    def conflict(_: int) -> object:
        try:
            store.append("long", make_turn(1))
        except SessionConflict as refused:
            return refused
        raise AssertionError("a turn was overwritten")

    return {
        f"read {load.turns} turns": lambda _: store.turns("long"),
        "store a turn": lambda number: store.append("stored", make_turn(number + 1, "question", ANSWER)),
        "be refused": conflict,
        "an agent without a session": lambda _: ask(None),
        "the first turn of a session": lambda number: ask(f"new {number}"),
        f"the turn after {load.turns}": lambda _: ask("long"),
        f"list 50 of {load.sessions:,}": lambda _: sessions.list(50),
        f"list all {load.sessions:,}": lambda _: sessions.list(load.sessions * 2),
    }


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    rows: list[dict[str, Cell]] = []
    driver = FunctionDriver(lambda _: ANSWER, context_window=10_000_000)
    with filled(load) as sessions, AgentPool(driver, sessions=sessions) as pool:
        for case, do in cases(sessions, pool, load).items():
            found = Spread.of([1_000 * seconds(do, number) for number in range(load.repeats)])
            rows.append({"case": case, "median ms": found.median, "p99 ms": found.p99, "lowest ms": found.low})
    return Report(
        "sessions",
        QUESTION,
        [Table("milliseconds for one", rows)],
        [f"Each turn has an answer of 1 KB; {load.repeats} times each, on a file in a temporary folder."],
    )


def seconds(do: Callable[[int], object], number: int) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    do(number)
    return time.perf_counter() - begin
