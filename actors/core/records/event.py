"""Events of an agent's life. Each tells which agent it belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from ...public import publish
from ..crash import text_of
from ..shown import one_line, shown
from .built_later import BUILT_LATER
from .message import AgentId
from .outcome import AgentStatus
from .state import AgentState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Event(BaseModel):
    """Something that happened. Whoever makes one leaves the first fields out: the pool fills them in.

    Args:
        agent_id: Whose event; 0 is the pool.
        agent: The agent's name.
        parent_id: The agent that started it; None for the program.
        depth: 0 for an agent that the program started, 1 for its children, and so on.
        tag: The agent's, as its config gives it.
        seq: Rises by one: in the order in which the pool's sink sees its events, or a reader those of one agent.
        at: Wall-clock time, UTC.
        moment: The same on the pool's monotonic clock, in seconds: for durations, and what came first.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", defer_build=BUILT_LATER)

    agent_id: AgentId = 0
    agent: str = ""
    parent_id: AgentId | None = None
    depth: int = 0
    tag: Any = None
    seq: int = 0
    at: datetime | None = None
    moment: float = 0.0

    def __str__(self) -> str:
        """``ToolStarted of agent 3 (writer): call_id='c1', tool='search'``: what it tells beside when, in short."""
        whose = f"agent {self.agent_id} ({shown(self.agent, 60)})" if self.agent_id else "the pool"
        told = {name: getattr(self, name) for name in type(self).model_fields if name not in Event.model_fields}
        words = ", ".join(
            f"{name}={one_line(repr(str(value) if isinstance(value, str) else value), 200)}"
            for name, value in told.items()
            if value is not None and value is not False
        )
        return f"{type(self).__name__} of {whose}{': ' if words else ''}{words}"

    @staticmethod
    def _merge(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: ARG004
        """The fields of one event in place of two that stand next to each other; None when they stay two. Called under
        a lock.
        """
        return None


class AgentQueued(Event):
    """It was admitted and waits for a slot. ``key`` and ``group`` are those of its config."""

    key: str | None = None
    group: Any = None


class AgentStarted(Event):
    """It got its first slot, one of ``slots`` that there are. ``key`` and ``group`` are those of its config.

    ``input``: its query, where events have contents.
    """

    key: str | None = None
    group: Any = None
    slots: int | None = None
    input: Any = None


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
    """It ended; ``error`` is the text of the error, if there is one. ``recalled``: as it did before, in an earlier
    process or in an earlier life of its parent. ``result``: what it gives, where events have contents.
    """

    status: AgentStatus
    error: str | None = None
    recalled: bool = False
    result: Any = None

    @field_validator("error", mode="before")
    @classmethod
    def _text(cls, error: object) -> object:
        return text_of(error) if isinstance(error, BaseException) else error


class MessageSent(Event):
    """It sent a message to ``to``; ``text`` is what it said, where events have contents.

    Of two agents the n-th message sent is the n-th one that is read: a dead letter counts.
    """

    to: AgentId
    text: str | None = None


class MessageRead(Event):
    """It took a message of ``sender`` out of its inbox (0: of the program); ``text`` is what it said, where events have
    contents.
    """

    sender: AgentId
    text: str | None = None


class EventsMissed(Event):
    """In place of ``count`` events of the agent: more had come than are kept for a reader."""

    count: int


def noted(event: Event) -> tuple[Callable[..., Event], dict[str, Any]]:
    """*event*, which somebody has made, as what makes it again with what the pool fills in, and the fields for that.

    One that may be merged with others is data from now on; any other stays as it is.

    Raises:
        TypeError: It is no event.
    """
    if not isinstance(event, Event):
        raise TypeError(f"an Event is emitted, or a subclass of it; got {type(event).__name__}")
    kind = type(event)
    if kind._merge is Event._merge:  # noqa: SLF001 - ours
        return _stamped, {"event": event}
    return kind, {name: getattr(event, name) for name in kind.model_fields if name not in Event.model_fields}


def _stamped(event: Event, **own: Any) -> Event:
    return event.model_copy(update=own)


publish(
    "actors.events",
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
