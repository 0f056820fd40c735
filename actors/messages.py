"""Messages between agents, where they go, and what becomes of those that nobody reads."""

from datetime import datetime
from typing import Any

from .core.messaging.dead_letter import DeadLetter, DeadLetterReason, DeadLetters
from .core.messaging.router import Inbox, MessageRouter
from .core.records.message import AgentId, AgentMessage
from .public import publish

__all__ = [
    "AgentId",
    "AgentMessage",
    "DeadLetter",
    "DeadLetterReason",
    "DeadLetters",
    "Inbox",
    "MessageRouter",
]

publish(__name__, globals())
