"""Run many agents at once from a synchronous Python program, on supervised threads.

What most programs use is here. All of it, and the rest, is in groups: ``actors.agents``, ``actors.actors``,
``actors.messages``, ``actors.manifests``, ``actors.capabilities``, ``actors.limits``, ``actors.ports``,
``actors.drivers``, ``actors.memory``, ``actors.tools``, ``actors.events``, ``actors.errors``, ``actors.monitoring``,
``actors.journals``, ``actors.sessions``, and ``actors.testing``. A name that is imported here as itself (``X as X``)
is from before there were groups: it still works from here, and is listed in its group alone.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

from loguru import logger as _logger

from .actors import (
    Actor,
    ActorEnd,
    ActorRef,
    ChildRestart as ChildRestart,
    ChildSpec as ChildSpec,
    DeferredReply as DeferredReply,
    Dispatcher as Dispatcher,
    DispatcherStats as DispatcherStats,
    Piped as Piped,
    Registry as Registry,
    ReplyFuture,
    RouterRef as RouterRef,
    Strategy as Strategy,
    SupervisorRef as SupervisorRef,
    Timer as Timer,
    Topic as Topic,
    blocking as blocking,
    by_key as by_key,
    dump as dump,
    start_router as start_router,
    supervise,
    supervise_all as supervise_all,
)
from .agents import (
    Agent,
    AgentHandle,
    AgentLoopResult,
    AgentOutcome,
    AgentPool,
    AgentStatus,
    AsyncMapIterator as AsyncMapIterator,
    Backoff,
    CancelToken,
    Conversation as Conversation,
    Deadline,
    FailurePolicy,
    Handoff as Handoff,
    LlmAgent,
    MapIterator as MapIterator,
    Outcomes,
    Refuse as Refuse,
    RestartPolicy,
    SpawnConfig,
    Trip as Trip,
)
from .capabilities import (
    Browser as Browser,
    Capability as Capability,
    Compute as Compute,
    FileRead,
    FileWrite,
    Inference as Inference,
    Mcp as Mcp,
    Memory as Memory,
    Network,
    Rag as Rag,
    Shell,
    Spawn,
    capability_matches as capability_matches,
)
from .core.process.log import NAMESPACE as _NAMESPACE, log
from .drivers import (
    FunctionDriver,
    RoutingDriver,
    RoutingMetrics as RoutingMetrics,
    RoutingStrategy as RoutingStrategy,
    SchemaRules as SchemaRules,
    ScriptedDriver,
    ServerProfile as ServerProfile,
)
from .errors import (
    ActorDead,
    ActorsError,
    AgentAbandoned as AgentAbandoned,
    AgentCancelled,
    AgentCrashed,
    AgentError,
    AgentTimedOut,
    AskTimeout,
    Cancelled,
    CapabilityDenied as CapabilityDenied,
    CapacityError,
    CassetteError as CassetteError,
    CassetteMiss as CassetteMiss,
    CircuitBreak as CircuitBreak,
    ContextOverflow as ContextOverflow,
    CostExceeded as CostExceeded,
    DeadlockError,
    DispatcherExhausted as DispatcherExhausted,
    DriverError,
    EffectInDoubt as EffectInDoubt,
    ForkedPoolError as ForkedPoolError,
    GuardrailTripped as GuardrailTripped,
    HandoffsExceeded as HandoffsExceeded,
    InboxClosed as InboxClosed,
    InboxFull,
    InferenceFailed as InferenceFailed,
    InvalidOutput as InvalidOutput,
    IterationsExceeded as IterationsExceeded,
    JoinTimeout,
    JournalBusy as JournalBusy,
    JournalChanged as JournalChanged,
    JournalCorrupt as JournalCorrupt,
    JournalError as JournalError,
    JournalFailed as JournalFailed,
    JournalGaveUp as JournalGaveUp,
    JournalVersion as JournalVersion,
    MalformedAnswer as MalformedAnswer,
    ManifestError,
    MemoryFailed as MemoryFailed,
    ModelNotFound as ModelNotFound,
    NetworkError as NetworkError,
    NoPool as NoPool,
    NotRegistered as NotRegistered,
    Overloaded as Overloaded,
    PoolClosed,
    RateLimited as RateLimited,
    RemoteError as RemoteError,
    RestartsUsedUp as RestartsUsedUp,
    SendError as SendError,
    SessionConflict as SessionConflict,
    SessionError as SessionError,
    StashFull as StashFull,
    TokensExceeded as TokensExceeded,
    ToolCallsExceeded as ToolCallsExceeded,
    ToolFailed,
    TruncationExceeded as TruncationExceeded,
)
from .events import (
    AgentEnded as AgentEnded,
    AgentParked as AgentParked,
    AgentQueued as AgentQueued,
    AgentRestarted as AgentRestarted,
    AgentResumed as AgentResumed,
    AgentStalled as AgentStalled,
    AgentStarted as AgentStarted,
    ApprovalDecided as ApprovalDecided,
    ApprovalRequested as ApprovalRequested,
    BudgetWarned as BudgetWarned,
    CompletionFinished as CompletionFinished,
    ContextTrimmed as ContextTrimmed,
    Event,
    EventsMissed as EventsMissed,
    HandedOff as HandedOff,
    MessageSent as MessageSent,
    Phase as Phase,
    PhaseChanged as PhaseChanged,
    TextDelta,
    TextRestarted as TextRestarted,
    ToolEnded as ToolEnded,
    ToolStarted as ToolStarted,
)
from .limits import (
    Budget,
    ContextWindow as ContextWindow,
    LimiterStats as LimiterStats,
    LoopGuard as LoopGuard,
    RateLimiter,
    Spending as Spending,
    Verdict as Verdict,
    VerdictKind as VerdictKind,
)
from .manifests import (
    AgentManifest,
    AgentTable as AgentTable,
    ApprovalDefault as ApprovalDefault,
    ApprovalRules as ApprovalRules,
    ContextTable as ContextTable,
    GuardrailTable as GuardrailTable,
    HandoffTable as HandoffTable,
    McpServer as McpServer,
    McpTransport as McpTransport,
    MemoryTable as MemoryTable,
    ModelConfig as ModelConfig,
    ModelSettings as ModelSettings,
    PromptFunction as PromptFunction,
    ResourceLimits as ResourceLimits,
)
from .memory import (
    Document as Document,
    Embedder as Embedder,
    HashEmbedder as HashEmbedder,
    InMemorySubstrate,
    VectorIndex as VectorIndex,
)
from .messages import (
    AgentId as AgentId,
    AgentMessage,
    DeadLetter,
    DeadLetterReason as DeadLetterReason,
    DeadLetters as DeadLetters,
    Inbox,
    MessageRouter,
)
from .monitoring import (
    ActorDump as ActorDump,
    ActorsDump as ActorsDump,
    ActorState as ActorState,
    AgentDump as AgentDump,
    AgentState as AgentState,
    DispatcherDump as DispatcherDump,
    PendingApproval as PendingApproval,
    PoolDump as PoolDump,
    PoolStats as PoolStats,
    ThreadDump as ThreadDump,
)
from .ports import (
    AssistantMessage as AssistantMessage,
    Attachment as Attachment,
    CompletionRequest as CompletionRequest,
    CompletionResponse as CompletionResponse,
    Effect as Effect,
    LlmDriver as LlmDriver,
    MemoryFilter as MemoryFilter,
    MemoryFragment as MemoryFragment,
    MemorySource as MemorySource,
    MemorySubstrate as MemorySubstrate,
    Message as Message,
    PrivacyTier,
    StopReason as StopReason,
    SystemMessage as SystemMessage,
    TokenUsage as TokenUsage,
    Tool as Tool,
    ToolCall as ToolCall,
    ToolDefinition as ToolDefinition,
    ToolResult,
    ToolResultMessage as ToolResultMessage,
    UserMessage as UserMessage,
)
from .public import publish as _publish
from .sessions import (
    Session as Session,
    SessionFacts as SessionFacts,
    Sessions as Sessions,
    SessionStore as SessionStore,
    Turn as Turn,
)
from .tools import (
    Deps as Deps,
    ProcessResult as ProcessResult,
    ToolRegistry,
    needs_approval,
    run_process as run_process,
    search_documents as search_documents,
    tool,
)

if _TYPE_CHECKING:  # who keeps no journal need not wait for what one is made of
    from .journals import (
        Durability as Durability,
        EffectState as EffectState,
        InDoubt as InDoubt,
        Journal as Journal,
        JournaledAgent as JournaledAgent,
        JournaledEffect as JournaledEffect,
        JournaledStatus as JournaledStatus,
        JournalFinding as JournalFinding,
        JournalReader as JournalReader,
        OnChange as OnChange,
    )
    from .memory import SqliteMemory as SqliteMemory

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - grouped for people, not sorted
    # Agents and pools
    "Agent",
    "AgentHandle",
    "AgentLoopResult",
    "AgentManifest",
    "AgentOutcome",
    "AgentPool",
    "AgentStatus",
    "Backoff",
    "Budget",
    "FailurePolicy",
    "LlmAgent",
    "Outcomes",
    "RestartPolicy",
    "SpawnConfig",
    # Actors and messages
    "Actor",
    "ActorEnd",
    "ActorRef",
    "AgentMessage",
    "CancelToken",
    "DeadLetter",
    "Deadline",
    "Inbox",
    "MessageRouter",
    "ReplyFuture",
    "supervise",
    # Models, memory, tools
    "FunctionDriver",
    "InMemorySubstrate",
    "PrivacyTier",
    "RateLimiter",
    "RoutingDriver",
    "ScriptedDriver",
    "ToolRegistry",
    "ToolResult",
    "needs_approval",
    "tool",
    # Capabilities
    "FileRead",
    "FileWrite",
    "Network",
    "Shell",
    "Spawn",
    # Events
    "Event",
    "TextDelta",
    # Errors
    "ActorDead",
    "ActorsError",
    "AgentCancelled",
    "AgentCrashed",
    "AgentError",
    "AgentTimedOut",
    "AskTimeout",
    "Cancelled",
    "CapacityError",
    "DeadlockError",
    "DriverError",
    "InboxFull",
    "JoinTimeout",
    "ManifestError",
    "PoolClosed",
    "ToolFailed",
    # Log
    "log",
    "__version__",
]

_publish(__name__, globals())
_logger.disable(_NAMESPACE)  # the library is silent until log() turns it on


_LATER = {
    "actors.journals": (
        *("Durability", "EffectState", "InDoubt", "Journal", "JournalFinding", "JournalReader"),
        *("JournaledAgent", "JournaledEffect", "JournaledStatus", "OnChange"),
    ),
    "actors.memory": ("SqliteMemory",),
}


def __getattr__(name: str) -> _Any:
    """What needs SQLite, imported when somebody first asks for it."""
    for module, names in _LATER.items():
        if name in names:
            return getattr(_import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
