"""Tools with which agents work together, and the tool that asks a model."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Budget,
    Capability,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Inference,
    ModelNotFound,
    Overloaded,
    PrivacyTier,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    StopReason,
    TokensExceeded,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    ToolResultMessage,
    UserMessage,
)
from actors.agent.loop import driver_call
from actors.core.records.spec import Backoff
from actors.tools.agents import AGENT_TOOLS
from actors.tools.inference import ask_model, inference_tool
from tests.waiting import BOUND, Gate

SPAWN: tuple[Capability, ...] = (Spawn(max_depth=3),)
TALK: tuple[Capability, ...] = (Spawn(max_depth=0),)


def asks(*calls: tuple[str, dict[str, Any]]) -> CompletionResponse:
    made = tuple(ToolCall(f"c{number}", name, arguments) for number, (name, arguments) in enumerate(calls, start=1))
    return CompletionResponse("", StopReason.TOOL_USE, made, TokenUsage(1, 1))


def by_query(**answers: Callable[[CompletionRequest, int], CompletionResponse | str]) -> FunctionDriver:
    """A model that answers each agent by its query: ``answer(request, how many answers it gave before)``."""

    def answer(request: CompletionRequest) -> CompletionResponse | str:
        query = next(message.content for message in request.messages if isinstance(message, UserMessage))
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        return answers[query.split()[0]](request, turn)

    return FunctionDriver(answer, context_window=100_000)


def last_results(request: CompletionRequest) -> list[str]:
    """What the tools answered last."""
    found: list[str] = []
    for message in reversed(request.messages):
        if not isinstance(message, ToolResultMessage):
            break
        found.insert(0, ("error: " if message.is_error else "") + message.content)
    return found


def once(*calls: tuple[str, dict[str, Any]]) -> Callable[[CompletionRequest, int], CompletionResponse | str]:
    """Make these calls, then answer with their results."""
    return lambda request, turn: asks(*calls) if turn == 0 else json.dumps(last_results(request))


def manifest(capabilities: tuple[Capability, ...], **fields: Any) -> AgentManifest:
    return AgentManifest(name="lead", capabilities=capabilities, **fields)


def run(driver: Any, query: str, capabilities: tuple[Capability, ...] = SPAWN, **fields: Any) -> Any:
    with AgentPool(driver, max_concurrent=1, tools=ToolRegistry([*AGENT_TOOLS, ask_model])) as pool:
        return pool.spawn(SpawnConfig(manifest(capabilities, **fields), query)).outcome(BOUND)


def results(outcome: Any) -> list[str]:
    found: list[str] = json.loads(outcome.unwrap().text)
    return found


# spawn_agent -----------------------------------------------------------------------------------------------------


def test_a_child_answers_its_own_parent() -> None:
    """Three children at once, at a limit of one: each call gets the answer of its own child."""
    driver = by_query(
        lead=once(*(("spawn_agent", {"task": f"child {number}", "name": f"n{number}"}) for number in range(3))),
        child=lambda request, turn: f"answer to {request.messages[0].content}",
    )
    assert results(run(driver, "lead")) == ["answer to child 0", "answer to child 1", "answer to child 2"]


def test_a_child_is_of_its_parents_kind() -> None:
    """Its instructions are its own; its tools, limits and grants are its parent's at most."""
    seen: list[CompletionRequest] = []

    def child(request: CompletionRequest, turn: int) -> str:
        seen.append(request)
        return "x"

    driver = by_query(lead=once(("spawn_agent", {"task": "child", "instructions": "You are a poet."})), child=child)
    run(driver, "lead", (Spawn(max_depth=1),)).unwrap()
    assert seen[0].system == "You are a poet."
    assert {definition.name for definition in seen[0].tools} == {tool.name for tool in AGENT_TOOLS}


def test_too_deep_is_an_error_for_the_model() -> None:
    """A grant of depth 1 has children and no grandchildren."""
    deeper = once(("spawn_agent", {"task": "child"}))
    outcome = run(by_query(lead=deeper, child=deeper), "lead", (Spawn(max_depth=1),))
    (text,) = results(outcome)
    assert "depth limit 1 reached" in text
    (text,) = results(run(by_query(lead=deeper), "lead", TALK))
    assert text.startswith("error: depth limit 0 reached")


def test_the_failure_of_a_child_is_an_error_for_the_model() -> None:
    """It says who failed, and why."""

    def child(request: CompletionRequest, turn: int) -> str:
        raise ModelNotFound("no such model")

    (text,) = results(run(by_query(lead=once(("spawn_agent", {"task": "child", "name": "poet"})), child=child), "lead"))
    assert text == "error: agent 2 (poet) failed: no such model"


def test_a_child_that_takes_too_long_is_ended() -> None:
    """By its own time, not by that of the tool."""

    def child(request: CompletionRequest, turn: int) -> CompletionResponse:
        return asks(("wait_for_message", {"timeout": 60}))

    outcome = run(by_query(lead=once(("spawn_agent", {"task": "child", "timeout": 0.1})), child=child), "lead")
    (text,) = results(outcome)
    assert re.match(r"error: agent 2 \(helper\) timed_out", text)


def test_a_cancelled_parent_takes_its_child_along() -> None:
    """Nobody is left."""
    started = threading.Event()

    def child(request: CompletionRequest, turn: int) -> CompletionResponse:
        started.set()
        return asks(("wait_for_message", {"timeout": 60}))

    driver = by_query(lead=once(("spawn_agent", {"task": "child"})), child=child)
    with AgentPool(driver, max_concurrent=1, tools=ToolRegistry(AGENT_TOOLS)) as pool:
        handle = pool.spawn(SpawnConfig(manifest(SPAWN), "lead"))
        assert started.wait(BOUND)
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
        assert pool.active_count == 0


# Messages --------------------------------------------------------------------------------------------------------


def test_two_agents_talk() -> None:
    """Both wait at a limit of one: a wait for a message holds no slot."""

    def ping(request: CompletionRequest, turn: int) -> CompletionResponse | str:
        if turn == 0:
            return asks(("wait_for_message", {"timeout": 10}))
        if turn == 1:
            sender = re.search(r"id (\d+)", last_results(request)[0])
            assert sender is not None
            return asks(("send_message", {"to": int(sender[1]), "content": "pong"}))
        return "done"

    def pong(request: CompletionRequest, turn: int) -> CompletionResponse | str:
        if turn == 0:
            return asks(("list_agents", {}))
        if turn == 1:
            (other,) = json.loads(last_results(request)[0])["agents"]
            return asks(("send_message", {"to": other["id"], "content": "ping"}), ("wait_for_message", {"timeout": 10}))
        return last_results(request)[1]

    with AgentPool(
        by_query(ping=ping, pong=pong), max_concurrent=1, max_queued=1, tools=ToolRegistry(AGENT_TOOLS)
    ) as pool:
        first = pool.spawn(SpawnConfig(manifest(TALK), "ping"))
        second = pool.spawn(SpawnConfig(manifest(TALK), "pong"))
        assert second.result(BOUND).text == "[message from agent 1 (id 1)] pong"
        assert first.result(BOUND).text == "done"


def test_messages_to_nobody_and_to_a_full_inbox() -> None:
    """Errors that say what to do; one to the program arrives."""
    driver = by_query(
        lead=once(("send_message", {"to": 99, "content": "x"}), ("send_message", {"to": 0, "content": "hello"}))
    )
    with AgentPool(driver, tools=ToolRegistry(AGENT_TOOLS)) as pool:
        nobody, program = results(pool.spawn(SpawnConfig(manifest(TALK), "lead")).outcome(BOUND))
        assert pool.inbox.receive(0).content == "hello"
    assert "list_agents tells who is there" in nobody
    assert program == "sent to 0"


def test_waits_at_the_same_time_get_a_message_each() -> None:
    """Two calls of one answer."""
    driver = by_query(lead=once(("wait_for_message", {"timeout": 10}), ("wait_for_message", {"timeout": 10})))
    with AgentPool(driver, tools=ToolRegistry(AGENT_TOOLS)) as pool:
        handle = pool.spawn(SpawnConfig(manifest(TALK), "lead"))
        for text in ("one", "two"):
            pool.router.send(_message(handle.id, text))
        heard = results(handle.outcome(BOUND))
    assert sorted(heard) == ["[message from the program (id 0)] one", "[message from the program (id 0)] two"]


def _message(to: int, content: str) -> Any:
    from actors import AgentMessage

    return AgentMessage(0, to, content)


def test_waiting_again_and_again_is_no_loop() -> None:
    """The same call ten times, each made; any other tool is blocked at its third, and ends the turn at its fourth."""

    def patient(request: CompletionRequest, turn: int) -> CompletionResponse | str:
        return asks(("wait_for_message", {"timeout": 0})) if turn < 10 else "done"

    outcome = run(by_query(lead=patient), "lead", TALK)
    assert outcome.unwrap().text == "done"
    told = [message.content for message in outcome.unwrap().messages if isinstance(message, ToolResultMessage)]
    assert told == ["no message came within 0 s"] * 10


def test_no_message_in_time_is_an_error() -> None:
    """And no hang."""
    assert results(run(by_query(lead=once(("wait_for_message", {"timeout": 0}))), "lead", TALK)) == [
        "error: no message came within 0 s"
    ]


def test_without_the_grant_there_is_no_talk() -> None:
    """All of them need ``spawn``."""
    calls = [("spawn_agent", {"task": "x"}), ("send_message", {"to": 0, "content": "x"}), ("list_agents", {})]
    texts = results(run(by_query(lead=once(*calls)), "lead", ()))
    assert len(texts) == 3
    assert all("capability denied" in text for text in texts)


def test_the_list_is_bounded() -> None:
    """Hundreds are counted, not shown."""
    gate = Gate()

    class Waits(Agent[None]):
        def run(self, query: Any) -> None:
            with self.parked():
                gate.hold()

    with AgentPool(
        by_query(lead=once(("list_agents", {}))),
        max_concurrent=2,
        max_queued=None,
        max_live=500,
        tools=ToolRegistry(AGENT_TOOLS),
    ) as pool:
        for _ in range(250):
            pool.spawn(SpawnConfig(AgentManifest(name="w"), "x", agent=Waits))
        listing = json.loads(results(pool.spawn(SpawnConfig(manifest(TALK), "lead", priority=1)).outcome(BOUND))[0])
        gate.open()
    assert (len(listing["agents"]), listing["not_shown"], listing["your_id"]) == (200, 50, 251)


# ask_model -------------------------------------------------------------------------------------------------------


def ask(other: Any, driver: Any = None, **fields: Any) -> Any:
    driver = driver or by_query(lead=once(("ask_model", {"prompt": "Why?", "system": "Be brief."})))
    tools = ToolRegistry([inference_tool(other)])
    with AgentPool(driver, tools=tools) as pool:
        config = SpawnConfig(manifest((Inference(),), **fields), "lead")
        return pool.spawn(config).outcome(BOUND)


def test_another_model_is_asked_once() -> None:
    """It sees the prompt alone."""
    other = ScriptedDriver(["Because."])
    assert results(ask(other)) == ["Because."]
    (request,) = other.requests
    assert (request.messages, request.system, request.tools) == ((UserMessage("Why?"),), "Be brief.", ())
    assert inference_tool(other).timeout == 300.0


def test_the_agents_own_model_may_be_asked() -> None:
    """The tool without a driver."""
    driver = by_query(lead=once(("ask_model", {"prompt": "Why?"})), **{"Why?": lambda request, turn: "So."})
    assert results(run(driver, "lead", (Inference(),))) == ["So."]


def test_a_model_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the agent's own is; one that fails for good is an error for the model."""
    monkeypatch.setattr(driver_call, "BACKOFF", Backoff(base=0, jitter=0))
    assert results(ask(ScriptedDriver([Overloaded("busy"), "yes"]))) == ["yes"]
    (text,) = results(ask(ScriptedDriver([ModelNotFound("none")])))
    assert text == "error: the model does not answer: none"


def test_a_stricter_privacy_refuses_the_other_model() -> None:
    """Data of a sovereign agent goes to no driver beyond this machine."""
    other = ScriptedDriver(["leaked"])
    other.privacy_tier = PrivacyTier.STANDARD
    (text,) = results(ask(other))
    assert "its driver's tier is standard" in text
    assert other.requests == []


def test_what_it_costs_is_charged_to_the_agent() -> None:
    """The budget of tokens ends the calls."""
    other = ScriptedDriver([CompletionResponse("long", usage=TokenUsage(900, 200))])
    with AgentPool(
        by_query(lead=once(("ask_model", {"prompt": "Why?"}))),
        tools=ToolRegistry([inference_tool(other)]),
        budget=Budget(max_tokens=1000),
    ) as pool:
        outcome = pool.spawn(SpawnConfig(manifest((Inference(),)), "lead")).outcome(BOUND)
    assert isinstance(outcome.error, TokensExceeded)


def test_a_cut_answer_says_so() -> None:
    """The model must not take it for the whole."""
    other = ScriptedDriver([CompletionResponse("It is", StopReason.MAX_TOKENS)])
    assert results(ask(other)) == ["It is\n[the answer was cut here]"]
