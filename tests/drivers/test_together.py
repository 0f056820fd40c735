"""What builders of agents expect, several at once: routes that change while there are pictures and thoughts."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    CompletionResponse,
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
    tool,
)
from actors.drivers.routing import RoutingDriver
from tests.core.pictures import png
from tests.drivers.provider import Reply, failure, reply
from tests.drivers.stand import KINDS, WIRES, Stand
from tests.waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG = png()
PNG_64 = b64encode(PNG).decode()
each_kind = pytest.mark.parametrize("kind", KINDS)
each_wire = pytest.mark.parametrize("kind", WIRES)
each_pair = pytest.mark.parametrize(("kind", "other"), list(itertools.permutations(WIRES, 2)))
SECRETS = {"chat": "chat thought", "responses": "gAAAsealed==", "anthropic": "Sig=="}
"""What a model thought, or the seal of it, by protocol: no other one may be shown it."""


@tool(repeatable=True)
def draw() -> list[Any]:
    """Draw."""
    return ["drawn", ImagePart(PNG)]


class Bill(BaseModel):
    """What an answer has to be."""

    total: int


def bot(name: str = "bot", **fields: Any) -> AgentManifest:
    """A manifest that may send all."""
    model: Any = {"system_prompt": f"I am {name}.", **fields.pop("model", {})}
    return AgentManifest(name=name, model=model, **{"privacy": "standard", **fields})


NUMBERS = itertools.count()


def thinks(kind: str, text: str = "", *calls: str) -> Reply:
    """An answer of a model that has thought, in one piece."""
    number = next(NUMBERS)
    ids = [(f"{name}_{number}_{at}", name) for at, name in enumerate(calls)]
    secret = SECRETS[kind]
    if kind == "chat":
        made = [{"id": id_, "type": "function", "function": {"name": name, "arguments": "{}"}} for id_, name in ids]
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "reasoning_content": secret}
        message |= {"tool_calls": made} if made else {}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if made else "stop"}
        return reply({"id": "c", "object": "chat.completion", "choices": [choice], "usage": {}})
    if kind == "responses":
        output: list[Any] = [{"id": f"rs_{number}", "type": "reasoning", "summary": [], "encrypted_content": secret}]
        if text:
            part = {"type": "output_text", "text": text, "annotations": []}
            output.append(
                {
                    "id": f"msg_{number}",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [part],
                }
            )
        output += [
            {
                "id": f"fc_{id_}",
                "type": "function_call",
                "status": "completed",
                "call_id": id_,
                "name": name,
                "arguments": "{}",
            }
            for id_, name in ids
        ]
        return reply({"object": "response", "status": "completed", "error": None, "output": output, "usage": {}})
    content: list[Any] = [{"type": "thinking", "thinking": "hm", "signature": secret}]
    content += [{"type": "text", "text": text}] if text else []
    content += [{"type": "tool_use", "id": id_, "name": name, "input": {}} for id_, name in ids]
    body = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content, "usage": {}}
    return reply({**body, "stop_reason": "tool_use" if ids else "end_turn"})


def problems_of(kind: str, body: dict[str, Any]) -> Iterator[str]:
    """What the provider would refuse in *body*, by its documentation."""
    if kind == "responses":
        yield from _of_items(body["input"])
    elif kind == "chat":
        yield from _of_turns(body["messages"])
    else:
        yield from _of_messages(body)


def _of_items(items: list[dict[str, Any]]) -> Iterator[str]:
    made = [item["call_id"] for item in items if item.get("type") == "function_call"]
    answered = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if made != answered or len(set(made)) != len(made):
        yield f"calls {made}, results {answered}"
    for item, after in itertools.pairwise([*items, {}]):
        if item.get("type") == "reasoning" and after.get("type") not in ("message", "function_call"):
            yield "a reasoning item without the item that followed it"


def _of_turns(turns: list[dict[str, Any]]) -> Iterator[str]:
    for at, turn in enumerate(turns):
        made = [call["id"] for call in turn.get("tool_calls", ())]
        if [each.get("tool_call_id") for each in turns[at + 1 : at + 1 + len(made)]] != made:
            yield f"turn {at}: a call has no result behind it"
        if turn["role"] == "tool" and not isinstance(turn["content"], str):
            yield f"turn {at}: a result is a text"


def _of_messages(body: dict[str, Any]) -> Iterator[str]:
    turns = body["messages"]
    thoughts = ("thinking", "redacted_thinking")
    if not turns:
        yield "no message"
    for at, turn in enumerate(turns):
        kinds = [block["type"] for block in turn["content"]]
        if turn["role"] != ("user", "assistant")[at % 2]:
            yield f"turn {at}: roles alternate"
        if "" in [block.get("text", "x").strip() for block in turn["content"]]:
            yield f"turn {at}: a text is empty"
        made = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        after = turns[at + 1]["content"] if at + 1 < len(turns) else []
        if [block.get("tool_use_id") for block in after][: len(made)] != made:
            yield f"turn {at}: tool_use without its tool_result"
        if turn["role"] == "user" and sorted(kinds, key=lambda kind: kind != "tool_result") != kinds:
            yield f"turn {at}: tool_result blocks come first"
        if any(kind in thoughts for kind in kinds) and kinds[0] not in thoughts:
            yield f"turn {at}: thoughts come first"
        if kinds[-1] in thoughts:
            yield f"turn {at}: ends with thoughts"
    if any("tool_use" in json.dumps(turn) for turn in turns) and not body.get("tools"):
        yield "calls, and no tools"
    if "thinking" in body and ("temperature" in body or body["max_tokens"] <= body["thinking"].get("budget_tokens", 0)):
        yield "thinking with a temperature, or without room"


def checked(stand: Stand) -> None:
    """Fail where a request of *stand* would be refused, or has what another provider's model thought."""
    assert stand.asked
    for body in stand.asked:
        assert list(problems_of(stand.kind, body)) == []
        told = json.dumps(body)
        assert [kind for kind in SECRETS if kind != stand.kind and SECRETS[kind] in told] == []


# Handoffs --------------------------------------------------------------------------------------------------------


@each_pair
def test_there_and_back_with_pictures_and_thoughts(kind: str, other: str) -> None:
    """Each is told the conversation in its own words, with its own thoughts and no others'; so is who gets it back."""
    first: list[Any] = [
        thinks(kind, "", "draw"),
        thinks(kind, "I hand on.", "transfer_to_billing"),
        thinks(kind, "all is paid"),
    ]
    second = [thinks(other, "", "draw"), thinks(other, "", "transfer_to_triage")]
    effort: dict[str, Any] = {"reasoning_effort": "low"}
    with Stand(kind, first) as one, Stand(other, second) as two:
        triage = bot("triage", model={**one.model(), **effort})
        billing = bot("billing", model={**two.model(), **effort}, handoffs=[{"name": "triage", "manifest": triage}])
        with AgentPool(one.driver, tools=ToolRegistry([draw])) as pool:
            config: SpawnConfig[Any] = SpawnConfig(triage, ["refund?", ImagePart(PNG)], handoffs=[Handoff(billing)])
            outcome = pool.spawn(config).outcome(BOUND)
        assert outcome.ok, outcome.error
        assert (outcome.unwrap().text, outcome.answered_by) == ("all is paid", "triage")
        checked(one)
        checked(two)
        assert two.told().count(PNG_64) == 3  # the query's, and both that were drawn
        assert one.told().count(SECRETS[kind]) == 2  # its own thoughts are there again
        assert two.told().count(SECRETS[other]) == 1


@pytest.mark.parametrize("said", ["config", "manifest"])
@each_wire
def test_a_forced_choice_ends_with_a_handoff(kind: str, said: str) -> None:
    """Else who goes on could never end its turn."""
    call = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c1", "transfer_to_billing", {}),), TokenUsage(1, 1))
    model = {"tool_choice": "required"} if said == "manifest" else {}
    settings = ModelSettings(tool_choice="required") if said == "config" else None
    with Stand(kind, [call, "paid"]) as stand:
        config: SpawnConfig[Any] = SpawnConfig(
            bot("triage", model=model), "q", settings=settings, handoffs=[Handoff(bot("billing"))]
        )
        with AgentPool(stand.driver, tools=ToolRegistry([draw])) as pool:
            assert pool.spawn(config).outcome(BOUND).unwrap().text == "paid"
        first, last = stand.asked
        assert first["tool_choice"] == ({"type": "any"} if kind == "anthropic" else "required")
        assert "tool_choice" not in last
        checked(stand)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@each_kind
def test_a_value_of_who_goes_on_is_checked(kind: str, stream: bool) -> None:
    """By the guardrails with which the conversation began: what they refuse, and what does not fit, is asked again."""

    class NoLosses(Guardrail):
        def check_output(self, value: Any) -> Any:
            return Refuse("no losses") if value.total < 0 else None

    call = CompletionResponse("", StopReason.TOOL_USE, (ToolCall("c1", "transfer_to_billing", {}),), TokenUsage(1, 1))
    script: list[Any] = [call, "minus three", '{"total": -3}', '{"total": 3}']
    config: SpawnConfig[Any] = SpawnConfig(
        bot("triage"), "q", output_type=Bill, handoffs=[Handoff(bot("billing"))], guardrails=[NoLosses()], stream=stream
    )
    with Stand(kind, script) as stand, AgentPool(stand.driver) as pool:
        handle = pool.spawn(config)
        told = "".join(handle.text())
        outcome = handle.outcome(BOUND)
        assert (outcome.unwrap(), outcome.answered_by) == (Bill(total=3), "billing")
        assert json.loads(told) == {"total": 3}
        assert "no losses" in stand.told()
        if kind in WIRES:
            checked(stand)
            body = stand.asked[-1]
            form = body.get("response_format") or body.get("text") or body.get("output_config")
            assert "json_schema" in json.dumps(form)


# Sessions and routes ---------------------------------------------------------------------------------------------


@each_pair
def test_a_session_over_a_route_that_changes_and_changes_back(kind: str, other: str) -> None:
    """The fallback answers one turn of three; each has its own thoughts again, and never the other's."""
    ill = failure(503, "overloaded")
    script: list[Any] = [thinks(kind, "", "draw"), thinks(kind, "one"), ill, ill, thinks(kind, "three")]
    with Stand(kind, script) as one, Stand(other, [thinks(other, "", "draw"), thinks(other, "two")]) as two:
        route = RoutingDriver(one.driver, two.driver)
        with Sessions.in_memory() as sessions, AgentPool(route, tools=ToolRegistry([draw]), sessions=sessions) as pool:
            talk = pool.converse(bot(model={"reasoning_effort": "low"}), "s", stream=False)
            said = [talk.ask([query, ImagePart(PNG)], BOUND).unwrap().text for query in ("a", "b", "c")]
        assert said == ["one", "two", "three"]
        checked(one)
        checked(two)
        assert one.told().count(PNG_64) == 5
        # Chat Completions of a server that nobody knows has back what it thought when it called a tool.
        own = {"chat": 1, "responses": 2, "anthropic": 2}[kind]
        assert one.told().count(SECRETS[kind]) == own
        assert two.told().count(SECRETS[other]) == 1


# Queries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "  ", [""], [" ", ImagePart(PNG)]], ids=["empty", "blank", "part", "picture"])
@each_wire
def test_a_query_without_words(kind: str, query: Any) -> None:
    """Is sent as something that the server takes, or refused before anything is."""
    with Stand(kind, ["ok"]) as stand, AgentPool(stand.driver) as pool:
        try:
            outcome = pool.spawn(SpawnConfig(bot(), query)).outcome(BOUND)
        except ValueError:
            assert stand.asked == []
        else:
            assert outcome.status is AgentStatus.COMPLETED
            checked(stand)


# Thoughts of answers that were changed -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["responses", "anthropic"])
def test_an_answer_that_a_guardrail_changed_has_no_thoughts(kind: str) -> None:
    """What the server signed is another answer: it would refuse both together. Nor has one that was refused."""

    class Polite(Guardrail):
        def after_completion(self, response: CompletionResponse) -> Any:
            if response.text == "rude":
                return Refuse("be polite")
            return CompletionResponse("kind") if response.text == "short" else None

    script = [thinks(kind, "rude", "draw"), thinks(kind, "short"), thinks(kind, "end")]
    effort: dict[str, Any] = {"reasoning_effort": "low"}
    with Stand(kind, script) as stand, Sessions.in_memory() as sessions:
        with AgentPool(stand.driver, tools=ToolRegistry([draw]), sessions=sessions) as pool:
            talk = pool.converse(bot(model=effort), "s", stream=False, guardrails=[Polite()])
            assert [talk.ask(query, BOUND).unwrap().text for query in ("a", "b")] == ["kind", "end"]
        checked(stand)
        assert SECRETS[kind] not in stand.told()
        assert "be polite" in stand.told(1)
        assert '"kind"' in stand.told()


@pytest.mark.parametrize("kind", ["responses", "anthropic"])
def test_a_handoff_whose_filter_leaves_calls_out(kind: str) -> None:
    """The thoughts before a call that is left out are left out with it."""
    script = [thinks(kind, "", "draw", "transfer_to_billing"), thinks(kind, "paid")]
    with Stand(kind, script) as stand, AgentPool(stand.driver, tools=ToolRegistry([draw])) as pool:
        handoff = Handoff(bot("billing"), filter=lambda seen: [one for one in seen if "drawn" not in str(one.content)])
        effort: dict[str, Any] = {"reasoning_effort": "low"}
        config: SpawnConfig[Any] = SpawnConfig(bot("triage", model=effort), "q", handoffs=[handoff], stream=False)
        assert pool.spawn(config).outcome(BOUND).unwrap().text == "paid"
        checked(stand)
        assert PNG_64 not in stand.told()
        assert SECRETS[kind] not in stand.told()


@each_wire
def test_all_of_it_in_one_request(kind: str) -> None:
    """Thoughts, pictures of the user and of tools, a value, a kept prompt, options: nothing takes another's place."""
    script = [thinks(kind, "I look.", "draw", "draw"), thinks(kind, '{"total": 1}')]
    settings = ModelSettings(
        reasoning_effort="high", prompt_cache=True, parallel_tool_calls=True, tool_choice="auto", options={"user": "u"}
    )
    config: SpawnConfig[Any] = SpawnConfig(
        bot(), ["q", ImagePart(PNG)], output_type=Bill, settings=settings, stream=False
    )
    with Stand(kind, script) as stand, AgentPool(stand.driver, tools=ToolRegistry([draw])) as pool:
        assert pool.spawn(config).outcome(BOUND).unwrap() == Bill(total=1)
        checked(stand)
        body = stand.asked[-1]
        assert stand.told().count(PNG_64) == 3
        assert stand.told().count(SECRETS[kind]) == 1
        assert body["user"] == "u"
        if kind == "anthropic":
            assert body["tool_choice"] == {"type": "auto"}
            assert set(body["output_config"]) == {"format"}
            assert stand.told().count('"cache_control"') == 3
        else:
            assert (body["tool_choice"], body["parallel_tool_calls"]) == ("auto", True)
