"""Section 6: outcomes that are owed to their handles alone, and what is said of those that nobody takes."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from actors import AgentPool, AgentStatus

from .agent.doubles import doing

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND = 10.0


def answers(_: Any, query: Any) -> Any:
    """Done at once."""
    return query


def fails(_: Any, query: Any) -> Any:
    """A crash."""
    raise KeyError(query)


def waits(agent: Any, _: Any) -> Any:
    """Parked, until it is cancelled."""
    agent.receive()


# Who is owed what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["spawn", "fan_out", "pool", "submit"])
def test_who_has_the_handle_has_the_outcome(make_pool: Any, by: str) -> None:
    """And nobody else: no join yields it, and it is not outstanding."""
    pool: AgentPool = make_pool(max_queued=None, owed=by not in ("pool", "submit"))
    if by == "spawn":
        handle = pool.spawn(doing(answers, 1), owed=False)
    elif by == "fan_out":
        (handle,) = pool.fan_out([doing(answers, 1)], owed=False)
    elif by == "pool":
        handle = pool.spawn(doing(answers, 1))
    else:
        handle = pool.submit(int, 1)
    assert (pool.outstanding_count, pool.stats().outstanding) == (0, 0)
    assert pool.join_next() is None
    assert pool.join_all() == {}
    assert list(pool.as_completed()) == []
    assert handle.result(BOUND) == 1
    assert handle.outcome().result == 1
    assert [outcome.result for outcome in pool.as_completed([handle])] == [1]
    assert pool.join_next() is None


def test_a_spawn_may_say_otherwise_than_its_pool(make_pool: Any) -> None:
    """Either way; None follows the pool."""
    pool: AgentPool = make_pool(max_queued=None, owed=False)
    owed = [pool.spawn(doing(answers, 1), owed=True), *pool.fan_out([doing(answers, 2)], owed=True)]
    pool.spawn(doing(answers, 3), owed=None)
    assert set(pool.join_all(BOUND)) == {handle.id for handle in owed}


@pytest.mark.parametrize("owed", [0, "no", 1.0])
def test_owed_is_yes_or_no(make_pool: Any, owed: Any) -> None:
    """What is easily meant otherwise is refused, before an id is used."""
    with pytest.raises(TypeError, match="owed must be True or False, got"):
        AgentPool(owed=owed)
    pool: AgentPool = make_pool(max_queued=None)
    with pytest.raises(TypeError, match="owed must be True or False, got"):
        pool.spawn(doing(answers), owed=owed)
    with pytest.raises(TypeError, match="owed must be True or False, got"):
        pool.fan_out([doing(answers)], owed=owed)
    assert pool.spawn(doing(answers)).id == 1


def test_drain_waits_for_those_that_are_not_owed(gate: Any, in_thread: Callable[..., Any]) -> None:
    """And the end of the block: it is the joins that do not see them."""
    with AgentPool(owed=False) as pool:
        handle = pool.submit(gate.hold)
        gate.await_reached()
        with pytest.raises(TimeoutError):
            pool.drain(0.001)
        gate.open()
    assert handle.result(0) is None


def test_a_failure_takes_along_what_is_owed_alone(make_pool: Any, gate: Any) -> None:
    """Those that are owed to their handles neither cancel anybody nor are cancelled."""
    pool: AgentPool = make_pool(max_queued=None, failure="cancel_rest")
    apart, owed = pool.spawn(doing(waits), owed=False), pool.spawn(doing(waits))
    assert pool.spawn(doing(fails), owed=False).outcome(BOUND).status is AgentStatus.CRASHED
    assert not owed.done()
    pool.spawn(doing(fails)).outcome(BOUND)
    assert owed.outcome(BOUND).status is AgentStatus.CANCELLED
    assert not apart.done()
    apart.cancel()
    assert apart.outcome(BOUND).status is AgentStatus.CANCELLED


def test_a_handle_that_is_dropped_drops_its_outcome(make_pool: Any, gate: Any, eventually: Any) -> None:
    """At once, also if it is dropped while the agent runs; without the garbage collector."""

    class Result:
        pass

    pool: AgentPool = make_pool(owed=False)
    results: list[weakref.ref[Result]] = []

    def work() -> Result:
        result = Result()
        results.append(weakref.ref(result))
        gate.hold()
        return result

    gc.disable()
    try:
        pool.submit(work)
        gate.await_reached()
        gate.open()
        pool.drain(BOUND)
        eventually(lambda: results[0]() is None)  # its worker lets go of it last
    finally:
        gc.enable()


# What nobody takes ----------------------------------------------------------------------------------------------


def test_outcomes_that_nobody_takes_are_told_of_once(make_pool: Any, log_lines: list[str], eventually: Any) -> None:
    """At 1,000 of them, with what to do; not before, and not again."""
    pool: AgentPool = make_pool(max_queued=None, name="forgetful")

    def run(count: int) -> list[str]:
        handles = pool.fan_out([doing(answers)] * count)
        for handle in handles:
            pool._core.wait_ended(handle._cell, BOUND)
        return log_lines

    assert run(999) == []
    run(1)
    eventually(lambda: log_lines)  # the worker of the last one says it
    (line,) = log_lines
    assert line.startswith("WARNING forgetful keeps 1,000 outcomes")
    for cure in ("join_next", "join_all", "handle.result", "await handle", "detach()", "owed=False"):
        assert cure in line
    assert len(run(1001)) == 1
    assert len(pool.join_all(BOUND)) == 2001
    assert len(run(1000)) == 1


def test_it_is_said_outside_of_every_lock(make_pool: Any) -> None:
    """A sink of the log may call the pool; and no cancel waits for it."""
    pool: AgentPool = make_pool(max_queued=None)
    seen: list[int] = []
    said = threading.Event()

    def sink(_: Any) -> None:
        seen.append(pool.stats().outstanding)
        said.set()

    logger.enable("actors")
    number = logger.add(sink, level="WARNING", catch=False)
    try:
        pool.fan_out([doing(answers)] * 1000)
        assert said.wait(BOUND)
    finally:
        logger.disable("actors")
        logger.remove(number)
    assert seen == [1000]


def test_nothing_is_said_of_what_somebody_waits_for_or_takes(make_pool: Any, log_lines: list[str]) -> None:
    """A join that waits for all, a caller that takes them, a pool that owes none, and a map."""
    pool: AgentPool = make_pool(max_queued=None, max_concurrent=2)
    held = threading.Event()
    pool.submit(held.wait, BOUND)
    pool.fan_out([doing(answers)] * 1100)

    async def join() -> int:
        task = asyncio.create_task(pool.ajoin_all(BOUND))
        await asyncio.sleep(0)
        held.set()
        return len(await task)

    assert asyncio.run(join()) == 1101
    for _ in range(1100):
        assert pool.submit(int).result(BOUND) == 0
    for handle in pool.fan_out([doing(answers)] * 1100, owed=False):
        pool._core.wait_ended(handle._cell, BOUND)
    assert sum(outcome.ok for outcome in pool.map([doing(answers)] * 1100)) == 1100
    assert log_lines == []


# Memory ---------------------------------------------------------------------------------------------------------

ROUNDS = 6
REQUESTS = 200
"""Each leaves at least an outcome, a cell and a spec behind if anything does: some 5 KB."""
LEFT = 100.0
"""Bytes that a request may leave behind, on average: what grows by itself (a table that doubles) is far below."""


def by_await(pool: AgentPool, count: int) -> None:
    """``await handle``, some at once."""

    async def main() -> None:
        for _ in range(count // 10):
            await asyncio.gather(*[pool.spawn(doing(answers, "q" * 100)) for _ in range(10)])

    asyncio.run(main())


def by_cancelled_await(pool: AgentPool, count: int) -> None:
    """Awaits of one that runs, cancelled."""
    handle = pool.spawn(doing(waits))

    async def one() -> None:
        await handle

    async def main() -> None:
        for _ in range(count):
            task = asyncio.create_task(one())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(main())
    handle.cancel()
    handle.outcome(BOUND)


def by_result(pool: AgentPool, count: int) -> None:
    """``handle.result()``."""
    for _ in range(count):
        pool.spawn(doing(answers, "q" * 100)).result(BOUND)


def by_dropping(pool: AgentPool, count: int) -> None:
    """Handles that are not owed, and let go of."""
    for _ in range(count):
        pool.spawn(doing(answers, "q" * 100), owed=False)
    while pool.active_count or pool.queued_count:
        pool.submit(int).result(BOUND)


def by_callback(pool: AgentPool, count: int) -> None:
    """A callback that takes the outcome. A few at once: how many threads a crowd takes is the machine's doing."""
    at_once = 4
    room = threading.Semaphore(at_once)

    def take(handle: Any) -> None:
        handle.outcome(0)
        room.release()

    for _ in range(count):
        assert room.acquire(timeout=BOUND)
        pool.spawn(doing(answers, "q" * 100)).add_done_callback(take)
    for _ in range(at_once):
        assert room.acquire(timeout=BOUND)


def by_amap(pool: AgentPool, count: int) -> None:
    """An async map, and maps that are left early."""

    async def main() -> None:
        async for _ in pool.amap(doing(answers, "q" * 100) for _ in range(count)):
            pass
        for _ in range(count // 20):
            async for _ in pool.amap(doing(answers, "q" * 100) for _ in range(3)):
                break

    asyncio.run(main())
    while pool.active_count or pool.queued_count:
        pool.submit(int).result(BOUND)


def by_nobody(pool: AgentPool, count: int) -> None:
    """What does grow: else the test below could not fail."""
    for _ in range(count):
        pool.spawn(doing(answers, "q" * 100))


def left_behind(use: Callable[[AgentPool, int], None], pool: AgentPool) -> float:
    """Bytes that each request leaves behind, once the pool has warmed up: of a few rounds the least, as a thread that
    was never needed before is one more, once.
    """
    use(pool, 100)
    gc.collect()
    tracemalloc.start()
    try:
        use(pool, 100)
        least = _grown(use, pool)
        for _ in range(ROUNDS):
            if least >= LEFT:
                least = min(least, _grown(use, pool))
        return least
    finally:
        tracemalloc.stop()


def _grown(use: Callable[[AgentPool, int], None], pool: AgentPool) -> float:
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    use(pool, REQUESTS)
    gc.collect()
    return (tracemalloc.get_traced_memory()[0] - before) / REQUESTS


@pytest.mark.parametrize("use", [by_await, by_cancelled_await, by_result, by_dropping, by_callback, by_amap])
def test_memory_of_a_server_is_flat(make_pool: Any, use: Any) -> None:
    """However its requests wait for their agents."""
    assert left_behind(use, make_pool(max_queued=None)) < LEFT


def test_memory_of_what_nobody_takes_grows(make_pool: Any) -> None:
    """By far more than the bound of the test above."""
    assert left_behind(by_nobody, make_pool(max_queued=None)) > 10 * LEFT
