"""The private event loop: async code on behalf of a thread."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections import deque
from concurrent.futures import CancelledError
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from actors.core.process import event_loop as loop_module, fork, given_up
from actors.core.process.event_loop import LoopLost, Room, finish, private_loop, relay, run
from actors.core.process.fleeting_threads import FleetingThreads
from actors.core.process.loop_thread import LoopThread
from actors.core.waiting.cancel import CancelToken, Deadline
from actors.errors import Cancelled, DeadlockError


async def where() -> str:
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_one_private_thread() -> None:
    """Its value comes back; the second one uses the same loop, and no loop of the caller is touched."""
    assert run(where(), CancelToken()) == "actors-loop"
    assert private_loop() is private_loop()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_a_loop_keeps_nothing_of_whoever_uses_it_first() -> None:
    """It is made in no context of anybody's: else it held the first agent, for as long as the process lasts."""

    class Mine:
        pass

    mine: ContextVar[Mine] = ContextVar("mine")

    def first() -> tuple[LoopThread, weakref.ref[Mine]]:
        mine.set(Mine())
        return LoopThread("actors-loop-of-a-test", "a test"), weakref.ref(mine.get())

    thread, kept = copy_context().run(first)
    try:
        gc.collect()
        assert kept() is None
    finally:
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread.thread.join(10)


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
    old = loop_module._threads[Room.MODELS]
    generation = fork.generation()
    monkeypatch.setattr(loop_module.fork, "generation", lambda: generation + 1)
    other = private_loop()
    try:
        assert other is not mine
        assert private_loop() is other
        assert run(where(), CancelToken()) == "actors-loop"
    finally:
        made = loop_module._threads[Room.MODELS]
        loop_module._threads[Room.MODELS] = old
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
    for _ in range(FleetingThreads.MOST):
        assert most.acquire(timeout=10)
    assert len(names()) == FleetingThreads.MOST
    gate.set()
    results = future.result(10)
    assert isinstance(results.pop(7), KeyError)
    assert results == [number for number in range(100) if number != 7]
    eventually(lambda: names() == [])


class HandLoop:
    """A loop whose turns and time are made by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ready: deque[tuple[Any, ...]] = deque()
        self.timers: list[tuple[Any, ...]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, *job: Any) -> None:
        self.ready.append(job)

    call_soon_threadsafe = call_soon

    def call_later(self, _: float, *job: Any) -> None:
        self.timers.append(job)

    def turn(self) -> None:
        job, *arguments = self.ready.popleft()
        job(*arguments)

    def ring(self) -> None:
        """The one timer is over."""
        (job,) = self.timers
        self.timers.clear()
        job[0](*job[1:])

    def run(self) -> None:
        """To the end."""
        while self.ready or self.timers:
            self.turn() if self.ready else self.ring()


class Noted:
    """Stands for a call, and notes its cancel."""

    def __init__(self, done: list[int], number: int) -> None:
        self._done, self._number = done, number

    def cancel(self) -> None:
        self._done.append(self._number)


class GivenUp(given_up.GivenUp):
    """On a loop that is turned by hand."""

    def __init__(self, hand: HandLoop, done: list[int]) -> None:
        super().__init__(hand)  # type: ignore[arg-type]
        self.hand = hand
        self.done = done

    def give(self, *numbers: int) -> None:
        """Each wakes the loop, which looks at the first wake only."""
        for number in numbers:
            self.add(Noted(self.done, number))  # type: ignore[arg-type]
        while self.hand.ready.count((self._wake,)) > 1:
            self.hand.ready.remove((self._wake,))


def test_a_few_calls_that_are_given_up_are_cancelled_at_once() -> None:
    """One in each turn of the loop; again and again, when there is time between them."""
    hand, done = HandLoop(), list[int]()
    given_up = GivenUp(hand, done)
    for first in (0, 4):
        given_up.give(*range(first, first + 4))
        for number in range(first, first + 4):
            hand.turn()
            assert done[-1] == number
        hand.run()
        hand.now += given_up.HOLD
    assert done == list(range(8))


def test_a_crowd_that_is_given_up_is_cancelled_when_no_more_come() -> None:
    """In order, one in each turn; while more come they are held back, but not for ever."""
    hand, done = HandLoop(), list[int]()
    given_up = GivenUp(hand, done)
    given_up.give(*range(6))
    for _ in range(5):
        hand.turn()
    assert (done, len(hand.timers)) == ([0, 1, 2, 3], 1)
    given_up.give(6)
    hand.ring()
    assert (len(done), len(hand.ready), len(hand.timers)) == (4, 0, 1)
    hand.ring()
    assert done[4:] == [4]
    hand.turn()
    assert done[4:] == [4, 5]
    hand.run()
    assert done == list(range(7))
    given_up.give(7)
    hand.turn()
    for number in range(8, 8 + given_up.HOLDS - 1):
        given_up.give(number)
        hand.ring()
        assert len(done) == 7
    hand.ring()
    hand.run()
    assert done == list(range(8 + given_up.HOLDS - 1))


def test_wakes_that_come_together_are_one() -> None:
    """The loop is busy then, with one call a turn; and an interrupt of who gave one up keeps nobody from waking it."""
    hand, done = HandLoop(), list[int]()
    given_up = GivenUp(hand, done)
    for number in range(3):
        given_up.add(Noted(done, number))  # type: ignore[arg-type]
    assert list(hand.ready) == [(given_up._wake,)] * 3
    for _ in range(3):
        hand.turn()
    assert done == [0]
    hand.run()
    assert done == [0, 1, 2]
    given_up._line.append(Noted(done, 3))  # type: ignore[arg-type]  # interrupted before it could wake the loop
    given_up.give(4)
    hand.run()
    assert done == [0, 1, 2, 3, 4]


def test_one_that_cannot_be_cancelled_keeps_no_other_from_it(log_lines: list[str]) -> None:
    """What it awaits may be anybody's; it is logged."""
    hand, done = HandLoop(), list[int]()
    given_up = GivenUp(hand, done)

    class Stubborn:
        def cancel(self) -> None:
            raise KeyError("no")

    for number in range(6):
        given_up.add(Stubborn() if number in {1, 5} else Noted(done, number))  # type: ignore[arg-type]
    hand.run()
    assert done == [0, 2, 3, 4]
    assert any("could not be cancelled" in line for line in log_lines)


def test_one_that_is_given_up_as_the_last_is_cancelled_is_not_forgotten() -> None:
    """Before the loop says that it is idle, or after: it is cancelled, once."""
    for late in (False, True):
        hand, done = HandLoop(), list[int]()
        given_up = GivenUp(hand, done)

        class Line(deque[Any]):
            looks = 0

            def __bool__(self) -> bool:
                Line.looks += 1
                empty = len(self) == 0
                if empty and Line.looks == (3 if late else 2):  # noqa: B023
                    given_up.give(1)  # noqa: B023
                return not empty

        given_up._line = Line()
        given_up.give(0)
        hand.run()
        assert done == [0, 1], late


def test_who_settles_waits_for_the_cleanup_of_what_was_given_up(eventually: Any) -> None:
    """A crowd, held back: all of it has cleaned up then. One that hangs is not waited for."""
    cleaned, begun = list[int](), threading.Semaphore(0)
    token, release = CancelToken(), threading.Event()

    async def work(number: int) -> None:
        begun.release()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)
            while number == 0 and not release.is_set():
                await asyncio.sleep(0.001)

    threads = [threading.Thread(target=lambda n=n: catch(lambda: run(work(n), token))) for n in range(20)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=10)
    token.cancel("enough")
    for thread in threads:
        thread.join(10)
    loop_module.settle(0.05)
    eventually(lambda: sorted(cleaned) == list(range(20)))
    private = loop_module._threads[Room.MODELS]
    assert not private.given_up.settled(10)
    release.set()
    loop_module.settle(10)
    assert private.given_up.settled(10)


def test_one_that_does_not_unwind_costs_those_who_settle_once(in_thread: Any, eventually: Any) -> None:
    """Its time counts from the cancel on: whoever comes later does not wait for it again."""
    begun, release, token = threading.Event(), threading.Event(), CancelToken()

    async def deaf() -> None:
        begun.set()
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    waiting = in_thread(lambda: catch(lambda: run(deaf(), token, Room.USERS)))
    assert begun.wait(10)
    token.cancel("enough")
    waiting.result(10)
    given_up = loop_module._threads[Room.USERS].given_up
    eventually(lambda: given_up._leaving)
    since = time.monotonic()
    loop_module.settle(0.5)
    assert time.monotonic() - since < 5
    eventually(lambda: given_up.settled(0.5))
    since = time.monotonic()
    for _ in range(20):
        loop_module.settle(0.5)
    assert time.monotonic() - since < 5
    assert not given_up.settled(1_000)
    release.set()
    eventually(lambda: given_up.settled(1_000))


def catch(call: Any) -> None:
    with pytest.raises(Cancelled):
        call()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_loop_ends_only_the_call(error: type[BaseException]) -> None:
    """It comes out where the call was waited for, and the loop goes on."""

    async def leave() -> None:
        await asyncio.sleep(0)
        raise error("by mistake")

    with pytest.raises(error, match="by mistake"):
        run(leave(), CancelToken())
    assert run(where(), CancelToken()) == "actors-loop"


@pytest.mark.parametrize("how", ["ends", "fails", "cancelled", "cancelled before", "not begun", "not made"])
def test_when_it_is_over_is_told_once(how: str, eventually: Any) -> None:
    """Whatever its end is: after the cleanup of what was cancelled, and also when nothing was begun."""
    told, token, order = list[str](), CancelToken(), list[str]()
    begun, held = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        if how == "fails":
            raise KeyError(how)
        if how == "cancelled":
            token.cancel("enough")
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)
                order.append("clean")

    def make(_: Any) -> Any:
        if how == "not made":
            raise KeyError(how)
        if how == "not begun":
            private_loop().call_soon_threadsafe(held.wait, 10)
            threading.Timer(0, token.cancel).start()
        return work()

    if how == "cancelled before":
        token.cancel("enough")

    def over() -> None:
        told.append(how)
        order.append("over")

    try:
        relay(make, print, token, over)
    except (KeyError, Cancelled):
        assert how != "ends"
    held.set()
    eventually(lambda: told == [how])
    assert run(where(), CancelToken()) == "actors-loop"
    assert order == (["clean", "over"] if how == "cancelled" else ["over"])
    assert begun.is_set() == (how in {"ends", "fails", "cancelled"})


def test_a_call_given_up_before_it_begins_is_not_begun() -> None:
    """Its coroutine is closed, and what its token's cancel said comes out."""
    held, begun = threading.Event(), threading.Event()
    token = CancelToken()

    async def work() -> None:
        begun.set()

    def make(_: Any) -> Any:
        private_loop().call_soon_threadsafe(held.wait, 10)
        token.cancel("too late")
        return work()

    with pytest.raises(Cancelled, match="too late"):
        relay(make, print, token)
    held.set()
    assert run(where(), CancelToken()) == "actors-loop"
    assert not begun.is_set()


def test_a_coroutine_that_cancels_itself_is_an_error() -> None:
    """Not a cancel of the agent: nobody asked for one."""

    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        run(work(), CancelToken())


# Loops that end, or are held ------------------------------------------------------------------------------------


def _stop() -> None:
    asyncio.get_running_loop().stop()


async def _stop_in_a_task() -> None:
    _stop()


async def _exit_in_a_task() -> None:
    raise SystemExit("a task left")


def _exit() -> None:
    raise SystemExit("a callback left")


def _interrupt() -> None:
    raise KeyboardInterrupt


def _break() -> None:
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    real = selector.select

    def broken(*_: Any) -> Any:
        selector.select = real
        raise OSError("no such descriptor")

    selector.select = broken  # it raises through run_forever


ENDS = {
    "stop": _stop,
    "stop in a task": lambda: asyncio.ensure_future(_stop_in_a_task()),
    "exit": _exit,
    "exit in a task": lambda: asyncio.ensure_future(_exit_in_a_task()).add_done_callback(lambda done: done.exception()),
    "interrupt": _interrupt,
    "broken": _break,
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("room", Room)
def test_a_loop_that_ends_is_replaced(how: str, room: Room, in_thread: Any, eventually: Any) -> None:
    """Whatever ended it: what was in flight there ends with an error, cleans up, and the next call is answered."""
    begun, cleaned, over = threading.Event(), threading.Event(), threading.Event()
    old = private_loop(room)

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(600)
        finally:
            cleaned.set()

    waiting = in_thread(lambda: relay(lambda _: long(), print, CancelToken(), over.set, room=room))
    assert begun.wait(10)
    old.call_soon_threadsafe(ENDS[how])
    with pytest.raises(LoopLost, match=r"the event loop of .* was (stopped|ended by)"):
        waiting.result(10)
    assert run(where(), CancelToken(), room) == room.value
    assert private_loop(room) is not old
    assert over.wait(10)
    assert cleaned.wait(10)
    eventually(old.is_closed)


def test_a_loop_that_was_closed_is_replaced(in_thread: Any) -> None:
    """By whoever has stopped it first."""
    thread = loop_module._thread_of(Room.USERS)
    begun = threading.Event()

    async def close() -> None:
        begun.set()
        loop: Any = asyncio.get_running_loop()
        loop._thread_id = None  # as if it did not run: nobody else gets past this check
        loop.close()

    with pytest.raises(LoopLost):
        run(close(), CancelToken(), Room.USERS)
    assert begun.is_set()
    thread.thread.join(10)
    assert run(where(), CancelToken(), Room.USERS) == Room.USERS.value


def test_a_loop_that_cannot_be_closed_is_over_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has closed what it waits with, say: who called is told that it is over, and so is who counts threads."""
    over, ended = threading.Event(), threading.Event()
    thread = loop_module._thread_of(Room.USERS)
    thread.when_ended(ended.set)
    real = thread.loop.close

    def close() -> None:
        real()
        raise RuntimeError("Selector is closed")

    async def stop() -> None:
        monkeypatch.setattr(thread.loop, "close", close)
        thread.loop.stop()
        await asyncio.sleep(600)

    with pytest.raises(LoopLost):
        relay(lambda _: stop(), print, CancelToken(), over.set, room=Room.USERS)
    assert over.wait(10)
    assert ended.wait(10)
    assert run(where(), CancelToken(), Room.USERS) == Room.USERS.value


def test_who_runs_another_loop_inside_harms_no_later_call() -> None:
    """asyncio forgets which loop runs in the thread; the next call finds it again."""

    async def nested() -> str:
        asyncio._set_running_loop(None)
        other = asyncio.new_event_loop()
        try:
            return other.run_until_complete(asyncio.sleep(0.001, "inner"))
        finally:
            other.close()

    async def sleeps() -> str:
        await asyncio.sleep(0.001)
        return "slept"

    for _ in range(3):
        assert run(nested(), CancelToken(), Room.USERS) == "inner"
        assert run(sleeps(), CancelToken(), Room.USERS) == "slept"


def test_each_room_has_a_loop_of_its_own() -> None:
    """A coroutine that blocks in one holds up none in the others."""
    held, begun = threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        held.wait(10)

    blocked = threading.Thread(target=lambda: run(block(), CancelToken(), Room.USERS))
    blocked.start()
    assert begun.wait(10)
    assert [run(where(), CancelToken(), room) for room in (Room.MODELS, Room.TOOLS)] == [
        Room.MODELS.value,
        Room.TOOLS.value,
    ]
    held.set()
    blocked.join(10)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop is taken for held at once."""
    monkeypatch.setattr(loop_module, "UNWINDS", 0.05)
    monkeypatch.setattr(loop_module, "HELD", 0.05)


@pytest.mark.usefixtures("soon")
def test_a_loop_that_is_held_past_a_time_is_left_behind(in_thread: Any, eventually: Any) -> None:
    """By a coroutine that blocks: its caller is free, others that ran there are told, those that had not begun begin
    on a new one; and the old one ends when it is free.
    """
    held, blocks, waits, token = threading.Event(), threading.Event(), threading.Event(), CancelToken()
    old = loop_module._thread_of(Room.USERS)

    async def wait() -> None:
        waits.set()
        await asyncio.sleep(600)

    async def block() -> None:
        blocks.set()
        held.wait(30)

    beside = in_thread(run, wait(), CancelToken(), Room.USERS)
    assert waits.wait(10)
    blocking = in_thread(run, block(), token, Room.USERS)
    assert blocks.wait(10)
    late = in_thread(run, where(), CancelToken(), Room.USERS)
    eventually(lambda: len(old._calls) == 3)
    token.cancel("its time is over")
    with pytest.raises(Cancelled, match="its time is over"):
        blocking.result(10)
    with pytest.raises(LoopLost, match=r"was held by the coroutine .*block, which blocks"):
        beside.result(10)
    assert late.result(10) == Room.USERS.value
    assert loop_module._thread_of(Room.USERS) is not old
    assert old.thread.is_alive()
    held.set()
    old.thread.join(10)
    assert old.loop.is_closed()


@pytest.mark.usefixtures("soon")
def test_one_that_was_not_begun_and_is_cancelled_is_closed() -> None:
    """On a loop that was left behind, too: it is told that it is over."""
    held, blocks, over = threading.Event(), threading.Event(), threading.Event()

    async def block() -> None:
        blocks.set()
        held.wait(30)

    blocking = threading.Thread(target=lambda: catch_lost(lambda: run(block(), CancelToken(), Room.USERS)))
    blocking.start()
    assert blocks.wait(10)
    old = loop_module._thread_of(Room.USERS)
    with pytest.raises(Cancelled):
        relay(lambda _: where(), print, CancelToken(Deadline.after(0.05)), over.set, room=Room.USERS)
    assert over.is_set()  # it was left behind for its sake
    held.set()
    blocking.join(10)
    old.thread.join(10)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("how", ["cleans up for long", "blocks as it cleans up"])
def test_a_cleanup_that_blocks_holds_the_loop_too(how: str, eventually: Any) -> None:
    """One that only takes long does not."""
    held, blocks = threading.Event(), threading.Event()
    old = loop_module._thread_of(Room.USERS)

    async def work() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            if how == "blocks as it cleans up":
                blocks.set()
                held.wait(30)
            else:
                while not held.is_set():
                    await asyncio.sleep(0.001)

    with pytest.raises(Cancelled):
        run(work(), CancelToken(Deadline.after(0.05)), Room.USERS)
    assert old.is_over == blocks.is_set() == (how == "blocks as it cleans up")
    assert run(where(), CancelToken(), Room.USERS) == Room.USERS.value
    held.set()
    if old.is_over:
        old.thread.join(10)
    else:
        eventually(lambda: old.given_up.settled(10))


def test_a_loop_cannot_wait_for_itself() -> None:
    """An error at once, and no wait for ever."""

    async def outer() -> Any:
        inner = where()
        try:
            return run(inner, CancelToken(), Room.USERS)
        finally:
            assert inner.cr_frame is None  # closed

    with pytest.raises(DeadlockError, match="would wait for that loop: await"):
        run(outer(), CancelToken(), Room.USERS)


def catch_lost(call: Any) -> None:
    with pytest.raises(LoopLost):
        call()


def test_who_waits_has_an_end_of_its_own(in_thread: Any) -> None:
    """Whatever has become of the loop."""
    held = threading.Event()
    private_loop().call_soon_threadsafe(held.wait, 30)
    try:
        with pytest.raises(LoopLost, match=r"did not end a call within 0\.05 s"):
            run(where(), CancelToken(), within=0.05)
        with pytest.raises(TimeoutError):
            finish(where(), 0.05)
    finally:
        held.set()
    assert run(where(), CancelToken(), within=30) == "actors-loop"
    assert finish(where(), 30) == "actors-loop"


def test_a_task_factory_that_fails_is_an_error() -> None:
    """And no wait for ever."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise KeyError("no task")

    async def break_it() -> None:
        asyncio.get_running_loop().set_task_factory(refuse)

    run(break_it(), CancelToken(), Room.USERS)
    try:
        with pytest.raises(KeyError, match="no task"):
            run(where(), CancelToken(), Room.USERS)
    finally:
        private_loop(Room.USERS).set_task_factory(None)


# Patience -------------------------------------------------------------------------------------------------------


def test_patience_ends_a_call() -> None:
    """Nothing came in time: None, and the coroutine is cancelled. It is asked anew before each wait."""
    cleaned, asked, heard = threading.Event(), list[int](), list[int]()

    async def slow(put: Any) -> str:
        try:
            put(1)
            await asyncio.sleep(600)
        finally:
            cleaned.set()
        return "done"

    def patience() -> float | None:
        asked.append(len(heard))
        return 600.0 if not heard else 0.01

    assert relay(slow, heard.append, CancelToken(), patience=patience) is None
    assert heard == [1]
    assert asked[-1] == 1
    assert cleaned.wait(10)


def test_patience_begins_anew_with_each_item() -> None:
    """Items that come one by one, all within it, though together they take longer; and without end it waits on."""
    heard, now = list[int](), [0.0]

    async def drip(put: Any) -> str:
        for number in range(5):
            await turns.get()
            put(number)
        return "done"

    turns: asyncio.Queue[int] = asyncio.Queue()
    asked = threading.Semaphore(0)

    def patience() -> float | None:
        asked.release()
        private_loop().call_soon_threadsafe(turns.put_nowait, 1)  # the next item comes because it is waited for
        return 30.0

    assert relay(drip, heard.append, CancelToken(), patience=patience) == "done"
    assert heard == [0, 1, 2, 3, 4]
    assert relay(drip_once, heard.append, CancelToken(), patience=lambda: None) == "done"
    assert now == [0.0]


async def drip_once(put: Any) -> str:
    await asyncio.sleep(0)
    put(5)
    return "done"


def test_what_has_come_wins_over_patience() -> None:
    """An item, and the end, that are there when the time is over."""
    heard = list[int]()

    async def quick(put: Any) -> str:
        put(1)
        return "done"

    assert relay(quick, heard.append, CancelToken(), patience=lambda: 30.0 if not heard else 0.0) in ("done", None)
    assert heard == [1]
