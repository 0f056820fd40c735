"""Messages in JSON: each says whose it is, and comes back as it was."""

from __future__ import annotations

import copy
import json
import math
import pickle
import typing
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from actors import AgentLoopResult, AgentManifest, SpawnConfig
from actors.ports import (
    AssistantMessage,
    Attachment,
    CompletionRequest,
    CompletionResponse,
    Message,
    Part,
    SystemMessage,
    TokenUsage,
    ToolCall,
    ToolDefinition,
    ToolResultMessage,
    UserMessage,
)

from .test_json_value import TEXTS, VALUES

ONE: TypeAdapter[Message] = TypeAdapter(Message)
MANY: TypeAdapter[list[Message]] = TypeAdapter(list[Message])

DATA = st.dictionaries(TEXTS, VALUES, max_size=3)
ATTACHMENTS = st.none() | st.builds(Attachment, TEXTS, DATA)
CALLS = st.lists(st.builds(ToolCall, TEXTS, TEXTS, DATA, TEXTS, ATTACHMENTS), max_size=2)
MESSAGES = st.one_of(
    st.builds(SystemMessage, TEXTS),
    st.builds(UserMessage, TEXTS),
    st.builds(AssistantMessage, TEXTS, CALLS | CALLS.map(tuple), TEXTS, ATTACHMENTS),
    st.builds(ToolResultMessage, TEXTS, TEXTS, st.booleans()),
)
EACH: list[Message] = [
    SystemMessage("s"),
    UserMessage("u"),
    AssistantMessage("a", [ToolCall("1", "f", {"a": (1, [math.inf]), "b": {}})], "hm", Attachment("me", {"k": "v"})),
    ToolResultMessage("1", "r", is_error=True),
]


@settings(max_examples=80, deadline=None)
@given(MESSAGES)
def test_any_message_comes_back_equal(message: Message) -> None:
    """Through JSON, through what JSON is in Python, and through Python; also by its own class."""
    own: TypeAdapter[Message] = TypeAdapter(type(message))
    for adapter in (ONE, own):
        assert adapter.validate_json(adapter.dump_json(message)) == message
        assert adapter.validate_python(json.loads(json.dumps(adapter.dump_python(message, mode="json")))) == message
        assert adapter.validate_python(adapter.dump_python(message)) == message
        assert adapter.validate_python(message) is message


def test_lists_of_messages_come_back_equal() -> None:
    """Wherever they stand: in a list, in a request, in a result, in a model of the user's."""

    class Stored(BaseModel):
        first: UserMessage
        messages: list[Message]

    stored = Stored(first=UserMessage("u"), messages=EACH)
    result = AgentLoopResult("t", TokenUsage(1, 2), 1, 1, 0.5, tuple(EACH))
    asked = CompletionRequest(EACH, [ToolDefinition("f", "d", {"type": "object"})], "s")
    assert MANY.validate_json(MANY.dump_json(EACH)) == EACH
    assert Stored.model_validate_json(stored.model_dump_json()) == stored
    for value in (result, asked, CompletionRequest(tuple(EACH))):
        adapter: TypeAdapter[Any] = TypeAdapter(type(value))
        assert adapter.validate_json(adapter.dump_json(value)) == value


def test_lists_and_tuples_make_equal_records() -> None:
    """What was read holds tuples."""
    call = ToolCall("1", "f", {})
    assert AssistantMessage("", [call]) == AssistantMessage("", (call,))
    assert CompletionRequest([UserMessage("q")], []) == CompletionRequest((UserMessage("q"),))


def test_each_says_its_role() -> None:
    """As an attribute that is no field, and in JSON; what else messages can do stays as it was."""
    assert [message.role for message in EACH] == ["system", "user", "assistant", "tool"]
    assert [one["role"] for one in json.loads(MANY.dump_json(EACH))] == ["system", "user", "assistant", "tool"]
    assert json.loads(ONE.dump_json(UserMessage("u"))) == {"role": "user", "content": "u"}
    assert json.loads(ONE.dump_json(AssistantMessage("a"), exclude_defaults=True)) == {
        "role": "assistant",
        "content": "a",
    }
    assert repr(UserMessage("u")) == "UserMessage(content='u')"
    assert UserMessage("u") == UserMessage(content="u") != SystemMessage("u")
    for message in EACH:
        assert isinstance(message, Message)  # type: ignore[misc,arg-type]
        assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == message
    assert not isinstance("u", Message)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("adapter", [ONE, TypeAdapter(UserMessage), TypeAdapter(AssistantMessage)])
def test_json_without_a_role_is_refused(adapter: TypeAdapter[Any]) -> None:
    """It is said what is missing, and which roles there are."""
    with pytest.raises(ValidationError) as caught:
        adapter.validate_json('{"content": "of before"}')
    (problem,) = caught.value.errors()
    assert problem["msg"] == (
        'it has no "role", and whose words these are is not guessed: add one of system, user, assistant, tool'
    )


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({"role": "developer", "content": "x"}, (), "its role is 'developer': it must be one of system, user, "),
        ({"role": None, "content": "x"}, (), "its role is None"),
        ({"role": ["user"]}, (), "its role is ['user']"),
        ({"role": "user"}, ("user", "content"), "Field required"),
        ({"role": "user", "content": None}, ("user", "content"), "valid string"),
        ({"role": "user", "contents": "x", "content": "y"}, ("user", "contents"), "Unexpected"),
        ({"role": "tool", "content": "x"}, ("tool", "tool_call_id"), "Field required"),
        ({"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "f"}]},
         ("assistant", "tool_calls", 0, "input"), "Field required"),
        ({"role": "user", "content": {"not_json": "set", "value": []}}, ("user", "content"), "valid string"),
        ("hello", (), "not str"),
        (None, (), "not NoneType"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_said_of_one_class(given: Any, place: tuple[Any, ...], words: str) -> None:
    """Of the one that the role names, and not of all four."""
    with pytest.raises(ValidationError) as caught:
        SpawnConfig(AgentManifest(), "q", messages=[UserMessage("before"), given])
    (problem,) = caught.value.errors()
    assert problem["loc"] == ("messages", 1, *place)
    assert words in problem["msg"]


def test_one_class_does_not_take_another() -> None:
    """The role decides, whatever fields there are."""
    with pytest.raises(ValidationError, match="its role is 'user', not 'system'"):
        TypeAdapter(SystemMessage).validate_json('{"role": "user", "content": "x"}')


def test_a_config_takes_data_with_a_role() -> None:
    """As stored, or as written by hand."""
    given: Any = [{"role": "user", "content": "hi"}, UserMessage("there"), *json.loads(MANY.dump_json(EACH))]
    config: SpawnConfig[Any] = SpawnConfig(AgentManifest(), "q", messages=given)
    assert config.messages == (UserMessage("hi"), UserMessage("there"), *EACH)


def test_its_json_schema_tells_the_roles() -> None:
    """So that other programs can write them."""
    schema = ONE.json_schema()
    roles = {name: one["properties"]["role"]["const"] for name, one in schema["$defs"].items() if "Message" in name}
    assert roles == {
        "SystemMessage": "system",
        "UserMessage": "user",
        "AssistantMessage": "assistant",
        "ToolResultMessage": "tool",
    }
    assert all("role" in schema["$defs"][name]["required"] for name in roles)
    assert schema["discriminator"]["mapping"]["user"] == "#/$defs/UserMessage"
    assert TypeAdapter(UserMessage).json_schema()["required"] == ["role", "content"]
    assert MANY.json_schema(mode="serialization")["items"]["discriminator"] == schema["discriminator"]


def test_its_annotations_can_be_read() -> None:
    """By whoever looks where the class lives."""
    assert typing.get_type_hints(UserMessage)["content"] == str | Sequence[Part]
    assert typing.get_type_hints(SystemMessage)["content"] is str
    assert "role" in typing.get_type_hints(AssistantMessage)


def test_lists_and_tuples_make_equal_answers() -> None:
    """So that what was JSON is equal to what it was."""
    answers = TypeAdapter(CompletionResponse)
    call = ToolCall("1", "f", {"a": 1})
    for answer in (CompletionResponse("t"), CompletionResponse("t", tool_calls=[call], usage=TokenUsage(1, 2))):
        assert answers.validate_json(answers.dump_json(answer)) == answer
    assert CompletionResponse(tool_calls=[call]) == CompletionResponse(tool_calls=(call,))
