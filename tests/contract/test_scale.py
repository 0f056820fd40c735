"""10,000 agents: one outcome each, nothing left."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from actors import Agent, AgentPool, SpawnConfig

from .doubles import WAIT, Gauge, manifest

MANY = 10_000
LIMIT = 8


class NoOp(Agent[str]):
    """Counts itself while it runs."""

    def __init__(self, gauge: Gauge) -> None:
        self.gauge = gauge

    def run(self, query: str) -> str:
        with self.gauge.inside():
            return query


def configs(gauge):
    shared = manifest("no-op")
    return [SpawnConfig(manifest=shared, query=str(n), agent=NoOp, kwargs={"gauge": gauge}) for n in range(MANY)]


@pytest.fixture
def threads_before():
    """A pool came and went before: what a process has once, is there."""
    gauge = Gauge()
    with AgentPool() as pool:
        pool.spawn(SpawnConfig(manifest=manifest(), query="", agent=NoOp, kwargs={"gauge": gauge})).result(timeout=WAIT)
    return set(threading.enumerate())


def left(before):
    return [thread for thread in set(threading.enumerate()) - before if "loop" not in thread.name.lower()]


@pytest.mark.parametrize("ordered", [True, False])
def test_ten_thousand_through_map(threads_before, ordered) -> None:
    """Each exactly one outcome, ids 1 to 10,000, no thread left, never more than max_concurrent at once."""
    gauge = Gauge()
    with AgentPool(max_concurrent=LIMIT) as pool:
        outcomes = list(pool.map(iter(configs(gauge)), ordered=ordered, timeout=WAIT))
        assert pool.router.agent_count == 0
        assert pool.outstanding_count == 0
        stats = pool.stats()
    assert left(threads_before) == []
    assert Counter(outcome.agent_id for outcome in outcomes) == Counter(range(1, MANY + 1))
    assert sorted(int(outcome.result) for outcome in outcomes) == list(range(MANY))
    if ordered:
        assert [outcome.result for outcome in outcomes] == [str(n) for n in range(MANY)]
    assert {str(outcome.status) for outcome in outcomes} == {"completed"}
    assert 1 <= gauge.peak <= LIMIT
    assert stats.ended["completed"] == MANY
    assert stats.started == MANY


def test_ten_thousand_through_fan_out(threads_before) -> None:
    """max_queued=None admits all of them at once; join_all has one outcome for each."""
    gauge = Gauge()
    with AgentPool(max_concurrent=LIMIT, max_queued=None) as pool:
        handles = pool.fan_out(configs(gauge))
        assert [handle.id for handle in handles] == list(range(1, MANY + 1))
        outcomes = pool.join_all(timeout=WAIT)
        assert pool.router.agent_count == 0
        assert pool.join_next(timeout=0) is None
    assert left(threads_before) == []
    assert sorted(outcomes) == list(range(1, MANY + 1))
    assert all(outcomes[handle.id].result == str(handle.id - 1) for handle in handles)
    assert {str(outcome.status) for outcome in outcomes.values()} == {"completed"}
    assert 1 <= gauge.peak <= LIMIT


def test_ten_thousand_through_join_next(threads_before) -> None:
    """One by one: each once, then None."""
    gauge = Gauge()
    seen = Counter()
    with AgentPool(max_concurrent=LIMIT, max_queued=None) as pool:
        pool.fan_out(configs(gauge))
        while (outcome := pool.join_next(timeout=WAIT)) is not None:
            seen[outcome.agent_id] += 1
    assert seen == Counter(range(1, MANY + 1))
    assert left(threads_before) == []


def test_a_large_group_does_not_starve_a_small_one() -> None:
    """10,000 of one group are queued; the one of another group starts soon."""
    order = []

    class Noting(Agent):
        def run(self, query):
            order.append(query)

    gate = threading.Event()
    shared = manifest("no-op")
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        blocker = pool.submit(gate.wait, WAIT)
        pool.fan_out(SpawnConfig(manifest=shared, query="big", agent=Noting, group="big") for _ in range(MANY))
        small = pool.spawn(SpawnConfig(manifest=shared, query="small", agent=Noting, group="small"))
        gate.set()
        small.result(timeout=WAIT)
        blocker.result(timeout=WAIT)
        position = order.index("small")
        pool.join_all(timeout=WAIT)
    assert position <= 3
    assert len(order) == MANY + 1
