"""Records with plain values, written as data and read directly: as pydantic does it, in a tenth of the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

from .content import is_told
from .content_field import content_to_data
from .conversation import AssistantMessage, SystemMessage, ToolCall, ToolResultMessage, UserMessage
from .json_marks import MARK, from_json, is_utf8
from .usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .conversation import Message
    from .parts import Part

LEVELS: Final = 16
"""Of arrays and objects inside one another: arguments of tools have few."""
_LARGEST: Final = 2**63
_MORE_TOKENS: Final = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")


class NotPlainError(Exception):
    """It holds something that only pydantic can write or read."""


def text_of(value: object) -> str:
    """*value*, if it is text that can be written.

    Raises:
        NotPlainError: It is not.
    """
    if type(value) is str and (value.isascii() or is_utf8(value)):
        return value
    raise NotPlainError


def flag_of(value: object) -> bool:
    """*value*, if it is True or False.

    Raises:
        NotPlainError: It is not.
    """
    if value is True or value is False:
        return value
    raise NotPlainError


def data_of_message(message: object) -> dict[str, Any]:
    """A message as data, with its role.

    Raises:
        NotPlainError: Only pydantic can write it.
    """
    write = _WRITERS.get(type(message))
    if write is None:
        raise NotPlainError
    return write(message)


def data_of_usage(usage: object) -> dict[str, int]:
    """Tokens as data; those that have a default are left out where there are none.

    Raises:
        NotPlainError: Only pydantic can write them.
    """
    if type(usage) is not TokenUsage:
        raise NotPlainError
    counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    for name in _MORE_TOKENS:
        if count := getattr(usage, name):
            counts[name] = count
    if not all(type(count) is int for count in counts.values()):
        raise NotPlainError
    return counts


def data_of_calls(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Calls as data; nobody who changes their arguments later changes that.

    Raises:
        NotPlainError: Only pydantic can write them.
    """
    if type(calls) is not tuple:
        raise NotPlainError
    return [_data_of_call(call) for call in calls]


def _data_of_call(call: ToolCall) -> dict[str, Any]:
    if type(call) is not ToolCall or call.attachment is not None or type(call.input) is not dict:
        raise NotPlainError
    return {
        "id": text_of(call.id),
        "name": text_of(call.name),
        "input": _copy(call.input, LEVELS),
        "problem": text_of(call.problem),
        "attachment": None,
    }


def _copy(value: Any, room: int) -> Any:
    kind = type(value)
    if kind is str:
        return text_of(value)
    if value is None or kind is bool:
        return value
    if (kind is int and -_LARGEST < value < _LARGEST) or (kind is float and math.isfinite(value)):
        return value
    if kind is list and room:
        return [_copy(each, room - 1) for each in value]
    if kind is dict and room and MARK not in value:
        return {text_of(key): _copy(each, room - 1) for key, each in value.items()}
    raise NotPlainError


def _system(message: SystemMessage) -> dict[str, Any]:
    return {"role": "system", "content": text_of(message.content)}


def _content(content: object) -> Any:
    if not is_told(content):
        raise NotPlainError
    return text_of(content) if isinstance(content, str) else content_to_data(cast("Sequence[Part]", content))


def _user(message: UserMessage) -> dict[str, Any]:
    return {"role": "user", "content": _content(message.content)}


def _assistant(message: AssistantMessage) -> dict[str, Any]:
    if message.attachment is not None:
        raise NotPlainError
    return {
        "role": "assistant",
        "content": text_of(message.content),
        "tool_calls": data_of_calls(message.tool_calls),
        "reasoning": text_of(message.reasoning),
        "attachment": None,
    }


def _result(message: ToolResultMessage) -> dict[str, Any]:
    return {
        "role": "tool",
        "tool_call_id": text_of(message.tool_call_id),
        "content": _content(message.content),
        "is_error": flag_of(message.is_error),
    }


_WRITERS: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    SystemMessage: _system,
    UserMessage: _user,
    AssistantMessage: _assistant,
    ToolResultMessage: _result,
}


# Reading --------------------------------------------------------------------------------------------------------


def message_of_data(data: object) -> Message:
    """The message that :func:`data_of_message` wrote; what JSON has made of *data* in between is told from other data.

    Raises:
        NotPlainError: Only pydantic can read it, if anybody.
    """
    if type(data) is not dict or type(role := data.get("role")) is not str or role not in _READERS:
        raise NotPlainError
    names, make = _READERS[role]
    if data.keys() != names:
        raise NotPlainError
    return make(data)


def _read_assistant(data: dict[str, Any]) -> AssistantMessage:
    if data["attachment"] is not None or type(data["tool_calls"]) is not list:
        raise NotPlainError
    calls = tuple(map(_read_call, data["tool_calls"]))
    return AssistantMessage(text_of(data["content"]), calls, text_of(data["reasoning"]))


def _read_call(data: object) -> ToolCall:
    if type(data) is not dict or data.keys() != _OF_CALL or data["attachment"] is not None:
        raise NotPlainError
    arguments = from_json(data["input"])
    if type(arguments) is not dict:
        raise NotPlainError
    return ToolCall(text_of(data["id"]), text_of(data["name"]), arguments, text_of(data["problem"]))


def _read_result(data: dict[str, Any]) -> ToolResultMessage:
    return ToolResultMessage(text_of(data["tool_call_id"]), text_of(data["content"]), flag_of(data["is_error"]))


_OF_CALL: Final = frozenset({"id", "name", "input", "problem", "attachment"})
_READERS: Final[dict[str, tuple[frozenset[str], Callable[[dict[str, Any]], Message]]]] = {
    "system": (frozenset({"role", "content"}), lambda data: SystemMessage(text_of(data["content"]))),
    "user": (frozenset({"role", "content"}), lambda data: UserMessage(text_of(data["content"]))),
    "assistant": (frozenset({"role", "content", "tool_calls", "reasoning", "attachment"}), _read_assistant),
    "tool": (frozenset({"role", "tool_call_id", "content", "is_error"}), _read_result),
}
