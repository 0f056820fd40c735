"""Calls the ``on_event`` of single agents, on one thread of the pool for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..crash import report
from ..scheduling.event_log import log_of
from .deliveries import Deliveries
from .event_cursor import EventCursor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records.event import Event
    from ..scheduling.agent_cell import AgentCell
    from ..waiting.waiter import Parked


class Follower:
    """The callback of one agent, and how far it has been told.

    Locks: that of its ``EventCallbacks`` guards ``is_queued``; the rest is the business of their thread.
    """

    __slots__ = ("_callbacks", "_complained", "_cursor", "_fn", "_log", "_whose", "is_queued", "owner")

    def __init__(self, callbacks: EventCallbacks, cell: AgentCell, fn: Callable[[Event], object]) -> None:
        self.owner: Parked | None = None
        self.is_queued = False
        self._callbacks = callbacks
        self._fn = fn
        self._whose = cell
        self._log = log_of(cell)
        self._cursor = EventCursor(cell, self._log)
        self._complained = False
        self._log.wake_always(self)

    def wake(self) -> None:
        """An event has come."""
        self._callbacks.put(self)

    def call(self) -> None:
        """Tell the next event, if there is one."""
        try:
            event = self._cursor.next()
            if event is None:
                return
            self._fn(event)
        except BaseException:  # noqa: BLE001 - a callback harms nobody
            if not self._complained:
                self._complained = True
                report("on_event of {} failed; further failures of it are not logged", self._whose.label)
        if self._cursor.is_over():
            self._log.forget(self)  # they hold each other
            self._cursor.leave()
        else:
            self._callbacks.put(self)


class EventCallbacks(Deliveries[Follower]):
    """Tells each agent's own callback its events, in order; of several agents, one each in turn.

    Guarantees: no callback holds an agent up: what it was not told yet stands in the agent's log, and its bounds hold.
    The thread is started with the first agent that has a callback.

    Locks: ``_lock`` guards every field, and what stands in the line; callbacks are called outside it.
    """

    def follow(self, cell: AgentCell) -> None:
        """Tell the ``on_event`` of *cell*, which is about to be admitted, all its events.

        Raises:
            RuntimeError: No thread can be started.
        """
        fn, cell.spec.on_event = cell.spec.on_event, None  # an agent that has ended keeps nothing of a user's
        assert fn is not None
        self.start()
        Follower(self, cell, fn)

    def put(self, follower: Follower) -> None:
        """Let *follower* stand in line, if it does not."""
        with self._lock:
            if follower.is_queued:
                return
            follower.is_queued = True
            self._queue.append(follower)
            sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake()

    def _deliver(self, follower: Follower, seq: int) -> None:  # noqa: ARG002 - each is told its own place
        with self._lock:
            follower.is_queued = False  # first: what comes from now on lets it stand in line again
        follower.call()
