"""Budgets, for agents of hosts: these ask before they spend, and the program counts."""

from __future__ import annotations

from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from loguru import logger

from ..agent.account import AGAIN
from ..agent.budget import NOTHING, Budget, Spending
from ..agent.events import BudgetWarned
from ..agent.ledger import MemoryLedger
from ..core.process.log import labelled
from ..core.shown import shown
from ..errors import Cancelled
from .family import parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..agent.account import Reserved
    from ..core.scheduling.agent_cell import AgentCell
    from .engine_state import EngineState

    Amounts: TypeAlias = tuple[int, int, int, float]

RESERVE: Final = "reserve"
"""Asked where it may be refused, else noted: host and number by which it is settled, how much, how often."""
SETTLE: Final = "settle"
"""Noted: host and number, and what each was in the end; None where nobody knows."""
CHARGE: Final = "charge"
"""Noted: what an earlier process has bought."""
BUDGET: Final = "budget"
"""Asked: how a budget stands."""
CHARGED: Final = "charged"
"""What of an earlier process is charged: one of the cell's lazies."""


class _Held(NamedTuple):
    """What one call of an agent, or several, may spend."""

    cell: AgentCell
    parts: Sequence[Reserved]


class Accounts:
    """Reserves, settles and charges what agents of hosts spend.

    Guarantees: counts that a budget limits are exact over all hosts; what a host had reserved when it went is spent at
    least, once. What nothing limits is told, not asked: word of the last call may be lost with its host.

    Locks: none: the engine's thread alone, and whoever ends it after that.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._held: dict[str, dict[int, _Held]] = {}
        state.desk.serve(RESERVE, self._reserve)
        state.desk.serve(BUDGET, self._budget)
        state.desk.hear(RESERVE, self._hold)
        state.desk.hear(SETTLE, self._settle)
        state.desk.hear(CHARGE, self._charge)
        state.when_gone(self._gone)

    def _reserve(self, agent_id: int, host: str, number: int, wanted: Amounts, times: int) -> None:
        """Reserve, all or nothing.

        Raises:
            CircuitBreak: A budget is used up.
            Cancelled: The agent has ended.
        """
        cell = self._state.cell(agent_id)
        if cell is None:
            raise Cancelled("it has ended")
        account = parts_of(cell).account
        held: list[Reserved] = []
        try:
            for _ in range(times):
                held.append(account.reserve(Spending(*wanted)))  # noqa: PERF401 - what was reserved before a refusal
        except BaseException:
            for each in held:
                each.refund()
            raise
        self._held.setdefault(host, {})[number] = _Held(cell, held)

    def _hold(self, agent_id: int, host: str, number: int, wanted: Amounts, times: int) -> None:
        """As :meth:`_reserve`, what nothing limits: of one that was abandoned it counts no more."""
        if self._state.cell(agent_id) is not None:
            self._reserve(agent_id, host, number, wanted, times)

    def _settle(self, agent_id: int, host: str, number: int, actual: Amounts | None) -> None:  # noqa: ARG002
        held = self._held.get(host, {}).pop(number, None)
        if held is not None:  # else it was refused
            self._close(held, None if actual is None else Spending(*actual))

    def _close(self, held: _Held, actual: Spending | None) -> None:
        for each in held.parts:
            self._warn(held.cell, each.settle_least() if actual is None else each.settle(actual))

    def _charge(self, agent_id: int, actual: Amounts, path: str, what: str) -> None:
        cell = self._state.cell(agent_id)
        if cell is not None and _is_due(cell, path, what):
            self._warn(cell, parts_of(cell).account.charge(Spending(*actual), path, what))

    def _warn(self, cell: AgentCell, warnings: Sequence[str]) -> None:
        """Tell it as the agent would: in the log, and as an event."""
        for message in warnings:
            log = partial(logger.warning, "{}", shown(message, 500))
            Context().run(labelled, cell.id, cell.spec.name, log)
            self._state.tell_event(cell, BudgetWarned, {"message": message}, self._state.pool.moment())

    def _budget(self, agent_id: int, number: int) -> tuple[str, tuple[str, ...], Amounts, Amounts]:  # noqa: ARG002
        """The name of a budget, what it limits, and what is spent and reserved."""
        budget: Budget = self._state.references.find("budget", number)
        return budget.name, tuple(budget.limited), amounts(budget.spent), amounts(budget.reserved)

    def _gone(self, host: str) -> None:
        """What calls of a host that went did cost nobody knows."""
        for held in self._held.pop(host, {}).values():
            self._close(held, None)


def _is_due(cell: AgentCell, path: str, what: str) -> bool:
    """Is it still to be charged? What an agent has bought in this process was charged then, on whichever host."""
    if what == AGAIN:
        return True
    ledger, charged = parts_of(cell).ledger, cell.lazies.setdefault(CHARGED, set())
    before = isinstance(ledger, MemoryLedger) and any(map(ledger.came_before, (path, f"{path}/@closed")))
    if not before or (path, what) in charged:
        return False
    charged.add((path, what))
    return True


def amounts(spending: Spending) -> Amounts:
    """*spending* as plain data."""
    return spending.iterations, spending.tool_calls, spending.tokens, spending.cost_usd


REFUNDED: Final = amounts(NOTHING)
