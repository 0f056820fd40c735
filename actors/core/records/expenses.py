"""What one agent has used so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from ..checks import leaf_rlock
from .spent import Spent
from .usage import NO_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .conversation import Message
    from .usage import TokenUsage


class Counts(Protocol):
    """What counts the calls of tools of an agent."""

    @property
    def tool_calls(self) -> int:
        """Calls that were asked for and counted."""


class Expenses:
    """What one agent has used so far, over all its lives, and what those below it have.

    It lives with the agent: its outcome is made of it, however it ends, also by somebody else's thread.

    Guarantees: once the agent has ended nothing is added, whatever its threads still do: its outcome stands.

    Threads: any.

    Locks: ``_lock`` guards what is added up, whether it may be, ``_model`` and ``_answered_by``: tools that ask models
    work at the same time, and so do children. The agent's own thread writes ``iterations``, ``_conversation`` and
    ``_counts``; the end lets go of the conversation and the counts.
    """

    __slots__ = (
        "_answered_by",
        "_below",
        "_conversation",
        "_counts",
        "_ended",
        "_is_told",
        "_lock",
        "_model",
        "_own",
        "_result_made",
        "_tool_calls",
        "iterations",
    )

    def __init__(self) -> None:
        self._lock = leaf_rlock()  # a finalizer may end an agent
        self._own = Spent()
        self._below: Spent | None = None
        self._conversation: Sequence[Message] = ()
        self._counts: Counts | None = None
        self._model: str | None = None
        self._answered_by: str | None = None
        self._result_made = self._ended = False
        self._is_told = False  # all of it is in the outcome that was made last
        self._tool_calls = 0
        self.iterations = 0

    def begin(
        self, model: str | None, counts: Counts, conversation: Sequence[Message], answered_by: str | None = None
    ) -> None:
        """A conversation of an agent with a model begins.

        Args:
            model: Its name, where it is known.
            counts: Counts the calls of all its lives.
            conversation: A list that grows with what is said.
            answered_by: The name of its manifest.
        """
        self.goes_on(model, answered_by)
        self._counts = counts
        self._conversation = conversation
        self._result_made = False

    def goes_on(self, model: str | None, answered_by: str | None) -> None:
        """The conversation goes on with that model, under the manifest of that name."""
        with self._lock:
            self._model, self._answered_by = model, answered_by
            self._is_told = False

    def turn(self) -> None:
        """One more turn of its loop."""
        self.iterations += 1

    @property
    def usage(self) -> TokenUsage:
        """Tokens of its own completions."""
        return self._own.usage

    @property
    def cost_usd(self) -> float:
        """What its own completions cost."""
        return self._own.cost_usd

    @property
    def tool_calls(self) -> int:
        """Calls that were asked for and counted."""
        return self._tool_calls if self._counts is None else self._counts.tool_calls

    def spend(
        self,
        usage: TokenUsage,
        cost_usd: float,
        is_own: Callable[[], bool],
        log: list[Any] | None = None,
        event: object = None,
    ) -> bool:
        """One more completion; False when it comes too late to count.

        Args:
            is_own: Is it the agent's own thread that has asked? What a tool spends that it waits for no longer counts
                as long as the result is not made: that tells the tokens, too.
            log: To which *event* is added when it counts: so that comes before the end.
        """
        with self._lock:
            if self._ended or (self._result_made and not is_own()):
                return False
            self._own.add(usage, cost_usd)
            self._is_told = False
            if log is not None:
                log.append(event)
            return True

    def take_over(self, fields: Mapping[str, Any]) -> None:
        """It lived elsewhere, and has ended: what it used there itself, by the names of its outcome."""
        with self._lock:
            self._own = Spent()
            self._own.add(fields["usage"], fields["cost_usd"])
            self._model, self._answered_by = fields["model"], fields["answered_by"]
            self._conversation = fields["messages"]
            self._tool_calls = fields["tool_calls"]
            self.iterations = fields["iterations"]
            self._is_told = False

    def spend_below(self, usage: TokenUsage, cost_usd: float) -> None:
        """A child has ended: what it and those below it used."""
        with self._lock:
            if self._below is None:
                self._below = Spent()
            self._below.add(usage, cost_usd)
            self._is_told = False

    def make_result(self) -> tuple[TokenUsage, float]:
        """What its own completions used, for the result of its conversation."""
        with self._lock:
            self._result_made = True
            return self._own.usage, self._own.cost_usd

    def fields(self) -> dict[str, Any]:
        """The fields of its outcome that tell all of it, as of now."""
        with self._lock:
            return self._fields()

    def end(self) -> dict[str, Any] | None:
        """The agent ends: nothing more is added.

        Returns:
            The fields of its outcome, where they tell more than those that were made last.
        """
        with self._lock:
            more = None if self._is_told else self._fields()
            self._ended = True
            self._tool_calls, self._counts = self.tool_calls, None  # they remember all arguments
            return more

    def _fields(self) -> dict[str, Any]:
        self._result_made = self._is_told = True
        usage, cost_usd, below = self._own.usage, self._own.cost_usd, self._below
        return {
            "model": self._model,
            "answered_by": self._answered_by,
            "usage": usage,
            "cost_usd": cost_usd,
            "iterations": self.iterations,
            "tool_calls": self.tool_calls,
            "usage_total": usage if below is None else usage + below.usage,
            "cost_usd_total": cost_usd if below is None else cost_usd + below.cost_usd,
            "messages": tuple(self._conversation),
        }


NOTHING_USED: Final[Mapping[str, Any]] = {
    "model": None,
    "answered_by": None,
    "usage": NO_TOKENS,
    "cost_usd": 0.0,
    "iterations": 0,
    "tool_calls": 0,
    "usage_total": NO_TOKENS,
    "cost_usd_total": 0.0,
    "messages": (),
}
"""The fields of an outcome of an agent that used nothing."""
