"""One case, measured in a process of its own: ``python -m benchmarks.many_machines.cases CASE ADDRESS COUNT TURNS``.

It prints one line of JSON: for each turn the seconds, and the seconds of this process's own CPU.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from actors import AgentPool
from actors.cluster import RayEngine

from .agents import MOST_ITEMS, Idle, Patient, Sleeper, configs, limit_items

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 24
NODES = 3
LIMIT = "benchmarks.many_machines.agents.limit_items"
SLOTS = 513

Turn = dict[str, float]


def timed(work: Callable[[], object]) -> Turn:
    """What *work* takes."""
    cpu, begin = time.process_time(), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}


def pool_on(address: str, slots: int, most_items: int | None = None) -> AgentPool:
    """A pool over the cluster; of *most_items* both ends know."""
    environment: dict[str, Any] | None = None
    if most_items is not None:
        os.environ[MOST_ITEMS] = str(most_items)
        limit_items()
        environment = {"env_vars": {MOST_ITEMS: str(most_items)}, "worker_process_setup_hook": LIMIT}
    engine = RayEngine(address, min_nodes=NODES, runtime_env=environment)
    return AgentPool(max_concurrent=slots, max_queued=None, abort_timeout=5.0, engine=engine)


def fan_out(pool: AgentPool, count: int) -> None:
    """Start, run and join so many."""
    pool.fan_out(configs(Idle, iter(range(count))))
    outcomes = pool.join_all()
    assert len(outcomes) == count
    assert all(outcome.ok for outcome in outcomes.values())


def ours(address: str, count: int, turns: int, most_items: int | None = None) -> list[Turn]:
    """Agents of a pool over the cluster."""
    with pool_on(address, AT_ONCE, most_items) as pool:
        fan_out(pool, count)
        return [timed(lambda: fan_out(pool, count)) for _ in range(turns)]


def local(_: str, count: int, turns: int) -> list[Turn]:
    """Agents of a pool without an engine."""
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        fan_out(pool, count)
        return [timed(lambda: fan_out(pool, count)) for _ in range(turns)]


def _same(number: int) -> int:
    return number


def ray_tasks(address: str, count: int, turns: int) -> list[Turn]:
    """Tasks of Ray's."""
    import ray

    ray.init(address=address, log_to_driver=False)
    task = ray.remote(num_cpus=1)(_same)
    return _in_turns(lambda: ray.get([task.remote(number) for number in range(count)]), turns)


class Echo:
    """An actor of Ray's that does nothing."""

    def call(self, number: int) -> int:
        """Return *number*."""
        return number


def ray_actor_calls(address: str, count: int, turns: int) -> list[Turn]:
    """Calls of actors of Ray's, one on each node."""
    import ray

    ray.init(address=address, log_to_driver=False)
    echoes = [ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(Echo).remote() for _ in range(NODES)]

    def work() -> None:
        ray.get([echoes[number % NODES].call.remote(number) for number in range(count)])

    return _in_turns(work, turns)


def dask(_: str, count: int, turns: int) -> list[Turn]:
    """Tasks of Dask's, on three processes of its own; its scheduler is in this one, as its documentation begins."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=NODES, threads_per_worker=AT_ONCE // NODES, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        return _in_turns(lambda: client.gather(client.map(int, range(count), pure=False)), turns)


def _in_turns(work: Callable[[], object], turns: int) -> list[Turn]:
    work()
    return [timed(work) for _ in range(turns)]


def sleepers(address: str, count: int, turns: int) -> list[Turn]:
    """Agents of half a second, over all nodes."""

    def work(pool: AgentPool) -> None:
        pool.fan_out(configs(Sleeper, iter([0.5] * count)))
        assert all(outcome.ok for outcome in pool.join_all().values())

    with pool_on(address, SLOTS) as pool:
        work(pool)
        return [timed(lambda: work(pool)) for _ in range(turns)]


def sleepers_here(_: str, count: int, turns: int) -> list[Turn]:
    """The same without an engine."""

    def work(pool: AgentPool) -> None:
        pool.fan_out(configs(Sleeper, iter([0.5] * count)))
        assert all(outcome.ok for outcome in pool.join_all().values())

    with AgentPool(max_concurrent=SLOTS, max_queued=None) as pool:
        work(pool)
        return [timed(lambda: work(pool)) for _ in range(turns)]


def alone(address: str, count: int, turns: int) -> list[Turn]:  # noqa: ARG001 - it is one
    """One spawn and its result, with nobody beside it."""
    with pool_on(address, AT_ONCE) as pool:
        (config,) = configs(Idle, iter([1]))
        return _in_turns(lambda: pool.spawn(config).result(), turns)


def cancels(address: str, count: int, turns: int) -> list[Turn]:
    """From the abort of so many that wait to the last outcome."""
    with pool_on(address, max(count, NODES)) as pool:
        found = []
        for _ in range(turns + 1):
            handles = pool.fan_out(configs(Patient, iter([600.0] * count)))
            while any(handle.status != "running" for handle in handles):
                time.sleep(0.05)
            pool_join = pool.join_all

            def work(join: Callable[[], object] = pool_join) -> None:
                pool.abort_all("measured")
                join()

            found.append(timed(work))
        return found[1:]


CASES: dict[str, Callable[[str, int, int], list[Turn]]] = {
    "ours": ours,
    "ours, 256 items a call": partial(ours, most_items=256),
    "ours, 16 items a call": partial(ours, most_items=16),
    "ours, 1 item a call": partial(ours, most_items=1),
    "local pool": local,
    "ray tasks": ray_tasks,
    "ray actor calls": ray_actor_calls,
    "dask": dask,
    "sleepers": sleepers,
    "sleepers here": sleepers_here,
    "alone": alone,
    "cancels": cancels,
}


def main(case: str, address: str, count: str, turns: str) -> None:
    """Measure it."""
    found = CASES[case](address, int(count), int(turns))
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"turns": found, "beside": beside.ru_utime + beside.ru_stime}))


if __name__ == "__main__":
    main(*sys.argv[1:])
