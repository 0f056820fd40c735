"""An event loop on a thread of its own, and the calls that others wait for there."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from loguru import logger

from ..crash import fenced, report
from ..waiting.waiter import Waiter
from . import fork, native
from .fleeting_threads import FleetingThreads
from .given_up import GivenUp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

UNWIND = 2.0
"""Seconds in which what ran on a loop that has ended may clean up."""


class LoopLost(RuntimeError):
    """The event loop that a call ran on has ended, or was left behind."""


class Rung(Protocol):
    """Who is told that a call is over, on any thread."""

    def ring(self) -> None:
        """Look at the call now."""


class Bell:
    """Wakes one thread, again and again. Who was woken looks at everything before it waits again: a ring in between is
    for what it sees then.
    """

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter = Waiter()

    def ring(self) -> None:
        """Wake it."""
        self._waiter.wake()

    def wait(self, timeout: float | None) -> None:
        """Wait for a ring, at most *timeout* seconds."""
        self._waiter.wait(timeout)
        self._waiter = Waiter()


class Call(Generic[T]):
    """One coroutine on a loop, and who waits for it.

    Guarantees: it is over once: when its coroutine is, or when its loop is lost. One that was not begun by then is not
    lost but handed back: its coroutine can be begun elsewhere.

    Args:
        when_over: Called once when it is really over, or will never begin, on the loop.

    Locks: its loop's lock guards ``begun`` and ``given_up``. ``over`` is set last, and read anywhere.
    """

    __slots__ = ("_bell", "_ended_by", "_lost", "_task", "_when_over", "begun", "coroutine", "given_up", "over")

    def __init__(self, coroutine: Coroutine[Any, Any, T], bell: Rung, when_over: Callable[[], object]) -> None:
        self.begun = False
        self.coroutine = coroutine
        self.given_up = False
        self.over = False
        self._bell = bell
        self._ended_by: BaseException | None = None
        self._lost = ""
        self._task: asyncio.Task[Any] | None = None
        self._when_over: Callable[[], object] | None = when_over

    def begin(self, thread: LoopThread) -> None:
        """Begin it, on the loop."""
        thread.run_here()
        if not thread.claim(self):
            return
        if self.given_up:
            self.drop()
            self._finish(thread)
            return
        running = self._run()
        try:
            self._task = thread.loop.create_task(running)
        except BaseException as error:  # noqa: BLE001 - a task factory may be a user's: who waits is told
            running.close()
            self._ended_by = error
            self.drop()
            self._finish(thread)
            return
        self._task.add_done_callback(lambda task: self._end(task, thread))

    async def _run(self) -> Any:
        try:
            return await self.coroutine
        except (SystemExit, KeyboardInterrupt) as error:  # through a task they would end the loop, for everybody
            self._ended_by = error

    def _end(self, task: asyncio.Task[Any], thread: LoopThread) -> None:
        thread.run_here()
        try:
            if task.cancelled():
                self.coroutine.close()  # it may not have begun
            else:
                task.exception()  # seen, also when nobody waits for it any more
        finally:
            self.tell_over()
            self._finish(thread)

    def _finish(self, thread: LoopThread) -> None:
        thread.forget(self)
        self.over = True
        self._bell.ring()

    def tell_over(self) -> None:
        """Nothing is done for it any more."""
        when_over, self._when_over = self._when_over, None
        if when_over is not None:
            fenced(when_over, what="what is done when a call is over")

    def drop(self) -> None:
        """It will never begin."""
        self.coroutine.close()
        self.tell_over()

    def lose(self, why: str) -> None:
        """Its loop does nothing for it any more: an error for who waits, if it has begun."""
        if not self.begun and self.given_up:
            self.drop()
        self._lost = why
        self.over = True
        self._bell.ring()

    def cancel(self) -> asyncio.Task[Any] | None:
        """Cancel it, on the loop; what unwinds now, if it has begun."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def is_handed_back(self) -> bool:
        """Once it is over: was it not even begun?"""
        return not self.begun and bool(self._lost)

    def result(self) -> T:
        """What it returned or raised, once it is over."""
        if self._ended_by is not None:
            raise self._ended_by
        if self._lost:
            raise LoopLost(self._lost)
        assert self._task is not None
        try:
            value: T = self._task.result()
        except asyncio.CancelledError:
            raise CancelledError from None
        return value


class LoopThread:
    """An event loop on a daemon thread. No loop, and no policy of the host is touched.

    Guarantees: what was entered is over when its coroutine is, or as soon as the loop has ended, whatever has ended
    it, or was left behind. A loop that has ended is never used again: what ran there is cancelled and may clean up.

    Args:
        name: Of the thread.
        what: Whose loop it is, in words.

    Locks: ``_lock`` guards ``_calls``, ``_lost``, ``_ended``, ``_when_ended`` and ``is_over``, which may be read
    without it; and of its calls ``begun`` and ``given_up``.
    """

    def __init__(self, name: str, what: str) -> None:
        self.generation = fork.generation()
        self.what = what
        self.is_over = False
        # Not in the context of whoever is first: the loop keeps the one that it is made in, and all that is in it.
        self.loop = Context().run(native.new_loop)
        self.given_up = GivenUp(self.loop)
        self.loop.set_default_executor(FleetingThreads())
        self._lock = threading.Lock()
        self._calls: set[Call[Any]] = set()
        self._lost: list[Call[Any]] = []
        self._ended = False
        self._when_ended: list[Callable[[], object]] = []
        self.thread = native.new_thread(self._run, name)
        try:
            self.thread.start()
        except RuntimeError:
            self.loop.close()
            raise

    # Its calls ----------------------------------------------------------------------------------------------------

    def enter(self, call: Call[Any]) -> bool:
        """Have *call* begun; False when the loop is over."""
        with self._lock:
            if self.is_over:
                return False
            self._calls.add(call)
        try:
            self.loop.call_soon_threadsafe(call.begin, self)
        except RuntimeError:  # somebody has closed it; if its thread has just seen that, the call was handed back
            self.forget(call)
            self._lose_all(f"the event loop of {self.what} was closed")
            return False
        return True

    def claim(self, call: Call[Any]) -> bool:
        """May *call* begin here? Not, if it was handed back meanwhile."""
        with self._lock:
            if call not in self._calls:
                return False
            call.begun = True
            return True

    def run_here(self) -> None:
        """On the loop: it is the one that runs in this thread. Who runs another loop inside it takes that away."""
        if asyncio._get_running_loop() is not self.loop:  # noqa: SLF001 - what asyncio offers to those who make loops
            asyncio._set_running_loop(self.loop)  # noqa: SLF001

    def forget(self, call: Call[Any]) -> None:
        """*call* is over."""
        with self._lock:
            self._calls.discard(call)

    def give_up(self, call: Call[Any]) -> None:
        """Nobody waits for *call* any more: it is cancelled; its cleanup is not waited for."""
        with self._lock:
            call.given_up = True
            is_mine = call in self._calls
        if is_mine:
            try:
                self.given_up.add(call)
            except RuntimeError:  # the loop was closed: its thread ends, and all its calls with it
                pass
        elif not call.begun:
            call.drop()

    # Its end ------------------------------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        """Does its thread go on? Else all who wait are told."""
        if not (self.is_over or self.thread.is_alive()):
            self._lose_all(f"the thread of the event loop of {self.what} is gone")
        return not self.is_over

    def turns(self, within: float) -> bool:
        """Does the loop come to its next turn within so many seconds? If not, something on it blocks."""
        waiter = Waiter()
        try:
            self.loop.call_soon_threadsafe(waiter.wake)
        except RuntimeError:
            return True  # it was closed: it holds nobody
        return waiter.wait(within) or self.is_over

    def leave_behind(self) -> bool:
        """Do nothing more with it: something on it blocks. When that ends, the loop ends, too.

        Returns:
            False when it was left, or has ended, before.
        """
        who = self.who_holds()
        with self._lock:
            if self.is_over:
                return False
            self.is_over = True
        logger.warning("the event loop of {} is held by {}, which blocks: it is left behind", self.what, who)
        self._lose_all(f"the event loop of {self.what} was held by {who}, which blocks; what ran beside it is lost")
        try:
            self.loop.call_soon_threadsafe(self.loop.stop)
        except RuntimeError:
            pass  # it has ended
        return True

    def when_ended(self, fn: Callable[[], object]) -> None:
        """Call *fn* when its thread has ended what it does; at once if it has."""
        with self._lock:
            if not self._ended:
                self._when_ended.append(fn)
                return
        fn()

    @property
    def is_busy(self) -> bool:
        """Has it calls that are not over?"""
        return bool(self._calls)

    def who_holds(self) -> str:
        """What runs on it right now, in words."""
        try:
            task = asyncio.current_task(self.loop)
            for call in tuple(self._calls):
                if call._task is task and task is not None:  # noqa: SLF001 - a call's task is the loop's
                    return f"the coroutine {getattr(call.coroutine, '__qualname__', 'of a user')}"
            return "a callback" if task is None else f"the task {task.get_name()}"
        except (AttributeError, RuntimeError):  # it changes while it is looked at
            return "a coroutine"

    def _run(self) -> None:
        why = f"the event loop of {self.what} was stopped (loop.stop()) by code that ran on it"
        try:
            asyncio.set_event_loop(self.loop)
            self.loop.run_forever()
            if not self.is_over:
                logger.warning("{}; the next call gets a new one", why)
        except BaseException as error:  # noqa: BLE001 - SystemExit of a callback, too: those who wait are told
            why = f"the event loop of {self.what} was ended by {type(error).__name__} in code that ran on it"
            report("{}; the next call gets a new one", why)
        finally:
            self._lose_all(why)
            self._unwind()
            for call in self._lost:
                call.tell_over()
            with self._lock:
                self._ended = True
                told, self._when_ended = self._when_ended, []
            for fn in told:
                fenced(fn, what="what is done when a loop has ended")

    def _lose_all(self, why: str) -> None:
        with self._lock:
            self.is_over = True
            calls, self._calls = list(self._calls), set()
            self._lost += [call for call in calls if call.begun]
        for call in calls:
            call.lose(why)

    def _unwind(self) -> None:
        """Cancel what still runs, let it clean up, and close the loop."""
        loop, end = self.loop, time.monotonic() + UNWIND
        if loop.is_closed():
            return
        try:
            left = asyncio.all_tasks(loop)
            timer = loop.call_later(UNWIND, loop.stop)
            for task in left:
                task.cancel()
                task.add_done_callback(lambda _: all(one.done() for one in left) and loop.stop())
            while not all(task.done() for task in left) and time.monotonic() < end:  # somebody may stop it once more
                try:
                    loop.run_forever()
                except (SystemExit, KeyboardInterrupt):
                    report("as the event loop of {} ended, this came once more", self.what)
            timer.cancel()
            loop.run_until_complete(loop.shutdown_asyncgens())
        except BaseException:  # noqa: BLE001 - it is over in any case
            report("what ran on the event loop of {} could not clean up", self.what)
        finally:
            fenced(loop.close, what=f"the end of the event loop of {self.what}")
