"""``FunctionDriver``: a Python function in place of a model."""

from __future__ import annotations

from typing import Any

import pytest

from actors import (
    AgentManifest,
    Cancelled,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    PrivacyTier,
    TextDelta,
    TokenUsage,
    UserMessage,
)
from actors.drivers.function import echo

REQUEST = CompletionRequest((UserMessage("first"), UserMessage("last")))


def test_a_text_is_an_answer() -> None:
    """The function gets the whole request."""
    seen: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> str:
        seen.append(request)
        return "hi"

    assert FunctionDriver(answer).complete(REQUEST, cancel=CancelToken()) == CompletionResponse("hi")
    assert seen == [REQUEST]
    assert seen[0] is REQUEST


def test_an_answer_is_handed_on() -> None:
    """As it is."""
    answer = CompletionResponse("hi", usage=TokenUsage(1, 2))
    assert FunctionDriver(lambda request: answer).complete(REQUEST, cancel=CancelToken()) is answer


@pytest.mark.parametrize("value", [None, 3, b"hi", {"text": "hi"}])
def test_anything_else_is_an_error(value: Any) -> None:
    """It names the function and what it returned."""

    def policy(request: CompletionRequest) -> Any:
        return value

    with pytest.raises(TypeError, match=f"policy must return .* got {type(value).__name__}"):
        FunctionDriver(policy).complete(REQUEST, cancel=CancelToken())


def test_a_callable_without_a_name() -> None:
    """An object with ``__call__`` will do, and is shown as it is."""

    class Policy:
        def __call__(self, request: CompletionRequest) -> Any:
            return None

        def __repr__(self) -> str:
            return "<my policy>"

    with pytest.raises(TypeError, match="<my policy> must return"):
        FunctionDriver(Policy()).complete(REQUEST, cancel=CancelToken())


def test_what_it_raises_goes_on() -> None:
    """Nothing is swallowed."""

    def fail(request: CompletionRequest) -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        FunctionDriver(fail).complete(REQUEST, cancel=CancelToken())


def test_a_cancelled_call_is_not_made() -> None:
    """The function is not called."""
    calls: list[Any] = []
    token = CancelToken()
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        FunctionDriver(calls.append).complete(REQUEST, cancel=token)  # type: ignore[arg-type]
    assert calls == []


def test_it_costs_nothing_and_stays_here() -> None:
    """Sovereign, free, and with a window that can be set."""
    driver = FunctionDriver(lambda request: "x")
    assert (driver.privacy_tier, driver.context_window) == (PrivacyTier.SOVEREIGN, 4096)
    assert driver.estimate_cost(TokenUsage(10**6, 0)) == 0.0
    assert FunctionDriver(lambda request: "x", context_window=9).context_window == 9


def test_bad_options() -> None:
    """What is no function, and an empty window."""
    with pytest.raises(TypeError, match="FunctionDriver needs a function, got str"):
        FunctionDriver("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="context_window"):
        FunctionDriver(lambda request: "x", context_window=0)


def test_streaming_is_one_delta() -> None:
    """The whole text at once."""
    seen: list[Any] = []
    FunctionDriver(lambda request: "hi").stream(REQUEST, seen.append, cancel=CancelToken())
    assert seen == [TextDelta(text="hi")]


def test_echo() -> None:
    """Answers with the last message, in the manifest's window or the usual one."""
    driver = echo(AgentManifest(model={"context_window": 77}))
    assert driver.complete(REQUEST, cancel=CancelToken()).text == "last"
    assert driver.context_window == 77
    assert echo(AgentManifest()).context_window == 4096
