"""OpenAI's Responses: what is sent, byte for byte, and what goes back of what came."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from actors import (
    AgentManifest,
    AgentPool,
    AssistantMessage,
    AudioPart,
    CancelToken,
    CompletionRequest,
    CompletionResponse,
    Deadline,
    FilePart,
    ImagePart,
    InferenceFailed,
    ManifestError,
    Message,
    ModelNotFound,
    ModelSettings,
    SpawnConfig,
    SystemMessage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
    tool,
)
from actors.core.records.parts import Part
from actors.drivers.anthropic import AnthropicDriver
from actors.drivers.openai import OpenAIDriver
from actors.drivers.routing import RoutingDriver
from tests.drivers.provider import Asked, Provider, Reply, failure, reply, say

MESSAGES: TypeAdapter[AssistantMessage] = TypeAdapter(AssistantMessage)
FIND = ToolDefinition("find.it", "Finds.", {"type": "object", "properties": {"q": {"type": "string"}}})
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA+/é=="}
USAGE = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}


def call(number: int, name: str = "find_it", arguments: str = '{"q": "a"}') -> dict[str, Any]:
    """An item that calls a tool."""
    item = {"id": f"fc_{number}", "type": "function_call", "status": "completed", "call_id": f"call_{number}"}
    return {**item, "name": name, "arguments": arguments}


def text(words: str) -> dict[str, Any]:
    """An item that says something."""
    content = [{"type": "output_text", "text": words, "annotations": []}]
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content}


def whole(*output: dict[str, Any]) -> dict[str, Any]:
    """A whole answer."""
    return {"object": "response", "status": "completed", "error": None, "output": list(output), "usage": USAGE}


def answer(asked: Asked, *output: dict[str, Any]) -> Reply:
    """An answer as it is *asked* for: in one piece, or item by item."""
    if not asked.streams:
        return reply(whole(*output))
    events = [
        *({"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(output)),
        {"type": "response.completed", "response": whole(*output)},
    ]
    return Reply([f"data: {json.dumps(event)}\n\n".encode() for event in events], content_type="text/event-stream")


@pytest.fixture
def connect() -> Iterator[Callable[..., OpenAIDriver]]:
    """``connect(provider)`` makes a driver; its connections are closed at the end."""
    made: list[OpenAIDriver] = []

    def make(provider: Provider, **options: Any) -> OpenAIDriver:
        made.append(OpenAIDriver("m", base_url=provider.url, api_key="k", api="responses", **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close_idle()


def ask(driver: Any, request: CompletionRequest, *, streams: bool = False) -> CompletionResponse:
    """Ask once."""
    cancel = CancelToken(Deadline.after(20))
    done: CompletionResponse
    done = driver.stream(request, lambda _: None, cancel=cancel) if streams else driver.complete(request, cancel=cancel)
    return done


def said(response: CompletionResponse) -> AssistantMessage:
    """The answer as a message, after a restart."""
    message = AssistantMessage(response.text, response.tool_calls, response.reasoning, response.attachment)
    return MESSAGES.validate_json(MESSAGES.dump_json(message))


def sent_as(driver: OpenAIDriver, request: CompletionRequest, *, streams: bool = False) -> str:
    """The JSON of *request*, such as it is sent."""
    return driver._writer.write(request, streams=streams).body.decode()


def test_a_request_byte_for_byte(connect: Callable[..., OpenAIDriver]) -> None:
    """Instructions apart, results by the id of their call, flat tools, and nothing that the server may keep."""
    messages: tuple[Message, ...] = (
        UserMessage("hé"),
        AssistantMessage("I look.", (ToolCall("c1", "find.it", {"q": "ü"}),)),
        ToolResultMessage("c1", "none", is_error=True),
        SystemMessage("Be brief."),
    )
    request = CompletionRequest(messages, (FIND,), "Be kind.", 50, 0.5)
    with Provider(["x"]) as provider:
        driver = connect(provider)
        for streams, more in ((False, ""), (True, ',"stream":true')):
            assert sent_as(driver, request, streams=streams) == (
                '{"model":"m","input":[{"role":"user","content":"hé"},{"role":"assistant","content":"I look."},'
                '{"type":"function_call","call_id":"c1","name":"find_it","arguments":"{\\"q\\": \\"ü\\"}"},'
                '{"type":"function_call_output","call_id":"c1","output":"none"},'
                '{"role":"system","content":"Be brief."}],"temperature":0.5,"max_output_tokens":50,"store":false,'
                '"include":["reasoning.encrypted_content"],"instructions":"Be kind.",'
                '"tools":[{"type":"function","name":"find_it","description":"Finds.","parameters":{"type":"object",'
                f'"properties":{{"q":{{"type":"string"}}}}}},"strict":false}}]{more}}}'
            )


def test_it_is_sent_to_responses(connect: Callable[..., OpenAIDriver]) -> None:
    """And an answer's type is said as the format of the text, beside a user's own word for it."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    with Provider(lambda asked: answer(asked, text('{"a":1}'))) as provider:
        driver = connect(provider, options={"text": {"verbosity": "low"}})
        response = ask(driver, CompletionRequest((UserMessage("q"),), output_schema=schema))
    asked = provider.asked[0]
    assert asked.path == "/v1/responses"
    assert asked.body["text"]["verbosity"] == "low"
    assert asked.body["text"]["format"]["type"] == "json_schema"
    assert asked.body["text"]["format"]["name"] == "answer"
    assert (response.text, response.usage.total) == ('{"a":1}', 8)


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": "find.it"}, {"tool_choice": {"type": "function", "name": "find_it"}}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ],
)
def test_settings(connect: Callable[..., OpenAIDriver], settings: Any, fields: dict[str, Any]) -> None:
    """In the protocol's words; a tool by the name that it is told by."""
    plain = CompletionRequest((UserMessage("q"),), (FIND,))
    request = CompletionRequest((UserMessage("q"),), (FIND,), settings=ModelSettings(**settings))
    with Provider(["x"]) as provider:
        driver = connect(provider)
        sent, before = json.loads(sent_as(driver, request)), json.loads(sent_as(driver, plain))
    assert {name: value for name, value in sent.items() if before.get(name) != value} == fields


@pytest.mark.parametrize(("name", "value"), [("seed", 0), ("stop", "x")])
def test_settings_that_the_protocol_lacks(connect: Callable[..., OpenAIDriver], name: str, value: Any) -> None:
    """Are refused by name, with who has them, and nothing is sent."""
    request = CompletionRequest((UserMessage("q"),), settings=ModelSettings(**{name: value}))
    with Provider(["x"]) as provider, pytest.raises(InferenceFailed, match=f"nothing was sent.*no {name}.*api='chat'"):
        ask(connect(provider), request)
    assert provider.asked == []


def test_no_choice_without_tools(connect: Callable[..., OpenAIDriver]) -> None:
    """A choice among none is refused by servers."""
    settings = ModelSettings(tool_choice="none", parallel_tool_calls=True)
    with Provider(["x"]) as provider:
        sent = json.loads(sent_as(connect(provider), CompletionRequest((UserMessage("q"),), settings=settings)))
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & sent.keys()


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_two_rounds_of_thoughts_and_calls(connect: Callable[..., OpenAIDriver], streams: bool) -> None:
    """Each round's thoughts go back as they came, before their call, also after the messages were written and read."""
    second = {**THOUGHT, "id": "rs_2", "encrypted_content": "gBBB"}
    rounds = [[THOUGHT, call(1)], [second, text("More."), call(2)], [text("Done.")]]
    with Provider(lambda asked: answer(asked, *rounds[len(provider.asked) - 1])) as provider:
        driver = connect(provider)
        messages: list[Message] = [UserMessage("q")]
        for _ in rounds:
            response = ask(driver, CompletionRequest(messages, (FIND,)), streams=streams)
            messages.append(said(response))
            messages += [ToolResultMessage(made.id, "found") for made in response.tool_calls]
    results = [{"type": "function_call_output", "call_id": f"call_{n}", "output": "found"} for n in (1, 2)]
    assert provider.asked[2].body["input"] == [
        {"role": "user", "content": "q"},
        *(THOUGHT, call(1), results[0]),
        *(second, text("More."), call(2), results[1]),
    ]
    assert response.text == "Done."


def test_an_agent_goes_on_with_its_thoughts(connect: Callable[..., OpenAIDriver]) -> None:
    """Over the whole loop of an agent."""

    @tool
    def find(q: str) -> str:
        """Find."""
        return f"found {q}"

    def reply_to(asked: Asked) -> Reply:
        if len(asked.body["input"]) == 1:
            return answer(asked, THOUGHT, call(1, "find"))
        return answer(asked, text("Done."))

    manifest = AgentManifest(name="seeker", privacy="standard")
    with Provider(reply_to) as provider, AgentPool(connect(provider)) as pool:
        outcome = pool.spawn(SpawnConfig(manifest, "q", tools=[find])).outcome(20)
    assert outcome.unwrap().text == "Done."
    assert provider.asked[1].body["input"][1:] == [
        THOUGHT,
        call(1, "find"),
        {"type": "function_call_output", "call_id": "call_1", "output": "found a"},
    ]


PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0"


def test_parts_byte_for_byte(connect: Callable[..., OpenAIDriver]) -> None:
    """Of a user and of a tool: images and PDF files as URLs of their bytes, files of text as texts."""
    image, pdf = ImagePart(PNG), FilePart(b"%PDF-1.7\n%%EOF", name="a.pdf")
    messages: tuple[Message, ...] = (
        UserMessage(["See:", image, pdf, FilePart(b"x;y", "text/csv", "t.csv")]),
        AssistantMessage("", (ToolCall("c1", "find.it", {}),)),
        ToolResultMessage("c1", ["here", image]),
    )
    with Provider(["x"]) as provider:
        sent = sent_as(connect(provider), CompletionRequest(messages, (FIND,)))
    data = b64encode(PNG).decode()
    shown = f'{{"type":"input_image","image_url":"data:image/png;base64,{data}","detail":"auto"}}'
    assert sent.partition('"input":')[2].startswith(
        '[{"role":"user","content":[{"type":"input_text","text":"See:"},'
        + shown
        + ',{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjcKJSVFT0Y="},'
        '{"type":"input_text","text":"[file t.csv]\\nx;y"}]},'
        '{"type":"function_call","call_id":"c1","name":"find_it","arguments":"{}"},'
        '{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"here"},' + shown + "]}],"
    )


def test_urls_of_parts(connect: Callable[..., OpenAIDriver]) -> None:
    """Are sent as they are."""
    parts: list[Part] = [ImagePart(url="https://x.example/a.png"), FilePart(url="https://x.example/a.pdf")]
    with Provider(["x"]) as provider:
        sent = json.loads(sent_as(connect(provider), CompletionRequest((UserMessage(parts),))))
    assert sent["input"][0]["content"] == [
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "auto"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
    ]


def test_audio_is_refused(connect: Callable[..., OpenAIDriver]) -> None:
    """By name, with who takes it, and nothing is sent."""
    request = CompletionRequest((UserMessage([AudioPart(b"RIFF\0\0\0\0WAVEfmt ", "audio/wav")]),))
    with Provider(["x"]) as provider, pytest.raises(InferenceFailed, match=r"audio.*api='chat'"):
        ask(connect(provider), request)
    assert provider.asked == []


def test_a_session_keeps_what_was_thought(connect: Callable[..., OpenAIDriver], tmp_path: Path) -> None:
    """Another pool, with the same file, goes on with it as it came."""
    manifest = AgentManifest(name="talker", privacy="standard")
    with Provider(lambda asked: answer(asked, THOUGHT, text("Hello."))) as provider:
        for query in ("one", "two"):
            with AgentPool(connect(provider), sessions=tmp_path / "talks.db") as pool:
                assert pool.converse(manifest, "u").ask(query).unwrap().text == "Hello."
    assert provider.asked[1].body["input"] == [
        {"role": "user", "content": "one"},
        *(THOUGHT, text("Hello.")),
        {"role": "user", "content": "two"},
    ]


def test_a_changed_answer_goes_back_without_thoughts(connect: Callable[..., OpenAIDriver]) -> None:
    """What was cut, or said otherwise, is no longer what the thoughts belong to."""
    with Provider(lambda asked: answer(asked, THOUGHT, text("Long words."))) as provider:
        driver = connect(provider)
        kept = ask(driver, CompletionRequest((UserMessage("q"),))).attachment
        changed = AssistantMessage("Words.", attachment=kept)
        sent = json.loads(sent_as(driver, CompletionRequest((UserMessage("q"), changed, UserMessage("r")))))
    assert sent["input"][1] == {"role": "assistant", "content": "Words."}


REFUSED = [
    ("invalid_encrypted_content", "The encrypted content gAAA...== could not be verified."),
    ("invalid_request_error", "Item 'rs_1' of type 'reasoning' was provided without its required following item."),
    ("invalid_request_error", "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false."),
]


@pytest.mark.parametrize(("kind", "words"), REFUSED, ids=["sealed", "alone", "not-kept"])
def test_thoughts_that_are_refused_are_left_out(connect: Callable[..., OpenAIDriver], kind: str, words: str) -> None:
    """Another key, say: the same request goes out once more without them, and the conversation goes on."""

    def reply_to(asked: Asked) -> Reply:
        if len(asked.body["input"]) == 1:
            return answer(asked, THOUGHT, text("One."))
        has_thoughts = any(item.get("type") == "reasoning" for item in asked.body["input"])
        return failure(400, words, kind) if has_thoughts else answer(asked, text("Two."))

    with Provider(reply_to) as provider:
        driver = connect(provider)
        first = said(ask(driver, CompletionRequest((UserMessage("q"),))))
        second = ask(driver, CompletionRequest((UserMessage("q"), first, UserMessage("r"))))
    assert second.text == "Two."
    assert provider.asked[2].body["input"][1] == {"role": "assistant", "content": "One."}
    assert len(provider.asked) == 3


def test_one_that_refuses_for_ever_is_asked_twice(connect: Callable[..., OpenAIDriver]) -> None:
    """It is no loop: the second refusal is the error."""
    with (
        Provider([failure(400, "The encrypted content could not be verified.")]) as provider,
        pytest.raises(InferenceFailed, match="could not be verified"),
    ):
        ask(connect(provider), CompletionRequest((UserMessage("q"),)))
    assert len(provider.asked) == 2


def test_a_model_that_does_not_reason(connect: Callable[..., OpenAIDriver]) -> None:
    """Says so; later requests do not ask for what it seals."""
    words = "Encrypted content is not supported with this model."

    def reply_to(asked: Asked) -> Reply:
        return failure(400, words, "invalid_request_error") if "include" in asked.body else answer(asked, text("ok"))

    with Provider(reply_to) as provider:
        driver = connect(provider)
        assert [ask(driver, CompletionRequest((UserMessage("q"),))).text for _ in range(2)] == ["ok", "ok"]
    assert ["include" in asked.body for asked in provider.asked] == [True, False, False]


def test_what_is_stored_is_never_guessed(connect: Callable[..., OpenAIDriver]) -> None:
    """A server that refuses to keep nothing is not asked to keep something."""
    with (
        Provider([failure(400, "Unsupported parameter: 'store'", "invalid_request_error")]) as provider,
        pytest.raises(InferenceFailed, match="store"),
    ):
        ask(connect(provider), CompletionRequest((UserMessage("q"),)))
    assert [asked.body["store"] for asked in provider.asked] == [False]


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [b"404 page not found", b'{"detail":"Not Found"}', b""], ids=["text", "json", "none"])
def test_a_server_that_knows_no_responses(connect: Callable[..., OpenAIDriver], status: int, body: bytes) -> None:
    """Is told from a model that is not there, and the error names the other protocol."""
    with (
        Provider([Reply([body] if body else [], status)]) as provider,
        pytest.raises(ModelNotFound, match="api='chat'"),
    ):
        ask(connect(provider), CompletionRequest((UserMessage("q"),)))
    assert len(provider.asked) == 1


def test_a_model_that_is_not_there(connect: Callable[..., OpenAIDriver]) -> None:
    """Has its own words."""
    with (
        Provider([failure(404, "The model 'm' does not exist", "invalid_request_error")]) as provider,
        pytest.raises(ModelNotFound, match="what the server calls it") as caught,
    ):
        ask(connect(provider), CompletionRequest((UserMessage("q"),)))
    assert "api=" not in str(caught.value)


def test_a_fallback_is_shown_no_thoughts_of_another(connect: Callable[..., OpenAIDriver]) -> None:
    """Responses, then Chat Completions, then Messages, and Responses again: each gets its own back, and no text of the
    others' thoughts.
    """
    secret = {**THOUGHT, "summary": [{"type": "summary_text", "text": "hidden words"}]}
    down = {"responses": False, "chat": False}

    def reply_to(asked: Asked) -> Any:
        kind = "responses" if "input" in asked.body else "messages" if asked.is_anthropic else "chat"
        if down.get(kind):
            return failure(503, "down")
        if kind == "responses":
            return answer(asked, secret, text("One."))
        return say("Two." if kind == "chat" else "Three.", asked)

    with Provider(reply_to) as provider:
        others = OpenAIDriver("m", base_url=provider.url), AnthropicDriver("m", base_url=provider.root)
        driver = RoutingDriver(connect(provider), RoutingDriver(*others))
        messages: list[Message] = [UserMessage("q")]
        for state in ((False, False), (True, False), (True, True), (False, False)):
            down["responses"], down["chat"] = state
            messages += [said(ask(driver, CompletionRequest(messages))), UserMessage("more")]
        for other in others:
            other.close_idle()
    texts = [message.content for message in messages if isinstance(message, AssistantMessage)]
    assert texts == ["One.", "Two.", "Three.", "One."]
    for asked in provider.asked:
        assert ("hidden words" in json.dumps(asked.body)) == ("input" in asked.body and asked is not provider.asked[0])
    assert provider.asked[-1].body["input"][1:3] == [secret, text("One.")]


def test_a_thousand_items(connect: Callable[..., OpenAIDriver]) -> None:
    """Go back in their order."""
    output = [item for n in range(1000) for item in ({**THOUGHT, "id": f"rs_{n}"}, call(n))]
    with Provider(lambda asked: answer(asked, *output)) as provider:
        driver = connect(provider)
        response = ask(driver, CompletionRequest((UserMessage("q"),), (FIND,)), streams=True)
        results = [ToolResultMessage(made.id, "r") for made in response.tool_calls]
        sent = sent_as(driver, CompletionRequest((UserMessage("q"), said(response), *results), (FIND,)))
    assert json.loads(sent)["input"][1:2001] == output


@pytest.mark.parametrize("api", ["Responses", "", None, 1])
def test_no_such_protocol(api: Any) -> None:
    """Is refused, with those that there are."""
    with pytest.raises(ValueError, match="'chat', 'responses'"):
        OpenAIDriver("m", base_url="http://127.0.0.1:1/v1", api=api)


def test_a_manifest_names_the_protocol() -> None:
    """``[model] api``; the chat one where it names none, and none for Anthropic's."""
    model = {"driver": "openai", "model_repo": "m", "base_url": "http://127.0.0.1:1/v1"}
    made = [
        OpenAIDriver.from_manifest(AgentManifest.model_validate({"name": "a", "model": {**model, **more}}))
        for more in ({}, {"api": "chat"}, {"api": "responses"})
    ]
    assert [driver.api for driver in made] == ["chat", "chat", "responses"]
    with pytest.raises(ManifestError, match=r"model\.api.*'openai' does"):
        AnthropicDriver.from_manifest(
            AgentManifest.model_validate({"name": "a", "model": {**model, "api": "responses"}})
        )
