"""What does it cost to record agents, so that a program that dies goes on?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from . import journal_entries as entries, journal_peer
from .figures import Spread, ratios
from .journal_agents import Scripted, idle, recalled
from .machine import ROOT
from .peers import Peers
from .report import Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Cell

QUESTION = "What does it cost to record agents in a journal, and how long does what must be on disk take?"

MANY = 64


@dataclass(frozen=True, slots=True)
class Workload:
    """How much of each, and how often."""

    entries: int
    waits: int
    agents: int
    runs: int
    megabytes: int
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(20_000, 6_400, 10_000, 200, 100, 7),
    Size.QUICK: Workload(5_000, 1_280, 2_000, 50, 20, 3),
    Size.SMOKE: Workload(50, 64, 20, 3, 1, 1),
}


def row(what: str, unit: str, values: Sequence[float], target: str, prototype: str) -> dict[str, Cell]:
    """One figure, beside what it should be, and what it was in a throwaway prototype."""
    spread = Spread.of(values)
    return {
        "what": what,
        "median": spread.median,
        "p99": spread.p99,
        "unit": unit,
        "target": target,
        "prototype": prototype,
        "of": spread.count,
    }


def entry_rows(load: Workload) -> list[dict[str, Cell]]:
    """Entries that nobody waits for, and what waiting for each would cost."""
    behind: list[tuple[float, float, float]] = []
    waited: list[float] = []
    for _ in range(load.repeats):
        behind.append(entries.cost_behind(load.entries))
        waited.append(entries.Waited(1, "process", load.entries // 10).cpu)
    return [
        row("entry of 1 KB, written behind: its agent's thread", "us CPU", [one[0] for one in behind], "12", "12"),
        row("all in all", "us CPU", [one[1] for one in behind], "25", "25"),
        row("entries", "a second", [one[2] for one in behind], "-", "26,000 to 35,000"),
        row("when each is waited for (why not all are)", "us CPU", waited, "-", "78 to 124"),
    ]


def wait_rows(load: Workload) -> list[dict[str, Cell]]:
    """Entries that are waited for: by one, by many, for the process and for power."""
    cases = {
        f"{durability} {producers}": partial(entries.Waited, producers, durability, count)
        for durability in ("process", "power")
        for producers, count in ((1, load.waits // 4), (MANY, load.waits))
    }
    found = in_turn(cases, repeats=load.repeats)
    waits = {name: [wait for one in runs for wait in one.waits] for name, runs in found.items()}
    speeds = {name: [one.per_second for one in runs] for name, runs in found.items()}
    fsync = entries.fsync_cost(20 if load.repeats == 1 else 200)
    return [
        row(f"{MANY} producers that each wait, process", "a second", speeds[f"process {MANY}"], "10,000", "11,000"),
        row(f"{MANY} producers that each wait, power", "a second", speeds[f"power {MANY}"], "6,000", "7,000"),
        row("wait of 1 producer, process", "us", waits["process 1"], "120", "108"),
        row(
            f"wait of {MANY} producers, process",
            "us",
            waits[f"process {MANY}"],
            "4,000; p99 25,000",
            "4,000; p99 43,000",
        ),
        row("wait of 1 producer, power", "us", waits["power 1"], f"{fsync + 300:,.0f} (an fsync + 300)", "700"),
        row(f"wait of {MANY} producers, power", "us", waits[f"power {MANY}"], "8,000", "7,900"),
    ]


def opening_row(load: Workload) -> dict[str, Cell]:
    """Opening a file whose writer was killed: a copy each time, as an opening mends it."""
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as folder:
        path = Path(folder) / "bench.db"
        code = f"from benchmarks.journal_entries import fill_and_die; fill_and_die({str(path)!r}, {load.megabytes})"
        died = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)  # noqa: S603 - our own words
        assert died.returncode == -9
        found = []
        for number in range(load.repeats):
            copy = path.with_name(f"copy-{number}.db")
            for end in ("", "-wal"):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
            found.append(entries.opening(copy))
            copy.unlink()
    return row(f"opening a file of {load.megabytes} MB after a kill", "ms", found, "100", "7; worst 122")


def agent_rows(load: Workload) -> list[dict[str, Cell]]:
    """Agents with a journal, and without."""
    scripted = Scripted(load.runs)
    found = in_turn({"with": scripted.with_journal, "without": scripted.without}, repeats=load.repeats)
    factor = ratios(found["with"], found["without"])
    again = [recalled(load.agents) for _ in range(load.repeats)]
    nothing = [idle(load.agents) for _ in range(load.repeats)]
    return [
        row("recalled agents", "a second", again, "15,000", "-"),
        row("LlmAgent with a tool call, without a journal", "us CPU", found["without"], "-", "740"),
        row("with one", "us CPU", found["with"], "-", "1,170"),
        {
            "what": "with by without",
            "median": factor.median,
            "p99": factor.high,
            "unit": f"{factor}",
            "target": "1.5",
            "prototype": "1.6",
            "of": factor.count,
        },
        row("spawn and join of one that does nothing, journal=None", "us CPU", nothing, "as before", "-"),
    ]


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    tables = [
        Table("entries of 1 KB", entry_rows(load)),
        Table("entries that are waited for", wait_rows(load)),
        Table("agents", [opening_row(load), *agent_rows(load)]),
    ]
    peer_tables, problems = journal_peer.measure(size, peers)
    notes = [
        "Target and prototype are of two virtual cores; the prototype was measured at a load of 2.5 to 3.",
        "us CPU: of one entry or agent, in the whole process unless a thread is named. p99 of waits is of single ones.",
        *journal_peer.NOTES,
    ]
    return Report("journal", QUESTION, [*tables, *peer_tables], [*notes, *peers.notes()], problems)
