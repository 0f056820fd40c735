"""What a timeline keeps of an event: a small tuple, as a run has hundreds of thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...agent.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetWarned,
    ContextTrimmed,
    HandedOff,
    ToolEnded,
    ToolStarted,
)
from ...core.records.answer import (
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    LimiterWaited,
    Phase,
    PhaseChanged,
    TextDelta,
)
from ...core.records.event import (
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Note: TypeAlias = tuple[Any, ...]
"""What happened (one of the words below), its moment, and what is to be known of it."""
Taker: TypeAlias = "Callable[[Any], Note | None]"

QUEUED: Final = "queued"
STARTED: Final = "started"
PARKED: Final = "parked"
RESUMED: Final = "resumed"
RESTARTED: Final = "restarted"
ENDED: Final = "ended"
SENT: Final = "sent"
READ: Final = "read"
ASKED: Final = "asked"
ANSWERED: Final = "answered"
BROKE: Final = "broke"
LIMITED: Final = "limited"
REASONS: Final = "reasons"
TOOL_STARTED: Final = "tool_started"
TOOL_ENDED: Final = "tool_ended"
MARKED: Final = "marked"
MISSED: Final = "missed"
BY_DEFAULT: Final = "(nobody answered in time)"
"""So the text of a decision ends that nobody made."""


def _queued(event: AgentQueued) -> Note:
    return QUEUED, event.moment


def _started(event: AgentStarted) -> Note:
    return STARTED, event.moment, event.input


def _parked(event: AgentParked) -> Note:
    return PARKED, event.moment, event.on


def _resumed(event: AgentResumed) -> Note:
    return RESUMED, event.moment


def _restarted(event: AgentRestarted) -> Note:
    return RESTARTED, event.moment, event.delay


def _ended(event: AgentEnded) -> Note:
    return ENDED, event.moment, str(event.status), event.error, event.recalled, event.result


def _sent(event: MessageSent) -> Note:
    return SENT, event.moment, event.to


def _read(event: MessageRead) -> Note:
    return READ, event.moment, event.sender


def _asked(event: CompletionStarted) -> Note:
    return ASKED, event.moment, event.model, event.attempt, event.input


def _answered(event: CompletionFinished) -> Note:
    used = (event.input_tokens, event.output_tokens, event.cost_usd)
    return ANSWERED, event.moment, event.model, event.attempt, event.stop_reason, event.recalled, used, event.text


def _broke(event: CompletionFailed) -> Note:
    return BROKE, event.moment, event.model, event.attempt, event.error, event.delay


def _limited(event: LimiterWaited) -> Note:
    return LIMITED, event.moment, event.seconds


def _phase(event: PhaseChanged) -> Note | None:
    """The next completion begins: what its tools still do is left behind."""
    return (REASONS, event.moment) if event.phase is Phase.REASON else None


def _tool_started(event: ToolStarted) -> Note:
    return TOOL_STARTED, event.moment, event.call_id, event.tool, event.lane, event.input


def _tool_ended(event: ToolEnded) -> Note:
    return TOOL_ENDED, event.moment, event.call_id, event.tool, event.is_error, event.duration, event.result


def _stalled(event: AgentStalled) -> Note:
    return MARKED, event.moment, "stalled", f"no progress for {event.seconds:.1f} s: {event.on or event.state}"


def _approval_requested(event: ApprovalRequested) -> Note:
    return MARKED, event.moment, "approval asked", event.tool


def _approval_decided(event: ApprovalDecided) -> Note:
    how = "approved" if event.approved else "denied"
    return MARKED, event.moment, how, f"{event.tool} {BY_DEFAULT}" if event.by_default else event.tool


def _budget_warned(event: BudgetWarned) -> Note:
    return MARKED, event.moment, "budget", event.message


def _handed_off(event: HandedOff) -> Note:
    return MARKED, event.moment, "handed off", f"{event.source} to {event.target}"


def _context_trimmed(event: ContextTrimmed) -> Note:
    return MARKED, event.moment, "context trimmed", f"{event.dropped} messages, {event.tokens} tokens are not sent"


def _missed(event: EventsMissed) -> Note:
    return MISSED, event.moment, event.count


def _other(event: Event) -> Note:
    """One of a program's own: its name, as what is in it may be private."""
    return MARKED, event.moment, type(event).__name__, ""


def _nothing(event: Event) -> None:  # noqa: ARG001 - nothing of it is kept
    return None


TAKERS: Final[Mapping[type[Event], Taker]] = {
    AgentQueued: _queued,
    AgentStarted: _started,
    AgentParked: _parked,
    AgentResumed: _resumed,
    AgentRestarted: _restarted,
    AgentStalled: _stalled,
    AgentEnded: _ended,
    MessageSent: _sent,
    MessageRead: _read,
    CompletionStarted: _asked,
    CompletionFinished: _answered,
    CompletionFailed: _broke,
    LimiterWaited: _limited,
    PhaseChanged: _phase,
    TextDelta: _nothing,
    ToolStarted: _tool_started,
    ToolEnded: _tool_ended,
    ApprovalRequested: _approval_requested,
    ApprovalDecided: _approval_decided,
    BudgetWarned: _budget_warned,
    HandedOff: _handed_off,
    ContextTrimmed: _context_trimmed,
    EventsMissed: _missed,
    Event: _other,
}
"""What is kept of each kind of event; of a subclass what is kept of the nearest of these."""


def taker_of(kind: type[Event]) -> Taker:
    """What takes a note of an event of *kind*.

    Raises:
        TypeError: That is no kind of event.
    """
    for each in kind.__mro__:
        if each in TAKERS:
            return TAKERS[each]
    raise TypeError(f"a timeline takes events, not {kind.__name__}")
