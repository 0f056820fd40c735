"""How one attempt at a job ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import AgentCancelled, AgentTimedOut
from .outcome import AgentStatus

if TYPE_CHECKING:
    from ...errors import ActorsError, AgentError, Cancelled


class Ending(NamedTuple):
    """How one attempt at the job ended."""

    status: AgentStatus
    result: Any = None
    error: ActorsError | None = None


def stopped(cancelled: Cancelled) -> Ending:
    """By a cancel, or by a deadline."""
    if cancelled.timed_out:
        return Ending(AgentStatus.TIMED_OUT, error=AgentTimedOut(cancelled.reason or "timed out"))
    return Ending(AgentStatus.CANCELLED, error=AgentCancelled(cancelled.reason))


def without_locals(error: AgentError) -> AgentError:
    """Keep where *error* was raised, but not the values that were alive there: outcomes may be many."""
    tb = error.__traceback__
    error.__traceback__ = tb.tb_next if tb is not None else None  # without our own frame, which still runs
    tb = error.__traceback__
    while tb is not None:
        try:
            tb.tb_frame.clear()
        except RuntimeError:  # a frame that still runs
            pass
        tb = tb.tb_next
    return error
