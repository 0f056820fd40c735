"""What the tool calls of one answer have done in earlier lives, and what they do now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.records.content_field import content_from_data, content_to_data
from ...core.records.conversation import ToolResultMessage
from ...core.records.json_marks import from_json, marked_text
from ...core.scheduling.approval import Decision
from ...core.supervision.inline_call import ToolEnd
from ...errors import (
    AgentCancelled,
    Cancelled,
    EffectInDoubt,
    JournalFailed,
    PoolClosed,
)
from ..budget import Spending
from ..effects import effect_of, is_repeatable
from ..ledger import (
    BEGUN,
    DONE,
    InDoubt,
    Scope,
    inside,
)
from ..terms.effect import Effect
from ..terms.message_text import told_content
from .bookkeeper import count_spent, spent_to_data
from .driver_call import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...core.records.conversation import ToolCall
    from ...core.waiting.cancel import CancelToken
    from ..agent import Agent
    from ..guard import LoopGuard
    from ..ledger import Entry, Ledger
    from ..ports import Tool, ToolResult

ONE_CALL = Spending(tool_calls=1)


class ToolEffects:
    """The effects of the calls of one answer.

    Guarantees: what the model is told of a call is what the ledger holds of it, so that it is told the same in each
    life: a result that comes after the call has timed out changes nothing.

    Args:
        turn: The path of the answer.

    Threads: the agent's own; what a job does, on the thread of its call.

    Locks: none; ``_done`` changes by single operations, and the first who enters an end has it.
    """

    def __init__(
        self, agent: Agent[Any], ledger: Ledger, guard: LoopGuard, turn: str, calls: Sequence[ToolCall]
    ) -> None:
        self._agent = agent
        self._ledger = ledger
        self._guard = guard
        self._turn = turn
        self._calls = calls
        self._token = agent._context.token  # its own: that of a call is cancelled when it times out
        self._done: dict[int, Mapping[str, Any]] = {}
        self._scopes: dict[int, Scope] = {}
        self._jobs: dict[int, tuple[Effect, Callable[[ToolEnd], ToolResult]]] = {}
        self._answers: dict[int, ToolResultMessage] = {}
        self.begun: dict[int, Entry] = {}
        """Those that were begun in an earlier life and have no end."""

    def path(self, index: int) -> str:
        """``3.1`` for the second call of the fourth answer."""
        return f"{self._turn}.{index}"

    # What is known ----------------------------------------------------------------------------------------------

    def recall(self) -> None:
        """Look up the calls; what an earlier process did is counted, once."""
        for index in range(len(self._calls)):
            entry = self._ledger.find(self.path(index))
            if entry is None:
                continue
            if self._ledger.count(entry.path):
                self._count(index, entry)
            if entry.state is DONE:
                self._answers[index] = self._message(index, entry.data)
            else:
                self.begun[index] = entry

    def knows(self, index: int) -> bool:
        """Is it known what the model is told of it?"""
        return index in self._answers

    def has_run(self, index: int) -> bool:
        """Was it run in an earlier life, and is it known how it ended?"""
        entry = self._ledger.find(self.path(index)) if self.knows(index) else None
        return entry is not None and bool(entry.data.get("ran", True))

    def answer(self, index: int) -> ToolResultMessage:
        """What the model is told of it, which is known."""
        return self._answers[index]

    def _count(self, index: int, entry: Entry) -> None:
        if entry.data.get("counted", True) and self.counts(index):
            call = self._calls[index]
            repeatable = is_repeatable(self._agent.tools.get(call.name))
            self._guard.check_tool_call(call.name, call.input, repeatable=repeatable)
        if entry.state is DONE and entry.data.get("ran", True):
            self.charge_begun(index)
            count_spent(self._agent, entry.path, entry.data)

    def counts(self, index: int) -> bool:
        """Has the guard of this process still to count it? Then it does now."""
        return self._is_first(self.path(index))

    def uncharged(self, indices: Iterable[int]) -> int:
        """How many of them have still to be charged to budgets; then they are."""
        return sum(self._is_first(f"{self.path(index)}/@charged") for index in indices)

    def charge_begun(self, index: int) -> None:
        """One that an earlier process has begun is charged to budgets, and not refused."""
        if self.uncharged([index]):
            warn(self._agent, self._agent._parts.account.charge(ONE_CALL, self.path(index), "call"))

    def _is_first(self, path: str) -> bool:
        counted = self._ledger.counted
        if path in counted:
            return False
        counted.add(path)
        return True

    # Approvals --------------------------------------------------------------------------------------------------

    def decisions(self, indices: Iterable[int], *, again: bool = False) -> dict[int, Decision]:
        """What was decided of them in an earlier life.

        Args:
            again: By those who were asked whether they are to be made once more.
        """
        entries = ((index, self._ledger.find(self._approval(index, again=again))) for index in indices)
        return {index: _decision(entry) for index, entry in entries if entry is not None}

    def decider(self) -> Callable[[int, Decision], None]:
        """Somebody is about to be asked of calls whose answer is on disk; whoever decides tells it this.

        Raises:
            JournalFailed: It is not.
        """
        self._ledger.secure()
        return self.enter_decision

    def enter_decision(self, index: int, decision: Decision, *, again: bool = False) -> None:
        """It was decided."""
        data = {
            "approved": decision.approved,
            "reason": marked_text(decision.reason),
            "by_default": decision.by_default,
        }
        self._ledger.enter(self._approval(index, again=again), DONE, "approval", data)

    def _approval(self, index: int, *, again: bool) -> str:
        """Its path; each time that it is in doubt has one of its own."""
        return f"{self.path(index)}/@approval" + (f"~{self._attempt(index)}" if again else "")

    def _attempt(self, index: int) -> int:
        entry = self.begun.get(index)
        return 1 if entry is None else 1 + int(entry.data.get("attempt", 1))

    # What is done now -------------------------------------------------------------------------------------------

    def job(
        self,
        index: int,
        tool: Tool,
        run: Callable[[CancelToken], ToolResult],
        judge: Callable[[ToolEnd], ToolResult],
    ) -> Callable[[CancelToken], ToolResult]:
        """*run*, as an effect: entered before, if it must not be done twice, and after.

        Args:
            judge: What the model is told of an end.
        """
        effect, path = effect_of(tool), self.path(index)
        begun: dict[str, Any] = {"tool": self._calls[index].name, "effect": str(effect)}
        if index in self.begun:
            begun["attempt"] = self._attempt(index)
        scope = self._scopes[index] = Scope(self._ledger, path)
        self._jobs[index] = effect, judge

        def work(cancel: CancelToken) -> ToolResult:
            if effect is Effect.AT_MOST_ONCE:
                self._ledger.enter(path, BEGUN, "tool", begun, safe=True)
            else:
                self._ledger.refuse_when_failed()
            try:
                with inside(scope):
                    result = run(cancel)
            except BaseException as error:
                self._enter_late(index, ToolEnd(None, error, False), effect)
                raise
            self._enter_late(index, ToolEnd(result, None, False), effect)
            return result

        return work

    def _leaves_open(self, end: ToolEnd, effect: Effect) -> bool:
        """Does it say nothing of what was done? The agent ends with it, and not the call alone: also when whom it has
        waited for was stopped with the agent.
        """
        error = end.error
        if self._is_fatal(error) or isinstance(error, PoolClosed):
            return True
        if not self._token.cancelled:
            return False
        has_failed = error is not None or getattr(end.result, "is_error", False) is True
        return isinstance(error, Cancelled | AgentCancelled) or (has_failed and effect is Effect.IDEMPOTENT)

    def _is_fatal(self, error: BaseException | None) -> bool:
        in_doubt = isinstance(error, EffectInDoubt) and self._ledger.in_doubt == InDoubt.FAIL
        return in_doubt or isinstance(error, JournalFailed)

    def _enter_late(self, index: int, end: ToolEnd, effect: Effect) -> None:
        """On the thread of the call: its end, unless it has timed out meanwhile."""
        if self._leaves_open(end, effect):
            return
        _, judge = self._jobs[index]
        mine = self._data(index, judge(end), effect, ran=True)
        if self._done.setdefault(index, mine) is mine:
            self._ledger.enter(self.path(index), DONE, "tool", mine)

    def settle(self, index: int, result: ToolResult, effect: Effect, *, ran: bool) -> None:
        """*result* is what the model is told, unless the call has entered its own."""
        data = self._done.setdefault(index, self._data(index, result, effect, ran=ran))
        self._ledger.enter(self.path(index), DONE, "tool", data)
        self._answers[index] = self._message(index, data)

    def refuse(self, refusals: Mapping[int, ToolResult]) -> None:
        """Enter what the model is told of calls that are not run: they have no effect."""
        for index, result in refusals.items():
            self.settle(index, result, Effect.IDEMPOTENT, ran=False)

    def answers(self, ends: Mapping[int, ToolEnd]) -> list[ToolResultMessage]:
        """What the model is told of each call, in the order asked.

        Args:
            ends: Of those that were run now.
        Raises:
            Cancelled: The agent was, and one says nothing of what it did.
            JournalFailed: What they did could not be recorded.
            EffectInDoubt: A step inside one is in doubt, and that is to end the agent.
        """
        for index, end in ends.items():
            if end.error is not None and self._is_fatal(end.error):
                raise end.error
            effect, judge = self._jobs[index]
            if index in self._done and not end.abandoned:  # by its own thread
                self._answers[index] = self._message(index, self._done[index])
            else:
                if self._leaves_open(end, effect):
                    self._token.check()
                self.settle(index, judge(end), effect, ran=True)
        return [self._answers[index] for index in range(len(self._calls))]

    def _data(self, index: int, result: ToolResult, effect: Effect, *, ran: bool) -> dict[str, Any]:
        data = {
            "tool": marked_text(self._calls[index].name),
            "effect": str(effect),
            "content": content_to_data(told_content(result.content)),
            "is_error": bool(result.is_error),
        }
        if not ran:
            data |= {"ran": False, "counted": self.path(index) in self._ledger.counted}
        scope = self._scopes.get(index)
        return data if scope is None else data | spent_to_data(scope)

    def _message(self, index: int, data: Mapping[str, Any]) -> ToolResultMessage:
        return ToolResultMessage(self._calls[index].id, content_from_data(data["content"]), data["is_error"])


def _decision(entry: Entry) -> Decision:
    return Decision(entry.data["approved"], from_json(entry.data["reason"]), entry.data["by_default"])
