"""Counts the objects that the collector has to visit: for agents that wait, and for outcomes that are kept."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

from actors import AgentPool, SpawnConfig

from ..abort_latency import await_all
from ..mass_wake import MANIFEST, Receiver
from ..spawn_join import AT_ONCE, MANIFEST as IDLE, Idle
from .cases import same


def objects(count: int) -> dict[str, float]:
    """So many for one, by what is kept."""
    return {"parked agent": _parked(count), "kept outcome": _outcomes(count), "kept Future": _futures(count)}


def _now() -> int:
    gc.collect()
    return len(gc.get_objects())


def _parked(count: int) -> float:
    configs = [SpawnConfig(MANIFEST, None, agent=Receiver)] * count
    with AgentPool(max_concurrent=count) as pool:
        before = _now()
        pool.fan_out(configs)
        await_all(lambda: pool.stats().parked == count)
        found = (_now() - before) / count
        pool.abort_all()
        pool.join_all()
    return found


def _outcomes(count: int) -> float:
    configs = [SpawnConfig(IDLE, number, agent=Idle) for number in range(count)]
    with AgentPool(max_concurrent=AT_ONCE, max_queued=None) as pool:
        before = _now()
        pool.fan_out(configs)
        outcomes = pool.join_all()
        found = (_now() - before) / count
    assert len(outcomes) == count
    return found


def _futures(count: int) -> float:
    with ThreadPoolExecutor(AT_ONCE) as executor:
        before = _now()
        futures = [executor.submit(same, number) for number in range(count)]
        for future in futures:
            future.result()
        return (_now() - before) / count
