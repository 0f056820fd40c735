"""An agent's own inbox."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from ...errors import InboxClosed
from ..actors.envelope import Question
from ..messaging.mailbox import NOTHING, MailboxClosed
from ..messaging.router import Inbox
from ..records.event import AgentParked, AgentResumed, MessageRead
from ..records.message import AgentMessage
from ..records.sealed_message import SealedMessage
from ..records.told import told_text
from ..scheduling.event_log import BATCH, EVENTS, NO_FIELDS
from ..waiting.crowd import crowd
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..messaging.mailbox import Mailbox
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.event_log import EventLog
    from .supervisor import Supervisor

ON: Final = "receive"
"""What an agent is parked on that waits for a message."""
TOLD: Final[Mapping[str, Any]] = {"on": ON}


class AgentInbox(Inbox):
    """An agent's own inbox. Asks and proxy calls that it meets are answered on the way.

    A wait of the agent's own thread, without a time, goes a short way: that is what ``Inbox.receive``,
    ``Mailbox.await_item``, ``WaitMember.wait``, ``Parking.park`` and ``Parking.unpark`` do, in one place, where it is
    known who waits and what for. What is out of the ordinary (a time, a tool call, a block of ``parked()``, spans, a
    host that reports, events with content or for a sink) goes the long way.

    Guarantees: as of those.

    Locks: none. ``_waiter`` and ``_log`` are written by the agent's own thread: who waits enters its waiter, then looks
    whether the agent was cancelled; who cancels marks the token, then looks for the waiter.
    """

    def __init__(self, cell: AgentCell, supervisor: Supervisor, serve: Callable[[Question], None]) -> None:
        pool = supervisor.pool
        super().__init__(pool.router, cell)
        self._pool = pool
        self._cell = cell
        self._serve = serve
        self._parking = supervisor.parking
        self._slots = pool.slots
        self._crowd = crowd()
        self._is_plain = pool.tracing is None and pool.witness is None and not pool.with_content
        self._log: EventLog | None = None
        self._waiter: Waiter | None = None
        cell.token.remind(self._end_wait)  # once, and not for each wait

    def receive(self, timeout: float | None = None) -> AgentMessage:
        """Take the next message, waiting for it. An agent that waits is parked."""
        cell, log = self._cell, self._log
        if (
            timeout is not None
            or cell.thread != get_ident()
            or cell.tool_threads  # one of them may be here
            or (log is None and not self._is_quick())
            or cell.parks
            or self._pool.listening
        ):
            return super().receive(timeout)
        token = cell.token
        if token.marked or token.deadline is not None:
            token.check()
        mailbox, router = cell.mailbox, self._router
        if mailbox is None or router.mark.generation != router.generation:
            mailbox = router.open(cell)  # refused after a fork
        while True:
            try:
                item = mailbox.take()
                if item is NOTHING:
                    item = self._await(cell, mailbox)
            except MailboxClosed:
                raise InboxClosed(f"the inbox of {cell.id} is closed") from None
            if (message := self._message(item)) is not None:
                return message

    def _is_quick(self) -> bool:
        """May it go the short way? Its first event is told the long way, which makes the log."""
        if not self._is_plain:
            return False
        self._log = self._cell.lazies.get(EVENTS)
        return self._log is not None or not self._cell.heard

    def _await(self, cell: AgentCell, mailbox: Mailbox) -> Any:
        """The next item, parked until it is there."""
        token, idle = cell.token, self._slots.idle
        while True:
            waiter = Waiter()
            self._waiter = cell.waiter = waiter
            waiter.owner = cell
            try:
                if token.marked:
                    token.check()
                if mailbox.attend(waiter):
                    cell.parks = 1
                    cell.stand_aside(ON)
                    self._tell(AgentParked, TOLD)
                    if cell.has_slot:
                        idle[cell] = None
                        if self._slots.need:
                            self._parking.rebalance()
                    try:
                        waiter.rest(self._crowd)
                    finally:
                        cell.parks = 0
                        if idle.pop(cell, self) is self:  # somebody took the slot
                            self._parking.reclaim_slot(cell)
                        cell.resume()
                        self._tell(AgentResumed, NO_FIELDS)
                if token.marked or token.deadline is not None:
                    token.check()
            except BaseException:
                mailbox.unattend(waiter)
                raise
            finally:
                self._waiter = cell.waiter = waiter.owner = None
            item = mailbox.take()
            if item is not NOTHING:
                return item

    def _end_wait(self) -> None:
        """The agent was cancelled."""
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()

    def _tell(self, make: Callable[..., Any], fields: Mapping[str, Any]) -> None:
        """Note an event of the moment to which the agent has just come."""
        log = self._log
        if log is None or self._pool.listening:
            if self._cell.heard:
                self._pool.emit(self._cell, make, fields, self._cell.since)
            return
        new = log.new
        new.append((make, fields, self._cell.since))  # as emit does
        if log.waiting or len(new) >= BATCH:
            log.attend()

    def _message(self, item: Any) -> AgentMessage | None:
        cell = self._cell
        cell.steps += 1
        if type(item) is not AgentMessage and isinstance(item, Question):
            self._serve(item)
            return None
        message: AgentMessage | None = self._opened(item) if type(item) is SealedMessage else item
        if message is not None and cell.heard:
            pool = self._pool
            told: dict[str, Any] = {"sender": message.sender}
            if pool.with_content:
                told["text"] = told_text(message.content)
            log: EventLog | None = cell.lazies.get(EVENTS)
            if log is not None and not pool.listening and cell.outcome is None:  # as emit does, without a call
                log.new.append((MessageRead, told, pool.moment()))
                if log.waiting:
                    log.attend()
            else:
                pool.emit(cell, MessageRead, told)
        return message
