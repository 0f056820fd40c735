"""What several agents may spend together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.process.fork import ProcessLock
from ..core.shown import shown
from ..errors import CircuitBreak, CostExceeded, IterationsExceeded, NotPortable, TokensExceeded, ToolCallsExceeded
from ..public import publish

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .terms.manifest import AgentManifest

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

    Example:
        ```python
        from actors import AgentManifest, AgentPool, Budget, SpawnConfig

        with AgentPool("echo", budget=Budget(max_cost_usd=5.0), max_queued=None) as pool:
            configs = [SpawnConfig(AgentManifest(name="poet"), subject) for subject in ("rain", "snow")]
            print(sum(outcome.cost_usd for outcome in pool.map(configs)))
        ```

        ```text
        0.0
        ```

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

    def __reduce__(self) -> tuple[Any, ...]:
        """Refuse: each copy would have the whole limit.

        Raises:
            NotPortable: Always.
        """
        raise NotPortable(self.name, "each copy would have the whole limit; share this one, or give a child its limits")

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
    def limited(self) -> Collection[str]:
        """The kinds of spending, fields of ``Spending``, that it limits."""
        return self._limits.keys()

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
        """Is nothing left?

        Args:
            used: What was spent and reserved.
            limit: None: there is none.
        """
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

    @classmethod
    def granted_by(cls, manifest: AgentManifest) -> list[FamilyBudget]:
        """What *manifest* grants: one budget, or none."""
        limits = manifest.resources
        if limits.max_tokens_budget is None and limits.max_cost_usd <= 0:
            return []
        name = f"the budget of {shown(manifest.name)} and all below it"
        return [cls(max_tokens=limits.max_tokens_budget, max_cost_usd=limits.max_cost_usd or None, name=name)]

    def is_used_up(self, used: float, limit: float) -> bool:
        """Is more spent than granted?"""
        return used > limit

    def close(self, wanted: Spending, actual: Spending) -> list[str]:
        """Spend, without a word."""
        super().close(wanted, actual)
        return []


publish("actors.limits", Spending)
