"""The field of a result: what it is for JSON, and who says what it is again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from .json_fields import FromJson, UserValue, read_any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class _Result:
    """Where no type is named, what an ``LlmAgent`` returned is that again: its fields tell it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        kind = UserValue(_written, _read if _is_open(source) else read_any)
        return kind.__get_pydantic_core_schema__(source, handler)


def _is_open(source: Any) -> bool:
    """Does ``T | None`` leave open what T is?"""
    return any(each is Any or isinstance(each, TypeVar) for each in (source, *get_args(source)))


def _written(value: Any) -> Any:
    from .result_json import result_to_json

    return result_to_json(value)


def _read(value: Any, check: Callable[[Any], Any]) -> Any:
    if type(value) is FromJson:
        from .result_json import answer_from_json

        answer = answer_from_json(value.data)
        if answer is not None:
            return answer
    return read_any(value, check)


RESULT = _Result()
"""For ``Annotated[T, RESULT]``."""
