"""Errors in JSON: ``{"type", "message", "cause", "traceback"}``, and ``fields`` where they carry more.

``type`` is a qualified name. Read back, the library's own errors are themselves; any other is a ``RemoteError`` with
its words: no name that stands in JSON is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ... import errors
from ...errors import ActorsError, AgentAbandoned, AgentCrashed, RemoteError, fresh_copy
from ..crash import text_of, traceback_of
from .json_marks import from_json
from .json_value import class_name, to_json

SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "cause": {"type": ["object", "null"]},
                "traceback": {"type": ["string", "null"]},
                "fields": {"type": "object"},
            },
            "required": ["type", "message"],
        },
        {"type": "null"},
    ],
}
"""What JSON Schema says of an error, or none."""
CAUSES = 8
"""How many are told, one below the other."""
_OURS = {
    f"{errors.__name__}.{name}": cls
    for name in errors.__all__
    if isinstance(cls := getattr(errors, name), type) and issubclass(cls, ActorsError) and cls is not RemoteError
}
_NOTES = "__notes__"


def error_to_json(error: BaseException) -> dict[str, Any]:
    """*error* as data that JSON can hold. Never raises."""
    return _told(error, CAUSES)


def error_from_json(told: Mapping[str, Any]) -> ActorsError:
    """The error that :func:`error_to_json` told.

    Raises:
        ValueError: That is no error.
    """
    type_name, message, traceback = (_read_text(told, name) for name in ("type", "message", "traceback"))
    if type_name is None or message is None:
        raise ValueError('an error in JSON has a "type" and a "message"')
    cause = told.get("cause")
    if not isinstance(cause, Mapping | None):
        raise ValueError('the "cause" of an error in JSON is null, or an error like it')
    fields = from_json(told.get("fields") or {})
    if not isinstance(fields, Mapping):
        raise ValueError('the "fields" of an error in JSON are an object')
    why = None if cause is None else error_from_json(cause)
    cls = _OURS.get(type_name)
    if cls is None:
        error: ActorsError = RemoteError(type_name, message, traceback or "", fields)
    elif cls is AgentCrashed:
        name, _, text = message.partition(": ")
        error = AgentCrashed(name, text, traceback or "")
        _take_notes(error, fields)
    else:
        error = _one_of_ours(cls, message, fields)
        error.__dict__["_traceback"] = traceback or ""
    if isinstance(error, AgentAbandoned):
        error.cause = why or ActorsError()
    else:
        error.__cause__ = why
    return error


# To JSON --------------------------------------------------------------------------------------------------------


def _told(error: BaseException, room: int) -> dict[str, Any]:
    type_name, message = _said_of(error)
    fields = _or_none(_fields_of, error)
    told = {
        "type": to_json(type_name),
        "message": to_json(message),
        "cause": _or_none(_cause_of, error, room),
        "traceback": to_json(_or_none(traceback_of, error) or None),
    }
    return {**told, "fields": to_json(fields)} if fields else told


def _or_none(look: Callable[..., Any], *args: Any) -> Any:
    try:
        return look(*args)
    except Exception:  # noqa: BLE001 - what a user's class does when it is looked at
        return None


def _said_of(error: BaseException) -> tuple[str, str]:
    if isinstance(error, RemoteError):
        return error.type_name, error.text
    if isinstance(error, AgentCrashed):  # its class may be one that was made for what it has caught
        return class_name(AgentCrashed), text_of(error)
    return class_name(type(error)), text_of(error)


def _cause_of(error: BaseException, room: int) -> dict[str, Any] | None:
    cause = error.cause if isinstance(error, AgentAbandoned) else error.__cause__
    if isinstance(error, AgentCrashed):
        cause = fresh_copy(error, alone=True).__cause__  # like what was raised, which is not kept itself
        if cause is None:
            return {"type": to_json(error.type_name), "message": to_json(error.text), "cause": None, "traceback": None}
    return None if cause is None or not room else _told(cause, room - 1)


def _fields_of(error: BaseException) -> dict[str, Any]:
    if isinstance(error, RemoteError):
        return error.fields
    held = {name: value for name, value in list(vars(error).items()) if value is not None}
    if isinstance(error, AgentCrashed):  # the rest is told by its message and its cause
        return {_NOTES: held[_NOTES]} if _NOTES in held else {}
    if isinstance(error, AgentAbandoned):
        held.pop("cause", None)
    return {name: value for name, value in held.items() if name == _NOTES or not name.startswith("_")}


# And back -------------------------------------------------------------------------------------------------------


def _read_text(told: Mapping[str, Any], name: str) -> str | None:
    text = from_json(told.get(name))
    if not isinstance(text, str | None):
        raise ValueError(f'the "{name}" of an error in JSON is a text')
    return text


def _one_of_ours(cls: type[ActorsError], message: str, fields: Mapping[str, Any]) -> ActorsError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    try:
        held = dict(vars(cls(message)))  # fields that are None are not told
    except TypeError:  # it takes more: fields that are always told
        held = {}
    for name, value in fields.items():
        if isinstance(name, str) and not name.startswith("_") and not hasattr(cls, name):
            held[name] = tuple(value) if isinstance(value, list) else value  # ours hold no lists
    error.__dict__.update(held)
    _take_notes(error, fields)
    return error


def _take_notes(error: ActorsError, fields: Mapping[str, Any]) -> None:
    notes = fields.get(_NOTES)
    for note in notes if isinstance(notes, list) else ():
        error.add_note(str(note))
