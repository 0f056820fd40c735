"""What a timeline is drawn from: who did what, from when to when."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..core.records.message import AgentId
from ..core.records.state import AgentState
from ..public import publish


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


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """A moment of an agent that is worth a mark, in seconds since the timeline begins; ``kind`` is a word or two, such
    as ``stalled``, ``handed off``, ``approved``.
    """

    at: float
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineAgent:
    """One agent, and its stretches in the order of their beginnings.

    Args:
        begin, end: Seconds since the timeline begins: from its admission to its end, or the last moment.
        status: How it ended; None when nothing told of that.
        is_open: It had not ended.
        is_cut: Its beginning was not told, or is told no more: what is there begins in its midst.
        spans: Those of its own track (``lane`` is None), and those of its tool calls.
        marks: In order.
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
    is_cut: bool = False
    restarts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    spans: tuple[TimelineSpan, ...] = ()
    marks: tuple[TimelineMark, ...] = ()
    input: Any = None
    output: Any = None


@dataclass(frozen=True, slots=True)
class TimelineMessage:
    """A message from one agent to another; ``read`` is None where it was not. Seconds since the timeline begins."""

    sender: AgentId
    receiver: AgentId
    sent: float
    read: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedAgents:
    """What is left of agents that ended early in a long run: sums.

    Args:
        count: How many. Of agents that go on their oldest stretches may be in the sums, too.
        begin, end: Of the first and the last of them.
        ends: How many ended how, by status.
        seconds: For how long they were at what, in all.
    """

    count: int = 0
    begin: float = 0.0
    end: float = 0.0
    ends: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[AgentState, float] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How many slots were used, and how many agents waited for one, from that second on. Numbers with a fraction are
    the mean until the next one.
    """

    at: float
    used: float
    queued: float


@dataclass(frozen=True, slots=True)
class PathPiece:
    """A piece of the chain that explains why the run took so long: until ``end`` all waited for this.

    ``agent_id`` 0 is the program. ``label`` is that of the span: which model or tool, or what it was parked on.
    """

    agent_id: AgentId
    state: AgentState | None
    begin: float
    end: float
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSummary:
    """Where the time went.

    Args:
        sentences: In words, what matters most first; two to four.
        places: Of each sentence the agent, and from when to when, it speaks of; None: of all of the run.
        seconds: For how long agents were at what, in all; those that are folded count.
        rate_limited: Those of ``in_backoff`` in which a call waited for its limiter.
        parked_on: What they waited for longest while they were parked, in words, with its seconds: at most eight.
        labels: The models and tools that took longest, as (state, name, calls, seconds): at most eight of each; of
            a tool without the time that its agent was parked meanwhile.
        longest: The ids of the agents that took longest: at most ten.
        mean_used: How many slots were used on average.
        full: For which share of the time all slots were used, 0 to 1; None where it is not known how many there were.
        path: The chain of waits that ends with the last agent, from its beginning on.
    """

    sentences: tuple[str, ...] = ()
    places: tuple[PathPiece | None, ...] = ()
    seconds: Mapping[AgentState, float] = field(default_factory=dict)
    rate_limited: float = 0.0
    parked_on: tuple[tuple[str, float], ...] = ()
    labels: tuple[tuple[AgentState, str, int, float], ...] = ()
    longest: tuple[AgentId, ...] = ()
    mean_used: float = 0.0
    full: float | None = None
    path: tuple[PathPiece, ...] = ()


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
        rest: The sums of those; None where all are told.
        load: How many slots were used, over time.
        summary: Where the time went.
    """

    name: str
    began_at: datetime | None
    seconds: float
    slots: tuple[tuple[float, int], ...]
    agents: tuple[TimelineAgent, ...]
    messages: tuple[TimelineMessage, ...] = field(default=())
    folded: int = 0
    rest: FoldedAgents | None = None
    load: tuple[Load, ...] = ()
    summary: TimelineSummary = field(default_factory=TimelineSummary)


publish(
    "actors.monitoring",
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
