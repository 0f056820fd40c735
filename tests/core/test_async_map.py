"""The lazy map for coroutines: what the other one promises, and a cancel loses nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, CapacityError, FailurePolicy, PoolClosed
from actors.core.supervision.async_map import AsyncMapIterator
from actors.errors import ToolFailed

from .test_awaiting import BOUND, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

BOTH = pytest.mark.parametrize("ordered", [True, False])


@pytest.fixture
def mapped(spec: Any) -> Any:
    """``mapped(supervisor, items)``: an iterator whose agents return what ``fn(item, cell)`` returns."""

    def make(
        supervisor: Any,
        items: Any,
        fn: Any = lambda item, cell: item,
        *,
        ordered: bool = True,
        timeout: float | None = None,
        **more: Any,
    ) -> AsyncMapIterator[Any]:
        return AsyncMapIterator(
            supervisor, items, lambda item: spec(lambda cell: fn(item, cell)), ordered=ordered, timeout=timeout, **more
        )

    return make


async def counting(count: int, pulled: list[int] | None = None) -> AsyncIterator[int]:
    """An async source that gives way to others before each item."""
    for n in range(count):
        await asyncio.sleep(0)
        if pulled is not None:
            pulled.append(n)
        yield n


def hanging_but_first(item: int, cell: Any) -> int:
    """The first ends at once, the others when they are cancelled."""
    if item:
        cell.token.wait(BOUND)
        cell.token.check()
    return item


async def idle(supervisor: Any) -> None:
    """Let the loop run until nobody is left in the pool."""
    while not supervisor.pool.roster.is_idle():
        await asyncio.sleep(0)


# Order and laziness ---------------------------------------------------------------------------------------------


def test_outcomes_come_in_the_order_of_the_source(supervise: Any, mapped: Any) -> None:
    """Whoever ends first."""
    second_done = threading.Event()

    def fn(item: int, cell: Any) -> int:
        if item == 0:
            assert second_done.wait(BOUND)
        elif item == 1:
            second_done.set()
        return item

    async def main() -> list[int]:
        return [outcome.result async for outcome in mapped(supervise(), range(5), fn)]

    assert run(main()) == [0, 1, 2, 3, 4]


def test_outcomes_come_in_the_order_of_completion_if_asked(supervise: Any, mapped: Any, gates: Any) -> None:
    """The last one first, if it ends first."""
    held = [gates() for _ in range(3)]

    async def main() -> None:
        outcomes = mapped(supervise(), range(3), lambda item, _: (held[item].hold(), item)[1], ordered=False)
        for number in (2, 0, 1):
            held[number].open()
            assert (await anext(outcomes)).result == number
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)

    run(main())


@BOTH
@pytest.mark.parametrize("source", ["sync", "async"])
def test_the_source_is_read_lazily(supervise: Any, mapped: Any, ordered: bool, source: str) -> None:
    """Pulled and not yielded: never more than twice the slots and 16, however long the source; each exactly once."""
    pulled: list[int] = []

    def plain() -> Iterator[int]:
        for n in range(200):
            pulled.append(n)
            yield n

    async def main() -> None:
        items = plain() if source == "sync" else counting(200, pulled)
        outcomes = mapped(supervise(max_concurrent=2), items, ordered=ordered)
        await asyncio.sleep(0)
        assert pulled == []
        seen: list[int] = []
        async for outcome in outcomes:
            assert len(pulled) - len(seen) <= 2 * 2 + 16
            seen.append(outcome.result)
        assert sorted(seen) == list(range(200))
        assert seen == sorted(seen) or not ordered

    run(main())


@BOTH
def test_a_slow_source_holds_up_no_outcome(supervise: Any, mapped: Any, ordered: bool) -> None:
    """What was admitted is yielded while the next item is still awaited."""

    async def main() -> None:
        more = asyncio.Event()

        async def source() -> AsyncIterator[int]:
            yield 1
            await more.wait()
            yield 2

        outcomes = mapped(supervise(), source(), ordered=ordered)
        assert (await anext(outcomes)).result == 1
        more.set()
        assert [outcome.result async for outcome in outcomes] == [2]

    run(main())


def test_the_loop_is_free_when_all_outcomes_are_there(supervise: Any, mapped: Any) -> None:
    """Another task gets its turn at each step."""

    async def main() -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        supervisor = supervise()
        outcomes = mapped(supervisor, range(20))
        await anext(outcomes)
        supervisor.shutdown.drain(BOUND)
        before = turns
        assert len([outcome async for outcome in outcomes]) == 19
        assert turns - before >= 19
        task.cancel()

    run(main())


def test_its_agents_are_owed_to_it_alone(supervise: Any, mapped: Any) -> None:
    """No join of the pool sees them; they queue beyond its bound."""
    supervisor = supervise(max_concurrent=1, max_queued=0)

    async def main() -> None:
        outcomes = mapped(supervisor, range(10))
        await anext(outcomes)
        assert len(supervisor.owed) == 0
        assert len([outcome async for outcome in outcomes]) == 9
        assert [outcome async for outcome in outcomes] == []
        assert [outcome async for outcome in mapped(supervisor, [])] == []

    run(main())


# What goes wrong --------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("source", ["sync", "async"])
def test_an_error_of_the_source_comes_after_what_was_admitted(
    supervise: Any, mapped: Any, ordered: bool, source: str
) -> None:
    """Everything that was pulled is yielded, then the error, once."""

    def plain() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("source")

    async def waiting() -> AsyncIterator[int]:
        for one in plain():
            yield one

    async def main() -> None:
        outcomes = mapped(supervise(), plain() if source == "sync" else waiting(), ordered=ordered)
        assert {(await anext(outcomes)).result, (await anext(outcomes)).result} == {1, 2}
        with pytest.raises(KeyError, match="source"):
            await anext(outcomes)
        assert [outcome async for outcome in outcomes] == []

    run(main())


def test_a_source_that_is_cancelled_itself_is_no_end(supervise: Any, mapped: Any) -> None:
    """It is raised: results that are missing must not look like all of them."""

    async def source() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    async def main() -> None:
        outcomes = mapped(supervise(), source())
        assert (await anext(outcomes)).result == 1
        with pytest.raises(asyncio.CancelledError):
            await anext(outcomes)

    run(main())


def test_a_pool_that_takes_nobody_ends_it_with_its_error(supervise: Any, mapped: Any) -> None:
    """No slots, or closed."""
    closed = supervise()
    closed.shutdown.close()

    async def main() -> None:
        with pytest.raises(CapacityError):
            await anext(mapped(supervise(max_concurrent=0), [1]))
        with pytest.raises(PoolClosed):
            await anext(mapped(closed, counting(3)))

    run(main())


@pytest.mark.parametrize("source", ["sync", "async"])
def test_one_that_fails_takes_the_rest_along_if_asked(supervise: Any, mapped: Any, source: str) -> None:
    """The source is read no further, and closed; what was admitted is yielded."""
    pulled: list[int] = []

    def fn(item: int, cell: Any) -> None:
        if item == 1:
            raise ToolFailed("no")
        hanging_but_first(1, cell)

    async def main() -> None:
        async def endless() -> AsyncIterator[int]:
            try:
                async for n in counting(100, pulled):
                    if n == 3:
                        await asyncio.Event().wait()
                    yield n
            finally:
                pulled.append(-1)

        plain = ((pulled.append(n), n)[1] for n in range(100))
        outcomes = mapped(
            supervise(), plain if source == "sync" else endless(), fn, ordered=False, failure=FailurePolicy.CANCEL_REST
        )
        statuses = [str(outcome.status) async for outcome in outcomes]
        assert statuses.count("failed") == 1
        assert set(statuses) == {"failed", "cancelled"}
        assert len(pulled) < 100
        assert source == "sync" or pulled[-1] == -1

    run(main())


# Time, and cancels --------------------------------------------------------------------------------------------------


@BOTH
def test_a_step_that_takes_too_long_loses_nothing(supervise: Any, mapped: Any, gate: Any, ordered: bool) -> None:
    """TimeoutError for the step, of an agent or of the source; the iterator goes on."""

    async def main() -> None:
        more = asyncio.Event()

        async def source() -> AsyncIterator[str]:
            yield "x"
            await more.wait()
            yield "y"

        outcomes = mapped(supervise(), source(), lambda item, _: (gate.hold(), item)[1], ordered=ordered, timeout=0.01)
        for _ in range(2):
            with pytest.raises(TimeoutError, match=r"within 0\.0|after 0\.0"):
                await anext(outcomes)
        gate.open()
        outcomes._steps.timeout = BOUND
        assert (await anext(outcomes)).result == "x"
        outcomes._steps.timeout = 0.01
        with pytest.raises(TimeoutError, match="the source gave nothing"):
            await anext(outcomes)
        outcomes._steps.timeout = BOUND
        more.set()
        assert [outcome.result async for outcome in outcomes] == ["y"]

    run(main())


@BOTH
@pytest.mark.parametrize("source", ["sync", "async"])
def test_a_cancelled_step_loses_nothing(supervise: Any, mapped: Any, gate: Any, ordered: bool, source: str) -> None:
    """Cancelled before the wait, in it, and once its outcome is there: the iteration goes on with all of them."""

    async def main() -> None:
        supervisor = supervise(max_concurrent=8)
        items = range(6) if source == "sync" else counting(6)
        outcomes = mapped(supervisor, items, lambda item, _: (gate.hold(), item)[1], ordered=ordered)
        for steps in range(12):
            task = asyncio.ensure_future(anext(outcomes))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        gate.open()
        seen = []
        for steps in range(30):  # the outcomes are there, or come just now
            task = asyncio.ensure_future(anext(outcomes))
            for _ in range(steps % 4):
                await asyncio.sleep(0)
            task.cancel()
            try:
                seen.append((await task).result)
            except (asyncio.CancelledError, StopAsyncIteration):
                pass
        seen += [outcome.result async for outcome in outcomes]
        assert sorted(seen) == list(range(6))

    run(main())


def test_two_tasks_cannot_read_at_once(supervise: Any, mapped: Any, gate: Any) -> None:
    """The second is told, and the first goes on."""

    async def main() -> None:
        outcomes = mapped(supervise(), [1], lambda item, _: (gate.hold(), item)[1])
        task = asyncio.ensure_future(anext(outcomes))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one at a time"):
            await anext(outcomes)
        gate.open()
        assert (await task).result == 1

    run(main())


def test_it_goes_on_in_another_loop_unless_its_source_cannot(supervise: Any, mapped: Any) -> None:
    """A plain source belongs to no loop; an async one is read where it was begun."""
    supervisor = supervise()

    async def first_of(outcomes: Any) -> Any:
        return (await anext(outcomes)).result

    plain = mapped(supervisor, range(2))
    assert [run(first_of(plain)), run(first_of(plain))] == [0, 1]
    bound = mapped(supervisor, counting(30))
    assert run(first_of(bound)) == 0
    with pytest.raises(RuntimeError, match="another event loop"):
        run(first_of(bound))
    run(bound.aclose())
    assert supervisor.shutdown.drain(BOUND)


# Leaving it early -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["break", "error", "cancel", "aclose", "block"])
@pytest.mark.parametrize("source", ["sync", "async"])
def test_leaving_it_early_cancels_what_it_runs(supervise: Any, mapped: Any, how: str, source: str) -> None:
    """At once, and the source is closed; also while the error, with its traceback, is kept."""
    supervisor = supervise(max_concurrent=2)
    closed = threading.Event()

    def plain() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    async def waiting() -> AsyncIterator[int]:
        try:
            async for n in counting(100):
                yield n
        finally:
            closed.set()

    async def second() -> None:
        while supervisor.pool.roster.started < 2:
            await asyncio.sleep(0)

    async def leave() -> None:
        async for outcome in mapped(supervisor, plain() if source == "sync" else waiting(), hanging_but_first):
            assert outcome.result == 0
            await second()
            if how == "break":
                break
            if how == "error":
                raise KeyError("body")

    async def close() -> None:
        outcomes = mapped(supervisor, plain() if source == "sync" else waiting(), hanging_but_first)
        assert (await anext(outcomes)).result == 0
        await second()
        await outcomes.aclose()
        assert closed.is_set()
        assert [outcome async for outcome in outcomes] == []

    async def block() -> None:
        async with mapped(supervisor, plain() if source == "sync" else waiting(), hanging_but_first) as outcomes:
            async for _ in outcomes:
                await second()
                break
        assert closed.is_set()

    async def main() -> None:
        kept: BaseException | None = None
        gc.disable()
        try:
            if how == "cancel":
                task = asyncio.create_task(leave())
                while supervisor.pool.roster.started < 3:
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as info:
                    await task
                kept = info.value
            elif how == "error":
                with pytest.raises(KeyError) as error:
                    await leave()
                kept = error.value
            else:
                await {"break": leave, "aclose": close, "block": block}[how]()
            await idle(supervisor)
            await asyncio.sleep(0)
        finally:
            gc.enable()
        assert kept is None or kept.__traceback__ is not None
        assert closed.is_set()
        assert supervisor.pool.roster.ended["cancelled"] >= 1
        assert set(supervisor.pool.roster.ended) == {"completed", "cancelled"}

    run(main())


def test_it_may_be_let_go_while_a_step_is_awaited(supervise: Any, mapped: Any) -> None:
    """``await anext(pool.amap(...))``: the step holds it."""

    async def main() -> None:
        assert (await anext(mapped(supervise(), [7]))).result == 7

    run(main())


def test_closing_it_ends_a_step_of_another_task(supervise: Any, mapped: Any) -> None:
    """Nothing more is yielded."""

    async def main() -> None:
        outcomes = mapped(supervise(), range(1, 3), hanging_but_first)
        task = asyncio.ensure_future(anext(outcomes, "end"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await outcomes.aclose()
        assert await task == "end"

    run(main())


def test_a_source_whose_close_fails_does_not_keep_its_agents_running(supervise: Any, mapped: Any) -> None:
    """The error is raised, and the agents are cancelled nevertheless."""

    async def source() -> AsyncIterator[int]:
        try:
            async for n in counting(100):
                yield n
        finally:
            raise KeyError("cleanup of the source")

    async def main() -> None:
        supervisor = supervise()
        outcomes = mapped(supervisor, source(), hanging_but_first)
        assert (await anext(outcomes)).result == 0
        with pytest.raises(KeyError, match="cleanup"):
            await outcomes.aclose()
        await idle(supervisor)

    run(main())


def test_a_loop_that_ended_leaves_nobody_running(supervise: Any, mapped: Any, eventually: Any) -> None:
    """Let go of afterwards."""
    supervisor = supervise()
    made = [mapped(supervisor, counting(100), hanging_but_first)]

    async def main() -> None:
        await anext(made[0])

    run(main())
    made.clear()
    gc.collect()
    eventually(supervisor.pool.roster.is_idle)


# By the pool ------------------------------------------------------------------------------------------------------


def test_the_pool_makes_one(make_pool: Any) -> None:
    """With its failure policy, and configs of either kind."""
    from ..agent.doubles import doing

    pool: AgentPool = make_pool(max_queued=None)

    async def configs() -> AsyncIterator[Any]:
        for n in range(5):
            yield doing(lambda _, query: query, query=n)

    async def main() -> None:
        assert [outcome.result async for outcome in pool.amap(configs())] == list(range(5))
        with pytest.raises(ValueError, match="failure must be"):
            pool.amap([], failure="all")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not iterable"):
            pool.amap(5)  # type: ignore[arg-type]

    run(main())
