"""Threads for the blocking jobs of an event loop."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class FleetingThreads(ThreadPoolExecutor):
    """Runs the blocking jobs of a loop (a name to be looked up) on threads that end when nothing is left to do.

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
