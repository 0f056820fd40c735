"""How long from ``abort_all()`` to each agent's outcome?

The stamp of an agent is taken by a done callback, so it is the moment from which everybody sees the outcome: after the
cleanup, and a little after the real moment, as the worker wakes the next of the wave first. ``on_end`` would come
earlier, when nobody can see the outcome yet.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, AgentPool, RateLimiter, ScriptedDriver, SpawnConfig
from actors.drivers.openai import OpenAIDriver

from .figures import Spread, ratios
from .http_throughput import server
from .peers import Peers, is_there, not_there
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTION = "How long from abort_all() to each agent's outcome, next to bare threads that are woken?"

IN_FLIGHT = 4
"""Bare threads are woken so many at once: at once and all together they take longer."""
STILL = 0.1
"""Seconds in which who is about to wait surely does; nothing announces that a thread sleeps."""
BOUND = 120.0
MANIFEST = AgentManifest(name="waiting")


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, and how often; ``crowd`` is the great number of the second table."""

    agents: int
    repeats: int
    crowd: int
    crowd_repeats: int


WORKLOADS = {
    Size.FULL: Workload(agents=512, repeats=9, crowd=5000, crowd_repeats=7),
    Size.QUICK: Workload(agents=512, repeats=3, crowd=2000, crowd_repeats=1),
    Size.SMOKE: Workload(agents=8, repeats=1, crowd=20, crowd_repeats=1),
}


class Receiver(Agent[None]):
    """Waits for a message that never comes, parked."""

    def run(self, query: threading.Semaphore) -> None:
        """Say that it is there, and wait."""
        query.release()
        self.receive()


class Sleeper(Agent[None]):
    """Sleeps, with its slot."""

    def run(self, query: threading.Semaphore) -> None:
        """Say that it is there, and sleep."""
        query.release()
        self.sleep(BOUND)


class Waiting:
    """Agents of one pool that all wait, and the stamps of their ends."""

    def __init__(
        self, pool: AgentPool, agent: type[Agent[Any]] | None, count: int, manifest: AgentManifest = MANIFEST
    ) -> None:
        self.pool = pool
        self.ends: list[float] = []
        self._last = threading.Event()
        self._count = count
        arrived = threading.Semaphore(0)
        query: Any = "?" if agent is None else arrived
        for handle in pool.fan_out([SpawnConfig(manifest, query, agent=agent)] * count):
            handle.add_done_callback(self._stamp)
        if agent is not None:
            for _ in range(count):
                assert arrived.acquire(timeout=BOUND), "an agent did not start"

    def _stamp(self, _: object) -> None:
        self.ends.append(time.perf_counter())
        if len(self.ends) == self._count:
            self._last.set()

    def abort(self) -> list[float]:
        """Seconds from the call to each outcome, rising."""
        begin = time.perf_counter()
        self.pool.abort_all("measured")
        assert self._last.wait(BOUND), f"not all ended: {self.pool.dump()}"
        return sorted(end - begin for end in self.ends)


def abort_agents(agent: type[Agent[Any]] | None, count: int, *, slots: int) -> list[float]:
    """Abort *count* waiting agents of that class; None are such that wait in a scripted driver."""
    driver = ScriptedDriver([], latency=BOUND, default="too late")
    with AgentPool(driver, slots, max_queued=None, max_live=count, abort_timeout=BOUND) as pool:
        waiting = Waiting(pool, agent, count)
        await_all(lambda: agent is not None or len(driver.requests) == count)
        return waiting.abort()


def abort_callers(count: int, closed: list[float]) -> list[float]:
    """Abort *count* agents, each with a request under way to a model on loopback; *closed* gets the seconds until the
    last connection is closed and the pool, too.
    """
    manifest = AgentManifest(name="waiting", privacy="private")
    with server(BOUND, "tell") as (url, said):
        driver = OpenAIDriver("slow", base_url=url, limiter=RateLimiter(), timeout=BOUND)
        with AgentPool(driver, count, max_queued=None, max_live=count, abort_timeout=BOUND) as pool:
            waiting = Waiting(pool, None, count, manifest)
            for _ in range(count):
                assert said.readline() == "asked\n", "the server has ended"
            await_all(lambda: True)
            begin = time.perf_counter()
            ends = waiting.abort()
            pool.close()
            closed.append(time.perf_counter() - begin)
            return ends


def wake_threads(count: int) -> list[float]:
    """Wake *count* bare threads, each waiting on a lock of its own, four in flight: the floor on this machine."""
    ends: list[float] = []
    gates = [threading.Lock() for _ in range(count)]
    following = iter(gates[IN_FLIGHT:])

    def wait(gate: threading.Lock) -> None:
        gate.acquire()
        ends.append(time.perf_counter())
        another = next(following, None)
        if another is not None:
            another.release()

    for gate in gates:
        gate.acquire()
    threads = [threading.Thread(target=wait, args=(gate,), daemon=True) for gate in gates]
    for thread in threads:
        thread.start()
    await_all(lambda: True)
    begin = time.perf_counter()
    for gate in gates[:IN_FLIGHT]:
        gate.release()
    for thread in threads:
        thread.join(BOUND)
    assert len(ends) == count, "not all threads woke"
    return sorted(end - begin for end in ends)


def await_all(arrived: Callable[[], bool]) -> None:
    """Wait until all have arrived, and until they surely wait."""
    while not arrived():
        time.sleep(0.005)
    time.sleep(STILL)


def close_crowd(count: int) -> float:
    """Seconds that ``close()`` takes with *count* agents parked in ``receive``."""
    pool = AgentPool(max_concurrent=8, max_queued=None, max_live=count, abort_timeout=BOUND)
    Waiting(pool, Receiver, count)
    return close(pool)


def close_idle(count: int) -> float:
    """Seconds that ``close()`` takes with *count* idle workers."""
    pool = AgentPool(max_concurrent=count, max_queued=None, abort_timeout=BOUND)
    Waiting(pool, Receiver, count).abort()
    return close(pool)


def close(pool: AgentPool) -> float:
    """Seconds that ``close()`` takes, once everybody surely waits."""
    await_all(lambda: True)
    begin = time.perf_counter()
    pool.close()
    return time.perf_counter() - begin


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - its peers are always there
    """Find the answer."""
    load = WORKLOADS[size]
    count, crowd = load.agents, load.crowd
    closed: list[float] = []
    cases = {
        "bare threads": lambda: wake_threads(count),
        "receive": lambda: abort_agents(Receiver, count, slots=count),
        "bare threads, again": lambda: wake_threads(count),
        "sleep": lambda: abort_agents(Sleeper, count, slots=count),
        "scripted driver": lambda: abort_agents(None, count, slots=count),
    }
    notes: list[str] = []
    if is_there("openai"):
        cases["driver with sockets"] = lambda: abort_callers(count, closed)
    else:
        notes.append(f"A driver with sockets was skipped: openai is {not_there()}")
    waits = in_turn(cases, repeats=load.repeats)
    if closed:
        last = 1000 * Spread.of(closed[1:] or closed).median
        notes.append(
            f"Driver with sockets: {last:.0f} ms from the abort until all connections and the pool are closed."
        )
    ends = in_turn(
        {
            "bare threads: to the last": lambda: wake_threads(crowd)[-1],
            "abort_all() to the last outcome": lambda: abort_agents(Receiver, crowd, slots=8)[-1],
            "close() with all of them parked": lambda: close_crowd(crowd),
            "close() with as many idle workers": lambda: close_idle(crowd),
        },
        repeats=load.crowd_repeats,
    )
    floor = waits["bare threads"]
    one_by_one = Table(f"{count} waiting agents, {load.repeats} aborts", [_row(*one, floor) for one in waits.items()])
    crowds = Table(
        f"{crowd} agents parked in receive, {load.crowd_repeats} times",
        [_total(*one, ends["bare threads: to the last"]) for one in ends.items()],
    )
    return Report(
        "abort_latency",
        QUESTION,
        [one_by_one, crowds],
        [
            "Median, p99, highest: of the latencies of all agents in a repeat; each cell is the median of the repeats.",
            "Ratios: by the bare threads of the same turn (woken four at a time), median, lowest and highest.",
            "An agent's end is stamped by a done callback: its outcome is visible and its own cleanup over.",
            *notes,
        ],
    )


def _row(case: str, repeats: Sequence[Sequence[float]], floor: Sequence[Sequence[float]]) -> dict[str, Cell]:
    spreads, floors = [Spread.of(one) for one in repeats], [Spread.of(one) for one in floor]
    return {
        "case": case,
        "median ms": 1000 * Spread.of([one.median for one in spreads]).median,
        "p99 ms": 1000 * Spread.of([one.p99 for one in spreads]).median,
        "highest ms": 1000 * Spread.of([one.high for one in spreads]).median,
        "worst ms": 1000 * max(one.high for one in spreads),
        **by("p99", ratios([one.p99 for one in spreads], [one.p99 for one in floors])),
        **by("highest", ratios([one.high for one in spreads], [one.high for one in floors])),
    }


def by(what: str, spread: Spread) -> dict[str, Cell]:
    """The cells of ratios to threads of *what*."""
    return {f"{what} by threads": spread.median, f"spread of {what}": f"{spread.low:.3g} to {spread.high:.3g}"}


def _total(case: str, seconds: Sequence[float], floor: Sequence[float]) -> dict[str, Cell]:
    spread, ratio = Spread.of(seconds), ratios(seconds, floor)
    return {
        "case": case,
        "median s": spread.median,
        "p99 s": spread.p99,
        "lowest s": spread.low,
        "highest s": spread.high,
        "by threads": ratio.median,
        "spread": f"{ratio.low:.3g} to {ratio.high:.3g}",
    }
