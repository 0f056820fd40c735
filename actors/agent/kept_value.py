"""A value of a type that is named, as data that JSON can hold: kept only if it comes back as what it was."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter


class NotKeptError(Exception):
    """JSON does not hold the value exactly, or its type does not read it (any more)."""


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What writes and reads values of *kind*.

    Raises:
        Exception: pydantic makes nothing of it.
    """
    try:
        hash(kind)
    except TypeError:
        return TypeAdapter(kind)
    return _kept_adapter(kind)


@lru_cache(maxsize=256)
def _kept_adapter(kind: Any) -> TypeAdapter[Any]:
    """Making one takes a millisecond, and thousands of values share a type."""
    return TypeAdapter(kind)


def value_to_data(adapter: TypeAdapter[Any], value: Any) -> Any:
    """*value* as data, from which it comes back.

    Raises:
        NotKeptError: It does not.
    """
    try:
        text = adapter.dump_json(value, by_alias=True, round_trip=True, warnings="error")
        again = adapter.validate_json(text)
        is_same = type(again) is type(value) and bool(again == value)
    except Exception as error:  # as a type of the user's pleases
        raise NotKeptError from error
    if not is_same:
        raise NotKeptError
    return json.loads(text)


def value_from_data(adapter: TypeAdapter[Any], data: Any) -> Any:
    """The value that :func:`value_to_data` wrote.

    Raises:
        NotKeptError: Its type does not read it (any more).
    """
    try:
        return adapter.validate_json(json.dumps(data))
    except Exception as error:  # as above
        raise NotKeptError from error
