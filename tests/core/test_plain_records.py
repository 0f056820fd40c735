"""Records that are written directly: as pydantic writes them, or not at all."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from actors.core.records.conversation import (
    AssistantMessage,
    Attachment,
    Message,
    SystemMessage,
    ToolCall,
    ToolResultMessage,
    UserMessage,
)
from actors.core.records.plain_records import NotPlainError, data_of_message, data_of_usage, message_of_data
from actors.core.records.usage import TokenUsage

ARGUMENTS = {"a": [1, 2.5, None, True, {"b": "grün", "c": [[]]}], "": {}}


class Word(str):
    """May do anything when it is asked."""

    __slots__ = ()


def calling(arguments: Any, **more: Any) -> AssistantMessage:
    """A message with one call."""
    return AssistantMessage("so", (ToolCall("1", "t", arguments, **more),), "hm")


PLAIN = (SystemMessage("be brief"), UserMessage("grün"), calling(ARGUMENTS), ToolResultMessage("1", "", True))


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: message.role)
def test_a_message_is_written_as_pydantic_writes_it(message: Message) -> None:
    """Field by field: digests of both are the same."""
    assert data_of_message(message) == TypeAdapter(type(message)).dump_python(message, mode="json")


@pytest.mark.parametrize("message", PLAIN, ids=lambda message: message.role)
def test_a_message_is_read_as_it_was(message: Message) -> None:
    """Over JSON, as the same class."""
    read = message_of_data(json.loads(json.dumps(data_of_message(message))))
    assert type(read) is type(message)
    assert read == message


USER = {"role": "user", "content": "x"}
CALL = {"id": "1", "name": "t", "input": {}, "problem": "", "attachment": None}
ASSISTANT = {"role": "assistant", "content": "", "tool_calls": [CALL], "reasoning": "", "attachment": None}
OTHER_DATA: dict[str, Any] = {
    "no object": "x",
    "no role": {"content": "x"},
    "another role": {**USER, "role": "developer"},
    "a role that is no text": {**USER, "role": ["user"]},
    "one more field": {**USER, "more": 1},
    "one less": {"role": "user"},
    "a mark": {**USER, "content": {"not_json": "str", "value": "\\ud800"}},
    "no text": {**USER, "content": 5},
    "no flag": {"role": "tool", "tool_call_id": "1", "content": "", "is_error": 0},
    "an attachment": {**ASSISTANT, "attachment": {"owner": "o", "data": {}}},
    "no calls": {**ASSISTANT, "tool_calls": None},
    "a call that is none": {**ASSISTANT, "tool_calls": ["x"]},
    "one without a name": {**ASSISTANT, "tool_calls": [{"id": "1", "input": {}}]},
    "one with something": {**ASSISTANT, "tool_calls": [{**CALL, "attachment": {}}]},
    "one without arguments": {**ASSISTANT, "tool_calls": [{**CALL, "input": []}]},
    "one with a set": {**ASSISTANT, "tool_calls": [{**CALL, "input": {"not_json": "set", "value": []}}]},
}


@pytest.mark.parametrize("data", OTHER_DATA.values(), ids=OTHER_DATA)
def test_other_data_are_left_to_pydantic(data: Any) -> None:
    """It knows whether they are a message at all."""
    with pytest.raises(NotPlainError):
        message_of_data(data)


def test_marks_in_arguments_are_read() -> None:
    """Who wrote them was pydantic."""
    arguments = {"a": {"not_json": "tuple", "value": [1]}}
    read = message_of_data({**ASSISTANT, "tool_calls": [{**CALL, "input": arguments}]})
    assert read.tool_calls[0].input == {"a": (1,)}  # type: ignore[union-attr]


NOT_PLAIN: dict[str, Any] = {
    "half of a surrogate pair": UserMessage("\ud800"),
    "a subclass of text": UserMessage(Word("x")),
    "no text": UserMessage(5),  # type: ignore[arg-type]
    "no flag": ToolResultMessage("1", "x", 1),  # type: ignore[arg-type]
    "an attachment": AssistantMessage("x", attachment=Attachment("o", {})),
    "one of a call": calling({}, attachment=Attachment("o", {})),
    "a tuple": calling({"a": (1,)}),
    "bytes": calling({"a": b"x"}),
    "no number": calling({"a": math.nan}),
    "a number of many digits": calling({"a": 10**5_000}),
    "a mark": calling({"a": {"not_json": "set", "value": []}}),
    "a key that is no text": calling({"a": {1: 2}}),
    "no arguments": calling([]),
    "no message": "x",
}


@pytest.mark.parametrize("message", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_only_pydantic_can_write_is_left_to_it(message: Any) -> None:
    """Each of these comes back as it was from there, or is refused."""
    with pytest.raises(NotPlainError):
        data_of_message(message)


def test_arguments_that_hold_themselves_are_left_to_pydantic() -> None:
    """And all that is too deep."""
    arguments: dict[str, Any] = {}
    arguments["a"] = arguments
    with pytest.raises(NotPlainError):
        data_of_message(calling(arguments))


def test_what_is_written_is_a_copy() -> None:
    """A tool may change the arguments that it gets."""
    arguments: dict[str, Any] = {"a": [1]}
    data = data_of_message(calling(arguments))
    arguments["a"].append(2)
    assert data["tool_calls"][0]["input"] == {"a": [1]}


@pytest.mark.parametrize("usage", [TokenUsage(1, 2, 3, 4, 5), TokenUsage(0, 0), TokenUsage(5, 0, reasoning_tokens=1)])
def test_tokens_come_back(usage: TokenUsage) -> None:
    """Those that are left out are none."""
    assert TokenUsage(**data_of_usage(usage)) == usage


@pytest.mark.parametrize("usage", [TokenUsage(True, 0), TokenUsage(1, 0, 1.5), None])  # type: ignore[arg-type]
def test_tokens_that_are_no_whole_numbers_are_left_to_pydantic(usage: Any) -> None:
    """Drivers count as they please."""
    with pytest.raises(NotPlainError):
        data_of_usage(usage)
