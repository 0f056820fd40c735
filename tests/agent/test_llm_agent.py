"""``LlmAgent``: the loop, and the rules INV-001 to INV-007, INV-015 and INV-016 of the contract."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentLoopResult,
    AgentManifest,
    AgentMessage,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Backoff,
    CompletionResponse,
    ContextOverflow,
    CostExceeded,
    FileRead,
    FunctionDriver,
    InferenceFailed,
    InMemorySubstrate,
    IterationsExceeded,
    LlmAgent,
    MemoryFailed,
    MemoryFilter,
    Network,
    Phase,
    PhaseChanged,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    SystemMessage,
    TokensExceeded,
    TokenUsage,
    ToolCallsExceeded,
    ToolRegistry,
    ToolResultMessage,
    TruncationExceeded,
    UserMessage,
)
from actors.agent.terms.message_text import CONTINUE

from ..waiting import BOUND, Gate
from .doubles import Probe, asks, cut, different_calls, results_of, run_llm

if TYPE_CHECKING:
    from actors import CompletionRequest, Event


def bot(**fields: Any) -> AgentManifest:
    return AgentManifest(name="bot", **fields)


def limited(**resources: Any) -> AgentManifest:
    return bot(resources=resources)


# One turn -------------------------------------------------------------------------------------------------------


def test_question_and_answer() -> None:
    """One completion, one answer."""
    driver = ScriptedDriver([CompletionResponse("42", usage=TokenUsage(10, 2))])
    result = run_llm(driver, "what is it?").unwrap()
    assert result == AgentLoopResult(
        text="42",
        usage=TokenUsage(10, 2),
        iterations=1,
        tool_calls=0,
        cost_usd=0.0,
        messages=(UserMessage("what is it?"), AssistantMessage("42")),
    )


@pytest.mark.parametrize("reason", [StopReason.END_TURN, StopReason.STOP_SEQUENCE, StopReason.TOOL_USE])
def test_an_answer_without_calls_ends_the_turn(reason: StopReason) -> None:
    """Whatever the driver calls its end."""
    driver = ScriptedDriver([CompletionResponse("42", reason)], default="never")
    assert run_llm(driver).unwrap().text == "42"
    assert len(driver.requests) == 1


def test_calls_count_whatever_the_stop_reason() -> None:
    """A driver that ends its turn with calls gets their results."""
    answer = CompletionResponse("", StopReason.END_TURN, asks(("note", {})).tool_calls)
    assert run_llm(ScriptedDriver([answer, "done"]), tools=[Probe()]).unwrap().text == "done"


def test_the_conversation_with_a_tool() -> None:
    """Question, call, result, answer; the second request has it all."""
    driver = ScriptedDriver.tool_then_text("note", {"text": "x"}, "done")
    outcome = run_llm(driver, "the question", tools=[Probe()])
    result = outcome.unwrap()
    assert (result.text, result.iterations, result.tool_calls) == ("done", 2, 1)
    user, asked, told, answered = result.messages
    assert user == UserMessage("the question")
    assert isinstance(asked, AssistantMessage)
    assert asked.tool_calls[0].name == "note"
    assert told == ToolResultMessage(asked.tool_calls[0].id, "done")
    assert answered == AssistantMessage("done")
    assert driver.requests[1].messages == (user, asked, told)


def test_messages_before_the_query() -> None:
    """They come first, as they are."""
    driver = ScriptedDriver.text("ok")
    before = (SystemMessage("be kind"), UserMessage("hi"), AssistantMessage("hello"))
    run_llm(driver, "now", messages=before).unwrap()
    assert driver.requests[0].messages == (*before, UserMessage("now"))


class Order(BaseModel):
    """A query that is no text."""

    count: int


class Opaque:
    """What JSON cannot hold."""

    def __repr__(self) -> str:
        return "<opaque>"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("text", "text"),
        ("", ""),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        (["ä"], '["ä"]'),
        (3, "3"),
        (Order(count=2), '{"count": 2}'),
        ({"order": Order(count=2)}, '{"order": {"count": 2}}'),
        (Opaque(), '"<opaque>"'),
    ],
    ids=repr,
)
def test_a_query_that_is_no_text(query: Any, text: str) -> None:
    """It is read as JSON; what JSON cannot hold as its ``repr``."""
    driver = ScriptedDriver.text("ok")
    run_llm(driver, query).unwrap()
    assert driver.requests[0].messages == (UserMessage(text),)


def test_only_granted_tools_are_offered() -> None:
    """The model does not see what it may not call."""
    driver = ScriptedDriver.text("ok")
    tools = [Probe(name="free"), Probe(name="read", capability=FileRead()), Probe(name="web", capability=Network())]
    run_llm(driver, tools=tools, manifest=bot(capabilities=(FileRead(),))).unwrap()
    assert [tool.name for tool in driver.requests[0].tools] == ["free", "read"]


def test_the_error_of_the_driver_is_the_outcome() -> None:
    """``failed``, with the error itself."""
    outcome = run_llm(ScriptedDriver([InferenceFailed("no")]))
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, InferenceFailed)


def test_a_query_that_cannot_fit() -> None:
    """The query is never trimmed."""
    outcome = run_llm(ScriptedDriver.text("ok", context_window=100), "x" * 4000)
    assert isinstance(outcome.error, ContextOverflow)


# INV-001, INV-002: iterations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_inv_001_the_loop_ends(limit: int) -> None:
    """After ``max_iterations`` iterations the guard breaks, and no further completion is asked for."""
    driver = ScriptedDriver(list(zip_first(different_calls(), limit + 2)))
    outcome = run_llm(driver, tools=[Probe()], manifest=limited(max_iterations=limit))
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, IterationsExceeded)
    assert len(driver.requests) == limit


def zip_first(source: Any, count: int) -> Any:
    return (answer for answer, _ in zip(source, range(count), strict=False))


def test_the_last_iteration_may_answer() -> None:
    """The limit itself may be used."""
    driver = ScriptedDriver([*zip_first(different_calls(), 2), "done"])
    assert run_llm(driver, tools=[Probe()], manifest=limited(max_iterations=3)).unwrap().iterations == 3


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_inv_002_one_iteration_for_each_completion(calls: int) -> None:
    """The counter rises by exactly one each time."""
    driver = ScriptedDriver([*zip_first(different_calls(), calls), "done"])
    result = run_llm(driver, tools=[Probe()]).unwrap()
    assert result.iterations == len(driver.requests) == calls + 1


def test_inv_016_iterations_warn_from_eighty_percent(agent_log: list[str]) -> None:
    """Of five, the fourth and the fifth."""
    driver = ScriptedDriver([*zip_first(different_calls(), 4), "done"])
    run_llm(driver, tools=[Probe()], manifest=limited(max_iterations=5)).unwrap()
    warned = [line for line in agent_log if "WARNING" in line and "iterations used" in line]
    assert [f"{count} of 5" in line for count, line in zip((4, 5), warned, strict=True)] == [True, True]
    assert all("bot" in line for line in warned)


# INV-003, INV-015: what may be called ---------------------------------------------------------------------------


def test_inv_003_a_tool_without_its_capability() -> None:
    """Not executed; the model gets an error that says "capability", and goes on."""
    probe = Probe(capability=FileRead())
    driver = ScriptedDriver([asks(("note", {})), "done"])
    outcome = run_llm(driver, tools=[probe])
    assert outcome.unwrap().text == "done"
    (result,) = results_of(outcome)
    assert result.is_error
    assert "capability" in result.content
    assert probe.calls == []


def test_inv_015_a_network_tool_under_sovereign_privacy() -> None:
    """Refused, although granted; the error says "sovereign"."""
    probe = Probe(capability=Network(allowed_hosts=("*",)))
    driver = ScriptedDriver([asks(("note", {})), "done"])
    outcome = run_llm(driver, tools=[probe], manifest=bot(capabilities=(Network(allowed_hosts=("*",)),)))
    (result,) = results_of(outcome)
    assert result.is_error
    assert "sovereign" in result.content
    assert probe.calls == []


# INV-004: going in circles --------------------------------------------------------------------------------------


def test_inv_004_the_third_same_call_is_blocked() -> None:
    """The model is told "ping-pong"; the loop goes on."""
    probe = Probe()
    driver = ScriptedDriver([asks(("note", {"n": 1}))] * 3 + [asks(("note", {"n": 2})), "done"])
    outcome = run_llm(driver, tools=[probe])
    assert outcome.unwrap().text == "done"
    assert ["ping-pong" in result.content for result in results_of(outcome)] == [False, False, True, False]
    assert probe.calls == [{"n": 1}, {"n": 1}, {"n": 2}]


def test_inv_004_four_identical_first_calls_end_the_turn() -> None:
    """The fourth is not run, and its text is the answer; no call stays without a result."""
    probe = Probe()
    answers = [asks(("note", {"n": 1}), text=f"try {number}") for number in range(1, 7)]
    driver = ScriptedDriver(answers)
    result = run_llm(driver, tools=[probe]).unwrap()
    assert (result.text, result.iterations) == ("try 4", 4)
    assert len(probe.calls) == 2
    assert result.messages[-1] == AssistantMessage("try 4")
    asked = [
        call.id for message in result.messages if isinstance(message, AssistantMessage) for call in message.tool_calls
    ]
    told = [message.tool_call_id for message in result.messages if isinstance(message, ToolResultMessage)]
    assert asked == told


def test_inv_004_another_first_call_starts_again() -> None:
    """Only four in a row end the turn."""
    same, other = asks(("note", {"n": 1})), asks(("note", {"n": 2}))
    driver = ScriptedDriver([same, same, same, other, same, same, same, "done"])
    assert run_llm(driver, tools=[Probe()]).unwrap().text == "done"


def test_inv_004_only_the_first_call_of_an_answer_counts() -> None:
    """Whatever comes behind it."""
    answers = [asks(("note", {"n": 1}), ("note", {"n": 10 + number})) for number in range(4)]
    result = run_llm(ScriptedDriver(answers), tools=[Probe()]).unwrap()
    assert result.iterations == 4


def test_inv_004_the_order_of_arguments_does_not_matter() -> None:
    """Equal inputs are the same call."""
    answers = [asks(("note", {"a": 1, "b": 2})), asks(("note", {"b": 2, "a": 1}))] * 2
    assert run_llm(ScriptedDriver(answers), tools=[Probe()]).unwrap().iterations == 4


# INV-005, INV-016: cost and tokens ------------------------------------------------------------------------------


def test_inv_005_cost_breaks_the_circuit() -> None:
    """In the completion that goes above the limit; its calls are not run."""
    probe = Probe()
    answers = [asks(("note", {"n": number}), usage=TokenUsage(10, 0)) for number in range(5)]
    driver = ScriptedDriver(answers, usd_per_token=0.125)
    outcome = run_llm(driver, tools=[probe], manifest=limited(max_cost_usd=2.5))
    assert isinstance(outcome.error, CostExceeded)
    assert len(driver.requests) == 3
    assert len(probe.calls) == 2


def test_inv_016_tokens_break_the_circuit() -> None:
    """Over all completions together."""
    answers = [asks(("note", {"n": number}), usage=TokenUsage(30, 10)) for number in range(5)]
    driver = ScriptedDriver(answers)
    outcome = run_llm(driver, tools=[Probe()], manifest=limited(max_tokens_budget=100))
    assert isinstance(outcome.error, TokensExceeded)
    assert len(driver.requests) == 3


def test_tool_calls_break_the_circuit() -> None:
    """The limit itself may be used."""
    driver = ScriptedDriver(list(zip_first(different_calls(), 5)))
    probe = Probe()
    outcome = run_llm(driver, tools=[probe], manifest=limited(max_tool_calls=2))
    assert isinstance(outcome.error, ToolCallsExceeded)
    assert len(probe.calls) == 2


# INV-006: cut answers -------------------------------------------------------------------------------------------


def test_cut_answers_are_joined() -> None:
    """The model is asked to go on, and the parts make one text."""
    driver = ScriptedDriver([cut("Once "), cut("upon a "), "time."])
    result = run_llm(driver).unwrap()
    assert (result.text, result.iterations) == ("Once upon a time.", 3)
    assert driver.requests[1].messages[1:] == (AssistantMessage("Once "), UserMessage(CONTINUE))


def test_inv_006_five_cut_answers_break_the_circuit() -> None:
    """In a row."""
    driver = ScriptedDriver([cut("x")] * 9)
    outcome = run_llm(driver)
    assert isinstance(outcome.error, TruncationExceeded)
    assert len(driver.requests) == 5


def test_inv_006_four_are_allowed() -> None:
    """The fifth answer is a whole one."""
    assert run_llm(ScriptedDriver([*[cut("x")] * 4, "y"])).unwrap().text == "xxxxy"


def test_inv_006_a_tool_call_resets_the_count() -> None:
    """And the text before it is not part of the answer."""
    driver = ScriptedDriver([*[cut("x")] * 4, asks(("note", {})), *[cut("y")] * 4, "z"])
    assert run_llm(driver, tools=[Probe()]).unwrap().text == "yyyyz"


# INV-007: memory ------------------------------------------------------------------------------------------------


def test_inv_007_question_and_answer_are_remembered() -> None:
    """After success, under the agent's name."""
    memory = InMemorySubstrate()
    run_llm(ScriptedDriver.text("Paris"), "capital of France?", memory=memory).unwrap()
    (fragment,) = memory.recall("capital", filter=MemoryFilter(agent="bot"))
    assert fragment.content == "Q: capital of France?\nA: Paris"


@pytest.mark.parametrize("driver", [ScriptedDriver([InferenceFailed("no")]), ScriptedDriver([cut("x")] * 5)])
def test_inv_007_a_failure_is_not_remembered(driver: ScriptedDriver) -> None:
    """Only answers are."""
    memory = InMemorySubstrate()
    assert not run_llm(driver, "capital of France?", memory=memory).ok
    assert memory.recall("capital France", 5) == []


def test_memories_enter_the_system_prompt() -> None:
    """At most five, those that fit the query, the best first."""
    memory = InMemorySubstrate()
    for number in range(7):
        memory.remember("other", f"whale fact {number}")
    memory.remember("other", "nothing of the kind")
    driver = ScriptedDriver.text("ok")
    run_llm(driver, "whale", memory=memory, manifest=bot(model={"system_prompt": "Be brief."})).unwrap()
    system = driver.requests[0].system
    assert system is not None
    assert system.startswith("Be brief.\n\n")
    assert system.count("- [conversation] whale fact") == 5
    assert "nothing of the kind" not in system


def test_without_a_fitting_memory_the_prompt_is_bare() -> None:
    """No empty heading."""
    memory = InMemorySubstrate()
    memory.remember("bot", "whales")
    driver = ScriptedDriver.text("ok")
    run_llm(driver, "ships", memory=memory, manifest=bot(model={"system_prompt": "Be brief."})).unwrap()
    assert driver.requests[0].system == "Be brief."


class Broken(InMemorySubstrate):
    """Fails where it is told to."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__()
        self.where, self.error = where, error

    def recall(self, *args: Any, **kwargs: Any) -> Any:
        if self.where == "recall":
            raise self.error
        return super().recall(*args, **kwargs)

    def remember(self, *args: Any, **kwargs: Any) -> str:
        if self.where == "remember":
            raise self.error
        return super().remember(*args, **kwargs)


@pytest.mark.parametrize("error", [MemoryFailed("disk full"), OSError("disk full")], ids=repr)
@pytest.mark.parametrize(("where", "said"), [("recall", "recalling failed"), ("remember", "remembering failed")])
def test_a_memory_that_fails_is_logged(where: str, said: str, error: Exception, agent_log: list[str]) -> None:
    """The answer stands."""
    assert run_llm(ScriptedDriver.text("answer"), memory=Broken(where, error)).unwrap().text == "answer"
    assert any(said in line and "disk full" in line for line in agent_log)


# Messages of others ---------------------------------------------------------------------------------------------


def test_messages_enter_the_conversation_at_the_next_step() -> None:
    """With the sender's id; what is no text as JSON; in the order sent."""
    gate = Gate()
    requests: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> CompletionResponse | str:
        requests.append(request)
        if len(requests) == 1:
            gate.hold()
            return asks(("note", {}))
        return "done"

    with AgentPool(FunctionDriver(answer), 1, tools=ToolRegistry([Probe()]), abort_timeout=BOUND) as pool:
        handle = pool.spawn(SpawnConfig(bot(), "q"))
        gate.await_reached()
        pool.router.register(-5)
        pool.router.send(AgentMessage(0, handle.id, "hurry"))
        pool.router.send(AgentMessage(-5, handle.id, {"count": 3}))
        gate.open()
        result = handle.result(BOUND)
        pool.router.unregister(-5)
    assert len(requests[0].messages) == 1
    first, second = requests[1].messages[-2:]
    assert isinstance(first, UserMessage)
    assert "hurry" in first.content
    assert "id 0" in first.content
    assert second == UserMessage('[message from agent -5 (id -5)] {"count": 3}')
    assert result.messages[3:5] == (first, second)


def test_messages_sent_before_the_start_are_read_first() -> None:
    """They wait in the mailbox of the queued agent."""
    gate, driver = Gate(), ScriptedDriver.text("ok")
    with AgentPool(driver, 1, max_queued=1, abort_timeout=BOUND) as pool:
        pool.submit(gate.hold)
        gate.await_reached()
        handle = pool.spawn(SpawnConfig(bot(), "q"))
        pool.router.send(AgentMessage(0, handle.id, "hello"))
        gate.open()
        handle.result(BOUND)
    assert [message.content for message in driver.requests[0].messages] == [
        "q",
        "[message from the program (id 0)] hello",
    ]


# Stops --------------------------------------------------------------------------------------------------------------


def test_a_cancel_between_two_steps() -> None:
    """No further completion is asked for."""
    gate = Gate()
    driver = ScriptedDriver([asks(("note", {}))], default="never")

    def work(given: Any, cancel: Any, agent: Any) -> str:
        gate.hold()
        return "ok"

    with AgentPool(driver, 1, tools=ToolRegistry([Probe(work)]), abort_timeout=BOUND) as pool:
        handle = pool.spawn(SpawnConfig(bot(), "q"))
        gate.await_reached()
        handle.cancel("enough")
        gate.open()
        outcome = handle.outcome(BOUND)
    assert outcome.status is AgentStatus.CANCELLED
    assert len(driver.requests) == 1


def test_an_answer_before_a_late_cancel_counts() -> None:
    """The driver answered, nothing was left to do: a value that was returned is ``completed``."""
    answered = threading.Event()

    class Late(InMemorySubstrate):
        def remember(self, *args: Any, **kwargs: Any) -> str:
            handles[0].cancel("late")
            answered.set()
            return super().remember(*args, **kwargs)

    handles: list[Any] = []
    gate = Gate()

    def answer(request: CompletionRequest) -> str:
        gate.hold()
        return "answer"

    with AgentPool(FunctionDriver(answer), 1, memory=Late(), abort_timeout=BOUND) as pool:
        handles.append(pool.spawn(SpawnConfig(bot(), "q")))
        gate.open()
        outcome = handles[0].outcome(BOUND)
    assert answered.is_set()
    assert outcome.unwrap().text == "answer"


# Restarts -------------------------------------------------------------------------------------------------------


def test_the_counts_belong_to_the_id() -> None:
    """A restart after a crash goes on with them, counts nothing that is recalled, and runs into the same limits."""
    policy = RestartPolicy(max_restarts=5, backoff=Backoff(base=0, jitter=0))
    answers = [asks(("note", {"n": 1})), ValueError("boom"), asks(("note", {"n": 2})), "done"]
    driver = ScriptedDriver(answers)
    with AgentPool(driver, 1, tools=ToolRegistry([Probe()]), restart=policy) as pool:
        outcome = pool.spawn(SpawnConfig(bot(), "q")).outcome(BOUND)
        assert outcome.restarts == 1
        assert (outcome.unwrap().iterations, outcome.unwrap().tool_calls) == (4, 2)
        broken = pool.spawn(
            SpawnConfig(limited(max_iterations=3), "q", driver=ScriptedDriver([], default=ValueError("boom")))
        ).outcome(BOUND)
    assert broken.restarts == 3
    assert isinstance(broken.error, IterationsExceeded)


# Phases ---------------------------------------------------------------------------------------------------------


def test_the_phases() -> None:
    """Perceive, reason, act, and again, until the answer."""
    seen: list[Event] = []
    run_llm(ScriptedDriver.tool_then_text("note", {}, "done"), tools=[Probe()], on_event=seen.append).unwrap()
    phases = [event.phase for event in seen if isinstance(event, PhaseChanged)]
    assert phases == [Phase.PERCEIVE, Phase.REASON, Phase.ACT, Phase.PERCEIVE, Phase.REASON]


# Subclasses -----------------------------------------------------------------------------------------------------


class Polite(LlmAgent):
    """Adds to what the loop does."""

    def run(self, query: Any) -> AgentLoopResult:
        return super().run(f"Please: {query}")


def test_a_subclass_may_change_the_query() -> None:
    """And gets the loop's result."""
    driver = ScriptedDriver.text("ok")
    assert run_llm(driver, "sing", agent=Polite).unwrap().text == "ok"
    assert driver.requests[0].messages == (UserMessage("Please: sing"),)
