"""What does it cost that agents live on other machines, and how far does one supervisor go?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .figures import Spread
from .many_machines.nodes import cluster, lines_of, measured
from .many_machines.simulation import Case, simulate
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Iterable

QUESTION = "What does it cost that agents live on other machines, and how far does one supervisor go?"

MICRO = 1e6
MILLI = 1e3
SLEEP = 0.5
SLOTS = 513


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often.

    Args:
        agents: That do nothing.
        sleepers: Of half a second each.
        losses: Rounds with a kill in each, with and without a second life.
        played: What is simulated.
    """

    agents: int
    sleepers: int
    turns: int
    losses: int
    played: tuple[Case, ...]


PLAYED = (
    Case("1,000 nodes, by map", nodes=1_000, agents=1_000_000, slots=20_000),
    Case("the same, each call takes 2 ms", nodes=1_000, agents=200_000, slots=20_000, latency=0.002),
    Case("the same, all owed at once", nodes=1_000, agents=200_000, slots=20_000, at_once=True),
    Case("10 nodes, by map", nodes=10, agents=200_000, slots=5_000),
    Case("1,000 nodes, agents of 6 s", nodes=1_000, agents=60_000, slots=10_000, seconds=6.0),
)
WORKLOADS = {
    Size.FULL: Workload(2_000, 2_000, 7, 10, PLAYED),
    Size.QUICK: Workload(1_000, 2_000, 2, 1, (Case("100 nodes, by map", nodes=100, agents=20_000, slots=5_000),)),
    Size.SMOKE: Workload(0, 0, 0, 0, (Case("3 nodes, by map", nodes=3, agents=60, slots=12),)),
}


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer: on three nodes of Ray's here, if it is installed, and with nodes that are played."""
    load, peers = WORKLOADS[size], peers or Peers()
    tables: list[Table] = []
    problems: list[str] = []
    if load.agents and peers.has("ray"):
        with cluster() as on:
            tables += [_overhead(load, on, peers), _waits(load, on), _losses(load, on)]
        problems = [problem for row in tables[-1].rows for problem in _wrong(row)]
    tables.append(simulated(load.played))
    notes = [
        "Three nodes of Ray's on this machine share its processors with the program: what is said of its own CPU holds "
        "elsewhere, times do not. CPU is the program's alone; beside is the process that speaks with Ray.",
        "dask: a LocalCluster of three processes; its scheduler is in the program, as its documentation begins.",
        "Played nodes answer at once, in a thread whose time is left out: what is left is the supervisor's.",
    ]
    return Report("scale_out", QUESTION, tables, [*notes, *peers.notes()], problems)


def simulated(cases: Iterable[Case]) -> Table:
    """What the program takes for nodes that are played."""
    return Table("Nodes that are played: agents that do nothing, or last as said", [simulate(case) for case in cases])


def _overhead(load: Workload, on: Any, peers: Peers) -> Table:
    cases = ["ours", "ours, 256 items a call", "ours, 16 items a call", "ours, 1 item a call", "local pool"]
    cases += ["ray tasks", "ray actor calls"]
    if peers.has("dask"):
        cases.append("dask")
    rows = []
    for case in cases:
        count = load.agents // 4 if case == "ours, 1 item a call" else load.agents
        found = measured(case, on, count=count, turns=load.turns)
        wall = Spread.of([turn["seconds"] * MICRO / count for turn in found["turns"]])
        cpu = Spread.of([turn["cpu"] * MICRO / count for turn in found["turns"]])
        row: dict[str, Cell] = {"case": case, "median us of the program's CPU": cpu.median}
        row |= {"lowest us of the program's CPU": cpu.low, "highest us of the program's CPU": cpu.high}
        row |= {"us of time": wall.median, "repeats": wall.count}
        rows.append(row)
    return Table(f"{load.agents:,} agents, tasks or calls that do nothing, three nodes: for one", rows)


def _waits(load: Workload, on: Any) -> Table:
    """Times of what lasts: rows of milliseconds, and the share of the ideal where there is one."""
    rows = []
    ideal = -(-load.sleepers // SLOTS) * SLEEP
    for name, case, count in (
        ("a lone spawn and its result", "alone", 1),
        (f"{load.sleepers:,} agents of 0.5 s, {SLOTS} slots", "sleepers", load.sleepers),
        ("the same in a local pool", "sleepers here", load.sleepers),
        ("cancel to outcome, one agent", "cancels", 1),
        ("cancel to the last outcome, 500 agents", "cancels", 500),
    ):
        found = measured(case, on, count=count, turns=load.turns)
        spread = Spread.of([turn["seconds"] * MILLI for turn in found["turns"]])
        share = ideal * MILLI / spread.median if count == load.sleepers else None
        rows.append(_row(name, spread) | {"share of the ideal": share})
    return Table("Three nodes: what lasts", rows)


def _row(case: str, spread: Spread) -> dict[str, Cell]:
    return {
        "case": case,
        "median ms": spread.median,
        "lowest ms": spread.low,
        "highest ms": spread.high,
        "repeats": spread.count,
    }


def _losses(load: Workload, on: Any) -> Table:
    rows: list[dict[str, Cell]] = []
    for found in _by_case(lines_of("losses", [on.address, "500", str(load.losses)], on)):
        spread = Spread.of([row["median s to the last"] * MILLI for row in found])
        sums = {name: sum(row[name] for row in found) for name in ("agents", "outcomes", "completed", "lost")}
        rows.append(_row(found[0]["case"], spread) | sums)
    return Table("500 agents of 0.2 s on three nodes, one host killed with -9: from the kill to the last outcome", rows)


def _by_case(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [[row for row in rows if row["case"] == case] for case in dict.fromkeys(row["case"] for row in rows)]


def _wrong(row: Any) -> list[str]:
    """What must not be: an agent without an outcome, or one that is lost though it is to be run again."""
    wrong = []
    if row["agents"] != row["outcomes"]:
        wrong.append(f"{row['case']}: {row['agents']} agents, {row['outcomes']} outcomes")
    if "again" in row["case"] and row["lost"]:
        wrong.append(f"{row['case']}: {row['lost']} were lost")
    return wrong
