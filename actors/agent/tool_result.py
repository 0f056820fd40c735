"""What a model is told of a value that a function returned."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic_core import to_json

from ..core.records.content import is_content, is_part
from .ports import ToolResult


def result_of(value: Any) -> ToolResult:
    """What the model is told of a value: text as it is, a ``ToolResult`` as it is, content in parts as it is, anything
    else as JSON; among parts, too.

    What JSON cannot hold is written as its ``repr``.
    """
    if isinstance(value, ToolResult):
        return value
    if isinstance(value, str):
        return ToolResult(str.__str__(value))  # the text, also of an enum that is a str
    if inspect.isgenerator(value):
        value = list(value)  # here, where an exception is still the function's own
    if is_content(value):
        return ToolResult(_parts_of(value))
    try:
        return ToolResult(to_json(value, fallback=repr, inf_nan_mode="strings").decode())
    except ValueError:
        # Bytes that are no text, a circle, a key that is no name, a serializer that fails.
        return ToolResult(repr(value))


def _parts_of(value: Any) -> list[Any]:
    """The parts of *value*, and what else stands among them as text."""
    found: list[Any] = []
    for each in value if isinstance(value, list | tuple) else [value]:
        content = (each,) if is_part(each) else result_of(each).content
        found += ([content] if content else []) if isinstance(content, str) else content
    return found
