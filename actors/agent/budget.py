"""What several agents may spend together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from ..core.process.fork import ProcessLock
from ..errors import CircuitBreak, CostExceeded, IterationsExceeded, TokensExceeded, ToolCallsExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WARN_FROM = 0.8
"""The share of a limit from which a budget warns, once."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent, or may be.

    Args:
        iterations: Turns of loops.
        tool_calls: Calls of tools that were run.
        tokens: Of completions, read and written.
        cost_usd: Of completions.
    """

    iterations: int = 0
    tool_calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.iterations + other.iterations,
            self.tool_calls + other.tool_calls,
            self.tokens + other.tokens,
            self.cost_usd + other.cost_usd,
        )

    def __sub__(self, other: Spending) -> Spending:
        return Spending(
            self.iterations - other.iterations,
            self.tool_calls - other.tool_calls,
            self.tokens - other.tokens,
            self.cost_usd - other.cost_usd,
        )


NOTHING = Spending()
KINDS: tuple[tuple[str, str, str, type[CircuitBreak]], ...] = (
    ("iterations", "max_iterations", "iterations", IterationsExceeded),
    ("tool_calls", "max_tool_calls", "tool calls", ToolCallsExceeded),
    ("tokens", "max_tokens", "tokens", TokensExceeded),
    ("cost_usd", "max_cost_usd", "USD", CostExceeded),
)
COUNTS = ("iterations", "tool_calls")
OF_COMPLETIONS = ("tokens", "cost_usd")


class Budget:
    """What a pool, a group, or an agent with all below it may spend together. None sets no limit.

    A call is reserved before it is made, at what it costs at least (its input), settled after it at what it did cost,
    and refunded when it did not happen. A call begins while anything is left: so with many agents at once a limit is
    passed by at most what each call in flight costs beyond its input. Counts are exact.

    Args:
        max_iterations: Turns of loops.
        max_tool_calls: Calls of tools.
        max_tokens: Of completions, read and written.
        max_cost_usd: Of completions, in USD.
        name: For messages.

    Threads: any. One budget may be shared by pools.

    Locks: ``lock``, one for all budgets, guards every field: a call is charged to several at once, and all of them
    take it or none.
    """

    lock: ClassVar[ProcessLock] = ProcessLock()

    def __init__(
        self,
        *,
        max_iterations: int | None = None,
        max_tool_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost_usd: float | None = None,
        name: str = "the budget",
    ) -> None:
        limits = {
            "iterations": max_iterations,
            "tool_calls": max_tool_calls,
            "tokens": max_tokens,
            "cost_usd": max_cost_usd,
        }
        for kind, setting, _, _ in KINDS:
            limit = limits[kind]
            whole = kind != "cost_usd"
            if limit is None:
                continue
            if isinstance(limit, bool) or not isinstance(limit, int if whole else int | float):
                raise TypeError(f"{setting} must be a {'whole ' if whole else ''}number or None, got {limit!r}")
            if not limit >= 0:
                raise ValueError(f"{setting} must not be negative, got {limit!r}")
        self.name = name
        self._limits: dict[str, float] = {kind: limit for kind, limit in limits.items() if limit is not None}
        self._spent = self._reserved = NOTHING
        self._held = 0
        self._warned: set[str] = set()

    @property
    def spent(self) -> Spending:
        """What was spent so far."""
        with Budget.lock:
            return self._spent

    @property
    def reserved(self) -> Spending:
        """What the calls in flight will spend at least."""
        with Budget.lock:
            return self._reserved

    @property
    def limits_cost(self) -> bool:
        """Does it need to know what a model costs?"""
        return "cost_usd" in self._limits

    # Under the lock ---------------------------------------------------------------------------------------------

    def refusal(self, kinds: Iterable[str]) -> CircuitBreak | None:
        """Why nothing of these *kinds* may be spent; None when it may."""
        for kind, setting, words, error in KINDS:
            limit = self._limits.get(kind)
            if limit is None or kind not in kinds:
                continue
            used = getattr(self._spent, kind) + getattr(self._reserved, kind)
            if self.is_used_up(used, limit):
                message = f"{self.name} is used up: {used:g} of {limit:g} {words} ({setting})"
                return error(message, used=used, limit=limit, budget=self.name)
        return None

    def is_used_up(self, used: float, limit: float) -> bool:
        """Is nothing left?"""
        return used >= limit

    def hold(self, wanted: Spending) -> None:
        """Reserve *wanted*."""
        self._held += 1
        self._reserved += wanted

    def close(self, wanted: Spending, actual: Spending) -> list[str]:
        """Spend *actual* in place of *wanted*, which was reserved; warnings, each given once."""
        self._held -= 1
        self._reserved = self._reserved - wanted if self._held else NOTHING  # no rest of a sum of fractions
        self._spent += actual
        warnings = []
        for kind, limit in self._limits.items():
            spent = getattr(self._spent, kind)
            if kind not in self._warned and spent and spent >= WARN_FROM * limit:
                self._warned.add(kind)
                words = next(words for name, _, words, _ in KINDS if name == kind)
                warnings.append(f"{self.name}: {spent:g} of {limit:g} {words} spent")
        return warnings


class FamilyBudget(Budget):
    """What a manifest grants one agent, spent by it and all below it. The agent's guard has the same limits for the
    agent alone: it warns, and like it this budget is used up above the limit, not at it.
    """

    def is_used_up(self, used: float, limit: float) -> bool:
        """Is more spent than granted?"""
        return used > limit

    def close(self, wanted: Spending, actual: Spending) -> list[str]:
        """Spend, without a word."""
        super().close(wanted, actual)
        return []


class Account:
    """The budgets that one agent is charged to: its own, its group's, the pool's, and those of its parent."""

    def __init__(self, budgets: Iterable[Budget]) -> None:
        self.budgets: Sequence[Budget] = tuple(dict.fromkeys(budgets))
        self.limits_cost = any(budget.limits_cost for budget in self.budgets)
        """Does one of them limit the cost?"""

    def reserve(self, wanted: Spending) -> Reservation:
        """Reserve *wanted* in all of them, or in none.

        A completion is refused when tokens or money are used up, also where its input alone costs nothing.

        Raises:
            CircuitBreak: One of them is used up.
        """
        if self.budgets:
            counted = [kind for kind in COUNTS if getattr(wanted, kind)]
            with Budget.lock:
                for budget in self.budgets:
                    refusal = budget.refusal(counted or OF_COMPLETIONS)
                    if refusal is not None:
                        raise refusal
                for budget in self.budgets:
                    budget.hold(wanted)
        return Reservation(self.budgets, wanted)

    def spend(self, wanted: Spending) -> list[str]:
        """Reserve and settle in one: what is counted when it begins. Returns warnings."""
        return self.reserve(wanted).settle(wanted) if self.budgets else []

    def charge(self, actual: Spending) -> list[str]:
        """Spend *actual*, which an earlier process has bought: it is refused by nobody. Returns warnings."""
        if self.budgets:
            with Budget.lock:
                for budget in self.budgets:
                    budget.hold(NOTHING)
        return Reservation(self.budgets, NOTHING).settle(actual)


class Reservation:
    """What one call may spend. It is settled once; a context manager that refunds what was not settled."""

    __slots__ = ("_budgets", "_wanted")

    def __init__(self, budgets: Sequence[Budget], wanted: Spending) -> None:
        self._budgets = budgets
        self._wanted = wanted

    def settle(self, actual: Spending) -> list[str]:
        """The call has spent *actual*. Returns warnings."""
        budgets, self._budgets = self._budgets, ()
        warnings: list[str] = []
        if budgets:
            with Budget.lock:
                for budget in budgets:
                    warnings += budget.close(self._wanted, actual)
        return warnings

    def settle_least(self) -> list[str]:
        """The call happened, but nobody knows what it cost: what it cost at least is spent."""
        return self.settle(self._wanted)

    def refund(self) -> None:
        """The call did not happen."""
        self.settle(NOTHING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refund()
