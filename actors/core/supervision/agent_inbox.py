"""An agent's own inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..actors.envelope import Question
from ..messaging.router import Inbox
from ..records.event import MessageRead
from ..records.message import AgentMessage
from ..records.sealed_message import SealedMessage
from ..records.told import told_text
from ..scheduling.event_log import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.event_log import EventLog
    from .supervisor import Supervisor


class AgentInbox(Inbox):
    """An agent's own inbox. Asks and proxy calls that it meets are answered on the way."""

    def __init__(self, cell: AgentCell, supervisor: Supervisor, serve: Callable[[Question], None]) -> None:
        super().__init__(supervisor.pool.router, cell)
        self._pool = supervisor.pool
        self._cell = cell
        self._serve = serve

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
