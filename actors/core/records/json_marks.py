"""Marks: what stands in JSON for what JSON cannot hold, and what they are made of.

Nothing is ever imported or called because JSON names it: the names are looked up in a table of Python's own types.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID

from ..crash import safe_repr

MARK: Final = "not_json"
_PATH = "pathlib.Path"
_ESCAPED: Final = r"(?:[^\\]|\\(?:[\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U000[0-9a-f]{5}|U0010[0-9a-f]{4}))*"
_Read: TypeAlias = Callable[[Any], Any]


def mark(type_name: str, value: Any) -> dict[str, Any]:
    """What stands for something of that type, with what it holds."""
    return {MARK: type_name, "value": value}


def from_json(value: Any) -> Any:
    """What this was made of, as far as it can be told; other marks stay as they are."""
    return _read(value, from_json)


def unmarked(value: Any) -> Any:
    """As :func:`from_json`, with what other marks hold in their place: a type of the reader's may know it."""
    if type(value) is dict and _is_left(value):
        return unmarked(value["value"])
    return _read(value, unmarked)


def quoted(value: Any) -> Any:
    """*value*, where what only looks like a mark is one of itself: so that :func:`from_json` gives it back."""
    if isinstance(value, list):
        return [quoted(each) for each in value]
    if not isinstance(value, dict):
        return value
    copy = {key: quoted(each) for key, each in value.items()}
    return copy if reader_of(value) is None else mark("dict", copy)


def is_utf8(text: str) -> bool:
    """Can *text* be written? Half of a surrogate pair, as of a file name that is no UTF-8, cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(text: str) -> str:
    """*text* in ASCII, escaped as in a Python literal."""
    return text.encode("unicode_escape").decode("ascii")


def marked_text(text: str) -> Any:
    """*text*, or the mark of one that cannot be written."""
    return text if is_utf8(text) else mark("str", escaped(text))


# The table ------------------------------------------------------------------------------------------------------------


def _bytes_as_text(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode("ascii")


VALUES: dict[type, Callable[[Any], tuple[str, Any]]] = {
    bytes: lambda value: ("bytes", _bytes_as_text(value)),
    bytearray: lambda value: ("bytearray", _bytes_as_text(value)),
    complex: lambda value: ("complex", repr(value)),
    datetime: lambda value: ("datetime.datetime", value.isoformat()),
    date: lambda value: ("datetime.date", value.isoformat()),
    time: lambda value: ("datetime.time", value.isoformat()),
    timedelta: lambda value: ("datetime.timedelta", str(Decimal(value // timedelta.resolution).scaleb(-6))),
    Decimal: lambda value: ("decimal.Decimal", str(value)),
    Fraction: lambda value: ("fractions.Fraction", str(value)),
    UUID: lambda value: ("uuid.UUID", str(value)),
    type(Path()): lambda value: (_PATH, marked_text(str(value))),
}
"""How values of Python's own types are told; by the type itself: a subclass may hold more."""


def _read(value: Any, read: _Read) -> Any:
    """*value*, each part of it by *read*."""
    kind = type(value)
    if kind is list:
        return [read(each) for each in value]
    if kind is not dict:
        return value
    reader = reader_of(value)
    if reader is not None:
        try:
            return reader(value["value"], read)
        except (ArithmeticError, AttributeError, TypeError, ValueError):  # a mark that somebody else has made
            return value
    return {key: read(each) for key, each in value.items()}


def _dict_of(value: Any, read: _Read) -> Any:
    if isinstance(value, dict):
        return {key: read(each) for key, each in value.items()}
    return {_key(read(key)): read(each) for key, each in value}


def _duration(seconds: Decimal) -> timedelta:
    if seconds.adjusted() > 20:  # a whole number of so many digits takes for ever to be made
        raise ValueError("no duration is so long")
    return timedelta(microseconds=int(seconds.scaleb(6)))


def _unescaped(text: str) -> str:
    if re.fullmatch(_ESCAPED, text) is None:
        raise ValueError("that was not escaped")
    return text.encode("ascii").decode("unicode_escape")


def _key(key: Any) -> Any:
    try:
        hash(key)
    except TypeError:  # the mark of what could not be told
        return json.dumps(key, default=safe_repr)
    return key


_READERS: dict[str, Callable[[Any, _Read], Any]] = {
    "bytes": lambda value, _: base64.b64decode(value, validate=True),
    "bytearray": lambda value, _: bytearray(base64.b64decode(value, validate=True)),
    "collections.deque": lambda value, read: deque(read(value)),
    "complex": lambda value, _: complex(value),
    "datetime.datetime": lambda value, _: datetime.fromisoformat(value),
    "datetime.date": lambda value, _: date.fromisoformat(value),
    "datetime.time": lambda value, _: time.fromisoformat(value),
    "datetime.timedelta": lambda value, _: _duration(Decimal(value)),
    "decimal.Decimal": lambda value, _: Decimal(value),
    "dict": _dict_of,
    "float": lambda value, _: float(value),
    "fractions.Fraction": lambda value, _: Fraction(*map(int, value.split("/"))),
    "frozenset": lambda value, read: frozenset(read(value)),
    "int": lambda value, _: int(value, 16),
    _PATH: lambda value, read: Path(read(value)),
    "set": lambda value, read: set(read(value)),
    "str": lambda value, _: _unescaped(value),
    "tuple": lambda value, read: tuple(read(value)),
    "uuid.UUID": lambda value, _: UUID(value),
}


def _is_left(value: dict[Any, Any]) -> bool:
    """Is it a mark that :func:`from_json` leaves, or makes what pydantic does not take where JSON is read?"""
    return value.keys() == {MARK, "value"} and (reader_of(value) is None or value[MARK] == _PATH)


def reader_of(value: Mapping[Any, Any]) -> Callable[[Any, _Read], Any] | None:
    """What reads *value*, if that is a mark that can be read."""
    if len(value) != 2 or MARK not in value or "value" not in value:
        return None
    name = value[MARK]
    return _READERS.get(name) if isinstance(name, str) else None
