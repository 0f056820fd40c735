"""How one attempt at a job ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import AgentCancelled, AgentTimedOut
from .outcome import AgentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...errors import ActorsError, Cancelled


class Ending(NamedTuple):
    """How one attempt at the job ended; ``recalled`` are the further fields of the outcome of one that ended before."""

    status: AgentStatus
    result: Any = None
    error: ActorsError | None = None
    recalled: Mapping[str, Any] | None = None


def stopped(cancelled: Cancelled) -> Ending:
    """By a cancel, or by a deadline."""
    if cancelled.timed_out:
        return Ending(AgentStatus.TIMED_OUT, error=AgentTimedOut(cancelled.reason or "timed out"))
    return Ending(AgentStatus.CANCELLED, error=AgentCancelled(cancelled.reason))
