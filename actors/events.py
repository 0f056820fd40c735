"""What happens in a pool, as ``AgentPool(on_event=...)`` is told it. Subclass ``Event`` for events of your own."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import ConfigDict

from .agent.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetWarned,
    ContextTrimmed,
    HandedOff,
    ToolEnded,
    ToolStarted,
)
from .core.records.answer import (
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    LimiterWaited,
    Phase,
    PhaseChanged,
    TextDelta,
    TextRestarted,
)
from .core.records.event import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentRestarted,
    AgentResumed,
    AgentStalled,
    AgentStarted,
    Event,
    EventsMissed,
    MessageRead,
    MessageSent,
)
from .core.records.message import AgentId
from .core.records.outcome import AgentStatus
from .core.records.state import AgentState
from .public import publish

__all__ = [
    "AgentEnded",
    "AgentParked",
    "AgentQueued",
    "AgentRestarted",
    "AgentResumed",
    "AgentStalled",
    "AgentStarted",
    "ApprovalDecided",
    "ApprovalRequested",
    "BudgetWarned",
    "CompletionFailed",
    "CompletionFinished",
    "CompletionStarted",
    "ContextTrimmed",
    "Event",
    "EventsMissed",
    "HandedOff",
    "LimiterWaited",
    "MessageRead",
    "MessageSent",
    "Phase",
    "PhaseChanged",
    "TextDelta",
    "TextRestarted",
    "ToolEnded",
    "ToolStarted",
]

publish(__name__, globals())
