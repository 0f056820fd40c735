"""What happens in a pool, as ``AgentPool(on_event=...)`` is told it. Subclass ``Event`` for events of your own."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import ConfigDict

from .agent.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetWarned,
    CompletionFinished,
    Phase,
    PhaseChanged,
    TextDelta,
    ToolEnded,
    ToolStarted,
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
    "CompletionFinished",
    "Event",
    "MessageSent",
    "Phase",
    "PhaseChanged",
    "TextDelta",
    "ToolEnded",
    "ToolStarted",
]

publish(__name__, globals())
