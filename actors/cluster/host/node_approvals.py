"""The questions for approval of an agent of a host."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ...core.checks import leaf_lock
from ...core.scheduling.approval import Approvals, Decision, PendingApproval, Question
from ..approvals import ASK, WITHDRAW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..program import Program


class NodeApprovals(Approvals):
    """Stands on a host for the questions of an agent: they are answered in the program, which has their time, too. The
    wait is here, without a slot.

    Threads: the agent's own asks and waits, any may tell what was decided.

    Locks: ``_lock`` guards ``_early``, and what is put into ``_pending``.
    """

    def __init__(self, program: Program, agent_id: int) -> None:
        super().__init__()
        self._program = program
        self._agent_id = agent_id
        self._lock = leaf_lock()
        self._early: dict[str, Decision] = {}

    def ask(
        self,
        call_id: str,
        tool: str,
        arguments: Mapping[str, Any],
        timeout: float | None,
        default: Decision,
        *,
        in_doubt: bool = False,
    ) -> Question:
        """Ask for approval of a call of *tool*; the answer may come from now on."""
        given = deepcopy(dict(arguments))
        name = self._program.ask(ASK, self._agent_id, call_id, tool, given, timeout, default, in_doubt)
        question = Question(PendingApproval(name, tool, given, in_doubt), default, None)  # its time runs in the program
        with self._lock:
            self._pending[name] = question
            early = self._early.pop(name, None)
        if early is not None:
            question.decide(early)
        return question

    def decided(self, name: str, decision: Decision) -> None:
        """The program says what was decided; perhaps before whoever asked knows the name."""
        with self._lock:
            if name not in self._pending:
                self._early[name] = decision
                return
        self.decide(name, decision)

    def wait(self, questions: Sequence[Question], decided: Callable[[Question], None] | None = None) -> None:
        """Wait, parked, until all *questions* are decided; what is not, is withdrawn."""
        try:
            super().wait(questions, decided)
        finally:
            left = [question.asked.call_id for question in questions if question.decision is None]
            if left:
                self._program.note(WITHDRAW, self._agent_id, *left)
