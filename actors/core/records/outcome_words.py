"""Outcomes in words, on one line.

What is said of is not imported: it imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..crash import place_of, text_of
from ..figures import dollars, seconds, spent
from ..glance import Words, glance
from ..places import is_own
from ..shown import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_ERROR = 160


def error_in_words(error: BaseException, most: int = LONGEST_ERROR) -> str:
    """``KeyError: 'b' at bot.py:12 in run``: what it is, what it says, and where it was raised, where that is known."""
    name = type(error).__name__
    text = text_of(error)
    if name != "AgentCrashed":  # that one says in its text what it was
        text = f"{name}: {text}" if text else name
    place = place_of(error)
    if place is None or not is_own(place.file):  # ours says nothing to a user
        return one_line(text, most)
    return f"{one_line(text, most)} at {one_line(str(place), 2 * most)}"


def parts_of(outcome: Any) -> Iterator[tuple[str, Any]]:
    """What its ``repr`` names: what matters, shortened."""
    yield "agent_id", outcome.agent_id
    yield "name", Words(glance(outcome.name, 40))
    if outcome.key is not None:
        yield "key", Words(glance(outcome.key, 60))
    yield "status", Words(status_of(outcome))
    yield "query", Words(glance(outcome.query, 40))
    if outcome.error is not None:
        yield "error", Words(error_in_words(outcome.error))
    else:
        yield "result", Words(glance(outcome.result))
    yield "duration", Words(seconds(outcome.duration))
    if outcome.usage.total:
        yield "tokens", Words(f"{outcome.usage.total:,}")
    if outcome.cost_usd:
        yield "cost", Words(dollars(outcome.cost_usd))


def status_of(outcome: Any) -> str:
    """``completed``, or ``completed (recalled)`` when an earlier process has done it."""
    return f"{outcome.status} (recalled)" if outcome.recalled else str(outcome.status)


def ended(outcome: Any) -> str:
    """``failed: InvalidOutput: ..., 1,200 tokens, $0.0042``: how it ended, why, and what it used, if anything."""
    why = "" if outcome.error is None else f": {error_in_words(outcome.error)}"
    return ", ".join([f"{status_of(outcome)}{why}", *spent(outcome.usage.total, outcome.cost_usd)])
