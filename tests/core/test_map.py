"""The lazy map: bounded, in order if asked, and owed to its iterator alone."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors.core.supervision import map_line as map_module
from actors.core.supervision.map import MapIterator
from actors.errors import CapacityError, PoolClosed


@pytest.fixture
def mapped(spec: Any) -> Any:
    """``mapped(supervisor, items)``: an iterator whose agents return what ``fn(item, cell)`` returns."""

    def make(
        supervisor: Any,
        items: Any,
        fn: Any = lambda item, cell: item,
        *,
        ordered: bool = True,
        timeout: float | None = 10.0,
    ) -> MapIterator:
        return MapIterator(
            supervisor, items, lambda item: spec(lambda cell: fn(item, cell)), ordered=ordered, timeout=timeout
        )

    return make


def test_outcomes_come_in_the_order_of_the_source(supervise: Any, mapped: Any, gate: Any) -> None:
    """Whoever ends first."""
    second_done = threading.Event()

    def fn(item: int, cell: Any) -> int:
        if item == 0:
            assert second_done.wait(10)
        elif item == 1:
            second_done.set()
        return item

    outcomes = mapped(supervise(), range(5), fn)
    assert [outcome.result for outcome in outcomes] == [0, 1, 2, 3, 4]


def test_outcomes_come_in_the_order_of_completion_if_asked(supervise: Any, mapped: Any, gates: Any) -> None:
    """The last one first, if it ends first."""
    held = [gates() for _ in range(3)]
    outcomes = mapped(supervise(), range(3), lambda item, _: (held[item].hold(), item)[1], ordered=False)
    held[2].open()
    assert next(outcomes).result == 2
    held[0].open()
    assert next(outcomes).result == 0
    held[1].open()
    assert [outcome.result for outcome in outcomes] == [1]


@pytest.mark.parametrize("ordered", [True, False])
def test_the_source_is_read_lazily(supervise: Any, mapped: Any, ordered: bool) -> None:
    """Pulled and not yielded: never more than twice the slots and 16, however long the source; each exactly once."""
    supervisor = supervise(max_concurrent=2)
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for n in range(500):
            pulled.append(n)
            yield n

    seen = []
    for outcome in mapped(supervisor, source(), ordered=ordered):
        seen.append(outcome.result)
        assert len(pulled) - (len(seen) - 1) <= 2 * 2 + 16
    assert sorted(seen) == list(range(500))
    assert seen == sorted(seen) or not ordered


def test_nothing_is_pulled_before_the_first_step(supervise: Any, mapped: Any) -> None:
    """Making the iterator starts nobody."""
    supervisor = supervise()
    source = iter(range(3))
    mapped(supervisor, source)
    assert supervisor.pool.counts() == (0, 0)
    assert next(source) == 0


def test_its_agents_are_owed_to_it_alone(supervise: Any, mapped: Any) -> None:
    """No join of the pool sees them; they queue beyond its bound."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    outcomes = mapped(supervisor, range(10))
    next(outcomes)
    assert len(supervisor.owed) == 0
    assert supervisor.owed.next() is None
    assert len(list(outcomes)) == 9


def test_an_empty_source_yields_nothing(supervise: Any, mapped: Any) -> None:
    """And again nothing."""
    outcomes = mapped(supervise(), [])
    assert list(outcomes) == []
    assert list(outcomes) == []


# Time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
def test_a_step_that_takes_too_long_loses_nothing(supervise: Any, mapped: Any, gate: Any, ordered: bool) -> None:
    """TimeoutError for the step; the iterator goes on."""
    outcomes = mapped(supervise(), ["x"], lambda item, _: (gate.hold(), item)[1], ordered=ordered, timeout=0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"after 0\.01 s; the iterator" if ordered else "nothing is lost"):
            next(outcomes)
    gate.open()
    outcomes._steps.timeout = 10.0
    assert [outcome.result for outcome in outcomes] == ["x"]


def test_without_a_timeout_a_step_waits(supervise: Any, mapped: Any) -> None:
    """As long as it takes."""
    assert [o.result for o in mapped(supervise(), [1, 2], ordered=False, timeout=None)] == [1, 2]


# Failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_of_the_source_comes_after_what_was_admitted(supervise: Any, mapped: Any, ordered: bool) -> None:
    """Everything that was pulled is yielded, then the error, once."""

    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("source")

    outcomes = mapped(supervise(), source(), ordered=ordered)
    assert {next(outcomes).result, next(outcomes).result} == {1, 2}
    with pytest.raises(KeyError, match="source"):
        next(outcomes)
    assert list(outcomes) == []


def test_an_interrupt_in_the_source_is_raised_at_once(supervise: Any, mapped: Any) -> None:
    """Ctrl-C is nothing to keep for later; the iterator can go on."""
    steps = iter([1, KeyboardInterrupt(), 2])

    class Source:
        def __iter__(self) -> Source:
            return self

        def __next__(self) -> int:
            step = next(steps)
            if isinstance(step, BaseException):
                raise step
            return step

    outcomes = mapped(supervise(), Source())
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert [outcome.result for outcome in outcomes] == [1, 2]


@pytest.mark.parametrize("ordered", [True, False])
def test_an_interrupt_after_the_source_loses_no_item(supervise: Any, spec: Any, ordered: bool) -> None:
    """It was read, and is not admitted yet: the next step goes on with it."""
    interrupts = [KeyboardInterrupt]

    def make(item: int) -> Any:
        if item == 2 and interrupts:
            raise interrupts.pop()
        return spec(lambda _: item)

    outcomes = MapIterator(supervise(), range(5), make, ordered=ordered, timeout=10.0)
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert sorted(outcome.result for outcome in outcomes) == [0, 1, 2, 3, 4]


def test_a_pool_that_takes_nobody_ends_the_map_with_its_error(supervise: Any, mapped: Any) -> None:
    """No slots, or closed."""
    with pytest.raises(CapacityError):
        next(mapped(supervise(max_concurrent=0), [1]))
    closed = supervise()
    closed.shutdown.close()
    with pytest.raises(PoolClosed):
        next(mapped(closed, [1]))


# Closing early --------------------------------------------------------------------------------------------------


def test_closing_early_cancels_what_was_admitted(supervise: Any, mapped: Any, eventually: Any) -> None:
    """The source is closed, too, and nothing more is yielded."""
    supervisor = supervise()
    closed: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append("source")

    def fn(item: int, cell: Any) -> int:
        if item:
            cell.token.wait(10)
            cell.token.check()
        return item

    with mapped(supervisor, source(), fn) as outcomes:
        assert next(outcomes).result == 0
    assert closed == ["source"]
    assert list(outcomes) == []
    assert supervisor.shutdown.drain(10) is True
    assert supervisor.pool.roster.ended["cancelled"] == 23


def test_a_source_whose_close_fails_does_not_keep_its_agents_running(
    supervise: Any, mapped: Any, eventually: Any
) -> None:
    """The error is raised, and the agents are cancelled nevertheless."""
    supervisor = supervise()

    def source() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            raise KeyError("cleanup of the source")

    outcomes = mapped(supervisor, source(), lambda item, cell: item and (cell.token.wait(10), cell.token.check()))
    next(outcomes)
    with pytest.raises(KeyError):
        outcomes.close()
    assert supervisor.shutdown.drain(0.5) is True


def test_a_dropped_iterator_cancels_what_it_waits_for(supervise: Any, mapped: Any, eventually: Any) -> None:
    """Nobody will ever take those outcomes."""
    supervisor = supervise()
    outcomes = mapped(supervisor, range(5), lambda item, cell: item and (cell.token.wait(10), cell.token.check()))
    next(outcomes)
    del outcomes
    gc.collect()
    eventually(lambda: supervisor.pool.roster.is_idle())
    assert supervisor.pool.roster.ended["cancelled"] == 4


def test_a_finished_iterator_has_nothing_to_cancel(supervise: Any, mapped: Any, monkeypatch: Any) -> None:
    """Dropping it starts no thread."""
    started: list[Any] = []
    monkeypatch.setattr(map_module, "start_from_collector", lambda *args: started.append(args))
    outcomes = mapped(supervise(), [1])
    assert len(list(outcomes)) == 1
    del outcomes
    gc.collect()
    assert started == []


def test_an_unfinished_iterator_cancels_from_a_thread_of_its_own(
    supervise: Any, mapped: Any, monkeypatch: Any, gate: Any
) -> None:
    """Whoever drops it may hold the locks that a cancel needs: nothing is done in that thread."""
    started: list[Any] = []
    monkeypatch.setattr(map_module, "start_from_collector", lambda *args: started.append(args))
    supervisor = supervise()
    outcomes = mapped(supervisor, [0, 1], lambda item, cell: item and (gate.hold(), cell.token.check()))
    next(outcomes)
    gate.await_reached()
    with supervisor.turn:
        del outcomes
        gc.collect()
    ((cancel, _),) = started
    cancel()
    gate.open()
    assert supervisor.shutdown.drain(10)
    assert supervisor.pool.roster.ended["cancelled"] == 1


def waits(item: int, cell: Any) -> int:
    """The first ends at once, the others when they are cancelled."""
    if item:
        cell.token.wait(10)
        cell.token.check()
    return item


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("loop", ["for", "generator", "list"])
@pytest.mark.parametrize("where", ["body", "step", "late"])
def test_a_loop_that_is_left_by_an_error_cancels_what_it_runs(
    supervise: Any, mapped: Any, eventually: Any, monkeypatch: Any, loop: str, where: str, ordered: bool
) -> None:
    """Also while the traceback is kept, as a notebook does: no frame of ours in it holds the iterator."""
    supervisor = supervise()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def make() -> Any:
        return mapped(supervisor, range(5), waits, ordered=ordered, timeout=0.01 if where == "late" else 10.0)

    def around() -> Iterator[Any]:
        yield from make()

    def consume() -> None:
        if loop == "list":
            interrupts_at_the_wait()
            list(make())
        for outcome in around() if loop == "generator" else make():
            assert outcome.result == 0
            if where == "body":
                raise KeyboardInterrupt
            interrupts_at_the_wait()

    def interrupts_at_the_wait() -> None:
        if where == "step" or loop == "list":
            monkeypatch.setattr("actors.core.supervision.join_set.wait_for", interrupt)
            monkeypatch.setattr("actors.core.supervision.supervisor.wait_for", interrupt)

    gc.disable()
    try:
        with pytest.raises((KeyboardInterrupt, TimeoutError)) as info:
            consume()
        monkeypatch.undo()
        eventually(lambda: supervisor.pool.roster.is_idle())
    finally:
        gc.enable()
    assert info.value.__traceback__ is not None
    assert supervisor.pool.roster.ended["cancelled"] >= 4


def test_a_frame_that_is_kept_keeps_the_source_of_no_map(supervise: Any, mapped: Any, eventually: Any) -> None:
    """The source is let go of with the iterator, so that a generator is closed."""
    supervisor = supervise()
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    with pytest.raises(TimeoutError) as info:
        for _ in mapped(supervisor, source(), waits, timeout=0.001):
            pass
    assert info.value.__traceback__ is not None
    assert closed.wait(10)
    eventually(lambda: supervisor.pool.roster.is_idle())


def test_a_step_of_an_iterator_that_nobody_else_holds(supervise: Any, mapped: Any) -> None:
    """It is held until the step is over."""
    assert next(mapped(supervise(), [7])).result == 7
    assert mapped(supervise(), [8]).__next__().result == 8


def test_an_agent_may_map_over_its_own_pool(supervise: Any, start: Any, mapped: Any) -> None:
    """It parks while it waits: with one slot its map finishes, in either order."""
    supervisor = supervise(max_concurrent=1)
    for ordered in (True, False):
        handle = start(supervisor, lambda _, o=ordered: [x.result for x in mapped(supervisor, range(30), ordered=o)])
        assert sorted(handle.result(10)) == list(range(30))
