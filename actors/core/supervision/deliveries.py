"""A thread that hands over what is queued, in order."""

from __future__ import annotations

import abc
import threading
from collections import deque
from typing import Generic, TypeVar

from ..checks import leaf_lock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..process.threads import join
from ..waiting.waiter import Waiter

ItemT = TypeVar("ItemT")

LEAST_PATIENCE = 1.0
"""Seconds that a user's function has for an event at the end, however short ``abort_timeout`` is."""


class Deliveries(abc.ABC, Generic[ItemT]):
    """Calls :meth:`_deliver` for each item that is put, one at a time, in order, on a thread of its own.

    Locks: ``_lock`` guards every field; what is delivered is delivered outside it.
    """

    def __init__(self, name: str, lock: threading.Lock | None = None) -> None:
        self._lock = leaf_lock() if lock is None else lock
        self._queue: deque[ItemT] = deque()
        self._sleeper: Waiter | None = None
        self._closing = False
        self._is_started = False
        self._seq = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, if it is not: what was put before is delivered, too.

        Raises:
            RuntimeError: No thread can be started.
        """
        with self._lock:
            is_first, self._is_started = not self._is_started, True
        if is_first:
            try:
                self._thread.start()
            except BaseException:  # a Ctrl-C may come when it is there
                self._is_started = self._thread.ident is not None
                raise

    @property
    def thread(self) -> threading.Thread:
        """The thread that delivers."""
        return self._thread

    @property
    def progress(self) -> int:
        """How many were begun: it stands still while one is being delivered."""
        return self._seq

    @abc.abstractmethod
    def _deliver(self, item: ItemT, seq: int) -> None:
        """Hand over *item*, the *seq*-th one. Never raises."""

    def _run(self) -> None:
        while True:
            with self._lock:
                batch, self._queue = self._queue, deque()
                if not batch:
                    if self._closing:
                        return
                    self._sleeper = sleeper = Waiter()
            if batch:
                while batch:  # each is let go of here, and not with the next batch under the lock
                    self._seq += 1
                    self._deliver(batch.popleft(), self._seq)
            else:
                try:
                    sleeper.wait()
                except BaseException:  # noqa: BLE001 - set in this thread by somebody, for a function that has returned
                    report("this came to the thread {}, which idles", self._thread.name)

    def tell_end(self) -> None:
        """End once what is queued is delivered; returns at once."""
        with self._lock:
            self._closing = True
            sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake()

    def close(self, timeout: float) -> bool:
        """Deliver what is queued, and end; False when one item takes longer than *timeout* seconds."""
        self.tell_end()
        if self._thread is threading.current_thread():
            return True
        patience = max(timeout, LEAST_PATIENCE)
        while self._thread.is_alive():
            before = self._seq
            join(self._thread, SYSTEM_CLOCK.monotonic() + patience)
            if self._thread.is_alive() and self._seq == before:
                return False
        return True
