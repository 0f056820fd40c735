"""A tracer that fails, wherever it does: agents go on, and no span is left open or current."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from actors import FunctionDriver, OpenTelemetry, Overloaded, SpawnConfig, ToolRegistry, tool

from .spans import BOT, DONE, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from actors import AgentPool, CompletionRequest, CompletionResponse

    from .spans import Recorder

PLACES = ("start_span", "is_recording", "set_attribute", "set_status", "add_event", "end")


class Broken(trace.TracerProvider, trace.Tracer):
    """A tracer of which one method fails: at the *nth* call, or at each (0).

    Locks: none; one agent at a time uses it.
    """

    def __init__(self, place: str, nth: int) -> None:
        self.place = place
        self.nth = nth
        self.calls = 0
        self.started: list[BrokenSpan] = []

    def hit(self, place: str) -> None:
        """*place* was called."""
        if place == self.place:
            self.calls += 1
            if self.nth in (0, self.calls):
                raise RuntimeError(f"no {place}")

    @property
    def has_failed(self) -> bool:
        """Was it called so often?"""
        return self.calls >= max(self.nth, 1)

    def get_tracer(self, *_: object, **__: object) -> Broken:
        return self

    def start_span(self, name: str, *_: object, **__: object) -> BrokenSpan:  # type: ignore[override]
        self.hit("start_span")
        self.started.append(span := BrokenSpan(self, name))
        return span

    start_as_current_span = None  # type: ignore[assignment]


class BrokenSpan(trace.NonRecordingSpan):
    """A span of it, and which one was current when it began."""

    def __init__(self, tracer: Broken, name: str) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name = name
        self.ends = 0
        self.above = trace.get_current_span()
        self._tracer = tracer

    def is_recording(self) -> bool:
        self._tracer.hit("is_recording")
        return True

    def set_attribute(self, *_: object) -> None:
        self._tracer.hit("set_attribute")

    def set_status(self, *_: object) -> None:
        self._tracer.hit("set_status")

    def add_event(self, *_: object) -> None:
        self._tracer.hit("add_event")

    def end(self, end_time: int | None = None) -> None:
        self.ends += 1
        self._tracer.hit("end")


@pytest.mark.parametrize("nth", range(7))
@pytest.mark.parametrize("place", PLACES)
def test_a_method_that_fails_harms_one_span(
    make_pool: Callable[..., AgentPool], log_lines: list[str], place: str, nth: int
) -> None:
    """The others are below the agent's, each ends once, none stays current after its block; it is reported once."""
    asked: list[int] = []

    @tool
    def look() -> str:
        """Look."""
        return "seen"

    def answer(_: CompletionRequest) -> CompletionResponse:
        asked.append(1)
        if len(asked) == 1:
            raise Overloaded("full")
        return calls("look") if len(asked) == 2 else DONE

    driver = FunctionDriver(answer)
    driver.backoff_share = 0.0  # type: ignore[attr-defined]  # nobody is worn out
    tracer = Broken(place, nth)
    pool = make_pool(driver, 1, tools=ToolRegistry([look]), tracing=OpenTelemetry(tracer, with_content=True))
    assert pool.spawn(SpawnConfig(BOT, "go")).result().text == "done"
    assert [span.ends for span in tracer.started] == [1] * len(tracer.started)
    began = [span for span in tracer.started if span.name == "invoke_agent bot"]
    for span in tracer.started:
        if span not in began:  # where the agent's could not be entered, they are below nobody's
            assert getattr(span.above, "name", None) in ("invoke_agent bot", None)
    assert sum("the tracing of a pool failed;" in line for line in log_lines) == tracer.has_failed


@pytest.mark.process
def test_a_forked_child_ends_no_span_of_its_parent(recorder: Recorder, traced: Callable[..., AgentPool]) -> None:
    """An agent that forks goes on in both: its spans are the parent's, and are told once."""
    reading, writing = os.pipe()

    class Names(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            os.write(writing, "".join(f"{span.name}\n" for span in spans).encode())
            return SpanExportResult.SUCCESS

    def forks() -> None:
        if child := os.fork():
            os.waitpid(child, 0)

    recorder.provider.add_span_processor(SimpleSpanProcessor(Names()))
    try:
        assert traced().submit(forks).outcome().ok
    finally:
        os.close(writing)
        told = os.read(reading, 1_000)
        os.close(reading)
    assert told == b"invoke_agent forks\n"
