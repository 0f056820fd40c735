"""``AgentPool``: the door. Arguments, admission, joins, the ways to end, and children."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentCancelled,
    AgentManifest,
    AgentPool,
    AgentStatus,
    CapacityError,
    CircuitBreak,
    DeadlockError,
    Event,
    FileRead,
    JoinTimeout,
    MessageRouter,
    PoolClosed,
    PoolStats,
    Rag,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
)
from actors.core.supervision.pool_state import PoolPhase

from .agent.doubles import doing
from .waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import Agent


def echo(query: Any = "q", **fields: Any) -> SpawnConfig:
    """An agent that answers its query."""
    return doing(lambda agent, query: query, query, **fields)


def at(gate: Gate, query: Any = "q", **fields: Any) -> SpawnConfig:
    """An agent that stands at *gate* and sees no cancel."""
    return doing(lambda agent, query: gate.hold() or query, query, **fields)


def sleeper(started: threading.Event | None = None, **fields: Any) -> SpawnConfig:
    """An agent that works until it is cancelled."""

    def work(agent: Agent[Any], query: Any) -> None:
        if started is not None:
            started.set()
        agent.sleep(3600)

    return doing(work, **fields)


@pytest.fixture
def pools(gate: Gate) -> Iterator[Callable[..., AgentPool]]:
    """Makes pools; they are closed at the end, with the gate open."""
    made: list[AgentPool] = []

    def make(*args: Any, **fields: Any) -> AgentPool:
        made.append(AgentPool(*args, **{"abort_timeout": BOUND, **fields}))
        return made[-1]

    yield make
    gate.open()
    for pool in made:
        pool.close()


@pytest.fixture
def aside() -> Iterator[Callable[..., concurrent.futures.Future[Any]]]:
    """Runs a call in a thread of the program's own."""
    with concurrent.futures.ThreadPoolExecutor(16) as executor:
        yield executor.submit


# Arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"max_concurrent": -1},
        {"max_queued": -1},
        {"inbox_capacity": 0},
        {"max_live": 0},
        {"shutdown_timeout": -1},
        {"abort_timeout": -0.1},
        {"abort_timeout": float("nan")},
    ],
    ids=repr,
)
def test_values_that_make_no_sense(fields: dict[str, Any]) -> None:
    """``ValueError`` with the name, the bound and the value; nothing is left behind."""
    (name,) = fields
    with pytest.raises(ValueError, match=rf"{name} must .*got {fields[name]}"):
        AgentPool(**fields)
    gc.collect()


@pytest.mark.parametrize(
    "fields",
    [
        {"max_concurrent": "4"},
        {"max_concurrent": True},
        {"max_concurrent": 1.5},
        {"max_concurrent": None},
        {"max_queued": [1]},
        {"max_queued": 0.5},
        {"max_live": 1.5},
        {"inbox_capacity": None},
        {"inbox_capacity": 1.5},
        {"abort_timeout": None},
        {"shutdown_timeout": "soon"},
    ],
    ids=repr,
)
def test_values_of_another_type(fields: dict[str, Any]) -> None:
    """``TypeError`` with the name: counts are whole numbers, and None is only for what may have no bound."""
    (name,) = fields
    with pytest.raises(TypeError, match=name):
        AgentPool(**fields).close()


@pytest.mark.parametrize("fields", [{"max_queued": None}, {"max_live": None}, {"shutdown_timeout": None}], ids=repr)
def test_none_has_no_bound(fields: dict[str, Any]) -> None:
    """Where the contract says so."""
    with AgentPool(max_concurrent=1, **fields) as pool:
        assert pool.spawn(echo()).result(BOUND) == "q"


def test_endless_patience() -> None:
    """An ``abort_timeout`` without an end is no error, neither at a cancel nor at the close."""
    pool = AgentPool(max_concurrent=1, abort_timeout=float("inf"), shutdown_timeout=float("inf"))
    handle = pool.spawn(sleeper())
    handle.cancel()
    assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    pool.close()


def test_defaults() -> None:
    """Four slots, no queue, and a name of its own."""
    with AgentPool() as pool, AgentPool() as other:
        assert pool.max_concurrent == 4
        assert (pool.active_count, pool.queued_count, pool.outstanding_count) == (0, 0, 0)
        assert pool.name != other.name
        assert isinstance(pool.router, MessageRouter)


@pytest.mark.parametrize("max_queued", [0, 5, None])
def test_a_pool_of_none_refuses_all(pools: Callable[..., AgentPool], max_queued: int | None) -> None:
    """``max_concurrent=0``: each spawn is a circuit break (INV-008), with a queue or without."""
    pool = pools(max_concurrent=0, max_queued=max_queued)
    attempts: list[Callable[[], Any]] = [
        lambda: pool.spawn(echo()),
        lambda: pool.submit(len, "x"),
        lambda: pool.fan_out([echo()]),
    ]
    for attempt in attempts:
        with pytest.raises(CapacityError):
            attempt()
    assert pool.outstanding_count == 0


def test_repr() -> None:
    """Name, state and load."""
    pool = AgentPool(max_concurrent=3, name="team")
    assert repr(pool) == "<AgentPool team open: 0 of 3 active, 0 queued>"
    pool.close()
    assert repr(pool) == "<AgentPool team closed: 0 of 3 active, 0 queued>"


def test_the_supervisor_is_an_actor(pools: Callable[..., AgentPool]) -> None:
    """It can be looked at as one."""
    assert pools().supervisor.is_alive()


# Admission --------------------------------------------------------------------------------------------------------


def test_no_slot_and_no_queue(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """``CapacityError``, a circuit break; it uses no id (INV-008)."""
    pool = pools(max_concurrent=1)
    pool.spawn(at(gate))
    with pytest.raises(CapacityError, match="at capacity") as caught:
        pool.spawn(echo())
    assert isinstance(caught.value, CircuitBreak)
    assert "(1 active of 1, 0 queued): nothing was started" in str(caught.value)
    assert "max_queued=None" in str(caught.value)
    assert "timeout=" in str(caught.value)
    with pytest.raises(CapacityError):
        pool.submit(len, "x")
    gate.open()
    pool.join_all(BOUND)
    assert pool.spawn(echo()).id == 2


def test_a_queue_has_its_places(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """So many wait, and one more is refused."""
    pool = pools(max_concurrent=1, max_queued=2)
    handles = [pool.spawn(at(gate)) for _ in range(3)]
    with pytest.raises(CapacityError):
        pool.spawn(echo())
    gate.await_reached()
    assert [handle.status for handle in handles] == [AgentStatus.RUNNING, AgentStatus.QUEUED, AgentStatus.QUEUED]
    assert (pool.active_count, pool.queued_count, pool.outstanding_count) == (1, 2, 3)


def test_ids_rise_by_one(pools: Callable[..., AgentPool]) -> None:
    """From 1, in the order of admission."""
    pool = pools(max_concurrent=2, max_queued=None)
    handles = [pool.spawn(echo()), *pool.fan_out([echo(), echo()]), pool.submit(len, "x")]
    assert [handle.id for handle in handles] == [1, 2, 3, 4]


def test_spawn_waits_for_room(pools: Callable[..., AgentPool], gate: Gate, aside: Callable[..., Any]) -> None:
    """Until a slot is free."""
    pool = pools(max_concurrent=1)
    first = pool.spawn(at(gate))
    waiting = aside(pool.spawn, echo("late"), timeout=BOUND)
    eventually(lambda: pool._core.pool.roster.waiting_spawns)
    gate.open()
    assert first.result(BOUND) == "q"
    assert waiting.result(BOUND).result(BOUND) == "late"


def test_spawn_waits_in_vain(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """Then it is refused, uses no id, and stands in nobody's way."""
    pool = pools(max_concurrent=1)
    pool.spawn(at(gate))
    with pytest.raises(CapacityError, match=r"no room for 1 agent within 0\.01 s.*max_queued=None.*timeout="):
        pool.spawn(echo(), timeout=0.01)
    gate.open()
    pool.join_all(BOUND)
    assert pool.spawn(echo()).id == 2


def test_first_come_first_served(pools: Callable[..., AgentPool], gate: Gate, aside: Callable[..., Any]) -> None:
    """Who waits longest is admitted first, also before somebody who comes when a place is free but needs less."""
    pool = pools(max_concurrent=2)
    pool.fan_out([at(gate), at(gate)])
    waiting = []
    for number, count in enumerate((1, 2, 1), start=1):
        waiting.append(aside(pool.fan_out, [echo(number)] * count, timeout=BOUND))
        eventually(lambda number=number: len(pool._core.pool.roster.waiting_spawns) == number)
    with pytest.raises(CapacityError):
        pool.spawn(echo("jumps the line"))
    gate.open()
    ids = [[handle.id for handle in future.result(BOUND)] for future in waiting]
    assert ids == [[3], [4, 5], [6]]


def test_who_waits_for_little_waits_behind_who_waits_for_much(
    pools: Callable[..., AgentPool], aside: Callable[..., Any]
) -> None:
    """One slot gets free, the first in line needs two: the second does not overtake."""
    pool = pools(max_concurrent=2)
    one, two = Gate(), Gate()
    first, second = pool.spawn(at(one)), pool.spawn(at(two))
    big = aside(pool.fan_out, [echo(), echo()], timeout=BOUND)
    eventually(lambda: len(pool._core.pool.roster.waiting_spawns) == 1)
    small = aside(pool.spawn, echo(), timeout=BOUND)
    eventually(lambda: len(pool._core.pool.roster.waiting_spawns) == 2)
    one.open()
    first.result(BOUND)
    with pytest.raises(CapacityError):
        pool.spawn(echo())
    assert len(pool._core.pool.roster.waiting_spawns) == 2
    two.open()
    second.result(BOUND)
    assert [handle.id for handle in big.result(BOUND)] == [3, 4]
    assert small.result(BOUND).id == 5


def test_waiting_spawns_are_refused_by_a_close(
    pools: Callable[..., AgentPool], gate: Gate, aside: Callable[..., Any]
) -> None:
    """``PoolClosed``, at once."""
    pool = pools(max_concurrent=1)
    pool.spawn(sleeper())
    waiting = aside(pool.spawn, echo(), timeout=None)
    eventually(lambda: pool._core.pool.roster.waiting_spawns)
    pool.close()
    with pytest.raises(PoolClosed):
        waiting.result(BOUND)


def test_max_live_bounds_the_threads(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """A parked agent gives its slot away, but a queued one starts only below ``max_live``; children do not wait."""
    pool = pools(max_concurrent=2, max_queued=None, max_live=1)

    def parent(agent: Agent[Any], query: Any) -> Any:
        with agent.parked():
            gate.hold()
        return agent.spawn(echo("child")).result(BOUND)

    first = pool.spawn(doing(parent))
    second = pool.spawn(echo())
    gate.await_reached()
    assert (first.status, second.status) == (AgentStatus.PARKED, AgentStatus.QUEUED)
    gate.open()
    assert (first.result(BOUND), second.result(BOUND)) == ("child", "q")


# fan_out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fan_out_starts_exactly_all(pools: Callable[..., AgentPool], count: int) -> None:
    """INV-009; the handles stand in the order of the configs."""
    pool = pools(max_concurrent=3)
    handles = pool.fan_out(echo(number) for number in range(count))
    assert [handle.result(BOUND) for handle in handles] == list(range(count))
    assert pool.stats().started == count


@pytest.mark.parametrize(("busy", "count"), [(0, 4), (2, 2), (1, 3)])
def test_fan_out_admits_none_when_not_all_fit(
    pools: Callable[..., AgentPool], gate: Gate, busy: int, count: int
) -> None:
    """Nothing is started, no id is used, and there is room as before."""
    pool = pools(max_concurrent=2, max_queued=1)
    for _ in range(busy):
        pool.spawn(at(gate))
    with pytest.raises(CapacityError):
        pool.fan_out([echo()] * count)
    assert (pool.outstanding_count, pool.stats().started) == (busy, busy)
    assert [handle.id for handle in pool.fan_out([echo()] * (3 - busy))] == list(range(busy + 1, 4))


def test_fan_out_of_too_many_is_refused_at_once(pools: Callable[..., AgentPool]) -> None:
    """What could never fit does not wait, however long it might."""
    pool = pools(max_concurrent=2, max_queued=3)
    with pytest.raises(CapacityError, match=r"6 agents can never fit.*timeout=.*max_queued=None"):
        pool.fan_out([echo()] * 6, timeout=None)


def test_fan_out_waits_for_all(pools: Callable[..., AgentPool], gate: Gate, aside: Callable[..., Any]) -> None:
    """Until there is room for every one."""
    pool = pools(max_concurrent=2)
    pool.spawn(at(gate))
    waiting = aside(pool.fan_out, [echo(1), echo(2)], timeout=BOUND)
    eventually(lambda: pool._core.pool.roster.waiting_spawns)
    assert pool.stats().started == 1
    gate.open()
    assert [handle.result(BOUND) for handle in waiting.result(BOUND)] == [1, 2]


@pytest.mark.parametrize("bad", ["no config", SpawnConfig(AgentManifest(), "q")])
def test_fan_out_with_a_bad_one_starts_none(pools: Callable[..., AgentPool], bad: Any) -> None:
    """Something else than a config, or an ``LlmAgent`` without a driver."""
    pool = pools(max_concurrent=5)
    with pytest.raises((TypeError, ValueError)):
        pool.fan_out([echo(), bad, echo()])
    assert pool.stats().started == 0


def test_fan_out_from_a_source_that_fails(pools: Callable[..., AgentPool]) -> None:
    """Its exception is the caller's, and nothing was started."""

    def source() -> Iterator[SpawnConfig]:
        yield echo()
        raise KeyError("no more")

    pool = pools()
    with pytest.raises(KeyError):
        pool.fan_out(source())
    assert pool.stats().started == 0


# submit ---------------------------------------------------------------------------------------------------------


def test_submit_runs_a_function(pools: Callable[..., AgentPool]) -> None:
    """Positional and keyword arguments, also ones that are called as our own."""

    def show(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    handle = pools().submit(show, 1, fn=2, self=3, timeout=4)
    assert handle.result(BOUND) == ((1,), {"fn": 2, "self": 3, "timeout": 4})
    assert handle.name == "show"


def test_submit_is_like_any_agent(pools: Callable[..., AgentPool]) -> None:
    """An exception is a crash, and the outcome is owed."""
    pool = pools()
    pool.submit(int, "x")
    outcome = pool.join_next(BOUND)
    assert outcome is not None
    assert outcome.status is AgentStatus.CRASHED
    assert "invalid literal" in str(outcome.error)


# Joins ----------------------------------------------------------------------------------------------------------


def test_join_next(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """The next outcome; in vain it takes nothing; None only when nothing is outstanding."""
    pool = pools()
    assert pool.join_next(0) is None
    pool.spawn(at(gate))
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError):
            pool.join_next(timeout)
    gate.open()
    outcome = pool.join_next(BOUND)
    assert outcome is not None
    assert outcome.ok
    assert pool.join_next(0) is None


def test_join_all_gives_each_one(pools: Callable[..., AgentPool]) -> None:
    """One outcome for every agent, whatever its end (INV-010), and the router knows none of them."""
    pool = pools(max_concurrent=3, max_queued=None)
    pool.spawn(echo())
    pool.submit(int, "x")
    handle = pool.spawn(sleeper())
    assert pool.abort(handle.id, "enough")
    outcomes = pool.join_all(BOUND)
    assert {id_: outcome.status for id_, outcome in outcomes.items()} == {
        1: AgentStatus.COMPLETED,
        2: AgentStatus.CRASHED,
        3: AgentStatus.CANCELLED,
    }
    assert pool.router.agent_count == 0
    assert pool.join_all(0) == {}


def test_join_all_in_vain(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """Nothing is taken; ``partial`` shows what is done."""
    pool = pools()
    done = pool.spawn(echo())
    stuck = pool.spawn(at(gate))
    eventually(done.done)
    with pytest.raises(JoinTimeout) as caught:
        pool.join_all(0.01)
    assert set(caught.value.partial) == {done.id}
    gate.open()
    assert set(pool.join_all(BOUND)) == {done.id, stuck.id}


def test_join_all_of_a_group(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """The others stay owed."""
    pool = pools(max_concurrent=4)
    pool.fan_out([echo(group="a"), echo(group="b"), at(gate)])
    assert set(pool.join_all(BOUND, group="a")) == {1}
    assert pool.join_all(BOUND, group="none") == {}
    gate.open()
    assert set(pool.join_all(BOUND)) == {2, 3}


def test_as_completed_takes_in_order_of_completion(pools: Callable[..., AgentPool]) -> None:
    """Of all that is outstanding, or of some handles."""
    pool = pools(max_concurrent=3)
    gates = [Gate(), Gate(), Gate()]
    handles = [pool.spawn(at(one, number)) for number, one in enumerate(gates)]
    completed = pool.as_completed(timeout=BOUND)
    gates[2].open()
    assert next(completed).result == 2
    gates[0].open()
    assert next(completed).result == 0
    gates[1].open()
    assert [outcome.result for outcome in completed] == [1]
    assert pool.outstanding_count == 0
    assert {outcome.result for outcome in pool.as_completed(handles[:2], timeout=0)} == {0, 1}


def test_as_completed_of_handles_takes_them_alone(pools: Callable[..., AgentPool]) -> None:
    """The others are still owed; in vain it says so."""
    pool = pools(max_concurrent=3)
    gates = [Gate(), Gate()]
    first, second = (pool.spawn(at(one, number)) for number, one in enumerate(gates))
    completed = pool.as_completed([first], timeout=BOUND)
    gates[0].open()
    assert [outcome.agent_id for outcome in completed] == [first.id]
    assert pool.outstanding_count == 1
    with pytest.raises(TimeoutError):
        next(pool.as_completed([second], timeout=0.01))
    with pytest.raises(TimeoutError):
        next(pool.as_completed(timeout=0.01))
    gates[1].open()
    assert [outcome.result for outcome in pool.as_completed()] == [1]


@pytest.mark.parametrize("ordered", [True, False])
def test_map_gives_each_outcome_once(pools: Callable[..., AgentPool], ordered: bool) -> None:
    """In the order of the configs, or of completion; the pool owes none of them."""
    pool = pools(max_concurrent=2)
    results = [outcome.unwrap() for outcome in pool.map((echo(n) for n in range(50)), ordered=ordered)]
    assert (results if ordered else sorted(results)) == list(range(50))
    assert pool.outstanding_count == 0


# Aborts and stats -----------------------------------------------------------------------------------------------


def test_abort(pools: Callable[..., AgentPool]) -> None:
    """One agent, with a reason; False when there is none of that id (any more)."""
    pool = pools()
    handle, other = pool.spawn(sleeper()), pool.spawn(echo())
    other.result(BOUND)
    assert pool.abort(handle.id, "enough") is True
    with pytest.raises(AgentCancelled, match="enough"):
        handle.result(BOUND)
    assert pool.abort(handle.id) is False
    assert pool.abort(999) is False


def test_abort_all(pools: Callable[..., AgentPool]) -> None:
    """Running and queued ones; the pool goes on."""
    pool = pools(max_concurrent=1, max_queued=None)
    started = threading.Event()
    pool.fan_out([sleeper(started), sleeper(), sleeper()])
    assert started.wait(BOUND)
    pool.abort_all("enough")
    outcomes = pool.join_all(BOUND)
    assert [outcome.status for outcome in outcomes.values()] == [AgentStatus.CANCELLED] * 3
    assert sum(outcome.started_at is None for outcome in outcomes.values()) == 2
    assert pool.spawn(echo()).result(BOUND) == "q"


def test_stats(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """A frozen record of what the pool does and did."""
    pool = pools(max_concurrent=1, max_queued=None)
    assert pool.stats() == PoolStats(0, 0, 0, 0, 0, 0, 0, {})
    pool.spawn(at(gate))
    pool.spawn(echo())
    gate.await_reached()
    stats = pool.stats()
    assert (stats.active, stats.queued, stats.outstanding, stats.started) == (1, 1, 2, 1)
    gate.open()
    pool.submit(int, "x")
    pool.join_all(BOUND)
    stats = pool.stats()
    assert (stats.active, stats.queued, stats.outstanding, stats.started) == (0, 0, 0, 3)
    assert stats.ended == {AgentStatus.COMPLETED: 2, AgentStatus.CRASHED: 1}
    with pytest.raises(AttributeError):
        stats.active = 7  # type: ignore[misc]


def test_dump_names_everybody(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """And reads as text."""
    pool = pools(max_concurrent=1, max_queued=None)
    pool.spawn(at(gate, name="worker"))
    pool.spawn(echo(name="waiter"))
    gate.await_reached()
    text = str(pool.dump())
    assert "worker" in text
    assert "waiter" in text


def test_resize(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """More slots start those who wait; fewer hold for those who start later."""
    pool = pools(max_concurrent=1, max_queued=None)
    handles = [pool.spawn(at(gate)) for _ in range(4)]
    assert (pool.active_count, pool.queued_count) == (1, 3)
    pool.resize(3)
    assert pool.max_concurrent == 3
    assert (pool.active_count, pool.queued_count) == (3, 1)
    pool.resize(1)
    assert (pool.active_count, pool.queued_count) == (3, 1)
    gate.open()
    assert [handle.result(BOUND) for handle in handles] == ["q"] * 4
    later = Gate()
    pool.spawn(at(later))
    pool.spawn(at(later))
    assert (pool.active_count, pool.queued_count) == (1, 1)
    later.open()


@pytest.mark.parametrize("value", [-1, "2", True, None, 1.5])
def test_resize_checks_its_argument(pools: Callable[..., AgentPool], value: Any) -> None:
    """As the constructor does, and the pool keeps its limit."""
    pool = pools(max_concurrent=2)
    with pytest.raises((TypeError, ValueError)):
        pool.resize(value)
    assert pool.max_concurrent == 2


def test_events_reach_the_sink_before_the_pool_is_left() -> None:
    """In the order of ``seq``."""
    seen: list[Event] = []
    with AgentPool(max_concurrent=2, max_queued=None, on_event=seen.append) as pool:
        pool.fan_out([echo() for _ in range(20)])
    assert {event.agent_id for event in seen} == set(range(1, 21))
    assert [event.seq for event in seen] == sorted(event.seq for event in seen)
    assert sum(type(event).__name__ == "AgentEnded" for event in seen) == 20


# The end --------------------------------------------------------------------------------------------------------


def test_leaving_the_block_drains() -> None:
    """What was admitted is finished, the queue included; outcomes can still be taken."""
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        for number in range(20):
            pool.spawn(echo(number))
    assert [outcome.result for outcome in pool.join_all(0).values()] == list(range(20))
    assert pool.join_next(0) is None


def test_leaving_the_block_by_an_exception_aborts() -> None:
    """The exception goes on; the outcomes name it."""
    started = threading.Event()
    pool = AgentPool(max_concurrent=1, max_queued=None, abort_timeout=BOUND)
    pool.spawn(sleeper(started))
    pool.spawn(echo())
    assert started.wait(BOUND)
    with pytest.raises(KeyError, match="x"), pool:
        raise KeyError("x")
    running, queued = pool.join_all(0).values()
    assert (running.status, queued.status) == (AgentStatus.CANCELLED, AgentStatus.CANCELLED)
    assert "KeyError" in str(running.error)


def test_shutdown_timeout_bounds_the_drain() -> None:
    """What has not ended by then is cancelled; leaving raises nothing."""
    with AgentPool(max_concurrent=1, max_queued=None, shutdown_timeout=0.02, abort_timeout=BOUND) as pool:
        pool.spawn(echo())
        pool.spawn(sleeper())
        pool.spawn(echo())
    assert [outcome.status for outcome in pool.join_all(0).values()] == [
        AgentStatus.COMPLETED,
        AgentStatus.CANCELLED,
        AgentStatus.CANCELLED,
    ]


def test_abort_timeout_bounds_the_abort(gate: Gate) -> None:
    """An agent that sees no cancel is abandoned, and its thread is counted until it ends."""
    with AgentPool(max_concurrent=1, shutdown_timeout=0, abort_timeout=0.02) as pool:
        handle = pool.spawn(at(gate))
        gate.await_reached()
    outcome = handle.outcome(0)
    assert outcome.status is AgentStatus.ABANDONED
    assert outcome.error is not None
    assert pool.stats().abandoned_threads == 1
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert handle.outcome(0) is outcome


def test_close(pools: Callable[..., AgentPool]) -> None:
    """Aborts, twice is once, and afterwards nothing is admitted."""
    pool = pools(max_concurrent=1, max_queued=None)
    started = threading.Event()
    pool.spawn(sleeper(started))
    assert started.wait(BOUND)
    pool.close()
    pool.close()
    attempts: list[Callable[[], Any]] = [
        lambda: pool.spawn(echo()),
        lambda: pool.submit(len, "x"),
        lambda: pool.fan_out([echo()]),
        lambda: next(pool.map([echo()])),
    ]
    for attempt in attempts:
        with pytest.raises(PoolClosed, match="closed"):
            attempt()
    outcome = pool.join_next(0)
    assert outcome is not None
    assert outcome.status is AgentStatus.CANCELLED
    assert pool.join_next(0) is None
    assert pool.join_all() == {}


def test_a_closed_pool_may_be_left() -> None:
    """``close()`` inside the block is fine."""
    with AgentPool() as pool:
        pool.close()
    assert "closed" in repr(pool)


def test_close_leaves_no_thread() -> None:
    """Workers, timers and the sink's thread have ended when it returns."""
    before = set(threading.enumerate())
    pool = AgentPool(max_concurrent=4, max_queued=None, on_event=lambda event: None)
    pool.fan_out([echo(timeout=60) for _ in range(8)])
    pool.join_all(BOUND)
    pool.close()
    assert set(threading.enumerate()) - before == set()


def test_drain(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """Refuses new agents; in vain it says so, and they run on."""
    pool = pools(max_concurrent=2)
    handle = pool.spawn(at(gate))
    with pytest.raises(TimeoutError, match="they run on"):
        pool.drain(0.01)
    with pytest.raises(PoolClosed, match="draining"):
        pool.spawn(echo())
    assert not handle.done()
    gate.open()
    pool.drain(BOUND)
    assert handle.done()
    assert handle.result(0) == "q"


@pytest.mark.parametrize("name", ["join_all", "drain", "close"])
def test_an_agent_cannot_wait_for_all(pools: Callable[..., AgentPool], name: str) -> None:
    """It would wait for itself: ``DeadlockError`` at once, and the pool goes on."""
    pool = pools()

    def wait(agent: Agent[Any], query: Any) -> None:
        with pytest.raises(DeadlockError):
            getattr(pool, name)()

    assert pool.spawn(doing(wait)).outcome(BOUND).ok
    assert pool.spawn(echo()).result(BOUND) == "q"


def test_a_forgotten_pool_warns_and_aborts() -> None:
    """``ResourceWarning`` with its name; what runs is cancelled, and its threads end."""
    started = threading.Event()
    pool = AgentPool(max_concurrent=1, abort_timeout=BOUND, name="forgotten")
    handle = pool.spawn(sleeper(started))
    assert started.wait(BOUND)
    gone = weakref.ref(pool)
    pools = [pool]
    del pool
    with pytest.warns(ResourceWarning, match="forgotten was not closed"):
        pools.clear()
    assert gone() is None
    outcome = handle.outcome(BOUND)
    assert outcome.status is AgentStatus.CANCELLED
    assert "garbage-collected" in str(outcome.error)
    eventually(lambda: not [thread for thread in threading.enumerate() if "forgotten" in thread.name])


def test_a_closed_pool_is_forgotten_silently(recwarn: pytest.WarningsRecorder) -> None:
    """Neither a closed pool nor one that was never made warns."""
    pool = AgentPool()
    pool.close()
    del pool
    with pytest.raises(ValueError, match="max_concurrent"):
        AgentPool(max_concurrent=-1)
    gc.collect()
    assert [warning for warning in recwarn if issubclass(warning.category, ResourceWarning)] == []


# Children -------------------------------------------------------------------------------------------------------


def test_children_are_never_refused(pools: Callable[..., AgentPool]) -> None:
    """A full pool without a queue still takes them, outside ``max_queued``."""
    pool = pools(max_concurrent=1, max_queued=0)

    def parent(agent: Agent[Any], query: Any) -> list[Any]:
        handles = [agent.spawn(echo(number)) for number in range(10)]
        return [handle.result(BOUND) for handle in handles]

    assert pool.spawn(doing(parent)).result(BOUND) == list(range(10))
    assert pool.stats().ended == {AgentStatus.COMPLETED: 11}


def test_nested_five_deep_with_one_slot(pools: Callable[..., AgentPool]) -> None:
    """Each waits for its child, and parks: the deepest gets the slot."""
    pool = pools(max_concurrent=1)
    running, peak = [0], [0]

    def nest(agent: Agent[Any], depth: int) -> int:
        running[0] += 1
        peak[0] = max(peak[0], running[0])
        child = agent.spawn(doing(nest, depth - 1)) if depth else None
        running[0] -= 1
        return 0 if child is None else 1 + int(child.result(BOUND))

    assert pool.spawn(doing(nest, 5)).result(BOUND) == 5
    assert peak == [1]


def test_while_draining_children_may_be_spawned(pools: Callable[..., AgentPool], gate: Gate, aside: Any) -> None:
    """They belong to what was admitted."""
    pool = pools(max_concurrent=1)

    def parent(agent: Agent[Any], query: Any) -> Any:
        gate.hold()
        return agent.spawn(echo("child")).result(BOUND)

    handle = pool.spawn(doing(parent))
    draining = aside(pool.drain, BOUND)
    eventually(lambda: pool._core.pool.phase >= PoolPhase.DRAINING)
    gate.open()
    assert handle.result(BOUND) == "child"
    draining.result(BOUND)


def test_an_llm_child_is_cut_down(pools: Callable[..., AgentPool]) -> None:
    """It has the parent's driver, and neither its tools' capabilities nor its iterations are wider."""
    driver = ScriptedDriver(["answer"])
    pool = pools(driver, 1, tools=ToolRegistry())
    wide = AgentManifest(name="child", capabilities=(Rag(), FileRead(allowed_paths=("*",))))

    def parent(agent: Agent[Any], query: Any) -> Any:
        return agent.spawn(SpawnConfig(wide, "q")).result(BOUND)

    result = pool.spawn(doing(parent, manifest=AgentManifest(capabilities=(Rag(),)))).result(BOUND)
    assert result.text == "answer"
    assert len(driver.requests) == 1


def test_children_are_in_no_join(pools: Callable[..., AgentPool], gate: Gate) -> None:
    """Only the parent's outcome is owed to the program."""
    pool = pools(max_concurrent=2)

    def parent(agent: Agent[Any], query: Any) -> Any:
        return agent.spawn(at(gate)).result(BOUND)

    pool.spawn(doing(parent))
    gate.await_reached()
    assert pool.outstanding_count == 1
    assert pool.active_count == 2
    gate.open()
    assert set(pool.join_all(BOUND)) == {1}


def test_never_more_than_the_slots_run(pools: Callable[..., AgentPool]) -> None:
    """At every instant, also when agents come, go, park and have children (I3)."""
    pool = pools(max_concurrent=3, max_queued=None)
    lock, pause = threading.Lock(), threading.Event()
    now, peak = [0], [0]

    def compute() -> None:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        pause.wait(0.0005)  # others may run meanwhile
        with lock:
            now[0] -= 1

    def work(agent: Agent[Any], query: int) -> None:
        compute()
        if query % 5 == 0:
            agent.spawn(doing(lambda child, query: compute())).result(BOUND)
        elif query % 3 == 0:
            with agent.parked():
                pass
        compute()

    pool.fan_out([doing(work, number) for number in range(200)])
    outcomes = pool.join_all(BOUND * 3)
    assert [outcome.ok for outcome in outcomes.values()] == [True] * 200
    assert 2 <= peak[0] <= 3
    assert pool.router.agent_count == 0
