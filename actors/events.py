"""What happens in a pool, as ``AgentPool(on_event=...)`` is told it. Subclass ``Event`` for events of your own."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
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

shelve(
    __name__,
    {
        "datetime": "datetime",
        "typing": "Any ClassVar",
        "pydantic": "ConfigDict",
        ".agent.events": (
            "ApprovalDecided ApprovalRequested BudgetWarned ContextTrimmed HandedOff ToolEnded ToolStarted"
        ),
        ".core.records.answer": (
            "CompletionFailed CompletionFinished CompletionStarted LimiterWaited Phase PhaseChanged TextDelta "
            "TextRestarted"
        ),
        ".core.records.event": (
            "AgentEnded AgentParked AgentQueued AgentRestarted AgentResumed AgentStalled AgentStarted Event "
            "EventsMissed MessageRead MessageSent"
        ),
        ".core.records.message": "AgentId",
        ".core.records.outcome": "AgentStatus",
        ".core.records.state": "AgentState",
    },
)
