"""Events of an agent's work. Those of its life stand in ``core/event.py``."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ..core.records.event import Event


class Phase(StrEnum):
    """Where the loop of an ``LlmAgent`` is."""

    PERCEIVE = "perceive"
    REASON = "reason"
    ACT = "act"


class PhaseChanged(Event):
    """The loop went on to ``phase``."""

    phase: Phase


class TextDelta(Event):
    """A piece of the answer's text, as it arrives. ``attempt`` rises when a broken answer is asked for again."""

    text: str
    attempt: int = 1

    @staticmethod
    def _merge(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any] | None:
        """The fields of one delta in place of two; None when they belong to different attempts."""
        if earlier.get("attempt", 1) != later.get("attempt", 1):
            return None
        return {**later, "text": earlier["text"] + later["text"]}


class ToolStarted(Event):
    """A tool call began."""

    call_id: str
    tool: str


class ToolEnded(Event):
    """A tool call ended; ``duration`` in seconds."""

    call_id: str
    tool: str
    is_error: bool
    duration: float


class ApprovalRequested(Event):
    """A call waits for approval, parked: ``handle.approve(call_id)``, ``pool.approve(agent_id, call_id)``, or ``deny``.

    ``timeout``: seconds until ``default`` holds; None waits for ever.
    """

    call_id: str
    tool: str
    input: Any
    timeout: float | None
    default: str


class ApprovalDecided(Event):
    """The call may be made, or not; ``by_default``: nobody answered in time."""

    call_id: str
    tool: str
    approved: bool
    reason: str
    by_default: bool


class BudgetWarned(Event):
    """Most of a budget is spent; once for each limit. ``message`` names the budget and how much."""

    message: str


class CompletionFinished(Event):
    """The driver answered, or failed after it had worked; ``cost_usd`` is the driver's estimate."""

    input_tokens: int
    output_tokens: int
    cost_usd: float = 0.0
