"""What an outcome has for JSON beside its fields: imported when the first one is written or read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from .conversation import Message
from .json_fields import FromJson
from .json_value import to_json
from .usage import TokenUsage

_TALK: TypeAdapter[Any] = TypeAdapter(tuple[Message, ...])
_USAGE: TypeAdapter[Any] = TypeAdapter(TokenUsage)
_ANY = ("query", "tag", "result")


def is_json(given: Any) -> bool:
    """Was it read from JSON, by whomever? There a moment is a text, and in Python it is none."""
    return isinstance(given, Mapping) and isinstance(given.get("ended_at"), str)


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an outcome from JSON, with what users put in as it was."""
    return {name: FromJson(each) if name in _ANY else each for name, each in given.items()}


def said(value: Any) -> Any:
    """The conversation, or what was used. Never raises: drivers are users' code."""
    is_talk = isinstance(value, tuple)
    try:
        return (_TALK if is_talk else _USAGE).dump_python(value, mode="json", warnings="error")
    except Exception:  # noqa: BLE001 - fields that are not what they should be
        return [_said_alone(each) for each in value] if is_talk else to_json(value)


def _said_alone(message: Any) -> Any:
    try:
        (said,) = _TALK.dump_python((message,), mode="json", warnings="error")
    except Exception:  # noqa: BLE001 - it is this one
        return to_json(message)
    return said
