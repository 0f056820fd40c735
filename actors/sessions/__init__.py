"""Conversations that go on."""

from datetime import datetime

from ..agent.turns import SessionFacts, SessionStore, Turn, TurnSummary
from ..core.records.conversation import Message
from ..core.records.usage import TokenUsage
from ..public import publish_listed
from .session import Session
from .sessions import Sessions

__all__ = [
    "Session",
    "SessionFacts",
    "SessionStore",
    "Sessions",
    "Turn",
    "TurnSummary",
]

publish_listed(__name__, globals())
