"""Messages between agents, where they go, and what becomes of those that nobody reads."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from .core.messaging.dead_letter import DeadLetter, DeadLetterReason, DeadLetters
    from .core.messaging.router import Inbox, MessageRouter
    from .core.records.message import AgentId, AgentMessage

__all__ = [
    "AgentId",
    "AgentMessage",
    "DeadLetter",
    "DeadLetterReason",
    "DeadLetters",
    "Inbox",
    "MessageRouter",
]

shelve(
    __name__,
    {
        "datetime": "datetime",
        "typing": "Any",
        ".core.messaging.dead_letter": "DeadLetter DeadLetterReason DeadLetters",
        ".core.messaging.router": "Inbox MessageRouter",
        ".core.records.message": "AgentId AgentMessage",
    },
)
