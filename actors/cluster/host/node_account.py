"""What stands on a host for the budgets of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ...agent.budget import COUNTS, OF_COMPLETIONS, Budget, Spending
from ..accounts import BUDGET, CHARGE, REFUNDED, RESERVE, SETTLE, amounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ..accounts import Amounts
    from ..program import Program


class Names:
    """What an agent's reservations and permits are called in the program: by the host, and a number there."""

    __slots__ = ("host", "numbers")

    def __init__(self, host: str, numbers: Iterator[int]) -> None:
        self.host = host
        self.numbers = numbers


class NodeAccount:
    """Whom an agent of a host is charged to. It asks where it may be refused, and tells all else; what is to be warned
    of is told in the program.

    Args:
        limited: The kinds of spending that one of its budgets limits.

    Threads: any of the agent's. Locks: none: nothing changes.
    """

    is_charged = True
    budgets: Sequence[Budget] = ()

    def __init__(self, program: Program, names: Names, agent_id: int, limited: Collection[str]) -> None:
        self._program = program
        self._names = names
        self._agent_id = agent_id
        self._limited = limited
        self.limits_cost = "cost_usd" in limited

    def reserve(self, wanted: Spending) -> NodeReservation:
        """Reserve *wanted* in all budgets, or in none.

        Raises:
            CircuitBreak: One of them is used up.
            Cancelled: The agent was cancelled meanwhile.
        """
        return self._reserve(wanted, 1)

    def _reserve(self, wanted: Spending, times: int) -> NodeReservation:
        host, number = self._names.host, next(self._names.numbers)
        held = NodeReservation(self._program, self._agent_id, host, number)
        asked = host, number, amounts(wanted), times
        if not self._may_refuse(wanted):
            self._program.note(RESERVE, self._agent_id, *asked)
            return held
        try:
            self._program.ask(RESERVE, self._agent_id, *asked)
        except BaseException:  # it may have come after all
            held.refund()
            raise
        return held

    def _may_refuse(self, wanted: Spending) -> bool:
        counted = [kind for kind in COUNTS if getattr(wanted, kind)]
        return any(kind in self._limited for kind in counted or OF_COMPLETIONS)

    def spend(self, wanted: Spending, times: int = 1) -> Sequence[str]:
        """Reserve and settle in one, so many *times* or not at all.

        Raises:
            CircuitBreak: A budget has not enough.
            Cancelled: The agent was cancelled meanwhile.
        """
        if times:
            self._reserve(wanted, times).settle(wanted)
        return ()

    def charge(self, actual: Spending, path: str, what: str = "") -> Sequence[str]:
        """Spend *actual*, which an earlier process has bought, unless this one has charged it."""
        self._program.note(CHARGE, self._agent_id, amounts(actual), path, what)
        return ()


class NodeReservation:
    """What one call of an agent of a host may spend.

    Locks: ``_is_open`` changes by single operations, so that of two who settle it one does.
    """

    __slots__ = ("_agent_id", "_host", "_is_open", "_number", "_program")

    def __init__(self, program: Program, agent_id: int, host: str, number: int) -> None:
        self._program = program
        self._agent_id = agent_id
        self._host = host
        self._number = number
        self._is_open = [True]

    def settle(self, actual: Spending) -> Sequence[str]:
        """The call has spent *actual*."""
        return self._settle(amounts(actual))

    def settle_least(self) -> Sequence[str]:
        """The call happened, but nobody knows what it cost: what it cost at least is spent."""
        return self._settle(None)

    def refund(self) -> None:
        """The call did not happen."""
        self._settle(REFUNDED)

    def _settle(self, actual: Amounts | None) -> Sequence[str]:
        try:
            self._is_open.pop()
        except IndexError:
            return ()
        self._program.note(SETTLE, self._agent_id, self._host, self._number, actual)
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refund()


class NodeBudget(Budget):
    """A budget of the program, as an agent of a host sees it: what was spent, and to give it to a child.

    Threads: any. Locks: none: it knows nothing that changes.
    """

    def __init__(self, program: Program, number: int) -> None:
        self._program = program
        self._number = number
        name, self._kinds, _, _ = program.ask(BUDGET, 0, number)
        super().__init__(name=name)

    @property
    def spent(self) -> Spending:
        """What was spent so far."""
        return Spending(*self._program.ask(BUDGET, 0, self._number)[2])

    @property
    def reserved(self) -> Spending:
        """What the calls in flight will spend at least."""
        return Spending(*self._program.ask(BUDGET, 0, self._number)[3])

    @property
    def limited(self) -> Collection[str]:
        """The kinds of spending that it limits."""
        kinds: Any = self._kinds
        return frozenset(kinds)
