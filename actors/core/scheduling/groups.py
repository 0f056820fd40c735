"""The groups of agents, as the core knows them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

SHELVES = 256
"""Groups of a user's own classes are looked for among one in so many."""
PLAIN = frozenset({str, int, bool, float, bytes, type(None)})
"""Compared and hashed without any code of a user's."""


class Group:
    """What a user's group is called by inside: compared by identity."""

    __slots__ = ("__weakref__", "number", "value")

    def __init__(self, value: Hashable, number: int) -> None:
        self.value = value
        self.number = number


class Groups:
    """Finds the key by which a group is known: equal groups have the same. Under the turn only keys are compared, so
    nothing of a user's is hashed or compared there.

    Guarantees: equal groups have equal keys for as long as one of the keys is held; nothing is kept of a group that
    nobody holds.

    Threads: any; never under a lock, as the user's ``__eq__`` and ``__hash__`` are called.

    Locks: none. ``_shelves`` never changes; each shelf changes by single operations: whoever looks enters its own key,
    then takes the first equal one, its own included. So two who come at the same time both take that of the first.
    """

    def __init__(self) -> None:
        self._shelves: list[list[weakref.ref[Group]]] = [[] for _ in range(SHELVES)]

    def key(self, value: Hashable) -> Hashable:
        """The key of the group *value*; None, which is no group, is its own.

        Raises:
            Exception: Whatever its ``__hash__``, or an ``__eq__``, raises.
        """
        if value is None:
            return None
        plain = _plain(value)
        return self._find(value) if plain is None else plain

    def _find(self, value: Hashable) -> Group:
        number = hash(value)
        shelf, mine = self._shelves[number % SHELVES], Group(value, number)
        entry = weakref.ref(mine)
        shelf.append(entry)
        found = mine
        try:
            for other in shelf.copy():
                group = other()
                if group is None:
                    _remove(shelf, other)
                elif group is mine or (group.number == number and (value is group.value or value == group.value)):
                    found = group
                    break
        except BaseException:
            _remove(shelf, entry)
            raise
        if found is not mine:
            _remove(shelf, entry)
        return found


def _remove(shelf: list[weakref.ref[Group]], entry: weakref.ref[Group]) -> None:
    try:
        shelf.remove(entry)
    except ValueError:  # another thread was first
        pass


def _plain(value: Hashable) -> Hashable:
    """*value* without anything of a user's; None when that cannot be."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is tuple:
        parts = [_plain(part) for part in value]  # type: ignore[attr-defined]  # it is a tuple
        whole = all(part is not None or before is None for part, before in zip(parts, value, strict=True))  # type: ignore[call-overload]
        return tuple(parts) if whole else None
    if isinstance(value, str) and kind.__eq__ is str.__eq__ and kind.__hash__ is str.__hash__:  # of an enumeration
        return str.__str__(value)
    return None
