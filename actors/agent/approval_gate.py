"""Asks for approval on behalf of one agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.crash import text_of
from ..core.scheduling.approval import Decision
from .approval_rules import ApprovalDefault, ApprovalRule, check
from .events import ApprovalDecided, ApprovalRequested
from .ports import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..core.records.conversation import ToolCall
    from ..core.scheduling.approval import Question
    from .agent import Agent
    from .ports import Tool


class ApprovalGate:
    """Which calls of an agent need somebody's approval, and whether it was given."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent

    def refusals(self, calls: Mapping[int, tuple[ToolCall, Tool]]) -> dict[int, ToolResult]:
        """Ask for approval of all *calls* that need it, at the same time, and wait for the answers, parked.

        Returns:
            What the model is told of those that may not be made.
        Raises:
            Cancelled: The agent was cancelled while it waited.
        """
        rules = self._agent.manifest.approval
        needed: dict[int, ApprovalRule] = {}
        for index, (call, tool) in calls.items():
            own: ApprovalRule | None = getattr(tool, "approval", None)
            if not isinstance(own, ApprovalRule | None):
                raise TypeError(f"approval of the tool {call.name} must be an ApprovalRule or None, not {own!r}")
            general = rules.rule_for(call.name) if rules.tools else None
            rule = own & general if own is not None and general is not None else own or general
            if rule is not None:
                needed[index] = rule
        if not needed:
            return {}
        # Nobody is asked about a call that would fail anyway.
        refused = {index: _refused(*calls[index]) for index in needed}
        found = {index: result for index, result in refused.items() if result is not None}
        asking = {index: calls[index][0] for index in needed if index not in found}
        if not asking:
            return found
        return found | self._answers(asking, needed)

    def _answers(self, calls: Mapping[int, ToolCall], rules: Mapping[int, ApprovalRule]) -> dict[int, ToolResult]:
        context = self._agent._context
        questions: dict[int, Question] = {}
        for index, call in calls.items():
            default = Decision(rules[index].default is ApprovalDefault.APPROVE, by_default=True)
            questions[index] = context.ask_approval(call.id, call.name, call.input, rules[index].timeout, default)
        if context.listening:
            for index, question in questions.items():
                context.emit(ApprovalRequested, _requested(question, rules[index]))
        context.await_approvals(list(questions.values()))
        found = {}
        for index, question in questions.items():
            decision = question.decision or question.default
            if context.listening:
                context.emit(ApprovalDecided, _decided(question, decision))
            if not decision.approved:
                found[index] = ToolResult(_in_words(calls[index], decision, rules[index].timeout), is_error=True)
        return found


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
