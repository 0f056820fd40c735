"""What does it cost to start, run and join an agent that does nothing?"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pykka

from actors import Agent, AgentManifest, AgentPool, SpawnConfig

from .contest import contest
from .peers import Peers
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import Event

QUESTION = "What does it cost to start, run and join an agent that does nothing, 8 at once?"

AT_ONCE = 8
MANIFEST = AgentManifest(name="idle")


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often."""

    agents: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(10_000, 9), Size.QUICK: Workload(3_000, 3), Size.SMOKE: Workload(20, 1)}


class Idle(Agent[int]):
    """Returns its query."""

    def run(self, query: int) -> int:
        """Return *query*."""
        return query


class IdleActor(pykka.ThreadingActor):
    """Answers with what it was asked."""

    def on_receive(self, message: int) -> int:
        """Return *message*."""
        return message


def by_fan_out(configs: list[SpawnConfig], sink: Callable[[Event], object] | None = None) -> float:
    """Seconds for all of them at once."""
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None, on_event=sink) as pool:
        begin = time.perf_counter()
        pool.fan_out(configs)
        outcomes = pool.join_all()
        seconds = time.perf_counter() - begin
    assert len(outcomes) == len(configs)
    assert all(outcome.ok for outcome in outcomes.values())
    return seconds


def by_spawn(configs: list[SpawnConfig]) -> float:
    """Seconds when each is started by itself, and joined as soon as all slots are taken."""
    with AgentPool(max_concurrent=AT_ONCE) as pool:
        begin = time.perf_counter()
        for number, config in enumerate(configs):
            if number >= AT_ONCE:
                pool.join_next()
            pool.spawn(config)
        joined = len(pool.join_all()) + len(configs) - AT_ONCE
        seconds = time.perf_counter() - begin
    assert joined == len(configs)
    return seconds


def by_pykka(count: int, *, waits: bool = True) -> float:
    """Seconds for as many bare actors: start, ask, stop; 8 in flight.

    Args:
        waits: Stop as ``stop()`` does by itself, waiting for the actor's end; False waits for the ends at the end.
    """
    ending: list[Any] = []

    def land(ref: Any, future: Any) -> None:
        future.get()
        if waits:
            ref.stop()
        else:
            ending.append(ref.stop(block=False))

    flying: deque[tuple[Any, Any]] = deque()
    begin = time.perf_counter()
    for number in range(count):
        if len(flying) == AT_ONCE:
            land(*flying.popleft())
        ref = IdleActor.start()
        flying.append((ref, ref.ask(number, block=False)))
    while flying:
        land(*flying.popleft())
    for end in ending:
        end.get()
    return time.perf_counter() - begin


def by_threads(count: int) -> float:
    """Seconds for as many functions in a ThreadPoolExecutor; 8 in flight."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        begin = time.perf_counter()
        flying: set[Future[int]] = set()
        for number in range(count):
            if len(flying) == AT_ONCE:
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
            flying.add(executor.submit(int, number))
        for future in flying:
            future.result()
        return time.perf_counter() - begin


def by_asyncio(count: int) -> float:
    """Seconds for as many tasks in a TaskGroup, 8 at once by a semaphore."""

    async def one(number: int, gate: asyncio.Semaphore) -> int:
        async with gate:
            return number

    async def all_of_them() -> float:
        gate = asyncio.Semaphore(AT_ONCE)
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number, gate))
        return time.perf_counter() - begin

    return asyncio.run(all_of_them())


def _ignore(_: Event) -> None:
    """Hear, and do nothing."""


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    configs = [SpawnConfig(MANIFEST, number, agent=Idle) for number in range(load.agents)]
    ours = {
        "fan_out + join_all": lambda: by_fan_out(configs),
        "the same with a sink": lambda: by_fan_out(configs, _ignore),
        "spawn + join_next": lambda: by_spawn(configs),
    }
    others: dict[str, Callable[[], float]] = {}
    if peers.has("pykka"):
        others["pykka"] = lambda: by_pykka(load.agents)
        others["pykka, stop(block=False)"] = lambda: by_pykka(load.agents, waits=False)
    if peers.has("threads"):
        others["threads"] = lambda: by_threads(load.agents)
    if peers.has("asyncio"):
        others["asyncio"] = lambda: by_asyncio(load.agents)
    tables = contest(
        f"{load.agents:,} agents, microseconds for one",
        ours,
        others,
        repeats=load.repeats,
        per=load.agents,
    )
    notes = [
        "Pools, configs and executors are made outside the timed part; starting, running and joining is inside.",
        "pykka: start, ask, stop, a window of 8. threads: ThreadPoolExecutor, a window of 8 by wait(FIRST_COMPLETED).",
    ]
    return Report("spawn_join", QUESTION, tables, [*notes, *peers.notes()])
