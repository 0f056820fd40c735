"""What a pool tells of itself when it is asked: figures, dumps, open questions."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from .core.actors.actor_dump import ActorDump, ActorsDump, ActorState, DispatcherDump
    from .core.dispatching.dispatcher import DispatcherStats
    from .core.records.message import AgentId
    from .core.records.outcome import AgentStatus
    from .core.records.pool_stats import PoolStats
    from .core.records.state import AgentState
    from .core.records.usage import TokenUsage
    from .core.scheduling.approval import PendingApproval
    from .core.supervision.dump import AgentDump, ApprovalDump, PoolDump, ThreadDump
    from .core.tracing import (
        AgentEnding,
        CompletionEnding,
        ToolEnding,
        TracedAgent,
        TracedCompletion,
        TracedTool,
        TraceSpan,
        Tracing,
    )
    from .inside.live import LiveView
    from .inside.picture import (
        FoldedAgents,
        Load,
        PathPiece,
        Picture,
        TimelineAgent,
        TimelineMark,
        TimelineMessage,
        TimelineSpan,
        TimelineSummary,
    )
    from .inside.spans import OpenTelemetry
    from .inside.timeline import Timeline

__all__ = [
    "ActorDump",
    "ActorState",
    "ActorsDump",
    "AgentDump",
    "AgentEnding",
    "AgentState",
    "ApprovalDump",
    "CompletionEnding",
    "DispatcherDump",
    "FoldedAgents",
    "LiveView",
    "Load",
    "OpenTelemetry",
    "PathPiece",
    "PendingApproval",
    "Picture",
    "PoolDump",
    "PoolStats",
    "ThreadDump",
    "Timeline",
    "TimelineAgent",
    "TimelineMark",
    "TimelineMessage",
    "TimelineSpan",
    "TimelineSummary",
    "ToolEnding",
    "TraceSpan",
    "TracedAgent",
    "TracedCompletion",
    "TracedTool",
    "Tracing",
]

shelve(
    __name__,
    {
        "collections.abc": "Hashable Mapping Sequence",
        "datetime": "datetime",
        "typing": "Any",
        ".core.actors.actor_dump": "ActorDump ActorsDump ActorState DispatcherDump",
        ".core.dispatching.dispatcher": "DispatcherStats",
        ".core.records.message": "AgentId",
        ".core.records.outcome": "AgentStatus",
        ".core.records.pool_stats": "PoolStats",
        ".core.records.state": "AgentState",
        ".core.records.usage": "TokenUsage",
        ".core.scheduling.approval": "PendingApproval",
        ".core.supervision.dump": "AgentDump ApprovalDump PoolDump ThreadDump",
        ".core.tracing": (
            "AgentEnding CompletionEnding ToolEnding TracedAgent TracedCompletion TracedTool TraceSpan Tracing"
        ),
        ".inside.live": "LiveView",
        ".inside.picture": (
            "FoldedAgents Load PathPiece Picture TimelineAgent TimelineMark TimelineMessage TimelineSpan "
            "TimelineSummary"
        ),
        ".inside.spans": "OpenTelemetry",
        ".inside.timeline": "Timeline",
    },
)
