"""How much work is it, counted: bytecodes and objects, which repeat on every machine?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .counted.cases import CASES
from .figures import Spread
from .machine import ROOT
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

QUESTION = "How much work is an agent, a message, a tool call, counted in bytecodes of all threads and in objects?"

PEERS = {"threads": ("executor", "executor_window", "executor_map", "queues"), "pykka": ("tell_pykka", "ask_pykka")}


@dataclass(frozen=True, slots=True)
class Workload:
    """How many of each, and how often."""

    count: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(2_000, 5), Size.QUICK: Workload(500, 3), Size.SMOKE: Workload(20, 1)}

ByFunction = dict[str, float]


def measure(size: Size, peers: Peers | None = None, names: Sequence[str] = ()) -> Report:
    """Find the answer, for the cases of these *names* and their peers; for all of them without any."""
    load, peers = WORKLOADS[size], peers or Peers()
    chosen = _chosen(names, peers)
    found = counted("bytecodes", chosen, load.count, load.repeats)
    tables = [Table(f"{load.count:,} of each, bytecodes for one", _rows(found))]
    if not names:
        kept = counted("objects", [], min(load.count, 200), 1)
        rows: list[dict[str, Cell]] = [{"kept": what, "objects": number} for what, number in kept.items()]
        tables.append(Table("objects that the collector visits, for one", rows))
    notes = [
        "Bytecodes: of all threads, with the collector's rounds (collections) beside them, for one.",
        "They are those of one version of Python; instructions of another are others.",
    ]
    return Report("counts", QUESTION, tables, [*notes, *peers.notes()])


def by_function(name: str, size: Size, top: int) -> Report:
    """The functions that a case spends most bytecodes in."""
    load = WORKLOADS[size]
    functions = counted("bytecodes", [name], load.count, 1)[name][0]
    functions.pop("")
    total = sum(functions.values())
    most = sorted(functions.items(), key=lambda one: -one[1])[:top]
    rows: list[dict[str, Cell]] = [
        {"function": function, "bytecodes": count, "share": count / total} for function, count in most
    ]
    title = f"{name}: {CASES[name].what}: {total:,.0f} bytecodes, those of the first {len(rows)} functions"
    return Report("counts", QUESTION, [Table(title, rows)])


def counted(what: str, names: Sequence[str], count: int, repeats: int) -> dict[str, Any]:
    """What a process of its own counted; see :mod:`benchmarks.counted.program`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.json"
        words = [what, ",".join(names), str(count), str(repeats), str(path)]
        command = [sys.executable, "-m", "benchmarks.counted.program", *words]
        subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - our own words
        return dict(json.loads(path.read_text(encoding="utf-8")))


def _chosen(names: Sequence[str], peers: Peers) -> list[str]:
    left_out = {case for peer, cases in PEERS.items() if not peers.has(peer) for case in cases}
    wanted = names or tuple(CASES)
    with_peers = dict.fromkeys(one for name in wanted for one in (name, *CASES[name].peers))
    return [name for name in CASES if name in with_peers and name not in left_out]


def _rows(found: dict[str, list[ByFunction]]) -> list[dict[str, Cell]]:
    totals = {name: [_total(one) for one in repeats] for name, repeats in found.items()}
    rows = []
    for name, values in totals.items():
        spread = Spread.of(values)
        row: dict[str, Cell] = {
            "case": name,
            "what": CASES[name].what,
            "bytecodes": round(spread.median),
            "spread": f"{spread.low:,.0f} to {spread.high:,.0f}",
            "collections": Spread.of([one[""] for one in found[name]]).median,
        }
        for peer in CASES[name].peers:
            if peer in totals:
                row["peer"] = peer
                row["by peer"] = spread.median / Spread.of(totals[peer]).median
        rows.append(row)
    return rows


def _total(functions: ByFunction) -> float:
    return sum(count for function, count in functions.items() if function)
