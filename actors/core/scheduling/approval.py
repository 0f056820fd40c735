"""Approval that an agent asks for, and waits for without a slot."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...public import publish
from ..clock import SYSTEM_CLOCK
from ..shown import listed
from ..waiting.wait_graph import wait_for
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Decision:
    """What was answered; ``by_default`` says that nobody answered in time."""

    approved: bool
    reason: str = ""
    by_default: bool = False


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A tool call that waits for approval.

    Args:
        call_id: The name under which it is approved or denied; none is ever used twice by an agent.
        tool: The tool's name.
        input: The arguments that the model sent.
        in_doubt: It was begun before and interrupted: it may have been done already.
    """

    call_id: str
    tool: str
    input: Mapping[str, Any]
    in_doubt: bool = False


class Question:
    """One question of an agent.

    Args:
        default: What holds when nobody answers in time.
        end: The moment on the monotonic clock; None waits for ever.
    """

    __slots__ = ("_began", "_box", "asked", "default", "end")

    def __init__(self, asked: PendingApproval, default: Decision, end: float | None) -> None:
        self.asked = asked
        self.default = default
        self.end = end
        self._began = SYSTEM_CLOCK.monotonic()
        self._box: dict[str, Decision] = {}

    @property
    def decision(self) -> Decision | None:
        """What was decided; None when nothing was yet."""
        return self._box.get("decision")

    def times(self) -> tuple[float, float | None]:
        """For how long it has waited, and for how long it still will: seconds; None for ever."""
        now = SYSTEM_CLOCK.monotonic()
        return now - self._began, None if self.end is None else max(0.0, self.end - now)

    def decide(self, decision: Decision) -> bool:
        """Decide it, once and for all; False when it was decided before, or is over: then its default holds."""
        wanted = self.default if self.is_over() else decision
        return self._box.setdefault("decision", wanted) is decision

    def is_over(self) -> bool:
        """Is its time over?"""
        return self.end is not None and SYSTEM_CLOCK.monotonic() >= self.end


class Approvals:
    """The questions of one agent.

    Guarantees: each is decided once, by an answer, by its time, or by nobody when the agent is cancelled; an answer
    that comes too late changes nothing, and its giver is told so; the name of a question is never used again, so that
    an answer to an earlier one cannot meet a later one.

    Threads: the agent's own asks and waits, any may answer. No lock: a question is decided by one operation. So a
    signal's handler may answer, too.
    """

    def __init__(self) -> None:
        self._pending: dict[str, Question] = {}
        self._used: set[str] = set()
        self._waiter = Waiter()
        self._wakes_for_each = False

    def pending(self) -> tuple[PendingApproval, ...]:
        """What waits for an answer."""
        return tuple(question.asked for question in self.open())

    def open(self) -> list[Question]:
        """The questions that wait for an answer."""
        questions = list(self._pending.values())
        return [one for one in questions if one.decision is None and not one.is_over()]

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
        name, number = call_id or "call", 1
        while name in self._used:
            number += 1
            name = f"{call_id or 'call'}#{number}"
        self._used.add(name)
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        # A copy: whoever answers must not change what is called.
        question = Question(PendingApproval(name, tool, deepcopy(dict(arguments)), in_doubt), default, end)
        self._pending[name] = question
        return question

    def decide(self, call_id: str, decision: Decision) -> bool:
        """Answer a question; False when it is not open (any more)."""
        question = self._pending.get(call_id)
        if question is None:
            return False
        counts = question.decide(decision)
        # Also when it did not count: whoever decided before may have been interrupted before this.
        if self._wakes_for_each or all(other.decision is not None for other in list(self._pending.values())):
            self._waiter.wake()
        return counts

    def wait(self, questions: Sequence[Question], decided: Callable[[Question], None] | None = None) -> None:
        """Wait, parked, until all *questions* are decided.

        Args:
            decided: Called with each as soon as it is decided, in this thread.
        Raises:
            Cancelled: The agent was cancelled: they are withdrawn.
        """
        self._wakes_for_each = decided is not None
        told: set[int] = set()
        self._waiter = Waiter()
        try:
            while waiting := [question for question in questions if question.decision is None]:
                ends = [question.end for question in waiting if question.end is not None]
                left = max(0.0, min(ends) - SYSTEM_CLOCK.monotonic()) if ends else None
                on = listed([f"{question.asked.tool} ({question.asked.call_id})" for question in waiting])
                if not wait_for(self._waiter, left, f"approval of {on}"):
                    self._let_expire(waiting)
                if decided is not None:
                    self._waiter = Waiter()  # before a look at what is decided: what comes after it wakes this one
                    self._tell(questions, decided, told)
        finally:
            for question in questions:
                self._pending.pop(question.asked.call_id, None)
            if decided is not None:
                self._tell(questions, decided, told)

    @staticmethod
    def _tell(questions: Sequence[Question], decided: Callable[[Question], None], told: set[int]) -> None:
        for question in questions:
            if question.decision is not None and id(question) not in told:
                told.add(id(question))
                decided(question)

    def _let_expire(self, questions: Sequence[Question]) -> None:
        for question in questions:
            if question.is_over():
                question.decide(question.default)


publish("actors.monitoring", PendingApproval)
