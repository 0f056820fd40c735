"""How does cost grow, and where is the knee?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .figures import Spread
from .report import Report, Table
from .size import Size
from .spawn_join import MANIFEST, Idle
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .peers import Peers
    from .report import Cell

QUESTION = "How does cost grow with agents, messages, payload and concurrency, and where is the knee?"

WAIT = 0.2
"""Seconds that an agent of the last table waits, as for a model."""
PER_PAIR = 200
"""Messages there and back of each pair."""
BOUND = 120.0


@dataclass(frozen=True, slots=True)
class Workload:
    """The points of each line."""

    agents: tuple[int, ...]
    at_once: tuple[int, ...]
    pairs: tuple[int, ...]
    payloads: tuple[int, ...]
    waiting: tuple[int, ...]
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(
        (100, 1_000, 10_000, 100_000),
        (1, 2, 4, 8, 32, 128, 512),
        (1, 2, 4, 16, 64, 256),
        (0, 1_000, 100_000, 10_000_000),
        (8, 64, 256, 512, 1_024, 2_048, 4_096),
        7,
    ),
    Size.QUICK: Workload((100, 1_000, 10_000), (1, 8, 128), (1, 4, 64), (0, 1_000_000), (64, 512), 3),
    Size.SMOKE: Workload((5, 20), (1, 2), (1, 2), (0, 10), (2, 4), 1),
}


class Waits(Agent[None]):
    """Waits for a while, with its slot."""

    def run(self, query: float) -> None:
        """Wait *query* seconds."""
        self.sleep(query)


class Answers(Agent[None]):
    """Sends back what it gets."""

    def run(self, query: int) -> None:
        """Do so *query* times."""
        for _ in range(query):
            message = self.receive()
            self.send(message.sender, message.content)


@dataclass(frozen=True, slots=True)
class Task:
    """What a sender has to do."""

    to: int
    times: int
    payload: bytes
    begin: threading.Event


class Asks(Agent[None]):
    """Sends, and waits for the answer."""

    def run(self, query: Task) -> None:
        """Do so, over and over."""
        query.begin.wait(BOUND)
        for _ in range(query.times):
            self.send(query.to, query.payload)
            self.receive()


def idle_agents(count: int, at_once: int) -> float:
    """Microseconds for one agent that does nothing."""
    configs = [SpawnConfig(MANIFEST, number, agent=Idle) for number in range(count)]
    with AgentPool(max_concurrent=at_once, max_queued=None) as pool:
        begin = time.perf_counter()
        pool.fan_out(configs)
        joined = len(pool.join_all())
        seconds = time.perf_counter() - begin
    assert joined == count
    return 1e6 * seconds / count


def messages(pairs: int, size: int, times: int) -> float:
    """Microseconds for one message there and back, of all pairs together."""
    payload, gate = b"x" * size, threading.Event()
    manifest = AgentManifest(name="talker")
    with AgentPool(max_concurrent=2 * pairs, max_queued=None) as pool:
        for _ in range(pairs):
            answers = pool.spawn(SpawnConfig(manifest, times, agent=Answers))
            pool.spawn(SpawnConfig(manifest, Task(answers.id, times, payload, gate), agent=Asks))
        begin = time.perf_counter()
        gate.set()
        outcomes = pool.join_all()
        seconds = time.perf_counter() - begin
    assert all(outcome.ok for outcome in outcomes.values())
    return 1e6 * seconds / (pairs * times)


def waiting(count: int) -> float:
    """Milliseconds beyond the wait itself, until as many agents that wait at the same time are joined."""
    config = SpawnConfig(AgentManifest(name="waits"), WAIT, agent=Waits)
    with AgentPool(max_concurrent=count, max_queued=None) as pool:
        begin = time.perf_counter()
        pool.fan_out([config] * count)
        outcomes = pool.join_all()
        seconds = time.perf_counter() - begin
    assert all(outcome.ok for outcome in outcomes.values())
    return 1e3 * (seconds - WAIT)


def line(title: str, axis: str, unit: str, points: Mapping[int, Callable[[], float]], repeats: int) -> Table:
    """One line of the picture: each point measured in turn with the others."""
    found = in_turn({str(point): measure for point, measure in points.items()}, repeats=repeats)
    rows: list[dict[str, Cell]] = []
    for point, values in zip(points, found.values(), strict=True):
        spread = Spread.of(values)
        rows.append(
            {
                axis: point,
                f"median {unit}": spread.median,
                f"p99 {unit}": spread.p99,
                f"lowest {unit}": spread.low,
                f"highest {unit}": spread.high,
                "repeats": spread.count,
            }
        )
    return Table(title, rows)


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - it is measured by itself
    """Find the answer."""
    load = WORKLOADS[size]
    count = load.agents[-2]
    tables = [
        line(
            "agents that do nothing, 8 at once: microseconds for one",
            "agents",
            "us",
            {n: lambda n=n: idle_agents(n, 8) for n in load.agents},  # type: ignore[misc]
            load.repeats,
        ),
        line(
            f"{count:,} agents that do nothing: microseconds for one",
            "at once",
            "us",
            {n: lambda n=n: idle_agents(count, n) for n in load.at_once},  # type: ignore[misc]
            load.repeats,
        ),
        line(
            "pairs that talk: microseconds for one message there and back, of all together",
            "pairs",
            "us",
            {n: lambda n=n: messages(n, 0, PER_PAIR) for n in load.pairs},  # type: ignore[misc]
            load.repeats,
        ),
        line(
            "one pair: microseconds for one message there and back",
            "bytes",
            "us",
            {n: lambda n=n: messages(1, n, PER_PAIR) for n in load.payloads},  # type: ignore[misc]
            load.repeats,
        ),
        line(
            f"agents that wait {WAIT} s, all at once: milliseconds beyond the wait, to the last outcome",
            "agents",
            "ms",
            {n: lambda n=n: waiting(n) for n in load.waiting},  # type: ignore[misc]
            load.repeats,
        ),
    ]
    notes = [
        "Configs and pools are made outside the timed part, threads inside: a pool starts them when it needs them.",
    ]
    return Report("scaling", QUESTION, tables, notes)
