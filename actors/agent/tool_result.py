"""What a model is told of a value that a function returned."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic_core import to_json

from .ports import ToolResult


def result_of(value: Any) -> ToolResult:
    """What the model is told of a value: text as it is, a ``ToolResult`` as it is, anything else as JSON.

    What JSON cannot hold is written as its ``repr``.
    """
    if isinstance(value, ToolResult):
        return value
    if isinstance(value, str):
        return ToolResult(str.__str__(value))  # the text, also of an enum that is a str
    if inspect.isgenerator(value):
        value = list(value)  # here, where an exception is still the function's own
    try:
        return ToolResult(to_json(value, fallback=repr, inf_nan_mode="strings").decode())
    except ValueError:
        # Bytes that are no text, a circle, a key that is no name, a serializer that fails.
        return ToolResult(repr(value))
