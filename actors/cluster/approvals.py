"""Questions of agents on hosts for approval: asked, answered and expired in the program."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.scheduling.approval import Approvals, Decision
from ..errors import Cancelled
from .items import Told
from .portable import dump_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..core.scheduling.agent_cell import AgentCell
    from .engine_state import EngineState

ASK: Final = "approval.ask"
"""Asked: a tool call, and for how long; answered by the name under which it is approved or denied."""
WITHDRAW: Final = "approval.withdraw"
"""Noted: the names of questions that nobody waits for any more."""
DECIDED: Final = "approval.decided"
"""What a host is told: the name of a question, and what was decided."""


class PlacedApprovals(Approvals):
    """The questions of one agent that lives on a host.

    Guarantees: each is decided here, once, by an answer or by its time; whatever it was, the host is told.

    Args:
        tell: Has the engine tell the host what was decided of the question of that name.

    Threads: any. Locks: none; a question is decided by one operation.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._tell_host = tell

    def decide(self, call_id: str, decision: Decision) -> bool:
        """Answer a question; False when it is not open (any more)."""
        counts = super().decide(call_id, decision)
        self._tell_host(call_id)  # also when it did not count: then its time is over, and its default holds
        return counts

    def expire(self, call_id: str) -> None:
        """Its time is over: unless it was answered, its default holds."""
        question = self._pending.get(call_id)
        if question is not None:
            question.decide(question.default)
            self._tell_host(call_id)

    def take_decided(self, call_id: str) -> Decision | None:
        """What was decided, for the host: given once."""
        question = self._pending.get(call_id)
        if question is None or question.decision is None or self._pending.pop(call_id, None) is None:
            return None
        return question.decision

    def withdraw(self, call_ids: Sequence[str]) -> None:
        """Nobody waits for these any more."""
        for call_id in call_ids:
            self._pending.pop(call_id, None)

    def withdraw_all(self) -> None:
        """Nobody waits for any of them."""
        self._pending.clear()


class AskedApprovals:
    """Asks for approval on behalf of agents on hosts.

    Guarantees: of an answer and the end of the time, whichever comes first here counts, on the host, too.

    Locks: none: the engine's thread alone; who answers does so in any thread, also in a signal's handler.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        state.desk.serve(ASK, self._ask)
        state.desk.hear(WITHDRAW, self._withdraw)
        state.when_lost(self._lost)
        state.when_ended(_forget)

    def _ask(
        self,
        agent_id: int,
        call_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        timeout: float | None,
        default: Decision,
        in_doubt: bool,
    ) -> str:
        cell = self._state.cell(agent_id)
        if cell is None:
            raise Cancelled("it has ended")
        if not isinstance(cell.approvals, PlacedApprovals):
            cell.approvals = PlacedApprovals(partial(self._decided, cell))
        question = cell.approvals.ask(call_id, tool, arguments, timeout, default, in_doubt=in_doubt)
        name = question.asked.call_id
        if timeout is not None:
            self._state.thread.do_at(self._state.thread.now() + timeout, partial(cell.approvals.expire, name))
        return name

    def _decided(self, cell: AgentCell, name: str) -> None:
        """Whoever has decided goes on: the engine tells the host."""
        self._state.thread.do(partial(self._tell, cell, name))

    def _tell(self, cell: AgentCell, name: str) -> None:
        approvals = cell.approvals
        decision = approvals.take_decided(name) if isinstance(approvals, PlacedApprovals) else None
        if decision is not None:
            self._state.tell(cell.id, Told(DECIDED, cell.id, dump_value((name, decision), "a decision")))

    def _withdraw(self, agent_id: int, *names: str) -> None:
        cell = self._state.cell(agent_id)
        if cell is not None and isinstance(cell.approvals, PlacedApprovals):
            cell.approvals.withdraw(names)

    def _lost(self, cells: Sequence[AgentCell]) -> None:
        for cell in cells:
            _forget(cell)


def _forget(cell: AgentCell) -> None:
    """It waits for no answer any more."""
    if isinstance(cell.approvals, PlacedApprovals):
        cell.approvals.withdraw_all()
