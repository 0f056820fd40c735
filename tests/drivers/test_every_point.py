"""What builders of agents expect, with each driver: it works, or is refused by name before anything is sent.

What is sent is held against what the providers document:

- https://platform.openai.com/docs/api-reference/chat/create
- https://platform.openai.com/docs/api-reference/responses/create
- https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import actors
from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    AudioPart,
    CompletionRequest,
    CompletionResponse,
    Deps,
    Guardrail,
    Handoff,
    ImagePart,
    ModelSettings,
    Refuse,
    Sessions,
    SpawnConfig,
    StopReason,
    TokenUsage,
    ToolCall,
    ToolRegistry,
    ToolResult,
    Trip,
    tool,
)
from actors.events import ContextTrimmed, HandedOff
from tests.core.pictures import png, wav
from tests.drivers.provider import Reply, reply
from tests.drivers.stand import KINDS, WIRES, Stand
from tests.waiting import BOUND

if TYPE_CHECKING:
    from actors import AgentOutcome

PNG = png()
PNG_64 = b64encode(PNG).decode()
USAGE = TokenUsage(7, 3)
each_kind = pytest.mark.parametrize("kind", KINDS)
each_wire = pytest.mark.parametrize("kind", WIRES)
each_way = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


class Bill(BaseModel):
    """What an answer has to be."""

    total: int


class Shop:
    """What a tool gets, and no model."""

    name = "HUNTER2"


@tool
def look(at: int) -> str:
    """Look."""
    return f"seen {at}"


@tool(repeatable=True)
def draw(at: int) -> list[Any]:
    """Draw."""
    return ["drawn", ImagePart(PNG)]


@tool
def shop_name(shop: Deps[Shop], loud: bool = False) -> str:
    """Say it."""
    return f"name of {len(shop.name)} letters, {loud}"


def calls(*made: tuple[str, dict[str, Any]], text: str = "") -> CompletionResponse:
    """An answer that calls tools."""
    named = tuple(ToolCall(f"c{number}", name, given) for number, (name, given) in enumerate(made, 1))
    return CompletionResponse(text, StopReason.TOOL_USE, named, USAGE)


def bot(name: str = "bot", **fields: Any) -> AgentManifest:
    """A manifest that may send all."""
    model: Any = {"system_prompt": f"I am {name}.", **fields.pop("model", {})}
    return AgentManifest(name=name, model=model, **{"privacy": "standard", **fields})


def run(
    stand: Stand, query: Any = "q", *, manifest: AgentManifest | None = None, tools: Any = (), **more: Any
) -> AgentOutcome[Any]:
    """The outcome of one agent."""
    config = SpawnConfig(manifest or bot(), query, **more)
    with AgentPool(stand.driver, tools=ToolRegistry(tools)) as pool:
        return pool.spawn(config).outcome(BOUND)


# 1. A first answer in one line -----------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"]}
ANSWERED = {
    "chat": [
        {"role": "user", "content": [
            {"type": "text", "text": "How much?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_64}"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "seen 1"},
    ],
    "responses": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "How much?"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_64}", "detail": "auto"},
        ]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "seen 1"},
    ],
    "anthropic": [
        {"role": "user", "content": [
            {"type": "text", "text": "How much?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_64}},
        ]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "seen 1"}]},
    ],
}  # fmt: skip


@each_kind
def test_ask(kind: str) -> None:
    """A picture in, a value out, with a tool and a setting; each server gets it in its own words."""
    with Stand(kind, [calls(("look", {"at": 1})), '{"total": 3}']) as stand:
        bill = actors.ask(
            stand.driver, ["How much?", ImagePart(PNG)], output_type=Bill, tools=[look], reasoning_effort="low"
        )
        assert bill == Bill(total=3)
        assert list(stand.tools()) == ["look"]
        first, last = stand.asked
        if kind == "chat":
            assert last["messages"][1:] == ANSWERED[kind]
            assert first["reasoning_effort"] == "low"
            assert last["tools"] == [
                {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": SCHEMA}}
            ]
            assert last["response_format"]["type"] == "json_schema"
            answer = last["response_format"]["json_schema"]
            assert (answer["name"], answer["schema"]["required"]) == ("answer", ["total"])
        elif kind == "responses":
            assert last["input"] == ANSWERED[kind]
            assert first["reasoning"] == {"effort": "low"}
            assert last["tools"] == [
                {"type": "function", "name": "look", "description": "Look.", "parameters": SCHEMA, "strict": False}
            ]
            form = last["text"]["format"]
            assert (form["type"], form["name"], form["schema"]["required"]) == ("json_schema", "answer", ["total"])
        elif kind == "anthropic":
            assert last["messages"] == ANSWERED[kind]
            assert first["thinking"] == {"type": "enabled", "budget_tokens": 1024}
            assert "temperature" not in first  # which does not go together with thoughts
            assert "thinking" not in last  # a turn of calls that did not begin with thoughts goes on without
            assert last["tools"] == [
                {"name": "look", "description": "Look.", "input_schema": {**SCHEMA, "additionalProperties": False}}
            ]
            form = last["output_config"]["format"]
            assert (form["type"], form["schema"]["required"]) == ("json_schema", ["total"])
        else:
            assert first.settings == ModelSettings(reasoning_effort="low")
            assert last.messages[0].content[1] == ImagePart(PNG)
            assert last.output_schema["required"] == ["total"]


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_ask_by_a_word(kind: str) -> None:
    """A word names the driver, the model and where its server is, and a server on this machine needs no key."""
    name = {"chat": "openai", "anthropic": "anthropic"}[kind]
    with Stand(kind, ['{"total": 3}']) as stand:
        word = f"{name}:gpt@{stand.url}"
        bill = actors.ask(word, ["How much?", ImagePart(PNG)], output_type=Bill, reasoning_effort="low")
        assert (bill, stand.asked[0]["model"]) == (Bill(total=3), "gpt")
        assert PNG_64 in stand.told()


# 2. Content in parts ---------------------------------------------------------------------------------------------


@each_kind
def test_audio(kind: str) -> None:
    """Chat Completions has words for it; who has none is named before anything is sent, with who has."""
    with Stand(kind, ["heard"]) as stand:
        if kind in ("responses", "anthropic"):
            with pytest.raises(ValueError, match=r"takes no audio.*OpenAIDriver\(\.\.\., api='chat'\)"):
                run(stand, ["What is said?", AudioPart(wav())])
            assert stand.asked == []
            return
        assert run(stand, ["What is said?", AudioPart(wav())]).unwrap().text == "heard"
        if kind == "chat":
            assert stand.asked[0]["messages"][-1]["content"][1] == {
                "type": "input_audio",
                "input_audio": {"data": b64encode(wav()).decode(), "format": "wav"},
            }
        else:
            assert stand.asked[0].messages[0].content[1] == AudioPart(wav())


DRAWN: dict[str, list[Any]] = {
    "chat": [
        {"role": "tool", "tool_call_id": "c1", "content": "drawn\n[image/png, SIZE]"},
        {"role": "tool", "tool_call_id": "c2", "content": "seen 2"},
        {"role": "user", "content": [
            {"type": "text", "text": "[returned by the tool call c1]"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_64}"}},
        ]},
    ],
    "responses": [
        {"type": "function_call_output", "call_id": "c1", "output": [
            {"type": "input_text", "text": "drawn"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_64}", "detail": "auto"},
        ]},
        {"type": "function_call_output", "call_id": "c2", "output": "seen 2"},
    ],
    "anthropic": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": [
            {"type": "text", "text": "drawn"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG_64}},
        ]},
        {"type": "tool_result", "tool_use_id": "c2", "content": "seen 2"},
    ]}],
}  # fmt: skip


@each_way
@each_kind
def test_images_of_tools(kind: str, stream: bool) -> None:
    """They stand with the result, or behind all results of that answer where a result is a text."""
    with Stand(kind, [calls(("draw", {"at": 1}), ("look", {"at": 2})), "ok"]) as stand:
        assert run(stand, tools=[draw, look], stream=stream).ok
        last = stand.asked[-1]
        if kind in WIRES:
            turns = last["input" if kind == "responses" else "messages"]
            expected = json.dumps(DRAWN[kind])
            if kind == "chat":
                expected = expected.replace("SIZE", f"{len(PNG)} bytes")
            assert turns[-len(DRAWN[kind]) :] == json.loads(expected)
        else:
            assert last.messages[-2].content[1] == ImagePart(PNG)


@each_kind
def test_images_of_a_tool_that_failed(kind: str) -> None:
    """Anthropic takes text alone in a result that is an error, and no empty one: the rest follows all results."""

    @tool
    def snap() -> ToolResult:
        """Fail, and show where."""
        return ToolResult([ImagePart(PNG)], is_error=True)

    @tool
    def fail() -> ToolResult:
        """Fail without a word."""
        return ToolResult("", is_error=True)

    with Stand(kind, [calls(("snap", {}), ("fail", {}), ("look", {"at": 1})), "ok"]) as stand:
        assert run(stand, tools=[snap, fail, look]).ok
        if kind == "anthropic":
            *results, whose, image = stand.asked[-1]["messages"][-1]["content"]
            assert [block["type"] for block in results] == ["tool_result"] * 3
            assert [bool(block.get("is_error")) for block in results] == [True, True, False]
            assert all(isinstance(block["content"], str) and block["content"].strip() for block in results)
            assert (whose["type"], "c1" in whose["text"]) == ("text", True)
            assert image["source"]["data"] == PNG_64
        elif kind in WIRES:
            assert PNG_64 in stand.told()


# 3. Settings -----------------------------------------------------------------------------------------------------

CHAT, RESPONSES, CLAUDE = WIRES
SAID: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "temperature": (
        {"temperature": 0.5},
        {CHAT: {"temperature": 0.5}, RESPONSES: {"temperature": 0.5}, CLAUDE: {"temperature": 0.5}},
    ),
    "max_tokens": (
        {"max_tokens": 77},
        {CHAT: {"max_tokens": 77}, RESPONSES: {"max_output_tokens": 77}, CLAUDE: {"max_tokens": 77}},
    ),
    "top_p": ({"top_p": 0.5}, {CHAT: {"top_p": 0.5}, RESPONSES: {"top_p": 0.5}, CLAUDE: {"top_p": 0.5}}),
    "seed": (
        {"seed": 7},
        {CHAT: {"seed": 7}, RESPONSES: r"no seed \(OpenAIDriver", CLAUDE: r"no seed \(OpenAIDriver"},
    ),
    "stop": (
        {"stop": "END"},
        {CHAT: {"stop": ["END"]}, RESPONSES: r"no stop \(OpenAIDriver", CLAUDE: {"stop_sequences": ["END"]}},
    ),
    "reasoning_effort": (
        {"reasoning_effort": "high"},
        {
            CHAT: {"reasoning_effort": "high"},
            RESPONSES: {"reasoning": {"effort": "high"}},
            CLAUDE: {"thinking": {"type": "enabled", "budget_tokens": 3276}},
        },
    ),
    "required": (
        {"tool_choice": "required"},
        {
            CHAT: {"tool_choice": "required"},
            RESPONSES: {"tool_choice": "required"},
            CLAUDE: {"tool_choice": {"type": "any"}},
        },
    ),
    "a name": (
        {"tool_choice": "look"},
        {
            CHAT: {"tool_choice": {"type": "function", "function": {"name": "look"}}},
            RESPONSES: {"tool_choice": {"type": "function", "name": "look"}},
            CLAUDE: {"tool_choice": {"type": "tool", "name": "look"}},
        },
    ),
    "none": (
        {"tool_choice": "none"},
        {CHAT: {"tool_choice": "none"}, RESPONSES: {"tool_choice": "none"}, CLAUDE: {"tool_choice": {"type": "none"}}},
    ),
    "one at a time": (
        {"parallel_tool_calls": False},
        {
            CHAT: {"parallel_tool_calls": False},
            RESPONSES: {"parallel_tool_calls": False},
            CLAUDE: {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        },
    ),
    "no cache": (
        {"prompt_cache": False},
        {CHAT: r"prompt_cache=False.*AnthropicDriver", RESPONSES: r"prompt_cache=False.*AnthropicDriver", CLAUDE: {}},
    ),
    "options": (
        {"options": {"service_tier": "flex"}},
        {kind: {"service_tier": "flex"} for kind in WIRES},
    ),
}


@each_kind
@pytest.mark.parametrize("name", SAID)
def test_settings(name: str, kind: str) -> None:
    """Each has a field of the provider's own, in its place; or is refused, with who has one."""
    given, expected = SAID[name]
    with Stand(kind, ["ok"]) as stand:
        if kind in WIRES and isinstance(expected[kind], str):
            with pytest.raises(ValueError, match=expected[kind]):
                run(stand, tools=[look], settings=ModelSettings(**given))
            assert stand.asked == []
            return
        assert run(stand, tools=[look], settings=ModelSettings(**given)).ok
        (asked,) = stand.asked
        if kind in WIRES:
            assert {**asked, **expected[kind]} == asked
        else:
            assert {field: asked.settings.given()[field] for field in asked.settings.given()} == ModelSettings(
                **given
            ).given()


def test_where_the_prompt_is_kept() -> None:
    """Anthropic is told so at the ends of tools, instructions and conversation; the others keep it by themselves."""
    mark = {"type": "ephemeral"}
    for kind in WIRES:
        with Stand(kind, ["ok"]) as stand:
            assert run(stand, tools=[look, draw], settings=ModelSettings(prompt_cache=True)).ok
            body = stand.asked[0]
        if kind == "anthropic":
            assert [tool.get("cache_control") for tool in body["tools"]] == [None, mark]
            assert body["system"] == [{"type": "text", "text": "I am bot.", "cache_control": mark}]
            assert body["messages"][-1]["content"][-1]["cache_control"] == mark
        else:
            assert "cache_control" not in json.dumps(body)


@each_kind
def test_ask_with_stop_and_seed(kind: str) -> None:
    """Both at once: Chat Completions has both, no other server does; all that is missing is named at once."""
    with Stand(kind, ["ok"]) as stand:
        if kind in ("responses", "anthropic"):
            missing = ["seed", "stop"] if kind == "responses" else ["seed"]
            with pytest.raises(ValueError, match="seed") as refused:
                actors.ask(stand.driver, "q", stop=["END"], seed=7)
            assert all(f"no {name} (OpenAIDriver(..., api='chat')" in str(refused.value) for name in missing)
            assert stand.asked == []
        else:
            assert actors.ask(stand.driver, "q", stop=["END"], seed=7) == "ok"


@pytest.mark.parametrize(
    "given",
    [{"temperature": 0.2}, {"top_p": 0.5}, {"tool_choice": "required"}, {"max_tokens": 500}],
    ids=["temperature", "top_p", "tool_choice", "max_tokens"],
)
def test_what_does_not_go_together_with_thoughts(given: dict[str, Any]) -> None:
    """Anthropic's models that think take no temperature, no small top_p, no forced call: refused, not left out."""
    with Stand("anthropic", ["ok"]) as stand:
        with pytest.raises(ValueError, match=f"{next(iter(given))}.*got"):
            run(stand, tools=[look], settings=ModelSettings(reasoning_effort="low", **given))
        assert stand.asked == []


# 4. Thoughts that go back ----------------------------------------------------------------------------------------

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "Sig=="}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA=="}


def thought_of(kind: str, *, stream: bool) -> Reply:
    """An answer of a model that thought before it called ``look``."""
    if kind == "anthropic":
        content: list[Any] = [THOUGHT, {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}}]
        body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use"}
        usage = {"input_tokens": 5, "output_tokens": 3}
        if not stream:
            return reply({**body, "content": content, "usage": usage})
        piece = {"type": "input_json_delta", "partial_json": '{"at": 1}'}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**body, "content": [], "stop_reason": None, "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": {**THOUGHT, "thinking": "", "signature": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "Sig=="}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {**content[1], "input": {}}},
            {"type": "content_block_delta", "index": 1, "delta": piece},
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        ]  # fmt: skip
        return streamed(events)
    item = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "look"}
    output = [REASONING, {**item, "arguments": '{"at": 1}'}]
    usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    whole = {"object": "response", "status": "completed", "error": None, "output": output, "usage": usage}
    if not stream:
        return reply(whole)
    done = [{"type": "response.output_item.done", "output_index": at, "item": each} for at, each in enumerate(output)]
    return streamed([*done, {"type": "response.completed", "response": whole}])


def streamed(events: list[dict[str, Any]]) -> Reply:
    """A stream of *events*."""
    pieces: list[bytes | None] = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in events]
    return Reply(pieces, content_type="text/event-stream")


@each_way
@pytest.mark.parametrize("kind", ["responses", "anthropic"])
def test_thoughts_go_back(kind: str, stream: bool) -> None:
    """As they came, before their call, within the turn; and in the next turn of the conversation, too."""
    with Stand(kind, [thought_of(kind, stream=stream), "ok", "again"]) as stand, Sessions.in_memory() as sessions:
        tools = ToolRegistry([look])
        with AgentPool(stand.driver, tools=tools, sessions=sessions) as pool:
            talk = pool.converse(bot(model={"reasoning_effort": "low"}), "s", stream=stream)
            assert [talk.ask(query, BOUND).unwrap().text for query in ("one", "two")] == ["ok", "again"]
        for body in stand.asked[1:]:
            if kind == "anthropic":
                call, result = body["messages"][1:3]
                assert call["content"] == [
                    THOUGHT,
                    {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
                ]
                assert result["content"] == [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "seen 1"}]
                assert body["thinking"]["type"] == "enabled"
            else:
                assert body["input"][1] == REASONING
                assert body["input"][2]["type"] == "function_call"
                assert body["input"][3] == {"type": "function_call_output", "call_id": "call_1", "output": "seen 1"}
                assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])


# 5. Handoffs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", KINDS)
@each_kind
def test_handoff(kind: str, other: str) -> None:
    """From each driver to each: the conversation goes on with the picture that it began with."""
    first = calls(("transfer_to_billing", {"reason": "money"}))
    with Stand(other, ["paid"] if other != kind else [first, "paid"]) as goes_on:
        if other == kind:
            billing, begins = bot("billing"), goes_on
        else:
            billing = bot("billing", model=goes_on.model())
            begins = Stand(kind, [first])
        with contextlib.nullcontext(begins) if other == kind else begins:
            config: SpawnConfig[Any] = SpawnConfig(
                bot("triage"), ["refund?", ImagePart(PNG)], handoffs=[Handoff(billing)]
            )
            events: list[Any] = []
            with AgentPool(begins.driver, on_event=events.append) as pool:
                outcome = pool.spawn(config).outcome(BOUND)
            assert (outcome.unwrap().text, outcome.answered_by) == ("paid", "billing")
            assert [(one.source, one.target) for one in events if isinstance(one, HandedOff)] == [("triage", "billing")]
            assert list(begins.tools(0)) == ["transfer_to_billing"]
            assert goes_on.system() == "I am billing."
            if other in WIRES:
                assert PNG_64 in goes_on.told()
                refuse_unanswered(goes_on)
            else:
                assert goes_on.asked[-1].messages[0].content[1] == ImagePart(PNG)


def refuse_unanswered(stand: Stand) -> None:
    """Fail where the last request of *stand* has a call without its result right behind it, or the other way round."""
    body = stand.asked[-1]
    if stand.kind == "anthropic":
        for at, turn in enumerate(body["messages"]):
            made = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
            after = body["messages"][at + 1]["content"] if made else []
            assert [block.get("tool_use_id") for block in after[: len(made)]] == made
            kinds = [block["type"] == "tool_result" for block in turn["content"]]
            assert kinds == sorted(kinds, reverse=True)
            assert turn["role"] == ("assistant", "user")[at % 2 == 0]
    elif stand.kind == "chat":
        for at, turn in enumerate(body["messages"]):
            made = [call["id"] for call in turn.get("tool_calls", ())]
            after = body["messages"][at + 1 : at + 1 + len(made)]
            assert [each.get("tool_call_id") for each in after] == made
    else:
        made = [item["call_id"] for item in body["input"] if item.get("type") == "function_call"]
        answered = [item["call_id"] for item in body["input"] if item.get("type") == "function_call_output"]
        assert made == answered


# 6. Guardrails ---------------------------------------------------------------------------------------------------


@each_way
@each_kind
def test_an_answer_that_is_refused(kind: str, stream: bool) -> None:
    """The model is told why, and asked again; nobody is told a word of what was refused."""

    def after_completion(response: CompletionResponse) -> Refuse | None:
        return Refuse("name no prices") if "EUR" in response.text else None

    with Stand(kind, ["It costs EUR 3", "It is cheap"]) as stand, AgentPool(stand.driver) as pool:
        handle = pool.spawn(SpawnConfig(bot(), "q", guardrails=[after_completion], stream=stream))
        assert "".join(handle.text()) == "It is cheap"
        assert handle.outcome(BOUND).unwrap().text == "It is cheap"
        assert "name no prices" in stand.told(1)
        assert "EUR" in stand.told(1)  # what it said stands in the conversation


@each_way
@pytest.mark.parametrize("stage", ["before_completion", "after_completion", "check_output"])
@each_kind
def test_an_answer_that_is_refused_in_its_middle(kind: str, stage: str, stream: bool) -> None:
    """What came of it before the limit cut it goes with it: what is told is the answer that stands."""

    class Once(Guardrail):
        def __init__(self) -> None:
            self.left = 1

        def before_completion(self, request: CompletionRequest) -> Refuse | None:
            return self._refuse("before_completion", "Continue" in request.messages[-1].text)

        def after_completion(self, response: CompletionResponse) -> Refuse | None:
            return self._refuse("after_completion", "EUR" in response.text)

        def check_output(self, value: str) -> Refuse | None:
            return self._refuse("check_output", "EUR" in value)

        def _refuse(self, here: str, bad: bool) -> Refuse | None:
            self.left -= here == stage and bad
            return Refuse("no") if self.left == 0 and here == stage and bad else None

    cut = CompletionResponse("It costs ", StopReason.MAX_TOKENS, usage=USAGE)
    script = [cut, "It is cheap"] if stage == "before_completion" else [cut, "EUR 3", "It is cheap"]
    with Stand(kind, script) as stand, AgentPool(stand.driver) as pool:
        handle = pool.spawn(SpawnConfig(bot(), "q", guardrails=[Once()], stream=stream))
        assert "".join(handle.text()) == "It is cheap"
        assert handle.outcome(BOUND).unwrap().text == "It is cheap"


@each_kind
def test_a_query_that_trips(kind: str) -> None:
    """Nothing is sent."""

    def check_input(query: Any) -> Trip:
        return Trip("no such questions")

    with Stand(kind, ["ok"]) as stand:
        outcome = run(stand, guardrails=[check_input])
        assert (outcome.status, stand.asked) == (AgentStatus.FAILED, [])
        assert "no such questions" in str(outcome.error)


@each_kind
def test_what_a_guardrail_changes_is_what_is_sent(kind: str) -> None:
    """A picture in a query is replaced, and the results of tools, before they reach the server."""

    def check_input(query: Any) -> Any:
        return [query[0], "a picture that was taken out"]

    def after_tool(call: ToolCall, result: ToolResult) -> ToolResult:
        return ToolResult("nothing")

    with Stand(kind, [calls(("draw", {"at": 1})), "ok"]) as stand:
        asked = ["q", ImagePart(PNG)]
        assert run(stand, asked, tools=[draw], guardrails=[check_input, after_tool]).ok
        assert PNG_64 not in stand.told()
        assert "a picture that was taken out" in stand.told()
        assert "nothing" in stand.told()


# 7. Compaction ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["drop_oldest", "summarize", "tests.drivers.test_every_point:first_and_last"])
@each_kind
def test_compaction(kind: str, policy: str) -> None:
    """Of results that hold pictures: what is left is a conversation that the server takes, and it is told of."""
    made = [ToolCall(f"c{at}", "draw", {"at": at}) for at in range(6)]
    script: list[Any] = [CompletionResponse("", StopReason.TOOL_USE, (each,), USAGE) for each in made]
    if policy == "summarize":
        script.insert(4, "SUMMARY")
    events: list[Any] = []
    manifest = bot(
        model={"max_tokens": 100, "context_window": 1200},
        context={"policy": policy, "keep_last": 2, "summary_every": 9},
        resources={"max_iterations": 20},
    )
    with Stand(kind, [*script, "done"]) as stand:
        with AgentPool(stand.driver, tools=ToolRegistry([draw]), on_event=events.append) as pool:
            outcome = pool.spawn(SpawnConfig(manifest, "THE QUERY")).outcome(BOUND)
        assert outcome.ok, outcome.error
        trimmed = [one for one in events if isinstance(one, ContextTrimmed)]
        assert trimmed
        assert any(one.summarized for one in trimmed) == (policy == "summarize")
        assert "THE QUERY" in stand.told()
        if policy == "summarize":
            assert "SUMMARY" in stand.told(-2) + stand.told()
        if kind in WIRES:
            refuse_unanswered(stand)


def first_and_last(messages: Any, room_tokens: int) -> Any:
    """A policy: the query, and the last call with its result."""
    return [messages[0], *messages[-2:]]


# 8. Dependencies -------------------------------------------------------------------------------------------------


@each_kind
def test_dependencies(kind: str) -> None:
    """A tool gets them; the model does not hear that there are any."""
    with Stand(kind, [calls(("shop_name", {"loud": True})), "ok"]) as stand:
        outcome = run(stand, tools=[shop_name], deps=Shop())
        assert outcome.ok
        assert list(stand.tools()["shop_name"]["properties"]) == ["loud"]
        assert "name of 7 letters, True" in stand.told()
        assert "HUNTER2" not in stand.told() + repr(outcome)


@each_kind
def test_dependencies_of_another_type(kind: str) -> None:
    """Are refused at spawn."""
    with Stand(kind, ["ok"]) as stand:
        with pytest.raises(TypeError, match=r"shop_name.*Shop"):
            run(stand, tools=[shop_name], deps="HUNTER2")
        assert stand.asked == []


# 9. Prompts ------------------------------------------------------------------------------------------------------


@each_kind
def test_a_prompt_that_is_filled_in(kind: str) -> None:
    """Where the provider wants instructions; a query with a ``$`` stays what it is."""
    manifest = bot(model={"system_prompt": "For ${deps.name}: $query"})
    with Stand(kind, ["ok"]) as stand:
        assert run(stand, "costs $query $$5 ${deps.name}", manifest=manifest, deps=Shop()).ok
        assert stand.system() == "For HUNTER2: costs $query $$5 ${deps.name}"


@each_kind
def test_a_prompt_that_a_function_makes(kind: str) -> None:
    """From the agent."""
    manifest = bot(model={"system_prompt": {"function": "tests.drivers.test_every_point:greeting"}})
    with Stand(kind, ["ok"]) as stand:
        assert run(stand, manifest=manifest, deps=Shop()).ok
        assert stand.system() == "Greet HUNTER2."


def greeting(agent: Any) -> str:
    """A system prompt."""
    return f"Greet {agent.deps.name}."


# 10. Sub-agents --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", KINDS)
@each_kind
def test_sub_agents(kind: str, other: str) -> None:
    """One whose manifest names another driver, and what its answer is: its value is the result of the call."""
    ask = calls(("agent_clerk", {"query": "add up"}))
    clerk = {"output": "tests.drivers.test_every_point:Bill"}
    if other == kind:
        with Stand(kind, [ask, '{"total": 4}', "four"]) as stand:
            manifest = bot("boss", agents=[{"name": "clerk", "manifest": bot("clerk", **clerk)}])
            assert run(stand, manifest=manifest).unwrap().text == "four"
            boss, worker = (stand, 2), (stand, 1)
    else:
        with Stand(other, ['{"total": 4}']) as second, Stand(kind, [ask, "four"]) as stand:
            named = bot("clerk", model=second.model(), **clerk)
            manifest = bot("boss", agents=[{"name": "clerk", "manifest": named}])
            assert run(stand, manifest=manifest).unwrap().text == "four"
            boss, worker = (stand, 1), (second, 0)
    assert list(boss[0].tools(0)["agent_clerk"]["properties"]) == ["query"]
    told = boss[0].told(boss[1]).replace("\\", "")
    assert '{"total":4}' in told.replace(" ", "")
    assert "add up" in worker[0].told(worker[1])
    assert worker[0].system(worker[1]).startswith("I am clerk.")
