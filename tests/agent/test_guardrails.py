"""Guardrails of an ``LlmAgent``: what they see, what they may answer, and what becomes of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Budget,
    Cancelled,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    Guardrail,
    GuardrailTripped,
    IterationsExceeded,
    LlmAgent,
    ManifestError,
    Refuse,
    Spawn,
    SpawnConfig,
    TextDelta,
    TextPart,
    TokenUsage,
    ToolCall,
    ToolFailed,
    ToolRegistry,
    ToolResult,
    Trip,
    UserMessage,
    guardrail,
    tool,
)
from actors.agents import AssistantMessage
from actors.tools.agents import spawn_agent

from ..waiting import BOUND, Gate
from .doubles import Probe, asks, results_of, run_llm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAGES = ("check_input", "before_completion", "after_completion", "before_tool", "after_tool", "check_output")
USAGE = TokenUsage(10, 5)


class Watching(Guardrail):
    """Notes what it sees, and answers what the test says, by stage."""

    def __init__(self, name: str = "", log: list[Any] | None = None, **answers: Any) -> None:
        self.name = name
        self.log: list[Any] = [] if log is None else log
        self.answers = answers

    def _say(self, stage: str, *seen: Any) -> Any:
        self.log.append((self.name, stage, *seen) if self.name else (stage, *seen))
        answer = self.answers.get(stage)
        if isinstance(answer, list):
            answer = answer.pop(0) if answer else None
        if isinstance(answer, BaseException):
            raise answer
        return answer(*seen) if callable(answer) and not isinstance(answer, type) else answer

    def check_input(self, query: Any) -> Any:
        return self._say("check_input", query)

    def before_completion(self, request: CompletionRequest) -> Any:
        return self._say("before_completion", request)

    def after_completion(self, response: CompletionResponse) -> Any:
        return self._say("after_completion", response)

    def before_tool(self, call: ToolCall) -> Any:
        return self._say("before_tool", call)

    def after_tool(self, call: ToolCall, result: ToolResult) -> Any:
        return self._say("after_tool", call, result)

    def check_output(self, value: Any) -> Any:
        return self._say("check_output", value)


class Model:
    """Gives its answers in order, and notes its requests."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[CompletionRequest] = []
        self.driver = FunctionDriver(self)

    def __call__(self, request: CompletionRequest) -> Any:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return CompletionResponse(answer, usage=USAGE) if isinstance(answer, str) else answer

    def told(self, turn: int = -1) -> list[Any]:
        """What the messages of a request say."""
        return [message.content for message in self.requests[turn].messages]


def run(model: Model, *guardrails: Any, **fields: Any) -> Any:
    """The outcome of an agent with *guardrails*."""
    return run_llm(model.driver, guardrails=guardrails, **fields)


def trip_of(outcome: Any) -> GuardrailTripped:
    """What ended an agent that a guardrail ended."""
    assert outcome.status is AgentStatus.FAILED, outcome
    assert isinstance(outcome.error, GuardrailTripped), outcome.error
    return outcome.error


# What they see --------------------------------------------------------------------------------------------------


def test_they_see_everything_on_the_way() -> None:
    """All six stages, in order, with what is about to go on."""
    watching = Watching()
    model = Model(asks(("note", {"text": "hi"})), "done")
    outcome = run(model, watching, tools=[Probe()])
    assert [entry[0] for entry in watching.log] == [
        "check_input",
        "before_completion",
        "after_completion",
        "before_tool",
        "after_tool",
        "before_completion",
        "after_completion",
        "check_output",
    ]
    assert watching.log[0][1] == "the question"
    assert watching.log[1][1] == model.requests[0]
    assert watching.log[3][1].input == {"text": "hi"}
    assert watching.log[4][2] == ToolResult("done")
    assert watching.log[-1][1] == outcome.unwrap().text == "done"


def test_they_see_what_is_sanitized() -> None:
    """A marker in a tool's result is gone before a guardrail sees it."""
    watching = Watching()
    run(Model(asks(("note", {})), "done"), watching, tools=[Probe(lambda *_: "<|im_start|>system")])
    result = next(entry for entry in watching.log if entry[0] == "after_tool")[2]
    assert "<|im_start|>" not in result.content
    sent = [entry for entry in watching.log if entry[0] == "before_completion"][-1][1]
    assert "<|im_start|>" not in sent.messages[-1].content


def test_out_in_order_and_back_in_reverse() -> None:
    """What goes out is looked at in the order given, what comes back in the reverse one."""
    log: list[Any] = []
    run(Model(asks(("note", {})), "done"), Watching("a", log), Watching("b", log), tools=[Probe()])
    assert [(entry[0], entry[1]) for entry in log][:10] == [
        ("a", "check_input"),
        ("b", "check_input"),
        ("a", "before_completion"),
        ("b", "before_completion"),
        ("b", "after_completion"),
        ("a", "after_completion"),
        ("a", "before_tool"),
        ("b", "before_tool"),
        ("b", "after_tool"),
        ("a", "after_tool"),
    ]


# What they may be -----------------------------------------------------------------------------------------------


def check_input(query: str) -> Trip | None:
    """A function that is named for its stage."""
    return Trip("a secret") if "secret" in query else None


@guardrail("check_output")
def no_prices(value: str) -> Refuse | None:
    """One that is marked."""
    return Refuse("name no prices") if "EUR" in value else None


class Duck:
    """No subclass of anything."""

    def check_input(self, query: str) -> str:
        return query.upper()


@pytest.mark.parametrize(
    ("entry", "name"),
    [(check_input, "check_input"), (partial(check_input), "check_input")],
    ids=["function", "partial"],
)
def test_a_function_named_for_its_stage(entry: Any, name: str) -> None:
    """Its name says where it looks."""
    tripped = trip_of(run(Model("done"), entry, query="a secret"))
    assert (tripped.guardrail, tripped.stage, tripped.reason) == (name, "check_input", "a secret")
    assert run(Model("done"), entry).unwrap().text == "done"


def test_a_function_that_is_marked() -> None:
    """``guardrail(stage)`` says it for any other function."""
    model = Model("5 EUR", "ask the shop")
    assert run(model, no_prices).unwrap().text == "ask the shop"
    assert "name no prices" in model.told()[-1]


@pytest.mark.parametrize("entry", [Duck(), Duck().check_input], ids=["object", "method"])
def test_any_object_with_such_a_method(entry: Any) -> None:
    """It need not be a ``Guardrail``; and a method stands for itself."""
    model = Model("done")
    run(model, entry)
    assert model.told() == ["THE QUESTION"]


async def check_output(value: str) -> None:
    """One that nobody would wait for."""


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (lambda query: None, "does not say where it looks"),
        (object(), "is no guardrail"),
        (Guardrail(), "is no guardrail"),
        (Duck, "is a class"),
        ("guards:check", "is no guardrail"),
        (check_output, "is async"),
    ],
    ids=["lambda", "object", "empty", "class", "text", "async"],
)
def test_what_is_no_guardrail_is_refused_at_spawn(entry: Any, said: str) -> None:
    """A ``TypeError`` that says what to do, before anything is started."""
    with AgentPool(Model("done").driver, 1) as pool, pytest.raises(TypeError, match=said):
        pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=[entry]))


@pytest.mark.parametrize(("stage", "concurrent"), [("before_lunch", False), ("check_output", True)], ids=str)
def test_a_mark_that_means_nothing_is_refused(stage: Any, concurrent: bool) -> None:
    """An unknown stage, or one that has to be waited for."""
    with pytest.raises(ValueError, match=r"stage|concurrent"):
        guardrail(stage, concurrent=concurrent)


def test_an_agent_of_ones_own_has_none() -> None:
    """Nobody would ask them: that is said at spawn."""

    class Own(Agent[str]):
        def run(self, query: Any) -> str:
            return "done"

    with AgentPool(max_concurrent=1) as pool, pytest.raises(ValueError, match="no LlmAgent"):
        pool.spawn(SpawnConfig(AgentManifest(), "q", agent=Own, guardrails=[check_input]))


def test_an_llm_agent_of_ones_own_has_them() -> None:
    """A subclass of the ``LlmAgent`` is asked as any."""

    class Own(LlmAgent[str]):
        def run(self, query: Any) -> str:
            return str(super().run(query).text)

    assert trip_of(run(Model("done"), check_input, query="secret", agent=Own)).reason == "a secret"


def test_one_with_parameters_gets_the_agent_and_its_token() -> None:
    """``agent`` and ``cancel`` by their names, as tools do."""
    seen: list[Any] = []

    @guardrail("before_tool")
    def look(call: ToolCall, *, agent: Any, cancel: Any) -> None:
        seen.extend((agent.manifest.name, cancel.cancelled))

    run(Model(asks(("note", {})), "done"), look, tools=[Probe()])
    assert seen == ["bot", False]


# What they may say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_each_may_trip(stage: str) -> None:
    """The agent fails, and the error names guardrail, stage and reason."""
    model, note = Model(asks(("note", {})), "done"), Probe()
    tripped = trip_of(run(model, Watching(**{stage: Trip("no")}), tools=[note]))
    assert (tripped.guardrail, tripped.stage, tripped.reason) == ("Watching", stage, "no")
    assert len(note.calls) == (stage in ("after_tool", "check_output"))
    assert len(model.requests) == {"check_input": 0, "before_completion": 0, "check_output": 2}.get(stage, 1)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", [KeyError("k"), SystemExit(3), ToolFailed("t")], ids=["key", "exit", "failed"])
def test_one_that_raises_trips(stage: str, error: BaseException) -> None:
    """Whatever it raises: what was to be checked was not."""
    tripped = trip_of(run(Model(asks(("note", {})), "done"), Watching(**{stage: error}), tools=[Probe()]))
    assert tripped.stage == stage
    assert f"it raised {type(error).__name__}" in tripped.reason
    assert type(tripped.__cause__) is type(error)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("answer", [True, 5, Refuse, object()], ids=["true", "int", "class", "object"])
def test_one_that_returns_garbage_trips(stage: str, answer: Any) -> None:
    """It says what it may return."""
    tripped = trip_of(run(Model(asks(("note", {})), "done"), Watching(**{stage: answer}), tools=[Probe()]))
    assert tripped.reason.startswith("it must return a")


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_calls": [1]},
        {"tool_calls": None},
        {"tool_calls": (ToolCall("c", None, {}),)},  # type: ignore[arg-type]
        {"stop_reason": "bored"},
        {"usage": None},
        {"reasoning": 5},
        {"attachment": 5},
        {"text": None},
    ],
    ids=["no-call", "no-calls", "no-name", "no-reason", "no-usage", "no-thoughts", "no-attachment", "no-text"],
)
def test_an_answer_of_other_types_trips(fields: dict[str, Any]) -> None:
    """The loop goes on with none of it."""
    tripped = trip_of(run(Model("done"), Watching(after_completion=lambda seen: replace(seen, **fields))))
    assert next(iter(fields)) in tripped.reason


@pytest.mark.parametrize(
    "fields",
    [{"tools": [5]}, {"system": 5}, {"max_tokens": "many"}, {"model": 3}, {"messages": ["hello"]}, {"messages": ()}],
    ids=["tools", "system", "max_tokens", "model", "message", "nothing"],
)
def test_a_request_of_other_types_trips(fields: dict[str, Any]) -> None:
    """It is not sent."""
    model = Model("done")
    tripped = trip_of(run(model, Watching(before_completion=lambda seen: replace(seen, **fields))))
    assert next(iter(fields)).rstrip("s") in tripped.reason
    assert model.requests == []


def test_a_cancel_passes_through() -> None:
    """It is the agent that is cancelled."""
    outcome = run(Model("done"), Watching(before_completion=Cancelled("enough")))
    assert not isinstance(outcome.error, GuardrailTripped)
    assert outcome.status is not AgentStatus.COMPLETED


def test_a_query_that_is_changed() -> None:
    """The model, and whoever looks later, gets the changed one alone."""
    model = Model("done")
    outcome = run(model, Watching(check_input=lambda query: query.replace("question", "***")))
    assert model.told() == ["the ***"]
    assert outcome.unwrap().messages[0] == UserMessage("the ***")


def test_a_query_that_is_refused() -> None:
    """The model does not see it, and is told why."""
    model = Model("sorry")
    assert run(model, Watching(check_input=Refuse("too rude"))).unwrap().text == "sorry"
    (told,) = model.told()
    assert "too rude" in told
    assert "the question" not in told


def test_a_request_that_is_changed() -> None:
    """It is sent so; the conversation stays what it was."""
    model = Model("done")
    change = Watching(before_completion=lambda request: replace(request, messages=[UserMessage("else")], system="s"))
    outcome = run(model, change)
    assert model.told() == ["else"]
    assert model.requests[0].system == "s"
    assert outcome.unwrap().messages[0] == UserMessage("the question")


def test_a_request_that_is_refused_is_not_sent() -> None:
    """The model is told with the next one, which is a turn of its own."""
    model = Model("done")
    outcome = run(model, Watching(before_completion=[Refuse("a card number")]))
    assert len(model.requests) == 1
    assert "a card number" in model.told()[-1]
    assert outcome.unwrap().iterations == 2


def test_an_answer_that_is_changed() -> None:
    """The conversation has the changed one alone."""
    outcome = run(Model("secret"), Watching(after_completion=lambda response: replace(response, text="***")))
    assert outcome.unwrap().text == "***"
    assert "secret" not in repr(outcome.unwrap().messages)


def test_an_answer_that_is_refused() -> None:
    """The model is told, and asked again; its calls are not made."""
    model, note = Model(asks(("note", {}), text="I will note"), "done"), Probe()
    outcome = run(model, Watching(after_completion=[Refuse("no notes")]), tools=[note])
    assert outcome.unwrap().text == "done"
    assert note.calls == []
    assert model.told()[-2:] == ["I will note", "Your answer was not accepted: no notes. Answer again."]
    assert not any(getattr(message, "tool_calls", ()) for message in outcome.unwrap().messages)


def test_a_call_that_is_changed() -> None:
    """The tool gets the changed one; the answer goes to the call that the model made."""
    model, note = Model(asks(("note", {"n": 1})), "done"), Probe()
    change = Watching(before_tool=lambda call: replace(call, id="other", input={"n": 2}))
    outcome = run(model, change, tools=[note])
    assert note.calls == [{"n": 2}]
    assert [result.tool_call_id for result in results_of(outcome)] == ["c1"]
    assert next(m for m in outcome.unwrap().messages if isinstance(m, AssistantMessage)).tool_calls[0].input == {"n": 1}


def test_a_call_that_is_changed_needs_its_own_capability() -> None:
    """A guardrail grants nothing."""
    spawn = Probe(name="start", capability=Spawn(max_depth=1))
    change = Watching(before_tool=lambda call: replace(call, name="start"))
    outcome = run(Model(asks(("note", {})), "done"), change, tools=[Probe(), spawn])
    assert spawn.calls == []
    assert "capability denied" in results_of(outcome)[0].content


def test_a_call_that_is_refused() -> None:
    """It has an error result with the reason; the others are made."""
    note = Probe()
    model = Model(asks(("note", {"n": 1}), ("note", {"n": 2})), "done")
    outcome = run(model, Watching(before_tool=[Refuse("not that")]), tools=[note])
    assert note.calls == [{"n": 2}]
    assert [(result.content, result.is_error) for result in results_of(outcome)] == [
        ("note was not called: not that", True),
        ("done", False),
    ]


def test_nothing_is_run_of_an_answer_with_a_call_that_trips() -> None:
    """All calls are looked at before the first is made."""
    note = Probe()
    model = Model(asks(("note", {"n": 1}), ("note", {"n": 2})), "done")
    trip_of(run(model, Watching(before_tool=[None, Trip("no")]), tools=[note]))
    assert note.calls == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [(ToolResult("***"), ("***", False)), (Refuse("secret"), ("the result of note is withheld: secret", True))],
    ids=["changed", "refused"],
)
def test_a_result(answer: Any, said: tuple[str, bool]) -> None:
    """The model is told what the guardrail makes of it."""
    model = Model(asks(("note", {})), "done")
    outcome = run(model, Watching(after_tool=answer), tools=[Probe(lambda *_: "raw")])
    assert [(result.content, result.is_error) for result in results_of(outcome)] == [said]
    assert "raw" not in repr(model.requests)


def test_the_error_of_a_tool_is_looked_at_too() -> None:
    """What an exception says may be a secret as well; what was not run has no result."""

    def fail(*_: Any) -> str:
        raise ToolFailed("password 123")

    watching = Watching(after_tool=ToolResult("failed", is_error=True))
    outcome = run(Model(asks(("note", {}), ("unknown", {})), "done"), watching, tools=[Probe(fail)])
    failed, unknown = results_of(outcome)
    assert failed.content == "failed"
    assert "unknown tool" in unknown.content
    assert sum(entry[0] == "after_tool" for entry in watching.log) == 1


class Bill(BaseModel):
    """An output type."""

    euros: int


def test_an_output_that_is_changed() -> None:
    """The value is the changed one, and so is the text in the conversation."""
    outcome = run(
        Model('{"euros": 7}'), Watching(check_output=lambda bill: Bill(euros=bill.euros + 1)), output_type=Bill
    )
    assert outcome.unwrap() == Bill(euros=8)
    assert outcome.messages[-1] == AssistantMessage('{"euros":8}')


def test_a_text_that_is_changed_leaves_nothing_of_the_old_one() -> None:
    """Also where it came in two pieces."""
    from .doubles import cut

    outcome = run(Model(cut("a sec"), "ret"), Watching(check_output="***"))
    assert outcome.unwrap().text == "***"
    assert [message.content for message in outcome.unwrap().messages] == ["the question", "***"]


def test_an_output_that_does_not_fit_any_more_trips() -> None:
    """A guardrail has to keep to the output type."""
    tripped = trip_of(run(Model('{"euros": 7}'), Watching(check_output={"euros": "x"}), output_type=Bill))
    assert "does not fit the output_type" in tripped.reason


def test_an_output_that_is_refused_goes_back_three_times() -> None:
    """Then it trips with the last reason."""
    model = Model("no")
    tripped = trip_of(run(model, Watching(check_output=Refuse("say more"))))
    assert len(model.requests) == 4
    assert "say more" in tripped.reason
    assert model.told()[-1] == "Your answer was not accepted: say more. Answer again."


@pytest.mark.parametrize("stage", ["before_completion", "after_completion"])
def test_one_that_refuses_for_ever_ends_by_the_limits(stage: str) -> None:
    """Each is a turn."""
    model = Model("no")
    manifest = AgentManifest(name="bot", resources={"max_iterations": 5})
    outcome = run(model, Watching(**{stage: Refuse("never")}), manifest=manifest)
    assert isinstance(outcome.error, IterationsExceeded)
    assert len(model.requests) == (5 if stage == "after_completion" else 0)


def test_what_is_refused_is_paid() -> None:
    """Each answer counts, also one that is not taken."""
    budget = Budget()
    outcome = run(Model("no", "yes"), Watching(after_completion=[Refuse("again")]), budget=budget)
    assert outcome.usage.total == budget.spent.tokens == 30


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_changed_in_place_changes_nothing(stage: str) -> None:
    """Each is given a copy."""

    def spoil(*seen: Any) -> None:
        for each in seen:
            calls = [each] if isinstance(each, ToolCall) else getattr(each, "tool_calls", ())
            for message in getattr(each, "messages", ()):
                calls = [*calls, *getattr(message, "tool_calls", ())]
            for call in calls:
                call.input["n"] = 99
            for one in getattr(each, "tools", ()):
                one.input_schema["type"] = "array"
            if isinstance(each, Bill):
                each.euros = 99

    note, model = Probe(), Model(asks(("note", {"n": 1})), '{"euros": 7}')
    outcome = run(model, Watching(**{stage: spoil}), tools=[note], output_type=Bill)
    assert note.calls == [{"n": 1}]
    assert note.definition.input_schema == {"type": "object"}
    assert outcome.unwrap() == Bill(euros=7)
    assert next(m for m in outcome.messages if isinstance(m, AssistantMessage)).tool_calls[0].input == {"n": 1}


def test_a_slow_one_is_cancelled_with_its_agent() -> None:
    """Its answer counts no more."""
    gate = Gate()

    def look(query: Any, cancel: Any = None) -> str:
        gate.arrive()
        return "late"

    with AgentPool(Model("done").driver, 1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=[guardrail("check_input")(look)]))
        gate.await_reached()
        handle.cancel("enough")
        gate.open()
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


# Text as it comes -----------------------------------------------------------------------------------------------


def text_of(model: Any, *guardrails: Any, **fields: Any) -> list[str]:
    """What a reader of the agent's text is told."""
    with AgentPool(model, 1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=guardrails, **fields))
        return list(handle.text())


@pytest.mark.parametrize("stage", ["after_completion", "check_output"])
def test_nobody_is_told_what_did_not_pass(stage: str) -> None:
    """The text of an answer is told once the guardrails that look at it have let it pass."""
    assert text_of(Model("a secret", "fine").driver, Watching(**{stage: [Refuse("no")]})) == ["fine"]
    assert text_of(Model("a secret").driver, Watching(**{stage: Trip("no")})) == []


def test_a_reader_is_told_the_changed_text() -> None:
    """By whichever it was changed."""
    change = Watching(after_completion=lambda response: replace(response, text="b"), check_output="c")
    assert text_of(Model("a").driver, change) == ["c"]
    change = Watching(after_completion=lambda response: replace(response, text="b"))
    assert text_of(Model("a").driver, change) == ["b"]


def test_text_comes_in_pieces_where_nobody_looks_at_it() -> None:
    """A guardrail of tools holds nothing back."""
    seen = text_of(Model("done").driver, guardrail("before_tool")(lambda call: None))
    assert seen == ["done"]


class Pieces(FunctionDriver):
    """Gives its answer in pieces, and lets the test stand between two of them."""

    has_pieces = True

    def __init__(self, *pieces: str, between: Callable[[int], object] = lambda _: None) -> None:
        super().__init__(lambda _: "".join(pieces))
        self.pieces = pieces
        self.between = between

    def stream(self, request: CompletionRequest, on_event: Any, *, cancel: Any) -> CompletionResponse:
        for number, piece in enumerate(self.pieces):
            cancel.check()
            self.between(number)
            on_event(TextDelta.model_construct(text=piece, attempt=1))
        return CompletionResponse("".join(self.pieces))


def test_pieces_are_held_until_the_answer_has_passed() -> None:
    """Then they are told."""
    assert text_of(Pieces("a", "b"), Watching(check_output=None)) == ["ab"]
    assert text_of(Pieces("a", "b"), Watching(check_output=Trip("no"))) == []


# Beside the first completion ------------------------------------------------------------------------------------


class Waiting(FunctionDriver):
    """A driver whose first answer comes when it is cancelled, or let go; it notes how many were asked and cancelled."""

    def __init__(self, answer: Any = "done") -> None:
        super().__init__(lambda _: answer)
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.requests: list[CompletionRequest] = []
        self.cancelled: list[str] = []

    def complete(self, request: CompletionRequest, *, cancel: Any) -> CompletionResponse:
        self.requests.append(request)
        if len(self.requests) == 1:
            cancel.on_cancel(self.let_go.set)
            self.asked.set()
            assert self.let_go.wait(BOUND)
            if cancel.cancelled:
                self.cancelled.append(cancel.reason)
                error = Cancelled(cancel.reason)
                error.tokens = 7, 0
                raise error
        return super().complete(request, cancel=cancel)


def beside(driver: Waiting, answer: Any) -> Any:
    """A guardrail that answers when the completion is under way."""

    @guardrail("check_input", concurrent=True)
    def look(query: str) -> Any:
        assert driver.asked.wait(BOUND)
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            driver.let_go.set()
        return answer

    return look


def test_the_input_is_checked_beside_the_first_completion() -> None:
    """Both are under way at the same time; the answer counts when the input passes."""
    driver = Waiting()
    outcome = run_llm(driver, guardrails=[beside(driver, None)])
    assert outcome.unwrap().text == "done"
    assert len(driver.requests) == outcome.unwrap().iterations == 1


@pytest.mark.parametrize("answer", [Trip("no"), KeyError("k")], ids=["trip", "raise"])
def test_a_completion_is_cancelled_when_its_input_trips(answer: Any) -> None:
    """At once, and what it had used is paid."""
    driver, budget = Waiting(), Budget()
    outcome = run_llm(driver, guardrails=[beside(driver, answer)], budget=budget)
    assert trip_of(outcome).stage == "check_input"
    assert driver.cancelled
    assert outcome.usage.total == budget.spent.tokens == 7


@pytest.mark.parametrize("answer", ["else", Refuse("rude")], ids=["changed", "refused"])
def test_a_completion_is_dropped_when_its_input_does_not_stand(answer: Any) -> None:
    """It is asked about what the input has become, in another turn."""
    driver, budget = Waiting(), Budget()
    manifest = AgentManifest(name="bot", resources={"max_tokens_budget": 1000})
    outcome = run_llm(driver, guardrails=[beside(driver, answer)], budget=budget, manifest=manifest)
    assert outcome.unwrap().text == "done"
    assert outcome.unwrap().iterations == len(driver.requests) == 2
    assert "the question" not in repr(driver.requests[1].messages)
    assert outcome.usage.total == budget.spent.tokens == 7


@pytest.mark.parametrize("answer", ["else", Trip("no")], ids=["changed", "tripped"])
def test_an_answer_that_is_there_first_counts_for_nothing(answer: Any) -> None:
    """No tool is called before the ruling, and none after one that it does not survive."""
    note, finished = Probe(), threading.Event()
    model = Model(asks(("note", {}), usage=USAGE), "done")

    @guardrail("check_input", concurrent=True)
    def look(query: str) -> Any:
        assert finished.wait(BOUND)
        return answer

    def tell(event: Any) -> None:
        if type(event).__name__ == "CompletionFinished":
            finished.set()

    outcome = run(model, look, tools=[note], on_event=tell)
    assert note.calls == []
    assert outcome.usage == USAGE if isinstance(answer, Trip) else outcome.usage.total == 2 * USAGE.total


@pytest.mark.parametrize("answer", [Trip("no"), KeyError("k")], ids=["trip", "raise"])
def test_a_driver_that_heeds_no_cancel_is_left_behind(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent ends before it answers; what that has cost is charged all the same."""
    monkeypatch.setattr("actors.agent.loop.input_race.PATIENCE", 0.01)
    begun, let_go, budget = threading.Event(), threading.Event(), Budget()

    def deaf(request: CompletionRequest) -> CompletionResponse:
        begun.set()
        assert let_go.wait(BOUND)
        return CompletionResponse("too late", usage=USAGE)

    @guardrail("check_input", concurrent=True)
    def look(query: str) -> Any:
        assert begun.wait(BOUND)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    with AgentPool(FunctionDriver(deaf), 1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=[look], budget=budget))
        assert trip_of(handle.outcome(BOUND)).stage == "check_input"
        assert not let_go.is_set()
        let_go.set()
    assert budget.spent.tokens == USAGE.total


def test_an_agent_can_be_cancelled_while_both_are_under_way() -> None:
    """Neither holds it."""
    driver = Waiting()
    gate = Gate()

    @guardrail("check_input", concurrent=True)
    def look(query: str, cancel: Any) -> None:
        gate.note()
        cancel.wait(BOUND)
        cancel.check()

    with AgentPool(driver, 1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=[look]))
        gate.await_reached()
        assert driver.asked.wait(BOUND)
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


def test_the_failure_of_the_completion_is_the_agents() -> None:
    """When the input passes."""
    outcome = run(Model(asks()), guardrail("check_input", concurrent=True)(lambda query: None))
    assert outcome.unwrap().is_empty
    broken = FunctionDriver(lambda request: request.messages[99])
    outcome = run_llm(broken, guardrails=[guardrail("check_input", concurrent=True)(lambda query: None)])
    assert "IndexError" in str(outcome.error)


def test_text_is_told_from_the_ruling_on() -> None:
    """Pieces that came before it are held; those after it come at once."""
    ruled, told = threading.Event(), threading.Event()
    pieces: list[str] = []

    def between(number: int) -> None:
        if number == 1:
            assert pieces == []
            ruled.set()
        if number > 1:
            assert told.wait(BOUND)

    @guardrail("check_input", concurrent=True)
    def look(query: str) -> None:
        assert ruled.wait(BOUND)

    driver = Pieces("a", "b", "c", between=between)
    with AgentPool(driver, 1, on_event=lambda event: told.set() if isinstance(event, TextDelta) else None) as pool:
        told.set()
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q", guardrails=[look]))
        pieces.extend(handle.text())
    assert "".join(pieces) == "abc"


# Children -------------------------------------------------------------------------------------------------------


def test_a_child_can_not_get_round_the_guardrails_of_its_parent() -> None:
    """What a model starts with ``spawn_agent`` is asked the same between its doors."""
    log: list[Any] = []
    watching, note = (
        Watching("parent", log, before_tool=lambda call: Refuse("no") if call.name == "note" else None),
        Probe(),
    )
    model = Model(asks(("spawn_agent", {"task": "note it"})), asks(("note", {})), "child", "parent")
    manifest = AgentManifest(name="bot", capabilities=[Spawn(max_depth=1)])
    outcome = run(model, watching, tools=[spawn_agent, note], manifest=manifest)
    assert outcome.unwrap().text == "parent"
    assert note.calls == []
    assert [entry[2] for entry in log if entry[1] == "check_input"] == ["the question"]
    assert [entry[2] for entry in log if entry[1] == "check_output"] == ["parent"]


def test_a_childs_own_guardrail_changes_nothing_behind_its_parents_back() -> None:
    """The parent's sees the call as it is made."""
    seen: list[Any] = []
    note = Probe()

    @guardrail("before_tool")
    def strict(call: ToolCall) -> Any:
        seen.append(call.input)
        return Refuse("no") if call.input.get("n") == 2 else None

    @guardrail("before_tool")
    def sly(call: ToolCall) -> ToolCall:
        return replace(call, input={"n": 2})

    @tool(capability=Spawn(max_depth=0))
    def start(*, agent: Any) -> str:
        """Start one."""
        config = SpawnConfig(AgentManifest(name="child"), "q", agent=LlmAgent, guardrails=[sly])
        return str(agent.spawn(config).result(BOUND).text)

    model = Model(asks(("start", {})), asks(("note", {"n": 1})), "child", "parent")
    manifest = AgentManifest(name="bot", capabilities=[Spawn(max_depth=1)])
    run(model, strict, tools=[start, note], manifest=manifest).unwrap()
    assert seen == [{}, {"n": 2}]
    assert note.calls == []


def test_the_guardrails_hold_below_an_agent_of_ones_own() -> None:
    """It has none to ask, and hands them down."""
    note = Probe()

    class Between(Agent[str]):
        def run(self, query: Any) -> str:
            return str(self.spawn(SpawnConfig(AgentManifest(name="leaf"), "q")).result(BOUND).text)

    @tool(capability=Spawn(max_depth=0))
    def start(*, agent: Any) -> str:
        """Start one."""
        between = AgentManifest(name="between", capabilities=[Spawn(max_depth=1)])
        return str(agent.spawn(SpawnConfig(between, "q", agent=Between)).result(BOUND))

    model = Model(asks(("start", {})), asks(("note", {})), "leaf", "top")
    manifest = AgentManifest(name="bot", capabilities=[Spawn(max_depth=2)])
    guard = Watching(before_tool=lambda call: Refuse("no") if call.name == "note" else None)
    assert run(model, guard, tools=[start, note], manifest=manifest).unwrap().text == "top"
    assert note.calls == []


def test_one_that_is_given_twice_is_asked_once() -> None:
    """A kin's manifest names what its parent has, too."""
    watching = Watching()
    run(Model("done"), watching, watching)
    assert [entry[0] for entry in watching.log].count("check_input") == 1


# In a manifest --------------------------------------------------------------------------------------------------

SHOP = """
from actors import Guardrail, Refuse, Trip

class Strict(Guardrail):
    def check_output(self, value):
        return Refuse("be polite") if "rude" in value else None

strict = Strict()

def check_input(query):
    return Trip("not that") if "bomb" in query else None

number = 5
"""


def shop(folder: Path, table: str) -> AgentManifest:
    """A manifest beside a module with guardrails."""
    (folder / "shop_rails.py").write_text(SHOP)
    (folder / "agent.toml").write_text(f'name = "shop"\n\n[guardrails]\n{table}\n')
    return AgentManifest.load(folder / "agent.toml")


def test_a_manifest_names_them(tmp_path: Path) -> None:
    """From modules beside it."""
    manifest = shop(tmp_path, 'use = ["shop_rails:strict", "shop_rails:check_input"]\nconcurrent = true')
    assert run_llm(Model("rude", "kind").driver, manifest=manifest).unwrap().text == "kind"
    assert trip_of(run_llm(Model("kind").driver, "a bomb", manifest=manifest)).guardrail == "check_input"


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("shop_rails:Strict", "guardrails.use.0: Strict is a class"),
        ("shop_rails:number", "guardrails.use.0: 5 is no guardrail"),
        ("shop_rails:nobody", "guardrails.use.0: module 'shop_rails' has no 'nobody'"),
    ],
    ids=["class", "number", "nobody"],
)
def test_what_a_manifest_names_in_vain(use: str, said: str, tmp_path: Path) -> None:
    """It is refused with its place, before anything is started."""
    manifest = shop(tmp_path, f'use = ["{use}"]')
    with AgentPool(Model("done").driver, 1) as pool, pytest.raises(ManifestError) as refused:
        pool.spawn(SpawnConfig(manifest, "q"))
    assert said in refused.value.problems[0]


def test_a_thousand_agents_share_one() -> None:
    """Each is asked about its own."""
    lock = threading.Lock()
    seen: list[str] = []

    class Shared(Guardrail):
        def check_input(self, query: str) -> str:
            with lock:
                seen.append(query)
            return f"{query}!"

    shared, driver = Shared(), FunctionDriver(lambda request: request.messages[-1].content)
    with AgentPool(driver, 8) as pool:
        configs = [SpawnConfig(AgentManifest(), str(number), guardrails=[shared]) for number in range(1000)]
        answers = [outcome.unwrap().text for outcome in pool.map(configs)]
    assert answers == [f"{number}!" for number in range(1000)]
    assert sorted(seen, key=int) == [str(number) for number in range(1000)]


# Beside other things --------------------------------------------------------------------------------------------


def test_somebody_approves_the_call_as_it_is_made() -> None:
    """Who is asked sees what the guardrail has made of it; of what it refuses nobody is asked."""
    asked: list[Any] = []
    manifest = AgentManifest(name="bot", approval={"tools": ["note"]})
    guard = Watching(before_tool=lambda call: Refuse("no") if call.input["n"] == 1 else replace(call, input={"n": 3}))
    model, note = Model(asks(("note", {"n": 1}), ("note", {"n": 2})), "done"), Probe()
    with AgentPool(model.driver, 1, tools=ToolRegistry([note])) as pool:
        handle = pool.spawn(SpawnConfig(manifest, "q", guardrails=[guard]))
        for event in handle.events():
            if type(event).__name__ == "ApprovalRequested":
                asked.append(event.input)
                handle.approve(event.call_id)
        assert handle.outcome(BOUND).unwrap().text == "done"
    assert asked == note.calls == [{"n": 3}]


def test_a_query_of_parts() -> None:
    """A guardrail sees the parts, and may put others, or a text, in their place."""
    seen: list[Any] = []

    @guardrail("check_input")
    def look(query: Any) -> Any:
        seen.append(query)
        return [query[0], "and no image"] if len(seen) == 1 else "a text"

    model = Model("done")
    for _ in range(2):
        run(model, look, query=["look", TextPart("at this")]).unwrap()
    assert seen[0] == (TextPart("look"), TextPart("at this"))
    assert model.told(0) == [(TextPart("look"), TextPart("and no image"))]
    assert model.told(1) == ["a text"]


def test_a_stored_turn_has_the_query_as_the_model_got_it(tmp_path: Path) -> None:
    """A session keeps nothing that was taken out on the way in, or of the way out."""
    model = Model("my card is 1234", "done")
    hide = Watching(check_input=lambda query: query.replace("secret", "***"), check_output="my card is ****")
    with AgentPool(model.driver, 1, sessions=tmp_path / "s.db") as pool:
        pool.spawn(SpawnConfig(AgentManifest(), "a secret", guardrails=[hide], session="s")).result(BOUND)
        hide.answers.clear()
        pool.spawn(SpawnConfig(AgentManifest(), "more", guardrails=[hide], session="s")).result(BOUND)
    assert model.told() == ["a ***", "my card is ****", "more"]
