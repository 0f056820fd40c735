"""The caller's view of one agent."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any

import pytest

from actors.core.scheduling.agent_cell import WAITERS
from actors.errors import AgentCancelled, AgentCrashed, ToolFailed


def test_it_shows_where_the_agent_is(supervise: Any, start: Any, gate: Any) -> None:
    """queued, running, and the word of the outcome."""
    supervisor = supervise(max_concurrent=1)
    first, second = start(supervisor, gate.hold, name="first"), start(supervisor, name="second")
    gate.await_reached()
    assert (first.id, first.name, str(first.status), first.done()) == (1, "first", "running", False)
    assert (second.id, second.name, str(second.status)) == (2, "second", "queued")
    assert repr(second) == "<AgentHandle 2 'second' queued>"
    gate.open()
    first.outcome(10)
    assert (str(first.status), first.done()) == ("completed", True)


def test_waiting_runs_out_and_loses_nothing(supervise: Any, start: Any, gate: Any) -> None:
    """TimeoutError says where it stands; the outcome is still owed."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    gate.await_reached()
    for wait in (handle.outcome, handle.result):
        for timeout in (0, 0.001):
            with pytest.raises(TimeoutError, match=r"agent 1 \(job\) is still running"):
                wait(timeout)
    assert handle._cell.lazies[WAITERS] == []
    assert len(supervisor.owed) == 1
    gate.open()
    assert handle.result(10) is None
    assert len(supervisor.owed) == 0


def test_an_end_just_as_the_time_runs_out_is_seen(supervise: Any, start: Any, gate: Any, monkeypatch: Any) -> None:
    """The wait ran out; the agent ended before the last look."""
    from actors.core.supervision import supervisor as supervisor_module

    supervisor = supervise()
    handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
    done = threading.Event()
    handle.add_done_callback(lambda _: done.set())

    def late(*_: Any) -> bool:
        gate.open()
        return not done.wait(10)

    monkeypatch.setattr(supervisor_module, "wait_for", late)
    assert handle.result(1) == 5


def test_result_raises_a_fresh_copy_each_time(supervise: Any, start: Any) -> None:
    """The agent's own error, or what became of it."""

    def fail(_: Any) -> None:
        raise ToolFailed("words")

    handle = start(supervise(), fail)
    seen = []
    for _ in range(2):
        with pytest.raises(ToolFailed, match="words") as info:
            handle.result(10)
        seen.append(info.value)
    assert seen[0] is not seen[1]
    assert seen[0] is not handle.outcome(0).error


# Callbacks ------------------------------------------------------------------------------------------------------


def test_a_callback_runs_once_after_the_outcome_is_there(supervise: Any, start: Any, gate: Any) -> None:
    """With the handle; taking is not part of it."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    seen: list[Any] = []
    called = threading.Event()
    handle.add_done_callback(lambda h: (seen.append((h is handle, h.done(), h.outcome(0).status)), called.set()))
    gate.open()
    assert called.wait(10)
    assert seen == [(True, True, "completed")]


def test_a_callback_takes_nothing(supervise: Any, start: Any) -> None:
    """The outcome stays owed."""
    supervisor = supervise()
    called = threading.Event()
    start(supervisor).add_done_callback(lambda _: called.set())
    assert called.wait(10)
    assert len(supervisor.owed) == 1


def test_a_late_callback_runs_at_once_in_the_callers_thread(supervise: Any, start: Any) -> None:
    """When the agent has ended."""
    handle = start(supervise())
    handle.result(10)
    seen: list[int] = []
    handle.add_done_callback(lambda _: seen.append(threading.get_ident()))
    assert seen == [threading.get_ident()]


def test_a_failing_callback_harms_nobody(supervise: Any, start: Any, gate: Any, log_lines: list[str]) -> None:
    """It is logged; the others run; the worker goes on."""
    supervisor = supervise(max_concurrent=1)
    handle = start(supervisor, gate.hold)
    called = threading.Event()

    def fail(_: Any) -> None:
        raise SystemExit("callback")

    handle.add_done_callback(fail)
    handle.add_done_callback(lambda _: called.set())
    gate.open()
    assert called.wait(10)
    assert start(supervisor, lambda _: 1).result(10) == 1
    assert any("a done callback of agent 1 (job) failed" in line and "SystemExit" in line for line in log_lines)


def test_a_slow_callback_holds_nobody_who_got_the_slot(supervise: Any, start: Any, gates: Any) -> None:
    """The worker that calls it does not take the next agent first."""
    supervisor = supervise(max_concurrent=1)
    running, slow = gates(), gates()
    handle = start(supervisor, running.hold)
    handle.add_done_callback(slow.hold)
    following = start(supervisor, lambda _: "went on")
    running.open()
    slow.await_reached()
    assert following.result(10) == "went on"
    slow.open()


# Futures --------------------------------------------------------------------------------------------------------


def test_it_has_a_standard_future(supervise: Any, start: Any, gate: Any) -> None:
    """The same one each time; running until the end; reading it takes nothing."""
    supervisor = supervise()
    handle = start(supervisor, lambda _: (gate.hold(), 5)[1])
    future = handle.future
    assert handle.future is future
    assert isinstance(future, concurrent.futures.Future)
    assert future.running()
    with pytest.raises(TimeoutError):
        future.result(0)
    gate.open()
    assert concurrent.futures.wait([future], timeout=10).done == {future}
    assert future.result(10) == 5
    assert future.exception() is None
    assert handle.done()
    assert len(supervisor.owed) == 1


def test_the_future_of_an_ended_agent_is_done(supervise: Any, start: Any) -> None:
    """Made late, settled at once."""
    handle = start(supervise(), lambda _: 5)
    handle.result(10)
    assert handle.future.done()
    assert handle.future.result(0) == 5


def test_a_future_that_two_threads_make_is_one(supervise: Any, start: Any, monkeypatch: Any) -> None:
    """Somebody else makes it between the look and the making."""
    from actors.core.supervision import handle as handle_module

    handle = start(supervise(), lambda _: 5)
    handle.result(10)
    real = handle_module.AgentFuture
    others: list[Any] = []

    def make(*owner: Any) -> Any:
        monkeypatch.setattr(handle_module, "AgentFuture", real)
        others.append(handle.future)
        return real(*owner)

    monkeypatch.setattr(handle_module, "AgentFuture", make)
    assert handle.future is others[0]
    assert handle.future.result(0) == 5


def test_its_error_is_a_fresh_copy(supervise: Any, start: Any) -> None:
    """Raised or looked at."""

    def crash(_: Any) -> None:
        raise KeyError("words")

    future = start(supervise(), crash).future
    with pytest.raises(AgentCrashed, match="words") as info:
        future.result(10)
    error = future.exception(10)
    assert isinstance(error, AgentCrashed)
    assert error is not info.value
    assert error is not future.exception(10)


def test_cancelling_the_future_cancels_the_agent(supervise: Any, start: Any, gate: Any) -> None:
    """It is done when the agent has ended, no earlier; afterwards a cancel is False."""
    handle = start(supervise(), lambda cell: (gate.hold(), cell.token.check()))
    gate.await_reached()
    future = handle.future
    assert future.cancel() is True
    assert not future.done()
    gate.open()
    with pytest.raises(AgentCancelled, match="its future was cancelled"):
        future.result(10)
    assert future.cancel() is False


def test_asyncio_can_wait_for_it(supervise: Any, start: Any) -> None:
    """A value, an error, and a cancel from the event loop's side."""
    supervisor = supervise()

    def fail(_: Any) -> None:
        raise ToolFailed("words")

    def sleep(cell: Any) -> None:
        cell.token.wait(10)
        cell.token.check()

    sleeper = start(supervisor, sleep)

    async def main() -> Any:
        value = await asyncio.wrap_future(start(supervisor, lambda _: 5).future)
        with pytest.raises(ToolFailed):
            await asyncio.wrap_future(start(supervisor, fail).future)
        waiting = asyncio.wrap_future(sleeper.future)
        _, pending = await asyncio.wait({waiting}, timeout=0.01)
        assert pending == {waiting}
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return value

    assert asyncio.run(main()) == 5
    assert sleeper.outcome(10).status == "cancelled"
