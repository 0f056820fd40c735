"""Does an agent cost more when there are many of them?"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .figures import Spread, ratios
from .machine import ROOT
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size

QUESTION = "Does CPU time or memory for an agent grow with how many go through map()?"

AT_ONCE = 8
MANIFEST = AgentManifest(name="idle")


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often."""

    agents: tuple[int, ...]
    repeats: int


WORKLOADS = {
    Size.FULL: Workload((10_000, 100_000, 1_000_000), 7),
    Size.QUICK: Workload((5_000, 50_000), 1),
    Size.SMOKE: Workload((20, 100), 1),
}


class Idle(Agent[int]):
    """Returns its query."""

    def run(self, query: int) -> int:
        """Return *query*."""
        return query


def go(count: int) -> tuple[float, int]:
    """CPU seconds of this process, and by how many kilobytes its peak has risen since the first thousand."""
    with AgentPool(max_concurrent=AT_ONCE) as pool:
        warm = sum(outcome.ok for outcome in pool.map(configs(1_000), ordered=False))
        assert warm == 1_000
        before = peak()
        begin = time.process_time()
        done = sum(outcome.ok for outcome in pool.map(configs(count), ordered=False))
        seconds = time.process_time() - begin
    assert done == count
    return seconds, peak() - before


def peak() -> int:
    """Kilobytes that this process had in memory at most. (``ru_maxrss`` begins with the peak of the parent.)"""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def configs(count: int) -> Any:
    """As many, made when they are asked for."""
    return (SpawnConfig(MANIFEST, number, agent=Idle) for number in range(count))


def in_own_process(count: int) -> tuple[float, int]:
    """The same in a fresh process: a peak of memory never falls."""
    code = f"from benchmarks.map_growth import go; print(*go({count}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - ours
    seconds, kilobytes = done.stdout.split()
    return float(seconds), int(kilobytes)


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - it is measured by its own smallest
    """Find the answer."""
    load = WORKLOADS[size]
    found: dict[int, list[tuple[float, int]]] = {count: [] for count in load.agents}
    for _ in range(load.repeats):
        for count, values in found.items():
            values.append(in_own_process(count))
    smallest = [seconds / load.agents[0] for seconds, _ in found[load.agents[0]]]
    rows: list[dict[str, Cell]] = []
    for count, values in found.items():
        each = [seconds / count for seconds, _ in values]
        spread = Spread.of([1e6 * one for one in each])
        rows.append(
            {
                "agents": count,
                "median us": spread.median,
                "p99 us": spread.p99,
                "lowest us": spread.low,
                "highest us": spread.high,
                "repeats": spread.count,
                "by the smallest": str(ratios(each, smallest)),
                "peak RSS grew by MB": max(kilobytes for _, kilobytes in values) / 1024,
            }
        )
    return Report(
        "map_growth",
        QUESTION,
        [Table(f"agents through map(), {AT_ONCE} at once: microseconds of CPU time for one", rows)],
        ["Each in a process of its own, after a thousand that do not count. CPU time is of all threads. Needs Linux."],
    )
