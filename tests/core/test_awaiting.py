"""Coroutines that wait for agents: each wait takes once or nothing, and holds no thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentCancelled, AgentCrashed, AgentPool, DeadlockError, JoinTimeout, PoolClosed
from actors.core.scheduling.agent_cell import WAITERS
from actors.core.supervision import awaiting
from actors.core.waiting.loop_waiter import LoopWaiter
from actors.errors import ToolFailed

from ..agent.doubles import doing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

BOUND = 10.0


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a loop of its own, with a bound."""

    async def bounded() -> Any:
        async with asyncio.timeout(BOUND):
            return await main

    return asyncio.run(bounded())


async def ending(handle: Any) -> Any:
    """What is awaited, in a task: those take coroutines alone."""
    return await handle


async def waits_at(handle: Any, count: int = 1) -> None:
    """Let the other tasks run until *count* of them wait for the agent."""
    while len(handle._cell.lazies.get(WAITERS, ())) != count:
        await asyncio.sleep(0)


# Await a handle -------------------------------------------------------------------------------------------------


def test_await_gives_the_result_and_takes_the_outcome(supervise: Any, start: Any, gate: Any) -> None:
    """Of one that runs, and of one that has ended; again, it gives again."""
    supervisor = supervise()

    async def main() -> None:
        handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
        task = asyncio.create_task(ending(handle))
        await waits_at(handle)
        assert len(supervisor.owed) == 1
        gate.open()
        assert await task == 5
        assert len(supervisor.owed) == 0
        assert [await handle, await handle] == [5, 5]
        assert handle._cell.lazies.get(WAITERS, []) == []

    run(main())


def test_await_raises_a_fresh_copy_each_time(supervise: Any, start: Any) -> None:
    """As result() does, and the outcome is taken."""
    supervisor = supervise()

    def fail(_: Any) -> None:
        raise ToolFailed("words")

    async def main() -> None:
        handle = start(supervisor, fail)
        seen = []
        for _ in range(2):
            with pytest.raises(ToolFailed, match="words") as info:
                await handle
            seen.append(info.value)
        assert seen[0] is not seen[1]
        assert len(supervisor.owed) == 0
        with pytest.raises(AgentCrashed, match="KeyError"):
            await start(supervisor, lambda _: {}["x"])

    run(main())


def test_a_cancelled_await_ends_only_itself(supervise: Any, start: Any, gate: Any) -> None:
    """The agent runs on, another await of it goes on, and nothing is taken or left behind."""
    supervisor = supervise()

    async def main() -> None:
        handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
        first, second = asyncio.create_task(ending(handle)), asyncio.create_task(ending(handle))
        await waits_at(handle, 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await handle
        assert len(handle._cell.lazies[WAITERS]) == 1
        assert (str(handle.status), len(supervisor.owed)) == ("running", 1)
        gate.open()
        assert await second == 5

    run(main())


def test_a_task_that_is_cancelled_before_it_begins_takes_nothing(supervise: Any, start: Any) -> None:
    """Though the outcome is there."""
    supervisor = supervise()

    async def main() -> None:
        handle = start(supervisor, lambda _: 6)
        supervisor.wait_ended(handle._cell, BOUND)
        task = asyncio.create_task(ending(handle))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(supervisor.owed) == 1
        assert await handle == 6

    run(main())


def test_a_task_that_is_cancelled_once_it_is_woken_takes_nothing(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is open and its task has not run yet: the cancel wins, and the outcome stays owed."""
    supervisor = supervise()
    tasks: list[asyncio.Task[Any]] = []
    opened = LoopWaiter._open

    def open_and_cancel(waiter: LoopWaiter) -> None:
        opened(waiter)
        tasks[0].cancel()

    async def main() -> None:
        handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
        tasks.append(asyncio.create_task(ending(handle)))
        await waits_at(handle)
        with monkeypatch.context() as patch:
            patch.setattr(LoopWaiter, "_open", open_and_cancel)
            gate.open()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
        assert len(supervisor.owed) == 1
        assert await handle == 5
        assert len(supervisor.owed) == 0

    run(main())


def test_thousands_of_awaits_need_no_thread_each(make_pool: Any, gate: Any) -> None:
    """Nor one of the loop's executor: all are told, each of its own."""
    pool = make_pool(max_concurrent=2, max_queued=None)

    async def main() -> None:
        holding = [pool.submit(gate.hold) for _ in range(2)]
        handles = [pool.submit(int, n) for n in range(2000)]
        tasks = [asyncio.create_task(ending(handle)) for handle in handles]
        await waits_at(handles[-1])
        assert threading.active_count() < 10
        gate.open()
        assert await asyncio.gather(*tasks) == list(range(2000))
        assert await asyncio.gather(*holding) == [None, None]
        assert pool.outstanding_count == 0
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]

    run(main())


def test_the_standard_ways_to_await_several(make_pool: Any) -> None:
    """gather, wait_for, shield, as_completed and a TaskGroup take handles, or a coroutine that awaits one."""
    pool = make_pool(max_queued=None)

    async def main() -> None:
        handles = [pool.submit(int, n) for n in range(3)]
        assert await asyncio.gather(*handles) == [0, 1, 2]
        assert await asyncio.wait_for(pool.submit(int, 4), BOUND) == 4
        assert await asyncio.shield(pool.submit(int, 5)) == 5
        assert {await one for one in asyncio.as_completed(handles)} == {0, 1, 2}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ending(handle)) for handle in handles]
        assert [task.result() for task in tasks] == [0, 1, 2]

    run(main())


def test_a_task_group_that_fails_cancels_awaits_and_no_agent(make_pool: Any, gate: Any) -> None:
    """Its other agents run on; who wants them cancelled says so."""
    pool = make_pool()
    held: list[Any] = []

    async def main() -> None:
        held.append(pool.submit(gate.hold))
        with pytest.raises(ExceptionGroup) as info:
            async with asyncio.TaskGroup() as group:
                group.create_task(ending(held[0]))
                group.create_task(ending(pool.submit(int, "x")))
        assert isinstance(info.value.exceptions[0], AgentCrashed)
        assert str(held[0].status) == "running"

    run(main())
    gate.open()
    assert held[0].result(BOUND) is None


# Loops that end, and several of them -----------------------------------------------------------------------------


def test_a_loop_that_was_closed_harms_nobody(supervise: Any, start: Any, gate: Any, log_lines: list[str]) -> None:
    """The agent that ends wakes the others, and its thread goes on; the outcome is still owed."""
    supervisor = supervise(max_concurrent=1)
    handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
    loop = asyncio.new_event_loop()
    waiting = ending(handle)
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    assert len(handle._cell.lazies[WAITERS]) == 1
    loop.close()
    called = threading.Event()
    handle.add_done_callback(lambda _: called.set())
    gate.open()
    assert called.wait(BOUND)
    assert start(supervisor, lambda _: 6).result(BOUND) == 6
    assert handle.result(BOUND) == 5
    assert log_lines == []
    waiting.close()  # as the collector would
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    assert asyncio.run(ending(handle)) == 5


def test_a_loop_that_cannot_be_woken_is_told_of(log_lines: list[str]) -> None:
    """Whatever it raises, whoever wakes goes on."""

    class Broken:
        def call_soon_threadsafe(self, _: Any) -> None:
            raise ValueError("this loop is odd")

        def is_closed(self) -> bool:
            return False

    async def main() -> None:
        waiter = LoopWaiter()
        waiter._loop = Broken()  # type: ignore[assignment]
        waiter.wake()
        assert waiter.woken

    run(main())
    assert any("could not be woken" in line and "odd" in line for line in log_lines)


def test_two_loops_await_one_agent(supervise: Any, start: Any, gate: Any, in_thread: Callable[..., Any]) -> None:
    """Each in its thread: both get the result, and it is taken once."""
    supervisor = supervise()
    handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
    others = [in_thread(asyncio.run, ending(handle)) for _ in range(2)]

    async def main() -> int:
        await waits_at(handle, 2)
        task = asyncio.create_task(ending(handle))
        await waits_at(handle, 3)
        gate.open()
        return await task

    assert run(main()) == 5
    assert [other.result(BOUND) for other in others] == [5, 5]
    assert len(supervisor.owed) == 0


def test_without_a_loop_it_is_refused(supervise: Any, start: Any, gate: Any) -> None:
    """The message names what to use there; nothing is left behind."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    waiting = handle.__await__()
    with pytest.raises(RuntimeError, match=r"running asyncio loop .* handle\.result\(\)"):
        next(waiting)
    assert len(supervisor.owed) == 1
    gate.open()


# Agents with loops of their own -----------------------------------------------------------------------------------


def test_an_agent_awaits_its_child(make_pool: Any) -> None:
    """On a loop of its own, one slot for all: it is parked, also while several of its coroutines wait."""
    from actors import Agent, AgentManifest, SpawnConfig

    class Parent(Agent[int]):
        def run(self, query: int) -> int:
            if not query:
                return 1
            return asyncio.run(self.children(query - 1)) + 1

        async def children(self, query: int) -> int:
            config = SpawnConfig(AgentManifest(name="child"), query, agent=Parent)
            return sum(await asyncio.gather(self.spawn(config), self.spawn(config)))

    pool = make_pool(max_concurrent=1)
    assert pool.spawn(SpawnConfig(AgentManifest(name="parent"), 3, agent=Parent)).result(BOUND) == 15
    assert pool.stats().parked == 0


def test_a_cancelled_agent_leaves_its_await(supervise: Any, start: Any, gates: Any) -> None:
    """A cancel of the agent ends the wait of its loop."""
    supervisor = supervise()
    held, reached = gates(), gates()
    other = start(supervisor, held.hold)

    async def wait() -> None:
        reached.note()
        await other

    handle = start(supervisor, lambda _: asyncio.run(wait()))
    reached.await_reached()
    handle.cancel("enough")
    outcome = handle.outcome(BOUND)
    assert (str(outcome.status), outcome.error.reason) == ("cancelled", "enough")
    assert other.done() is False


def test_an_agent_that_awaits_itself_is_refused(supervise: Any, start: Any) -> None:
    """At once, as with result()."""
    supervisor = supervise()
    handles: list[Any] = []
    begun = threading.Event()

    def wait(_: Any) -> str:
        assert begun.wait(BOUND)
        with pytest.raises(DeadlockError):
            asyncio.run(ending(handles[0]))
        return "refused"

    handles.append(start(supervisor, wait))
    begun.set()
    assert handles[0].result(BOUND) == "refused"


# Join all ---------------------------------------------------------------------------------------------------------


def test_join_all_takes_all_and_later_spawns(make_pool: Any, gate: Any) -> None:
    """In the order of completion; the loop is free meanwhile."""
    pool = make_pool(max_queued=None)

    async def main() -> None:
        first = pool.submit(gate.hold)
        task = asyncio.create_task(pool.ajoin_all())
        await asyncio.sleep(0)
        second = pool.submit(int, 2)
        assert await asyncio.to_thread(second._supervisor.wait_ended, second._cell, BOUND)
        assert not task.done()
        gate.open()
        taken = await task
        assert list(taken) == [second.id, first.id]
        assert taken.unwrap() == {first.id: None, second.id: 2}
        assert await pool.ajoin_all() == {}

    run(main())


def test_join_all_that_takes_too_long_or_is_cancelled_takes_nothing(make_pool: Any, gate: Any) -> None:
    """``partial`` shows what is there; of a group only that group counts."""
    pool = make_pool(max_queued=None)

    async def main() -> None:
        held = pool.spawn(doing(lambda *_: gate.hold(), group="held"))
        done = pool.spawn(doing(lambda *_: 2, group="done"))
        pool._core.wait_ended(done._cell, BOUND)
        with pytest.raises(JoinTimeout) as info:
            await pool.ajoin_all(0.001)
        assert [one.result for one in info.value.partial.values()] == [2]
        task = asyncio.create_task(pool.ajoin_all())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool._core.owed._all == []
        assert pool.outstanding_count == 2
        assert list(await pool.ajoin_all(group="done")) == [done.id]
        gate.open()
        assert list(await pool.ajoin_all(BOUND)) == [held.id]

    run(main())


def test_join_all_may_take_the_rest_along(make_pool: Any, gate: Any) -> None:
    """The first that fails cancels the others; a join that is cancelled leaves no such rule behind."""
    pool = make_pool(max_queued=None)

    def fail(*_: Any) -> None:
        gate.hold()
        raise ToolFailed("no")

    async def main() -> None:
        waiting = pool.spawn(doing(lambda agent, _: agent.receive()))
        pool.spawn(doing(fail))
        task = asyncio.create_task(pool.ajoin_all(failure="cancel_rest"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool._core.owed._strict == []
        task = asyncio.create_task(pool.ajoin_all(failure="cancel_rest"))
        await asyncio.sleep(0)
        gate.open()
        taken = await task
        assert str(taken[waiting.id].status) == "cancelled"
        with pytest.raises(ValueError, match="failure must be"):
            await pool.ajoin_all(failure="all")

    run(main())


def test_join_all_inside_an_agent_is_refused(make_pool: Any) -> None:
    """It would wait for that agent."""
    pool = make_pool()
    with pytest.raises(AgentCrashed, match="DeadlockError"):
        pool.submit(lambda: asyncio.run(pool.ajoin_all())).result(BOUND)


# The block of a pool ----------------------------------------------------------------------------------------------


def test_an_async_block_drains_and_closes(gate: Any) -> None:
    """The loop is free meanwhile, and no thread is left when it has been left."""
    before = set(threading.enumerate())

    async def main() -> Any:
        async with AgentPool(max_queued=None) as pool:
            handle = pool.submit(gate.hold)
            opener = asyncio.get_running_loop().create_task(open_when_draining(pool))
        assert set(threading.enumerate()) == before
        await opener
        assert str(handle.status) == "completed"
        return pool, handle

    async def open_when_draining(pool: AgentPool) -> None:
        while pool._core.pool.phase == 0:
            await asyncio.sleep(0)
        with pytest.raises(PoolClosed):
            pool.submit(int)
        gate.open()

    pool, handle = run(main())
    assert handle.result(0) is None
    assert asyncio.run(ending(handle)) is None
    with pytest.raises(PoolClosed):
        pool.submit(int)


def test_an_async_block_that_is_left_by_an_error_aborts() -> None:
    """What still runs is cancelled, and the error goes on; who awaits an agent is told."""

    async def main() -> None:
        waiting: list[Any] = []
        with pytest.raises(KeyError, match="body"):
            async with AgentPool() as pool:
                waiting.append(pool.spawn(doing(lambda agent, _: agent.receive())))
                waiting.append(asyncio.create_task(ending(waiting[0])))
                await waits_at(waiting[0])
                raise KeyError("body")
        with pytest.raises(AgentCancelled, match="left by KeyError"):
            await waiting[1]

    run(main())


def test_a_cancel_while_it_drains_aborts(eventually: Any) -> None:
    """It waits for the end, and is raised again."""

    async def main() -> None:
        pools: list[AgentPool] = []

        async def block() -> None:
            async with AgentPool() as pool:
                pools.append(pool)
                pool.spawn(doing(lambda agent, _: agent.receive()))

        task = asyncio.create_task(block())
        while not pools or pools[0]._core.pool.phase == 0:
            await asyncio.sleep(0)
        assert pools[0].active_count == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pools[0].active_count == 0
        assert pools[0]._core.shutdown._finished.is_set()
        outcome = pools[0].join_next(0)
        assert outcome is not None
        assert "by a cancel" in str(outcome.error)

    run(main())


def test_a_second_cancel_while_it_closes_does_not_wait(gate: Any, eventually: Any) -> None:
    """The pool goes on closing by itself."""

    async def main() -> AgentPool:
        pools: list[AgentPool] = []

        async def block() -> None:
            async with AgentPool(abort_timeout=BOUND) as pool:
                pools.append(pool)
                pool.submit(gate.hold)

        task = asyncio.create_task(block())
        while not pools or not gate.reached:
            await asyncio.sleep(0)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pools[0]._core.is_closed
        assert not pools[0]._core.shutdown._finished.is_set()
        return pools[0]

    pool = run(main())
    gate.open()
    eventually(pool._core.shutdown._finished.is_set)


def test_a_block_whose_loop_is_gone_ends_by_itself(gate: Any, eventually: Any) -> None:
    """Nobody is left to wait for it, or to be told."""

    async def block() -> None:
        async with pool:
            pool.submit(gate.hold)

    pool = AgentPool()
    leaving = block()
    loop = asyncio.new_event_loop()
    task = loop.create_task(leaving)
    while not gate.reached or pool._core.pool.phase == 0:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    leaving.close()  # as the collector would
    assert pool.active_count == 1
    gate.open()
    eventually(pool._core.shutdown._finished.is_set)


def test_what_ends_with_the_pool_is_told_when_it_fails(log_lines: list[str], gate: Any, eventually: Any) -> None:
    """Raised by the block; by the log when nobody waits any more."""

    def fail() -> None:
        gate.hold()
        raise OSError("a server that does not end")

    async def block(pool: AgentPool) -> None:
        async with pool:
            pool._core.shutdown.at_end = fail

    async def main() -> None:
        left = asyncio.create_task(block(AgentPool(name="left")))
        while not gate.reached:
            await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        gate.open()
        with pytest.raises(OSError, match="does not end"):
            await block(AgentPool())

    run(main())
    eventually(lambda: any("left-end failed" in line and "does not end" in line for line in log_lines))


def test_a_system_that_gives_no_thread_closes_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Better than not at all."""

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    async def main() -> AgentPool:
        async with AgentPool() as pool:
            assert await pool.submit(int, 3) == 3
            monkeypatch.setattr(awaiting.threading, "Thread", NoThread)
        return pool

    assert run(main())._core.shutdown._finished.is_set()


def test_leaving_the_block_inside_an_agent_of_it_is_refused(make_pool: Any) -> None:
    """It would wait for that agent."""
    pool = make_pool()

    async def block() -> None:
        async with pool:
            pass

    with pytest.raises(AgentCrashed, match="DeadlockError"):
        pool.submit(lambda: asyncio.run(block())).result(BOUND)


# Another loop -----------------------------------------------------------------------------------------------------


def test_it_works_on_uvloop() -> None:
    """All of it."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with AgentPool(max_queued=None) as pool:
            assert await pool.submit(int, 3) == 3
            assert [outcome.result async for outcome in pool.amap(doing(answer, query=n) for n in range(30))] == list(
                range(30)
            )
            pool.submit(int, 4)
            assert list((await pool.ajoin_all()).unwrap().values()) == [4]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def answer(_: Any, query: Any) -> Any:
    """Done at once."""
    return query
