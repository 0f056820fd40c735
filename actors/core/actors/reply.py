"""A future that settles once: the first writer wins."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pykka

from ...errors import AskTimeout, DeadlockError, fresh_copy
from ...public import publish
from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..crash import fenced
from ..process import fork
from ..waiting.wait_graph import Awaits, WaitNode, current, wait_for
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from ..waiting.wait_graph import WaitMember

    ExcInfo = (
        tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | tuple[Any, ...]
    )

T = TypeVar("T")
R = TypeVar("R")


class PykkaAskTimeout(AskTimeout, pykka.Timeout):
    """An :class:`AskTimeout` that code written for Pykka catches as ``pykka.Timeout``."""


class ReplyFuture(pykka.Future[T]):
    """The reply to an ask. A Pykka future, with ``done``, callbacks, and bridges to the other kinds of future.

    Guarantees: settles once, the first writer wins and later ones are told by False; each callback runs once, after
    the value is there; an error is raised as a fresh copy, chained to the original.

    Locks: ``_lock`` guards ``_done``, ``_value``, ``_error``, ``_waiters`` and ``_callbacks``. Waiters are woken, and
    callbacks and hooks run, outside it. ``_sources`` is written before anybody else has the future.
    """

    # On the class: one is made for each ask, and most of this never changes.
    _get_hook: Any = None  # Pykka's own
    _done = False
    _value: Any = None
    _error: BaseException | None = None
    _waiters: list[Waiter] | None = None
    _callbacks: list[Callable[[ReplyFuture[T]], object]] | None = None
    _sources: tuple[pykka.Future[Any], ...] = ()

    def __init__(self, target: WaitNode | None = None) -> None:
        self._lock = leaf_rlock()
        self._target: WaitNode | None = target
        self._generation = fork.mark().generation

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'done' if self._done else 'pending'}>"

    # Settling ---------------------------------------------------------------------------------------------------

    def set(self, value: T | None = None) -> None:
        """Settle with *value*, unless it is settled (Pykka raises then).

        Raises:
            queue.Full: Its value is computed, as of a derived future (as Pykka does).
        """
        if self._get_hook is not None:
            raise queue.Full("the value of this future is computed from others: set theirs")
        self._settle(value, None)

    def set_exception(self, exc_info: ExcInfo | None = None) -> None:
        """Settle with the error of *exc_info*, or the one being handled, unless it is settled.

        Raises:
            queue.Full: As for :meth:`set`.
        """
        if self._get_hook is not None:
            raise queue.Full("the value of this future is computed from others: set theirs")
        error = (exc_info if exc_info is not None else sys.exc_info())[1]
        if error is None:
            raise ValueError("no exception to set: pass exc_info, or call this from an except block")
        self._settle(None, error)

    def fail(self, error: BaseException) -> bool:
        """Settle with *error*; False when somebody was first."""
        return self._settle(None, error)

    def _settle(self, value: Any, error: BaseException | None) -> bool:
        with self._lock:
            if self._done:
                return False
            self._value, self._error = value, error
            self._done = True
            target, self._target = self._target, None  # held until the lock is free: it may be the last of an agent
            waiters, self._waiters = self._waiters, None
            callbacks, self._callbacks = self._callbacks, None
        del target
        for waiter in waiters or ():
            waiter.wake()
        for fn in callbacks or ():
            fenced(fn, self, what="a future's callback")
        return True

    # Reading ----------------------------------------------------------------------------------------------------

    def done(self) -> bool:
        """Is it settled?"""
        return self._done

    def get(self, *, timeout: float | None = None) -> T:
        """Wait for the value.

        Args:
            timeout: Seconds; None waits for ever.
        Raises:
            AskTimeout: Not settled in time; nothing is lost, get may be called again.
            DeadlockError: The one who owes the value waits for the caller.
            Exception: What the other side raised, as a fresh copy.
        """
        fork.refuse_after_fork(self._generation)
        if self._get_hook is not None:
            return self._get_through_hook(timeout)
        if not self._done and not self._wait(timeout):
            raise PykkaAskTimeout(f"no reply within {timeout} s; the handler may still run")
        if self._error is not None:
            raise self._fresh_error()
        return cast("T", self._value)

    def ended_with(self) -> tuple[T | None, BaseException | None]:
        """Once it is settled: its value, and the error itself, if it failed."""
        return self._value, self._error

    def result(self, timeout: float | None = None) -> T:
        """Wait for the value, as :meth:`get` does.

        Args:
            timeout: Seconds to wait; None waits for ever.
        """
        return self.get(timeout=timeout)

    def _wait(self, timeout: float | None) -> bool:
        waiter = Waiter()
        with self._lock:
            if self._done:
                return True
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
        try:
            wait_for(waiter, timeout, "a reply", self._target)
        finally:
            if not self._done:  # else it was taken out
                with self._lock:
                    if self._waiters is not None:
                        self._waiters.remove(waiter)
        return self._done

    def _fresh_error(self) -> BaseException:
        assert self._error is not None
        fresh = fresh_copy(self._error)
        if fresh is not self._error:
            is_chained = fresh.__cause__ is None
            # Where it was raised stands in its cause, or in itself when it has one of its own.
            fresh.__traceback__ = None if is_chained else self._error.__traceback__
            if is_chained:
                fresh.__cause__ = self._error
        return fresh

    # Derived futures: map, filter, join and reduce of Pykka -----------------------------------------------------

    def set_get_hook(self, func: Callable[[float | None], T]) -> None:
        """Have the value computed by ``func(timeout)``, in whoever first asks for it.

        Raises:
            queue.Full: It is settled (as Pykka does).
        """
        if self._done:
            raise queue.Full("this future is settled: its value is not computed any more")
        self._get_hook = func

    def _get_through_hook(self, timeout: float | None) -> T:
        # Pykka runs the hook under a lock: there one slow function blocks every reader.
        assert self._get_hook is not None
        if not self._done:
            self._settle(self._get_hook(timeout), None)
        if self._error is not None:
            raise self._fresh_error()
        return cast("T", self._value)

    def map(self, func: Callable[[T], R]) -> ReplyFuture[R]:
        """A future of ``func(value)``, computed by whoever first asks for it."""
        return _derived(cast("ReplyFuture[R]", super().map(func)), self)

    def filter(self, func: Callable[[Any], bool]) -> ReplyFuture[Any]:
        """A future of the items of the value for which *func* is true."""
        return _derived(cast("ReplyFuture[Any]", super().filter(func)), self)  # type: ignore[misc]

    def reduce(self, func: Callable[[Any, Any], Any], *args: Any) -> ReplyFuture[Any]:
        """A future of the items of the value, reduced by *func*.

        Args:
            args: An initial value, as ``functools.reduce`` takes it.
        """
        return _derived(cast("ReplyFuture[Any]", super().reduce(func, *args)), self)  # type: ignore[misc]

    def join(self, *futures: pykka.Future[Any]) -> ReplyFuture[Any]:
        """A future of the list of the values of this one and *futures*; one deadline holds for all of them."""

        def gather(timeout: float | None) -> list[Any]:
            end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
            return [future.get(timeout=SYSTEM_CLOCK.left(end)) for future in (self, *futures)]

        joined: ReplyFuture[Any] = ReplyFuture()
        joined.set_get_hook(gather)
        return _derived(joined, self, *futures)

    def _compute_when_ready(self) -> None:
        """Somebody listens to this derived future: compute it as soon as its sources are settled."""
        ours = [source for source in self._sources if isinstance(source, ReplyFuture)]
        if len(ours) < len(self._sources):  # a stock future calls nobody back: a thread has to wait for it
            threading.Thread(target=self._compute, name="actors-future", daemon=True).start()
            return
        left = len(ours)
        lock = threading.Lock()

        def ready(_: object) -> None:
            nonlocal left
            with lock:
                left -= 1
                if left:
                    return
            self._compute()

        for source in ours:
            source.add_done_callback(ready)

    def _compute(self) -> None:
        try:
            self.get()
        except BaseException as error:  # noqa: BLE001 - it is the value of this future
            self.fail(error)

    # Bridges ----------------------------------------------------------------------------------------------------

    def add_done_callback(self, fn: Callable[[ReplyFuture[T]], object]) -> None:
        """Call ``fn(future)`` once it is settled; at once, in this thread, if it is already."""
        with self._lock:
            if not self._done:
                first = self._callbacks is None
                self._callbacks = [*(self._callbacks or ()), fn]
            else:
                first = None
        if first is None:
            fenced(fn, self, what="a future's callback")
        elif first and self._sources:
            self._compute_when_ready()

    def remove_done_callback(self, fn: Callable[[ReplyFuture[T]], object]) -> None:
        """Forget *fn*, if it was not called yet."""
        with self._lock:
            self._callbacks = [other for other in self._callbacks or () if other is not fn] or None

    def to_concurrent(self) -> concurrent.futures.Future[T]:
        """A ``concurrent.futures.Future`` that is settled as this one is."""
        other: concurrent.futures.Future[T] = concurrent.futures.Future()
        other.set_running_or_notify_cancel()

        def copy(_: ReplyFuture[T]) -> None:
            if self._error is not None:
                other.set_exception(self._fresh_error())
            else:
                other.set_result(cast("T", self._value))

        self.add_done_callback(copy)
        return other

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in an event loop without blocking it. In an async handler that is a wait of its actor.

        Raises:
            DeadlockError: The one who owes the value waits for that actor.
        """
        member = None if self._done else current()
        arrival = asyncio.wrap_future(self.to_concurrent())
        if member is None or not member.is_task():
            return arrival.__await__()
        return self._await_as(member, arrival)

    def _await_as(self, member: WaitMember, arrival: asyncio.Future[T]) -> Generator[Any, None, T]:
        try:
            return (yield from Awaits().awaited(arrival, member, Owed(self)))
        except DeadlockError as refused:
            arrival.cancel()  # first: else the loop complains that nobody has read it
            self.fail(refused)  # nobody waits for it any more
            raise

    # The search for circles ---------------------------------------------------------------------------------------

    def owed_by(self) -> list[WaitNode]:
        """Who owes the value, as far as that is known."""
        owers = [] if self._target is None else [self._target]
        for source in () if self._done else self._sources:
            if isinstance(source, ReplyFuture):
                owers += source.owed_by()
        return owers

    def hand_on(self, target: WaitNode) -> list[Waiter]:
        """From now on *target* owes the value; who waits for it already."""
        with self._lock:
            if self._done:
                return []
            former, self._target = self._target, target
            waiters = list(self._waiters or ())
        del former
        waiter: Waiter
        for waiter in waiters:
            waiter.towards = target
        return waiters

    __iter__ = __await__


class Announcement(ReplyFuture[T]):
    """A future for callbacks that finalizers may forget, at any moment: also in a thread that is just adding one."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = leaf_rlock()


class Owed(WaitNode):
    """The value of a future, as something that is waited for.

    It does not keep the future: whoever is to settle it does. An ask that waits for one that all have let go of is
    told.
    """

    def __init__(self, future: ReplyFuture[Any]) -> None:
        self._future = weakref.ref(future)

    @property
    def label(self) -> str:
        """How messages name it."""
        owers = ", ".join(ower.label for ower in self.targets())
        return f"a reply of {owers}" if owers else "a reply"

    def targets(self) -> list[WaitNode]:
        """Who owes it."""
        future = self._future()
        return [] if future is None else future.owed_by()


def _derived(future: ReplyFuture[R], *sources: pykka.Future[Any]) -> ReplyFuture[R]:
    """*future*, computed from *sources*."""
    future._sources = sources  # noqa: SLF001
    return future


publish("actors.actors", PykkaAskTimeout)  # unlisted: what users catch is AskTimeout
