"""Whom one agent is charged to, for what it spends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

from .budget import COUNTS, NOTHING, OF_COMPLETIONS, Budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .budget import Spending


AGAIN: Final = "again"
"""What is charged of something that is bought anew where it was bought by an earlier process."""


class Reserved(Protocol):
    """What one call may spend. It is settled once; a context manager that refunds what was not settled."""

    def settle(self, actual: Spending) -> Sequence[str]:
        """The call has spent *actual*. Returns warnings that are still to be told."""

    def settle_least(self) -> Sequence[str]:
        """The call happened, but nobody knows what it cost: what it cost at least is spent."""

    def refund(self) -> None:
        """The call did not happen."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Refund what was not settled."""


class Account(Protocol):
    """Whom one agent is charged to: its own budget, its group's, the pool's, and those of its parent. In the program
    these are at hand; elsewhere something stands for them.

    Threads: any of the agent's.
    """

    @property
    def budgets(self) -> Sequence[Budget]:
        """Those that are in this process."""

    @property
    def is_charged(self) -> bool:
        """Is anybody charged?"""

    @property
    def limits_cost(self) -> bool:
        """Does one of them limit the cost?"""

    def reserve(self, wanted: Spending) -> Reserved:
        """Reserve *wanted* in all of them, or in none.

        A completion is refused when tokens or money are used up, also where its input alone costs nothing.

        Raises:
            CircuitBreak: One of them is used up.
        """

    def spend(self, wanted: Spending, times: int = 1) -> Sequence[str]:
        """Spend what is counted when it begins: so many *times*, or not at all. Returns warnings that are still to be
        told.

        Raises:
            CircuitBreak: One of them has not enough.
        """

    def charge(self, actual: Spending, path: str, what: str = "") -> Sequence[str]:
        """Spend *actual*, which an earlier process has bought: it is refused by nobody. Returns warnings that are still
        to be told.

        Args:
            path: Where it stands in the agent's ledger.
            what: Tells it from all else that is charged for that path.
        """


class BudgetAccount:
    """An account with its budgets.

    Locks: that of all budgets.
    """

    def __init__(self, budgets: Iterable[Budget]) -> None:
        self.budgets: Sequence[Budget] = tuple(dict.fromkeys(budgets))
        self.is_charged = bool(self.budgets)
        self.limits_cost = any("cost_usd" in budget.limited for budget in self.budgets)
        """Does one of them limit the cost?"""

    def reserve(self, wanted: Spending) -> Reservation:
        """Reserve *wanted* in all of them, or in none.

        Raises:
            CircuitBreak: One of them is used up.
        """
        if self.budgets:
            with Budget.lock:
                self._hold(wanted)
        return Reservation(self.budgets, wanted)

    def _hold(self, wanted: Spending) -> None:
        counted = [kind for kind in COUNTS if getattr(wanted, kind)]
        for budget in self.budgets:
            refusal = budget.refusal(counted or OF_COMPLETIONS)
            if refusal is not None:
                raise refusal
        for budget in self.budgets:
            budget.hold(wanted)

    def spend(self, wanted: Spending, times: int = 1) -> list[str]:
        """Reserve and settle in one, so many *times* or not at all. Returns warnings.

        Raises:
            CircuitBreak: One of them has not enough.
        """
        held, actual = 0, NOTHING
        warnings: list[str] = []
        if not self.budgets:
            return warnings
        with Budget.lock:
            try:
                while held < times:
                    self._hold(wanted)
                    held += 1
                actual = wanted
            finally:  # a refusal is one for all of them
                for _ in range(held):
                    for budget in self.budgets:
                        warnings += budget.close(wanted, actual)
        return warnings

    def charge(self, actual: Spending, path: str = "", what: str = "") -> list[str]:  # noqa: ARG002 - all are in one process
        """Spend *actual*, which an earlier process has bought: it is refused by nobody. Returns warnings."""
        if self.budgets:
            with Budget.lock:
                for budget in self.budgets:
                    budget.hold(NOTHING)
        return Reservation(self.budgets, NOTHING).settle(actual)


class Reservation:
    """What one call may spend. It is settled once; a context manager that refunds what was not settled.

    Locks: ``_budgets`` changes by one operation, so that of two who settle it one does.
    """

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
