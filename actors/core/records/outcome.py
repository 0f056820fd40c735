"""How one agent ended."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from ...errors import ActorsError, fresh_copy
from .message import AgentId
from .trusted import trusted

T = TypeVar("T")


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


class AgentOutcome(BaseModel, Generic[T]):
    """How one agent ended, and with what.

    Args:
        status: ``completed``, ``failed`` (``error`` is the agent's own error), ``crashed``, ``cancelled``,
            ``timed_out`` or ``abandoned``.
        result: What ``run`` returned; None unless completed.
        started_at: UTC; None if it never started.
        ended_at: UTC.
        duration: Seconds from the first start to the end; 0 if it never started.
        restarts: How often it was started again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    agent_id: AgentId
    name: str
    query: Any
    tag: Any = None
    status: AgentStatus
    result: Any = None
    error: ActorsError | None = None
    started_at: datetime | None = None
    ended_at: datetime
    duration: float = 0.0
    restarts: int = 0

    @classmethod
    def trusted(cls, **fields: Any) -> AgentOutcome[Any]:
        """Make one of *fields*, all of them, without the checks."""
        return trusted(cls, fields)

    @property
    def ok(self) -> bool:
        """Did it complete?"""
        return self.status is AgentStatus.COMPLETED

    def unwrap(self) -> T:
        """The result.

        Raises:
            ActorsError: A fresh copy of ``error``, when it did not complete.
        """
        if self.error is not None:
            raise fresh_copy(self.error)
        result: T = self.result
        return result
