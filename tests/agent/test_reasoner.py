"""One completion: its request, its retries, its events, and what the guard makes of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    CompletionFinished,
    CompletionResponse,
    ContextOverflow,
    CostExceeded,
    DriverError,
    FunctionDriver,
    InferenceFailed,
    LlmAgent,
    MalformedAnswer,
    ModelNotFound,
    NetworkError,
    Overloaded,
    RateLimited,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TextDelta,
    TextRestarted,
    TokensExceeded,
    TokenUsage,
    UserMessage,
)
from actors.agent.loop import driver_call

from ..waiting import BOUND, Gate
from .doubles import Probe, asks, run_llm

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import CancelToken, CompletionRequest, Event


class Sleepless(LlmAgent):
    """Notes how long it would sleep, and does not."""

    def __init__(self, slept: list[float]) -> None:
        self.slept = slept

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def again(error: type[DriverError], times: int, **fields: Any) -> list[DriverError]:
    """That many errors, each asking for no wait."""
    return [error(f"try {number}", retry_after=0.0, **fields) for number in range(1, times + 1)]


# Retries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RateLimited, Overloaded, NetworkError, MalformedAnswer])
def test_a_retryable_error_is_asked_again(error: type[DriverError]) -> None:
    """Three times, and the fourth answer counts."""
    driver = ScriptedDriver([*again(error, 3), "answer"])
    result = run_llm(driver).unwrap()
    assert result.text == "answer"
    assert len(driver.requests) == 4
    assert result.iterations == 1


def test_the_same_request_is_sent_again() -> None:
    """A retry asks for nothing else."""
    driver = ScriptedDriver([*again(NetworkError, 1), "answer"])
    run_llm(driver)
    assert driver.requests[0] == driver.requests[1]


def test_the_fourth_failure_is_the_agents() -> None:
    """After three retries the last error is the outcome's."""
    driver = ScriptedDriver(again(Overloaded, 4), default="too late")
    outcome = run_llm(driver)
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, Overloaded)
    assert str(outcome.error) == "try 4"
    assert len(driver.requests) == 4


@pytest.mark.parametrize("error", [ModelNotFound, InferenceFailed, DriverError])
def test_other_errors_are_not_asked_again(error: type[DriverError]) -> None:
    """A model that is not there will not be there in a second."""
    driver = ScriptedDriver([error("no", retry_after=0.0)], default="never")
    outcome = run_llm(driver)
    assert outcome.status is AgentStatus.FAILED
    assert type(outcome.error) is error
    assert len(driver.requests) == 1


def test_a_crash_of_the_driver_is_not_asked_again() -> None:
    """What is no driver error is a defect."""
    driver = ScriptedDriver([ValueError("boom")], default="never")
    outcome = run_llm(driver)
    assert outcome.status is AgentStatus.CRASHED
    assert len(driver.requests) == 1


def test_the_count_starts_again_with_each_completion() -> None:
    """Three retries for the first and three for the second."""
    driver = ScriptedDriver([*again(RateLimited, 3), asks(("note", {})), *again(RateLimited, 3), "answer"])
    result = run_llm(driver, tools=[Probe()]).unwrap()
    assert (result.text, result.iterations, len(driver.requests)) == ("answer", 2, 8)


def test_the_wait_doubles_from_one_second() -> None:
    """1, 2 and 4 seconds, and up to a tenth more."""
    slept: list[float] = []
    driver = ScriptedDriver([RateLimited(), Overloaded(), NetworkError(), "answer"])
    assert run_llm(driver, agent=Sleepless, kwargs={"slept": slept}).unwrap().text == "answer"
    assert len(slept) == 3
    for seconds, base in zip(slept, (1.0, 2.0, 4.0), strict=True):
        assert base <= seconds <= base * 1.1


def test_retry_after_is_honoured() -> None:
    """What the server asks for and a little more, so that a herd does not return at once; 0 is not "it did not say"."""
    slept: list[float] = []
    driver = ScriptedDriver([RateLimited(retry_after=17.5), RateLimited(retry_after=0), RateLimited(), "answer"])
    run_llm(driver, agent=Sleepless, kwargs={"slept": slept}).unwrap()
    assert 17.5 <= slept[0] <= 17.5 * 1.1
    assert slept[1] == 0
    assert 4.0 <= slept[2] <= 4.4


def test_the_wait_can_be_configured_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backoff is one value of the module."""
    slept: list[float] = []
    monkeypatch.setattr(driver_call, "BACKOFF", Backoff(base=0, jitter=0))
    run_llm(ScriptedDriver([RateLimited(), "answer"]), agent=Sleepless, kwargs={"slept": slept}).unwrap()
    assert slept == [0]


class Announcing(LlmAgent):
    """Tells when it begins to sleep."""

    def __init__(self, asleep: threading.Event) -> None:
        self.asleep = asleep

    def sleep(self, seconds: float) -> None:
        self.asleep.set()
        super().sleep(seconds)


def test_the_wait_ends_at_a_cancel() -> None:
    """Nobody waits out an hour; the agent is cancelled, not failed, and the driver is not asked again."""
    asleep = threading.Event()
    driver = ScriptedDriver([RateLimited(retry_after=3600)], default="never")
    with AgentPool(driver, 1, abort_timeout=BOUND) as pool:
        config = SpawnConfig(AgentManifest(name="bot"), "q", agent=Announcing, kwargs={"asleep": asleep})
        handle = pool.spawn(config)
        assert asleep.wait(BOUND)
        handle.cancel("enough")
        outcome = handle.outcome(BOUND)
    assert outcome.status is AgentStatus.CANCELLED
    assert "enough" in str(outcome.error)
    assert len(driver.requests) == 1


def test_the_wait_ends_at_the_deadline() -> None:
    """``Retry-After`` does not outlive the agent."""
    driver = ScriptedDriver([RateLimited(retry_after=3600)], default="never")
    outcome = run_llm(driver, timeout=0.05)
    assert outcome.status is AgentStatus.TIMED_OUT


def test_a_cancel_ends_the_call_in_flight() -> None:
    """The driver gets the agent's token."""
    gate = Gate()

    class Slow(ScriptedDriver):
        def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
            gate.note()
            return super().complete(request, cancel=cancel)

    driver = Slow(["never"], latency=3600)
    with AgentPool(driver, 1, abort_timeout=BOUND) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
        gate.await_reached()
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


# The request ----------------------------------------------------------------------------------------------------


def test_the_request_has_what_the_manifest_says() -> None:
    """Model, limits, system prompt, tools and conversation."""
    driver = ScriptedDriver.text("answer", context_window=10_000)
    model = {"model_path": "m.gguf", "max_tokens": 77, "temperature": 1.5, "system_prompt": "Be brief."}
    tool = Probe()
    run_llm(driver, "the question", manifest=AgentManifest(name="bot", model=model), tools=[tool])
    (request,) = driver.requests
    assert request.messages == (UserMessage("the question"),)
    assert request.tools == (tool.definition,)
    assert (request.system, request.model) == ("Be brief.", "m.gguf")
    assert (request.max_tokens, request.temperature) == (77, 1.5)


@pytest.mark.parametrize(("own", "drivers"), [(40, 4096), (4096, 40), (None, 40)])
def test_the_smaller_window_counts(own: int | None, drivers: int) -> None:
    """The manifest's and the driver's; without one of its own the driver's alone."""
    model = {"context_window": own, "system_prompt": ""}
    manifest = AgentManifest(name="bot", model={key: value for key, value in model.items() if value is not None})
    outcome = run_llm(ScriptedDriver.text("answer", context_window=drivers), "x" * 200, manifest=manifest)
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, ContextOverflow)
    assert outcome.error.available == 30
    assert outcome.error.required == 54


def test_old_messages_are_left_out_of_the_request_alone() -> None:
    """The driver gets what fits; the result has the whole conversation."""
    driver = ScriptedDriver.text("answer", context_window=100)
    manifest = AgentManifest(name="bot", model={"system_prompt": ""})
    before = tuple(UserMessage(f"{number}" + "x" * 80) for number in range(5))
    result = run_llm(driver, "q", manifest=manifest, messages=before).unwrap()
    sent = driver.requests[0].messages
    assert sent[-1] == UserMessage("q")
    assert 2 <= len(sent) < 6
    assert result.messages[:6] == (*before, UserMessage("q"))


# The guard ------------------------------------------------------------------------------------------------------


def spending(input_tokens: int, output_tokens: int) -> CompletionResponse:
    return CompletionResponse("answer", StopReason.END_TURN, (), TokenUsage(input_tokens, output_tokens))


def test_usage_and_cost_are_summed() -> None:
    """Over all completions."""
    answers = [asks(("note", {}), usage=TokenUsage(10, 1)), spending(20, 2)]
    driver = ScriptedDriver(answers, usd_per_token=0.5)
    result = run_llm(driver, tools=[Probe()]).unwrap()
    assert result.usage == TokenUsage(30, 3)
    assert result.cost_usd == pytest.approx(16.5)


@pytest.mark.parametrize(("limit", "breaks"), [(16.5, False), (16.4, True), (0.0, False)])
def test_cost_above_the_limit_breaks_the_circuit(limit: float, breaks: bool) -> None:
    """The limit itself may be spent; 0 is none (INV-005)."""
    manifest = AgentManifest(name="bot", resources={"max_cost_usd": limit})
    outcome = run_llm(ScriptedDriver([spending(30, 3)], usd_per_token=0.5), manifest=manifest)
    assert outcome.status is (AgentStatus.FAILED if breaks else AgentStatus.COMPLETED)
    assert isinstance(outcome.error, CostExceeded) == breaks


@pytest.mark.parametrize(
    ("tokens", "warns", "breaks"), [(79, False, False), (80, True, False), (100, True, False), (101, False, True)]
)
def test_the_token_budget(tokens: int, warns: bool, breaks: bool, agent_log: list[str]) -> None:
    """Below 80 % nothing, then a warning in the log, above it a circuit break (INV-016)."""
    manifest = AgentManifest(name="bot", resources={"max_tokens_budget": 100})
    outcome = run_llm(ScriptedDriver([spending(tokens - 9, 9)]), manifest=manifest)
    assert outcome.ok != breaks
    assert isinstance(outcome.error, TokensExceeded) == breaks
    assert any("WARNING" in line and f"{tokens} of 100 tokens" in line for line in agent_log) == warns


# Events ---------------------------------------------------------------------------------------------------------


class Streaming(FunctionDriver):
    """Streams the words of each answer; an error in the list breaks its stream after the words before it."""

    def __init__(self, *answers: list[Any]) -> None:
        super().__init__(lambda request: "not streamed")
        self.answers = list(answers)

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        words = self.answers.pop(0)
        for word in words:
            if isinstance(word, Exception):
                raise word
            on_event(TextDelta(text=word))
        return CompletionResponse("".join(words), usage=TokenUsage(3, 2))

    def estimate_cost(self, usage: TokenUsage) -> float:
        return usage.total * 0.5


def test_with_a_sink_answers_are_streamed() -> None:
    """A delta for each piece, then how much it took, each with its agent."""
    seen: list[Event] = []
    result = run_llm(Streaming(["Hel", "lo"]), on_event=seen.append).unwrap()
    assert result.text == "Hello"
    work = [event for event in seen if isinstance(event, TextDelta | CompletionFinished)]
    assert [getattr(event, "text", None) for event in work] == ["Hel", "lo", None]
    (finished,) = (event for event in seen if isinstance(event, CompletionFinished))
    assert (finished.input_tokens, finished.output_tokens, finished.cost_usd) == (3, 2, 2.5)
    assert {(event.agent_id, event.agent) for event in work} == {(1, "bot")}


def test_a_retry_marks_its_deltas() -> None:
    """A reader knows that the text begins again."""
    seen: list[Event] = []
    driver = Streaming(
        ["Hel", NetworkError("broken", retry_after=0.0)], ["He", RateLimited(retry_after=0.0)], ["Hello"]
    )
    assert run_llm(driver, on_event=seen.append).unwrap().text == "Hello"
    deltas = [(event.text, event.attempt) for event in seen if isinstance(event, TextDelta)]
    assert deltas == [("Hel", 1), ("He", 2), ("Hello", 3)]
    assert sum(isinstance(event, CompletionFinished) for event in seen) == 1


def test_other_events_of_a_driver_pass() -> None:
    """A driver may tell more than text."""

    class Talking(Streaming):
        def stream(
            self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
        ) -> CompletionResponse:
            on_event(CompletionFinished(input_tokens=1, output_tokens=1))
            return CompletionResponse("x")

    seen: list[Event] = []
    run_llm(Talking(), on_event=seen.append).unwrap()
    assert [event.input_tokens for event in seen if isinstance(event, CompletionFinished)] == [1, 0]


def test_whether_an_answer_is_streamed() -> None:
    """What has a handle is, whoever reads it, and when; a map while somebody listens; the config has the last word."""

    def texts(start: Callable[[AgentPool, SpawnConfig], object], **options: Any) -> object:
        with AgentPool(Streaming(["stre", "amed"])) as pool:
            return start(pool, SpawnConfig(manifest=AgentManifest(name="bot"), query="q", **options))

    def spawn(pool: AgentPool, config: SpawnConfig) -> object:
        return pool.spawn(config).result(10).text

    def fan_out(pool: AgentPool, config: SpawnConfig) -> object:
        return pool.fan_out([config])[0].result(10).text

    class Parent(Agent[str]):
        def run(self, query: SpawnConfig) -> str:
            return self.spawn(query).result(10).text

    def child(pool: AgentPool, config: SpawnConfig) -> object:
        return pool.spawn(SpawnConfig(AgentManifest(name="parent"), config, agent=Parent)).result(10)

    def mapped(pool: AgentPool, config: SpawnConfig) -> object:
        return [outcome.unwrap().text for outcome in pool.map([config])]

    assert texts(spawn) == "streamed"
    assert texts(spawn, stream=False) == "not streamed"
    assert texts(fan_out) == texts(child) == "streamed"
    assert texts(fan_out, stream=False) == texts(child, stream=False) == "not streamed"
    assert texts(mapped) == ["not streamed"]
    assert texts(mapped, stream=True) == texts(mapped, on_event=lambda _: None) == ["streamed"]


def test_an_answer_that_was_not_streamed_is_told_whole() -> None:
    """So what a reader joins is always the text."""
    with AgentPool(Streaming(["a", "b"])) as pool:
        handle = pool.spawn(SpawnConfig(manifest=AgentManifest(name="bot"), query="q", stream=False))
        assert list(handle.text(10)) == [handle.result(10).text] == ["not streamed"]


def test_a_driver_that_only_pretends_to_stream_is_told_whole() -> None:
    """It told nothing on the way."""

    class Silent(Streaming):
        def stream(
            self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
        ) -> CompletionResponse:
            return CompletionResponse("all at once")

    with AgentPool(Silent()) as pool:
        handle = pool.spawn(SpawnConfig(manifest=AgentManifest(name="bot"), query="q"))
        assert list(handle.text(10)) == ["all at once"]


def test_a_driver_without_a_stream_is_asked_whole() -> None:
    """One that has the method and says that it is none; once it has told text, that is an error like any other."""

    class Whole(Streaming):
        def stream(
            self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
        ) -> CompletionResponse:
            for word in self.answers.pop():
                on_event(TextDelta(text=word))
            raise NotImplementedError

    with AgentPool(Whole([])) as pool:
        handle = pool.spawn(SpawnConfig(manifest=AgentManifest(name="bot"), query="q"))
        assert list(handle.text(10)) == [handle.result(10).text] == ["not streamed"]
    with AgentPool(Whole(["half"])) as pool, pytest.raises(NotImplementedError):
        pool.spawn(SpawnConfig(manifest=AgentManifest(name="bot"), query="q")).result(10)


def test_a_retry_lets_a_reader_begin_again() -> None:
    """What stands is told; an answer that comes empty in place of half a one clears it, too."""

    def shown(driver: Streaming) -> tuple[list[str], str]:
        with AgentPool(driver) as pool:
            pieces = list(pool.spawn(SpawnConfig(manifest=AgentManifest(name="bot"), query="q")).text(10))
        text = ""
        for piece in pieces:
            text = text[: piece.kept] if isinstance(piece, TextRestarted) else text + piece
        return pieces, text

    broken = NetworkError("broken", retry_after=0.0)
    assert shown(Streaming(["Hel", broken], ["He", broken], ["Hello"])) == (["Hel", "", "He", "", "Hello"], "Hello")
    assert shown(Streaming(["Hel", broken], [], ["again"])) == (["Hel", "", "again"], "again")
