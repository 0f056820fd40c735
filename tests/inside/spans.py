"""Spans as an exporter gets them, kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors import AgentManifest, CompletionResponse, OpenTelemetry, StopReason, TokenUsage, ToolCall

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

BOT = AgentManifest(name="bot", privacy="standard")
USAGE = TokenUsage(10, 5)
DONE = CompletionResponse("done", usage=USAGE)


def calls(*names: str, **arguments: Any) -> CompletionResponse:
    """An answer that asks for those tools."""
    asked = tuple(ToolCall(f"c{number}", name, arguments) for number, name in enumerate(names))
    return CompletionResponse(tool_calls=asked, stop_reason=StopReason.TOOL_USE, usage=USAGE)


class Recorder:
    """A provider whose spans are kept, and what they say."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = self.provider.get_tracer("a program")

    def tracing(self, **options: Any) -> OpenTelemetry:
        """What a pool is given."""
        return OpenTelemetry(self.provider, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in order of their ends."""
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of that name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The one of that name."""
        (span,) = self.named(name)
        return span

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the root down to *span*, all of one trace."""
        by_id = {one.context.span_id: one for one in self.spans if one.context is not None}
        names = [span.name]
        while span.parent is not None:
            assert span.context is not None
            assert span.parent.trace_id == span.context.trace_id
            span = by_id[span.parent.span_id]
            names.insert(0, span.name)
        return names


def said(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of *span*."""
    return dict(span.attributes or {})


def events(span: ReadableSpan) -> list[str]:
    """The names of its events, in order."""
    return [event.name for event in span.events]


def is_error(span: ReadableSpan) -> bool:
    """Has it the status ERROR? Then it says why; any other says nothing."""
    found = span.status.status_code.name
    assert found in ("ERROR", "UNSET")
    return found == "ERROR"
