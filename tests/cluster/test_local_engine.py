"""A pool on a cluster that is played in this process: whatever happens to it, each agent has one outcome."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from actors import AgentPool, AgentStatus
from actors.errors import AgentLost, EngineLost
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually


def square(number: int) -> int:
    """What an agent does."""
    return number * number


@pytest.mark.parametrize("seed", range(3))
def test_calls_that_fail_in_every_way_change_nothing(seed: int) -> None:
    """15 % each lost, unheard, doubled and late: each agent runs once, and its result is its own."""
    ran: list[int] = []

    def note(number: int) -> int:
        ran.append(number)
        return number * number

    engine = LocalEngine(
        3, seed=seed, lost=0.15, lost_answers=0.15, doubled=0.15, late=0.15, late_by=0.005, shares=True
    )
    with no_thread_left(), AgentPool(max_concurrent=24, max_queued=None, engine=engine) as pool:
        handles = [pool.submit(note, number) for number in range(60)]
        assert [handle.result() for handle in handles] == [number * number for number in range(60)]
    assert sorted(ran) == list(range(60)), f"with {engine.link!r}"


def test_a_killed_host_loses_what_it_had_and_nothing_else() -> None:
    """Those are lost, each by name of the node; who waited lives elsewhere."""
    gate = Gate()
    engine = LocalEngine(2, shares=True, prefetch=0)
    with no_thread_left(), AgentPool(max_concurrent=4, max_queued=None, engine=engine) as pool:
        handles = [pool.submit(gate.arrive, number) for number in range(4)]
        for _ in handles:
            gate.next()
        more = [pool.submit(square, number) for number in range(20)]
        engine.link.kill_host("node-1")
        gate.open()
        outcomes = [handle.outcome() for handle in handles]
        assert Counter(outcome.status for outcome in outcomes) == {AgentStatus.LOST: 2, AgentStatus.COMPLETED: 2}
        lost = [outcome.error for outcome in outcomes if outcome.status is AgentStatus.LOST]
        assert {(type(error), getattr(error, "node", None)) for error in lost} == {(AgentLost, "node-1")}
        assert [handle.result() for handle in more] == [number * number for number in range(20)]


def test_a_lost_engine_loses_all_and_takes_nobody() -> None:
    """Who lived there is lost, and so is who waited; spawning says so."""
    gate = Gate()
    engine = LocalEngine(2, shares=True)
    with no_thread_left(), AgentPool(max_concurrent=2, max_queued=None, engine=engine) as pool:
        handles = [pool.submit(gate.arrive, number) for number in range(10)]
        gate.next()
        engine.link.lose_engine()
        assert {handle.outcome().status for handle in handles} == {AgentStatus.LOST}
        with pytest.raises(EngineLost):
            pool.submit(square, 1)
        gate.open()


def test_a_node_that_joins_gets_a_host() -> None:
    """And one of another Python is refused by name."""
    engine = LocalEngine(1)
    with no_thread_left(), AgentPool(max_concurrent=4, engine=engine) as pool:
        engine.link.add_node()
        engine.link.add_node(python="3.9")

        def seen() -> dict[str, Any]:
            return {view.node: view for view in engine.nodes()}

        eventually(lambda: "node-3" in seen() and seen()["node-2"].pid)
        eventually(lambda: seen()["node-3"].why)
        assert "Python 3.9 there" in str(seen()["node-3"].why)
        assert pool.submit(square, 3).result() == 9


def test_an_engine_that_no_pool_was_given_ends_by_itself() -> None:
    """Closing it leaves no thread."""
    with no_thread_left():
        engine = LocalEngine(2)
        assert [view.node for view in engine.nodes()] == ["node-1", "node-2"]
        engine.close()
    assert not any("local-link" in thread.name for thread in threading.enumerate())
