"""Cancel tokens and deadlines."""

from __future__ import annotations

from _thread import RLock
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...errors import Cancelled
from ...public import publish
from ..checks import checking, leaf_rlock
from ..clock import SYSTEM_CLOCK, Clock
from ..crash import fenced, text_of
from .waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, computed once and handed down."""

    at: float
    clock: Clock = SYSTEM_CLOCK
    reason: str = "its deadline passed"

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        """The moment *seconds* from now.

        Args:
            clock: Whose time counts; the system's if none is given.
        """
        return cls(clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def expired(self) -> bool:
        """Has the moment come?"""
        return self.clock.monotonic() >= self.at


class CancelToken:
    """A cancel with a reason, seen by everybody who holds the token.

    Guarantees: cancelled once, the first reason stands; each callback runs at most once; a callback registered
    after the cancel runs at once, in the thread that registers it.

    Locks: ``_lock`` guards ``marked``, ``_reason``, ``_timed_out`` and ``_callbacks``; callbacks run outside it.
    ``marked`` and ``deadline`` may be read without it. What is in ``_callbacks`` changes by single operations: who
    registers enters the callback, then looks whether the token is marked; who cancels marks it, then looks whom to
    call. Whoever takes a callback out calls it, or forgets it.
    """

    __slots__ = ("_callbacks", "_lock", "_reason", "_timed_out", "_untie", "deadline", "fired", "marked")

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._lock = leaf_rlock() if checking() else RLock()  # as it does: a token is made for each agent
        self.marked = False
        """Was it cancelled? One whose deadline is past is marked by whoever asks for ``cancelled``."""
        self._reason = ""
        self._timed_out = False
        self.fired: bool = False
        self._callbacks: dict[Callable[[], object], None] | None = None
        self.deadline: Deadline | None = deadline
        self._untie: Callable[[], None] = _nothing

    @property
    def cancelled(self) -> bool:
        """Was it cancelled, or is its deadline past?"""
        if not self.marked and self.deadline is not None and self.deadline.expired:
            self.cancel(self.deadline.reason, timed_out=True)
        return self.marked

    @property
    def reason(self) -> str:
        """Why; empty before the cancel."""
        return self._reason

    @property
    def timed_out(self) -> bool:
        """Was it a deadline that cancelled?"""
        return self._timed_out

    def check(self) -> None:
        """Raise when cancelled.

        Raises:
            Cancelled: With the token's reason; again at each later check.
        """
        if self.marked or (self.deadline is not None and self.cancelled):
            raise Cancelled(self._reason, timed_out=self._timed_out)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the cancel, at most *timeout* seconds; True when cancelled.

        Raises:
            DispatcherExhausted: Too many handlers of the dispatcher that runs this one wait already.
        """
        waiter = Waiter()
        wake = waiter.wake
        self.remind(wake)
        left = self.deadline.remaining() if self.deadline is not None else None
        try:
            end = timeout if left is None else left if timeout is None else min(timeout, left)
            waiter.wait(end, must=False)
        finally:
            self.forget(wake)
        return self.cancelled

    def on_cancel(self, fn: Callable[[], object]) -> Callable[[], None]:
        """Call *fn* when the cancel comes; at once if it came already.

        Returns:
            A function that forgets *fn*. *fn* may still run once if the cancel is on its way.
        """
        callback = _Callback(fn)
        return partial(self._drop, callback) if self.remind(callback) else _nothing

    def _drop(self, callback: _Callback) -> None:
        if self.forget(callback):  # else it is just being called
            callback.fn = None

    def remind(self, fn: Callable[[], object]) -> bool:
        """As :meth:`on_cancel`, without the function that forgets: one of ours, which is given to :meth:`forget`.

        Args:
            fn: Called once, in the thread that cancels.
        Returns:
            False when the cancel came already.
        """
        callbacks = self._callbacks
        if callbacks is None:
            callbacks = self._begin_callbacks()
        callbacks[fn] = None
        if not self.marked:
            return True
        if callbacks.pop(fn, self) is None:  # else who cancels has it
            fenced(fn, what="a cancel callback")
        return False

    def _begin_callbacks(self) -> dict[Callable[[], object], None]:
        with self._lock:
            if self._callbacks is not None:
                return self._callbacks
            begun: dict[Callable[[], object], None] = {}
            if not self.marked:
                self._callbacks = begun
            return begun

    def forget(self, fn: Callable[[], object]) -> bool:
        """Do not call *fn*, which was given to :meth:`remind`; False when it is called all the same, or was."""
        callbacks = self._callbacks
        return callbacks is not None and callbacks.pop(fn, self) is None  # None: they are called, or were

    def cancel(self, reason: str = "", *, timed_out: bool = False) -> bool:
        """Cancel, and run the callbacks in this thread; False when it was cancelled before.

        Args:
            reason: Whoever is cancelled is told.
            timed_out: A deadline has passed, and nobody asked for it.
        """
        first = self.mark(text_of(reason), timed_out=timed_out)
        self.fire()
        return first

    def mark(self, reason: str = "", *, timed_out: bool = False) -> bool:
        """Cancel without waking anybody yet: whoever looks, sees it. :meth:`fire` wakes those who wait.

        Apart, because waking thousands of threads at once takes seconds; the supervisor wakes them in waves.

        Args:
            reason: Whoever is cancelled is told.
            timed_out: A deadline has passed, and nobody asked for it.
        """
        with self._lock:
            if self.marked:
                return False
            self._reason = reason
            self._timed_out = timed_out
            self.marked = True
            return True

    def fire(self) -> None:
        """Run the callbacks of a marked token."""
        with self._lock:
            callbacks, self._callbacks = self._callbacks, None
            self.fired = True
        interrupt: KeyboardInterrupt | None = None
        for fn in list(callbacks or ()):
            if callbacks is None or callbacks.pop(fn, self) is not None:
                continue  # it was forgotten at the last moment, or is called by who registers it now
            try:
                fenced(fn, what="a cancel callback")
            except KeyboardInterrupt as error:  # of the main thread: the others are told all the same
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def child(self) -> CancelToken:
        """Make a token that is cancelled with this one, but not the other way round."""
        token = CancelToken(self.deadline)
        token._untie = self.on_cancel(lambda: token.cancel(self._reason, timed_out=self._timed_out))
        return token

    def untie(self) -> None:
        """Follow the parent no longer: a parent that lives long keeps nothing of a child that is done."""
        self._untie()


class _Callback:
    """What a caller wants to be called, let go of as soon as it was, or is forgotten: it may hold the function that
    forgets it. Compared by identity, so that nothing of the caller's is called under the lock.

    Locks: none; ``fn`` is let go of by one operation.
    """

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[], object]) -> None:
        self.fn: Callable[[], object] | None = fn

    def __call__(self) -> None:
        fn, self.fn = self.fn, None
        if fn is not None:
            fn()


def _nothing() -> None:
    """Forget nothing."""


publish("actors.agents", Deadline)
