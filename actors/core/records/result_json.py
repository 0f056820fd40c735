"""What an ``LlmAgent`` returned, in JSON: known by its fields, where who reads it names no type."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from .json_marks import from_json, mark
from .json_value import to_json
from .loop_result import AgentLoopResult

_READER: TypeAdapter[AgentLoopResult] = TypeAdapter(AgentLoopResult)
_NAMES = {field.name for field in fields(AgentLoopResult)}


def result_to_json(result: Any) -> Any:
    """*result* as data that JSON can hold; a dict that only looks like an answer is marked as what it is."""
    written = to_json(result)
    return mark("dict", written) if _has_its_fields(written) and type(result) is not AgentLoopResult else written


def answer_from_json(data: Any) -> AgentLoopResult | None:
    """The answer that :func:`result_to_json` wrote; None where it is none."""
    if not _has_its_fields(data):
        return None
    try:
        return _READER.validate_python(from_json(data))
    except ValueError:
        return None


def _has_its_fields(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() == _NAMES
