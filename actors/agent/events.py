"""Events of an agent's work. Those of its life stand in ``core/event.py``."""

from __future__ import annotations

from typing import Any

from ..core.records.event import Event
from ..public import publish


class ToolStarted(Event):
    """A tool call began. ``lane``: its place among the calls of one answer, from 0. ``input``: its arguments, where
    events have contents.
    """

    call_id: str
    tool: str
    lane: int = 0
    input: Any = None


class ToolEnded(Event):
    """A tool call ended; ``duration`` in seconds.

    ``result``: what the model is told of it, where events have contents.
    """

    call_id: str
    tool: str
    is_error: bool
    duration: float
    result: Any = None


class ApprovalRequested(Event):
    """A call waits for approval, parked: ``handle.approve(call_id)``, ``pool.approve(agent_id, call_id)``, or ``deny``.

    ``timeout``: seconds until ``default`` holds; None waits for ever. ``in_doubt``: it was begun before and
    interrupted, so it may have been done already: approve it to have it done (again).
    """

    call_id: str
    tool: str
    input: Any
    timeout: float | None
    default: str
    in_doubt: bool = False


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


class HandedOff(Event):
    """The conversation goes on under another manifest.

    ``source`` and ``target`` are the names of the two, ``count`` how often it was handed on by now.
    """

    source: str
    target: str
    count: int


class ContextTrimmed(Event):
    """The conversation does not fit the context window. Told when more of it is not sent than was told before.

    ``dropped``: so many of its messages are left out in all. ``tokens``: about so many are not sent, those of messages
    that were cut included. ``summarized``: something stands in their place.
    """

    dropped: int
    tokens: int
    summarized: bool


publish(
    "actors.events", ApprovalDecided, ApprovalRequested, BudgetWarned, ContextTrimmed, HandedOff, ToolEnded, ToolStarted
)
