"""The records of the ports in JSON, and the digests of requests."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from actors.agent.ports import (
    AssistantMessage,
    CompletionRequest,
    CompletionResponse,
    StopReason,
    SystemMessage,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)
from actors.agent.wire import (
    Digester,
    difference,
    digest,
    message_from_data,
    message_to_data,
    paid_from_data,
    paid_to_data,
    parts_to_data,
    request_from_data,
    request_to_data,
    response_from_data,
    response_to_data,
    to_text,
)
from actors.core.records.conversation import Attachment

if TYPE_CHECKING:
    from actors.agent.ports import Message

CALL = ToolCall("1", "pay", {"amount": 1.5, "to": ("a", b"\xff")}, "odd", Attachment("p/m", {"signature": b"\x00\xff"}))
MESSAGES = (
    SystemMessage("be \ud800 brief"),
    UserMessage("wie groß?"),
    AssistantMessage("so", (CALL,), "hm", Attachment("p/m", {"not_json": "set", "value": [1]})),
    ToolResultMessage("1", "paid", True),
)
TOOLS = (ToolDefinition("pay", "Pays.", {"type": "object"}), ToolDefinition("look", "Looks.", {"type": "object"}))
REQUEST = CompletionRequest(MESSAGES, TOOLS, "system", 100, 0.5, "m", {"type": "object"})


def over_json(data: object) -> object:
    """*data*, written and read."""
    text = to_text(data)
    assert text.isascii()
    return json.loads(text)


def test_a_request_comes_back_as_it_was() -> None:
    """With each message in its role, lone surrogates, tuples and bytes."""
    assert request_from_data(over_json(request_to_data(REQUEST))) == REQUEST  # type: ignore[arg-type]


def test_a_response_comes_back_as_it_was() -> None:
    """With calls, usage, thoughts and what its server wants back."""
    usage = TokenUsage(5, 4, 3, 2, 1)
    response = CompletionResponse("x", StopReason.TOOL_USE, (CALL,), usage, "hm", Attachment("o", {"b": b"\xff"}), True)
    assert response_from_data(over_json(response_to_data(response))) == response  # type: ignore[arg-type]


def test_numbers_that_are_none_come_back() -> None:
    """JSON has none of them, and the text is still JSON for everybody."""
    response = CompletionResponse(tool_calls=[ToolCall("1", "t", {"n": math.nan, "i": -math.inf})])
    data = over_json(response_to_data(response))
    (call,) = response_from_data(data).tool_calls  # type: ignore[arg-type]
    assert math.isnan(call.input["n"])
    assert call.input["i"] == -math.inf


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.role)
def test_messages_carry_their_role(message: SystemMessage) -> None:
    """Without it what a user said could come back as an instruction."""
    data = message_to_data(message)
    assert data["role"] == message.role
    assert message_from_data(data) == message
    with pytest.raises(ValueError, match="role"):
        message_from_data({name: value for name, value in data.items() if name != "role"})


LITTLE = (
    UserMessage('wie "gro\u00df"?\n\0'),
    UserMessage("\ud800"),
    SystemMessage("be brief"),
    ToolResultMessage("1", "", True),
    ToolResultMessage("\U0001f600", "\ud800"),
    ToolResultMessage("1", "x", 1),  # type: ignore[arg-type]
    AssistantMessage("so", (), "hm"),
    AssistantMessage("so", [], "", Attachment("o", {})),
    AssistantMessage(""),
)


@pytest.mark.parametrize("message", [*MESSAGES, *LITTLE], ids=repr)
def test_a_digest_is_that_of_the_data(message: Message) -> None:
    """However it is made: another process may make it of a message that it has read."""
    data = TypeAdapter(type(message)).dump_python(message, mode="json", warnings=False)
    whole = blake2b(to_text(data).encode(), digest_size=16).hexdigest()
    assert Digester().message(message) == whole


def test_what_is_no_record_is_refused() -> None:
    """With a ValueError, whatever is missing."""
    with pytest.raises(ValueError, match="messages"):
        request_from_data({})
    with pytest.raises(ValueError, match="usage"):
        response_from_data({"usage": 5})


def test_what_was_paid_comes_back() -> None:
    """A pair for each call."""
    paid = [(TokenUsage(1, 2, 3, 4, 5), 0.5), (TokenUsage(1, 0), 0.0)]
    assert paid_from_data(over_json(paid_to_data(paid))) == paid  # type: ignore[arg-type]


def test_the_text_is_the_same_for_the_same_data() -> None:
    """Whatever the order in which it was put together."""
    assert to_text({"b": 1, "a": ["ß"]}) == to_text({"a": ["ß"], "b": 1}) == '{"a":["\\u00df"],"b":1}'


def test_equal_requests_have_one_digest() -> None:
    """Read back, asked with lists, with tools in another order."""
    read = request_from_data(over_json(request_to_data(REQUEST)))  # type: ignore[arg-type]
    turned = replace(REQUEST, tools=list(reversed(TOOLS)), messages=list(MESSAGES))
    assert digest(read) == digest(turned) == digest(REQUEST)
    assert len(digest(REQUEST)) == 32


CHANGES = {
    "system prompt": replace(REQUEST, system="other"),
    "model": replace(REQUEST, model="other"),
    "settings": replace(REQUEST, temperature=0.6),
    "output schema": replace(REQUEST, output_schema=None),
    "tools": replace(REQUEST, tools=TOOLS[:1]),
    "message 2": replace(REQUEST, messages=(MESSAGES[0], UserMessage("wie klein?"), *MESSAGES[2:])),
    "message 4": replace(REQUEST, messages=(*MESSAGES[:3], ToolResultMessage("1", "paid", False))),
    "fewer messages": replace(REQUEST, messages=MESSAGES[:3]),
    "more messages": replace(REQUEST, messages=(*MESSAGES, UserMessage("more"))),
}


@pytest.mark.parametrize(("what", "changed"), CHANGES.items(), ids=CHANGES)
def test_the_first_part_that_differs_is_named(what: str, changed: CompletionRequest) -> None:
    """And the digests of the two differ."""
    recorded = parts_to_data(Digester().parts(REQUEST))
    assert difference(recorded, (), Digester().parts(changed)) == what
    assert digest(changed) != digest(REQUEST)


def test_nothing_differs_where_all_is_the_same() -> None:
    """Then there is nothing to name."""
    parts = Digester().parts(REQUEST)
    assert difference(parts_to_data(parts), (), parts) == ""


def test_what_is_kept_of_a_conversation_grows_with_it() -> None:
    """Of each request only the new messages are kept, and a difference is found all the same."""
    digester = Digester()
    messages: list[UserMessage] = []
    before: list[str] = []
    kept = []
    for number in range(50):
        messages.append(UserMessage(f"word {number}"))
        parts = digester.parts(CompletionRequest(messages))
        kept.append((list(before), parts_to_data(parts, before)))
        before = list(parts.messages)
    assert {len(data["messages"]) for _, data in kept} == {1}
    earlier, recorded = kept[30]
    changed = CompletionRequest([*messages[:30], UserMessage("another word")])
    assert difference(recorded, earlier, digester.parts(changed)) == "message 31"
    assert difference(recorded, earlier, digester.parts(CompletionRequest(messages[:31]))) == ""


def test_what_was_digested_is_not_digested_again() -> None:
    """As long as it is the same object: what changes inside it later is not looked at."""
    digester = Digester()
    arguments = {"a": 1}
    message = AssistantMessage("", (ToolCall("1", "t", arguments),))
    first = digester.parts(CompletionRequest([message]))
    arguments["a"] = 2
    assert digester.parts(CompletionRequest([message, *MESSAGES])).messages[0] == first.messages[0]
    assert digester.parts(CompletionRequest([replace(message)])).messages != first.messages


def test_messages_that_the_window_let_go_of_are_let_go_of() -> None:
    """A conversation without end takes no memory without end."""
    digester = Digester()
    for number in range(1_000):
        digester.parts(CompletionRequest([UserMessage(str(number))]))
    assert len(digester._messages) < 30
