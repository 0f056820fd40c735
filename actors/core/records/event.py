"""Events of an agent's life. Each tells which agent it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from ..crash import text_of
from .message import AgentId
from .outcome import AgentStatus
from .state import AgentState


class Event(BaseModel):
    """Something that happened. Whoever makes one leaves the first fields out: the pool fills them in.

    Args:
        agent_id: Whose event; 0 is the pool.
        agent: The agent's name.
        parent_id: The agent that started it; None for the program.
        depth: 0 for an agent that the program started, 1 for its children, and so on.
        seq: Rises by one in the order in which the sink sees the events of a pool.
        at: Wall-clock time, UTC.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    agent_id: AgentId = 0
    agent: str = ""
    parent_id: AgentId | None = None
    depth: int = 0
    seq: int = 0
    at: datetime | None = None


class AgentQueued(Event):
    """It was admitted and waits for a slot."""


class AgentStarted(Event):
    """It got its first slot."""


class AgentParked(Event):
    """It waits without needing a slot; ``on`` says for what."""

    on: str


class AgentResumed(Event):
    """It runs again."""


class AgentRestarted(Event):
    """It crashed and starts again: for the ``attempt``-th time, after ``delay`` seconds."""

    attempt: int
    delay: float


class AgentStalled(Event):
    """It made no progress for ``seconds`` seconds; ``state`` and ``on`` say where, as in a dump. Told once for each
    standstill.
    """

    seconds: float
    state: AgentState
    on: str | None = None


class AgentEnded(Event):
    """It ended; ``error`` is the text of the error, if there is one."""

    status: AgentStatus
    error: str | None = None

    @field_validator("error", mode="before")
    @classmethod
    def _text(cls, error: object) -> object:
        return text_of(error) if isinstance(error, BaseException) else error


class MessageSent(Event):
    """It sent a message to ``to``."""

    to: AgentId
