"""Runs the tool calls of one answer: checked in order, run at the same time, answered in the order asked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...core.clock import SYSTEM_CLOCK
from ...core.crash import text_of
from ...core.records.content import is_told
from ...core.records.conversation import ToolResultMessage
from ...core.records.told import told_value
from ...core.supervision.inline_call import ToolEnd
from ...core.tracing import ToolEnding, TracedTool
from ...errors import Cancelled, ToolFailed
from ..effects import is_repeatable
from ..events import ToolEnded, ToolStarted
from ..guard import ALLOW
from ..ports import PrivacyTier, ToolResult
from ..terms.capability import Browser, Network, capability_matches
from ..terms.message_text import told_content
from ..terms.shortened import shortened
from .approval_gate import ApprovalGate
from .doubts import Doubts
from .driver_call import warn
from .tool_effects import ONE_CALL, ToolEffects

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ...core.records.conversation import ToolCall
    from ...core.supervision.agent_spans import AgentSpans
    from ...core.supervision.inline_call import InlineCall
    from ...core.waiting.cancel import CancelToken
    from ..agent import Agent
    from ..guard import LoopGuard
    from ..ports import Tool
    from .bookkeeper import Bookkeeper
    from .inspector import Inspector

    Job = tuple[Callable[[CancelToken], ToolResult], float | None]
    Calling = Generator[InlineCall, ToolEnd, list[ToolResultMessage]]

LONGEST_LIST = 2_000
"""Characters of the names of all tools, where the model named one that is not there."""
LONGEST_SHOWN = 200
"""Characters of a name that the model made up."""


class ToolCaller:
    """Acts on behalf of one agent.

    Args:
        books: What the conversation has done in earlier lives; None when nobody keeps it.
        inspector: Asks the guardrails; None when there are none.
    """

    def __init__(
        self,
        agent: Agent[Any],
        guard: LoopGuard,
        books: Bookkeeper | None = None,
        inspector: Inspector | None = None,
    ) -> None:
        self._agent = agent
        self._guard = guard
        self._books = books
        self._inspector = inspector
        self._tells_content = agent._context.tells_content
        self._is_traced = agent._context.spans is not None
        self._approval_gate = ApprovalGate(agent)
        self.made: Sequence[ToolCall] = ()
        """The last calls, as they were made: guardrails may have changed them."""

    def call(self, calls: Sequence[ToolCall]) -> Calling:
        """Run *calls* at the same time, as the guardrails let them; those that were run in an earlier life are not run
        again. A plain one that is run alone is yielded, for whoever does these steps.

        Returns:
            A result for each, in the order asked. What is refused or fails is an error result for the model.
        Raises:
            CircuitBreak: Too many tool calls.
            Cancelled: The agent was cancelled; no further call was started.
            GuardrailTripped: A guardrail ends the agent.
            EffectInDoubt: Nobody knows whether one of them was done, and that is to end the agent.
            JournalFailed: What they do cannot be recorded.
        """
        refusals: dict[int, ToolResult] = {}
        self.made = calls
        if self._inspector is None:
            return (yield from self._call(calls, refusals))
        self.made, refusals = self._inspector.before_tools(calls)
        results = yield from self._call(self.made, refusals)
        return self._inspector.after_tools(self.made, results, refusals)

    def _call(self, calls: Sequence[ToolCall], refusals: dict[int, ToolResult]) -> Calling:
        """Run *calls* but those of *refusals*, to which goes what else is not run."""
        if len(calls) == 1 and self._books is None and not refusals:
            return [(yield from self._call_one(calls[0]))]
        accepted: dict[int, Tool] = {}
        effects = None if self._books is None else self._recall(calls, self._books, accepted)
        known = ""
        for index, call in enumerate(calls):
            if index in refusals or (effects is not None and (index in accepted or effects.knows(index))):
                continue
            tool = self._agent.tools.get(call.name)
            if tool is None:
                refusal: str | None = _unknown(call, known or self._known())
                known = "the tools are named above"
            else:
                refusal = self._refusal(index, call, tool, effects)
            if refusal is None and tool is not None:
                accepted[index] = tool
                continue
            refusals[index] = _refused(call, refusal)
        asking = {index: (calls[index], tool) for index, tool in accepted.items()}
        refusals.update(self._approval_gate.refusals(asking, effects))
        jobs = {
            index: (self._job(index, calls[index], tool, effects), tool.timeout)
            for index, tool in accepted.items()
            if index not in refusals
        }
        if effects is not None:
            effects.refuse(refusals)
        self._charge(len(jobs) if effects is None else effects.uncharged(jobs))
        ends: dict[int, ToolEnd] = {}
        if len(jobs) == 1 and getattr(accepted[index := next(iter(jobs))], "is_plain", False) is True:
            ends[index] = yield self._agent._context.inline_call(*jobs[index], calls[index].name)
        elif jobs:
            names = [calls[index].name for index in jobs]
            ends.update(zip(jobs, self._agent._context.run_tools(list(jobs.values()), names), strict=True))
        if effects is not None:
            return effects.answers(ends)
        results = []
        for index, call in enumerate(calls):
            results.append(_message(call, refusals.get(index) or _result(call, jobs[index][1], ends[index])))
        return results

    def _call_one(self, call: ToolCall) -> Generator[InlineCall, ToolEnd, ToolResultMessage]:
        """As :meth:`_call`, for what nearly every answer asks for: one call, of which nothing is known yet."""
        agent = self._agent
        tool = agent.tools.get(call.name)
        refusal = _unknown(call, self._known()) if tool is None else self._refusal(0, call, tool, None)
        if refusal is not None or tool is None:
            return _message(call, _refused(call, refusal))
        refused = self._approval_gate.refusals({0: (call, tool)}).get(0)
        if refused is not None:
            return _message(call, refused)
        self._charge(1)
        timeout, job = tool.timeout, self._job(0, call, tool, None)
        if getattr(tool, "is_plain", False) is True:
            end = yield agent._context.inline_call(job, timeout, call.name)
        else:
            (end,) = agent._context.run_tools([(job, timeout)], [call.name])
        return _message(call, _result(call, timeout, end))

    def _recall(self, calls: Sequence[ToolCall], books: Bookkeeper, accepted: dict[int, Tool]) -> ToolEffects:
        """What is known of *calls*; into *accepted* with those that were begun and have to be run again."""
        effects = ToolEffects(self._agent, books.ledger, self._guard, books.path, calls)
        effects.recall()
        self._trace_recalled(effects, calls)
        if effects.begun:
            accepted |= Doubts(self._agent, books.ledger, self._approval_gate, effects, calls).settle()
        return effects

    def _trace_recalled(self, effects: ToolEffects, calls: Sequence[ToolCall]) -> None:
        """What was run in an earlier life is a span without length."""
        if (spans := self._agent._context.spans) is None:
            return
        for index, call in enumerate(calls):
            if effects.has_run(index):
                with spans.tool(TracedTool(call.name, call.id, recalled=True, arguments=call.input)) as span:
                    said = effects.answer(index)
                    span.end(ToolEnding(said.is_error, result=said.content))

    def _known(self) -> str:
        """Which tools there are, for a model that named another one."""
        return f"the tools are: {shortened(', '.join(self._agent.tools.names()), LONGEST_LIST) or 'none'}"

    def _charge(self, count: int) -> None:
        """Charge *count* calls; when a budget has not enough for all of them, none is charged, and none is made."""
        if (account := self._agent._parts.account).is_charged:
            warn(self._agent, account.spend(ONE_CALL, count))

    def _refusal(self, index: int, call: ToolCall, tool: Tool, effects: ToolEffects | None) -> str | None:
        """Why *call* is not run; None when it may be."""
        manifest = self._agent.manifest
        required = tool.required_capability
        if required is not None and not capability_matches(manifest.capabilities, required):
            return f"capability denied: {call.name} needs the capability {required.type!r}, which is not granted"
        if manifest.privacy is PrivacyTier.SOVEREIGN and isinstance(required, Network | Browser):
            return f"refused: {call.name} uses the network, and the manifest's privacy is sovereign"
        if effects is None or effects.counts(index):
            verdict = self._guard.check_tool_call(call.name, call.input, repeatable=is_repeatable(tool))
            if verdict is not ALLOW:
                verdict.enforce()
                return verdict.message
        return f"{call.name} was not called: {call.problem}" if call.problem else None

    def _job(
        self, index: int, call: ToolCall, tool: Tool, effects: ToolEffects | None
    ) -> Callable[[CancelToken], ToolResult]:
        agent = self._agent

        def run(cancel: CancelToken) -> ToolResult:
            context = agent._context
            told: dict[str, Any] = {"call_id": call.id, "tool": call.name, "lane": index}
            if self._tells_content:
                told["input"] = told_value(call.input)
            context.emit(ToolStarted, told)
            begin = SYSTEM_CLOCK.monotonic()
            result = error = None
            try:
                if self._is_traced and (spans := context.spans) is not None:
                    result = _in_span(spans, call, partial(tool.execute, call.input, cancel=cancel, agent=agent), judge)
                else:
                    result = tool.execute(call.input, cancel=cancel, agent=agent)
                return result
            except BaseException as raised:
                error = raised
                raise
            finally:
                duration = SYSTEM_CLOCK.monotonic() - begin
                # Whoever reads a result of another kind says what is wrong with it.
                failed = error is not None or getattr(result, "is_error", True)
                told = {"call_id": call.id, "tool": call.name, "is_error": failed, "duration": duration}
                if self._tells_content:
                    told["result"] = told_value(told_content(judge(ToolEnd(result, error, False)).content))
                context.emit(ToolEnded, told)
                del error  # its traceback holds this frame

        def judge(end: ToolEnd) -> ToolResult:
            return _result(call, tool.timeout, end)

        return run if effects is None else effects.job(index, tool, run, judge)


def _unknown(call: ToolCall, known: str) -> str:
    return f"unknown tool {shortened(call.name, LONGEST_SHOWN)!r}; {known}"


def _refused(call: ToolCall, refusal: str | None) -> ToolResult:
    """What is wrong with the call itself is told beside whatever else is."""
    more = f"; {call.problem}" if call.problem and call.problem not in (refusal or "") else ""
    return ToolResult(f"{refusal}{more}", is_error=True)


def _message(call: ToolCall, result: ToolResult) -> ToolResultMessage:
    return ToolResultMessage(call.id, told_content(result.content), result.is_error)


def _in_span(
    spans: AgentSpans, call: ToolCall, execute: Callable[[], ToolResult], judge: Callable[[ToolEnd], ToolResult]
) -> ToolResult:
    """Run *call* in a span of its own. What it raises the model is told as an error, in the words of *judge*."""
    with spans.tool(TracedTool(call.name, call.id, arguments=call.input)) as span:
        end = ToolEnd(None, None, False)
        try:
            result = execute()
            end = ToolEnd(result, None, False)
            return result
        except BaseException as error:
            end = ToolEnd(None, error, False)
            raise
        finally:
            said = judge(end)
            span.end(ToolEnding(said.is_error, end.error, result=said.content))


def _result(call: ToolCall, timeout: float | None, end: ToolEnd) -> ToolResult:
    error = end.error
    if end.abandoned or isinstance(error, Cancelled):
        return ToolResult(f"{call.name} timed out after {timeout} s", is_error=True)
    if isinstance(error, ToolFailed):
        return ToolResult(text_of(error), is_error=True)
    if error is not None:
        return ToolResult(f"{call.name} failed: {type(error).__name__}: {text_of(error)}", is_error=True)
    if not isinstance(end.result, ToolResult) or not is_told(end.result.content):
        return ToolResult(f"{call.name} failed: it gave no result with a text", is_error=True)
    return end.result
