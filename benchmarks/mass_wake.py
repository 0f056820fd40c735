"""What do a thousand agents cost that wake at the same moment?"""

from __future__ import annotations

import resource
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from actors import Agent, AgentManifest, AgentMessage, AgentPool, SpawnConfig

from .abort_latency import await_all, by
from .beside import busy
from .figures import Spread, ratios
from .peers import Peers
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTION = "How late, and at what cost, do so many end that wake together, next to plain threads?"

MANIFEST = AgentManifest(name="sleeper")
BOUND = 120.0
BUSY = 2
"""How many processes do something else in the second half."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How many wake together, for how long they sleep, and how often."""

    crowds: tuple[int, ...]
    seconds: float
    repeats: int


WORKLOADS = {
    Size.FULL: Workload((1_000, 2_000), 0.5, 9),
    Size.QUICK: Workload((1_000,), 0.5, 3),
    Size.SMOKE: Workload((20,), 0.05, 1),
}


class Sample(NamedTuple):
    """One round: how late the last one ended, CPU time, and how often threads changed."""

    late: float
    cpu: float
    switches: float


class Sleeper(Agent[None]):
    """Sleeps, with its slot."""

    def run(self, query: float) -> None:
        """Sleep."""
        self.sleep(query)


class Receiver(Agent[None]):
    """Waits for a message, parked."""

    def run(self, query: object) -> None:  # noqa: ARG002
        """Wait."""
        self.receive(BOUND)


class Watch:
    """Measures from now on, and what passes until the crowd is told to wake is not late."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._switches = _switches()
        self._begin = time.perf_counter()

    def sample(self, planned: float) -> Sample:
        """What was spent; *planned* seconds would have passed anyhow."""
        late = time.perf_counter() - self._begin - planned
        return Sample(late, time.process_time() - self._cpu, _switches() - self._switches)


def _switches() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw + usage.ru_nivcsw


def sleeping_agents(pool: AgentPool, count: int, seconds: float) -> Sample:
    """Agents that sleep so long, from their spawn to the last outcome."""
    watch = Watch()
    pool.fan_out([SpawnConfig(MANIFEST, seconds, agent=Sleeper)] * count)
    assert len(pool.join_all(BOUND)) == count
    return watch.sample(seconds)


def told_agents(pool: AgentPool, count: int) -> Sample:
    """Parked agents that are sent a message each, to the last outcome."""
    handles = pool.fan_out([SpawnConfig(MANIFEST, None, agent=Receiver)] * count)
    await_all(lambda: pool.stats().parked == count)
    watch = Watch()
    for handle in handles:
        pool.router.send(AgentMessage(0, handle.id, "go"))
    assert len(pool.join_all(BOUND)) == count
    return watch.sample(0.0)


def sleeping_threads(count: int, seconds: float) -> Sample:
    """Plain threads that wait so long each at a lock of its own, and then take one that they share."""
    watch = Watch()
    _Threads(count, seconds).join()
    return watch.sample(seconds)


def told_threads(count: int) -> Sample:
    """Plain threads that wait each at a lock of its own, and are let go by one thread."""
    threads = _Threads(count, BOUND)
    await_all(lambda: threads.waiting == count)
    watch = Watch()
    for gate in threads.gates:
        gate.release()
    threads.join()
    return watch.sample(0.0)


class _Threads:
    """Plain threads, each at a gate."""

    def __init__(self, count: int, seconds: float) -> None:
        self.waiting = self.done = 0
        self.gates = [threading.Lock() for _ in range(count)]
        self._shared = threading.Lock()
        self._threads = [threading.Thread(target=self._wait, args=(gate, seconds)) for gate in self.gates]
        for gate in self.gates:
            gate.acquire()
        for thread in self._threads:
            thread.start()

    def _wait(self, gate: threading.Lock, seconds: float) -> None:
        with self._shared:
            self.waiting += 1
        gate.acquire(timeout=seconds)
        with self._shared:
            self.done += 1

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.done == len(self._threads)


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    tables = []
    for count in load.crowds:
        for others in (0, BUSY):
            with busy(others), AgentPool(max_concurrent=count + 1) as pool:
                cases = _cases(pool, count, load.seconds, with_threads=peers.has("threads"))
                found = in_turn(cases, repeats=load.repeats)
            rows = [_row(case, found) for case in cases]
            beside = f", beside {others} busy processes" if others else ""
            tables.append(Table(f"{count:,} that wake together{beside}", rows))
    return Report(
        "mass_wake",
        QUESTION,
        tables,
        [
            f"Sleepers: from their start, {load.seconds} s that they sleep not counted; told: from the first message.",
            "CPU: of this process. Switches: changes of threads, wanted or not.",
            *peers.notes(),
        ],
    )


def _cases(pool: AgentPool, count: int, seconds: float, *, with_threads: bool) -> dict[str, Callable[[], Sample]]:
    ours = {
        "sleeping agents": lambda: sleeping_agents(pool, count, seconds),
        "told agents": lambda: told_agents(pool, count),
    }
    plain = {
        "sleeping threads": lambda: sleeping_threads(count, seconds),
        "told threads": lambda: told_threads(count),
    }
    return {**ours, **plain} if with_threads else ours


def _row(case: str, found: dict[str, list[Sample]]) -> dict[str, Cell]:
    mine = found[case]
    spread = Spread.of([one.late for one in mine])
    row: dict[str, Cell] = {
        "case": case,
        "median s": spread.median,
        "highest s": spread.high,
        "CPU s": Spread.of([one.cpu for one in mine]).median,
        "switches": Spread.of([one.switches for one in mine]).median,
        "repeats": spread.count,
    }
    peer = case.replace("agents", "threads")
    if peer != case and peer in found:
        row |= {**by("time", _ratios(mine, found[peer], 0)), **by("CPU", _ratios(mine, found[peer], 1))}
    return row


def _ratios(mine: Sequence[Sample], theirs: Sequence[Sample], at: int) -> Spread:
    return ratios([one[at] for one in mine], [one[at] for one in theirs])
