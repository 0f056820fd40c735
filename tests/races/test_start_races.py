"""Who comes first at the start of an agent, or at the door of a pool: both winners of each race."""

from __future__ import annotations

from typing import Any

import pytest

from actors import AgentStatus, Cancelled, CapacityError, PoolClosed

from ..contract.doubles import doing, echo
from . import points
from .steps import in_order


def sleeping(**fields: Any) -> Any:
    """An agent that sleeps until it is cancelled."""
    return doing(lambda agent, _: agent.sleep(10), **fields)


DOORS = {
    "spawn": lambda pool: [pool.spawn(sleeping())],
    "fan_out": lambda pool: pool.fan_out([sleeping() for _ in range(3)]),
    "submit": lambda pool: [pool.submit(lambda: "value")],
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("winner", ["spawn", "close"])
def test_spawn_against_close(winner: str, door: str, make_pool: Any, steps: Any, in_thread: Any) -> None:
    """Admitted before the close: one outcome for each. After it: refused, no id is used, and nothing is owed."""
    race = steps(*in_order(winner, "spawn", "close"))
    pool = make_pool(max_concurrent=1, max_queued=None)
    points.at_turn(pool, race)
    spawning = in_thread(race.part("spawn", DOORS[door]), pool)
    in_thread(race.part("close", pool.close)).result(10)
    if winner == "spawn":
        handles = spawning.result(10)
        outcomes = pool.join_all(0)
        assert sorted(outcomes) == [handle.id for handle in handles]
        for outcome in outcomes.values():
            assert outcome.status == "cancelled" or (door == "submit" and outcome.ok)
            assert outcome.ok or outcome.error.reason == "the pool was closed"
    else:
        with pytest.raises(PoolClosed):
            spawning.result(10)
        assert pool.join_all(0) == {}
        assert (pool.stats().started, pool.router.agent_count) == (0, 0)


@pytest.mark.parametrize("winner", ["spawn", "drain"])
def test_spawn_against_drain(winner: str, make_pool: Any, steps: Any, in_thread: Any) -> None:
    """Admitted before the drain: it is waited for. After it: refused."""
    race = steps(*in_order(winner, "spawn", "drain"))
    pool = make_pool()
    points.at_turn(pool, race)
    spawning = in_thread(race.part("spawn", pool.spawn), echo("words"))
    in_thread(race.part("drain", pool.drain), 10).result(10)
    if winner == "spawn":
        assert spawning.result(10).outcome(0).result == "words"
    else:
        with pytest.raises(PoolClosed):
            spawning.result(10)


@pytest.mark.parametrize("winner", ["room", "close"])
def test_room_for_a_waiting_spawn_against_close(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """A spawn that waits is let in by the end of another agent, or refused by the close: never both, never neither."""
    race = steps(*in_order(winner, "room", "close"))
    pool = make_pool(max_concurrent=1, max_queued=0)
    first = pool.spawn(doing(lambda agent, _: (gate.hold(), "value")[1], ending=lambda *_: race.play("room")))
    gate.await_reached()
    waiting = in_thread(pool.spawn, sleeping(), timeout=60)
    eventually(lambda: points.waiting_spawns(pool) == 1)
    points.at_turn(pool, race)
    closing = in_thread(race.part("close", pool.close))
    gate.open()
    closing.result(10)
    if winner == "room":
        assert waiting.result(10).outcome(0).status == "cancelled"
    else:
        with pytest.raises(PoolClosed):
            waiting.result(5)
    assert first.result(0) == "value"
    assert pool.join_all(0).keys() <= {2}


@pytest.mark.parametrize("winner", ["room", "patience"])
def test_room_against_the_patience_of_a_spawn(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """A spawn whose time runs out just as it is let in has its agent; else none was admitted."""
    race = steps(*in_order(winner, "room", "patience"), patience=1)
    pool = make_pool(max_concurrent=1, max_queued=0)
    first = pool.spawn(doing(lambda agent, _: gate.hold(), ending=lambda *_: race.play("room")))
    gate.await_reached()
    points.at_turn(pool, race)
    # Its second visit to the turn is the one after the wait.
    waiting = in_thread(race.part("patience", pool.spawn), echo("words"), timeout=0.02)
    gate.open()
    if winner == "room":
        assert waiting.result(10).result(10) == "words"
    else:
        with pytest.raises(CapacityError):
            waiting.result(10)
        assert pool.spawn(echo("next"), timeout=10).id == 2, "a refused spawn uses no id"
    assert first.outcome(10).ok


@pytest.mark.parametrize("winner", ["spawn", "cancel"])
def test_spawn_of_a_child_against_the_cancel_of_its_parent(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """A child that is there is cancelled with its parent; a parent that is cancelled gets no child."""
    race = steps(*in_order(winner, "spawn", "cancel"))
    seen: list[Any] = []

    def parent(agent: Any, _: str) -> None:
        gate.hold()
        try:
            seen.append(race.part("spawn", agent.spawn)(sleeping()))
        except Cancelled as cancelled:
            seen.append(cancelled)
            raise
        agent.sleep(10)

    pool = make_pool(max_concurrent=2)
    handle = pool.spawn(doing(parent, manifest_fields={"capabilities": [{"type": "spawn", "max_depth": 3}]}))
    gate.await_reached()
    points.at_turn(pool, race)
    cancelling = in_thread(race.part("cancel", handle.cancel), "enough")
    gate.open()
    assert cancelling.result(10) is True
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    (got,) = seen
    if winner == "spawn":
        child = got.outcome(0)
        assert child.status == "cancelled", "it has ended before its parent's outcome is visible"
        assert "its parent" in child.error.reason
    else:
        assert isinstance(got, Cancelled)
    assert pool.stats().ended == {AgentStatus.CANCELLED: 2 if winner == "spawn" else 1}
    assert pool.submit(lambda: None).id == (3 if winner == "spawn" else 2)


@pytest.mark.parametrize("winner", ["resize", "start"])
def test_a_smaller_limit_against_a_start(winner: str, make_pool: Any, steps: Any, gates: Any, in_thread: Any) -> None:
    """Who started before runs on; who comes after waits until fewer run than the new limit."""
    race = steps(*in_order(winner, "resize", "start"))
    first, second, third = gates(), gates(), gates()
    pool = make_pool(max_concurrent=2, max_queued=None)
    one = pool.submit(first.hold)
    first.await_reached()
    points.at_turn(pool, race)
    spawning = in_thread(race.part("start", pool.submit), second.hold)
    in_thread(race.part("resize", pool.resize), 1).result(10)
    two = spawning.result(10)
    three = pool.submit(third.hold)
    if winner == "start":
        second.await_reached()
        assert [one.status, two.status, three.status] == ["running", "running", "queued"]
        first.open()
        one.outcome(10)
        assert three.status == "queued", "one still runs, and there is one slot"
    else:
        assert [one.status, two.status, three.status] == ["running", "queued", "queued"]
        first.open()
        second.await_reached()
        assert three.status == "queued"
    second.open()
    third.await_reached()
    third.open()
    assert all(handle.outcome(10).ok for handle in (one, two, three))


@pytest.mark.parametrize("winner", ["start", "cancel"])
def test_the_cancel_of_a_queued_agent_against_its_start(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """Cancelled first it never starts; started first it is cancelled as one that runs."""
    race = steps(*in_order(winner, "start", "cancel"))
    pool = make_pool(max_concurrent=1, max_queued=None)
    first = pool.spawn(doing(lambda agent, _: gate.hold(), ending=lambda *_: race.play("start")))
    gate.await_reached()
    begun: list[int] = []
    queued = pool.spawn(sleeping(starting=lambda agent: begun.append(agent.agent_id)))
    points.at_turn(pool, race)
    cancelling = in_thread(race.part("cancel", queued.cancel), "enough")
    gate.open()
    assert cancelling.result(10) is True
    outcome = queued.outcome(10)
    assert first.outcome(10).ok
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    assert (outcome.started_at is not None) is (winner == "start")
    assert pool.stats().started == (2 if winner == "start" else 1)
    if winner == "cancel":
        assert begun == []


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("winner", ["close", "complete"])
def test_the_close_of_a_map_against_a_completion(winner: str, ordered: bool, make_pool: Any, steps: Any) -> None:
    """What has not ended is cancelled, what has is left as it is; neither is owed to anybody."""
    race = steps(*in_order(winner, "close", "complete"))
    pulled: list[int] = []

    def second(agent: Any, _: str) -> str:
        with race.point("complete"):
            agent.checkpoint()
        race.await_passed("close")
        return "second"

    def source() -> Any:
        pulled.append(1)
        yield echo("first")
        pulled.append(2)
        yield doing(second)

    pool = make_pool(max_concurrent=2, max_queued=None)
    outcomes = pool.map(source(), ordered=ordered)
    assert next(outcomes).result == "first"
    with race.point("close"):
        outcomes.close()
    pool.drain(10)
    assert pulled == [1, 2]
    expected = {"completed": 2} if winner == "complete" else {"completed": 1, "cancelled": 1}
    assert pool.stats().ended == expected
    assert pool.outstanding_count == 0
    assert list(outcomes) == []
    assert pool.join_next(0) is None
