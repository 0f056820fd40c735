"""Reads the events of one agent, and its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ...errors import DeadlockError
from ..clock import SYSTEM_CLOCK
from ..records.answer import Phase, PhaseChanged, TextDelta, TextRestarted
from ..records.event import AgentRestarted
from ..scheduling.event_log import log_of
from ..waiting.loop_waiter import LoopWaiter, arrive
from ..waiting.wait_graph import checkpoint, current, wait_for
from ..waiting.waiter import Waiter
from .event_cursor import EventCursor

if TYPE_CHECKING:
    from ..records.event import Event
    from ..scheduling.agent_cell import AgentCell
    from .pool_state import PoolState


class Reading:
    """The events of one agent as they come to one reader: all of them, from the first to its ``AgentEnded``.

    Guarantees: each reader gets all of them, whenever it begins. One that stops reading holds nobody up: what it has
    not read is kept within bounds, and an ``EventsMissed`` tells of what was not. It may be dropped at any time.

    Threads: one at a time.
    """

    def __init__(self, cell: AgentCell, pool: PoolState, timeout: float | None) -> None:
        pool.refuse_after_fork()
        pool.turn.refuse_inside()
        with pool.turn:  # the start of the agent comes before, or is noted
            self._log = log_of(cell)
        self._cell = cell
        self._pool = pool
        self._timeout = timeout
        self._cursor: EventCursor | None = EventCursor(cell, self._log)

    def _begin_step(self) -> float | None:
        """The end of its time, if it has one."""
        self._pool.refuse_after_fork()
        checkpoint()
        member = current()
        if member is not None and self._cell.outcome is None and member.is_below(self._cell):
            label = self._cell.label
            raise DeadlockError("reading the events of itself or of an ancestor", (member.label, label))
        return None if self._timeout is None else SYSTEM_CLOCK.monotonic() + self._timeout

    def _take(self) -> Event | None:
        """The next event; None when there is none. Then it has left, if there are no more."""
        cursor = self._cursor
        event = None if cursor is None else cursor.next()
        if event is None and cursor is not None and cursor.is_over():
            self._leave()
        return event

    def _leave(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.leave()

    def _too_late(self) -> TimeoutError:
        return TimeoutError(f"no event of {self._cell.label} within {self._timeout} s; nothing is lost, read on")


class EventReader(Reading):
    """The iterator that ``handle.events`` returns."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        end = self._begin_step()
        while (event := self._take()) is None:
            if self._cursor is None:
                raise StopIteration
            self._await_more(self._cursor, end)
        return event

    def _await_more(self, cursor: EventCursor, end: float | None) -> None:
        waiter = Waiter()
        woken = True
        try:
            if self._log.await_more(cursor, waiter):
                woken = wait_for(waiter, SYSTEM_CLOCK.left(end), f"the events of {self._cell.label}", self._cell)
        finally:
            self._log.forget(waiter)
        if not woken and not self._log.has_more(cursor):
            raise self._too_late()

    def close(self) -> None:
        """Read no further."""
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncEventReader(Reading):
    """The iterator that ``handle.aevents`` returns. It holds no thread."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        end = self._begin_step()
        while (event := self._take()) is None:
            if self._cursor is None:
                raise StopAsyncIteration
            await self._await_more(self._cursor, end)
        return event

    async def _await_more(self, cursor: EventCursor, end: float | None) -> None:
        waiter = LoopWaiter()
        woken = True
        try:
            if self._log.await_more(cursor, waiter):
                woken = await arrive(waiter, SYSTEM_CLOCK.left(end), f"the events of {self._cell.label}", self._cell)
        finally:
            self._log.forget(waiter)
        if not woken and not self._log.has_more(cursor):
            raise self._too_late()

    async def aclose(self) -> None:
        """Read no further."""
        self._leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()


class TextReader:
    """The iterator that ``handle.text`` returns: what the agent's model says, piece by piece.

    Threads: one at a time.
    """

    def __init__(self, events: EventReader) -> None:
        self._events = events
        self._next: str | None = None
        self._attempt = 0  # of the answer at hand; 0 before its first piece
        self._begin = 0  # how much stood when it began
        self._standing = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while self._next is None:
            piece = self._piece_of(next(self._events))
            if piece is not None:
                return piece
        piece, self._next = self._next, None
        return piece

    def _piece_of(self, event: Event) -> str | None:
        if isinstance(event, TextDelta):
            is_again = 0 < self._attempt < event.attempt and self._standing > self._begin
            self._attempt = event.attempt
            if not is_again:
                self._standing += len(event.text)
                return event.text or None
            self._standing = self._begin + len(event.text)
            self._next = event.text or None
            return TextRestarted(self._begin)
        if isinstance(event, PhaseChanged):
            if event.phase is Phase.REASON:
                self._attempt, self._begin = 0, self._standing
        elif isinstance(event, AgentRestarted):
            stood, self._attempt, self._begin, self._standing = self._standing, 0, 0, 0
            return TextRestarted() if stood else None
        return None

    def close(self) -> None:
        """Read no further."""
        self._next = None
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
