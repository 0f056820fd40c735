"""Records with plain values as the data that pydantic makes of them, made directly: in a tenth of the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .conversation import AssistantMessage, SystemMessage, ToolCall, ToolResultMessage, UserMessage
from .json_marks import MARK, is_utf8
from .usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LEVELS: Final = 16
"""Of arrays and objects inside one another: arguments of tools have few."""
_LARGEST: Final = 2**63
_MORE_TOKENS: Final = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")


class NotPlainError(Exception):
    """It holds something that only pydantic can write."""


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


def _user(message: UserMessage) -> dict[str, Any]:
    return {"role": "user", "content": text_of(message.content)}


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
        "content": text_of(message.content),
        "is_error": flag_of(message.is_error),
    }


_WRITERS: Final[dict[type, Callable[[Any], dict[str, Any]]]] = {
    SystemMessage: _system,
    UserMessage: _user,
    AssistantMessage: _assistant,
    ToolResultMessage: _result,
}
