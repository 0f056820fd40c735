"""Both drivers that ask a server: what they send, what they make of what comes back, and how a call ends."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AssistantMessage,
    Cancelled,
    CancelToken,
    CapabilityDenied,
    CompletionRequest,
    CompletionResponse,
    ContextOverflow,
    Deadline,
    DriverError,
    InferenceFailed,
    MalformedAnswer,
    ManifestError,
    ModelNotFound,
    NetworkError,
    Overloaded,
    PrivacyTier,
    RateLimited,
    RateLimiter,
    SpawnConfig,
    StopReason,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from actors.core.process.event_loop import private_loop
from actors.drivers import remote
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.drivers.remote import RemoteDriver
from tests.drivers.provider import Answer, Asked, Provider, Reply, failure, hang, reply, say

Connect = Callable[..., RemoteDriver]
ASK = CompletionRequest((UserMessage("hi"),), max_tokens=50)
ADD = ToolDefinition("math.add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}})


@pytest.fixture(params=[OpenAIDriver, AnthropicDriver])
def kind(request: pytest.FixtureRequest) -> type[RemoteDriver]:
    """Each of the drivers."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def serve() -> Any:
    """``serve(*answers)`` starts a server; with one function, that decides."""
    running: list[Provider] = []

    def start(*answers: Answer | Callable[[Asked], Answer]) -> Provider:
        first = answers[0]
        running.append(Provider(first if callable(first) else answers).__enter__())  # type: ignore[arg-type]
        return running[-1]

    yield start
    for provider in running:
        provider.__exit__()


@pytest.fixture
def connect(kind: type[RemoteDriver]) -> Any:
    """``connect(provider)`` makes a driver; its connections are closed at the end."""
    made: list[RemoteDriver] = []

    def make(provider: Provider, **options: Any) -> RemoteDriver:
        options.setdefault("base_url", provider.url if kind is OpenAIDriver else provider.root)
        made.append(kind("test-model", **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close_idle()


def both(driver: RemoteDriver, request: CompletionRequest = ASK) -> list[Callable[[], CompletionResponse]]:
    """The two ways to ask."""
    return [
        lambda: driver.complete(request, cancel=CancelToken(Deadline.after(20))),
        lambda: driver.stream(request, lambda _: None, cancel=CancelToken(Deadline.after(20))),
    ]


# What is sent -----------------------------------------------------------------------------------------------------


def test_what_a_server_is_asked(serve: Any, connect: Connect) -> None:
    """The conversation, the tools under names that it takes, and the bounds; once, with nothing asked again."""
    provider = serve("yes")
    call = ToolCall("c1", "math.add", {"a": 1})
    request = CompletionRequest(
        (UserMessage("q"), AssistantMessage("", (call,)), ToolResultMessage("c1", "2"), UserMessage("and?")),
        (ADD,),
        "Be brief.",
        max_tokens=77,
        temperature=0.5,
    )
    connect(provider, headers={"x-team": "blue"}, options={"top_k": 5}).complete(request, cancel=CancelToken())
    (asked,) = provider.asked
    body = asked.body
    assert asked.headers["x-team"] == "blue"
    assert (body["model"], body["max_tokens"], body["temperature"], body["top_k"]) == ("test-model", 77, 0.5, 5)
    text = str(body)
    assert "math_add" in text
    assert "math.add" not in text
    if asked.is_anthropic:
        assert body["system"] == "Be brief."
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
        assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]
    else:
        assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "user"]
        assert body["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_the_names_of_tools_come_back_as_they_were(serve: Any, connect: Connect) -> None:
    """The agent looks for its own name."""
    answer = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c", "math_add", {"a": 2}),), TokenUsage(1, 1))
    for ask in both(connect(serve(answer)), CompletionRequest((UserMessage("q"),), (ADD,))):
        assert ask().tool_calls[0].name == "math.add"


def test_a_request_may_name_another_model(serve: Any, connect: Connect) -> None:
    """Of the same server."""
    provider = serve("yes")
    connect(provider).complete(CompletionRequest((UserMessage("q"),), model="other"), cancel=CancelToken())
    assert provider.asked[0].body["model"] == "other"


def test_an_answer_of_a_schema_is_asked_for(serve: Any, connect: Connect) -> None:
    """In the words of the provider."""
    provider = serve("{}")
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    connect(provider).complete(CompletionRequest((UserMessage("q"),), output_schema=schema), cancel=CancelToken())
    body = provider.asked[0].body
    if provider.asked[0].is_anthropic:
        assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    else:
        # Not every server takes what forbids more.
        assert body["response_format"]["json_schema"]["schema"] == {"type": "object", "properties": {}}


def test_what_a_server_does_not_know_is_left_out_from_then_on(serve: Any, connect: Connect) -> None:
    """It is asked once more without it; what it refuses for another reason is not."""
    refusing = failure(400, "Unsupported parameter: 'temperature'", "invalid_request_error")
    provider = serve(lambda asked: refusing if "temperature" in asked.body else "yes")
    driver = connect(provider)
    assert [ask().text for ask in both(driver)] == ["yes", "yes"]
    assert ["temperature" in asked.body for asked in provider.asked] == [True, False, False]


def test_many_find_out_at_once_what_a_server_does_not_know(serve: Any, connect: Connect, in_thread: Any) -> None:
    """All of them are asked again."""
    meet = threading.Barrier(8)
    refusing = failure(400, "temperature is not supported", "invalid_request_error")

    def answer(asked: Asked) -> Answer:
        return say("yes", asked) if "temperature" not in asked.body else refusing

    driver = connect(serve(answer))

    def ask() -> str:
        meet.wait(10)
        return both(driver)[0]().text

    assert [future.result(10) for future in [in_thread(ask) for _ in range(8)]] == ["yes"] * 8


def test_usage_is_asked_for_while_streaming(serve: Any) -> None:
    """A server that knows no such option is asked without it."""
    refusing = failure(400, "unknown field stream_options", "invalid_request_error")
    provider = serve(lambda asked: refusing if "stream_options" in asked.body else "yes")
    driver = OpenAIDriver("m", base_url=provider.url)
    assert both(driver)[1]().text == "yes"
    assert provider.asked[0].body["stream_options"] == {"include_usage": True}
    assert len(provider.asked) == 2
    driver.close_idle()


# What comes back --------------------------------------------------------------------------------------------------

OVERFLOW = "This model's maximum context length is 4,096 tokens. However, you requested 5,000 tokens"
FAILURES: list[tuple[Reply, type[Exception], str]] = [
    (failure(400, "bad field"), InferenceFailed, "HTTP 400: bad field"),
    (failure(400, OVERFLOW, "context_length_exceeded"), ContextOverflow, "5000 tokens required, 4096 available"),
    (failure(413, "too long"), ContextOverflow, "context overflow"),
    (failure(401, "who?"), InferenceFailed, "check the API key"),
    (failure(403, "no"), InferenceFailed, "check the API key"),
    (failure(404, "no such model"), ModelNotFound, "model 'test-model'"),
    (failure(408, "slow"), NetworkError, "HTTP 408"),
    (failure(409, "wait"), Overloaded, "HTTP 409"),
    (failure(422, "no"), InferenceFailed, "HTTP 422"),
    (failure(429, "You exceeded your current quota", "insufficient_quota"), InferenceFailed, "no quota left"),
    (failure(500), Overloaded, "HTTP 500"),
    (failure(503, retry_after="7"), Overloaded, "HTTP 503"),
    (failure(529, "busy", "overloaded_error"), Overloaded, "HTTP 529: busy"),
    (Reply([b"{nope"]), MalformedAnswer, "."),
    (Reply([b"<html>hello"], content_type="text/html"), MalformedAnswer, "."),
    (Reply([b"\xff\xfe\x00"]), MalformedAnswer, "."),
    (reply({}), MalformedAnswer, "."),
    (reply([]), MalformedAnswer, "."),
    (reply(None), MalformedAnswer, "."),
    (reply({"choices": [], "content": None}), MalformedAnswer, "."),
    (reply({"choices": [None], "content": "x"}), MalformedAnswer, "."),
    (Reply([b"x"], headers={"content-encoding": "gzip"}), MalformedAnswer, "gzip"),
]


@pytest.mark.parametrize(("answer", "error", "words"), FAILURES)
def test_failures_are_ours(serve: Any, connect: Connect, answer: Reply, error: type[Exception], words: str) -> None:
    """Of the right class, with the server's words, asked once; while streaming, too."""
    provider = serve(answer)
    for number, ask in enumerate(both(connect(provider)), 1):
        with pytest.raises(error, match=words) as caught:
            ask()
        assert type(caught.value) is error
        assert len(provider.asked) == number


def test_the_cause_is_kept(serve: Any, connect: Connect) -> None:
    """What the package raised stands below, and how long the server asks to wait."""
    with pytest.raises(Overloaded) as caught:
        both(connect(serve(failure(503, retry_after="7"))))[0]()
    assert caught.value.retry_after == 7.0
    assert "APIStatusError" in {cls.__name__ for cls in type(caught.value.__cause__).__mro__}


@pytest.mark.parametrize("pieces", [0, 1, 2, 3, 5])
def test_a_connection_that_breaks(serve: Any, connect: Connect, pieces: int) -> None:
    """In the middle of an answer, or before: a network error, never half an answer."""
    provider = serve(lambda asked: say("one two three four five six", asked, cut_after=pieces))
    for ask in both(connect(provider)):
        with pytest.raises((NetworkError, MalformedAnswer)):
            ask()


def test_a_stream_that_just_ends_is_no_answer(serve: Any, connect: Connect) -> None:
    """Without its last pieces: some servers end so when they fail."""

    def ends_early(asked: Asked) -> Reply:
        whole = say("one two three", asked)
        whole.pieces = whole.pieces[:3]
        return whole

    with pytest.raises(MalformedAnswer, match="ended before the answer did"):
        both(connect(serve(ends_early)))[1]()


def test_an_error_in_the_middle_of_a_stream(serve: Any, connect: Connect) -> None:
    """Is that error, and not the end."""
    event = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}\n\n'
    with pytest.raises(Overloaded, match="busy"):
        both(connect(serve(Reply([event], content_type="text/event-stream"))))[1]()


def test_nobody_is_connected_to_where_nothing_listens(connect: Connect, serve: Any) -> None:
    """A network error, at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    for ask in both(connect(serve("x"), base_url=url)):
        with pytest.raises(NetworkError, match=r"the connection to http://127\.0\.0\.1:.* failed"):
            ask()


def test_broken_arguments_are_the_models_to_mend(serve: Any, connect: Connect) -> None:
    """The call comes with its problem; double ids are told apart."""
    answer = CompletionResponse(
        "", StopReason.TOOL_USE, (ToolCall("c", "t", {"a": 1}), ToolCall("c", "t", {"a": 2})), TokenUsage(1, 1)
    )

    def broken(asked: Asked) -> Reply:
        whole = say(answer, asked)
        whole.pieces = [piece and piece.replace(rb'\": 1}"', rb'\": 1"') for piece in whole.pieces]
        return whole

    response = both(connect(serve(broken)))[1]()
    first, second = response.tool_calls
    assert first.id != second.id
    assert dict(second.input) == {"a": 2}
    assert "not valid JSON" in first.problem
    assert second.problem == ""


def calls_of(provider: Provider, driver: RemoteDriver) -> list[tuple[str, Any, bool]]:
    response = both(driver)[1]()
    return [(call.name, dict(call.input), bool(call.problem)) for call in response.tool_calls]


def chunk(*calls: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"tool_calls": list(calls)} if calls else {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def part(arguments: Any, id_: Any = None, name: Any = None, **index: Any) -> dict[str, Any]:
    return {"id": id_, "function": {"name": name, "arguments": arguments}, **index}


@pytest.mark.parametrize(
    "parts",
    [
        [part('{"a"', "x", "t", index=0), part(":1}", index=0), part('{"a"', "y", "t", index=0), part(":2}", index=0)],
        [
            part('{"a"', "x", "t", index=0),
            part(":1}", "x", index=0),
            part('{"a":', "y", "t", index=1),
            part("2}", index=1),
        ],
        [part('{"a":1}', None, "t"), part('{"a":2}', None, "t")],
        [part('{"a":1}', "x", "t", index=0), part('{"a":2}', "x", "t", index=0)],
        [part({"a": 1}, "x", "t", index=0), part({"a": 2}, "y", "t", index=1)],
        [part('{"a":1}', 5, "t", index=None), part('{"a":2}', 6, "t", index=None)],
    ],
)
def test_servers_count_the_calls_of_a_stream_differently(serve: Any, parts: Any) -> None:
    """All of them the first, none at all, ids with every piece, or arguments that are no text."""
    pieces = [*(chunk(one) for one in parts), chunk(finish="tool_calls"), b"data: [DONE]\n\n"]
    provider = serve(Reply(pieces, content_type="text/event-stream"))
    driver = OpenAIDriver("m", base_url=provider.url)
    assert calls_of(provider, driver) == [("t", {"a": 1}, False), ("t", {"a": 2}, False)]
    driver.close_idle()


def block(index: Any, arguments: Any, *deltas: str) -> list[bytes]:
    place = {} if index is None else {"index": index}
    begin = {
        "type": "content_block_start",
        **place,
        "content_block": {"type": "tool_use", "id": None, "name": "t", "input": arguments},
    }
    events = [begin] + [
        {"type": "content_block_delta", **place, "delta": {"type": "input_json_delta", "partial_json": delta}}
        for delta in deltas
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


@pytest.mark.parametrize("index", [None, 0])
def test_blocks_of_one_place_are_several_calls(serve: Any, index: Any) -> None:
    """Whether their input comes whole or in pieces; none is lost."""
    pieces = [*block(index, {"a": 1}), *block(index, {}, '{"a"', ":2}")]
    pieces.append(b'event: message_stop\ndata: {"type": "message_stop"}\n\n')
    provider = serve(Reply(pieces, content_type="text/event-stream"))
    driver = AnthropicDriver("m", base_url=provider.root)
    assert calls_of(provider, driver) == [("t", {"a": 1}, False), ("t", {"a": 2}, False)]
    driver.close_idle()


def test_a_stream_that_says_all_and_does_not_end(serve: Any, connect: Connect) -> None:
    """Is not waited for: some servers keep the connection."""

    def stays(asked: Asked) -> Reply:
        whole = say("yes", asked)
        whole.pieces = [*(piece for piece in whole.pieces if b"[DONE]" not in (piece or b"")), None]
        return whole

    provider = serve(stays)
    assert both(connect(provider))[1]().text == "yes"
    assert provider.gone.acquire(timeout=10)


def test_a_whole_answer_stands_whatever_becomes_of_the_connection(serve: Any, connect: Connect) -> None:
    """It was said, and it is to be paid once."""

    def breaks(asked: Asked) -> Reply:
        whole = say("yes", asked)
        whole.pieces = [piece for piece in whole.pieces if b"[DONE]" not in (piece or b"")]
        whole.cut = True
        return whole

    provider = serve(breaks)
    assert both(connect(provider))[1]().text == "yes"
    assert len(provider.asked) == 1


def test_what_was_heard_before_a_cancel_is_told(serve: Any, connect: Connect, in_thread: Any, eventually: Any) -> None:
    """Somebody has to pay it; a cancel while a refused call waits costs nothing."""

    def half(asked: Asked) -> Reply:
        whole = say("word " * 100, asked)
        whole.pieces = [*whole.pieces[:60], None]
        return whole

    heard, token = [], CancelToken()
    driver = connect(serve(half))
    with pytest.raises(Cancelled) as caught:
        driver.stream(ASK, lambda event: (heard.append(event), len(heard) == 50 and token.cancel()), cancel=token)
    assert caught.value.tokens is not None
    assert caught.value.tokens[1] > 20
    limited, token = failure(429, kind="rate_limit_error", retry_after="600"), CancelToken()
    driver = connect(serve(limited), limiter=RateLimiter())
    asking = in_thread(driver.complete, ASK, cancel=token)
    eventually(lambda: driver.limiter.stats().refused == 1 and driver.limiter.stats().in_flight == 0)
    token.cancel("enough")
    with pytest.raises(Cancelled) as caught:
        asking.result(10)
    assert (caught.value.asked, caught.value.tokens) == (False, None)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        *((OpenAIDriver, content) for content in (5, {"a": 1}, [5], [{"type": "image"}])),
        *((AnthropicDriver, content) for content in (5, "x", ["hello"], [{"type": "text", "text": None}])),
    ],
)
def test_content_of_another_kind(serve: Any, connect: Connect, kind: Any, content: Any) -> None:
    """Is no answer, and not an empty one."""
    message = {"role": "assistant", "content": content}
    body = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        **message,
        "stop_reason": "end_turn",
    }
    with pytest.raises(MalformedAnswer):
        both(connect(serve(reply({**body, "type": "message", "usage": {}}))))[0]()


def test_texts_may_come_as_a_list(serve: Any) -> None:
    """Some servers send the parts of a text."""
    message = {"role": "assistant", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]}
    provider = serve(reply({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
    driver = OpenAIDriver("m", base_url=provider.url)
    assert both(driver)[0]().text == "one two"
    driver.close_idle()


def test_halves_of_characters_are_sent_by_nobody(serve: Any, connect: Connect) -> None:
    """They come from models and from file names; no server takes them."""
    provider = serve(CompletionResponse("caf\udce9 \ud83d\ude00", usage=TokenUsage(1, 1)))
    request = CompletionRequest(
        (UserMessage("a \udce9 b"), AssistantMessage("", (ToolCall("c", "t", {"\ud800": "\udfff"}),)))
    )
    for ask in both(connect(provider), request):
        assert ask().text == "caf\ufffd \U0001f600"


def test_tokens_beyond_reason_are_not_believed(serve: Any, connect: Connect) -> None:
    """They are estimated."""
    provider = serve(CompletionResponse("yes", usage=TokenUsage(10**400, 3)))
    for ask in both(connect(provider)):
        assert ask().usage.input_tokens < 100


def test_a_refusal_of_the_model(serve: Any, connect: Connect) -> None:
    """Is a failure that stays."""

    def refuses(asked: Asked) -> Reply:
        if asked.is_anthropic:
            body = {"type": "message", "role": "assistant", "content": [], "stop_reason": "refusal", "usage": {}}
        else:
            message = {"role": "assistant", "content": None, "refusal": "I will not."}
            body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        return reply(body)

    with pytest.raises(InferenceFailed, match="refused"):
        both(connect(serve(refuses)))[0]()


def test_an_answer_that_is_too_long(serve: Any, connect: Connect) -> None:
    """Is not read to its end."""
    provider = serve(lambda asked: say("word " * 5000, asked))
    for ask in both(connect(provider, max_answer_bytes=10_000)):
        with pytest.raises(MalformedAnswer, match="larger than 10,000 bytes"):
            ask()


# How a call ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [0, 3])
@pytest.mark.parametrize("way", [0, 1])
def test_a_cancel_closes_the_connection(
    serve: Any, connect: Connect, in_thread: Any, eventually: Any, pieces: int, way: int
) -> None:
    """At once; the server sees it go."""
    provider = serve(hang(after=pieces))
    driver, token = connect(provider), CancelToken()
    asking = in_thread(
        lambda: driver.stream(ASK, lambda _: None, cancel=token) if way else driver.complete(ASK, cancel=token)
    )
    assert provider.arrived.acquire(timeout=10)
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        asking.result(10)
    assert provider.gone.acquire(timeout=10)
    eventually(lambda: driver.limiter.stats().in_flight == 0)


def test_a_cancelled_call_counts_until_its_connection_is_closed(
    serve: Any, connect: Connect, in_thread: Any, eventually: Any
) -> None:
    """Its caller is free before; but no other call may begin in its place while the server still works for it."""
    provider, held = serve(hang()), threading.Event()
    driver, token = connect(provider, limiter=RateLimiter(max_concurrent=1)), CancelToken()
    asking = in_thread(driver.complete, ASK, cancel=token)
    assert provider.arrived.acquire(timeout=10)
    private_loop().call_soon_threadsafe(held.wait, 10)
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        asking.result(10)
    assert driver.limiter.stats().in_flight == 1
    held.set()
    assert provider.gone.acquire(timeout=10)
    eventually(lambda: driver.limiter.stats().in_flight == 0)


def test_a_call_that_takes_too_long(serve: Any, connect: Connect) -> None:
    """Without a byte, and with one now and then."""
    drip = Reply([b": wait\n\n"] * 1000, content_type="text/event-stream", delay=0.05)
    for answer in (hang(), drip):
        provider = serve(answer)
        for ask in both(connect(provider, timeout=0.3)):
            with pytest.raises(NetworkError, match=r"within 0.3 s|in time"):
                ask()
            assert provider.gone.acquire(timeout=10)


def test_a_refused_call_waits_and_is_asked_again(serve: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate limit fails nobody; but not for ever."""
    limited = failure(429, kind="rate_limit_error", retry_after="0.01")
    provider = serve(limited, limited, "yes")
    driver = connect(provider, limiter=RateLimiter())
    assert both(driver)[0]().text == "yes"
    assert driver.limiter.stats().refused == 2
    monkeypatch.setattr(remote, "REFUSALS", 3)
    provider = serve(limited)
    with pytest.raises(RateLimited) as caught:
        both(connect(provider, limiter=RateLimiter()))[1]()
    assert caught.value.retry_after == 0.01
    assert len(provider.asked) == 4


def test_a_cancel_ends_the_wait_of_a_refused_call(serve: Any, connect: Connect, in_thread: Any) -> None:
    """However long the server asks to wait."""
    provider = serve(failure(429, kind="rate_limit_error", retry_after="600"))
    driver, token = connect(provider, limiter=RateLimiter()), CancelToken()
    asking = in_thread(driver.complete, ASK, cancel=token)
    assert provider.arrived.acquire(timeout=10)
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        asking.result(10)


def test_half_an_answer_is_never_asked_for_again_in_silence(serve: Any, connect: Connect) -> None:
    """A rate limit in the middle of a stream is the caller's: whoever hears it must be told of the next attempt."""

    def breaks(asked: Asked) -> Reply:
        whole = say("one two three", asked)
        error = b'event: error\ndata: {"type": "error", "error": {"type": "rate_limit_error", "message": "slowly"}}\n\n'
        whole.pieces = [*whole.pieces[:3], error]
        return whole

    provider = serve(breaks)
    with pytest.raises(RateLimited, match="slowly") as caught:
        both(connect(provider))[1]()
    assert len(provider.asked) == 1
    assert caught.value.tokens is not None


def test_what_was_cached_of_half_an_answer(serve: Any) -> None:
    """Is told, too: who pays for it pays less."""
    usage = {"input_tokens": 50, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20, "output_tokens": 1}
    start = {"type": "message_start", "message": {"usage": usage}}
    piece = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "one two three"}}
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in (start, piece))
    driver = AnthropicDriver("m", base_url=serve(Reply([body.encode()], content_type="text/event-stream")).root)
    with pytest.raises(MalformedAnswer) as caught:
        driver.stream(ASK, lambda _: None, cancel=CancelToken())
    assert caught.value.tokens == (100, 4)
    assert caught.value.token_parts == (30, 20, 0)
    driver.close_idle()


@pytest.mark.parametrize(
    ("answer", "paid", "timeout"),
    [
        (failure(500), False, 20.0),
        (failure(400, "no"), False, 20.0),
        (Reply([b"{nope"]), True, 20.0),
        (lambda asked: say("one two three four", asked, cut_after=3), True, 20.0),
        (hang(), True, 0.3),
    ],
)
def test_what_a_failed_call_has_used(serve: Any, connect: Connect, answer: Any, paid: bool, timeout: float) -> None:
    """Is told where the model has worked: an answer that cannot be read, that broke off, or that nobody waited for."""
    driver = connect(serve(answer), timeout=timeout)
    for ask in both(driver):
        with pytest.raises(DriverError) as caught:
            ask()
        assert (caught.value.tokens is not None) == paid


def test_deltas_come_while_the_answer_is_not_done(serve: Any, connect: Connect, in_thread: Any) -> None:
    """Each as it arrives, in the caller's thread."""

    def half(asked: Asked) -> Reply:
        whole = say("one two three", asked)
        whole.pieces = [*whole.pieces[:4], None]
        return whole

    provider, token, heard = serve(half), CancelToken(), threading.Event()
    driver = connect(provider)
    asking = in_thread(lambda: driver.stream(ASK, lambda event: heard.set(), cancel=token))
    assert heard.wait(10)
    token.cancel()
    with pytest.raises(Cancelled):
        asking.result(10)


def test_connections_are_used_again_and_closed_when_idle(serve: Any, connect: Connect, eventually: Any) -> None:
    """The driver goes on after that."""
    provider = serve("yes")
    driver = connect(provider)
    for _ in range(3):
        both(driver)[0]()
    assert provider.open == 1
    for _ in range(2):
        driver.close_idle()
        eventually(lambda: provider.open == 0)
        both(driver)[0]()
        assert provider.open == 1


def test_closing_leaves_a_call_in_flight_alone(serve: Any, connect: Connect, in_thread: Any, eventually: Any) -> None:
    """Its connection is closed with its end."""
    gate = threading.Event()

    def slowly(asked: Asked) -> Answer:
        return say("yes", asked, delay=0.0 if gate.is_set() else 0.3)

    provider = serve(slowly)
    driver = connect(provider)
    asking = in_thread(both(driver)[0])
    assert provider.arrived.acquire(timeout=10)
    gate.set()
    driver.close_idle()
    assert both(driver)[0]().text == "yes"
    driver.close_idle()
    assert asking.result(10).text == "yes"
    eventually(lambda: provider.open == 0)


def test_a_driver_that_nobody_holds_closes_its_connections(
    serve: Any, kind: type[RemoteDriver], eventually: Any
) -> None:
    """With its collection."""
    provider = serve("yes")
    driver = kind("m", base_url=provider.url if kind is OpenAIDriver else provider.root)
    both(driver)[0]()
    assert provider.open == 1
    del driver
    gc.collect()
    eventually(lambda: provider.open == 0)


def test_a_pool_that_closes_leaves_no_connection(serve: Any, connect: Connect, eventually: Any) -> None:
    """Nor a thread but the private loop's; another pool may use the same driver."""
    provider = serve("yes")
    driver = connect(provider)
    for _ in range(2):
        with AgentPool(driver, 8) as pool:
            outcomes = pool.map([SpawnConfig(AgentManifest(name="a"), "q")] * 20)
            assert [outcome.result.text for outcome in outcomes] == ["yes"] * 20
        eventually(lambda: provider.open == 0)


def test_many_wait_on_one_thread(serve: Any, connect: Connect) -> None:
    """A hundred calls in flight need a hundred agents' threads and one more; all are ended by one abort."""
    provider = serve(hang())
    driver = connect(provider)
    before = threading.active_count()
    with AgentPool(driver, 100, max_live=100) as pool:
        handles = pool.fan_out([SpawnConfig(AgentManifest(name="a"), "q")] * 100)
        for _ in handles:
            assert provider.arrived.acquire(timeout=20)
        assert threading.active_count() <= before + 100 + 3  # the loop, the timers, somebody who looks up a name
        pool.abort_all("enough")
        assert {handle.outcome(10).status for handle in handles} == {"cancelled"}
        for _ in handles:
            assert provider.gone.acquire(timeout=10)


def test_it_works_inside_a_host_with_a_loop_of_its_own(serve: Any, connect: Connect) -> None:
    """Whose loop is not touched."""
    driver = connect(serve("yes"))

    async def host() -> str:
        return (await asyncio.to_thread(both(driver)[0])).text

    assert asyncio.run(host()) == "yes"


# Who may be asked ---------------------------------------------------------------------------------------------------


def test_the_tier_is_that_of_the_server(serve: Any, connect: Connect, kind: type[RemoteDriver]) -> None:
    """And a stricter one is refused when the driver is built."""
    assert connect(serve("x"), privacy="sovereign").privacy_tier is PrivacyTier.SOVEREIGN
    driver = kind("m", base_url="https://models.example.com/v1", api_key="k")
    assert driver.privacy_tier is PrivacyTier.STANDARD
    with pytest.raises(CapabilityDenied, match="privacy sovereign does not allow"):
        kind("m", base_url="https://models.example.com/v1", api_key="k", privacy="sovereign")
    with AgentPool(driver) as pool, pytest.raises(CapabilityDenied):
        pool.spawn(SpawnConfig(AgentManifest(name="a"), "q"))


def test_a_redirect_is_not_followed(serve: Any, connect: Connect) -> None:
    """A key is for the server that it was given to."""
    provider = serve(Reply([], 307, {"location": "http://192.0.2.7/elsewhere"}))
    for ask in both(connect(provider)):
        with pytest.raises(InferenceFailed, match="no redirect is followed"):
            ask()


def test_a_name_is_judged_by_where_it_leads(
    serve: Any, connect: Connect, kind: type[RemoteDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``localhost`` that is not this machine is not connected to; the address that was looked at is connected to."""
    provider = serve("yes")
    real, asked = socket.getaddrinfo, []

    def lie(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        target = "192.0.2.7" if host == "evil.localhost" else "127.0.0.1"
        return real(target, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lie)
    path = "/v1" if kind is OpenAIDriver else ""
    with pytest.raises(CapabilityDenied, match=r"evil\.localhost"):
        both(connect(provider, base_url=f"http://evil.localhost:{provider.port}{path}"))[0]()
    asked.clear()
    assert both(connect(provider, base_url=f"http://good.localhost:{provider.port}{path}"))[0]().text == "yes"
    assert asked.count("good.localhost") == 1


@pytest.mark.parametrize("options", [{}, {"socket": "/run/llm"}])
def test_a_proxy_is_for_what_may_go_anywhere(kind: type[RemoteDriver], options: dict[str, Any]) -> None:
    """It could send on what is private."""
    with pytest.raises(ValueError, match="a proxy could send on"):
        kind("m", base_url="http://127.0.0.1:1/v1", proxy="http://127.0.0.1:2", **options)


def test_no_proxy_of_the_environment_is_used(serve: Any, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is private goes nowhere else."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.7:1")
    assert both(connect(serve("yes")))[0]().text == "yes"


def test_a_local_socket(kind: type[RemoteDriver], serve: Any, tmp_path: Any, in_thread: Any) -> None:
    """In place of the network."""
    provider = serve("yes")
    path = str(tmp_path / "llm")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def carry(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def pass_on() -> None:
        ours, _ = listener.accept()
        theirs = socket.create_connection(("127.0.0.1", provider.port))
        back = threading.Thread(target=carry, args=(theirs, ours), daemon=True)
        back.start()
        carry(ours, theirs)
        back.join(10)
        ours.close()
        theirs.close()

    passing = in_thread(pass_on)
    driver = kind("m", base_url="http://models/v1", socket=path, privacy="sovereign")
    assert both(driver)[0]().text == "yes"
    driver.close_idle()
    passing.result(10)
    listener.close()


# How it is built ------------------------------------------------------------------------------------------------------


def test_the_key(serve: Any, connect: Connect, kind: type[RemoteDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, or the environment's; a server here needs none, OpenAI does."""
    monkeypatch.delenv(kind.key_variable, raising=False)
    provider = serve("yes")
    both(connect(provider))[0]()
    both(connect(provider, api_key="mine"))[0]()
    monkeypatch.setenv(kind.key_variable, "theirs")
    both(connect(provider))[0]()
    assert [asked.headers["authorization"].split()[-1] for asked in provider.asked] == ["none", "mine", "theirs"]


def test_a_provider_needs_a_key(kind: type[RemoteDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says how to give one."""
    monkeypatch.delenv(kind.key_variable, raising=False)
    with pytest.raises(ValueError, match=f"pass api_key, or set it in the environment \\({kind.key_variable}\\)"):
        kind("m")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": ""}, "needs a name"),
        ({"timeout": 0}, "timeout"),
        ({"max_answer_bytes": 0}, "max_answer_bytes"),
        ({"context_window": 0}, "context_window"),
        ({"base_url": "nowhere"}, "base_url"),
    ],
)
def test_bad_settings(kind: type[RemoteDriver], options: dict[str, Any], words: str) -> None:
    """Are refused with what to do."""
    with pytest.raises(ValueError, match=words):
        kind(**{"model": "m", "api_key": "k", **options})


def test_drivers_of_one_key_share_a_limiter(kind: type[RemoteDriver]) -> None:
    """Whatever their models; another key has its own."""
    made = [kind(model, base_url="http://127.0.0.1:1/v1", api_key="shared") for model in ("a", "b")]
    assert made[0].limiter is made[1].limiter
    assert kind("c", base_url="http://127.0.0.1:1/v1/", api_key="shared").limiter is made[0].limiter
    assert kind("a", base_url="http://127.0.0.1:1/v1", api_key="other").limiter is not made[0].limiter


def test_without_the_package(kind: type[RemoteDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, kind.package, None)
    with pytest.raises(ImportError, match=rf"pip install .*'{kind.package}[<>=]"):
        kind("m")


def test_from_a_manifest(kind: type[RemoteDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model, URL, window and privacy; without a model's name nobody can be asked."""
    monkeypatch.setenv(kind.key_variable, "key")
    model = {"model_repo": "llama", "base_url": "http://127.0.0.1:1/v1", "context_window": 999}
    driver = kind.from_manifest(AgentManifest(model=model))
    assert (driver.model, driver.endpoint.url, driver.context_window) == ("llama", "http://127.0.0.1:1/v1", 999)
    with pytest.raises(ManifestError, match=r"model\.model_repo"):
        kind.from_manifest(AgentManifest(model={"base_url": "http://127.0.0.1:1"}))
    far = {"model_repo": "m", "base_url": "https://x.example.com"}
    with pytest.raises(CapabilityDenied):
        kind.from_manifest(AgentManifest(model=far))
    private = AgentManifest(privacy="private", model={**far, "private_hosts": ["x.example.com"]})
    assert kind.from_manifest(private).privacy_tier is PrivacyTier.PRIVATE


def test_texts_come_as_deltas(serve: Any, connect: Connect) -> None:
    """Each a TextDelta; empty ones are not told."""
    heard: list[Any] = []
    connect(serve("one two")).stream(ASK, heard.append, cancel=CancelToken())
    assert heard == [TextDelta(text="one "), TextDelta(text="two")]


def test_a_server_that_does_not_stream_gives_the_same_answer(serve: Any, connect: Connect) -> None:
    """Asked for a stream it answers with one JSON body, of whatever type it says: told whole, and as unstreamed."""
    answer = CompletionResponse("all of it", usage=TokenUsage(7, 3))

    def whole(asked: Asked) -> Answer:
        unstreamed = Asked(asked.path, asked.headers, {**asked.body, "stream": False})
        said = say(answer, unstreamed)
        said.content_type = "text/event-stream" if asked.streams and len(provider.asked) % 2 else "application/json"
        return said

    provider = serve(whole)
    driver = connect(provider)
    plain, *streamed = (ask() for ask in (*both(driver), both(driver)[1]))
    assert streamed == [plain, plain]
    with AgentPool(driver) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
        assert list(handle.text(10)) == [handle.result(10).text] == ["all of it"]
    assert [asked.streams for asked in provider.asked] == [False, True, True, True]


def test_a_server_that_refuses_to_stream_is_asked_without(serve: Any, connect: Connect) -> None:
    """Once for all further requests; the text is told whole, and nobody who did not ask for a stream fails."""
    refusing = failure(400, "Your organization must be verified to stream this model.", "invalid_request_error")
    provider = serve(lambda asked: refusing if asked.streams else "all of it")
    driver = connect(provider)
    with AgentPool(driver) as pool:
        for _ in range(2):
            handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
            assert list(handle.text(10)) == [handle.result(10).text] == ["all of it"]
    assert [asked.streams for asked in provider.asked] == [True, False, False]
    assert not any("stream_options" in asked.body for asked in provider.asked[1:])
