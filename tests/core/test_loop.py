"""The private event loop: async code on behalf of a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from actors.core import fork
from actors.core import loop as loop_module
from actors.core.cancel import CancelToken, Deadline
from actors.core.loop import private_loop, run
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
