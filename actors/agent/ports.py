"""The ports of an agent: what a driver, a memory and a tool must offer, and the messages they exchange.

The records are frozen dataclasses, positional as written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..core.records.content import content_of, is_content
from ..core.records.content_field import Content
from ..core.records.conversation import (
    AssistantMessage as AssistantMessage,
    Attachment,
    Message as Message,
    SystemMessage as SystemMessage,
    ToolCall as ToolCall,
    ToolResultMessage as ToolResultMessage,
    UserMessage as UserMessage,
)
from ..core.records.json_fields import Data, Text
from ..core.records.usage import NO_TOKENS, TokenUsage as TokenUsage
from ..public import publish
from .terms.privacy import PrivacyTier as PrivacyTier, PrivacyWord as PrivacyWord
from .terms.settings import NO_SETTINGS, ModelSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.records.content_field import LooseContent
    from ..core.records.event import Event
    from ..core.waiting.cancel import CancelToken
    from .terms.capability import Capability


class StopReason(StrEnum):
    """Why a completion ended."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"


class MemorySource(StrEnum):
    """Where a memory comes from."""

    CONVERSATION = "conversation"
    TOOL_RESULT = "tool_result"
    SYSTEM = "system"
    USER = "user"
    DOCUMENT = "document"


# Completions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """What the model is told of a tool; ``input_schema`` is a JSON Schema of an object."""

    name: Text
    description: Text
    input_schema: Data


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answers: a text, or parts of several kinds, as for a ``UserMessage``."""

    content: Content
    is_error: bool = False

    if TYPE_CHECKING:

        def __init__(self, content: LooseContent, is_error: bool = False) -> None: ...

    def __post_init__(self) -> None:
        if type(self.content) is not str and is_content(self.content):
            object.__setattr__(self, "content", content_of(self.content))


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to a driver. ``model=""`` asks for the driver's own model; ``max_tokens`` bounds the answer.

    ``output_schema``, a JSON Schema, asks for an answer in JSON that fits it. A driver that cannot ask its model for
    that may leave it out: who asks looks at the answer, and says it in words, too.

    ``settings`` is what somebody has said of how the model is to answer. ``max_tokens`` and ``temperature`` beside it
    are what holds in the end: said, or taken for granted; a driver that has settings of its own puts them in the place
    of what nobody has said.
    """

    messages: Sequence[Message]
    tools: Sequence[ToolDefinition] = ()
    system: Text | None = None
    max_tokens: int = 4096
    temperature: float = 0.3
    model: Text = ""
    output_schema: Data | None = None
    settings: ModelSettings = NO_SETTINGS

    def __post_init__(self) -> None:
        if isinstance(self.messages, tuple) and isinstance(self.tools, tuple):
            return
        for name in ("messages", "tools"):  # lists give an equal request
            if not isinstance(entries := getattr(self, name), tuple):
                object.__setattr__(self, name, tuple(entries))


@dataclass(frozen=True, slots=True)
class CompletionResponse:
    """One answer of a driver.

    ``reasoning`` is what the model thought aloud, where its server tells. ``is_paused``: the server's own tools need
    longer than one request; it goes on when the answer is sent back as it is.
    """

    text: Text = ""
    stop_reason: StopReason = StopReason.END_TURN
    tool_calls: Sequence[ToolCall] = ()
    usage: TokenUsage = NO_TOKENS
    reasoning: Text = ""
    attachment: Attachment | None = None
    is_paused: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.tool_calls, list):  # it gives an equal answer
            object.__setattr__(self, "tool_calls", tuple(self.tool_calls))


class LlmDriver(Protocol):
    """What answers a completion request: a model, a script, a function.

    It may also have ``takes`` (a ``Takes``: which images, audio and files it can be sent; without one it is sent text
    alone).

    Threads: one driver serves many agents at once; every method may be called from any thread.
    """

    @property
    def context_window(self) -> int:
        """Tokens that request and answer may have together."""

    @property
    def privacy_tier(self) -> PrivacyTier:
        """How far the data of a request travels."""

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Answer *request*.

        Raises:
            DriverError: No answer; ``retryable`` says whether to ask again.
            Cancelled: *cancel* was cancelled while the call was in flight: it ends at once.
        """

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Answer as :meth:`complete` does, and hand a ``TextDelta`` to *on_event* for each piece as it arrives.

        A driver that cannot stream hands over its whole text as one delta, or raises ``NotImplementedError`` at once.

        Args:
            request: As for :meth:`complete`.
            cancel: As for :meth:`complete`.
        """

    def estimate_cost(self, usage: TokenUsage) -> float:
        """What *usage* costs, in USD."""


@runtime_checkable
class PricesModels(Protocol):
    """A driver that asks several models and knows what each costs; "" is its own. A driver need not be one."""

    def has_price(self, model: str = "") -> bool:
        """Is the price of *model* known?"""

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        """What *usage* of *model* costs, in USD."""


@runtime_checkable
class ChecksSettings(Protocol):
    """A driver that cannot keep to all settings. One that is none gets them, and does with them what it pleases."""

    def refusal_of(self, settings: ModelSettings) -> str | None:
        """Which of *settings* it cannot keep to, and who can; None when it keeps to all."""


@runtime_checkable
class ClosesIdle(Protocol):
    """A driver that keeps connections between calls. A pool that closes tells it; it may be used on after that."""

    def close_idle(self) -> None:
        """Close the connections that no call uses."""


# Memory ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemoryFragment:
    """Something remembered. ``score`` in [0, 1] says how well it fits the query; ``created_at`` is in UTC. A piece of a
    document says of which, and which one (from 1).
    """

    id: str
    content: str
    source: MemorySource
    score: float
    created_at: datetime
    document: str | None = None
    piece: int | None = None


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories count: of this agent, from this source, created at or after ``since``."""

    agent: str | None = None
    source: MemorySource | None = None
    since: datetime | None = None


class MemorySubstrate(Protocol):
    """Where agents remember. ``agent`` is the agent's name. Threads: every method, from any thread."""

    def remember(
        self,
        agent: str,
        content: str,
        source: MemorySource = MemorySource.CONVERSATION,
        embedding: Sequence[float] | None = None,
    ) -> str:
        """Store *content*; return the new fragment's id.

        Args:
            agent: Whose memory it is.
            source: Where it comes from.
            embedding: Its vector, if somebody has made one.
        """

    def recall(
        self,
        query: str,
        limit: int = 5,
        filter: MemoryFilter | None = None,  # noqa: A002 - the port's name
        query_embedding: Sequence[float] | None = None,
    ) -> list[MemoryFragment]:
        """Find what fits *query*, the best first.

        Args:
            limit: So many at the most.
            filter: Which count; None: all.
            query_embedding: The vector of *query*, if somebody has made one.
        """

    def set(self, agent: str, key: str, value: Any) -> None:
        """Store *value* under *key* for *agent*."""

    def get(self, agent: str, key: str) -> Any | None:
        """The value under *key*, or None.

        Args:
            agent: Whose.
        """

    def forget(self, id: str) -> None:  # noqa: A002 - the port's name
        """Drop a fragment; an unknown id is no error."""


# Tools ----------------------------------------------------------------------------------------------------------


@runtime_checkable
class Tool(Protocol):
    """What an agent may call. Threads: one tool serves many agents at once.

    It may also have ``approval`` (an ``ApprovalRule``: its calls need somebody's approval), ``repeatable`` (True: the
    same call again is no sign of a loop), ``check(input)`` (the error result of arguments that do not fit, or None),
    ``effect`` (an ``Effect``; without one it is ``at_most_once``), ``problem_of_deps(deps)`` (why an agent with such
    ``deps`` cannot call it, or None; itself None where it needs none), ``reconcile(effect_key, input)`` (the result of
    a call of which nobody knows whether it was done; None when it was not), and ``is_plain`` (True: a call is that of a
    function in this process, which waits for no loop: the only one of an answer runs in the agent's own thread).
    """

    @property
    def name(self) -> str:
        """The name under which the model calls it."""

    @property
    def definition(self) -> ToolDefinition:
        """What the model is told."""

    @property
    def required_capability(self) -> Capability | None:
        """What the manifest must grant; None when everyone may call it."""

    @property
    def timeout(self) -> float | None:
        """Seconds that a call may take."""

    def execute(self, input: Mapping[str, Any], *, cancel: CancelToken, agent: Any) -> ToolResult:  # noqa: A002
        """Run the call. Whatever it raises (but a cancel) is an error result for the model.

        Args:
            input: The arguments that the model sent, by name.
            agent: Who calls.
        """


class Tools(Protocol):
    """A set of tools as the loop sees it (``ToolRegistry``)."""

    def get(self, name: str) -> Tool | None:
        """The tool of that name."""

    def names(self) -> list[str]:
        """All names, in order of registration."""

    def definitions_for(self, capabilities: Sequence[Capability]) -> list[ToolDefinition]:
        """What the model is told: the tools that these capabilities allow."""


publish(
    "actors.ports",
    CompletionRequest,
    CompletionResponse,
    MemoryFilter,
    MemoryFragment,
    MemorySource,
    PrivacyTier,
    StopReason,
    ToolDefinition,
    ToolResult,
)
