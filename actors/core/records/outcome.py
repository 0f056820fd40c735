"""How one agent ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, cast

from pydantic import BaseModel
from typing_extensions import TypeVar

from ...errors import ActorsError, fresh_copy
from ..crash import traceback_of
from .conversation import Message
from .message import AgentId
from .usage import NO_TOKENS, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

T_co = TypeVar("T_co", covariant=True, default=Any)


class AgentStatus(StrEnum):
    """Where an agent is in its life; the last six are how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    PARKED = "parked"
    RESTARTING = "restarting"
    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"


class AgentOutcome(BaseModel, Generic[T_co], frozen=True, extra="forbid", arbitrary_types_allowed=True):
    """How one agent ended, and with what.

    Args:
        status: ``completed``, ``failed`` (``error`` is the agent's own error), ``crashed``, ``cancelled``,
            ``timed_out`` or ``abandoned``.
        result: What ``run`` returned; None unless completed.
        started_at: UTC; None if it never started.
        ended_at: UTC.
        duration: Seconds from the first start to the end; 0 if it never started.
        restarts: How often it was started again.
        parent_id: The agent that started it; None for the program.
        depth: 0 for an agent that the program started, 1 for its children, and so on.
        model: The model that it asked; None for an agent without one.
        usage: Tokens of its completions, over all its lives.
        cost_usd: What they cost.
        iterations: Turns of its loop.
        tool_calls: How many were asked for and counted.
        usage_total: Tokens of it and of all below it.
        cost_usd_total: What it and all below it cost.
        messages: The conversation of its last life; empty with ``SpawnConfig(keep_messages=False)``.
    """

    agent_id: AgentId
    name: str
    query: Any
    tag: Any = None
    status: AgentStatus
    result: T_co | None = None
    error: ActorsError | None = None
    started_at: datetime | None = None
    ended_at: datetime
    duration: float = 0.0
    restarts: int = 0
    parent_id: AgentId | None = None
    depth: int = 0
    model: str | None = None
    usage: TokenUsage = NO_TOKENS
    cost_usd: float = 0.0
    iterations: int = 0
    tool_calls: int = 0
    usage_total: TokenUsage = NO_TOKENS
    cost_usd_total: float = 0.0
    messages: tuple[Message, ...] = ()

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        from .outcome_words import parts_of

        return parts_of(self)

    def _repr_html_(self) -> str:
        from .outcome_html import outcome_html

        return outcome_html(self)

    @property
    def ok(self) -> bool:
        """Did it complete?"""
        return self.status is AgentStatus.COMPLETED

    @property
    def traceback(self) -> str | None:
        """The frames of the agent's own code that led to the error, as Python prints them; None where nothing was
        raised, or where it is not known. Formatted on demand.
        """
        return None if self.error is None else traceback_of(self.error)

    def unwrap(self) -> T_co:
        """The result.

        Raises:
            ActorsError: A fresh copy of ``error``, when it did not complete.
        """
        if self.error is not None:
            raise fresh_copy(self.error, alone=True)
        return cast("T_co", self.result)
