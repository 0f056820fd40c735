"""What an agent has bought is not bought again: by a restart, or by the next process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentState,
    AgentStatus,
    ApprovalDecided,
    ApprovalRequested,
    Backoff,
    Budget,
    CompletionFinished,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    InMemorySubstrate,
    IterationsExceeded,
    JournalChanged,
    JournalFailed,
    LlmAgent,
    ModelNotFound,
    NetworkError,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    TextDelta,
    TokensExceeded,
    TokenUsage,
    ToolEnded,
    ToolRegistry,
    ToolStarted,
    UserMessage,
    needs_approval,
    tool,
)
from actors.agents import AssistantMessage
from actors.tools.inference import inference_tool

from ..waiting import BOUND, Gate, eventually
from .doubles import Probe, asks, cut
from .ledgers import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors import Event

AT_ONCE = RestartPolicy(max_restarts=100, backoff=Backoff(base=0, jitter=0))
USAGE = TokenUsage(10, 5)


class Model:
    """A model that answers by how far the conversation is, and notes what it was asked.

    Args:
        answers: By how many answers the conversation has; an exception is raised once.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.requests: list[CompletionRequest] = []

    def __call__(self, request: CompletionRequest) -> Any:
        turn = sum(isinstance(message, AssistantMessage) for message in request.messages)
        self.asked.append(turn)
        self.requests.append(request)
        answer = self.answers[turn]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, BaseException):
            raise answer
        return CompletionResponse(answer, usage=USAGE) if isinstance(answer, str) else answer

    @property
    def driver(self) -> FunctionDriver:
        """The driver that asks it."""
        return FunctionDriver(self)


def wants(*calls: tuple[str, dict[str, Any]]) -> CompletionResponse:
    """An answer that asks for tools, and was paid."""
    return asks(*calls, usage=USAGE)


def config(**fields: Any) -> SpawnConfig[Any]:
    """The agent of these tests."""
    manifest = fields.pop("manifest", None) or AgentManifest(name="bot", resources=fields.pop("resources", {}))
    return SpawnConfig(manifest, fields.pop("query", "q"), **fields)


def twice(desk: Desk, model: Model, tools: Sequence[Any] = (), **fields: Any) -> tuple[Any, Any, list[Event]]:
    """The outcomes of two processes, the first without what *first* takes away, and the events of the second."""
    events: list[Event] = []
    with desk.process(model.driver, tools=ToolRegistry(tools)) as pool:
        first = pool.spawn(config(**fields)).outcome(BOUND)
    with desk.process(model.driver, tools=ToolRegistry(tools), on_event=events.append) as pool:
        second = pool.spawn(config(**fields)).outcome(BOUND)
    return first, second, events


# Restarts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crash_at", range(4))
def test_a_restart_buys_nothing_again(crash_at: int) -> None:
    """Wherever the agent crashes: each answer is bought once, each call made once, and all is counted once."""
    answers: list[Any] = [wants(("note", {"n": turn})) for turn in range(3)] + ["done"]
    answers[crash_at] = [ValueError("boom"), answers[crash_at]]
    model, note = Model(*answers), Probe()
    budget = Budget()
    with AgentPool(model.driver, tools=ToolRegistry([note]), restart=AT_ONCE, budget=budget) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    result = outcome.unwrap()
    assert (outcome.restarts, result.text) == (1, "done")
    assert model.asked == sorted([0, 1, 2, 3, crash_at])
    assert note.calls == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert (outcome.usage, outcome.tool_calls) == (TokenUsage(40, 20), 3)
    assert (budget.spent.tokens, budget.spent.tool_calls) == (60, 3)
    assert outcome.iterations == budget.spent.iterations == 5  # the turn that broke off was one, too


def test_many_crashes() -> None:
    """The ping-pong counter does not take what is recalled for a repetition, nor do cut answers add up."""
    answers = [[ValueError("a"), cut("1")], [ValueError("b"), wants(("note", {}))], [ValueError("c")] * 5 + ["done"]]
    model, note = Model(*answers), Probe()
    with AgentPool(model.driver, tools=ToolRegistry([note]), restart=AT_ONCE) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert outcome.unwrap().text == "done"
    assert (outcome.restarts, outcome.tool_calls, len(note.calls)) == (7, 1, 1)


def test_a_restart_in_a_subclass() -> None:
    """What crashes after the answer is met with the same answer again, also where it asks twice."""
    crashes = iter([True, True, False])

    class Twofold(LlmAgent[str]):
        def run(self, query: Any) -> str:
            first, second = super().run(f"{query} 1"), super().run(f"{query} 2")
            if next(crashes):
                raise ValueError("boom")
            return f"{first.text} {second.text}"

    answers = iter(["one", "two"])
    driver = FunctionDriver(lambda _: next(answers))
    memory = InMemorySubstrate()
    with AgentPool(driver, memory=memory, restart=AT_ONCE) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", agent=Twofold)).outcome(BOUND)
    assert (outcome.unwrap(), outcome.restarts, outcome.iterations) == ("one two", 2, 2)
    assert len(memory.recall("Q A one two", 10)) == 2


def test_a_restart_that_asks_something_else() -> None:
    """Nobody is told: it goes on live from there, and that counts."""
    queries = iter(["first", "second"])

    class Fickle(LlmAgent[str]):
        def run(self, query: Any) -> str:
            asked = next(queries)
            answer = super().run(asked)
            if asked == "first":
                raise ValueError("boom")
            return str(answer.text)

    model = Model("answer")
    with AgentPool(model.driver, restart=AT_ONCE) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", agent=Fickle)).outcome(BOUND)
    assert [request.messages[0].content for request in model.requests] == ["first", "second"]
    assert (outcome.iterations, outcome.usage) == (2, TokenUsage(20, 10))


def test_tries_that_failed_and_were_paid() -> None:
    """They belong to the answer, in the next process, too."""
    failed = NetworkError("cut", retry_after=0.0)
    failed.tokens = (7, 3)
    model, desk, budget = Model([failed, "done"]), Desk(), Budget()
    first, second, events = twice(desk, model, budget=budget)
    assert model.asked == [0, 0]
    assert first.usage == second.usage == TokenUsage(17, 8)
    assert [(event.input_tokens, event.recalled) for event in events if isinstance(event, CompletionFinished)] == [
        (7, True),
        (10, True),
    ]
    assert budget.spent.tokens == 50


@pytest.mark.parametrize("last", [ModelNotFound("gone"), ValueError("boom")])
def test_tries_that_were_paid_for_no_answer(last: Exception) -> None:
    """They are no answer: the next process asks again, and counts them, once each; so does the one after it."""
    tries: list[Any] = []
    for number in range(3):
        paid = NetworkError("cut", retry_after=0.0)
        paid.tokens = (7, number)
        tries += [paid, last]
    model, desk, budget, seen = Model([*tries[:4], "done"]), Desk(), Budget(), []
    events: list[Event] = []
    for _ in range(4):
        with desk.process(model.driver, restart=None, on_event=events.append, budget=budget) as pool:
            seen.append(pool.spawn(config()).outcome(BOUND))
    assert model.asked == [0] * 5
    assert [outcome.ok for outcome in seen] == [False, False, True, True]
    used = [TokenUsage(7, 0), TokenUsage(14, 1), TokenUsage(24, 6), TokenUsage(24, 6)]
    assert [outcome.usage for outcome in seen] == used
    assert [outcome.iterations for outcome in seen] == [1, 1, 1, 1]
    assert budget.spent.tokens == sum(usage.total for usage in used)
    assert desk.papers["bot"].paths("raised") == ["0", "0"]


def test_tries_that_were_paid_count_for_the_guard() -> None:
    """What an earlier process has paid in vain may be the last that the limit allows: nothing more is bought."""
    paid = NetworkError("cut", retry_after=0.0)
    paid.tokens = (7, 3)
    model, desk = Model([paid, "done"]), Desk()
    first, second, _ = twice(desk, model, resources={"max_tokens_budget": 9})
    assert (type(first.error), type(second.error)) == (TokensExceeded, TokensExceeded)
    assert model.asked == [0]


def test_tries_that_were_paid_before_a_cancel() -> None:
    """They are known, too."""
    paid = NetworkError("cut", retry_after=100.0)
    paid.tokens = (7, 3)
    model, desk = Model([paid, "done"]), Desk()
    with desk.process(model.driver) as pool:
        handle = pool.spawn(config())
        eventually(lambda: handle._cell.state_and_place()[0] is AgentState.IN_BACKOFF)
        handle.cancel()
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    with desk.process(model.driver) as pool:
        assert pool.spawn(config()).outcome(BOUND).usage == TokenUsage(17, 8)


def test_a_budget_that_breaks_with_the_answer() -> None:
    """It was bought, so it is there: the next process buys nothing, and breaks at the same place."""
    model, desk = Model(wants(("note", {})), "done"), Desk()
    note = Probe()
    first, second, _ = twice(desk, model, [note], resources={"max_tokens_budget": 10})
    assert (type(first.error), type(second.error)) == (TokensExceeded, TokensExceeded)
    assert (model.asked, note.calls) == ([0], [])


# Another process ------------------------------------------------------------------------------------------------


def test_another_process_buys_nothing_again() -> None:
    """No driver, no tool, no event of a call; what was spent is counted once more, for the new process."""
    model, note, desk, budget = Model(wants(("note", {"n": 1})), "done"), Probe(), Desk(), Budget()
    first, second, events = twice(desk, model, [note], budget=budget)
    assert (model.asked, note.calls) == ([0, 1], [{"n": 1}])
    assert second.unwrap() == first.unwrap()
    assert (second.usage, second.iterations, second.tool_calls) == (TokenUsage(20, 10), 2, 1)
    assert (budget.spent.tokens, budget.spent.iterations, budget.spent.tool_calls) == (60, 4, 2)
    assert [event for event in events if isinstance(event, ToolStarted | ToolEnded | TextDelta)] == []
    assert [event.recalled for event in events if isinstance(event, CompletionFinished)] == [True, True]
    paper = desk.papers["bot"]
    assert paper.paths() == ["0", "0.0", "1"]
    assert paper.paths("begun") == ["0.0"]


def test_limits_hold_over_a_crash() -> None:
    """What was recalled counts: the guard breaks where it would have."""
    model, desk = Model(*(wants(("note", {"n": turn})) for turn in range(9))), Desk()
    desk.papers["bot"].room = 8  # two turns of three lines, and one answer
    note = Probe()
    with desk.process(model.driver, tools=ToolRegistry([note])) as pool:
        assert isinstance(pool.spawn(config(resources={"max_iterations": 3})).outcome(BOUND).error, JournalFailed)
    desk.papers["bot"].room = None
    with desk.process(model.driver, tools=ToolRegistry([note])) as pool:
        outcome = pool.spawn(config(resources={"max_iterations": 3})).outcome(BOUND)
    assert isinstance(outcome.error, IterationsExceeded)
    assert model.asked == [0, 1, 2]
    assert [call["n"] for call in note.calls] == [0, 1, 2][: len(note.calls)]


def test_a_spent_budget_refuses_only_what_is_new() -> None:
    """What is recalled was paid before."""
    model, desk = Model(wants(("note", {})), "done"), Desk()
    with desk.process(model.driver, tools=ToolRegistry([Probe()])) as pool:
        pool.spawn(config()).outcome(BOUND)
    spent = Budget(max_tokens=1, max_iterations=1, max_tool_calls=1)
    with desk.process(model.driver, tools=ToolRegistry([Probe()]), budget=spent) as pool:
        assert pool.spawn(config()).outcome(BOUND).unwrap().text == "done"
    assert (spent.spent.iterations, spent.spent.tool_calls, spent.spent.tokens) == (2, 1, 30)


def test_what_a_tool_asked_a_model_is_counted() -> None:
    """Its completions belong to its call."""
    model, desk, budget = Model(wants(("ask_model", {"prompt": "?"})), "done"), Desk(), Budget()
    inner = ScriptedDriver([CompletionResponse("inner", usage=TokenUsage(100, 1))])
    ask_model = inference_tool(driver=inner)
    manifest = AgentManifest(name="bot", capabilities=[{"type": "inference"}])
    first, second, _ = twice(desk, model, [ask_model], budget=budget, manifest=manifest)
    assert first.usage == second.usage == TokenUsage(120, 11)
    assert budget.spent.tokens == 2 * 131
    assert len(inner.requests) == 1


def test_results_that_are_refusals() -> None:
    """Unknown tools, the third time the same, a failure, a time-out: the model is told the same again."""
    gate = Gate()

    def stuck(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        gate.arrive()
        return "late"

    def fails(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        raise ValueError("no \ud800")

    tools = [Probe(stuck, name="stuck", timeout=0.01), Probe(fails, name="fails"), Probe(name="note")]
    calls = [("stuck", {}), ("fails", {}), ("unknown", {}), ("note", {}), ("note", {}), ("note", {})]
    model, desk, budget = Model(wants(*calls), "done"), Desk(), Budget()
    with desk.process(model.driver, tools=ToolRegistry(tools)) as pool:
        first = pool.spawn(config()).outcome(BOUND)
        gate.open()
    with desk.process(model.driver, tools=ToolRegistry(tools), budget=budget) as pool:
        second = pool.spawn(config()).outcome(BOUND)
    assert second.unwrap().messages == first.unwrap().messages
    told = [message.content for message in first.unwrap().messages if hasattr(message, "tool_call_id")]
    assert told[0] == "stuck timed out after 0.01 s"
    assert "ping-pong" in told[5]
    assert model.asked == [0, 1]
    assert (second.tool_calls, budget.spent.tool_calls) == (first.tool_calls, 4)


def test_a_late_result_changes_nothing() -> None:
    """Timed out stands, in the conversation and on paper."""
    gate, ended = Gate(), threading.Event()

    def stuck(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        gate.arrive()
        return "late"

    class Watched(Probe):
        def execute(self, input: Any, *, cancel: Any, agent: Any) -> Any:  # noqa: A002
            try:
                return super().execute(input, cancel=cancel, agent=agent)
            finally:
                ended.set()

    desk = Desk()

    def answer(request: CompletionRequest) -> Any:
        if len(request.messages) == 1:
            return wants(("stuck", {}))
        gate.open()
        assert ended.wait(BOUND)
        return "done"

    with desk.process(FunctionDriver(answer), tools=ToolRegistry([Watched(stuck, name="stuck", timeout=0.01)])) as pool:
        pool.spawn(config()).outcome(BOUND).unwrap()
    assert desk.papers["bot"].paths() == ["0", "0.0", "1"]
    assert "timed out" in str(desk.ledgers[0].entries["0.0"].data["content"])


def test_a_result_that_comes_after_the_cancel_is_kept() -> None:
    """The effect was done: the next process knows."""
    gate = Gate()

    def slow(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        gate.arrive()
        return "paid"

    model, desk, pay = Model(wants(("pay", {})), "done"), Desk(), Probe(slow, name="pay")
    with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
        handle = pool.spawn(config())
        gate.await_reached()
        handle.cancel("enough")
        gate.open()
        assert handle.outcome(BOUND).status in (AgentStatus.CANCELLED, AgentStatus.ABANDONED)
    with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert [message.content for message in outcome.unwrap().messages][2] == "paid"
    assert len(pay.calls) == 1


# What else has to be the same -----------------------------------------------------------------------------------


def test_messages_are_heard_again() -> None:
    """Word for word, at the same turn; what comes later is heard when the agent is live again."""
    desk = Desk()
    model = Model(wants(("note", {})), [ValueError("boom"), "done"])

    def write(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        agent.send(agent.agent_id, "h\u00e9llo \U0001f600")
        return "sent"

    with desk.process(model.driver, tools=ToolRegistry([Probe(write)]), restart=AT_ONCE) as pool:
        first = pool.spawn(config()).outcome(BOUND)
    with desk.process(model.driver, tools=ToolRegistry([Probe(write)])) as pool:
        second = pool.spawn(config()).outcome(BOUND)
    assert second.unwrap().messages == first.unwrap().messages
    assert first.unwrap().messages[3] == UserMessage("[message from agent 1 (id 1)] h\u00e9llo \U0001f600")
    assert model.asked == [0, 1, 1]
    assert desk.papers["bot"].paths() == ["0", "0.0", "1/@heard", "1"]


@pytest.mark.parametrize("is_there", [True, False])
def test_memories_are_recalled_again(is_there: bool) -> None:
    """Those that the first life had, also when there were none; the answer is remembered once."""
    desk, memory = Desk(), InMemorySubstrate()
    if is_there:
        memory.remember("bot", "the query q is old")
    model = Model([ValueError("boom"), "done"])
    with desk.process(model.driver, memory=memory, restart=AT_ONCE) as pool:
        first = pool.spawn(config()).outcome(BOUND)
    memory.remember("bot", "another q")
    with desk.process(model.driver, memory=memory) as pool:
        second = pool.spawn(config()).outcome(BOUND)
    assert second.unwrap().messages == first.unwrap().messages
    assert len({request.system for request in model.requests}) == 1
    assert ("the query q is old" in (model.requests[0].system or "")) is is_there
    assert desk.papers["bot"].paths() == ["@memories", "0", "@remembered"]
    assert len(memory.recall("q done", 10)) == 2 + is_there


def test_answers_of_a_type() -> None:
    """They are read again, with the corrections that they needed."""
    model, desk = Model("no", "[1, 2]"), Desk()
    first, second, _ = twice(desk, model, output_type=list[int])
    assert first.unwrap() == second.unwrap() == [1, 2]
    assert model.asked == [0, 1]


def test_what_a_tool_does_to_its_arguments_is_no_change() -> None:
    """They count as the model sent them."""

    def spoil(input: Any, cancel: Any, agent: Any) -> str:  # noqa: A002
        input.clear()
        return "spoilt"

    model, desk = Model(wants(("note", {"n": 1})), "done"), Desk()
    first, second, _ = twice(desk, model, [Probe(spoil)])
    assert (first.status, second.status) == (AgentStatus.COMPLETED, AgentStatus.COMPLETED)
    assert model.asked == [0, 1]


# What is not the same -------------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[], dict[str, Any]]] = {
    "system prompt": lambda: {"manifest": AgentManifest(name="bot", model={"system_prompt": "other"})},
    "model": lambda: {"manifest": AgentManifest(name="bot", privacy="standard", model={"remote_model": "other"})},
    "settings": lambda: {"manifest": AgentManifest(name="bot", model={"temperature": 0.9})},
    "message 1": lambda: {"query": "another"},
    "more messages": lambda: {"messages": [UserMessage("q")], "query": "q"},
}


@pytest.mark.parametrize(("what", "changed"), CHANGES.items(), ids=CHANGES)
def test_what_changed_is_named(what: str, changed: Callable[[], dict[str, Any]]) -> None:
    """Before anything is bought."""
    model, desk = Model("done"), Desk()
    with desk.process(model.driver) as pool:
        pool.spawn(config()).outcome(BOUND)
    with desk.process(model.driver) as pool:
        error = pool.spawn(config(**changed())).outcome(BOUND).error
    assert isinstance(error, JournalChanged)
    assert (error.path, error.what) == ("0", what)
    assert model.asked == [0]


def test_changed_tools_are_named() -> None:
    """Their definitions are part of the request."""
    model, desk = Model(wants(("note", {})), "done"), Desk()
    with desk.process(model.driver, tools=ToolRegistry([Probe()])) as pool:
        pool.spawn(config()).outcome(BOUND)
    with desk.process(model.driver, tools=ToolRegistry([Probe(), Probe(name="more")])) as pool:
        error = pool.spawn(config()).outcome(BOUND).error
    assert isinstance(error, JournalChanged)
    assert (error.path, error.what) == ("0", "tools")


def test_another_model_of_the_driver_is_named() -> None:
    """The request asks for the driver's own."""
    model, desk = Model("done"), Desk()
    driver = model.driver
    driver.model = "one"  # type: ignore[attr-defined]
    with desk.process(driver) as pool:
        pool.spawn(config()).outcome(BOUND)
    driver.model = "two"  # type: ignore[attr-defined]
    with desk.process(driver) as pool:
        error = pool.spawn(config()).outcome(BOUND).error
    assert isinstance(error, JournalChanged)
    assert error.what == "model"


def test_what_is_set_aside_is_bought_anew() -> None:
    """From the first that differs on; what stood before it is recalled."""
    model, desk = Model(wants(("look", {})), "done"), Desk(reruns=True)
    seen = iter(["first", "second"])

    @tool(effect="idempotent")
    def look() -> str:
        """Looks."""
        return next(seen)

    with desk.process(model.driver, tools=ToolRegistry([look])) as pool:
        pool.spawn(config()).outcome(BOUND)
    del desk.papers["bot"].lines[1]  # the end of the call is lost, and the answer after it is there
    with desk.process(model.driver, tools=ToolRegistry([look])) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    assert outcome.unwrap().messages[2].content == "second"
    assert model.asked == [0, 1, 1]
    assert (outcome.iterations, outcome.usage) == (3, TokenUsage(20, 10))  # what was set aside was a turn, too


# Approvals ------------------------------------------------------------------------------------------------------


def test_what_was_approved_or_denied_holds() -> None:
    """Each from the moment at which it was answered: who is recalled asks nobody."""
    model, desk = Model(wants(("yes", {}), ("no", {}), ("open", {})), "done"), Desk()
    tools = [needs_approval(Probe(name=name)) for name in ("yes", "no", "open")]
    asked: list[str] = []

    def answers(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            asked.append(event.tool)
            if event.tool == "yes":
                pool.approve(event.agent_id, event.call_id)
            elif event.tool == "no":
                pool.deny(event.agent_id, event.call_id, "never")

    paper = desk.papers["bot"]
    with desk.process(model.driver, tools=ToolRegistry(tools), on_event=answers) as pool:
        handle = pool.spawn(config())
        eventually(lambda: len(paper.paths()) == 3)  # the third is still open
        handle.cancel()
        handle.outcome(BOUND)
    assert sorted(paper.paths()) == ["0", "0.0/@approval", "0.1/@approval"]

    def approves(event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            asked.append(event.tool)
            pool.approve(event.agent_id, event.call_id)

    decided: list[Event] = []
    with desk.process(model.driver, tools=ToolRegistry(tools), on_event=approves) as pool:
        outcome = pool.spawn(config()).outcome(BOUND)
    contents = [message.content for message in outcome.unwrap().messages[2:5]]
    assert contents == ["done", "no was not called: it was denied: never", "done"]
    assert asked == ["yes", "no", "open", "open"]
    with desk.process(model.driver, tools=ToolRegistry(tools), on_event=decided.append) as pool:
        assert pool.spawn(config()).outcome(BOUND).unwrap() == outcome.unwrap()
    assert [event for event in decided if isinstance(event, ApprovalRequested | ApprovalDecided)] == []


# Failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", range(5))
def test_after_a_failed_write_nothing_is_begun(room: int) -> None:
    """The agent fails; what stands on paper is a prefix, and the next process goes on with it."""
    model, desk, pay = Model(wants(("pay", {})), "done"), Desk(), Probe(name="pay")
    paper = desk.papers["bot"]
    paper.room = room
    with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
        first = pool.spawn(config()).outcome(BOUND)
    is_whole = room == 4
    assert isinstance(first.error, JournalFailed) is not is_whole
    assert len(pay.calls) == (room >= 2)
    assert len(model.asked) == (0 if room == 0 else 1 if room < 4 else 2)
    paper.room = None
    with desk.process(model.driver, tools=ToolRegistry([pay])) as pool:
        second = pool.spawn(config()).outcome(BOUND)
    assert second.unwrap().text == "done"
    assert len(pay.calls) == 1
    assert paper.paths() == ["0", "0.0", "1"]


def test_parallel_calls_begin_together() -> None:
    """Each is entered by its own thread: two that wait for the disk wait at the same time."""
    barrier = threading.Barrier(2, timeout=BOUND)
    model, desk = Model(wants(("a", {}), ("b", {})), "done"), Desk()
    with desk.process(model.driver, tools=ToolRegistry([Probe(name="a"), Probe(name="b")])) as pool:
        original = type(desk).record

        def record(identity: Any) -> Any:
            made = original(desk, identity)
            write = made.ledger.paper.write

            def slow(line: Any) -> None:
                if line[1] == "begun":
                    barrier.wait()
                write(line)

            made.ledger.paper.write = slow
            return made

        pool._factory._recorder.record = record  # type: ignore[union-attr,method-assign]
        assert pool.spawn(config()).outcome(BOUND).unwrap().text == "done"


def test_idempotent_calls_are_not_begun() -> None:
    """One line each: doing it again does no harm."""

    @tool(effect="idempotent")
    def look() -> str:
        """Looks."""
        return "seen"

    model, desk = Model(wants(("look", {})), "done"), Desk()
    twice(desk, model, [look])
    assert [line[:2] for line in desk.papers["bot"].lines] == [("0", "done"), ("0.0", "done"), ("1", "done")]
