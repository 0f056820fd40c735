"""What a timeline is drawn from: who did what, from when to when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from ..core.records.message import AgentId
    from ..core.records.state import AgentState


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSpan:
    """One stretch of an agent's life: what it was at, from when to when.

    Args:
        agent_id: Whose.
        state: What it was at. ``in_driver`` is a completion, ``in_tool`` a tool call where it has a lane.
        begin, end: Seconds since the timeline begins.
        label: Which model or tool, or what it was parked on; else empty.
        lane: Of a tool call its place among those of one answer, from 0. None: the agent's own track, where no two
            stretches overlap.
        attempt: Of a completion, how often it had been asked for.
        error: Why it failed; None when it did not.
        is_open: Nothing told of its end: it is drawn up to the last moment.
        recalled: It was known from an earlier process, and not done now.
        input_tokens, output_tokens, cost_usd: Of a completion.
        input, output: Its contents, where events have them.
    """

    agent_id: AgentId
    state: AgentState
    begin: float
    end: float
    label: str = ""
    lane: int | None = None
    attempt: int = 1
    error: str | None = None
    is_open: bool = False
    recalled: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    input: Any = None
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineAgent:
    """One agent, and its stretches in the order of their beginnings.

    Args:
        begin, end: Seconds since the timeline begins: from its admission to its end, or the last moment.
        status: How it ended; None when nothing told of that.
        is_open: It had not ended.
    """

    id: AgentId
    name: str
    parent_id: AgentId | None
    depth: int
    begin: float
    end: float
    key: str | None = None
    group: Hashable = None
    tag: Any = None
    status: str | None = None
    error: str | None = None
    is_open: bool = False
    recalled: bool = False
    restarts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    spans: tuple[TimelineSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelineMessage:
    """A message from one agent to another; ``read`` is None where it was not. Seconds since the timeline begins."""

    sender: AgentId
    receiver: AgentId
    sent: float
    read: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of a run that is drawn.

    Args:
        name: Of the pool, or the file.
        began_at: When the timeline begins, UTC; None where nothing told of it.
        seconds: How long it is.
        slots: How many slots there were, from which second on.
        agents: By their beginnings.
        messages: In the order in which they were sent.
        folded: So many agents that had ended are not told one by one.
    """

    name: str
    began_at: datetime | None
    seconds: float
    slots: tuple[tuple[float, int], ...]
    agents: tuple[TimelineAgent, ...]
    messages: tuple[TimelineMessage, ...] = field(default=())
    folded: int = 0
