"""Guardrails over the lives of an agent: what one has said is not asked again, wherever a life ends."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    Budget,
    CompletionRequest,
    CompletionResponse,
    Effect,
    FunctionDriver,
    GuardrailTripped,
    Handoff,
    JournalReader,
    LlmAgent,
    Refuse,
    RestartPolicy,
    SpawnConfig,
    TokenUsage,
    ToolRegistry,
    ToolResult,
    Trip,
    UserMessage,
    guardrail,
)
from actors.agents import AssistantMessage

from ..waiting import BOUND
from .doubles import Probe, asks
from .ledgers import Desk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

USAGE = TokenUsage(10, 5)
AT_ONCE = RestartPolicy(max_restarts=100, backoff=Backoff(base=0, jitter=0))


class World:
    """A model that answers by what it is asked, and guardrails that count how often each is asked.

    What each answers depends on what it sees alone, as a model does at temperature 0.
    """

    def __init__(self, *, concurrent: bool = False) -> None:
        self.asked: list[str] = []
        self.sent: list[CompletionRequest] = []
        self.note = Probe(lambda input, *_: f"secret {input['n']}")  # noqa: A006
        self.note.effect = Effect.IDEMPOTENT  # else a call that nobody knows the end of is another story
        self.driver = FunctionDriver(self.answer)
        self.concurrent = concurrent

    def answer(self, request: CompletionRequest) -> CompletionResponse:
        """Two calls, an answer that is refused, one whose output is refused, and the last."""
        self.sent.append(request)
        told = " ".join(message.content for message in request.messages)
        if "***" not in told:
            return asks(("note", {"n": 1}), ("note", {"n": 2}), text="look", usage=USAGE)
        if "no swearing" not in told:
            return CompletionResponse("damn", usage=USAGE)
        if "say please" not in told:
            return CompletionResponse("give", usage=USAGE)
        return CompletionResponse("give, please", usage=USAGE)

    def requests(self) -> set[str]:
        """What the model was asked, each once."""
        return {repr(request.messages) for request in self.sent}

    def guardrails(self) -> Sequence[Any]:
        """One for each stage: each says something once."""

        @guardrail("check_input", concurrent=self.concurrent)
        def query(query: str) -> str:
            self.asked.append(f"query {query}")
            return query.upper()

        @guardrail("before_completion")
        def request(request: CompletionRequest) -> Any:
            self.asked.append(f"request {len(request.messages)}")
            if len(request.messages) == 1 and not self.concurrent:
                return Refuse("think first")
            return replace(request, system="checked", messages=[*request.messages, UserMessage("be kind")])

        @guardrail("after_completion")
        def response(response: CompletionResponse) -> Any:
            self.asked.append(f"response {response.text}")
            return Refuse("no swearing") if response.text == "damn" else None

        @guardrail("before_tool")
        def call(call: Any) -> Any:
            self.asked.append(f"call {call.input['n']}")
            return Refuse("not one") if call.input["n"] == 1 else replace(call, input={"n": 3})

        @guardrail("after_tool")
        def result(call: Any, result: ToolResult) -> ToolResult:
            self.asked.append(f"result {call.input['n']}")
            return ToolResult(result.content.replace("secret", "***"))

        @guardrail("check_output")
        def output(value: str) -> Any:
            self.asked.append(f"output {value}")
            return Refuse("say please") if "please" not in value else f"{value}!"

        return (query, request, response, call, result, output)

    def config(self, **fields: Any) -> SpawnConfig[Any]:
        """The agent of these tests."""
        return SpawnConfig(AgentManifest(name="bot"), "q", guardrails=self.guardrails(), **fields)


def end_of(outcome: Any) -> tuple[Any, ...]:
    """What has to be the same in each life."""
    result = outcome.unwrap()
    return result.text, result.messages, result.usage, result.iterations, result.tool_calls


def lines(concurrent: bool) -> int:
    """How many lines a whole run enters."""
    desk, world = Desk(), World(concurrent=concurrent)
    with desk.process(world.driver, tools=ToolRegistry([world.note])) as pool:
        pool.spawn(world.config()).outcome(BOUND).unwrap()
    return len(desk.papers["bot"].lines)


@pytest.mark.parametrize("concurrent", [False, True], ids=["waited", "beside"])
def test_a_recalled_run_asks_nobody(concurrent: bool) -> None:
    """Neither the model, nor a tool, nor a guardrail; and it ends as the first."""
    desk, world = Desk(), World(concurrent=concurrent)
    outcomes = []
    for _ in range(2):
        with desk.process(world.driver, tools=ToolRegistry([world.note]), budget=(budget := Budget())) as pool:
            outcomes.append(pool.spawn(world.config()).outcome(BOUND))
        if len(outcomes) == 1:
            asked, sent = list(world.asked), len(world.sent)
            if not concurrent:  # else whether the first answer came before the ruling is chance
                assert sent == 4
            assert world.note.calls == [{"n": 3}]
    assert (world.asked, len(world.sent), len(world.note.calls)) == (asked, sent, 1)
    assert end_of(outcomes[0]) == end_of(outcomes[1])
    assert outcomes[0].unwrap().text == "give, please!"
    assert budget.spent.tokens == outcomes[1].unwrap().usage.total


@pytest.mark.parametrize("concurrent", [False, True], ids=["waited", "beside"])
def test_a_life_may_end_after_any_line(concurrent: bool) -> None:
    """A process that dies in any gap: the next one goes on, and what was entered is asked, bought and done no more."""
    total = lines(concurrent)
    assert total > 20
    for room in range(total):
        desk, world = Desk(), World(concurrent=concurrent)
        desk.papers["bot"].room = room
        with desk.process(world.driver, tools=ToolRegistry([world.note])) as pool:
            first = pool.spawn(world.config()).outcome(BOUND)
        assert first.status is AgentStatus.FAILED, room
        desk.papers["bot"].room = None
        with desk.process(world.driver, tools=ToolRegistry([world.note])) as pool:
            second = pool.spawn(world.config()).outcome(BOUND)
        assert second.unwrap().text == "give, please!", room
        again = len(world.asked) - len(set(world.asked))
        bought, made = len(world.sent), len(world.note.calls)
        # What was asked, bought or done, and could not be entered any more: one of them, and what stands beside it.
        assert again + (bought - len(world.requests())) + (made - 1) <= 1 + concurrent, (room, world.asked)
        assert second.unwrap().messages[0] == UserMessage("Q")


@pytest.mark.parametrize("concurrent", [False, True], ids=["waited", "beside"])
def test_a_journal_finds_nothing_wrong(concurrent: bool, tmp_path: Path) -> None:
    """With what guardrails have said, and with turns that they closed; and the next process buys nothing."""
    for bought in ({4, 5}, {0}):
        world = World(concurrent=concurrent)
        with AgentPool(world.driver, journal=tmp_path / "run.db", tools=ToolRegistry([world.note])) as pool:
            assert pool.spawn(world.config(key="k")).result(BOUND).text == "give, please!"
        assert len(world.sent) in bought
    with JournalReader(tmp_path / "run.db") as reader:
        assert list(reader.check()) == []


def test_a_restart_asks_nobody_again() -> None:
    """In one process, too: what the life before was told stands."""
    world, crashes = World(), iter([True])

    def answer(request: CompletionRequest) -> CompletionResponse:
        if "no swearing" in " ".join(message.content for message in request.messages) and next(crashes, False):
            raise ZeroDivisionError
        return world.answer(request)

    with AgentPool(FunctionDriver(answer), tools=ToolRegistry([world.note]), restart=AT_ONCE) as pool:
        outcome = pool.spawn(world.config()).outcome(BOUND)
    assert outcome.unwrap().text == "give, please!"
    assert (outcome.restarts, outcome.unwrap().iterations) == (1, 6)
    assert len(world.asked) == len(set(world.asked))
    assert len(world.sent) == 4


def test_a_trip_stands_and_one_that_raised_is_asked_again() -> None:
    """What it said is known; what it could not say is not."""
    desk, asked = Desk(), []
    answers: list[Any] = [KeyError("down"), Trip("no")]

    @guardrail("check_input")
    def look(query: str) -> Any:
        asked.append(query)
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    reasons = []
    for _ in range(3):
        with desk.process(FunctionDriver(lambda _: "done")) as pool:
            outcome = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", guardrails=[look])).outcome(BOUND)
        assert isinstance(outcome.error, GuardrailTripped)
        reasons.append(outcome.error.reason)
    assert reasons == ["it raised KeyError: 'down'", "no", "no"]
    assert len(asked) == 2


class Bill(BaseModel):
    """An output type."""

    euros: int


def test_a_value_that_was_changed_comes_back() -> None:
    """As a value of the output type."""
    desk, asked = Desk(), []

    @guardrail("check_output")
    def dearer(bill: Bill) -> Bill:
        asked.append(bill)
        return Bill(euros=bill.euros + 1)

    for _ in range(2):
        with desk.process(FunctionDriver(lambda _: '{"euros": 7}')) as pool:
            config = SpawnConfig(AgentManifest(name="bot"), "q", guardrails=[dearer], output_type=Bill)
            assert pool.spawn(config).result(BOUND) == Bill(euros=8)
    assert len(asked) == 1


def test_what_a_guardrail_spends_is_counted_once_in_each_process() -> None:
    """One that asks a model pays with the agent; a later process counts it, and does not pay."""
    from actors.tools.inference import inference_tool

    desk, questions = Desk(), []

    def judge(request: CompletionRequest) -> CompletionResponse:
        questions.append(request)
        return CompletionResponse("fine", usage=USAGE)

    ask = inference_tool(FunctionDriver(judge))

    @guardrail("check_output")
    def judged(value: str, *, agent: Any, cancel: Any) -> None:
        ask.execute({"prompt": f"Is this fine? {value}"}, cancel=cancel, agent=agent)

    for _ in range(2):
        with desk.process(FunctionDriver(lambda _: CompletionResponse("done", usage=USAGE))) as pool:
            config = SpawnConfig(AgentManifest(name="bot"), "q", guardrails=[judged], budget=(budget := Budget()))
            outcome = pool.spawn(config).outcome(BOUND)
        assert budget.spent.tokens == outcome.usage.total == 30
    assert len(questions) == 1


class Twice(LlmAgent[Any]):
    """Has two conversations, and crashes once between them."""

    crashed = False

    def run(self, query: Any) -> Any:
        first = super().run(query)
        if not Twice.crashed:
            Twice.crashed = True
            raise RuntimeError("once")
        return [first.text, super().run(f"more {query}").text]


def test_the_input_of_each_conversation_is_looked_at() -> None:
    """An agent of one's own may have several: what was said of the first query says nothing of the second."""
    Twice.crashed, seen = False, list[str]()

    @guardrail("check_input")
    def look(query: str) -> str:
        seen.append(query)
        return f"({query})"

    driver = FunctionDriver(lambda request: str(request.messages[-1].content))
    with AgentPool(driver, 1, restart=AT_ONCE) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(), "q", agent=Twice, guardrails=[look])).outcome(BOUND)
    assert outcome.unwrap() == ["(q)", "(more q)"]
    assert seen == ["q", "more q"]


# Handoffs -------------------------------------------------------------------------------------------------------


def handing(*guards: Any, calls: Any, **fields: Any) -> Any:
    """The outcome of an agent that hands on to ``billing`` and then does *calls*."""
    answers = iter([asks(("transfer_to_billing", {})), calls, CompletionResponse("done")])
    note = Probe()
    driver = FunctionDriver(lambda _: next(answers))
    with AgentPool(driver, 1, tools=ToolRegistry([note])) as pool:
        config = SpawnConfig(
            AgentManifest(name="desk"),
            "q",
            guardrails=guards,
            handoffs=[Handoff(AgentManifest(name="billing"))],
            **fields,
        )
        return pool.spawn(config).outcome(BOUND), note


def test_the_guardrails_of_the_first_manifest_stay() -> None:
    """What goes on under another manifest goes on behind them; its input is looked at once."""
    seen: list[str] = []

    @guardrail("before_tool")
    def look(call: Any) -> Any:
        seen.append(call.name)
        return Refuse("no") if call.name == "note" else None

    @guardrail("check_input", concurrent=True)
    def once(query: str) -> None:
        seen.append(query)

    outcome, note = handing(look, once, calls=asks(("note", {})))
    assert outcome.unwrap().text == "done"
    assert outcome.answered_by == "billing"
    assert seen == ["q", "transfer_to_billing", "note"]
    assert note.calls == []


@pytest.fixture
def rails(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that manifests name, for guardrails that a test makes."""
    module = types.ModuleType("doors_rails")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def doors(desk: Desk | None, *, filtered: bool = False) -> tuple[Any, list[CompletionRequest]]:
    """The outcome of an agent that goes to ``billing``, whose manifest names a guardrail, back, and there again."""
    back = {"name": "desk", "manifest": AgentManifest(name="desk", model={"system_prompt": "desk"})}
    billing = AgentManifest(
        name="billing", model={"system_prompt": "billing"}, guardrails={"use": ["doors_rails:entry"]}, handoffs=[back]
    )
    asked: list[CompletionRequest] = []

    def model(request: CompletionRequest) -> Any:
        asked.append(request)
        if sum(isinstance(message, AssistantMessage) for message in request.messages) > 2:
            return CompletionResponse("done", usage=USAGE)
        return asks(("transfer_to_billing" if request.system == "desk" else "transfer_to_desk", {}), usage=USAGE)

    handoff = Handoff(billing, filter=(lambda messages: messages[:2] + messages[2:]) if filtered else None)
    config = SpawnConfig(back["manifest"], "the secret", handoffs=[handoff])
    opened = AgentPool(FunctionDriver(model)) if desk is None else desk.process(FunctionDriver(model))
    with opened as pool:
        return pool.spawn(config).outcome(BOUND), asked


@pytest.mark.parametrize("concurrent", [False, True], ids=["waited-for", "concurrent"])
@pytest.mark.parametrize("filtered", [False, True], ids=["whole", "filtered"])
@pytest.mark.parametrize("answer", [None, "a word", Refuse("rude")], ids=["pass", "change", "refuse"])
def test_the_input_of_the_manifest_that_goes_on(answer: Any, filtered: bool, concurrent: bool, rails: Any) -> None:
    """Its own guardrail looks at the query before its model is asked, and once, also in a later process."""
    seen: list[Any] = []

    @guardrail("check_input", concurrent=concurrent)
    def look(query: Any) -> Any:
        seen.append(query)
        return answer

    desk, rails.entry = Desk(), look
    outcome, asked = doors(desk, filtered=filtered)
    assert outcome.unwrap().text == "done"
    assert seen == ["the secret"]
    assert [request.system for request in asked] == ["desk", "billing", "desk", "billing"]
    told = [request.messages[0].content for request in asked]
    assert told[0] == "the secret"
    words = {None: "the secret", "a word": "a word"}.get(answer if isinstance(answer, str | None) else "", "withheld")
    assert all(words in text for text in told[1:])
    assert doors(desk, filtered=filtered)[1] == []
    assert len(seen) == 1


def test_the_input_of_the_manifest_that_goes_on_may_trip(rails: Any) -> None:
    """Nothing is sent to its model."""
    rails.entry = guardrail("check_input")(lambda query: Trip("not here"))
    outcome, asked = doors(None)
    assert isinstance(outcome.error, GuardrailTripped)
    assert outcome.error.reason == "not here"
    assert [request.system for request in asked] == ["desk"]


def test_a_handoff_that_is_refused_is_none() -> None:
    """The conversation stays where it is, and the model is told."""
    outcome, _ = handing(guardrail("before_tool")(lambda call: Refuse("stay")), calls=CompletionResponse("here"))
    assert outcome.answered_by == "desk"
    outcome, _ = handing(guardrail("after_tool")(lambda call, result: Refuse("stay")), calls=CompletionResponse("here"))
    assert outcome.answered_by == "desk"


def test_a_call_that_becomes_another_one_is_no_handoff() -> None:
    """What counts is the call as it is made."""
    change = guardrail("before_tool")(lambda call: replace(call, name="note"))
    outcome, note = handing(change, calls=CompletionResponse("here"))
    assert outcome.answered_by == "desk"
    assert len(note.calls) == 1
