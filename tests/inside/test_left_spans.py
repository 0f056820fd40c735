"""Spans of an agent that leaves its thread behind with a tool call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from actors import AgentPool, CompletionResponse, FunctionDriver, LlmAgent, SpawnConfig, ToolRegistry, tool

from ..waiting import Gate, eventually
from .spans import BOT, DONE, Recorder, calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import CompletionRequest


@pytest.mark.parametrize("is_late", [True, False])
def test_an_agent_goes_on_in_its_span_in_another_thread(
    traced: Callable[..., AgentPool], recorder: Recorder, caplog: pytest.LogCaptureFixture, *, is_late: bool
) -> None:
    """What the tool still does is below its own span; the next completion, and ``on_end``, are below the agent's."""
    gate, threads = Gate(), list[int]()

    @tool(timeout=0.05 if is_late else 10.0)
    def look() -> str:
        """Look."""
        threads.append(threading.get_ident())
        if is_late:
            gate.arrive()
        with recorder.tracer.start_as_current_span("inside the tool"):
            return "seen"

    def answer(request: CompletionRequest) -> CompletionResponse:
        threads.append(threading.get_ident())
        with recorder.tracer.start_as_current_span("inside the model"):
            return calls("look") if len(request.messages) == 1 else DONE

    class Bot(LlmAgent):
        def on_end(self, outcome: Any) -> None:
            with recorder.tracer.start_as_current_span("at the end"):
                pass

    pool = traced(FunctionDriver(answer), tools=ToolRegistry([look]))
    assert pool.spawn(SpawnConfig(BOT, "go", agent=Bot)).outcome().ok
    gate.open()
    eventually(lambda: len(recorder.named("inside the tool")) == 1 and pool.stats().abandoned_threads == 0)
    paths = [recorder.path(span) for span in recorder.named("inside the model")]
    assert paths == [["invoke_agent bot", "chat", "inside the model"]] * 2
    assert recorder.path(recorder.one("at the end")) == ["invoke_agent bot", "at the end"]
    inside = ["invoke_agent bot", "execute_tool look", "inside the tool"]
    assert recorder.path(recorder.one("inside the tool")) == inside
    assert (threads[0] == threads[1], threads[1] == threads[2]) == (True, not is_late)
    assert caplog.text == ""
