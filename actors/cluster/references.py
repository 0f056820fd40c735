"""What stays in the program, and is named by a number where an agent of a node needs it: budgets, limiters, ledgers."""

from __future__ import annotations

import itertools
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..agent.assembly.finder import Named

_reading: ContextVar[Finds | None] = ContextVar("reading", default=None)
"""Who finds what the pickle names that is being read."""


class Finds(Protocol):
    """Finds what a number names, where a pickle is read. Threads: any."""

    def find(self, kind: str, number: int) -> Any:
        """What *number* names: itself in the program, and what stands for it on a host.

        Raises:
            LookupError: Nothing.
        """

    def once(self, kind: str, number: int, make: Callable[[], Any]) -> Any:
        """What *number* names, made here by *make* when it is asked for first."""

    def named(self, named: Named) -> Any:
        """The driver or the memory that a manifest names so, here.

        Raises:
            ManifestError: It cannot be had.
        """


class _Known(NamedTuple):
    number: int
    of: weakref.ref[Any]


class References:
    """What has a number. An object has the same one for as long as anybody holds it: a kit does, or an agent. It is not
    held here.

    Threads: any.

    Locks: none; ``_known`` and ``_found`` change by single operations.
    """

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self._known: dict[int, _Known] = {}
        self._found: dict[int, weakref.ref[Any]] = {}

    def number(self, kind: str, obj: Any) -> int:  # noqa: ARG002 - a number says nothing of it; who reads it is told
        """The number of *obj*, from now on.

        Raises:
            TypeError: Its class allows no weak reference.
        """
        key = id(obj)
        known = self._known.get(key)
        if known is not None and known.of() is obj:
            return known.number
        number, all_known, all_found = next(self._count), self._known, self._found

        def forget(_: object) -> None:
            all_found.pop(number, None)
            stale = all_known.get(key)
            if stale is not None and stale.number == number:
                all_known.pop(key, None)

        made = _Known(number, weakref.ref(obj, forget))
        all_found[number] = made.of
        kept = all_known.setdefault(key, made)
        if kept.of() is not obj:  # of one that is gone, whose place it got
            kept = all_known[key] = made
        return kept.number

    def find(self, kind: str, number: int) -> Any:
        """What has *number*.

        Raises:
            LookupError: Nothing has it any more.
        """
        of = self._found.get(number)
        found = None if of is None else of()
        if found is None:
            raise LookupError(f"there is no {kind} {number}: nobody in the program holds it any more")
        return found

    def once(self, kind: str, number: int, make: Callable[[], Any]) -> Any:  # noqa: ARG002 - it is here
        """What has *number*: it never left."""
        return self.find(kind, number)

    def named(self, named: Named) -> Any:
        """Nothing: what is named has a number, too, and never left."""
        raise LookupError(f"{named.path} is to be found on a node")


@contextmanager
def reading(finds: Finds | None) -> Iterator[None]:
    """What pickles name inside is found by *finds*."""
    before = _reading.set(finds)
    try:
        yield
    finally:
        _reading.reset(before)


def refer(kind: str, number: int) -> Any:
    """What *number* names here: for pickles.

    Raises:
        LookupError: Nothing, or this is read where nothing is named.
    """
    return _here(kind, number).find(kind, number)


def made_once(kind: str, number: int, make: Callable[..., Any], args: tuple[Any, ...], state: Any = None) -> Any:
    """What *number* names here, made by *make* when it is read first: for pickles."""

    def whole() -> Any:
        made = make(*args)
        if state is not None:
            _give(made, state)
        return made

    return _here(kind, number).once(kind, number, whole)


def by_name(named: Named) -> Any:
    """What *named* names here: for pickles."""
    return _here(named.kind, 0).named(named)


def _here(kind: str, number: int) -> Finds:
    finds = _reading.get()
    if finds is None:
        raise LookupError(f"the {kind} {number} is named where no program is known")
    return finds


def _give(made: Any, state: Any) -> None:
    """Give *made* its *state*, as a pickle would."""
    give = getattr(made, "__setstate__", None)
    if give is not None:
        give(state)
        return
    fields, slots = state if isinstance(state, tuple) else (state, None)
    vars(made).update(fields or {})
    for name, value in (slots or {}).items():
        setattr(made, name, value)
