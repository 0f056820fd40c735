"""Hands the events of a pool to all that have subscribed to them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from ..checks import leaf_lock
from ..clock import SYSTEM_CLOCK
from ..process.threads import join
from .deliveries import LEAST_PATIENCE
from .posted import Posted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..waiting.waiter import Waiter


def _nothing() -> None:
    """Nobody is told that nobody listens any more."""


class Source(Protocol):
    """Whose events they are.

    Locks: the event delivery's guards ``silent`` and ``told``.
    """

    silent: bool
    """Its last event was told."""
    told: float
    """The moment of its latest one."""


class Sink(Protocol):
    """One who gets the events of a pool. Its members are called and looked at under the lock of all sinks, but for
    ``thread`` and ``progress``.
    """

    wants_text: bool
    """Does it want the text of answers as it comes?"""
    is_full: bool
    """Takes it nothing any more?"""

    @property
    def thread(self) -> threading.Thread:
        """The thread that tells it."""

    @property
    def progress(self) -> int:
        """How many were begun."""

    def take_in(self, posted: Posted, dropped: list[object]) -> Waiter | None:
        """Take *posted*; whom the caller has to wake. What is let go of is added to *dropped*."""

    def tell_end(self) -> None:
        """Nothing comes any more."""


class EventDelivery:
    """The sinks of a pool, each with a queue and a thread of its own.

    Guarantees: all that listen get the same events in the same order, each from the moment on at which it was added;
    the moments of one agent never run back. No sink waits for another one, and nobody who posts waits for a sink.

    Args:
        when_deaf: Called under ``lock`` when the last sink took its last event. It sets flags, and no more.

    Locks: ``lock`` guards the other fields, and the queues of the sinks. Sinks are called and woken outside it.
    """

    def __init__(self, when_deaf: Callable[[], object] = _nothing) -> None:
        self.lock = leaf_lock()
        self._sinks: tuple[Sink, ...] = ()
        self._full: frozenset[Sink] = frozenset()
        self._closing = False
        self._when_deaf = when_deaf

    @property
    def is_heard(self) -> bool:
        """Does anybody listen?"""
        return bool(self._sinks)

    @property
    def wants_text(self) -> bool:
        """Does anybody listen who wants the text of answers as it comes?"""
        return any(sink.wants_text for sink in self._sinks)

    def add(self, sink: Sink) -> bool:
        """Hand it events from now on; False when there will be none."""
        with self.lock:
            if not self._closing:
                self._sinks += (sink,)
                self._full -= {sink}
            return not self._closing

    def remove(self, sink: Sink) -> None:
        """Hand it no more. Twice does nothing twice."""
        with self.lock:
            self._sinks = tuple(one for one in self._sinks if one is not sink)
            self._full -= {sink}

    def post(self, posted: Posted, source: Source | None = None, *, last: bool = False) -> None:
        """Hand an event of *source* to each sink; never waits. After its *last* one it is silent."""
        dropped: list[object] = []
        with self.lock:
            if source is not None:
                if source.silent:
                    return
                source.silent = last
                if posted.moment < source.told:  # another thread of the agent has overtaken this one
                    posted = Posted(*posted[:-1], source.told)
                source.told = posted.moment
            sleepers = [one for sink in self._sinks if (one := sink.take_in(posted, dropped)) is not None]
            if any(sink.is_full for sink in self._sinks):
                self._put_aside()
        for sleeper in sleepers:
            sleeper.wake()

    def _put_aside(self) -> None:
        """Hand nothing to those that are full. Under the lock."""
        self._full |= {sink for sink in self._sinks if sink.is_full}
        self._sinks = tuple(sink for sink in self._sinks if not sink.is_full)
        if not self._sinks:
            self._when_deaf()

    def tell_end(self) -> None:
        """Let each sink end once it was told what has come; returns at once."""
        with self.lock:
            self._closing = True
            sinks = [*self._sinks, *self._full]
        for sink in sinks:
            sink.tell_end()

    def close(self, timeout: float) -> bool:
        """Let each sink be told what has come, and end; False when one is left behind: it takes longer than *timeout*
        seconds for one event. All have that time at once, and not one after the other.
        """
        self.tell_end()
        patience = max(timeout, LEAST_PATIENCE)
        me, all_ended = threading.current_thread(), True
        left = [sink for sink in [*self._sinks, *self._full] if sink.thread is not me]
        while left:
            before = [sink.progress for sink in left]
            end = SYSTEM_CLOCK.monotonic() + patience
            for sink in left:
                join(sink.thread, end)
            alive = [(sink, since) for sink, since in zip(left, before, strict=True) if sink.thread.is_alive()]
            left = [sink for sink, since in alive if sink.progress != since]
            all_ended = all_ended and len(left) == len(alive)
        return all_ended
