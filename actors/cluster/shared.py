"""Hosts that live in the process of the program, as in tests: what cannot be pickled is passed by a number there."""

from __future__ import annotations

import itertools
import threading
from contextlib import contextmanager
from types import BuiltinMethodType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from .misfits import of_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Shared:
    """What was passed by number.

    Locks: none; ``_objects`` changes by single operations.
    """

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}

    def whole(self, obj: Any) -> tuple[Any, ...]:
        """How *obj* is pickled: as a number."""
        number = self._numbers.get(id(obj))
        if number is None:
            number = self._numbers[id(obj)] = next(self._count)
            self._objects[number] = obj  # from now on it is held: no other gets its id
        return taken, (number,)

    def reduced(self, obj: Any, can_go: Callable[[Any], bool]) -> tuple[Any, ...] | None:
        """How *obj* is pickled, if it cannot be pickled as usual; None: it can, or it stays where it is in any case."""
        kind = type(obj)
        if kind is BuiltinMethodType:
            return None if isinstance(obj.__self__, ModuleType | type | None) else self.whole(obj)
        if kind is MethodType:
            return self.whole(obj)
        if kind.__module__ == "builtins" or any(each in of_programs() for each in kind.__mro__):
            return None
        return None if can_go(obj) else self.whole(obj)

    def find(self, number: int) -> Any:
        """What has *number*."""
        return self._objects[number]


def taken(number: int) -> Any:
    """What was passed as *number*; for pickles.

    Raises:
        LookupError: Nothing is shared here.
    """
    shared = sharing_now()
    if shared is None:
        raise LookupError("nothing is shared between hosts and program: they are processes of their own")
    return shared.find(number)


def sharing_now() -> Shared | None:
    """What is shared at the moment."""
    return _SHARERS.shared


@contextmanager
def sharing() -> Iterator[None]:
    """Hosts share the process of the program: what cannot be pickled, and functions and classes that would go by value,
    are inside the very objects that they are. For tests that look at what agents do.

    Blocks may overlap in any order: they share with each other, and what was shared is let go of with the last one.
    """
    _SHARERS.enter()
    try:
        yield
    finally:
        _SHARERS.leave()


class _Sharers:
    """Who shares at the moment.

    Locks: ``_lock`` guards ``_count`` and ``shared``, which may be read without it.
    """

    def __init__(self) -> None:
        self.shared: Shared | None = None
        self._lock = threading.Lock()
        self._count = 0

    def enter(self) -> None:
        with self._lock:
            self._count += 1
            self.shared = self.shared or Shared()

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                self.shared = None


_SHARERS = _Sharers()
