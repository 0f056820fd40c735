"""``ScriptedDriver``: answers from a list, faults on demand, and a latency that a cancel ends."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import pytest

from actors import (
    Cancelled,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    InferenceFailed,
    PrivacyTier,
    RateLimited,
    ScriptedDriver,
    StopReason,
    TextDelta,
    TokenUsage,
    UserMessage,
)

BOUND = 10.0


def request(text: str = "q") -> CompletionRequest:
    return CompletionRequest((UserMessage(text),))


def ask(driver: ScriptedDriver, text: str = "q") -> CompletionResponse:
    return driver.complete(request(text), cancel=CancelToken())


def test_answers_in_order() -> None:
    """Texts and whole answers; what it was asked is noted."""
    answer = CompletionResponse("two", StopReason.STOP_SEQUENCE, usage=TokenUsage(1, 2))
    driver = ScriptedDriver(["one", answer])
    assert ask(driver, "a") == CompletionResponse("one")
    assert ask(driver, "b") is answer
    assert driver.requests == [request("a"), request("b")]


def test_the_requests_are_a_copy() -> None:
    """Changing the list changes nothing."""
    driver = ScriptedDriver.text("x")
    ask(driver)
    driver.requests.clear()
    assert len(driver.requests) == 1


@pytest.mark.parametrize(
    "fault", [RateLimited("slow down", retry_after=3), InferenceFailed, ValueError("boom"), SystemExit]
)
def test_faults_on_demand(fault: Any) -> None:
    """An exception, or a class of one, is raised in its turn."""
    driver = ScriptedDriver([fault, "after"])
    kind = fault if isinstance(fault, type) else type(fault)
    with pytest.raises(kind):
        ask(driver)
    assert ask(driver).text == "after"


def test_the_end_of_the_script() -> None:
    """A clear error that says what to do, and that is not asked again."""
    driver = ScriptedDriver(["one"])
    ask(driver)
    with pytest.raises(
        InferenceFailed, match=r"no more answers \(1 were given, this is request 2\).*default"
    ) as caught:
        ask(driver)
    assert not caught.value.retryable


@pytest.mark.parametrize("default", ["more", CompletionResponse("more")])
def test_a_default(default: Any) -> None:
    """Once the list is used up, as often as asked."""
    driver = ScriptedDriver(["one"], default=default)
    assert [ask(driver).text for _ in range(4)] == ["one", "more", "more", "more"]


def test_a_default_that_fails() -> None:
    """It may be an exception, too."""
    driver = ScriptedDriver([], default=RateLimited)
    for _ in range(2):
        with pytest.raises(RateLimited):
            ask(driver)


@pytest.mark.parametrize("kind", [RateLimited, KeyError])
def test_an_error_that_is_raised_again_is_another_one(kind: type[Exception]) -> None:
    """Else its traceback would grow with each time, for all that have it."""
    fault = kind("slowly")
    fault.field = "kept"  # type: ignore[attr-defined]
    driver = ScriptedDriver([fault, fault], default=fault)
    raised: list[Any] = []
    for _ in range(4):
        with pytest.raises(kind) as caught:
            ask(driver)
        raised.append(caught.value)
    assert raised[0] is fault
    assert len({id(error) for error in raised}) == 4
    assert [(type(error), error.args, error.field) for error in raised] == [(kind, ("slowly",), "kept")] * 4
    assert len({len(traceback.extract_tb(error.__traceback__)) for error in raised}) == 1


def test_one_text() -> None:
    """The short form, with the options of the long one."""
    driver = ScriptedDriver.text("hi", context_window=99)
    assert (ask(driver).text, driver.context_window) == ("hi", 99)


def test_a_tool_call_and_then_a_text() -> None:
    """As a model would do it."""
    driver = ScriptedDriver.tool_then_text("read", {"path": "x"}, "done", usd_per_token=1.0)
    first = ask(driver)
    assert first.stop_reason is StopReason.TOOL_USE
    assert [(call.name, call.input) for call in first.tool_calls] == [("read", {"path": "x"})]
    assert ask(driver).text == "done"
    assert driver.estimate_cost(TokenUsage(1, 1)) == 2.0


def test_defaults() -> None:
    """Its window is 4096, it costs nothing, and nothing leaves the machine."""
    driver = ScriptedDriver([])
    assert (driver.context_window, driver.privacy_tier) == (4096, PrivacyTier.SOVEREIGN)
    assert driver.estimate_cost(TokenUsage(10**6, 10**6)) == 0.0


def test_its_price() -> None:
    """For every token, in and out."""
    assert ScriptedDriver([], usd_per_token=0.25).estimate_cost(TokenUsage(3, 1)) == 1.0


def test_a_cancel_ends_the_latency() -> None:
    """With the token's reason."""
    driver, token, started = ScriptedDriver(["never"], latency=3600), CancelToken(), threading.Event()
    caught: list[Cancelled] = []

    def wait() -> None:
        started.set()
        try:
            driver.complete(request(), cancel=token)
        except Cancelled as cancelled:
            caught.append(cancelled)

    thread = threading.Thread(target=wait)
    thread.start()
    assert started.wait(BOUND)
    token.cancel("enough")
    thread.join(BOUND)
    assert not thread.is_alive()
    assert [cancelled.reason for cancelled in caught] == ["enough"]


def test_latency_takes_its_time() -> None:
    """Without a cancel the answer comes."""
    assert ask(ScriptedDriver(["slow"], latency=0.001)).text == "slow"


def test_a_cancelled_call_gives_no_answer() -> None:
    """Also without any latency."""
    token = CancelToken()
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        ScriptedDriver(["never"]).complete(request(), cancel=token)


def test_threads_share_a_script() -> None:
    """Each answer goes to exactly one of them, and every request is noted."""
    count = 400
    driver = ScriptedDriver([str(number) for number in range(count)])
    got: list[list[str]] = [[] for _ in range(4)]
    barrier = threading.Barrier(4)

    def take(mine: list[str]) -> None:
        barrier.wait(BOUND)
        mine.extend(ask(driver).text for _ in range(count // 4))

    threads = [threading.Thread(target=take, args=(mine,)) for mine in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert sorted(int(text) for mine in got for text in mine) == list(range(count))
    assert len(driver.requests) == count


def test_streaming_is_one_delta() -> None:
    """The whole text; an answer without text has none."""
    driver = ScriptedDriver(["hello", CompletionResponse("")])
    seen: list[Any] = []
    assert driver.stream(request(), seen.append, cancel=CancelToken()).text == "hello"
    assert seen == [TextDelta(text="hello")]
    driver.stream(request(), seen.append, cancel=CancelToken())
    assert len(seen) == 1


@pytest.mark.parametrize("answers", [[3], [None], ["ok", {"text": "x"}], [int]])
def test_what_is_no_answer(answers: list[Any]) -> None:
    """Said when the script is written, not when it is played."""
    with pytest.raises(TypeError, match="an answer is a CompletionResponse, a str or an exception"):
        ScriptedDriver(answers)


def test_bad_options() -> None:
    """A text in place of the list, a negative latency, an empty window, a default that is no answer."""
    with pytest.raises(TypeError, match=r"ScriptedDriver\.text"):
        ScriptedDriver("hello")
    with pytest.raises(ValueError, match="latency"):
        ScriptedDriver([], latency=-1)
    with pytest.raises(ValueError, match="context_window"):
        ScriptedDriver([], context_window=0)
    with pytest.raises(TypeError, match="an answer is"):
        ScriptedDriver([], default=3)  # type: ignore[arg-type]
