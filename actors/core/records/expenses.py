"""What one agent has used so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from ..checks import leaf_lock
from .usage import NO_TOKENS, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .conversation import Message


class Counts(Protocol):
    """What counts the steps of an agent."""

    @property
    def iterations(self) -> int:
        """Turns of its loop."""

    @property
    def tool_calls(self) -> int:
        """Calls that were asked for and counted."""


class Expenses:
    """What one agent has used so far, over all its lives, and what those below it have.

    It lives with the agent: its outcome is made of it, however it ends, also by somebody else's thread.

    Threads: any.

    Locks: ``_lock`` guards what is added up: tools that ask models work at the same time, and so do children. The
    agent's own thread writes ``_conversation``, ``_counts`` and ``_model``.
    """

    __slots__ = ("_below", "_conversation", "_cost_below", "_cost_usd", "_counts", "_lock", "_model", "_usage")

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._usage = self._below = NO_TOKENS
        self._cost_usd = self._cost_below = 0.0
        self._conversation: Sequence[Message] = ()
        self._counts: Counts | None = None
        self._model: str | None = None

    def begin(self, model: str | None, counts: Counts, conversation: Sequence[Message]) -> None:
        """A life of an agent that asks a model begins.

        Args:
            model: Its name, where it is known.
            counts: Counts the steps of all its lives.
            conversation: A list that grows with what is said.
        """
        self._model = model
        self._counts = counts
        self._conversation = conversation

    @property
    def usage(self) -> TokenUsage:
        """Tokens of its own completions."""
        return self._usage

    @property
    def cost_usd(self) -> float:
        """What its own completions cost."""
        return self._cost_usd

    @property
    def iterations(self) -> int:
        """Turns of its loop."""
        return 0 if self._counts is None else self._counts.iterations

    @property
    def tool_calls(self) -> int:
        """Calls that were asked for and counted."""
        return 0 if self._counts is None else self._counts.tool_calls

    def spend(self, usage: TokenUsage, cost_usd: float) -> None:
        """One more completion."""
        with self._lock:
            self._usage += usage
            self._cost_usd += cost_usd

    def spend_below(self, usage: TokenUsage, cost_usd: float) -> None:
        """A child has ended: what it and those below it used."""
        with self._lock:
            self._below += usage
            self._cost_below += cost_usd

    def totals(self) -> dict[str, Any]:
        """The fields of an outcome that tell what it and all below it used."""
        with self._lock:
            return self._totals()

    def _totals(self) -> dict[str, Any]:
        return {"usage_total": self._usage + self._below, "cost_usd_total": self._cost_usd + self._cost_below}

    def fields(self) -> dict[str, Any]:
        """All fields of an outcome that it tells, as of now."""
        with self._lock:
            return {
                "model": self._model,
                "usage": self._usage,
                "cost_usd": self._cost_usd,
                "iterations": self.iterations,
                "tool_calls": self.tool_calls,
                **self._totals(),
                "messages": tuple(self._conversation),
            }


NOTHING_USED: Final[Mapping[str, Any]] = {
    "model": None,
    "usage": NO_TOKENS,
    "cost_usd": 0.0,
    "iterations": 0,
    "tool_calls": 0,
    "usage_total": NO_TOKENS,
    "cost_usd_total": 0.0,
    "messages": (),
}
"""The fields of an outcome of an agent that used nothing."""
