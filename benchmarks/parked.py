"""What does an agent that waits cost in memory?"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .figures import Spread, ratios
from .machine import ROOT
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size

QUESTION = "How much memory does an agent take that is parked in receive()?"

MANIFEST = AgentManifest(name="parked")
BOUND = 120.0


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often."""

    agents: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(5_000, 7), Size.QUICK: Workload(2_000, 1), Size.SMOKE: Workload(20, 1)}


class Waits(Agent[None]):
    """Waits for a message that never comes."""

    def run(self, query: threading.Semaphore) -> None:
        """Say that it is there, and wait."""
        query.release()
        self.receive()


def agents(count: int) -> float:
    """Kilobytes of resident memory for each of so many parked agents."""
    arrived = threading.Semaphore(0)
    with AgentPool(max_concurrent=8, max_queued=None, max_live=count, abort_timeout=BOUND) as pool:
        pool.spawn(SpawnConfig(MANIFEST, arrived, agent=Waits))
        assert arrived.acquire(timeout=BOUND)
        before = resident()
        pool.fan_out([SpawnConfig(MANIFEST, arrived, agent=Waits)] * (count - 1))
        for _ in range(count - 1):
            assert arrived.acquire(timeout=BOUND)
        grown = resident() - before
        pool.abort_all("measured")
    return grown / (count - 1)


def threads(count: int) -> float:
    """The same for bare threads that wait at a lock: what is below an agent in any case."""
    gate = threading.Event()
    before = resident()
    waiting = [threading.Thread(target=gate.wait) for _ in range(count)]
    for thread in waiting:
        thread.start()
    grown = resident() - before
    gate.set()
    for thread in waiting:
        thread.join()
    return grown / count


def resident() -> float:
    """Kilobytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def in_own_process(what: str, count: int) -> float:
    """Each in a fresh process: freed memory is not given back at once."""
    code = f"from benchmarks.parked import {what}; print({what}({count}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - ours
    return float(done.stdout)


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    cases = ["agents", *(["threads"] if peers.has("threads") else [])]
    found: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(load.repeats):
        for case, values in found.items():
            values.append(in_own_process(case, load.agents))
    rows: list[dict[str, Cell]] = []
    for case, values in found.items():
        spread, by_thread = Spread.of(values), ratios(values, found[cases[-1]])
        rows.append(
            {
                "case": case,
                "median KB": spread.median,
                "p99 KB": spread.p99,
                "lowest KB": spread.low,
                "highest KB": spread.high,
                "repeats": spread.count,
                f"by {cases[-1]}": by_thread.median,
                "spread": f"{by_thread.low:.3g} to {by_thread.high:.3g}",
            }
        )
    return Report(
        "parked",
        QUESTION,
        [Table(f"{load.agents:,} that wait: kilobytes for one", rows)],
        ["Growth of the resident set, each in a process of its own. Needs Linux.", *peers.notes()],
    )
