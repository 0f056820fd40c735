"""Asks for approval on behalf of one agent."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ...core.crash import text_of
from ...core.scheduling.approval import Decision
from ..approved_tool import check
from ..events import ApprovalDecided, ApprovalRequested
from ..ports import ToolResult
from ..terms.approval_rules import ApprovalDefault, ApprovalRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...core.records.conversation import ToolCall
    from ...core.scheduling.approval import Question
    from ..agent import Agent
    from ..ports import Tool
    from .tool_effects import ToolEffects

    Decided = Callable[[int, Decision], None]


class ApprovalGate:
    """Which calls of an agent need somebody's approval, and whether it was given."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent

    def refusals(
        self, calls: Mapping[int, tuple[ToolCall, Tool]], effects: ToolEffects | None = None
    ) -> dict[int, ToolResult]:
        """Ask for approval of all *calls* that need it, at the same time, and wait for the answers, parked.

        Args:
            effects: Knows what was decided in an earlier life, and is told what is decided now.
        Returns:
            What the model is told of those that may not be made.
        Raises:
            Cancelled: The agent was cancelled while it waited.
        """
        general = self._agent.manifest.approval.tools
        needed: dict[int, ApprovalRule] = {}
        for index, (call, tool) in calls.items():
            if general or getattr(tool, "approval", None) is not None:
                rule = self._rule(call, tool)
                if rule is not None:
                    needed[index] = rule
        if not needed:
            return {}
        decisions = {} if effects is None else effects.decisions(needed)
        # Nobody is asked about a call that would fail anyway.
        refused = {index: _refused(*calls[index]) for index in needed if index not in decisions}
        found = {index: result for index, result in refused.items() if result is not None}
        asking = {index: calls[index][0] for index in refused if index not in found}
        if asking:
            decisions |= self._ask(asking, needed, None if effects is None else effects.decider())
        for index, decision in decisions.items():
            if not decision.approved:
                words = _in_words(calls[index][0], decision, needed[index].timeout)
                found[index] = ToolResult(words, is_error=True)
        return found

    def approve_again(self, calls: Mapping[int, tuple[ToolCall, Tool]], decided: Decided) -> dict[int, Decision]:
        """Ask whether *calls*, which may have been made already, are to be made again. Nobody's silence does that.

        Raises:
            Cancelled: The agent was cancelled while it waited.
        """
        rules = {index: self._rule(call, tool) or ApprovalRule() for index, (call, tool) in calls.items()}
        rules = {index: replace(rule, default=ApprovalDefault.DENY) for index, rule in rules.items()}
        return self._ask({index: call for index, (call, _) in calls.items()}, rules, decided, in_doubt=True)

    def _rule(self, call: ToolCall, tool: Tool) -> ApprovalRule | None:
        rules = self._agent.manifest.approval
        own: ApprovalRule | None = getattr(tool, "approval", None)
        if not isinstance(own, ApprovalRule | None):
            raise TypeError(f"approval of the tool {call.name} must be an ApprovalRule or None, not {own!r}")
        general = rules.rule_for(call.name) if rules.tools else None
        return own & general if own is not None and general is not None else own or general

    def _ask(
        self,
        calls: Mapping[int, ToolCall],
        rules: Mapping[int, ApprovalRule],
        decided: Decided | None,
        *,
        in_doubt: bool = False,
    ) -> dict[int, Decision]:
        context = self._agent._context
        questions: dict[int, Question] = {}
        for index, call in calls.items():
            default = Decision(rules[index].default is ApprovalDefault.APPROVE, by_default=True)
            questions[index] = context.ask_approval(
                call.id, call.name, call.input, rules[index].timeout, default, in_doubt=in_doubt
            )
        if context.listening:
            for index, question in questions.items():
                context.emit(ApprovalRequested, _requested(question, rules[index]))
        spans = context.spans
        if spans is not None:
            for call in calls.values():
                spans.happened("approval_requested", {"tool": call.name, "call_id": call.id})
        told = (
            None if decided is None else partial(_tell, decided, {id(one): index for index, one in questions.items()})
        )
        context.await_approvals(list(questions.values()), told)
        decisions = {index: question.decision or question.default for index, question in questions.items()}
        if context.listening:
            for index, decision in decisions.items():
                context.emit(ApprovalDecided, _decided(questions[index], decision))
        if spans is not None:
            for index, decision in decisions.items():
                asked, yes = questions[index].asked, decision.approved
                spans.happened("approval_decided", {"tool": asked.tool, "call_id": asked.call_id, "approved": yes})
        return decisions


def _tell(decided: Decided, indices: Mapping[int, int], question: Question) -> None:
    decided(indices[id(question)], question.decision or question.default)


def _refused(call: ToolCall, tool: Tool) -> ToolResult | None:
    try:
        return check(tool, call.input)
    except Exception as error:  # noqa: BLE001 - what a tool raises is an error for the model
        return ToolResult(f"{call.name} failed: {type(error).__name__}: {text_of(error)}", is_error=True)


def _requested(question: Question, rule: ApprovalRule) -> dict[str, Any]:
    asked = question.asked
    return {
        "call_id": asked.call_id,
        "tool": asked.tool,
        "input": dict(asked.input),
        "timeout": rule.timeout,
        "default": rule.default.value,
        "in_doubt": asked.in_doubt,
    }


def _decided(question: Question, decision: Decision) -> dict[str, Any]:
    return {
        "call_id": question.asked.call_id,
        "tool": question.asked.tool,
        "approved": decision.approved,
        "reason": decision.reason,
        "by_default": decision.by_default,
    }


def _in_words(call: ToolCall, decision: Decision, timeout: float | None) -> str:
    if decision.by_default:
        return f"{call.name} was not called: nobody approved it within {timeout:g} s"
    return f"{call.name} was not called: it was denied{': ' * bool(decision.reason)}{decision.reason}"
