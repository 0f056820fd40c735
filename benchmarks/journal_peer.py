"""The same agents in a pool with a journal and as DBOS's workflows: how fast, and what a kill costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from .figures import Spread
from .journal_world import ANSWERS, STEPS
from .machine import ROOT
from .report import Table
from .size import Size

if TYPE_CHECKING:
    from .peers import Peers
    from .report import Cell

NOTES = (
    "The 60 agents: three answers of 1 KB, a payment that must not be made twice, a note; 8 at once, against a "
    "provider and a world that keep books of their own. DBOS: SQLite as its system database, as is, and with WAL.",
)


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, how often, and how often they are killed."""

    agents: int
    repeats: int
    kills: int
    latency: float


WORKLOADS = {
    Size.FULL: Workload(60, 5, 20, 0.02),
    Size.QUICK: Workload(60, 1, 4, 0.02),
    Size.SMOKE: Workload(4, 1, 1, 0.01),
}


def measure(size: Size, peers: Peers) -> tuple[list[Table], list[str]]:
    """Two tables, and what must not be."""
    load = WORKLOADS[size]
    programs = ["actors", *(["dbos", "dbos, WAL"] if peers.has("dbos") else [])]
    problems: list[str] = []
    speeds: dict[str, list[dict[str, float]]] = {program: [] for program in programs}
    for _ in range(load.repeats):
        for program, found in speeds.items():
            with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
                found.append(_run(program, Path(folder), load.agents, 0.0))
    deaths = [_deaths(program, load, problems) for program in programs]
    steps = load.agents * STEPS
    rows = [_speed(program, steps, found) for program, found in speeds.items()]
    return [
        Table(f"{load.agents} agents, {steps} steps, answers that take no time", rows),
        Table(f"the same, answers of {load.latency * 1e3:.0f} ms, killed {load.kills} times", deaths),
    ], problems


def _speed(program: str, steps: int, found: list[dict[str, float]]) -> dict[str, Cell]:
    return {
        "case": program,
        "median steps a second": Spread.of([steps / one["seconds"] for one in found]).median,
        "median us CPU a step": Spread.of([1e6 * one["cpu"] / steps for one in found]).median,
        "repeats": len(found),
    }


def _deaths(program: str, load: Workload, problems: list[str]) -> dict[str, Cell]:
    """Kill it at random moments, start it again until it is done, and begin anew, until it was killed often enough."""
    random, kills, sums, number = Random(7), 0, Counter[str](), 0
    whole = load.latency * 1.1 * ANSWERS * load.agents / 8
    while kills < load.kills:
        with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
            folder = Path(name)
            while True:
                after = random.uniform(0.0, 0.6 * whole) if kills < load.kills else None
                if _run(program, folder, load.agents, load.latency, after):
                    break
                kills += 1
            lines = Counter((folder / "books.txt").read_text().split("\n")[:-1])
        number += 1
        sums += _told(lines)
    if program == "actors" and sums["paid twice"]:
        problems.append(f"{sums['paid twice']} payments were made twice")
    columns = ("answers bought again", "paid twice", "told of a doubt", "notes written again")
    return {"case": program, "kills": kills, "pools": number, **{column: sums[column] for column in columns}}


def _told(lines: Counter[str]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for line, times in lines.items():
        what = line.split()[0]
        if what.startswith("answer"):
            sums["answers bought again"] += times - 1
        elif what == "paid":
            sums["paid twice"] += times - 1
        elif what == "noted":
            sums["notes written again"] += times - 1
        elif what == "told-of-doubt":
            sums["told of a doubt"] += 1
    return sums


def _run(program: str, folder: Path, agents: int, latency: float, kill_after: float | None = None) -> dict[str, float]:
    """What it says of itself; nothing, when it was killed so many seconds after it began."""
    how: dict[str, Any] = {"program": program, "folder": str(folder), "agents": agents, "latency": latency}
    command = [sys.executable, "-m", "benchmarks.journal_programs", json.dumps(how)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 - our own words
        assert process.stdout is not None
        process.stdout.readline()
        try:
            said, _ = process.communicate(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            return {}
    if process.returncode:
        raise RuntimeError(f"{program} ended with {process.returncode}")
    found: dict[str, float] = json.loads(said)
    return found
