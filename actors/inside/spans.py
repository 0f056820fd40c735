"""Spans of OpenTelemetry. The one module that imports it, when an ``OpenTelemetry`` is made."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Self

from ..core.crash import text_of
from ..core.records.outcome import AgentStatus
from ..core.shown import shown
from ..core.supervision.arguments import yes_or_no
from ..errors import AgentCancelled, AgentCrashed, Cancelled
from ..extras import need
from . import conventions as names
from .span_content import as_json, asked_of_agent, clean, content_text, input_messages, output_messages, said_by_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token
    from typing import TypeAlias

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

    from ..core.tracing import (
        AgentEnding,
        CompletionEnding,
        Ending,
        Facts,
        ToolEnding,
        TracedAgent,
        TracedCompletion,
        TracedTool,
    )

    Value: TypeAlias = str | int | float | bool | list[str]

SCOPE: Final = "actors"
LONGEST_NAME: Final = 200
"""Characters of a span's name, some words in it a model's."""
LONGEST_ERROR: Final = 1_000
FAULTS: Final = frozenset(
    {AgentStatus.FAILED, AgentStatus.CRASHED, AgentStatus.TIMED_OUT, AgentStatus.ABANDONED, AgentStatus.LOST}
)
"""Outcomes that are errors. A cancel is none: somebody wanted it."""


class OpenTelemetry:
    """Spans of agents, completions and tool calls, by OpenTelemetry's conventions: ``AgentPool(tracing=...)``.

    It needs ``opentelemetry-api`` alone (the extra ``otel``). An agent that begins before an SDK is set up has no
    spans, and costs a microsecond more. No provider, exporter or resource is made or set here: that is the program's.

    Example:
        ```python
        from actors import AgentPool
        from actors.monitoring import OpenTelemetry

        with AgentPool("echo", tracing=OpenTelemetry()) as pool:
            ...
        ```

    The current span of whoever starts an agent is the parent of its span; what runs inside an agent, a completion or a
    tool call, in whatever thread or on the private loop, finds that span as the current one.

    Guarantees: no text of a prompt, an answer, an argument or a result goes out without *with_content*, unless the
    words of an error quote it: those are the description of its status.

    Args:
        tracer_provider: Where spans go; None takes the one that is set for the process, also one that is set later.
        with_content: Are prompts, answers, arguments and results in the spans? They may be private.

    Raises:
        ImportError: ``opentelemetry-api`` is not installed.
        TypeError: *tracer_provider* is none, or *with_content* is neither True nor False.

    Locks: none; nothing changes. Threads: any.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None, with_content: bool = False) -> None:
        yes_or_no(with_content=with_content)
        if tracer_provider is not None and not callable(getattr(tracer_provider, "get_tracer", None)):
            raise TypeError(f"tracer_provider must be a TracerProvider or None, got {tracer_provider!r}")
        self._trace: Any = need("opentelemetry.trace", "otel", type(self).__name__)
        self._context: Any = need("opentelemetry.context", "otel", type(self).__name__)
        self._with_content = with_content
        self._silent = (self._trace.ProxyTracerProvider, self._trace.NoOpTracerProvider)
        # One that looks for the process's own may have been given, too.
        self._given = None if isinstance(tracer_provider, self._trace.ProxyTracerProvider) else tracer_provider
        # Without a provider it is one that looks for the process's own, as long as there is none.
        self._tracer = self._trace.get_tracer(SCOPE, tracer_provider=tracer_provider)

    def is_recording(self) -> bool:
        """Is there an SDK? Without one the API makes no spans, and all that could be told of them is left out."""
        provider = self._trace.get_tracer_provider() if self._given is None else self._given
        return type(provider) not in self._silent

    def agent(self, agent: TracedAgent) -> AgentSpan:
        """A span ``invoke_agent NAME``.

        Args:
            agent: Whose it is.
        """
        known: dict[str, Value | None] = {
            names.OPERATION: names.INVOKE_AGENT,
            names.PROVIDER: _provider(agent.provider),
            names.AGENT_NAME: agent.name,
            names.AGENT_VERSION: agent.version,
            names.AGENT_DESCRIPTION: agent.description,
            names.MODEL: agent.model,
            names.CONVERSATION: agent.session,
            names.AGENT_ID: agent.agent_id,
            names.KEY: agent.key,
            names.GROUP: None if agent.group is None else text_of(agent.group),
            names.QUEUED: agent.queued_seconds,
        }
        content = {names.INPUT_MESSAGES: lambda: asked_of_agent(agent.query)} if self._with_content else None
        return AgentSpan(self, f"{names.INVOKE_AGENT} {agent.name}", self._trace.SpanKind.INTERNAL, known, content)

    def completion(self, completion: TracedCompletion) -> CompletionSpan:
        """A span ``chat MODEL``.

        Args:
            completion: What is asked for.
        """
        known: dict[str, Value | None] = {
            names.OPERATION: names.CHAT,
            names.PROVIDER: _provider(completion.provider),
            names.MODEL: completion.model or None,
            names.MAX_TOKENS: completion.max_tokens,
            names.TEMPERATURE: completion.temperature,
            names.ATTEMPT: completion.attempt,
            names.RECALLED: completion.recalled,
        }
        name = f"{names.CHAT} {completion.model}".strip()
        content = None
        if self._with_content:
            content = {names.INPUT_MESSAGES: lambda: input_messages(completion.system, completion.messages)}
        return CompletionSpan(self, name, self._trace.SpanKind.CLIENT, known, content)

    def tool(self, tool: TracedTool) -> ToolSpan:
        """A span ``execute_tool NAME``.

        Args:
            tool: The call.
        """
        known: dict[str, Value | None] = {
            names.OPERATION: names.EXECUTE_TOOL,
            names.TOOL_NAME: tool.name,
            names.TOOL_TYPE: names.FUNCTION,
            names.CALL_ID: tool.call_id or None,
            names.RECALLED: tool.recalled,
        }
        content = {names.ARGUMENTS: lambda: as_json(tool.arguments)} if self._with_content else None
        return ToolSpan(self, f"{names.EXECUTE_TOOL} {tool.name}", self._trace.SpanKind.INTERNAL, known, content)

    # What its spans do with the API -----------------------------------------------------------------------------

    def start(self, name: str, kind: Any, known: Mapping[str, Value], at: int | None) -> Span:
        """Begin a span below the current one, at *at* (nanoseconds), or now.

        Args:
            name: Of the span.
            kind: As OpenTelemetry has it.
            known: Its attributes.
        """
        span: Span = self._tracer.start_span(name, kind=kind, attributes=known, start_time=at)
        return span

    def enter(self, span: Span) -> Token[Context]:
        """Make *span* the current one."""
        token: Token[Context] = self._context.attach(self._trace.set_span_in_context(span))
        return token

    def leave(self, token: Token[Context]) -> None:
        """The one before is the current one again.

        Args:
            token: What entering it has returned.
        """
        self._context.detach(token)

    def fail(self, span: Span, error: BaseException | None) -> None:
        """*span* is an error."""
        words = None if error is None else clean(shown(text_of(error), LONGEST_ERROR))
        span.set_status(self._trace.StatusCode.ERROR, words)


class OpenSpan:
    """One span: current in its block, ended when it is told how.

    Args:
        known: Attributes; None leaves one out.
        content: What is private, made only where it is recorded; None where it may not go out.

    Locks: none. ``_span`` and ``_token`` are written by the thread that enters it, before anybody else has it.
    """

    __slots__ = ("_content", "_kind", "_known", "_name", "_of", "_span", "_start", "_token")

    def __init__(
        self,
        of: OpenTelemetry,
        name: str,
        kind: Any,
        known: dict[str, Value | None],
        content: dict[str, Callable[[], str]] | None,
    ) -> None:
        self._of = of
        self._name = name
        self._kind = kind
        self._known = known
        self._span: Span | None = None
        self._start: int | None = time_ns() if known.get(names.RECALLED) else None
        self._token: Token[Context] | None = None
        self._content = content

    def __enter__(self) -> Self:
        of, known = self._of, self._known
        self._span = span = of.start(shown(self._name, LONGEST_NAME), self._kind, _written(known), self._start)
        try:
            self._token = of.enter(span)
            if self._content is not None and span.is_recording():
                for name, make in self._content.items():
                    span.set_attribute(name, make())
        except BaseException:  # nobody leaves or ends what could not be entered
            self.__exit__()
            self._span = None
            span.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            self._of.leave(token)

    def happened(self, what: str, facts: Facts) -> None:
        """An event of the span, ``actors.parked`` for instance."""
        if (span := self._span) is not None and span.is_recording():
            told = {f"actors.{name}": value for name, value in facts.items()}
            span.add_event(f"actors.{what}", _written(told))

    def ended(self, ending: Ending) -> None:
        """How it ended, and that it did."""
        span = self._span
        if span is None:
            return
        try:
            if span.is_recording():
                for name, value in _written(self._told(ending)).items():
                    span.set_attribute(name, value)
                if self._is_fault(ending):
                    self._of.fail(span, ending.error)
        finally:  # a span that is not ended is lost
            span.end(self._start)  # None: now

    def _told(self, ending: Any) -> dict[str, Value | None]:
        """What is known of it now."""
        return {names.ERROR_TYPE: _type_of(ending.error)}

    def _is_fault(self, ending: Any) -> bool:
        """Is it an error of the span?"""
        raise NotImplementedError


class AgentSpan(OpenSpan):
    """The span of an agent, all its lives together."""

    __slots__ = ()

    def _told(self, ending: AgentEnding) -> dict[str, Value | None]:
        told = super()._told(ending) | {names.OUTCOME: ending.outcome, names.RESTARTS: ending.restarts}
        if self._content is not None and ending.outcome == AgentStatus.COMPLETED:
            told[names.OUTPUT_MESSAGES] = said_by_agent(ending.result)
        return told

    def _is_fault(self, ending: AgentEnding) -> bool:
        return ending.outcome in FAULTS

    def ended(self, ending: Any) -> None:
        """As any; that it is recalled is an event: the conventions' table has no attribute for it."""
        try:
            if ending.recalled:
                self.happened("recalled", {})
        finally:
            super().ended(ending)


class CompletionSpan(OpenSpan):
    """The span of one call of a driver."""

    __slots__ = ()

    def _told(self, ending: CompletionEnding) -> dict[str, Value | None]:
        told = super()._told(ending) | {
            names.FINISH_REASONS: None if ending.stop_reason is None else [clean(ending.stop_reason)],
            names.INPUT_TOKENS: ending.input_tokens,
            names.OUTPUT_TOKENS: ending.output_tokens,
            names.COST: ending.cost_usd,
        }
        if self._content is not None and ending.response is not None:
            told[names.OUTPUT_MESSAGES] = output_messages(ending.response)
        return told

    def _is_fault(self, ending: CompletionEnding) -> bool:
        return (ending.error is not None or ending.left_behind) and not _is_cancel(ending.error)


class ToolSpan(OpenSpan):
    """The span of one call of a tool. What the model is told is no error of the span, whatever it says."""

    __slots__ = ()

    def _told(self, ending: ToolEnding) -> dict[str, Value | None]:
        told = super()._told(ending) | {names.IS_ERROR: ending.is_error}
        if self._content is not None and ending.result is not None:
            told[names.RESULT] = content_text(ending.result)
        return told

    def _is_fault(self, ending: ToolEnding) -> bool:
        return ending.left_behind and not _is_cancel(ending.error)


def _is_cancel(error: BaseException | None) -> bool:
    """Did somebody want it to end?"""
    return isinstance(error, AgentCancelled) or (isinstance(error, Cancelled) and not error.timed_out)


def _type_of(error: BaseException | None) -> str | None:
    """The class of *error*, of a crash that of what was raised; None for a cancel."""
    if error is None or _is_cancel(error):
        return None
    return error.type_name if isinstance(error, AgentCrashed) else type(error).__name__


def _provider(word: str | None) -> str | None:
    return None if word is None else names.PROVIDERS.get(word, word)


def _written(known: Mapping[str, Value | None]) -> dict[str, Value]:
    """*known*, without what is not, as an exporter can write it."""
    return {
        name: clean(value) if isinstance(value, str) else value for name, value in known.items() if value is not None
    }
