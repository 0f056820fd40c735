"""What becomes of calls that were begun and interrupted: nobody knows whether they were done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from ...core.crash import text_of
from ...core.records.content import is_told
from ...core.shown import shown
from ...errors import EffectInDoubt
from ..effects import effect_of
from ..ledger import InDoubt
from ..ports import ToolResult
from ..terms.effect import Effect
from ..terms.message_text import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...core.records.conversation import ToolCall
    from ...core.waiting.cancel import CancelToken
    from ..agent import Agent
    from ..ledger import Ledger
    from ..ports import Tool
    from .approval_gate import ApprovalGate
    from .tool_effects import ToolEffects


class Doubts:
    """Settles the calls of one answer that were begun in an earlier life and have no end.

    Threads: the agent's own; what ``reconcile`` does, on a thread of the call.
    """

    def __init__(
        self, agent: Agent[Any], ledger: Ledger, gate: ApprovalGate, effects: ToolEffects, calls: Sequence[ToolCall]
    ) -> None:
        self._agent = agent
        self._ledger = ledger
        self._gate = gate
        self._effects = effects
        self._calls = calls
        self._again: dict[int, Tool] = {}

    def settle(self) -> dict[int, Tool]:
        """Find out, or decide, what becomes of each. What the model is told of those that are not run is settled.

        Returns:
            Those that are run again.
        Raises:
            EffectInDoubt: That is to end the agent.
            Cancelled: The agent was cancelled meanwhile.
        """
        open_ones: dict[int, Tool] = {}
        for index in self._effects.begun:
            tool = self._agent.tools.get(self._calls[index].name)
            if tool is None:
                self._tell(index)
            elif effect_of(tool) is Effect.IDEMPOTENT:
                self._again[index] = tool
            else:
                open_ones[index] = tool
        self._reconcile({index: tool for index, tool in open_ones.items() if _reconcile_of(tool) is not None})
        left = {
            index: tool for index, tool in open_ones.items() if not (index in self._again or self._effects.knows(index))
        }
        if left and self._ledger.in_doubt == InDoubt.FAIL:
            raise self._error(next(iter(left)))
        approved = self._approved(left) if left and self._ledger.in_doubt == InDoubt.ASK else ()
        for index, tool in left.items():
            if index in approved:
                self._again[index] = tool
            else:
                self._tell(index)
        return self._again

    def _reconcile(self, tools: Mapping[int, Tool]) -> None:
        """Ask the tools themselves, all at the same time."""
        if not tools:
            return
        jobs = [(self._look(index, tool), tool.timeout) for index, tool in tools.items()]
        names = [f"{self._calls[index].name} (reconcile)" for index in tools]
        ends = self._agent._context.run_tools(jobs, names)
        for (index, tool), end in zip(tools.items(), ends, strict=True):
            if end.abandoned or end.error is not None:
                why = "it took too long" if end.error is None else f"{type(end.error).__name__}: {text_of(end.error)}"
                logger.warning("reconcile of {} cannot tell: {}", shown(self._calls[index].name), shown(why, 500))
            elif end.result is None:
                self._again[index] = tool
            else:
                self._answer(index, end.result)

    def _look(self, index: int, tool: Tool) -> Callable[[CancelToken], ToolResult | None]:
        reconcile, call = _reconcile_of(tool), self._calls[index]
        key = self._ledger.effect_key(self._effects.path(index))

        def look(_: CancelToken) -> ToolResult | None:
            assert reconcile is not None  # it was looked for
            value = reconcile(key, dict(call.input))
            return None if value is None else _as_result(value)

        return look

    def _approved(self, tools: Mapping[int, Tool]) -> set[int]:
        known = self._effects.decisions(tools, again=True)
        asking = {index: (self._calls[index], tool) for index, tool in tools.items() if index not in known}
        if asking:
            known |= self._gate.approve_again(asking, partial(self._effects.enter_decision, again=True))
        return {index for index, decision in known.items() if decision.approved}

    def _tell(self, index: int) -> None:
        name, key = self._calls[index].name, self._ledger.effect_key(self._effects.path(index))
        text = (
            f"{name} was interrupted: it may or may not have been done, and nobody knows. Its effect key is {key}. "
            "Do not simply call it again: first find out whether it was done, or say in your answer that it is open."
        )
        self._answer(index, ToolResult(text, is_error=True))

    def _answer(self, index: int, result: ToolResult) -> None:
        self._effects.charge_begun(index)
        self._effects.settle(index, result, Effect.AT_MOST_ONCE, ran=True)

    def _error(self, index: int) -> EffectInDoubt:
        path = self._effects.path(index)
        return in_doubt(self._agent, self._ledger, path, f"the call of {self._calls[index].name}")


def in_doubt(agent: Agent[Any], ledger: Ledger, path: str, what: str, why: str = "") -> EffectInDoubt:
    """What says that nobody knows whether *what*, at *path*, was done."""
    key, effect_key = agent.key or "", ledger.effect_key(path)
    why = why or "was begun and interrupted: it may or may not have been done"
    message = (
        f"{what} ({path} of {key or agent._context.label}) {why}. Its effect key is {effect_key}: look whether it was "
        "done; a reconcile function can do so the next time"
    )
    return EffectInDoubt(message, key=key, path=path, effect_key=effect_key)


def _reconcile_of(tool: Tool) -> Callable[[str, Mapping[str, Any]], Any] | None:
    found: Callable[[str, Mapping[str, Any]], Any] | None = getattr(tool, "reconcile", None)
    return found


def _as_result(value: Any) -> ToolResult:
    result = value if isinstance(value, ToolResult) else ToolResult(said(value))
    if not is_told(result.content):
        raise TypeError("it gave no result with a text")
    return result
