"""``actors.ask`` and ``actors.outcome_of``: a first answer in one line."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest
from pydantic import BaseModel

import actors
from actors import (
    Actor,
    Agent,
    AgentCrashed,
    AgentManifest,
    AgentPool,
    AgentStatus,
    AgentTimedOut,
    Budget,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    FileRead,
    FunctionDriver,
    IterationsExceeded,
    ManifestError,
    ModelSettings,
    PrivacyTier,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TokensExceeded,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    TruncationExceeded,
    needs_approval,
    tool,
)
from actors.question import AskKeywords
from actors.tools.files import read_file

from .drivers.provider import Provider
from .waiting import BOUND


class Point(BaseModel):
    x: int


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def test_the_text_of_the_answer() -> None:
    """Of a driver, or of a word for one."""
    assert actors.ask("echo", "hi") == "hi"
    assert actors.ask(FunctionDriver(lambda request: f"{request.system} {request.temperature}"), "hi").endswith(" 0.3")


def test_a_value() -> None:
    """Of the type that was asked for."""
    assert actors.ask(FunctionDriver(lambda _: '{"x": 3}'), "q", output_type=Point) == Point(x=3)
    assert actors.ask(FunctionDriver(lambda _: "[1, 2]"), "q", output_type=list[int]) == [1, 2]


def test_one_line_to_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is in the environment; settings go along."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with Provider(["because"]) as provider:
        answer = actors.ask(
            f"openai:gpt-5@{provider.url}", "Why?", reasoning_effort="low", temperature=1, system_prompt="Be brief."
        )
        assert answer == "because"
        (asked,) = provider.asked
    assert asked.headers["authorization"] == "bearer k"
    assert asked.raw == (
        b'{"model":"gpt-5","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}],'
        b'"temperature":1.0,"max_tokens":4096,"reasoning_effort":"low"}'
    )


def test_tools_are_granted_what_they_need() -> None:
    """Who passes one grants it; what it looks at is granted by name."""
    driver = ScriptedDriver.tool_then_text("add", {"a": 1, "b": 2}, "three")
    assert actors.ask(driver, "q", tools=[add], tool_choice="add") == "three"
    assert driver.requests[1].messages[-1].content == "3"
    for tools in ([read_file], ToolRegistry([read_file])):
        driver = ScriptedDriver.tool_then_text("read_file", {"path": __file__}, "read")
        outcome = actors.outcome_of(driver, "q", tools=tools, capabilities=[FileRead(allowed_paths=[__file__])])
        assert outcome.unwrap().text == "read"
        assert "a first answer in one line" in driver.requests[1].messages[-1].content
    driver = ScriptedDriver.tool_then_text("read_file", {"path": __file__}, "read")
    assert actors.ask(driver, "q", tools=[read_file]) == "read"
    assert "not in allowed_paths" in driver.requests[1].messages[-1].content


def test_what_became_of_it() -> None:
    """An outcome tells, whatever it was; ``ask`` raises it."""
    outcome = actors.outcome_of("echo", "hi", max_tokens=7)
    assert (outcome.status, outcome.unwrap().text, outcome.name) == (AgentStatus.COMPLETED, "hi", "ask")
    failing = FunctionDriver(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
    assert actors.outcome_of(failing, "q").status is AgentStatus.CRASHED
    with pytest.raises(AgentCrashed, match="ZeroDivisionError: division by zero"):
        actors.ask(failing, "q")
    with pytest.raises(AgentTimedOut):
        actors.ask(ScriptedDriver(["late"], latency=BOUND), "q", timeout=0.05)
    with pytest.raises(TokensExceeded):
        actors.ask(FunctionDriver(_costs), "q", tools=[add], budget=Budget(max_tokens=5))
    endless = FunctionDriver(lambda _: CompletionResponse("", StopReason.MAX_TOKENS))
    with pytest.raises((IterationsExceeded, TruncationExceeded)):
        actors.ask(endless, "q")


def _costs(_: object) -> CompletionResponse:
    return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("1", "add", {"a": 1, "b": 2}),), TokenUsage(5, 5))


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a keyword": ({"temprature": 1}, TypeError, r"'temprature', did you mean 'temperature'\?"),
    "one of its own": ({"output_typ": int}, TypeError, "did you mean 'output_type'?"),
    "one of nobody": ({"zzz": 1}, TypeError, "unexpected keyword argument 'zzz'$"),
    "a value": ({"seed": "x"}, ValueError, "seed"),
    "an option": ({"options": {"messages": []}}, ValueError, "'messages' is no option"),
    "a tool alone": ({"tools": add}, TypeError, r"write tools=\[add\]"),
    "no tool": ({"tools": [3]}, TypeError, "not a tool"),
    "a tool of nobody": ({"tool_choice": "addd", "tools": [add]}, ManifestError, "did you mean 'add'"),
    "a tool that nobody approves": ({"tools": [needs_approval(add)]}, ValueError, "nobody is there to give it"),
}


@pytest.mark.parametrize(("given", "error", "why"), WRONG.values(), ids=WRONG)
def test_what_is_refused(given: dict[str, Any], error: type[Exception], why: str) -> None:
    """By name, before anything is sent."""
    driver = ScriptedDriver.text("ok")
    with pytest.raises(error, match=why):
        actors.ask(driver, "q", **given)
    assert driver.requests == []


@pytest.mark.parametrize("driver", [None, 3, object()], ids=["None", "3", "object"])
def test_no_driver(driver: Any) -> None:
    """Is said at once."""
    with pytest.raises(TypeError, match="driver"):
        actors.ask(driver, "q")
    with pytest.raises(ValueError, match="driver: no built-in driver 'opena', did you mean 'openai'"):
        actors.outcome_of("opena:gpt-5", "q")


def test_a_tool_with_a_time_for_its_approval() -> None:
    """Its default holds when nobody answers."""
    driver = ScriptedDriver.tool_then_text("add", {"a": 1, "b": 2}, "done")
    assert actors.ask(driver, "q", tools=[needs_approval(add, timeout=0, default="approve")]) == "done"
    assert driver.requests[1].messages[-1].content == "3"


def test_its_privacy_is_standard() -> None:
    """The query may go to the driver's server."""

    class Far(FunctionDriver):
        privacy_tier = PrivacyTier.STANDARD

    assert actors.ask(Far(lambda _: "far"), "q") == "far"


# Inside ---------------------------------------------------------------------------------------------------------


def test_inside_an_agent_an_actor_and_a_function() -> None:
    """It waits as they do."""

    class Asks(Agent[str]):
        def run(self, query: str) -> str:
            return actors.ask("echo", query)

    class Handles(Actor):
        def on_receive(self, message: Any) -> str:
            return actors.ask("echo", message)

    with AgentPool(max_concurrent=1) as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(), "agent", agent=Asks)).result(BOUND) == "agent"
        assert pool.submit(actors.ask, "echo", "function").result(BOUND) == "function"
    ref = Handles.start()
    assert ref.ask("actor", timeout=BOUND) == "actor"
    ref.stop()


def test_a_cancel_ends_both() -> None:
    """The one who asks, and the one who answers."""
    begun = threading.Event()

    class Slow(ScriptedDriver):
        def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
            begun.set()
            return super().complete(request, cancel=cancel)

    class Asks(Agent[str]):
        def run(self, query: str) -> str:
            return actors.ask(Slow(["late"], latency=BOUND), query)

    with AgentPool() as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", agent=Asks))
        assert begun.wait(BOUND)
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


def test_many_at_once() -> None:
    """Each in a pool of its own."""
    with AgentPool(max_concurrent=50, max_queued=None) as pool:
        handles = [pool.submit(actors.ask, "echo", str(number)) for number in range(200)]
        assert [handle.result(BOUND) for handle in handles] == [str(number) for number in range(200)]


def test_the_names_that_it_takes() -> None:
    """Every setting, and what a help shows."""
    assert set(ModelSettings.model_fields) < set(AskKeywords.__annotations__)
    assert "actors.ask(" in (inspect.getdoc(actors.ask) or "")
