"""The private event loop: one thread for the process, made on first use, for code that is async."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import Cancelled
from . import fork
from .waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .cancel import CancelToken

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
        threading.Thread(target=self._work, name="actors-loop-job", daemon=True).start()
        return future

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
    """Cancels the calls that nobody waits for any more, a moment after the last of them was given up.

    To unwind one takes the loop most of a millisecond. When hundreds are given up at once, those who waited for them go
    first: else the loop would hold the interpreter lock against each of them.

    Threads: any for :meth:`add`; all else is on the loop.
    """

    HOLD = 0.01
    """Seconds without another one after which they are cancelled."""
    HOLDS = 10
    """After so many they are cancelled in any case."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line: deque[_Call[Any]] = deque()
        self._called = False

    def add(self, call: _Call[Any]) -> None:
        """Have *call* cancelled."""
        self._line.append(call)
        if not self._called:
            self._called = True  # two threads that both come here call the loop twice, which does no harm
            self._loop.call_soon_threadsafe(self._hold, 0, 0)

    def _hold(self, seen: int, holds: int) -> None:
        count = len(self._line)
        if count > seen and holds < self.HOLDS:
            self._loop.call_later(self.HOLD, self._hold, count, holds + 1)
        else:
            self._cancel_next()

    def _cancel_next(self) -> None:
        if not self._line:
            self._called = False
            if not self._line:  # looked at again: who added one before that relies on us
                return
            self._called = True
        self._line.popleft().cancel()
        self._loop.call_soon(self._cancel_next)  # between two turns the loop lets go of the interpreter lock


class _Call(Generic[T]):
    """One coroutine on the private loop, and the thread that waits for it."""

    __slots__ = ("_coroutine", "_given_up", "_private", "_task", "bell", "over")

    def __init__(self, coroutine: Coroutine[Any, Any, T], bell: _Bell, private: _PrivateLoop) -> None:
        self.bell = bell
        self.over = False
        self._coroutine = coroutine
        self._given_up = False
        self._private = private
        self._task: asyncio.Task[T] | None = None
        private.loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._given_up:
            self._coroutine.close()
            return
        self._task = self._private.loop.create_task(self._coroutine)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits for it any more
        self.over = True
        self.bell.ring()

    def give_up(self) -> None:
        """Have it cancelled; its cleanup is not waited for."""
        self._given_up = True
        self._private.given_up.add(self)

    def cancel(self) -> None:
        """On the loop."""
        if self._task is not None:
            self._task.cancel()

    def result(self) -> T:
        """What it returned or raised, once it is over."""
        assert self._task is not None
        try:
            return self._task.result()
        except asyncio.CancelledError:
            raise CancelledError from None


class _PrivateLoop:
    """An event loop on a daemon thread. No loop of the host is touched."""

    def __init__(self) -> None:
        self.generation = fork.generation()
        self.loop = asyncio.new_event_loop()
        self.given_up = _GivenUp(self.loop)
        self.loop.set_default_executor(_FleetingThreads())
        self.thread = threading.Thread(target=self._run, name="actors-loop", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


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
    try:
        cancel.check()
    except Cancelled:
        coroutine.close()  # it is not begun
        raise
    return relay(lambda _: coroutine, _drop, cancel)


def relay(
    make: Callable[[Callable[[ItemT], None]], Coroutine[Any, Any, T]],
    on_item: Callable[[ItemT], object],
    cancel: CancelToken,
) -> T:
    """Run ``make(put)`` on the private loop, and hand what it puts to *on_item* in this thread, in order.

    So a slow *on_item* holds up nobody but its own caller. A cancel of the token cancels the coroutine, and the caller
    does not wait for its cleanup.

    Raises:
        Cancelled: The token was cancelled.
        BaseException: What the coroutine or *on_item* raised.
    """
    line: deque[ItemT] = deque()
    bell = _Bell()

    def put(item: ItemT) -> None:
        line.append(item)
        bell.ring()

    cancel.check()  # before anything is begun
    call = _Call(make(put), bell, _make())
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
            bell.wait(None if cancel.deadline is None else cancel.deadline.remaining())
    finally:
        cancel.forget(ring)
        if not call.over:
            call.give_up()
    if cancel.cancelled:
        raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
    return call.result()


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


def _drop(_: object) -> None:
    """Nothing is put."""
