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
    from .event_sink import EventSink


class Source(Protocol):
    """Whose events they are.

    Locks: the event delivery's guards ``silent`` and ``told``.
    """

    silent: bool
    """Its last event was told."""
    told: float
    """The moment of its latest one."""


class EventDelivery:
    """The sinks of a pool, each with a queue and a thread of its own.

    Guarantees: all that listen get the same events in the same order, each from the moment on at which it was added;
    the moments of one agent never run back. No sink waits for another one, and nobody who posts waits for a sink.

    Locks: ``lock`` guards the other fields, and the queues of the sinks. Sinks are called and woken outside it.
    """

    def __init__(self) -> None:
        self.lock = leaf_lock()
        self._sinks: tuple[EventSink, ...] = ()
        self._closing = False

    @property
    def is_heard(self) -> bool:
        """Does anybody listen?"""
        return bool(self._sinks)

    def add(self, sink: EventSink) -> bool:
        """Hand it events from now on; False when there will be none."""
        with self.lock:
            if not self._closing:
                self._sinks += (sink,)
            return not self._closing

    def remove(self, sink: EventSink) -> None:
        """Hand it no more. Twice does nothing twice."""
        with self.lock:
            self._sinks = tuple(one for one in self._sinks if one is not sink)

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
        for sleeper in sleepers:
            sleeper.wake()

    def tell_end(self) -> None:
        """Let each sink end once it was told what has come; returns at once."""
        with self.lock:
            self._closing = True
            sinks = self._sinks
        for sink in sinks:
            sink.tell_end()

    def close(self, timeout: float) -> bool:
        """Let each sink be told what has come, and end; False when one is left behind: it takes longer than *timeout*
        seconds for one event. All have that time at once, and not one after the other.
        """
        self.tell_end()
        patience = max(timeout, LEAST_PATIENCE)
        me, all_ended = threading.current_thread(), True
        left = [sink for sink in self._sinks if sink.thread is not me]
        while left:
            before = [sink.progress for sink in left]
            end = SYSTEM_CLOCK.monotonic() + patience
            for sink in left:
                join(sink.thread, end)
            alive = [(sink, since) for sink, since in zip(left, before, strict=True) if sink.thread.is_alive()]
            left = [sink for sink, since in alive if sink.progress != since]
            all_ended = all_ended and len(left) == len(alive)
        return all_ended
