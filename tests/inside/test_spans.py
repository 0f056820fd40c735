"""Spans of a pool: whose child each is, how it ends, and what it says."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    CompletionResponse,
    Deps,
    FunctionDriver,
    Handoff,
    OpenTelemetry,
    Overloaded,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    ToolCall,
    ToolFailed,
    ToolRegistry,
    tool,
)
from actors.core.process import event_loop
from actors.drivers.base import Driver

from ..agent.staff import Staff, member
from ..waiting import Gate, eventually
from .spans import BOT, DONE, Recorder, calls, events, is_error, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import CancelToken, CompletionRequest

# Whose child each is --------------------------------------------------------------------------------------------


def test_children_nest_below_the_tools_that_start_them(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Request > agent > tool > the agent that the tool asks > its completion and tools."""

    @tool
    def look() -> str:
        """Look."""
        with recorder.tracer.start_as_current_span("inside the tool"):
            return "seen"

    staff = Staff(boss=[calls("agent_clerk", query="look"), "done"], clerk=[calls("look"), "seen"])
    manifest = member("boss", agents=[{"name": "clerk", "manifest": member("clerk")}])
    pool = traced(staff.driver, tools=ToolRegistry([look]))
    with recorder.tracer.start_as_current_span("request"):
        assert pool.spawn(SpawnConfig(manifest, "go")).outcome().ok
    above = ["request", "invoke_agent boss", "execute_tool agent_clerk", "invoke_agent clerk"]
    assert recorder.path(recorder.one("inside the tool")) == [*above, "execute_tool look", "inside the tool"]
    below = {tuple(recorder.path(span)) for span in recorder.spans if span.name.startswith("chat")}
    assert below == {("request", "invoke_agent boss", "chat"), (*above, "chat")}


def test_parallel_tools_stand_beside_one_another(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Both are open at the same time, below the agent, and what each does is below its own."""
    both = threading.Barrier(2, timeout=10)

    @tool
    def meet(name: str) -> str:
        """Meet."""
        both.wait()
        with recorder.tracer.start_as_current_span(f"of {name}"):
            return name

    answer = CompletionResponse(
        tool_calls=(ToolCall("a", "meet", {"name": "a"}), ToolCall("b", "meet", {"name": "b"})),
        stop_reason=StopReason.TOOL_USE,
    )
    pool = traced(ScriptedDriver([answer, DONE]), tools=ToolRegistry([meet]))
    assert pool.spawn(SpawnConfig(BOT, "go")).outcome().ok
    by_call = {said(span)["gen_ai.tool.call.id"]: span for span in recorder.named("execute_tool meet")}
    assert sorted(by_call) == ["a", "b"]
    for name, span in by_call.items():
        inner = recorder.one(f"of {name}")
        assert inner.parent is not None
        assert span.context is not None
        assert inner.parent.span_id == span.context.span_id
        assert recorder.path(span) == ["invoke_agent bot", "execute_tool meet"]


class OnTheLoop(Driver):
    """Asks on the private loop, where an instrumented client makes a span; then calls an async tool."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        async def post() -> CompletionResponse:
            with self._recorder.tracer.start_as_current_span("POST"):
                await asyncio.sleep(0)
                return DONE if len(request.messages) > 1 else calls("later")

        return event_loop.run(post(), cancel)


def test_what_runs_on_a_private_loop_is_below_the_call(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """HTTP of a driver below its completion, what an async tool does below its call."""

    @tool
    async def later() -> str:
        """Later."""
        with recorder.tracer.start_as_current_span("awaited"):
            await asyncio.sleep(0)
            return "now"

    pool = traced(OnTheLoop(recorder), tools=ToolRegistry([later]))
    assert pool.spawn(SpawnConfig(BOT, "go")).outcome().ok
    assert recorder.path(recorder.one("awaited")) == ["invoke_agent bot", "execute_tool later", "awaited"]
    assert [recorder.path(span) for span in recorder.named("POST")] == [["invoke_agent bot", "chat", "POST"]] * 2


def test_functions_maps_and_plain_agents_are_below_whoever_starts_them(
    traced: Callable[..., AgentPool], recorder: Recorder
) -> None:
    """The current span of the caller; of a map, of whoever iterates; of an async one, of its task."""

    class Plain(Agent[int]):
        def run(self, query: Any) -> int:
            with recorder.tracer.start_as_current_span("work"):
                return int(query)

    def named() -> int:
        return 3

    pool = traced()
    with recorder.tracer.start_as_current_span("submits"):
        assert pool.submit(named).result() == 3
    with recorder.tracer.start_as_current_span("maps"):
        assert [one.result for one in pool.map(SpawnConfig(BOT, n, agent=Plain) for n in range(40))] == [*range(40)]

    async def run() -> list[int]:
        with recorder.tracer.start_as_current_span("awaits"):
            configs = [SpawnConfig(BOT, n, agent=Plain) for n in range(40)]
            return [one.result async for one in pool.amap(configs)]

    assert asyncio.run(run()) == [*range(40)]
    assert recorder.path(recorder.one("invoke_agent named")) == ["submits", "invoke_agent named"]
    paths = [recorder.path(span) for span in recorder.named("work")]
    assert paths.count(["maps", "invoke_agent bot", "work"]) == 40
    assert paths.count(["awaits", "invoke_agent bot", "work"]) == 40


def test_a_thousand_at_once_are_not_mixed_up(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Each has one span, of its own trace; what it does is below its own."""

    def work(number: int) -> int:
        with recorder.tracer.start_as_current_span(f"work {number}"):
            return number

    pool = traced(max_concurrent=16, max_queued=None)
    handles = [pool.submit(work, number) for number in range(1_000)]
    assert [handle.result() for handle in handles] == [*range(1_000)]
    agents = {span.context.span_id: span for span in recorder.named("invoke_agent work") if span.context is not None}
    assert len(agents) == 1_000
    inner = [span for span in recorder.spans if span.name.startswith("work ")]
    for span in inner:
        assert span.parent is not None
        assert said(agents[span.parent.span_id])["actors.agent.id"] == int(span.name[5:]) + 1


# How each ends --------------------------------------------------------------------------------------------------


def test_a_restart_is_an_event_of_one_span(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """All lives are in it; the second one's completion too."""
    lives: list[int] = []

    @tool(effect="idempotent")
    def look() -> str:
        """Look."""
        return "seen"

    class Twice(Agent[str]):
        def run(self, query: Any) -> str:
            lives.append(1)
            if len(lives) == 1:
                raise ValueError("the first life")
            return "done"

    pool = traced(restart=RestartPolicy(1, backoff=Backoff(base=0.0)))
    assert pool.spawn(SpawnConfig(BOT, "go", agent=Twice)).result() == "done"
    span = recorder.one("invoke_agent bot")
    assert said(span)["actors.agent.restarts"] == 1
    assert said(span)["actors.outcome"] == "completed"
    assert events(span) == ["actors.restarted", "actors.parked", "actors.resumed"]
    assert dict(span.events[0].attributes or {})["actors.attempt"] == 1
    assert not is_error(span)


def test_a_life_that_begins_anew_recalls_what_was_bought(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """A span without length and without usage for each answer and call of the life before."""
    runs: list[int] = []

    @tool(effect="idempotent")
    def look() -> str:
        """Look."""
        return "seen"

    def answer(request: CompletionRequest) -> CompletionResponse:
        if len(request.messages) == 1:
            return calls("look")
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("a crash of the driver")
        return DONE

    pool = traced(
        FunctionDriver(answer), tools=ToolRegistry([look]), restart=RestartPolicy(1, backoff=Backoff(base=0.0))
    )
    assert pool.spawn(SpawnConfig(BOT, "go")).outcome().ok
    chats = recorder.named("chat")
    assert [(said(span)["actors.recalled"], is_error(span)) for span in chats] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]
    known = chats[2]
    assert known.start_time == known.end_time
    assert not {"gen_ai.usage.input_tokens", "actors.cost_usd"} & said(known).keys()
    assert said(chats[0])["gen_ai.usage.input_tokens"] == 10
    first, again = recorder.named("execute_tool look")
    assert said(first)["actors.recalled"] is False
    assert said(again)["actors.recalled"] is True
    assert again.start_time == again.end_time


def test_what_a_journal_knows_is_recalled(
    make_pool: Callable[..., AgentPool], recorder: Recorder, tmp_path: Any
) -> None:
    """An agent that has ended in an earlier pool has a span that says so, and nothing in it."""
    path = tmp_path / "runs.db"
    for _ in range(2):
        with AgentPool(ScriptedDriver([DONE]), journal=path, tracing=recorder.tracing()) as pool:
            assert pool.spawn(SpawnConfig(BOT, "go", key="one")).outcome().ok
    first, again = recorder.named("invoke_agent bot")
    assert said(first)["actors.agent.key"] == "one"
    assert events(again) == ["actors.recalled"]
    assert events(first) == []
    assert len(recorder.named("chat")) == 1


def test_attempts_have_a_span_each_and_backoffs_are_events(
    traced: Callable[..., AgentPool], recorder: Recorder
) -> None:
    """One that failed after it had worked has its usage; the last one alone has an answer."""
    tried: list[int] = []

    def answer(_: CompletionRequest) -> CompletionResponse:
        tried.append(1)
        if len(tried) < 3:
            error = Overloaded("broken")
            error.tokens = (7, 0)
            raise error
        return DONE

    driver = FunctionDriver(answer)
    driver.backoff_share = 0.0  # type: ignore[attr-defined]  # nobody is worn out
    outcome = traced(driver).spawn(SpawnConfig(BOT, "go")).outcome()
    chats = recorder.named("chat")
    assert [said(span)["actors.attempt"] for span in chats] == [1, 2, 3]
    assert [said(span)["gen_ai.usage.input_tokens"] for span in chats] == [7, 7, 10]
    assert sum(said(span)["gen_ai.usage.input_tokens"] for span in chats) == outcome.usage.input_tokens
    assert [is_error(span) for span in chats] == [True, True, False]
    assert said(chats[0])["error.type"] == "Overloaded"
    assert said(chats[2])["gen_ai.response.finish_reasons"] == ("end_turn",)
    agent = recorder.one("invoke_agent bot")
    assert events(agent) == ["actors.backoff", "actors.backoff"]
    assert "gen_ai.usage.input_tokens" not in said(agent)


class Waits(Agent[str]):
    """Waits for a message."""

    def run(self, query: Any) -> str:
        return str(self.receive().content)


@pytest.mark.parametrize(
    ("status", "fault", "kind"),
    [
        ("completed", False, None),
        ("failed", True, "ToolFailed"),
        ("crashed", True, "ValueError"),
        ("timed_out", True, "AgentTimedOut"),
        ("cancelled", False, None),
    ],
)
def test_only_a_cancel_and_a_success_are_no_errors(
    traced: Callable[..., AgentPool], recorder: Recorder, status: str, fault: bool, kind: str | None
) -> None:
    """``actors.outcome`` is the outcome's status, ``error.type`` the class of what was raised."""

    class Ends(Agent[str]):
        def run(self, query: Any) -> str:
            if status == "failed":
                raise ToolFailed("no")
            if status == "crashed":
                raise ValueError("no")
            return str(self.receive(None).content) if status in ("timed_out", "cancelled") else "done"

    handle = traced().spawn(SpawnConfig(BOT, "go", agent=Ends, timeout=0.05 if status == "timed_out" else None))
    if status == "cancelled":
        eventually(lambda: handle.status is AgentStatus.PARKED)
        handle.cancel()
    assert str(handle.outcome().status) == status
    span = recorder.one("invoke_agent bot")
    assert said(span)["actors.outcome"] == status
    assert said(span).get("error.type") == kind
    assert is_error(span) is fault
    if status == "cancelled":
        assert events(span)[0] == "actors.parked"


def test_who_never_gets_a_slot_has_no_span(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """Nobody worked for it; and who waited says how long."""
    gate = Gate()
    pool = traced(max_concurrent=1, max_queued=None)
    first = pool.submit(gate.arrive)
    gate.await_reached()
    second, third = pool.submit(int), pool.submit(int)
    third.cancel()
    gate.open()
    assert [str(handle.outcome().status) for handle in (first, second, third)] == [
        "completed",
        "completed",
        "cancelled",
    ]
    waited = {said(span)["actors.agent.id"]: said(span)["actors.queued_seconds"] for span in recorder.spans}
    assert sorted(waited) == [1, 2]
    assert waited[1] == 0.0 < waited[2]


def test_an_abandoned_agent_leaves_no_span_open(
    make_pool: Callable[..., AgentPool], recorder: Recorder, log_lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its own and its completion's end when it is abandoned; its thread, when it comes back, ends nothing again."""
    gate = Gate()

    def stuck(_: CompletionRequest) -> CompletionResponse:
        gate.arrive()
        return DONE

    pool = make_pool(FunctionDriver(stuck), abort_timeout=0.05, tracing=recorder.tracing())
    handle = pool.spawn(SpawnConfig(BOT, "go"))
    gate.await_reached()
    handle.cancel()
    assert handle.outcome().status is AgentStatus.ABANDONED
    inner, agent = recorder.spans  # before anybody saw the outcome
    assert (inner.name, agent.name) == ("chat", "invoke_agent bot")
    assert said(agent)["actors.outcome"] == "abandoned"
    assert is_error(agent)
    assert is_error(inner)
    assert said(agent)["error.type"] == "AgentAbandoned"
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert len(recorder.spans) == 2
    assert caplog.text == ""  # the SDK warns of what ends twice, or in another context
    assert not [line for line in log_lines if "tracing" in line]


def test_a_tool_that_is_left_behind_leaves_no_span_open(
    traced: Callable[..., AgentPool], recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends when the agent goes on without it, as an error; the agent's is none."""
    gate = Gate()

    @tool(timeout=0.05)
    def stuck() -> str:
        """Be stuck."""
        gate.arrive()
        return "late"

    pool = traced(ScriptedDriver([calls("stuck"), DONE]), tools=ToolRegistry([stuck]))
    assert pool.spawn(SpawnConfig(BOT, "go")).outcome().ok
    span = recorder.one("execute_tool stuck")
    assert is_error(span)
    assert said(span)["actors.is_error"] is True
    assert not is_error(recorder.one("invoke_agent bot"))
    before = len(recorder.spans)
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert len(recorder.spans) == before
    assert caplog.text == ""


def test_what_the_model_is_told_is_no_error_of_a_span(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """A tool that fails, or raises, says so: the agent goes on."""

    @tool
    def fails() -> str:
        """Fail."""
        raise ToolFailed("not today")

    @tool
    def raises() -> str:
        """Raise."""
        raise KeyError("oh")

    @tool
    def works() -> str:
        """Work."""
        return "fine"

    driver = ScriptedDriver([calls("fails", "raises", "works", "unknown"), DONE])
    assert traced(driver, tools=ToolRegistry([fails, raises, works])).spawn(SpawnConfig(BOT, "go")).outcome().ok
    found = {span.name: said(span) for span in recorder.spans if span.name.startswith("execute_tool")}
    assert sorted(found) == ["execute_tool fails", "execute_tool raises", "execute_tool works"]  # the unknown is none
    assert [found[f"execute_tool {name}"]["actors.is_error"] for name in ("fails", "raises", "works")] == [
        True,
        True,
        False,
    ]
    assert found["execute_tool raises"]["error.type"] == "KeyError"
    assert not any(is_error(span) for span in recorder.spans)


def test_a_handoff_is_an_event(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """One span, under the name that it began with; the other model's completion is below it."""
    staff = Staff(desk=[calls("transfer_to_billing")], billing=["paid"])
    other = member("billing", model={"remote_model": "other"})
    config = SpawnConfig(member("desk"), "go", handoffs=(Handoff(other),))
    assert traced(staff.driver).spawn(config).result().text == "paid"
    span = recorder.one("invoke_agent desk")
    (event,) = span.events
    assert event.name == "actors.handed_off"
    assert dict(event.attributes or {}) == {"actors.source": "desk", "actors.target": "billing"}
    assert recorder.path(recorder.one("chat other")) == ["invoke_agent desk", "chat other"]


def test_an_approval_is_asked_and_decided_in_the_agents_span(
    traced: Callable[..., AgentPool], recorder: Recorder
) -> None:
    """The wait for it is a park of the agent; the call itself begins after it."""

    @tool
    def send() -> str:
        """Send."""
        return "sent"

    manifest = AgentManifest(name="bot", privacy="standard", approval={"tools": ["send"]})
    pool = traced(ScriptedDriver([calls("send"), DONE]), tools=ToolRegistry([send]))
    handle = pool.spawn(SpawnConfig(manifest, "go"))
    eventually(lambda: handle.approve("c0"))
    assert handle.outcome().ok
    span = recorder.one("invoke_agent bot")
    assert events(span) == [
        "actors.approval_requested",
        "actors.parked",
        "actors.resumed",
        "actors.approval_decided",
    ]
    assert dict(span.events[3].attributes or {}) == {
        "actors.tool": "send",
        "actors.call_id": "c0",
        "actors.approved": True,
    }


# Who traces harms nobody ----------------------------------------------------------------------------------------


def test_what_is_not_sampled_changes_nothing(make_pool: Callable[..., AgentPool]) -> None:
    """No span is kept, and the outcome is as ever."""
    off = Recorder(sampler=ALWAYS_OFF)
    pool = make_pool(ScriptedDriver([DONE]), tracing=off.tracing(with_content=True))
    assert pool.spawn(SpawnConfig(BOT, "go")).result().text == "done"
    assert off.spans == []


@pytest.mark.parametrize("given", [None, trace.ProxyTracerProvider()], ids=["none", "the API's own"])
def test_a_provider_that_is_set_later_is_found(
    make_pool: Callable[..., AgentPool],
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    given: trace.TracerProvider | None,
) -> None:
    """Until then nothing is kept: a library may be made before the program has set up its SDK."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    pool = make_pool(ScriptedDriver([DONE, DONE]), tracing=OpenTelemetry(given))
    assert pool.spawn(SpawnConfig(BOT, "before")).outcome().ok
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", recorder.provider)
    assert pool.spawn(SpawnConfig(BOT, "after")).outcome().ok
    assert [said(span)["actors.agent.id"] for span in recorder.named("invoke_agent bot")] == [2]


def test_deps_are_in_no_span(traced: Callable[..., AgentPool], recorder: Recorder) -> None:
    """They belong to the program."""

    @tool
    def look(deps: Deps[dict[str, str]]) -> str:
        """Look."""
        return "seen"

    pool = traced(ScriptedDriver([calls("look"), DONE]), tools=ToolRegistry([look]), content=True)
    assert pool.spawn(SpawnConfig(BOT, "go", deps={"key": "s3cret"})).outcome().ok
    assert not any("s3cret" in str(said(span)) for span in recorder.spans)
