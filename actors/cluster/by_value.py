"""What functions and classes that go by value looked at when they were pickled: does it still hold?"""

from __future__ import annotations

import logging
import re
from enum import Enum
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from ..tools.tool import FunctionTool

if TYPE_CHECKING:
    from collections.abc import Callable

FIXED = (
    type(None), bool, int, float, complex, str, bytes, type, FunctionType, BuiltinFunctionType, ModuleType, Enum,
    PurePath, re.Pattern, logging.Logger, FunctionTool,
)  # fmt: skip
"""Values that do not change, and those that are looked at themselves."""
OF_PYDANTIC = frozenset({"model_config", "model_fields", "model_computed_fields"})
_EMPTY = object()


class Seen:
    """The values of other names that one pickle has taken: globals, variables around a function, fields of classes.

    A pickle that is made once for many agents is right for the next one only while all of them are as they were.

    Threads: one, until it is whole; then any: nothing changes.
    """

    def __init__(self) -> None:
        self._looks: list[tuple[Callable[[], Any], Any]] = []
        self.is_fixed = True
        """Can all that was seen be told by being the same object? Not so of lists, say."""

    @property
    def is_same(self) -> bool:
        """Is all of it as it was?"""
        return all(look() is value for look, value in self._looks)

    def add_function(self, fn: FunctionType, names: dict[str, Any]) -> None:
        """*fn* goes by value, with these of its globals."""
        for name, value in names.items():
            self._add(_entry(fn.__globals__, name), value)
        for cell in fn.__closure__ or ():
            self._add(_contents(cell), _contents(cell)())

    def add_class(self, cls: type[Any]) -> None:
        """*cls* goes by value."""
        fields = vars(cls)
        for name, value in list(fields.items()):
            if not _is_made(name):
                self._add(_entry(fields, name), value)

    def _add(self, look: Callable[[], Any], value: Any) -> None:
        self._looks.append((look, value))
        self.is_fixed = self.is_fixed and _is_fixed(value)


def _entry(names: Any, name: str) -> Callable[[], Any]:
    return lambda: names.get(name, _EMPTY)


def _contents(cell: Any) -> Callable[[], Any]:
    def look() -> Any:
        try:
            return cell.cell_contents
        except ValueError:  # it has none yet
            return _EMPTY

    return look


def _is_made(name: str) -> bool:
    """Is the field of that name one that metaclasses make?"""
    return name.startswith(("__", "_abc")) or (name.startswith("_") and name.endswith("_")) or name in OF_PYDANTIC


def _is_fixed(value: Any) -> bool:
    if value is _EMPTY or isinstance(value, FIXED):
        return True
    if isinstance(value, (tuple, frozenset)):
        return all(map(_is_fixed, value))
    if isinstance(value, (property, classmethod, staticmethod)):
        return True
    kind = type(value)
    config = getattr(kind, "model_config", {})
    if config.get("frozen") if isinstance(config, dict) else False:
        return True
    return bool(getattr(getattr(kind, "__dataclass_params__", None), "frozen", False))


def names_of(reduced: tuple[Any, ...]) -> dict[str, Any]:
    """The globals that go with a function, by how cloudpickle reduces it."""
    state: Any = reduced[2]
    names: dict[str, Any] = state[1].get("__globals__", {})
    return names
