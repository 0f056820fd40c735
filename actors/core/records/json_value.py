"""Any value as JSON.

What JSON can hold stands there as it is; a tuple is an array, and a model or a dataclass is what pydantic writes of it.
What JSON cannot hold is said by its type, in its place: a *mark*, in one of two shapes (``json_marks`` reads them).

- ``{"not_json": "set", "value": [1, 2]}``: and this is what it holds. Values of Python's own types come back from it.
- ``{"not_json": "app.Thing", "text": "<Thing 1>"}``: and this is its repr. It is read as it stands.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from ..crash import safe_repr
from .json_marks import MARK, VALUES, escaped, is_utf8, mark, marked_text, reader_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LEVELS = 150
"""Levels of arrays and objects that are written: readers refuse more than 200, and a value may stand inside others."""
LONGEST = 1_000
"""Characters of a repr."""
BITS = 2_000
"""Of a number: beyond some 4,000 digits Python makes no text of it."""


def to_json(value: Any, *, exact: bool = False) -> Any:
    """*value* as data that JSON can hold. Never raises, whatever *value* is and does.

    Args:
        exact: Tuples are marked, too: they come back as tuples.
    """
    return _Writer().write(value, LEVELS, exact)


def class_name(cls: type) -> str:
    """The qualified name of *cls*, whatever its metaclass does."""
    name = type.__dict__["__qualname__"].__get__(cls)
    module = type.__getattribute__(cls, "__module__")
    return str(name if module == "builtins" else f"{module}.{name}")


class _Writer:
    """One value on its way. ``room`` is how many levels may follow."""

    def __init__(self) -> None:
        self._open: set[int] = set()  # containers that are being written: what meets itself has no end

    def write(self, value: Any, room: int, exact: bool = False) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        try:
            if issubclass(kind, str):
                return marked_text(str.__str__(value))
            if issubclass(kind, int):
                return _whole(int.__int__(value))
            if issubclass(kind, float):
                return _real(float.__float__(value))
            if kind in VALUES:
                return mark(*VALUES[kind](value))
            return self._compound(value, kind, room, exact)
        except Exception:  # noqa: BLE001 - what a user's class does when it is looked at
            return _unheld(value)

    def _compound(self, value: Any, kind: type[Any], room: int, exact: bool) -> Any:
        if id(value) in self._open:
            return _unheld(value, "it holds itself")
        if room <= 0:
            return _unheld(value, f"more than {LEVELS} levels deep")
        self._open.add(id(value))
        try:
            if issubclass(kind, Enum):
                return mark(class_name(kind), self.write(value.value, room - 1))
            if issubclass(kind, BaseModel) or is_dataclass(kind):
                return self._record(value, kind, room)
            if issubclass(kind, Mapping):
                return self._mapping(value, room, exact)
            if issubclass(kind, list | tuple):
                return self._array(value, kind, room, exact)
            if issubclass(kind, set | frozenset):
                return mark(class_name(kind), [self.write(each, room - 2, True) for each in _sorted(value)])
            if kind is deque:
                return mark("collections.deque", [self.write(each, room - 2, exact) for each in value])
            return self._other(value, kind, room)
        finally:
            self._open.discard(id(value))

    def _array(self, value: Any, kind: type[Any], room: int, exact: bool) -> Any:
        if exact and kind is tuple:
            return mark("tuple", [self.write(each, room - 2, exact) for each in value])
        return [self.write(each, room - 1, exact) for each in value]

    def _mapping(self, value: Mapping[Any, Any], room: int, exact: bool) -> Any:
        entries = list(value.items())
        if all(issubclass(type(key), str) and is_utf8(str.__str__(key)) for key, _ in entries):
            written = {str.__str__(key): self.write(each, room - 1, exact) for key, each in entries}
            # One that would be read as a mark is marked itself.
            return written if reader_of(value) is None else mark("dict", written)
        return mark(
            "dict", [[self.write(key, room - 3, True), self.write(each, room - 3, exact)] for key, each in entries]
        )

    def _record(self, value: Any, kind: type[Any], room: int) -> Any:
        """A model or a dataclass: its own JSON, and where it has none, that of each field."""
        try:
            return self.write(_own_json(value, kind), room)
        except Exception:  # noqa: BLE001 - a field that pydantic does not know, a serialiser that raises
            return {name: self.write(each, room - 1) for name, each in _fields_of(value, kind)}

    def _other(self, value: Any, kind: type[Any], room: int) -> Any:
        if hasattr(kind, "dtype") and hasattr(kind, "item") and value.shape == ():  # a number of numpy
            number = value.item()
            if type(number) in (bool, int, float) and bool(number == value or number != number):
                return self.write(number, room)
        if issubclass(kind, PurePath):
            return mark(class_name(kind), marked_text(str(value)))
        if issubclass(kind, Iterator):  # looking would use it up
            return _unheld(value)
        return mark(class_name(kind), self.write(to_jsonable_python(value), room - 1))


def _unheld(value: Any, text: str = "") -> dict[str, Any]:
    text = text or safe_repr(value)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    return {MARK: class_name(type(value)), "text": text if is_utf8(text) else escaped(text)}


def _whole(number: int) -> Any:
    return number if number.bit_length() <= BITS else mark("int", hex(number))


def _real(number: float) -> Any:
    return number if math.isfinite(number) else mark("float", repr(number))


def _sorted(members: Iterable[Any]) -> list[Any]:
    """The same set gives the same text, where its members have an order."""
    listed = list(members)
    try:
        return sorted(listed)
    except Exception:  # noqa: BLE001 - as users' comparisons please
        return listed


def _own_json(value: Any, kind: type[Any]) -> Any:
    if issubclass(kind, BaseModel):
        dump = kind.__pydantic_serializer__.to_python
    else:
        adapter = _adapter_of(cast("Any", kind))
        if adapter is None:
            raise TypeError("pydantic does not know it")
        dump = adapter.serializer.to_python
    options: dict[str, Any] = {"by_alias": True, "round_trip": True, "warnings": False}
    written = dump(value, mode="json", **options)
    return _with_numbers(written, dump(value, **options)) if _has_none(written) else written


def _has_none(written: Any) -> bool:
    if isinstance(written, dict):
        return any(map(_has_none, written.values()))
    return any(map(_has_none, written)) if isinstance(written, list) else written is None


def _with_numbers(written: Any, held: Any) -> Any:
    """*written*, with the numbers that are none: where any type is allowed, pydantic writes null for them."""
    if written is None and isinstance(held, float):
        return held
    if isinstance(written, dict) and isinstance(held, dict) and len(written) == len(held):
        both = zip(written.items(), held.values(), strict=True)
        return {key: _with_numbers(each, other) for (key, each), other in both}
    if isinstance(written, list) and isinstance(held, list | tuple) and len(written) == len(held):
        return [_with_numbers(each, other) for each, other in zip(written, held, strict=True)]
    return written


@lru_cache(maxsize=256)
def _adapter_of(kind: Any) -> TypeAdapter[Any] | None:
    """Making one takes a millisecond, and thousands of results share a class."""
    try:
        return TypeAdapter(kind)
    except Exception:  # noqa: BLE001 - an annotation that cannot be read, a type that pydantic does not know
        return None


def _fields_of(value: Any, kind: type[Any]) -> list[tuple[str, Any]]:
    if issubclass(kind, BaseModel):
        names = {name: field.alias or name for name, field in kind.model_fields.items()}
        held = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        return [(names.get(name, name), each) for name, each in held.items()]
    role = getattr(kind, "role", None)  # of a message
    said = [("role", role)] if isinstance(role, str) else []
    return said + [(field.name, getattr(value, field.name, None)) for field in fields(kind)]
