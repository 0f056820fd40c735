"""What is looked at: a pool, as far as a live view needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.records.event import Event
    from ...core.records.message import AgentId
    from ...core.records.pool_stats import PoolStats
    from ...core.supervision.dump import AgentDump
    from ...core.supervision.dump_look import PoolGlimpse


class Watched(Protocol):
    """A pool: an ``AgentPool`` is one."""

    name: str

    def dump(self, *, agent_id: AgentId) -> AgentDump:
        """What an agent does, with its stack."""

    def _glimpse(self, most: int, most_queued: int) -> PoolGlimpse:
        """What at most so many of its agents do, without stacks."""

    def _watch(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call *call* once when it has ended."""

    def stats(self) -> PoolStats:
        """What it does right now."""

    def _overhear(self, sink: Callable[[Event], object], most: int) -> tuple[Callable[[], None], Callable[[], bool]]:
        """Call *sink* with at most so many events from now on; what ends that, and what makes it as many again."""

    def abort(self, agent_id: AgentId, reason: str = "") -> bool:
        """Cancel an agent."""

    def approve(self, agent_id: AgentId, call_id: str) -> bool:
        """Approve a tool call."""

    def deny(self, agent_id: AgentId, call_id: str, reason: str = "") -> bool:
        """Refuse a tool call."""
