"""The private event loop: one thread for the process, made on first use, for code that is async."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...errors import Cancelled
from ..crash import report
from ..waiting.waiter import Waiter
from . import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..waiting.cancel import CancelToken

T = TypeVar("T")
ItemT = TypeVar("ItemT")


class _FleetingThreads(ThreadPoolExecutor):
    """Runs the blocking jobs of the loop (a name to be looked up) on threads that end when nothing is left to do.

    Those of an ordinary executor stay for ever, and after a pool is closed no thread is to be left but the loop's.

    Locks: ``_changing`` guards ``_jobs`` and ``_busy``.
    """

    MOST = 32

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # asyncio insists on the class; its own threads are never started
        self._changing = threading.Lock()
        self._jobs: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it as soon as a thread is free."""
        future: Future[Any] = Future()
        with self._changing:
            self._jobs.append((future, partial(fn, *args, **kwargs)))
            if self._busy == self.MOST:
                return future
            self._busy += 1
        try:
            threading.Thread(target=self._work, name="actors-loop-job", daemon=True).start()
        except RuntimeError as error:  # no thread can be started: one that works already may do it
            with self._changing:
                self._busy -= 1
                if not self._busy:
                    self._fail_all(error)
        return future

    def _fail_all(self, error: RuntimeError) -> None:
        while self._jobs:
            future, _ = self._jobs.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _work(self) -> None:
        while True:
            with self._changing:
                if not self._jobs:
                    self._busy -= 1
                    return
                future, job = self._jobs.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(job())
                except BaseException as error:  # noqa: BLE001 - it is the awaiter's
                    future.set_exception(error)
            del future, job


class _GivenUp:
    """Cancels the calls that nobody waits for any more: a few at once, a crowd when no more come.

    To unwind one takes the loop most of a millisecond. When hundreds are given up together, those who waited for them
    go first: else the loop would hold the interpreter lock against each of them.

    Threads: any for :meth:`add` and :meth:`settled`; all else is on the loop.
    """

    FEW = 4
    """So many are cancelled at once, in any :data:`HOLD`."""
    HOLD = 0.01
    """Seconds without another one after which the others are."""
    HOLDS = 10
    """After so many they are cancelled in any case."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line: deque[_Call[Any]] = deque()
        self._called = False
        self._since = float("-inf")
        self._taken = 0
        self._leaving: set[asyncio.Task[Any]] = set()

    def add(self, call: _Call[Any]) -> None:
        """Have *call* cancelled."""
        self._line.append(call)
        if not self._called:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        # Set here, on the loop: an interrupt of who adds one leaves nothing behind that keeps others from calling.
        if not self._called:
            self._called = True
            self._begin()

    def _begin(self) -> None:
        now = self._loop.time()
        if now - self._since >= self.HOLD:
            self._since, self._taken = now, 0
        if self._taken == self.FEW:
            self._hold(0, 0)
        elif not self._is_idle():
            self._taken += 1
            self._loop.call_soon(self._begin)
            self._cancel_one()

    def _hold(self, seen: int, holds: int) -> None:
        count = len(self._line)
        if count > seen and holds < self.HOLDS:
            self._loop.call_later(self.HOLD, self._hold, count, holds + 1)
        else:
            self._cancel_all()

    def _cancel_all(self) -> None:
        if not self._is_idle():
            self._loop.call_soon(self._cancel_all)  # between two turns the loop lets go of the interpreter lock
            self._cancel_one()

    def _is_idle(self) -> bool:
        if not self._line:
            self._called = False
            if not self._line:  # looked at again: who added one before that relies on us
                return True
            self._called = True
        return False

    def _cancel_one(self) -> None:
        try:
            task = self._line.popleft().cancel()
        except Exception:  # noqa: BLE001 - what it awaits may be anybody's; the others are cancelled all the same
            report("a call on the private loop could not be cancelled")
            return
        if task is not None and not task.done():
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def settled(self) -> bool:
        """Is there nobody who is still to unwind?"""
        return not (self._line or self._leaving)

    async def settle(self) -> None:
        """Cancel those who still wait for it, and wait until all have unwound."""
        while self._line:
            self._cancel_one()
            await asyncio.sleep(0)
        if self._leaving:
            await asyncio.wait(self._leaving)


class _Call(Generic[T]):
    """One coroutine on the private loop, and the thread that waits for it.

    Args:
        when_over: Called once when it is really over, or will never begin, on the loop.
    """

    __slots__ = ("_bell", "_coroutine", "_ended_by", "_given_up", "_private", "_task", "_when_over", "over")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], bell: _Bell, private: _PrivateLoop, when_over: Callable[[], object]
    ) -> None:
        self.over = False
        self._bell = bell
        self._coroutine = coroutine
        self._ended_by: BaseException | None = None
        self._given_up = False
        self._private = private
        self._task: asyncio.Task[Any] | None = None
        self._when_over = when_over
        private.loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._given_up:
            self._coroutine.close()
            self._when_over()
            return
        self._task = self._private.loop.create_task(self._run())
        self._task.add_done_callback(self._end)

    async def _run(self) -> Any:
        try:
            return await self._coroutine
        except (SystemExit, KeyboardInterrupt) as error:  # through a task they would end the loop, for everybody
            self._ended_by = error

    def _end(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._coroutine.close()  # it may not have begun
        else:
            task.exception()  # seen, also when nobody waits for it any more
        self._when_over()
        self.over = True
        self._bell.ring()

    def give_up(self) -> None:
        """Have it cancelled; its cleanup is not waited for."""
        self._given_up = True
        self._private.given_up.add(self)

    def cancel(self) -> asyncio.Task[Any] | None:
        """Cancel it, on the loop; what unwinds now, if it has begun."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def result(self) -> T:
        """What it returned or raised, once it is over."""
        assert self._task is not None
        if self._ended_by is not None:
            raise self._ended_by
        try:
            value: T = self._task.result()
        except asyncio.CancelledError:
            raise CancelledError from None
        return value


class _PrivateLoop:
    """An event loop on a daemon thread. No loop of the host is touched."""

    def __init__(self) -> None:
        self.generation = fork.generation()
        self.loop = asyncio.new_event_loop()
        self.given_up = _GivenUp(self.loop)
        self.loop.set_default_executor(_FleetingThreads())
        self.thread = threading.Thread(target=self._run, name="actors-loop", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


def _drop(_: object) -> None:
    """Nothing is put."""


def _nothing() -> None:
    """Nobody wants to know."""


_private: _PrivateLoop | None = None
_made = fork.ProcessLock()


def private_loop() -> asyncio.AbstractEventLoop:
    """The process's private loop; a forked child makes its own."""
    return _make().loop


def _make() -> _PrivateLoop:
    global _private
    with _made:
        if _private is None or _private.generation != fork.generation():
            _private = _PrivateLoop()
        return _private


def run(coroutine: Coroutine[Any, Any, T], cancel: CancelToken) -> T:
    """Run *coroutine* on the private loop and wait for its result; a cancel of the token cancels it.

    Raises:
        Cancelled: The token was cancelled.
        BaseException: What the coroutine raised.
    """
    return relay(lambda _: coroutine, _drop, cancel)


def relay(
    make: Callable[[Callable[[ItemT], None]], Coroutine[Any, Any, T]],
    on_item: Callable[[ItemT], object],
    cancel: CancelToken,
    when_over: Callable[[], object] = _nothing,
    patience: Callable[[], float | None] = lambda: None,
) -> Any:
    """Run ``make(put)`` on the private loop, and hand what it puts to *on_item* in this thread, in order.

    So a slow *on_item* holds up nobody but its own caller. A cancel of the token cancels the coroutine, and the caller
    does not wait for its cleanup; :func:`settle` does.

    Args:
        when_over: Called once, on any thread, when nothing is done for this call any more: after that cleanup.
    Raises:
        Cancelled: The token was cancelled.
        BaseException: What the coroutine or *on_item* raised.
    """
    line: deque[ItemT] = deque()
    bell = _Bell()

    def put(item: ItemT) -> None:
        line.append(item)
        bell.ring()

    coroutine: Coroutine[Any, Any, T] | None = None
    try:
        coroutine = make(put)
        cancel.check()
        call = _Call(coroutine, bell, _make(), when_over)
    except BaseException:  # it is not begun
        if coroutine is not None:
            coroutine.close()
        when_over()
        raise
    ring = bell.ring
    cancel.remind(ring)
    try:
        while not cancel.cancelled:
            over = call.over  # looked at first: what was put before the end is in the line by then
            while line and not cancel.cancelled:
                on_item(line.popleft())
            if over:
                break
            # A plain wait: the thread works for its agent, so its slot is kept.
            waits = [
                wait
                for wait in (patience(), None if cancel.deadline is None else cancel.deadline.remaining())
                if wait is not None
            ]
            bell.wait(min(waits) if waits else None)
            if not line and not call.over and not cancel.cancelled and (left := patience()) is not None and left <= 0:
                return None
    finally:
        cancel.forget(ring)
        if not call.over:
            call.give_up()
    if cancel.cancelled:
        raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
    return call.result()


def settle(timeout: float) -> None:
    """Wait until every call that was given up has unwound, at most *timeout* seconds."""
    private = _private
    if private is None or private.generation != fork.generation() or private.given_up.settled():
        return
    future = asyncio.run_coroutine_threadsafe(private.given_up.settle(), private.loop)
    try:
        future.result(timeout)
    except TimeoutError:  # a cleanup that hangs: it goes on by itself
        future.cancel()


class _Bell:
    """Wakes one thread, again and again. Who was woken looks at everything before it waits again: a ring in between is
    for what it sees then.
    """

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter = Waiter()

    def ring(self) -> None:
        self._waiter.wake()

    def wait(self, timeout: float | None) -> None:
        self._waiter.wait(timeout)
        self._waiter = Waiter()
