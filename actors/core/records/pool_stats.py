"""What a pool does right now, in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...public import publish
from .outcome import AgentStatus
from .usage import NO_TOKENS, TokenUsage


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What a pool does right now.

    Args:
        active: Running or parked.
        queued: Waiting to start.
        outstanding: Owed to the caller.
        parked: Waiting for somebody else, without needing a slot. Of agents on nodes: as their hosts said last, which
            they do within a second or so.
        abandoned_threads: Threads of agents, tools and actors that did not end in time, and have not yet. Also those
            on nodes.
        dead_letters: Messages that nobody read, so far.
        started: Agents that got a slot, so far.
        ended: Agents that ended, so far, by status.
        usage: Tokens of all completions, so far.
        cost_usd: What they cost.
        iterations: Turns of the loops of all agents, so far.
        tool_calls: Calls that were asked for and counted, so far.
    """

    active: int
    queued: int
    outstanding: int
    parked: int
    abandoned_threads: int
    dead_letters: int
    started: int
    ended: Mapping[AgentStatus, int]
    usage: TokenUsage = NO_TOKENS
    cost_usd: float = 0.0
    iterations: int = 0
    tool_calls: int = 0

    def _repr_html_(self) -> str:
        from .outcome_html import stats_html

        return stats_html(self)


publish("actors.monitoring", PoolStats)
