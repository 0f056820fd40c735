"""Every error of the library, sorted by whose doing it was.

One root, :class:`ActorsError`. Each class carries fields, not only text, and survives a pickle round trip. Whichever
file a class stands in, its name is ``actors.errors.Name``: in JSON, in a pickle and in a traceback.
"""

from __future__ import annotations

from .agents import (
    CapabilityDenied,
    ContextOverflow,
    GuardrailTripped,
    InvalidOutput,
    ManifestError,
    MemoryFailed,
    ToolFailed,
)
from .base import ActorsError, AgentError, Cancelled
from .copies import ErrorT as ErrorT, fresh_copy as fresh_copy
from .drivers import DriverError, InferenceFailed, MalformedAnswer, ModelNotFound, NetworkError, Overloaded, RateLimited
from .journals import (
    CassetteError,
    CassetteMiss,
    EffectInDoubt,
    JournalBusy,
    JournalChanged,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalGaveUp,
    JournalVersion,
)
from .limits import (
    CapacityError,
    CircuitBreak,
    CostExceeded,
    HandoffsExceeded,
    IterationsExceeded,
    TokensExceeded,
    ToolCallsExceeded,
    TruncationExceeded,
)
from .messages import (
    ActorDead,
    AskTimeout,
    DispatcherExhausted,
    InboxClosed,
    InboxFull,
    NotRegistered,
    SendError,
    StashFull,
)
from .nodes import AgentLost, EngineLost, NotAcrossNodes, NotPortable
from .outcomes import AgentAbandoned, AgentCancelled, AgentCrashed, AgentTimedOut, Origin as Origin, RemoteError
from .pools import DeadlockError, ForkedPoolError, JoinTimeout, NoPool, PoolClosed
from .portable import rebuild as rebuild
from .sessions import SessionConflict, SessionError
from .trees import RestartsUsedUp

__all__ = [
    "ActorDead",
    "ActorsError",
    "AgentAbandoned",
    "AgentCancelled",
    "AgentCrashed",
    "AgentError",
    "AgentLost",
    "AgentTimedOut",
    "AskTimeout",
    "Cancelled",
    "CapabilityDenied",
    "CapacityError",
    "CassetteError",
    "CassetteMiss",
    "CircuitBreak",
    "ContextOverflow",
    "CostExceeded",
    "DeadlockError",
    "DispatcherExhausted",
    "DriverError",
    "EffectInDoubt",
    "EngineLost",
    "ForkedPoolError",
    "GuardrailTripped",
    "HandoffsExceeded",
    "InboxClosed",
    "InboxFull",
    "InferenceFailed",
    "InvalidOutput",
    "IterationsExceeded",
    "JoinTimeout",
    "JournalBusy",
    "JournalChanged",
    "JournalCorrupt",
    "JournalError",
    "JournalFailed",
    "JournalGaveUp",
    "JournalVersion",
    "MalformedAnswer",
    "ManifestError",
    "MemoryFailed",
    "ModelNotFound",
    "NetworkError",
    "NoPool",
    "NotAcrossNodes",
    "NotPortable",
    "NotRegistered",
    "Overloaded",
    "PoolClosed",
    "RateLimited",
    "RemoteError",
    "RestartsUsedUp",
    "SendError",
    "SessionConflict",
    "SessionError",
    "StashFull",
    "TokensExceeded",
    "ToolCallsExceeded",
    "ToolFailed",
    "TruncationExceeded",
]

rebuild.__module__ = __name__  # pickles name it
for _name in __all__:
    globals()[_name].__module__ = __name__
