"""Runs agents for what a source gives, bit by bit."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..agent.config import SpawnConfig
    from ..core.records.message import AgentId
    from ..core.records.outcome import AgentOutcome
    from ..core.supervision.handle import AgentHandle
    from ..pool import AgentPool

TaskT = TypeVar("TaskT")
Spawn: TypeAlias = "Callable[[TaskT, SpawnConfig], AgentHandle[Any] | None]"


class Feed(Generic[TaskT]):
    """Starts agents on a thread of its own, and yields each task with its outcome, as they come.

    ``AgentPool.map`` pulls its source in the thread that takes the outcomes: while a pipe has no next line, it would
    hand out nothing of what has ended.

    Args:
        pool: With room for *bound* agents in its queue; nobody else takes its outcomes.
        spawn: Starts one agent there; or returns None: it was refused, and whoever has to know that was told.
        tasks: Each with what is to be spawned for it; read lazily, on the feed's thread.
        bound: So many are started and not yet yielded, at most.

    Guarantees:
        Every agent that was started is yielded once. After :meth:`stop` none is started, and the iterator waits
        for those that were, not for the source.

    Locks:
        ``_lock`` guards ``_started``, ``_running`` and ``_stopped``: an agent is started before a stop, or not at all.
    """

    def __init__(
        self,
        pool: AgentPool,
        tasks: Iterable[tuple[TaskT, SpawnConfig]],
        *,
        bound: int,
        spawn: Spawn[TaskT] | None = None,
    ) -> None:
        self._pool = pool
        self._spawn = spawn or (lambda _, config: pool.spawn(config))
        self._tasks = tasks
        self._room = threading.Semaphore(bound)
        self._ended: SimpleQueue[bool] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[AgentId, TaskT] = {}
        self._started = 0
        self._stopped = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[TaskT, AgentOutcome[Any]]]:
        """Start the thread, and yield until the source has ended and everything else, too."""
        # A daemon: a read that never returns must not keep the process.
        threading.Thread(target=self._start_all, name="actors-feed", daemon=True).start()
        taken, source_ended = 0, False
        while not (source_ended and taken == self._started):
            if not self._ended.get():
                source_ended = True
                continue
            taken += 1
            yield self._next()
            self._room.release()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Start nothing more. Threads: any."""
        with self._lock:
            self._stopped = True
        self._ended.put(False)
        self._room.release()  # the feed's thread may wait for room

    def _start_all(self) -> None:
        try:
            for task, config in self._tasks:
                self._room.acquire()
                if not self._start(task, config):
                    break
        except Exception as error:  # noqa: BLE001 - raised where the outcomes are taken
            self._error = error
        self._ended.put(False)

    def _start(self, task: TaskT, config: SpawnConfig) -> bool:
        with self._lock:
            if self._stopped:
                return False
            handle = self._spawn(task, config)
            if handle is None:
                self._room.release()
                return True
            self._running[handle.id] = task
            self._started += 1
        handle.add_done_callback(lambda _: self._ended.put(True))
        return True

    def _next(self) -> tuple[TaskT, AgentOutcome[Any]]:
        """The one that ended first: callbacks may overtake each other."""
        outcome = self._pool.join_next()
        assert outcome is not None
        with self._lock:
            return self._running.pop(outcome.agent_id), outcome
