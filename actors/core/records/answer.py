"""Events of a model's answers, and their text as a reader gets it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from ...public import publish
from .event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_MERGED: Final = 8_192
"""Characters that a merged delta has at most, or one delta had alone: what is merged is copied."""


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
    def _merge(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any] | None:
        """The fields of one delta in place of two; None when they belong to different attempts, or get too long."""
        text, more = earlier["text"], later["text"]
        if earlier.get("attempt", 1) != later.get("attempt", 1) or len(text) + len(more) > MOST_MERGED:
            return None
        return {**later, "text": text + more}


class CompletionStarted(Event):
    """The driver is asked: ``model`` (None: its own choice), for the ``attempt``-th time.

    ``input``: the messages, where events have contents.
    """

    model: str | None = None
    attempt: int = 1
    input: Any = None


class CompletionFinished(Event):
    """The driver answered, or failed after it had worked; ``cost_usd`` is the driver's estimate. ``recalled``: it did
    so in an earlier process, and was not asked now.

    ``model`` and ``attempt`` are those of its ``CompletionStarted``; ``stop_reason`` is None where it failed. ``text``:
    the answer's, where events have contents.
    """

    input_tokens: int
    output_tokens: int
    cost_usd: float = 0.0
    recalled: bool = False
    model: str | None = None
    stop_reason: str | None = None
    attempt: int = 1
    text: str | None = None


class CompletionFailed(Event):
    """The driver failed at the ``attempt``-th time; the next one comes after ``delay`` seconds. None: there is none.

    What it had used by then, if anything, was told by a ``CompletionFinished`` just before.
    """

    error: str
    attempt: int = 1
    delay: float | None = None
    model: str | None = None


class LimiterWaited(Event):
    """A call had to wait for ``seconds`` seconds until its driver's limiter let it through. Told when that is over."""

    seconds: float


class TextRestarted(str):
    """An empty text that ``handle.text()`` yields when what it yielded does not stand: an answer broke off and is asked
    for again, or the agent crashed and starts again.

    Args:
        kept: How many characters of all that was yielded still stand: ``shown = shown[:piece.kept]``.
    """

    __slots__ = ("kept",)

    kept: int

    def __new__(cls, kept: int = 0) -> TextRestarted:
        """An empty text."""
        made: TextRestarted = super().__new__(cls)
        made.kept = kept
        return made

    def __repr__(self) -> str:
        return f"TextRestarted(kept={self.kept})"


publish(
    "actors.events",
    CompletionFailed,
    CompletionFinished,
    CompletionStarted,
    LimiterWaited,
    Phase,
    PhaseChanged,
    TextDelta,
)
