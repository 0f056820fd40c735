"""Hands events to the sink, in order, on a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..checks import leaf_lock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..process.threads import join
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ..records.event import Event
    from ..records.message import AgentId


LEAST_PATIENCE = 1.0
"""Seconds that a sink has for an event at the end, however short ``abort_timeout`` is."""


class Posted(NamedTuple):
    """An event before it is built: building takes longer than noting what happened."""

    make: Callable[..., Event]
    fields: dict[str, Any]
    agent_id: AgentId
    agent: str
    parent_id: AgentId | None
    depth: int
    at: datetime


class Source(Protocol):
    """Whose events they are.

    Locks: the dispatcher's guards ``silent``.
    """

    silent: bool


class Dispatcher:
    """Calls ``sink(event)`` for each event, one at a time, in the order of ``seq``.

    Guarantees: no event is dropped; text deltas of one agent that stand next to each other may be merged when the sink
    is slow. A sink that raises is logged once and called again for the next event.

    Locks: ``_lock`` guards every field; the sink is called outside it.
    """

    MERGE_ABOVE = 1000

    def __init__(self, sink: Callable[[Event], object], name: str) -> None:
        self._sink = sink
        self._lock = leaf_lock()
        self._queue: deque[Posted] = deque()
        self._sleeper: Waiter | None = None
        self._closing = False
        self._complained = False
        self._seq = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; what was posted before is delivered, too.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._thread.start()

    @property
    def thread(self) -> threading.Thread:
        """The thread that calls the sink."""
        return self._thread

    def post(self, posted: Posted, source: Source | None = None, *, last: bool = False) -> None:
        """Put an event of *source* at the end of the queue; never waits. After its *last* one it is silent."""
        with self._lock:
            if self._closing or (source is not None and source.silent):
                return
            if source is not None:
                source.silent = last
            if len(self._queue) > self.MERGE_ABOVE and self._merge(posted):
                return
            self._queue.append(posted)
            sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake()

    def _merge(self, posted: Posted) -> bool:
        last = self._queue[-1]
        merge = getattr(posted.make, "_merge", None)  # ours alone: it is called under the lock
        if merge is None or last.make is not posted.make or last.agent_id != posted.agent_id:
            return False
        merged = merge(last.fields, posted.fields)
        if merged is None:
            return False
        last.fields.update(merged)
        return True

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
                except BaseException:  # noqa: BLE001 - set in this thread by somebody, for a sink that has returned
                    report("this came to the thread of the event sink, which idles")

    def _deliver(self, posted: Posted, seq: int) -> None:
        try:
            event = posted.make(
                **posted.fields,
                agent_id=posted.agent_id,
                agent=posted.agent,
                parent_id=posted.parent_id,
                depth=posted.depth,
                seq=seq,
                at=posted.at,
            )
            self._sink(event)
        except BaseException:  # noqa: BLE001 - a sink harms nobody
            if not self._complained:
                self._complained = True
                report("the event sink failed; further failures of it are not logged")

    def tell_end(self) -> None:
        """Take nothing new, and end once what is queued is delivered; returns at once."""
        with self._lock:
            self._closing = True
            sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake()

    def close(self, timeout: float) -> bool:
        """Deliver what is queued, and end; False when the sink takes longer than *timeout* seconds for one event."""
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


def posted(
    make: Callable[..., Event],
    fields: dict[str, Any],
    *,
    agent_id: AgentId = 0,
    agent: str = "",
    parent_id: AgentId | None = None,
    depth: int = 0,
) -> Posted:
    """Note that something happened now."""
    return Posted(make, fields, agent_id, agent, parent_id, depth, SYSTEM_CLOCK.now())
