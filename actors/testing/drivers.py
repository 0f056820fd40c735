"""What every driver promises, as tests."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

from ..agent.ports import CompletionRequest, CompletionResponse, PrivacyTier, StopReason, ToolDefinition
from ..core.records.answer import TextDelta
from ..core.records.conversation import AssistantMessage, SystemMessage, ToolCall, ToolResultMessage, UserMessage
from ..core.records.usage import TokenUsage
from ..core.waiting.cancel import CancelToken, Deadline
from ..errors import Cancelled, DriverError, InferenceFailed, Overloaded, RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.ports import LlmDriver
    from ..core.records.conversation import Message
    from ..core.records.event import Event

Answer: TypeAlias = CompletionResponse | DriverError

BOUND = 10.0
"""Seconds after which a wait has failed. None of them is meant to take long."""
AT_ONCE = 16
WEATHER = ToolDefinition(
    "weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}}
)
CALLS = (ToolCall("one", "weather", {"city": "Linz"}), ToolCall("two", "weather", {"city": "Graz", "days": [1, 2]}))


class DriverConformance:
    """The suite for drivers. Subclass it, say how to make yours, and let pytest collect it.

    What a driver has to be closed with goes into ``self.cleanup``, an ``ExitStack`` that each test closes.
    """

    cleanup: ExitStack

    def setup_method(self) -> None:
        """Before each test."""
        self.cleanup = ExitStack()

    def teardown_method(self) -> None:
        """After each test."""
        self.cleanup.close()

    # What a subclass says ---------------------------------------------------------------------------------------

    def driver_that_answers(self, *answers: Answer) -> LlmDriver:
        """A driver whose model gives *answers*, one for each request, in order; the last one again and again.

        An error stands for a model, or a server, that fails so.
        """
        raise NotImplementedError

    def driver_that_hangs(self) -> LlmDriver | None:
        """A driver whose model never answers; None for one that has nothing to wait for."""
        raise NotImplementedError

    # The tests --------------------------------------------------------------------------------------------------

    def test_what_it_is(self) -> None:
        """Its window, its tier and its prices make sense."""
        driver = self.driver_that_answers(CompletionResponse("yes"))
        assert isinstance(driver.context_window, int)
        assert driver.context_window > 0
        assert PrivacyTier(driver.privacy_tier) in PrivacyTier
        nothing, some, more = (driver.estimate_cost(TokenUsage(count, count)) for count in (0, 10, 1000))
        assert 0 == nothing <= some <= more

    def test_it_answers_with_text(self) -> None:
        """Text, the reason of the end, and the tokens come as they are."""
        answer = CompletionResponse("It rains: 3 °C.\nTake a coat.", usage=TokenUsage(12, 9))
        response = self.driver_that_answers(answer).complete(ask(), cancel=CancelToken())
        assert response == answer

    def test_it_tells_that_it_was_cut(self) -> None:
        """An answer that reached ``max_tokens`` says so."""
        answer = CompletionResponse("It ra", StopReason.MAX_TOKENS, usage=TokenUsage(5, 2))
        assert self.driver_that_answers(answer).complete(ask(), cancel=CancelToken()) == answer

    def test_it_asks_for_tools(self) -> None:
        """Several calls at once, in order, each with an id of its own and its arguments."""
        answer = CompletionResponse("", StopReason.TOOL_USE, CALLS, TokenUsage(20, 9))
        response = self.driver_that_answers(answer).complete(ask(), cancel=CancelToken())
        assert response.stop_reason is StopReason.TOOL_USE
        assert [(call.name, dict(call.input)) for call in response.tool_calls] == [
            (call.name, dict(call.input)) for call in CALLS
        ]
        assert len({call.id for call in response.tool_calls}) == len(CALLS)

    def test_it_takes_every_message(self) -> None:
        """A whole conversation: instructions, calls, their results, failed ones too, answers without a word."""
        conversation: list[Message] = [
            UserMessage("Weather?"),
            AssistantMessage("Let me look.", CALLS),
            ToolResultMessage("one", "rain"),
            ToolResultMessage("two", "no such city", is_error=True),
            SystemMessage("Be brief."),
            AssistantMessage(""),
            UserMessage("Now?"),
        ]
        driver = self.driver_that_answers(CompletionResponse("Rain."))
        assert driver.complete(ask(*conversation), cancel=CancelToken()).text == "Rain."

    def test_a_stream_is_the_answer_in_pieces(self) -> None:
        """The deltas together are the text; the response is that of ``complete``; all in the caller's thread."""
        answer = CompletionResponse("It rains in Linz today.", usage=TokenUsage(12, 9))
        threads: set[int] = set()
        pieces: list[str] = []

        def hear(event: Event) -> None:
            assert isinstance(event, TextDelta)
            threads.add(threading.get_ident())
            pieces.append(event.text)

        assert self.driver_that_answers(answer).stream(ask(), hear, cancel=CancelToken()) == answer
        assert "".join(pieces) == answer.text
        assert threads == {threading.get_ident()}

    def test_a_stream_may_ask_for_tools(self) -> None:
        """With text before the calls."""
        answer = CompletionResponse("Let me look.", StopReason.TOOL_USE, CALLS, TokenUsage(20, 9))
        pieces: list[Any] = []
        response = self.driver_that_answers(answer).stream(ask(), pieces.append, cancel=CancelToken())
        assert (response.text, response.stop_reason) == (answer.text, StopReason.TOOL_USE)
        assert [(call.name, dict(call.input)) for call in response.tool_calls] == [
            (call.name, dict(call.input)) for call in CALLS
        ]
        assert "".join(piece.text for piece in pieces) == answer.text

    def test_what_hears_the_stream_may_fail(self) -> None:
        """Its error comes out as it is, and the driver answers the next request."""
        driver = self.driver_that_answers(CompletionResponse("one two three"))

        def fail(_: Event) -> None:
            raise KeyError("mine")

        assert isinstance(raised(lambda: driver.stream(ask(), fail, cancel=CancelToken())), KeyError)
        assert driver.complete(ask(), cancel=CancelToken()).text == "one two three"

    def test_a_cancel_ends_a_call_in_flight(self) -> None:
        """At once, with the reason; also while it streams."""
        driver = self.driver_that_hangs()
        if driver is None:
            return
        for call in (driver.complete, lambda request, cancel: driver.stream(request, _nothing, cancel=cancel)):
            token = CancelToken()
            errors: list[BaseException | None] = []
            asking = threading.Thread(
                target=lambda call=call, token=token, errors=errors: errors.append(
                    raised(lambda: call(ask(), cancel=token))
                )
            )
            asking.start()
            asking.join(0.2)
            assert asking.is_alive(), "it does not wait for its model"
            token.cancel("enough")
            asking.join(BOUND)
            assert not asking.is_alive(), "a cancel does not end the call"
            assert [(type(error), getattr(error, "reason", None)) for error in errors] == [(Cancelled, "enough")]

    def test_a_deadline_ends_a_call_in_flight(self) -> None:
        """As a cancel does."""
        driver, token = self.driver_that_hangs(), CancelToken(Deadline.after(0.1))
        if driver is None:
            return
        error = raised(lambda: driver.complete(ask(), cancel=token))
        assert isinstance(error, Cancelled)
        assert error.timed_out

    def test_a_cancelled_caller_gets_no_answer(self) -> None:
        """Also when the answer would be there."""
        token = CancelToken()
        token.cancel("before")
        driver = self.driver_that_answers(CompletionResponse("yes"))
        assert isinstance(raised(lambda: driver.complete(ask(), cancel=token)), Cancelled)

    def test_a_failure_that_may_pass(self) -> None:
        """It is said to be retryable, and the next request is answered."""
        driver = self.driver_that_answers(Overloaded("busy"), CompletionResponse("yes"))
        error = raised(lambda: driver.complete(ask(), cancel=CancelToken()))
        assert isinstance(error, DriverError)
        assert error.retryable
        assert driver.complete(ask(), cancel=CancelToken()).text == "yes"

    def test_a_failure_that_stays(self) -> None:
        """It is said not to be retryable."""
        driver = self.driver_that_answers(InferenceFailed("never"))
        error = raised(lambda: driver.complete(ask(), cancel=CancelToken()))
        assert isinstance(error, DriverError)
        assert not error.retryable

    def test_a_rate_limit_fails_nobody_for_good(self) -> None:
        """It is waited out, or raised as ``RateLimited`` for the caller to wait."""
        driver = self.driver_that_answers(RateLimited("slowly", retry_after=0.05), CompletionResponse("yes"))
        texts: list[str] = []
        for _ in range(2):
            error = raised(lambda: texts.append(driver.complete(ask(), cancel=CancelToken()).text))
            assert error is None or isinstance(error, RateLimited)
        assert texts
        assert set(texts) == {"yes"}

    def test_it_serves_many_threads_at_once(self) -> None:
        """Everybody gets an answer."""
        driver = self.driver_that_answers(CompletionResponse("yes"))
        texts: list[str] = []
        threads = [
            threading.Thread(target=lambda: texts.append(driver.complete(ask(), cancel=CancelToken()).text))
            for _ in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert texts == ["yes"] * AT_ONCE


def ask(*messages: Message) -> CompletionRequest:
    """A request with a tool."""
    return CompletionRequest(messages or (UserMessage("Weather?"),), (WEATHER,), "Answer.", max_tokens=100)


def raised(call: Callable[[], object]) -> BaseException | None:
    """What *call* raises."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return error
    return None


def _nothing(_: Event) -> None:
    """Hear, and do nothing."""
