"""The private event loop: async code on behalf of a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from actors.core import fork
from actors.core import loop as loop_module
from actors.core.cancel import CancelToken, Deadline
from actors.core.loop import private_loop, relay, run
from actors.errors import Cancelled


async def where() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_one_private_thread() -> None:
    """Its value comes back; the second one uses the same loop, and no loop of the caller is touched."""
    assert run(where(), CancelToken()) == "actors-loop"
    assert private_loop() is private_loop()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_what_it_raises_comes_back() -> None:
    """As it is."""

    async def fail() -> None:
        raise KeyError("words")

    with pytest.raises(KeyError, match="words"):
        run(fail(), CancelToken())


def test_it_works_inside_a_running_loop() -> None:
    """A host that is async itself is not disturbed."""

    async def host() -> str:
        return await asyncio.to_thread(run, where(), CancelToken())

    assert asyncio.run(host()) == "actors-loop"


def test_a_cancel_ends_the_coroutine(in_thread: Any) -> None:
    """The caller gets Cancelled at once; the coroutine is cancelled where it waits, and may clean up."""
    token = CancelToken()
    begun, cleaned = threading.Event(), threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    waiting = in_thread(run, long(), token)
    assert begun.wait(10)
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        waiting.result(10)
    assert cleaned.wait(10)


def test_a_token_cancelled_before_runs_nothing_to_its_end() -> None:
    """Cancelled, and that it was a deadline is told."""
    clean: list[str] = []

    async def never() -> None:
        await asyncio.sleep(60)
        clean.append("ran to its end")

    token = CancelToken(Deadline.after(-1))
    assert token.cancelled
    with pytest.raises(Cancelled) as info:
        run(never(), token)
    assert info.value.timed_out
    assert clean == []


def test_a_cancel_that_comes_with_the_value_wins() -> None:
    """After a cancel the caller is to unwind, whatever the coroutine returned."""
    token = CancelToken()

    async def cancels() -> int:
        token.mark("as it returned")
        return 1

    with pytest.raises(Cancelled, match="as it returned"):
        run(cancels(), token)


def test_nothing_is_left_registered_on_the_token() -> None:
    """A token lives as long as its agent."""
    token = CancelToken()
    run(where(), token)
    assert not token._callbacks


def test_another_process_makes_its_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a forked child the parent's thread is not there: a new loop is made, once."""
    mine = private_loop()
    old = loop_module._private
    generation = fork.generation()
    monkeypatch.setattr(loop_module.fork, "generation", lambda: generation + 1)
    other = private_loop()
    try:
        assert other is not mine
        assert private_loop() is other
        assert run(where(), CancelToken()) == "actors-loop"
    finally:
        made = loop_module._private
        loop_module._private = old
        assert made is not None
        other.call_soon_threadsafe(other.stop)
        made.thread.join(10)
        other.close()


def test_pieces_come_in_order_in_the_callers_thread() -> None:
    """While the coroutine goes on; and its result comes after the last of them."""
    heard: list[tuple[int, int]] = []

    async def count(put: Any) -> str:
        for number in range(100):
            put(number)
            if number % 10 == 0:
                await asyncio.sleep(0)
        return "done"

    assert relay(count, lambda number: heard.append((number, threading.get_ident())), CancelToken()) == "done"
    assert heard == [(number, threading.get_ident()) for number in range(100)]


def test_who_hears_a_piece_may_end_it() -> None:
    """By an error, which comes out, or by a cancel: the coroutine is cancelled, and nothing more is heard."""
    cleaned, token = threading.Semaphore(0), CancelToken()
    heard: list[int] = []

    async def endless(put: Any) -> None:
        try:
            for number in range(3):
                put(number)
            await asyncio.sleep(60)
        finally:
            cleaned.release()

    def fail(number: int) -> None:
        raise KeyError(number)

    def cancel(number: int) -> None:
        heard.append(number)
        token.cancel("enough")

    with pytest.raises(KeyError):
        relay(endless, fail, CancelToken())
    with pytest.raises(Cancelled, match="enough"):
        relay(endless, cancel, token)
    assert heard == [0]
    assert cleaned.acquire(timeout=10)
    assert cleaned.acquire(timeout=10)


def test_blocking_jobs_of_the_loop_leave_no_thread(eventually: Any) -> None:
    """More of them than threads: all are done, with their results and errors, and then no thread is left."""
    gate, most = threading.Event(), threading.Semaphore(0)

    def job(number: int) -> int:
        most.release()
        assert gate.wait(10)
        if number == 7:
            raise KeyError(number)
        return number

    async def work() -> list[Any]:
        jobs = [asyncio.to_thread(job, number) for number in range(100)]
        return await asyncio.gather(*jobs, return_exceptions=True)

    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "actors-loop-job"]

    future = asyncio.run_coroutine_threadsafe(work(), private_loop())
    for _ in range(loop_module._FleetingThreads.MOST):
        assert most.acquire(timeout=10)
    assert len(names()) == loop_module._FleetingThreads.MOST
    gate.set()
    results = future.result(10)
    assert isinstance(results.pop(7), KeyError)
    assert results == [number for number in range(100) if number != 7]
    eventually(lambda: names() == [])
