"""``Cassette``: what a model said is recorded once, and replayed by what was asked."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    AssistantMessage,
    Attachment,
    Cancelled,
    CancelToken,
    CapabilityDenied,
    CassetteError,
    CassetteMiss,
    CompletionRequest,
    CompletionResponse,
    ContextOverflow,
    DriverError,
    FunctionDriver,
    InferenceFailed,
    ManifestError,
    NetworkError,
    Overloaded,
    PrivacyTier,
    RateLimited,
    RoutingDriver,
    ScriptedDriver,
    SpawnConfig,
    StopReason,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
    tool,
)
from actors.agent.ports import LlmDriver
from actors.drivers.base import Driver
from actors.testing import Cassette
from tests.cli.conftest import environment

MANIFEST = AgentManifest(name="a")
USED = TokenUsage(10, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "one.jsonl"


def asking(text: str, **fields: Any) -> CompletionRequest:
    return CompletionRequest((UserMessage(text),), **fields)


def ask(driver: LlmDriver, text: str | CompletionRequest) -> CompletionResponse:
    return driver.complete(asking(text) if isinstance(text, str) else text, cancel=CancelToken())


def echo(request: CompletionRequest) -> CompletionResponse:
    return CompletionResponse(f"re: {request.messages[-1].content}", usage=USED)


def record(path: Path, *answers: Any, texts: Any = None, **options: Any) -> None:
    """Record an answer to each of *texts*: of a script, or an echo."""
    with Cassette(path, "all", **options) as cassette:
        driver = cassette.driver(lambda: ScriptedDriver(answers) if answers else FunctionDriver(echo))
        for text in texts or [f"q{number}" for number in range(len(answers))]:
            try:
                ask(driver, text)
            except (DriverError, ContextOverflow, Cancelled, ValueError):
                pass


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def never() -> LlmDriver:
    raise AssertionError("nothing is to be recorded")


# Recorded, and replayed -----------------------------------------------------------------------------------------------


def test_what_is_recorded_is_replayed(path: Path) -> None:
    """Text, usage and cost; the driver is made once, and for a replay not at all."""
    made: list[LlmDriver] = []

    def make() -> LlmDriver:
        made.append(ScriptedDriver([CompletionResponse("In 1867.", usage=USED)], usd_per_token=0.001))
        return made[-1]

    for mode, drivers in (("once", 1), ("once", 1), ("none", 1), ("all", 2)):
        with Cassette(path, mode) as cassette, AgentPool(cassette.driver(make)) as pool:
            outcome = pool.spawn(SpawnConfig(MANIFEST, "When was it built?")).outcome(10)
        assert (outcome.unwrap().text, outcome.usage, outcome.cost_usd) == ("In 1867.", USED, 0.015)
        assert (len(made), cassette.unused) == (drivers, ())


def test_a_line_is_one_answer(path: Path) -> None:
    """Sorted, in UTF-8, with what was asked and answered; no two in one line, and nothing else in the file."""
    record(
        path,
        CompletionResponse("Größe: 3 m\n\u2028.", usage=USED),
        Overloaded("full", retry_after=2.5),
        texts=["é", "b"],
    )
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    assert "Größe: 3 m\\n\\u2028." in content.decode()
    first, second = lines_of(path)
    assert first.keys() == {"v", "digest", "request", "response", "seconds", "cost_usd", "driver"}
    assert (first["v"], first["seconds"]) == (1, 0.0)
    assert first["request"]["messages"] == [{"role": "user", "content": "é"}]
    assert first["response"]["usage"]["input_tokens"] == 10
    assert second["error"] == {"type": "Overloaded", "message": "full", "retry_after": 2.5}
    for line in content.decode().splitlines():
        assert list(json.loads(line)) == sorted(json.loads(line))


@pytest.mark.parametrize(
    ("mode", "there", "recording"),
    [("none", False, False), ("none", True, False), ("once", False, True), ("once", True, False), ("all", True, True)],
)
def test_modes(path: Path, mode: Any, there: bool, recording: bool) -> None:
    """``none`` replays, ``once`` records where there is no file, ``all`` records anew."""
    if there:
        record(path, "old")
    with Cassette(path, mode) as cassette:
        assert cassette.is_recording is recording
        driver = cassette.driver(lambda: ScriptedDriver.text("new"))
        if there or recording:
            assert ask(driver, "q0").text == ("new" if recording else "old")
        else:
            with pytest.raises(
                CassetteMiss, match=r"(?s)nothing is recorded there.*no such file.*ACTORS_CASSETTE=once"
            ):
                ask(driver, "q0")
    assert path.exists() is (there or recording)


def test_many_agents_at_once(path: Path) -> None:
    """64 agents with a tool each, recorded and replayed in any order: the same file from any of them."""

    @tool
    def length(text: str) -> str:
        """Tell how long a text is."""
        return str(len(text))

    def model(request: CompletionRequest) -> CompletionResponse:
        said = request.messages[-1]
        if isinstance(said, ToolResultMessage):
            return CompletionResponse(f"{request.messages[0].content} has {said.content}")
        return CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c", "length", {"text": said.content}),))

    contents = set()
    configs = [SpawnConfig(MANIFEST, "x" * (1 + number)) for number in range(64)]
    expected = {f"{'x' * (1 + number)} has {1 + number}" for number in range(64)}
    for mode in ("all", "none", "all"):
        with Cassette(path, mode) as cassette:
            driver = cassette.driver(lambda: FunctionDriver(model))
            with AgentPool(driver, tools=[length], max_concurrent=32, max_queued=None) as pool:
                outcomes = list(pool.map(configs if mode == "none" else configs[::-1]))
        assert {outcome.unwrap().text for outcome in outcomes} == expected
        assert cassette.unused == ()
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert len(lines_of(path)) == 128
    assert [len(line["request"]["messages"]) for line in lines_of(path)] == [1, 3] * 64


def test_the_same_request_takes_its_answers_in_turn(path: Path) -> None:
    """And then there is none left."""
    record(path, "one", "two", texts=["q", "q"])
    with Cassette(path) as cassette:
        driver = cassette.driver()
        assert [ask(driver, "q").text for _ in range(2)] == ["one", "two"]
        with pytest.raises(CassetteMiss, match=r"recorded 2 times \(line 1, line 2\), and asked once more"):
            ask(driver, "q")


def test_recording_the_same_again_changes_no_byte(path: Path) -> None:
    """Also where an answer took its time; another answer has a time of its own."""
    record(path, "one", "two")
    first, second = lines_of(path)
    path.write_text(json.dumps({**first, "seconds": 7.5}) + "\n" + json.dumps(second) + "\n")
    record(path, "one", "two")
    assert [line["seconds"] for line in lines_of(path)] == [7.5, 0.0]
    content = path.read_bytes()
    record(path, "one", "two")
    assert path.read_bytes() == content
    record(path, "other", "two")
    assert [line["seconds"] for line in lines_of(path)] == [0.0, 0.0]


def test_every_field_comes_back(path: Path) -> None:
    """Whatever a request and an answer hold, lone surrogates, odd numbers and marks included."""
    call = ToolCall("c1", "look", {"\ud800": [1, 2.5, float("inf"), None, {"not_json": "int", "value": "0x1"}]})
    request = CompletionRequest(
        (UserMessage("half \ud83d"), AssistantMessage("", (call,)), ToolResultMessage("c1", "none", is_error=True)),
        (ToolDefinition("look", "Looks.", {"type": "object"}),),
        system="Be \u202e brief.",
        model="large",
        output_schema={"type": "object"},
    )
    answer = CompletionResponse(
        "\udc00\x85", StopReason.TOOL_USE, (call,), TokenUsage(9, 8, 7, 0, 5), "hm", is_paused=True
    )
    record(path, answer, texts=[request])
    with Cassette(path) as cassette:
        assert ask(cassette.driver(), request) == answer


# A miss ---------------------------------------------------------------------------------------------------------------


def test_a_changed_word_is_a_miss_that_shows_it(path: Path) -> None:
    """The nearest of many, as a diff, and how to record anew; the agent fails, and is not asked again."""
    texts = [f"Please summarise chapter {number} of the long book about the river." for number in range(100)]
    record(path, texts=texts)
    with Cassette(path) as cassette, AgentPool(cassette.driver(never)) as pool:
        text = "Please condense chapter 42 of the long book about the river."
        outcome = pool.spawn(SpawnConfig(MANIFEST, text)).outcome(10)
    assert outcome.status is AgentStatus.FAILED
    error = outcome.error
    assert isinstance(error, CassetteMiss)
    assert isinstance(error, InferenceFailed)
    assert not error.retryable
    told = str(error)
    assert f'-    "content": "{texts[42]}",' in told
    assert f'+    "content": "{text}",' in told
    assert "ACTORS_CASSETTE=all" in told
    assert len(told.splitlines()) <= 40


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ("word " * 50_000 + "old" + " word" * 50_000, "word " * 50_000 + "new" + " word" * 50_000),
        ("x" * 500_000 + "old" + "y" * 500_000, "x" * 500_000 + "new" + "y" * 500_000),
        (
            "\n".join(f"line {n}" for n in range(30_000)) + "\nold",
            "\n".join(f"row {n}" for n in range(30_000)) + "\nnew",
        ),
        ("old\n" * 5_000, "new\n" * 5_000),
        ("\x1b[31mold\x1b[0m\u202e", "\x1b[31mnew\x1b[0m\u202e"),
    ],
    ids=["words", "one word", "many lines", "repeated", "orders to a terminal"],
)
def test_a_miss_of_a_huge_prompt_is_short(path: Path, recorded: str, asked: str) -> None:
    """At most 40 lines of at most 120 signs, what differs among them, and nothing that moves a cursor."""
    record(path, texts=[recorded])
    with Cassette(path) as cassette, pytest.raises(CassetteMiss) as caught:
        ask(cassette.driver(), asked)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines[1:])) <= 120
    assert str(caught.value).replace("\n", "").isprintable()
    for sign, word in (("-", ("old", "line")), ("+", ("new", "row"))):
        assert any(line.startswith(sign) and any(one in line for one in word) for line in lines)


def test_a_line_that_was_changed_by_hand_says_so(path: Path) -> None:
    """Else its diff would be empty."""
    record(path, "one")
    path.write_text(path.read_text().replace("q0", "q1"))
    with Cassette(path) as cassette, pytest.raises(CassetteMiss, match="line 1 has this request under another digest"):
        ask(cassette.driver(), "q1")


def test_unused_answers_are_told(path: Path) -> None:
    """In the order of the file; none while it records."""
    record(path, texts=["a", "b", "c"])
    with Cassette(path) as cassette:
        ask(cassette.driver(), "b")
        assert [(one.place, one.request["messages"][0]["content"]) for one in cassette.unused if one.request] == [
            ("line 1", "a"),
            ("line 3", "c"),
        ]
    assert len(cassette.unused) == 2
    with Cassette(path, "all") as recording:
        assert recording.unused == ()


# Errors ---------------------------------------------------------------------------------------------------------------


def test_errors_come_back_by_type(path: Path) -> None:
    """With their words and fields; a subclass of somebody's as the nearest of ours that is asked again as it is."""

    class Busy(RateLimited):
        """Of a driver of one's own."""

    paid = Overloaded("full")
    paid.tokens, paid.token_parts = (7, 3), (1, 0, 2)
    errors = [
        RateLimited("slow", retry_after=3),
        ContextOverflow(9, 5, "tools"),
        InferenceFailed("no"),
        Busy("b"),
        paid,
    ]
    record(path, *errors)
    with Cassette(path) as cassette:
        caught: list[Any] = []
        for number in range(len(errors)):
            with pytest.raises((DriverError, ContextOverflow)) as found:
                ask(cassette.driver(), f"q{number}")
            caught.append(found.value)
    assert [type(error) for error in caught] == [RateLimited, ContextOverflow, InferenceFailed, RateLimited, Overloaded]
    assert [str(error) for error in caught] == [str(error) for error in errors]
    assert (caught[0].retry_after, caught[2].retry_after) == (3, None)
    assert (caught[1].required, caught[1].available, caught[1].largest) == (9, 5, "tools")
    assert (caught[4].tokens, caught[4].token_parts) == ((7, 3), (1, 0, 2))


def test_an_error_is_asked_again_without_waiting(path: Path) -> None:
    """The server's hour is not waited for; what failed and was paid is paid; the last error is as it was."""
    paid = RateLimited("slow", retry_after=3600)
    paid.tokens = 100, 0
    with Cassette(path, "all") as cassette:
        driver = cassette.driver(lambda: ScriptedDriver([paid, "yes"], usd_per_token=0.01))
        for _ in range(2):
            try:
                ask(driver, CompletionRequest((UserMessage("?"),), system="You are a helpful assistant."))
            except RateLimited:
                pass
    with Cassette(path) as cassette, AgentPool(cassette.driver()) as pool:
        outcome = pool.spawn(SpawnConfig(MANIFEST, "?")).outcome(10)
    assert outcome.unwrap().text == "yes"
    assert (outcome.usage, outcome.cost_usd) == (TokenUsage(100, 0), 1.0)
    with Cassette(path) as cassette, AgentPool(RoutingDriver(cassette.driver(), strategy="primary_only")) as pool:
        assert pool.spawn(SpawnConfig(MANIFEST, "?")).outcome(10).unwrap().text == "yes"


def test_what_is_not_recorded(path: Path) -> None:
    """Cancelled calls, errors that are not ours, those that nobody can tell from ours, and what is no answer."""

    class Odd(RateLimited):
        retryable = False

    token = CancelToken()
    token.cancel()
    answers = [ValueError("mine"), Odd("odd"), Cancelled("given up"), "kept"]
    with Cassette(path, "all") as cassette:
        driver = cassette.driver(lambda: ScriptedDriver(answers))
        for kind in (ValueError, Odd, Cancelled):
            with pytest.raises(kind):
                ask(driver, "q")
        assert ask(driver, "kept").text == "kept"
        with pytest.raises(Cancelled):
            driver.complete(asking("late"), cancel=token)
        broken: Any = cassette.driver(lambda: _Wrong())
        assert broken.complete(asking("wrong"), cancel=CancelToken()) == "no response"
    assert [line["request"]["messages"][0]["content"] for line in lines_of(path)] == ["kept"]


class _Wrong(Driver):
    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> Any:
        return "no response"


# Streams, times, prices -----------------------------------------------------------------------------------------------


class _Pieces(Driver):
    """Streams its answer in two pieces; or not at all."""

    def __init__(self, can: bool = True) -> None:
        super().__init__(context_window=1234)
        self.can = can
        self.closed = 0

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        return CompletionResponse("whole")

    def stream(self, request: CompletionRequest, on_event: Any, *, cancel: CancelToken) -> CompletionResponse:
        if not self.can:
            raise NotImplementedError
        for piece in ("in ", "pieces"):
            on_event(TextDelta(text=piece))
        return CompletionResponse("in pieces")

    def close_idle(self) -> None:
        self.closed += 1


def test_a_stream_is_recorded_and_replayed_as_one_delta(path: Path) -> None:
    """While it is recorded the pieces come as they are; a driver that cannot stream is asked otherwise, once."""
    for can, recorded in ((True, ["in ", "pieces"]), (False, ["whole"])):
        inner = _Pieces(can)
        for mode, expected in (("all", recorded), ("none", ["".join(recorded)])):
            events: list[Any] = []
            with (
                Cassette(path, mode) as cassette,
                AgentPool(cassette.driver(lambda made=inner: made), on_event=events.append) as pool,
            ):
                pool.spawn(SpawnConfig(MANIFEST, "?", stream=True))
            assert [event.text for event in events if isinstance(event, TextDelta)] == expected
        assert len(lines_of(path)) == 1
        assert inner.closed == 1
    heard: list[Any] = []
    with Cassette(path) as cassette:
        request = CompletionRequest((UserMessage("?"),), system="You are a helpful assistant.")
        cassette.driver().stream(request, heard.append, cancel=CancelToken())
    assert [event.text for event in heard] == ["whole"]


def test_a_replay_takes_time_if_it_is_told_to(path: Path) -> None:
    """As long as it took, by the speed; a cancel ends the wait, and the answer is there for the next who asks."""
    record(path, "slow")
    (line,) = lines_of(path)
    path.write_text(json.dumps({**line, "seconds": 3600.0}) + "\n")
    with Cassette(path, speed=2) as cassette:
        driver = cassette.driver()
        waits: list[float | None] = []

        class Token(CancelToken):
            def wait(self, timeout: float | None = None) -> bool:
                waits.append(timeout)
                self.cancel("enough")
                return True

        with pytest.raises(Cancelled, match="enough") as caught:
            driver.complete(asking("q0"), cancel=Token())
        assert (waits, caught.value.asked, len(cassette.unused)) == ([1800.0], False, 1)
    with Cassette(path, speed=1e9) as cassette:
        assert ask(cassette.driver(), "q0").text == "slow"
    with Cassette(path) as cassette:
        assert ask(cassette.driver(), "q0").text == "slow"
    with Cassette(path) as cassette:
        assert ask(cassette.driver(speed=1e9), "q0").text == "slow"
    for speed in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="speed"):
            Cassette(path, speed=speed)
        with pytest.raises(ValueError, match="speed"):
            Cassette(path).driver(speed=speed)


class _Priced(FunctionDriver):
    """A server's: with prices for the models that it knows, and a tier."""

    privacy_tier = PrivacyTier.STANDARD

    def __init__(self) -> None:
        super().__init__(echo, context_window=777)

    def has_price(self, model: str = "") -> bool:
        return model != "new"

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        rate = {"": 1e-6, "large": 3e-6}.get(model, 0.0)
        return rate * (usage.input_tokens + 5 * usage.output_tokens)


def test_what_a_pool_asks_of_a_driver_is_recorded(path: Path) -> None:
    """Its window, its tier and its prices, by model: a replay refuses and counts as the driver did."""
    with Cassette(path, "all") as cassette:
        driver = cassette.driver(_Priced)
        for model in ("", "large", "new"):
            ask(driver, asking("?", model=model))
    for mode in ("none", "all"):
        with Cassette(path, mode) as cassette:
            told: Any = cassette.driver(_Priced)
            assert (told.context_window, told.privacy_tier) == (777, PrivacyTier.STANDARD)
            assert [told.has_price(model) for model in ("", "large", "new")] == [True, True, False]
            assert [told.estimate_cost(USED, model) for model in ("", "large")] == pytest.approx([35e-6, 105e-6])
            assert told.estimate_cost(TokenUsage(1000, 0), "large") == pytest.approx(0.003)
            for model in ("", "large", "new"):
                ask(told, asking("?", model=model))
    with Cassette(path) as cassette, AgentPool(cassette.driver()) as pool:
        with pytest.raises(CapabilityDenied):
            pool.spawn(SpawnConfig(MANIFEST, "?"))
        limits = {"max_cost_usd": 1.0}
        manifest = AgentManifest.model_validate(
            {"name": "a", "privacy": "standard", "resources": limits, "model": {"remote_model": "new"}}
        )
        with pytest.raises(ManifestError, match="price"):
            pool.spawn(SpawnConfig(manifest, "?"))


def test_a_replay_costs_to_the_last_digit_what_was_paid(path: Path) -> None:
    """Sums of prices have noise in them: that is recorded, too."""
    prices = [0.1 + 0.2, 0.00035472999999999993, 1 / 3]
    for mode in ("all", "none"):
        with Cassette(path, mode) as cassette, AgentPool(cassette.driver(_Thirds)) as pool:
            costs = [pool.spawn(SpawnConfig(MANIFEST, str(number))).outcome(10).cost_usd for number in range(3)]
        assert costs == prices


class _Thirds(FunctionDriver):
    def __init__(self) -> None:
        super().__init__(lambda request: CompletionResponse("x", usage=TokenUsage(int(request.messages[0].content), 0)))

    def estimate_cost(self, usage: TokenUsage, model: str = "") -> float:
        return [0.1 + 0.2, 0.00035472999999999993, 1 / 3, 0.0][min(usage.input_tokens, 3)]


def test_several_drivers_are_told_apart(path: Path) -> None:
    """By the order in which they are made: each has its window, and its own answers to the same request first."""
    with Cassette(path, "all") as cassette:
        small = cassette.driver(lambda: ScriptedDriver(["small", "small again"], context_window=100))
        large = cassette.driver(lambda: ScriptedDriver(["large"], context_window=200))
        for driver in (small, large, small):
            ask(driver, "?")
    with Cassette(path) as cassette:
        drivers = [cassette.driver() for _ in range(3)]
        assert [driver.context_window for driver in drivers] == [100, 200, 100]
        assert [ask(drivers[number], "?").text for number in (1, 0, 2)] == ["large", "small", "small again"]


# Normalized, and redacted ---------------------------------------------------------------------------------------------


def test_several_drivers_cost_what_each_has_cost(path: Path) -> None:
    """The same request, the same model, the same tokens."""
    for mode in ("all", "none"):
        with Cassette(path, mode) as cassette:
            dear, cheap = (
                cassette.driver(
                    lambda usd=usd: ScriptedDriver([CompletionResponse("x", usage=USED)], usd_per_token=usd)
                )
                for usd in (3.0, 1.0)
            )
            costs = []
            for driver in (dear, cheap):
                with AgentPool(driver) as pool:
                    costs.append(pool.spawn(SpawnConfig(MANIFEST, "?")).outcome(10).cost_usd)
        assert costs[0] == 3 * costs[1] > 0


def test_normalize_leaves_out_what_changes(path: Path) -> None:
    """A request is recorded, and looked for, as it gives it; the driver gets it as it was asked."""

    def without_numbers(request: CompletionRequest) -> CompletionRequest:
        text = "".join(sign for sign in request.messages[0].content if not sign.isdigit())
        return replace(request, messages=(UserMessage(text),))

    asked: list[str] = []
    with Cassette(path, "all", normalize=without_numbers) as cassette:
        driver = cassette.driver(
            lambda: FunctionDriver(lambda request: asked.append(request.messages[0].content) or "yes")
        )
        ask(driver, "at 12:30")
    assert asked == ["at 12:30"]
    assert lines_of(path)[0]["request"]["messages"][0]["content"] == "at :"
    with Cassette(path, normalize=without_numbers) as cassette:
        assert ask(cassette.driver(), "at 18:45").text == "yes"


def test_redact_goes_over_every_text(path: Path) -> None:
    """Prompts, arguments and their names, tools, errors, attachments; a replay finds the redacted request."""

    def redact(text: str) -> str:
        return text.replace("s3cret", "***")

    call = ToolCall(
        "s3cret", "s3cret", {"s3cret": ["s3cret", {"a": "s3cret"}]}, "s3cret", Attachment("s3cret", {"k": "s3cret"})
    )
    request = CompletionRequest(
        (UserMessage("s3cret"), AssistantMessage("s3cret", (call,), "s3cret"), ToolResultMessage("s3cret", "s3cret")),
        (ToolDefinition("s3cret", "s3cret", {"s3cret": "s3cret"}),),
        system="s3cret",
        model="s3cret",
        output_schema={"s3cret": "s3cret"},
    )
    answer = CompletionResponse("s3cret", StopReason.TOOL_USE, (call,), reasoning="s3cret")
    failed = ContextOverflow(1, 2, "s3cret")
    record(path, answer, failed, InferenceFailed("s3cret"), texts=[request, "b", "c"], redact=redact)
    assert "s3cret" not in path.read_text()
    assert len(lines_of(path)) == 3
    with Cassette(path, redact=redact) as cassette:
        replayed = ask(cassette.driver(), request)
    assert replayed.text == "***"
    assert replayed.tool_calls[0].input == {"***": ["***", {"a": "***"}]}
    with Cassette(path, "all", redact=lambda text: "X") as cassette:  # whatever it gives, the file can be read
        driver = cassette.driver(
            lambda: ScriptedDriver(
                [CompletionResponse("", StopReason.TOOL_USE, (replace(call, input={"a": 1, "b": 2}),))]
            )
        )
        ask(driver, request)
    with Cassette(path, redact=lambda text: "X") as cassette:
        (called,) = ask(cassette.driver(), request).tool_calls
    assert called.input == {"X": 1, "X~": 2}


def test_what_normalize_and_redact_must_not_do(path: Path) -> None:
    """A function that returns something else is told so before anything is bought."""
    bad: Any = lambda _: None  # noqa: E731
    for name in ("normalize", "redact"):
        inner = ScriptedDriver.text("x")
        refused = pytest.raises(TypeError, match=f"{name} must return a .*, got NoneType")
        with Cassette(path, "all", **{name: bad}) as cassette, refused:
            ask(cassette.driver(lambda made=inner: made), "q")
        assert inner.requests == []
        with pytest.raises(TypeError, match=f"{name} must be a function"):
            Cassette(path, **{name: "no"})


def test_no_key_gets_into_the_file(path: Path) -> None:
    """As servers quote them; other words of an error stay."""
    for text, told in (
        ("Incorrect API key provided: sk-proj-12***cdef34. See", "Incorrect API key provided: <key>. See"),
        ("no: Bearer 0123456789abcdef", "no: <key>"),
        ("key=AIzaSyA0123456789abcdefghij", "<key>"),
        ("model claude-sonnet-4-5-20250929: 4096 tokens", "model claude-sonnet-4-5-20250929: 4096 tokens"),
    ):
        record(path, InferenceFailed(text))
        assert lines_of(path)[0]["error"]["message"] == told


def test_no_address_gets_into_the_file(path: Path) -> None:
    """Neither with an error nor with what a server wants to have back; a replay goes on from what is in the file."""
    kept = Attachment("openai http://10.1.2.3:8080", {"id": "r1"})
    answer = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c", "look", {}, attachment=kept),), attachment=kept)
    error = NetworkError("the connection to https://models.example.com/v1 broke: [Errno 111] ('10.1.2.3', 8080)")
    following = CompletionRequest(
        (AssistantMessage("", answer.tool_calls, attachment=kept), ToolResultMessage("c", "ok"))
    )
    record(path, answer, error, "done", texts=["a", "b", following])
    content = path.read_text()
    assert not [word for word in ("10.1.2.3", '8080"', "example.com", "http") if word in content]
    with Cassette(path) as cassette:
        driver = cassette.driver()
        first = ask(driver, "a")
        again = replace(
            following,
            messages=(AssistantMessage("", first.tool_calls, attachment=first.attachment), following.messages[1]),
        )
        assert ask(driver, again).text == "done"


# The file -------------------------------------------------------------------------------------------------------------

GOOD = '{"v": 1, "digest": "d", "request": {}, "response": {"text": "yes"}, "seconds": 0}'


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no json", "no JSON"),
        (GOOD[:40], "no JSON.*is the line whole"),
        ("[" * 100_000, "no JSON"),
        ("[]", "object"),
        ('{"digest": "d"}', '"v" is 1'),
        (GOOD.replace("1", "true", 1), '"v" is 1'),
        (GOOD.replace("1", "2", 1), "version 2 .* update the library"),
        (GOOD.replace('"d"', "7"), "digest"),
        (GOOD.replace("{}", "[]"), '"request" is an object'),
        (GOOD.replace('{"text": "yes"}', "5"), '"response" is an object'),
        (GOOD.replace('"yes"', "5"), r'"response" is none: text'),
        (GOOD.replace('"seconds": 0', '"seconds": -1'), "seconds"),
        (GOOD.replace('"seconds": 0', '"seconds": NaN'), "seconds"),
        (GOOD.replace('"seconds": 0', '"error": {"type": "Overloaded"}'), "either"),
        (GOOD.replace('"seconds": 0', '"driver": {"context_window": 0}'), "context_window"),
        (GOOD.replace('"seconds": 0', '"driver": {"privacy_tier": "os.system"}'), "os.system"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "os.system"}}', "no error .* 'os.system'"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "Evil", "message": "m"}}', "no error .* 'Evil'"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "PoolClosed"}}', "no error"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "Overloaded", "tokens": [1]}}', "tokens"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "Overloaded", "tokens": "ab"}}', "tokens"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "Overloaded", "retry_after": "x"}}', "retry_after"),
        ('{"v": 1, "digest": "d", "request": {}, "error": {"type": "Overloaded", "message": 5}}', "message"),
        ("\udcff", "no UTF-8"),
    ],
)
def test_a_file_that_is_no_cassette(path: Path, line: str, why: str) -> None:
    """Is told with file and line; nothing is imported because it is named there."""
    path.parent.mkdir()
    path.write_bytes(f"{GOOD}\n\n{line}\n".encode("utf-8", "surrogateescape"))
    for mode in ("none", "once"):
        with pytest.raises(CassetteError, match=rf"one\.jsonl:3: .*{why}"):
            Cassette(path, mode)
    record(path, "new")  # to record anew, nothing of it has to be right
    assert len(lines_of(path)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.rstrip(b"\n"),
        lambda content: b"\n \n" + content + b"\n",
    ],
    ids=["BOM", "CRLF", "no end", "empty lines"],
)
def test_what_editors_do_to_a_file(path: Path, change: Any) -> None:
    """It is read all the same."""
    record(path, "one", "two\u2028\r")
    path.write_bytes(change(path.read_bytes()))
    with Cassette(path) as cassette:
        assert [ask(cassette.driver(), f"q{number}").text for number in range(2)] == ["one", "two\u2028\r"]


def test_a_line_needs_no_more_than_the_format_says(path: Path) -> None:
    """What is known of the driver may be missing; so may an error's words be."""
    record(path, "one", Overloaded("full", retry_after=1))
    lines = lines_of(path)
    for line in lines:
        del line["driver"], line["cost_usd"]
    del lines[1]["error"]["message"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Cassette(path) as cassette:
        driver = cassette.driver()
        assert ask(driver, "q0").text == "one"
        with pytest.raises(Overloaded):
            ask(driver, "q1")
        assert driver.privacy_tier is PrivacyTier.SOVEREIGN


def test_an_empty_file_has_no_answers(path: Path) -> None:
    """It is one all the same: ``once`` does not record over it."""
    path.parent.mkdir()
    path.touch()
    with Cassette(path, "once") as cassette, pytest.raises(CassetteMiss, match="nothing is recorded there"):
        ask(cassette.driver(), "?")


def test_nothing_is_written_over_a_good_file_when_the_block_fails(path: Path) -> None:
    """Be it by an error, an exit, or a disk that is full; no other file is left."""
    record(path, "good")
    content = path.read_bytes()
    for error in (ValueError("test"), KeyboardInterrupt()):
        with pytest.raises(type(error)), Cassette(path, "all") as cassette:
            ask(cassette.driver(lambda: ScriptedDriver.text("bad")), "q0")
            raise error
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(os, "fsync", _full)
        record(path, "bad")
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["one.jsonl"]


def _full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_nothing_that_was_asked_is_no_file(path: Path) -> None:
    """But where one was, it says now that nothing is asked."""
    with Cassette(path, "once") as cassette:
        cassette.driver(never)
    assert not path.parent.exists()
    record(path, "old")
    with Cassette(path, "all"):
        pass
    assert path.read_bytes() == b""


def test_where_nothing_can_be_written_nothing_is_bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a file in place of one, a folder that is read only: told when it is opened."""
    with pytest.raises(IsADirectoryError):
        Cassette(tmp_path, "all")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Cassette(tmp_path / "file" / "one.jsonl", "once")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(PermissionError):
        Cassette(tmp_path / "new" / "one.jsonl", "once")
    with Cassette(tmp_path / "new" / "one.jsonl"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_a_program_that_goes_elsewhere_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is of the folder in which the cassette was opened."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Cassette("one.jsonl", "once") as cassette:
        ask(cassette.driver(lambda: FunctionDriver(echo)), "q")
        monkeypatch.chdir("elsewhere")
    assert [path.name for path in tmp_path.rglob("*.jsonl")] == ["one.jsonl"]
    assert lines_of(tmp_path / "one.jsonl")


def test_a_file_keeps_its_mode_and_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    """A new one is as readable as any that is written."""
    record(path, "one")
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o640)
    (link := tmp_path / "link.jsonl").symlink_to(path)
    record(link, "two")
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert lines_of(path)[0]["response"]["text"] == "two"


# Life -----------------------------------------------------------------------------------------------------------------


def test_the_driver_is_made_once_for_many_threads(path: Path) -> None:
    """Whoever comes while it is being made waits for it; what failed is tried again by the next one."""
    made: list[int] = []
    gate = threading.Event()
    entered = threading.Event()

    def make() -> LlmDriver:
        made.append(1)
        entered.set()
        assert gate.wait(10)
        return FunctionDriver(echo)

    with Cassette(path, "all") as cassette, ThreadPoolExecutor(16) as threads:
        driver = cassette.driver(make)
        futures = [threads.submit(ask, driver, f"q{number}") for number in range(16)]
        assert entered.wait(10)
        gate.set()
        assert sorted(future.result(10).text for future in futures) == sorted(f"re: q{number}" for number in range(16))
    assert made == [1]
    assert len(lines_of(path)) == 16


def test_what_makes_no_driver(path: Path) -> None:
    """Is told to whoever asks; the next one tries again."""
    answers: list[Any] = [OSError("no key"), None, "text", ScriptedDriver.text("yes")]

    def make() -> Any:
        made = answers.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    with Cassette(path, "all") as cassette:
        driver = cassette.driver(make)
        with pytest.raises(OSError, match="no key"):
            ask(driver, "q")
        with pytest.raises(TypeError, match="returned None"):
            ask(driver, "q")
        with pytest.raises(TypeError, match="is no driver"):
            ask(driver, "q")
        assert ask(driver, "q").text == "yes"
        with pytest.raises(CassetteError, match="AttributeError: oops"):
            AgentPool(cassette.driver(_oops))
        with pytest.raises(ValueError, match=r"give cassette\.driver a function"):
            cassette.driver()
        wrong: Any = ScriptedDriver.text("x")
        with pytest.raises(TypeError, match="give lambda: driver"):
            cassette.driver(wrong)


def _oops() -> LlmDriver:
    raise AttributeError("oops")


def test_after_the_end(path: Path) -> None:
    """Nothing is asked any more, and an answer that comes late is not recorded; closing twice writes once."""
    cassette = Cassette(path, "all")
    token = CancelToken()

    def late(request: CompletionRequest) -> str:
        cassette.close()
        return "late"

    driver = cassette.driver(lambda: FunctionDriver(late))
    assert driver.complete(asking("?"), cancel=token).text == "late"
    cassette.close()
    assert not path.exists()
    for use in (lambda: ask(driver, "?"), lambda: cassette.driver(never), cassette.__enter__):
        with pytest.raises(CassetteError, match="is closed"):
            use()
    record(path, "one")
    replayed = Cassette(path)
    player = replayed.driver()
    replayed.discard()
    with pytest.raises(CassetteError, match="is closed"):
        ask(player, "q0")


@pytest.mark.parametrize("mode", ["", "ALL", "record", None, 1])
def test_another_mode(path: Path, mode: Any) -> None:
    """Is refused with those there are."""
    with pytest.raises(ValueError, match="none, once or all, not"):
        Cassette(path, mode)


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from actors import CancelToken, CompletionRequest, ForkedPoolError, ScriptedDriver, UserMessage
from actors.testing import Cassette

path = sys.argv[1]
for mode in ("all", "none"):
    with Cassette(path, mode) as cassette:
        driver = cassette.driver(lambda: ScriptedDriver.text("yes"))
        ask = lambda: driver.complete(CompletionRequest((UserMessage("?"),)), cancel=CancelToken())
        if mode == "all":
            ask()
        child = os.fork()
        if not child:
            try:
                ask()
            except ForkedPoolError:
                cassette.close()
                os._exit(0 if mode == "none" or not os.path.exists(path) else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if mode == "none":
            assert ask().text == "yes"
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_neither_asks_nor_writes(path: Path) -> None:
    """The parent goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
