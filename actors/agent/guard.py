"""Counts what an agent does, and refuses: iterations, tool calls, tokens, cost, loops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..core.shown import shown
from ..errors import (
    CircuitBreak,
    CostExceeded,
    HandoffsExceeded,
    IterationsExceeded,
    TokensExceeded,
    ToolCallsExceeded,
    TruncationExceeded,
)
from ..public import publish
from .bounds import is_flat

if TYPE_CHECKING:
    from ..core.records.usage import TokenUsage

WARN_FROM = 0.8
"""The share of a limit from which the guard warns."""
REPEATS_BLOCKED = 3
"""The call of one tool with the same input that is blocked."""
TRUNCATIONS = 5
"""How many cut answers in a row break the circuit."""


Noted: TypeAlias = "str | dict[str, Any]"
"""What is kept of the input of a call: where a copy is enough, its text is not made until it is compared."""


class VerdictKind(StrEnum):
    """What the guard says."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"
    CIRCUIT_BREAK = "circuit_break"


CIRCUIT_BREAK: Final = VerdictKind.CIRCUIT_BREAK
"""By a name of the module: before 3.12 a member of an enum is looked up slowly."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of one step; ``error`` is the class that a circuit break raises, with what was ``used`` of
    which ``limit``.
    """

    kind: VerdictKind
    message: str = ""
    error: type[CircuitBreak] = CircuitBreak
    used: float | None = None
    limit: float | None = None

    def enforce(self) -> None:
        """Raise ``error`` on a circuit break."""
        if self.kind is CIRCUIT_BREAK:
            if self.used is None:
                raise self.error(self.message)
            raise self.error(self.message, used=self.used, limit=self.limit)


ALLOW = Verdict(VerdictKind.ALLOW)
"""The verdict of nearly every step, and always this one object."""


class LoopGuard:
    """The limits of one agent (one id: restarts do not reset it).

    Args:
        max_iterations: Turns of the loop.
        max_tool_calls: Calls of tools, blocked ones included.
        max_cost_usd: 0 has no limit.
        max_tokens_budget: Tokens of all completions together; None has no limit.
        max_handoffs: How often the conversation may be handed on.

    Threads: one at a time.
    """

    def __init__(
        self,
        max_iterations: int,
        max_tool_calls: int,
        max_cost_usd: float = 0.0,
        max_tokens_budget: int | None = None,
        max_handoffs: int = 0,
    ) -> None:
        self._max_iterations = max_iterations
        self._max_tool_calls = max_tool_calls
        self._max_cost_usd = max_cost_usd
        self._max_tokens_budget = max_tokens_budget
        self._max_handoffs = max_handoffs
        self._calls: dict[tuple[str, str], int] = {}
        self._firsts: dict[str, Noted | None] = {}  # what the first call of each name said; None: it is among the calls
        self._last: tuple[Mapping[str, Any] | None, Noted] = (None, "")
        self._truncations = 0
        self._handoffs = 0
        self.iterations: int = 0
        self.tool_calls: int = 0
        self.tokens: int = 0
        self.cost_usd: float = 0.0

    def check_iteration(self) -> Verdict:
        """Count one turn of the loop."""
        self.iterations += 1
        return self._judge(self.iterations, self._max_iterations, "iterations", "max_iterations", IterationsExceeded)

    def check_tool_call(
        self,
        name: str,
        input: Mapping[str, Any],  # noqa: A002 - the port's name
        *,
        repeatable: bool = False,
    ) -> Verdict:
        """Count one tool call; the third with the same input is blocked, unless it is *repeatable*.

        Args:
            name: Of the tool.
        """
        self.tool_calls += 1
        if self.tool_calls > self._max_tool_calls:
            return Verdict(
                VerdictKind.CIRCUIT_BREAK,
                f"{self.tool_calls} tool calls, max_tool_calls is {self._max_tool_calls}",
                ToolCallsExceeded,
                self.tool_calls,
                self._max_tool_calls,
            )
        if repeatable:
            return ALLOW
        noted = self.noted(input)
        if name not in self._firsts:
            self._firsts[name] = noted
            return ALLOW
        if (first := self._firsts[name]) is not None:
            self._firsts[name] = None
            self._calls[name, text_of_noted(first)] = 1
        key = name, text_of_noted(noted)
        self._calls[key] = count = self._calls.get(key, 0) + 1
        if count >= REPEATS_BLOCKED:
            return Verdict(
                VerdictKind.BLOCK,
                f"ping-pong: {shown(name)} was called {count} times with the same input; "
                "use the earlier result, or do something else",
            )
        return ALLOW

    def noted(self, input: Mapping[str, Any]) -> Noted:  # noqa: A002 - as above
        """What of *input* is kept, to be compared by :func:`same_noted`; a tool may change it. Of the last one it is
        known: it is asked twice.
        """
        said, noted = self._last
        if said is not input:
            noted = dict(input) if is_flat(input) else canonical(input)
            self._last = input, noted
        return noted

    def check_handoff(self) -> Verdict:
        """Count one handoff."""
        self._handoffs += 1
        return self._judge(self._handoffs, self._max_handoffs, "handoffs", "max_handoffs", HandoffsExceeded)

    def record_usage(self, usage: TokenUsage) -> Verdict:
        """Count the tokens of one completion.

        Args:
            usage: Tokens, read and written.
        """
        self.tokens += usage.total
        if self._max_tokens_budget is None:
            return ALLOW
        return self._judge(self.tokens, self._max_tokens_budget, "tokens", "max_tokens_budget", TokensExceeded)

    def record_cost(self, usd: float) -> Verdict:
        """Count the cost of one completion.

        Args:
            usd: In USD.
        """
        self.cost_usd += usd
        if 0 < self._max_cost_usd < self.cost_usd:
            return Verdict(
                VerdictKind.CIRCUIT_BREAK,
                f"{self.cost_usd:.6f} USD spent, max_cost_usd is {self._max_cost_usd}",
                CostExceeded,
                self.cost_usd,
                self._max_cost_usd,
            )
        return ALLOW

    def record_max_tokens(self) -> Verdict:
        """Count one answer that was cut off by ``max_tokens``."""
        self._truncations += 1
        if self._truncations >= TRUNCATIONS:
            return Verdict(
                VerdictKind.CIRCUIT_BREAK,
                f"{self._truncations} answers in a row were cut off by max_tokens; raise it or ask for less",
                TruncationExceeded,
                self._truncations,
                TRUNCATIONS,
            )
        return ALLOW

    def reset_max_tokens(self) -> None:
        """An answer was not cut off."""
        self._truncations = 0

    @staticmethod
    def _judge(count: int, limit: int, what: str, setting: str, error: type[CircuitBreak]) -> Verdict:
        if count > limit:
            return Verdict(VerdictKind.CIRCUIT_BREAK, f"{count} {what}, {setting} is {limit}", error, count, limit)
        if count >= WARN_FROM * limit:
            return Verdict(VerdictKind.WARN, f"{count} of {limit} {what} used", error, count, limit)
        return ALLOW


def text_of_noted(noted: Noted) -> str:
    """The same for all that say the same."""
    return noted if isinstance(noted, str) else canonical(noted)


def same_noted(one: Noted, other: Noted) -> bool:
    """Do they say the same?"""
    return one is other or text_of_noted(one) == text_of_noted(other)


_ALIKE = frozenset({str, int, bool, type(None)})
_as_json = json.JSONEncoder(sort_keys=True, default=repr, ensure_ascii=False).encode
"""Made once: ``json.dumps`` makes an encoder for each call that has options."""


def canonical(input: Mapping[str, Any]) -> str:  # noqa: A002 - as above
    """*input* as text, the same for equal inputs.

    The order of the keys does not count, and equal numbers are one (``1`` and ``1.0``: JSON knows no whole numbers
    apart). A text is no number (``"1"``), nor is a truth value: to a tool that takes text, ``"1"`` and ``"1.0"`` are
    two things.
    """
    return _as_json(_alike(input))


def _alike(value: Any) -> Any:
    if type(value) in _ALIKE:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(key): _alike(entry) for key, entry in value.items()}
    return [_alike(entry) for entry in value] if isinstance(value, list | tuple) else value


publish("actors.limits", Verdict, VerdictKind)
