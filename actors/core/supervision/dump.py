"""Why is it stuck?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from ...public import publish
from ..actors.actor_dump import ActorDump, drawn
from ..figures import counted
from ..process.stacks import indented
from ..records.message import AgentId
from ..records.state import AgentState
from ..records.usage import NO_TOKENS, TokenUsage
from ..shown import agent_label, shown


@dataclass(frozen=True, slots=True)
class ThreadDump:
    """One thread that works, or worked, for an agent.

    Args:
        label: Whose it is: a tool call, or an agent that was abandoned.
        on: What it is parked on; None when it is not.
        seconds: Since when, in seconds before the dump.
        stack: Its Python stack; empty when it has ended.
    """

    label: str
    on: str | None
    seconds: float
    stack: str

    def __str__(self) -> str:
        state = "" if self.on is None else f", parked on {self.on}"
        return "\n".join([f"{self.label}{state}, {self.seconds:.1f} s", *indented(self.stack)])


@dataclass(frozen=True, slots=True)
class ApprovalDump:
    """A tool call of an agent that waits for approval.

    Args:
        call_id: What ``pool.approve`` and ``pool.deny`` are given with the agent's id.
        input: The arguments that the model sent.
        seconds: Since when, in seconds before the dump.
        left: Seconds until nobody's answer counts any more; None waits for ever.
        default: What holds then: ``approve`` or ``deny``.
        in_doubt: It was begun before and interrupted: it may have been done already.
    """

    call_id: str
    tool: str
    input: Mapping[str, Any]
    seconds: float
    left: float | None
    default: str
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class AgentDump:
    """What one agent does.

    Args:
        on: What it is parked on, which tools run, which model works, or after which error it waits to ask it again;
            None when it is none of these, or nobody knows.
        seconds: Since when, in seconds before the dump.
        inbox_depth: Messages that it has not read.
        waits_for: Whom it waits for.
        stack: The Python stack of its thread; empty when it has none, or was not asked for.
        tools: Its tool calls that run.
        key: Names it over all processes; None for one that has no name.
        group: As it was given.
        depth: 0 for one that no agent has started, 1 for its children, and so on.
        age: Seconds since it was admitted.
        usage: Tokens of its own completions, so far.
        cost_usd: What they cost.
        restarts: How often it was started again.
        approvals: Its tool calls that wait for approval.
        children: The ids of those that it has started, and that have not ended.
        node: The node that it lives on, where its stack and its tools are; None in this process.
    """

    id: AgentId
    name: str
    state: AgentState
    on: str | None
    seconds: float
    inbox_depth: int
    parent_id: AgentId | None
    waits_for: tuple[str, ...]
    stack: str
    tools: tuple[ThreadDump, ...] = ()
    key: str | None = None
    group: Hashable = None
    depth: int = 0
    age: float = 0.0
    usage: TokenUsage = NO_TOKENS
    cost_usd: float = 0.0
    restarts: int = 0
    approvals: tuple[ApprovalDump, ...] = ()
    children: tuple[AgentId, ...] = ()
    node: str | None = None

    @property
    def label(self) -> str:
        """How messages name it."""
        return agent_label(self.id, self.name)

    def __str__(self) -> str:
        link = " " if self.state is AgentState.IN_TOOL else " on "
        state = str(self.state) if self.on is None else f"{self.state}{link}{self.on}"
        lines = [f"{self.label}: {state}, {self.seconds:.1f} s, {self.inbox_depth} unread"]
        if self.parent_id is not None:
            lines[0] += f", child of agent {self.parent_id}"
        if self.node is not None:
            lines[0] += f", on node {shown(self.node, 60)} (its stack is there)"
        if self.waits_for:
            lines.append("  waits for " + ", ".join(self.waits_for))
        lines += indented(self.stack)
        for tool in self.tools:
            lines += indented(str(tool))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class PoolDump:
    """What a pool does.

    Args:
        agents: Those that have not ended, by id.
        abandoned: Threads of agents, tools and actors that did not end in time, and have not yet.
        actors: Its long-lived actors, each followed by its children.
        phase: ``open``, ``draining`` (it takes no new agents but children), or ``closed`` (all that runs is cancelled).
        seconds: Since it was made.
        slots_taken: Slots of agents that work; those of parked ones are free for others. Of whom a dump finds at work
            some may wait for one: they were woken, and cannot go on yet.
    """

    name: str
    max_concurrent: int
    agents: tuple[AgentDump, ...]
    abandoned: tuple[ThreadDump, ...]
    actors: tuple[ActorDump, ...] = ()
    phase: str = "open"
    seconds: float = 0.0
    slots_taken: int = 0

    @property
    def waits(self) -> tuple[tuple[str, str], ...]:
        """Who waits for whom: pairs of labels."""
        everybody: tuple[AgentDump | ActorDump, ...] = (*self.agents, *self.actors)
        return tuple((one.label, other) for one in everybody for other in one.waits_for)

    def __str__(self) -> str:
        lines = [f"pool {shown(self.name)}: {len(self.agents)} agents, {self.max_concurrent} slots"]
        if self.actors:
            lines[0] += f", {counted(sum(actor.count for actor in self.actors), 'actor')}"
        if self.waits:
            lines.append("who waits for whom: " + "; ".join(f"{one} -> {other}" for one, other in self.waits))
        lines += [str(agent) for agent in self.agents]
        lines += drawn(self.actors, self.name)
        lines += [f"abandoned: {stray}" for stray in self.abandoned]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from .notebook import dump_html

        return dump_html(self)


publish("actors.monitoring", AgentDump, ApprovalDump, PoolDump, ThreadDump)
