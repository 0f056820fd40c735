"""What is decided from the plain data of an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from actors import AgentError, ContextOverflow, InferenceFailed, MalformedAnswer, NetworkError, Overloaded, RateLimited
from actors.drivers.edge.error_body import LONGEST_WORDS, ErrorBody
from actors.drivers.edge.error_text import decoded, harmless, without_markup
from actors.drivers.edge.overflow import Overflow, overflow_in
from actors.drivers.edge.refusals import Refusal, ServerError, error_in
from actors.drivers.edge.refused_fields import replaced_field, unknown_fields
from actors.drivers.provider_errors import has_worked, refusal_of, translate

SENT = {"temperature", "top_p", "stream", "stream_options", "response_format", "max_tokens", "max_completion_tokens"}
SENT |= {"store", "messages", "tools", "model", "system", "reasoning_effort", "x"}


def ours(error: Exception, **options: Any) -> AgentError:
    options = {"model": "m", "url": "http://h/v1", "window": 1_000, "tokens": 10, **options}
    return translate(error, refusal_of(error, options["tokens"]), **options)


# An error in the place of an answer -----------------------------------------------------------------------------------

ANSWERS: list[Any] = [
    {"choices": [{"message": {"content": "hi"}}], "error": None},
    {"choices": [{"message": {"content": "hi"}}], "error": {}},
    {"choices": [{"message": {"content": "hi"}}], "error": ""},
    {"choices": [{"message": {"content": "hi"}, "error": None}], "message": "ok"},
    {"choices": [{"delta": {"content": "hi"}}], "code": 0, "msg": "success"},
    {"choices": [{"delta": {}}], "base_resp": {"status_code": 0, "status_msg": ""}},
    {"choices": [], "usage": {"prompt_tokens": 1}},
    {"choices": [], "prompt_filter_results": []},
    {"type": "message_start", "message": {"id": "m", "content": []}},
    {"type": "message", "content": [{"type": "text", "text": "error"}], "message": "x"},
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"text": "an error"}},
    {"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": True},
    {"code": 200, "msg": "ok"},
    {},
    [],
    [{}],
    None,
    7,
    "error",
    True,
    ["error"],
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_an_answer_is_no_error(answer: Any) -> None:
    """Nor is what nobody knows."""
    assert error_in(answer, {}) is None


STATUSES: list[tuple[Any, int | None]] = [
    ({"error": {"code": 402, "message": "pay"}}, 402),
    ({"error": {"code": "402", "message": "pay"}}, 402),
    ({"error": {"code": "rate_limit_exceeded"}}, 429),
    ({"error": {"status": "RESOURCE_EXHAUSTED", "code": 429}}, 429),
    ({"error": {"status": "RESOURCE_EXHAUSTED"}}, 429),
    ({"error": {"code": 8, "message": "no", "status": "RESOURCE_EXHAUSTED"}}, 429),
    ({"error": {"type": "rate_limit_error", "code": None, "message": "slow"}}, 429),
    ({"error": {"type": "invalid_request_error", "code": "rate_limit_error"}}, 429),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529),
    ({"type": "error", "error": {"type": "api_error", "message": "oops"}}, 500),
    ({"type": "error", "error": {"type": "authentication_error"}}, 401),
    ({"type": "error", "error": {"type": "permission_error"}}, 403),
    ({"type": "error", "error": {"type": "not_found_error"}}, 404),
    ({"type": "error", "error": {"type": "request_too_large"}}, 413),
    ({"type": "error", "error": {"type": "timeout_error"}}, 504),
    ({"type": "error", "error": {"type": "billing_error"}}, 402),
    ({"type": "error", "message": "bad request"}, 400),
    ({"error": {"code": "insufficient_quota"}}, 402),
    ({"error": {"code": "model_not_found"}}, 404),
    ({"error": {"code": "invalid_api_key"}}, 401),
    ({"error": {"code": "context_length_exceeded"}}, 400),
    ({"error": {"status": "UNAVAILABLE"}}, 503),
    ({"error": {"status": "INVALID_ARGUMENT"}}, 400),
    ({"error": {"status": "PERMISSION_DENIED"}}, 403),
    ({"error": {"status": "DEADLINE_EXCEEDED"}}, 504),
    ({"error": {"status": "INTERNAL"}}, 500),
    ({"__type": "com.amazonaws#ThrottlingException", "message": "slow"}, 429),
    ({"__type": "ServiceUnavailableException", "message": "no"}, 503),
    ({"object": "error", "code": 400, "message": "no"}, 400),
    ({"object": "error", "message": "no", "type": "BadRequestError"}, 400),
    ({"message": "who?", "code": 40003}, 400),
    ({"message": "what?", "code": 42900}, 429),
    ({"detail": "Rate limit reached"}, 429),
    ({"detail": [{"loc": ["body", "x"], "msg": "field required"}]}, 400),
    ({"detail": {"message": "Invalid API key"}}, 401),
    ({"errors": [{"message": "Internal server error"}]}, 500),
    ({"error": "The model is overloaded"}, 503),
    ({"error": "model 'x' not found"}, 404),
    ({"error": True, "message": "Invalid token", "code": "unauthorized"}, 401),
    ({"success": False, "message": "insufficient balance"}, 402),
    ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}, "choices": None}, 429),
    ({"error": {"message": "hm"}}, None),
    ({"error": "hm"}, None),
    ({"error": ["hm"]}, None),
    ([{"error": {"code": 503, "message": "no"}}], 503),
    ({"choices": [{"error": {"code": 502, "message": "gone"}, "finish_reason": "error"}]}, 502),
    ({"choices": [{"delta": {}, "finish_reason": "error"}], "error": {"code": "server_error"}}, 500),
]


@pytest.mark.parametrize(("answer", "status"), STATUSES, ids=str)
def test_an_error_in_a_200_has_the_status_that_it_would_have_had(answer: Any, status: int | None) -> None:
    """With the headers of the answer."""
    error = error_in(answer, {"retry-after": "3"})
    assert error is not None
    assert error.status == status
    translated = ours(error)
    assert isinstance(translated, AgentError)
    if isinstance(translated, RateLimited | Overloaded):
        assert translated.retry_after == 3.0
    refusal = refusal_of(error)
    assert refusal is not None
    assert refusal.is_overload is (status in (503, 529))
    assert not has_worked(error, refusal, translated)
    assert refusal.status == status


def test_an_error_that_says_nothing_may_be_asked_again() -> None:
    """Nobody knows better; its words are told."""
    error = error_in({"error": {"message": "hm"}}, {})
    assert error is not None
    assert str(error) == "hm"
    translated = ours(error)
    assert isinstance(translated, Overloaded)
    assert "the answer was an error: hm (model 'm' at http://h/v1)" in str(translated)


# Waits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"message": "Please try again in 6.2s"}, 6.2),
        ({"message": "try again in 1m30s."}, 90.0),
        ({"message": "Try again in 350ms"}, 0.35),
        ({"message": "Please try again in 1h2m3.5s"}, 3600.0),
        ({"message": "Please retry after 9 seconds."}, 9.0),
        ({"message": "Please retry in 58.821668433s."}, 58.821668433),
        ({"message": "Rate limit is exceeded. Try again in 30 seconds."}, 30.0),
        ({"message": "Please wait 2 minutes and 5 seconds"}, 125.0),
        ({"message": "Too many requests. Retry-After: 12"}, 12.0),
        ({"message": "resets in 20s"}, 20.0),
        ({"error": {"details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34s"}]}}, 34.0),
        ({"error": {"details": [{"retryDelay": {"seconds": 34, "nanos": 5}}]}}, 34.0),
        ([{"error": {"details": [{"retryDelay": "34.074824224s"}]}}], 34.074824224),
        ({"error": {"message": "slow", "retry_after": 2.5}}, 2.5),
        ({"error": {"message": "slow", "metadata": {"retry_after_ms": 1500}}}, 1.5),
        ({"message": "You may try again later"}, None),
        ({"message": "try 5 models again"}, None),
        ({"error": {"details": [{"retryDelay": "soon"}]}}, None),
        ({"error": {"retry_after": True}}, None),
        ({"error": {"retry_after": float("nan")}}, None),
        ({"error": {"retry_after": -1}}, None),
    ],
)
def test_a_wait_that_the_body_tells(body: Any, seconds: float | None) -> None:
    """In a field, or in words; a header is believed first."""
    wait = Refusal.of(429, {}, body).wait
    assert wait == (None if seconds is None else pytest.approx(seconds))
    assert Refusal.of(429, {"retry-after": "1"}, body).wait == 1.0


@pytest.mark.parametrize(
    ("message", "tokens", "words"),
    [
        ("Request too large: Limit 30000, Requested 51000.", 0, "larger than the limit of 30,000 tokens"),
        ("Request too large (TPM): Limit: 30,000 / min. Requested: 51,000.", 0, "larger than the limit of 30,000"),
        ("Request too large for gpt-4o", 0, "this request alone is larger than the limit"),
        ("Limit 6000, Used 5034, Requested 1443. Please try again in 4.77s", 0, None),
        ("would exceed your rate limit of 20,000 input tokens per minute", 10_000, None),
        ("would exceed your rate limit of 20,000 input tokens per minute", 50_000, "larger than the limit of 20,000"),
        ("Rate limit exceeded: 50 requests per day", 0, "asking again does not help"),
        ("Rate limit of 50 requests per day. Try again in 10m", 0, None),
        ("Daily limit reached", 0, "asking again does not help"),
        ("monthly token budget used up", 0, "asking again does not help"),
        ("Please retry after 86400 seconds", 0, "longer than an hour"),
        ("Insufficient balance", 0, "check its plan and billing"),
        ("See https://x.example/billing. Try again in 2s", 0, None),
        ("Too many requests", 0, None),
    ],
)
def test_refusals_that_no_wait_mends(message: str, tokens: int, words: str | None) -> None:
    """Are not asked again, and say why; of the others each is."""
    error = ours(ServerError(429, {}, {"error": {"message": message}}), tokens=tokens)
    if words is None:
        assert isinstance(error, RateLimited)
    else:
        assert type(error) is InferenceFailed
        assert words in str(error)
        assert message in str(error)


# Overflows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "needed", "available"),
    [
        ("context overflow: 10,000 required, 256 available", 10_000, 256),
        ("Context overflow: 256 available, 10000 required", 10_000, 256),
        ("context overflow: required 10_000, available 256", 10_000, 256),
        ("it needs 10\u2009000 tokens, 256 are available: it exceeds the context size", 10_000, 256),
        ("request (1407 tokens) exceeds the available context size (256 tokens), try increasing it", 1_407, 256),
        ("prompt too long (570 tokens, max 508)", 570, 508),
        ("The context length exceeds 8,192 tokens: 9,001 tokens", 9_001, 8_192),
        ("input is too long: 33000/32768 tokens", 33_000, 32_768),
        ("Requested tokens exceed context window of 512", None, 512),
        ("The prompt is too long for gpt-4-32k (model 2024-08-06)", None, None),
    ],
)
def test_each_number_belongs_to_its_words(text: str, needed: int | None, available: int | None) -> None:
    """Whichever stands first."""
    assert overflow_in(text, "") == Overflow(needed, available)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet",
        "max_completion_tokens exceeds the maximum of 8192 output tokens",
        "Invalid request: max_tokens exceeds the model's maximum output length 8192",
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389.",
        "Too many tokens, please wait before trying again.",
        "Invalid 'tools': array too long. Expected an array with maximum length 128, but got length 200 instead.",
        "Invalid 'messages[0].name': string too long. Expected a string with maximum length 64, but got 80 instead.",
        "The long context beta is not yet available for this subscription.",
        "Unknown field context_length",
        "image is too large",
        "Request timed out",
    ],
)
def test_what_is_too_long_in_another_way(text: str) -> None:
    """Is no overflow of the window."""
    assert overflow_in(text, "invalid_request_error") is None


@pytest.mark.parametrize(
    ("said", "window", "tokens", "required", "available"),
    [
        ("prompt is too long", 1_000, 10, 1_001, 1_000),
        ("prompt is too long", 1_000, 5_000, 5_000, 1_000),
        ("prompt is too long: max 500", 1_000, 10, 501, 500),
        ("prompt has 700 tokens, it is over: prompt is too long", 1_000, 10, 700, 699),
        ("prompt is too long: 3000 of max 4096", 1_000, 10, 4_097, 4_096),
    ],
)
def test_an_overflow_has_numbers_in_any_case(
    said: str, window: int, tokens: int, required: int, available: int
) -> None:
    """What the server does not tell is what we know; more is needed than there is."""
    error = ours(ServerError(400, {}, {"error": {"message": said}}), window=window, tokens=tokens)
    assert isinstance(error, ContextOverflow)
    assert (error.required, error.available) == (required, available)


# Fields ---------------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, set[str]]] = [
    ("Unrecognized request argument supplied: stream_options", {"stream_options"}),
    ("Unrecognized request arguments supplied: stream_options, temperature", {"stream_options", "temperature"}),
    ("temperature: Extra inputs are not permitted", {"temperature"}),
    ("Unknown parameter: 'x'.", {"x"}),
    ('json: unknown field "x"', {"x"}),
    ("unknown field `x`, expected one of `temperature`, `top_p`", {"x"}),
    ("'temperature' does not support 0.3 with this model. Only the default (1) value is supported.", {"temperature"}),
    ("Unsupported parameter: 'temperature' is not supported with this model.", {"temperature"}),
    ("property 'store' is unsupported, did you mean 'stop'?", {"store"}),
    ('Unknown name "x": Cannot find field. Unknown name "top_p": Cannot find field.', {"x", "top_p"}),
    ("Extra inputs are not permitted, field: 'x'", {"x"}),
    ("[{'type': 'extra_forbidden', 'loc': ('body', 'x'), 'msg': 'Extra inputs are not permitted'}]", {"x"}),
    ("`temperature` is deprecated for this model.", {"temperature"}),
    ("`temperature` and `top_p` cannot both be specified for this model.", {"temperature", "top_p"}),
    ("temperature is not supported", {"temperature"}),
    ("This model does not support the temperature parameter", {"temperature"}),
    ("Model does not support the parameter 'response_format'", {"response_format"}),
    ("Additional properties are not allowed ('x', 'store' were unexpected)", {"x", "store"}),
    ("create() got an unexpected keyword argument 'stream_options'", {"stream_options"}),
    ("temperature, top_p are not supported for this model", {"temperature", "top_p"}),
    ("Argument not supported on this model: reasoning_effort", {"reasoning_effort"}),
    ("openai does not support parameters: ['reasoning_effort'], for model=m", {"reasoning_effort"}),
    ("bad request: field response_format.json_schema is not supported", {"response_format"}),
    ("Invalid parameter: temperature", {"temperature"}),
    ("system.1.cache_control.ephemeral.scope: Extra inputs are not permitted", set()),
    ("messages.0.name: Extra inputs are not permitted", set()),
    ("'messages.1' : property 'metadata' is unsupported", set()),
    ("Invalid value for 'temperature': must be between 0 and 2", set()),
    ("Invalid parameter 'temperature': must be between 0 and 2", set()),
    ("temperature must be less than 2", set()),
    ("The prompt about temperature and tools was flagged", set()),
    ("the model is not supported", set()),
    ("stream_options can only be set if stream is true", set()),
    ("get_temperature is not supported", set()),
    ("Unknown parameter: 'stream'.", {"stream"}),
    ("Unsupported value: 'stream' does not support true with this model. Only the default is supported.", {"stream"}),
    ("Your organization must be verified to stream this model. Please go to: https://x.test", {"stream"}),
    ("Streaming responses are currently not supported.", {"stream"}),
    ("This model does not support streaming.", {"stream"}),
    ("This model doesn't support tool use in streaming mode.", {"stream"}),
    ("This deployment cannot stream", {"stream"}),
    ("Please set `stream` to false", {"stream"}),
    ("'stream' must be set to false", {"stream"}),
    ("stream: Input should be False", {"stream"}),
    ("stream=true is not supported", {"stream"}),
    ("only stream=false is supported", {"stream"}),
    ("stream must be set to true", set()),
    ("This model only supports stream mode, please enable the stream parameter", set()),
    ("Non-streaming is not supported: streaming is required for long operations", set()),
    ("`stream_options` is not allowed when streaming is false", {"stream_options"}),
    ("cannot read the stream", set()),
    ("", set()),
]  # fmt: skip


@pytest.mark.parametrize(("words", "fields"), REFUSED)
def test_fields_that_an_error_refuses(words: str, fields: set[str]) -> None:
    """In any wording; not those that it merely mentions."""
    assert unknown_fields(words, SENT) == fields


@pytest.mark.parametrize(
    ("words", "pair"),
    [
        (
            "Unsupported: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            1,
        ),
        ("'max_tokens' is deprecated. Please use 'max_completion_tokens'", 1),
        ("Please use 'max_completion_tokens' instead of 'max_tokens'", 1),
        ("max_tokens has been replaced by max_completion_tokens.", 1),
        ("Unrecognized request argument supplied: max_tokens. Use max_completion_tokens instead.", 1),
        ("'max_tokens' is not supported with this model, use the 'max_completion_tokens' parameter instead", 1),
        ("Unsupported parameter(s): `max_tokens`. Use `max_completion_tokens` instead", 1),
        ("The parameter max_tokens is not supported; set max_completion_tokens", 1),
        ("property 'max_tokens' is unsupported, did you mean 'max_completion_tokens'?", 1),
        ("property 'store' is unsupported, did you mean 'stop'?", 0),
        ("property 'reasoning_effort' is unsupported, did you mean 'reasoning_format'?", 0),
        ("This model is not supported. Use another model instead", 0),
        ("This is not supported. Use it instead", 0),
        ("max_tokens and max_completion_tokens cannot be set at the same time", 0),
        ('"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"', 0),
        ("max_tokens is not supported", 0),
    ],
)
def test_a_field_that_has_a_replacement(words: str, pair: int) -> None:
    """Both names; a guess by the letters is none."""
    assert replaced_field(words) == (("max_tokens", "max_completion_tokens") if pair else None)


def test_an_old_name_for_another() -> None:
    """Other fields are replaced, too."""
    assert replaced_field("`functions` is deprecated in favor of `tools`") == ("functions", "tools")


# Words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"  \r\n ", ""),
        (b"just\r\n\ttext", "just text"),
        (b'"a JSON text"', '"a JSON text"'),
        (b"null", "null"),
        (b"[]", ""),
        (b"{}", ""),
        (b"\x9f\x92\x00\x01" * 50, ""),
        (b"\x80\x81" * 50, ""),
        ('{"error": "größer"}'.encode("utf-16"), "größer"),
        ('{"error": "größer"}'.encode("utf-16-be"), "größer"),
        ('{"error": "größer"}'.encode("utf-32"), "größer"),
        (b'\xef\xbb\xbf{"error": "marked"}', "marked"),
        (b'{"error": {"message": ""}, "detail": "deeper"}', "deeper"),
        (b'{"error": {"message": {"text": "odd"}}}', '{"error": {"message": {"text": "odd"}}}'),
        (b'{"message": "a", "detail": "b b"}', "a: b b"),
        (b'{"error": "Bad Request", "message": "the reason"}', "the reason"),
        (b'{"error": "invalid_token", "error_description": "It has expired"}', "It has expired"),
        (b'{"temperature": ["This field is unknown."]}', '{"temperature": ["This field is unknown."]}'),
        (b'{"errors": ["one", {"message": "two"}, ["three"]]}', "one; two; three"),
        (b'{"a": NaN, "message": "not a number"}', "not a number"),
        (b'{"message": "\\ud800 half"}', "half"),
        (b'{"message": "two\\nlines"}', "two lines"),
        (b'{"message": "raw\nline"}', "raw line"),
        (b'{"message": "<b>bold</b> &amp; <script>evil()</script>done"}', "bold & done"),
        (b"<p>a<!-- <b> --> b<script>c</script><style>d</style> &lt;e</p>", "a b <e"),
        (b"<title>T</title><h1>T</h1>", "T"),
        (b"<script>never closed", ""),
        (b": comment\ndata: {\"error\": {\"message\": \"in an event\"}}\n\n", "in an event"),
    ],
)  # fmt: skip
def test_words_of_any_body(body: bytes, text: str) -> None:
    """One line of what a person would read."""
    assert ErrorBody.of(body).text == text


def test_a_body_that_is_cut_has_words() -> None:
    """Half a JSON, as of an error that repeats the whole request."""
    long = json.dumps({"detail": [{"msg": "Field required", "loc": ["body", "x"], "input": "y" * 100_000}]}).encode()
    assert ErrorBody.of(long).text == "Field required"


def test_words_are_cut_and_harmless() -> None:
    """At most 500 characters; no orders to a terminal, no hidden signs, no new lines."""
    body = {"error": {"message": "\x1b[2J\x1b]0;title\x07" + "\u200bx\u202ey\U000e0041\r\n" * 1_000}}
    words = ErrorBody.of(body).words
    assert len(words) == LONGEST_WORDS
    assert words.startswith("x y x y")
    assert words.endswith("…")
    assert words.isprintable()


def test_a_package_error_without_a_response() -> None:
    """Its own words, harmless, at most 500 characters; the URL without what is secret."""

    class APIConnectionError(Exception):
        """As both packages name theirs."""

    error = APIConnectionError("\x1b[31m" + "word " * 1_000)
    text = str(ours(error, url="https://me:secret@h.example:8443/v1?key=secret#x"))
    assert isinstance(ours(error), NetworkError)
    assert text.startswith("the connection to https://h.example:8443/v1 failed or broke: word word")
    assert len(text) < 600
    assert text.isprintable()
    assert refusal_of(error) is None


# Whatever comes -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["error", "message", "code", "type", "detail", "errors", "choices", "metadata", "raw", "loc",
                         "msg", "status", "details", "retryDelay", "base_resp", "status_code", "object", "param"])
        | st.text(), inner),
    max_leaves=30,
)  # fmt: skip
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "content-type", "retry-after-ms"]), st.text())
PIECES = st.lists(
    st.sampled_from(["limit ", "1,000", "99999999999999", "max_tokens ", "exceeds ", "prompt ", "context length ",
                     "try again in ", "1m30s", "'x' ", "is not supported. ", "Use ", "unknown parameter: ",
                     "Requested ", " > ", "+ ", "0 ", "tokens ", "{", "[", '"', "<", "\x1b[", "per day ",
                     "٣", "²", "\ud800", "."]),
    max_size=60,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.none(), st.integers(200, 999)), HEADERS, st.binary() | st.text() | JSON | PIECES)
def test_whatever_a_server_says_is_an_error_of_ours(status: int | None, headers: dict[str, str], body: Any) -> None:
    """Nothing is raised; what is said is one harmless line of a bounded length."""
    error = ServerError(status, headers, body)
    translated = ours(error)
    assert isinstance(translated, AgentError)
    text = str(translated)
    assert len(text) <= LONGEST_WORDS + 300
    assert text.isprintable()
    refusal = refusal_of(error)
    assert refusal is not None
    assert isinstance(refusal.is_overload, bool)
    assert not has_worked(error, refusal, translated)
    if isinstance(translated, ContextOverflow):
        assert translated.required > translated.available
    if isinstance(translated, RateLimited | Overloaded) and translated.retry_after is not None:
        assert 0 <= translated.retry_after <= 3_600
    words = refusal.text
    assert unknown_fields(words, SENT) <= SENT
    replaced_field(words)


@settings(deadline=None, max_examples=300)
@given(JSON, HEADERS)
def test_whatever_an_answer_is_it_can_be_asked_about(answer: Any, headers: dict[str, str]) -> None:
    """An error has a status of its own, or none."""
    error = error_in(answer, headers)
    if error is not None:
        assert error.status is None or 400 <= error.status < 600
        assert isinstance(ours(error), AgentError)
        assert not isinstance(ours(error), MalformedAnswer)


@settings(deadline=None, max_examples=200)
@given(st.binary(), st.text())
def test_any_bytes_are_text_or_nothing(data: bytes, content_type: str) -> None:
    """Under any name of an encoding."""
    for named in (content_type, f"text/plain; charset={content_type}", "text/plain; charset=utf-16"):
        shown = harmless(without_markup(decoded(data, named)))
        assert shown.isprintable()


@pytest.mark.parametrize("depth", [10, 1_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"error":', "}"), ('{"message":[', "]}")])
def test_a_deep_body(depth: int, opening: str, closing: str) -> None:
    """As text, and as what was parsed: nothing overflows, nothing takes its whole size."""
    text = opening * depth + "1" + closing * depth
    assert isinstance(ours(ServerError(400, {}, text)), AgentError)
    if depth <= 1_000:
        value: Any = "end"
        for _ in range(depth):
            value = {"error": [value]}
        assert isinstance(ours(ServerError(400, {}, value)), AgentError)
        assert error_in(value, {}) is not None


def test_a_wide_body_is_not_looked_at_as_a_whole() -> None:
    """A hundred values tell enough."""
    looked: list[int] = []

    class Counting(dict[str, Any]):
        """Notes that it was looked at."""

        def get(self, key: str, default: Any = None) -> Any:
            looked.append(1)
            return super().get(key, default)

    def tree(depth: int) -> Any:
        return [Counting(errors=tree(depth - 1)) for _ in range(8)] if depth else "leaf"

    ErrorBody.of({"errors": tree(4)})
    assert len(looked) < 20_000
