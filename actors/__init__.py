"""Run many agents at once from a synchronous Python program, on supervised threads."""

from loguru import logger as _logger

from .agent.agent import Agent
from .agent.approval_rules import ApprovalDefault, needs_approval
from .agent.budget import Budget, Spending
from .agent.capability import (
    Browser,
    Capability,
    Compute,
    FileRead,
    FileWrite,
    Inference,
    Mcp,
    Memory,
    Network,
    Rag,
    Shell,
    Spawn,
    capability_matches,
)
from .agent.config import SpawnConfig
from .agent.context_window import ContextWindow
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
from .agent.guard import LoopGuard, Verdict, VerdictKind
from .agent.llm_agent import AgentLoopResult, LlmAgent
from .agent.manifest import AgentManifest, ApprovalRules, McpServer, McpTransport, ModelConfig, ResourceLimits
from .agent.ports import (
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    LlmDriver,
    MemoryFilter,
    MemoryFragment,
    MemorySource,
    MemorySubstrate,
    Message,
    PrivacyTier,
    StopReason,
    SystemMessage,
    TokenUsage,
    Tool,
    ToolCall,
    ToolDefinition,
    ToolResult,
    ToolResultMessage,
    UserMessage,
)
from .core.actors.actor import Actor, supervise
from .core.actors.actor_cell import ActorEnd
from .core.actors.reference import ActorRef
from .core.actors.reply import ReplyFuture
from .core.messaging.dead_letter import DeadLetter, DeadLetterReason, DeadLetters
from .core.messaging.router import Inbox, MessageRouter
from .core.process.log import NAMESPACE as _NAMESPACE
from .core.process.log import log
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
from .core.records.message import AgentId, AgentMessage
from .core.records.outcome import AgentOutcome, AgentStatus
from .core.records.outcomes import FailurePolicy, Outcomes
from .core.records.spec import Backoff, RestartPolicy
from .core.records.state import AgentState
from .core.scheduling.approval import PendingApproval
from .core.supervision.dump import AgentDump, PoolDump, ThreadDump
from .core.supervision.handle import AgentHandle
from .core.waiting.cancel import CancelToken, Deadline
from .drivers.function import FunctionDriver
from .drivers.limiter import LimiterStats, RateLimiter
from .drivers.routing import RoutingDriver, RoutingMetrics, RoutingStrategy
from .drivers.scripted import ScriptedDriver
from .errors import (
    ActorDead,
    ActorsError,
    AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentError,
    AgentTimedOut,
    AskTimeout,
    Cancelled,
    CapabilityDenied,
    CapacityError,
    CircuitBreak,
    ContextOverflow,
    CostExceeded,
    DeadlockError,
    DriverError,
    ForkedPoolError,
    InboxClosed,
    InboxFull,
    InferenceFailed,
    InvalidOutput,
    IterationsExceeded,
    JoinTimeout,
    MalformedAnswer,
    ManifestError,
    MemoryFailed,
    ModelNotFound,
    NetworkError,
    NotRegistered,
    Overloaded,
    PoolClosed,
    RateLimited,
    SendError,
    TokensExceeded,
    ToolCallsExceeded,
    ToolFailed,
    TruncationExceeded,
)
from .memory.in_memory import InMemorySubstrate
from .pool import AgentPool, PoolStats
from .tools.process import ProcessResult, run_process
from .tools.registry import ToolRegistry
from .tools.tool import tool

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - grouped for people, not sorted
    # Agents and pools
    "Agent",
    "AgentDump",
    "AgentHandle",
    "AgentLoopResult",
    "AgentOutcome",
    "AgentPool",
    "AgentState",
    "AgentStatus",
    "Backoff",
    "Budget",
    "FailurePolicy",
    "LlmAgent",
    "Outcomes",
    "PendingApproval",
    "PoolDump",
    "PoolStats",
    "RestartPolicy",
    "SpawnConfig",
    "Spending",
    "ThreadDump",
    # Actors and messages
    "Actor",
    "ActorEnd",
    "ActorRef",
    "AgentId",
    "AgentMessage",
    "CancelToken",
    "DeadLetter",
    "DeadLetterReason",
    "DeadLetters",
    "Deadline",
    "Inbox",
    "MessageRouter",
    "ReplyFuture",
    "supervise",
    # Manifests and capabilities
    "AgentManifest",
    "ApprovalDefault",
    "ApprovalRules",
    "Browser",
    "Capability",
    "Compute",
    "ContextWindow",
    "FileRead",
    "FileWrite",
    "Inference",
    "LoopGuard",
    "Mcp",
    "McpServer",
    "McpTransport",
    "Memory",
    "ModelConfig",
    "Network",
    "Rag",
    "ResourceLimits",
    "Shell",
    "Spawn",
    "Verdict",
    "VerdictKind",
    "capability_matches",
    # Ports and their messages
    "AssistantMessage",
    "CompletionRequest",
    "CompletionResponse",
    "LlmDriver",
    "MemoryFilter",
    "MemoryFragment",
    "MemorySource",
    "MemorySubstrate",
    "Message",
    "PrivacyTier",
    "StopReason",
    "SystemMessage",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolDefinition",
    "ToolResult",
    "ToolResultMessage",
    "UserMessage",
    # Drivers, memory, tools
    "FunctionDriver",
    "InMemorySubstrate",
    "LimiterStats",
    "ProcessResult",
    "RateLimiter",
    "RoutingDriver",
    "RoutingMetrics",
    "RoutingStrategy",
    "ScriptedDriver",
    "ToolRegistry",
    "needs_approval",
    "run_process",
    "tool",
    # Events
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
    # Errors
    "ActorDead",
    "ActorsError",
    "AgentAbandoned",
    "AgentCancelled",
    "AgentCrashed",
    "AgentError",
    "AgentTimedOut",
    "AskTimeout",
    "Cancelled",
    "CapabilityDenied",
    "CapacityError",
    "CircuitBreak",
    "ContextOverflow",
    "CostExceeded",
    "DeadlockError",
    "DriverError",
    "ForkedPoolError",
    "InboxClosed",
    "InboxFull",
    "InferenceFailed",
    "InvalidOutput",
    "IterationsExceeded",
    "JoinTimeout",
    "MalformedAnswer",
    "ManifestError",
    "MemoryFailed",
    "ModelNotFound",
    "NetworkError",
    "NotRegistered",
    "Overloaded",
    "PoolClosed",
    "RateLimited",
    "SendError",
    "TokensExceeded",
    "ToolCallsExceeded",
    "ToolFailed",
    "TruncationExceeded",
    # Log
    "log",
    "__version__",
]

_logger.disable(_NAMESPACE)  # the library is silent until log() turns it on
