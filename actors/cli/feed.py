"""Runs the agents of a source that may keep us waiting."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..agent.config import SpawnConfig
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.handle import AgentHandle
    from ..pool import AgentPool


class Feed:
    """Starts agents on a thread of its own, and yields outcomes as they come.

    ``AgentPool.map`` pulls its source in the thread that takes the outcomes. That is right for a file; but while a
    pipe has no next line, it would hand out nothing of what has ended.

    Args:
        pool: With room for *bound* agents in its queue.
        configs: Read lazily, on the feed's thread.
        bound: So many are started and not yet yielded, at most.

    Guarantees:
        Every agent that was started is yielded once. After :meth:`stop` none is started, and the iterator waits
        for those that were, not for the source.

    Locks:
        ``_lock`` guards ``_started`` and ``_stopped``: an agent is started before a stop, or not at all.
    """

    def __init__(self, pool: AgentPool, configs: Iterable[SpawnConfig], *, bound: int) -> None:
        self._pool = pool
        self._configs = configs
        self._room = threading.Semaphore(bound)
        self._ended: SimpleQueue[AgentHandle[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._stopped = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[AgentOutcome[Any]]:
        """Start the thread, and yield until the source has ended and everything else, too."""
        # A daemon: a read that never returns must not keep the process.
        threading.Thread(target=self._start_all, name="actors-feed", daemon=True).start()
        taken, source_ended = 0, False
        while not (source_ended and taken == self._started):
            handle = self._ended.get()
            if handle is None:
                source_ended = True
                continue
            taken += 1
            yield handle.outcome()
            self._room.release()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Start nothing more. Threads: any."""
        with self._lock:
            self._stopped = True
        self._ended.put(None)
        self._room.release()  # the feed's thread may wait for room

    def _start_all(self) -> None:
        try:
            for config in self._configs:
                self._room.acquire()
                if not self._start(config):
                    break
        except Exception as error:  # noqa: BLE001 - raised where the outcomes are taken
            self._error = error
        self._ended.put(None)

    def _start(self, config: SpawnConfig) -> bool:
        with self._lock:
            if self._stopped:
                return False
            handle = self._pool.spawn(config)
            self._started += 1
        handle.add_done_callback(self._ended.put)
        return True
