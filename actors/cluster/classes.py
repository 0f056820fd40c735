"""Classes that go by value, as those of ``__main__`` do: wherever one comes back, it is that very class."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

_by_id: weakref.WeakValueDictionary[str, type[Any]] = weakref.WeakValueDictionary()
"""Those that went or came, by what cloudpickle calls them."""
_ids: weakref.WeakKeyDictionary[type[Any], str] = weakref.WeakKeyDictionary()
_came: weakref.WeakSet[type[Any]] = weakref.WeakSet()
"""Those that another process has made."""


class ClassState(NamedTuple):
    """What a class has, beside its name and its bases, and what gives it that."""

    id: str
    set: Any
    state: Any


def named(cls: type[Any], reduced: tuple[Any, ...], *, to_maker: bool = False) -> tuple[Any, ...]:
    """How *cls* goes by value, by how cloudpickle would do it: here and there it has the same name, and where it is
    known already nothing of it is changed. Else a class that comes back would get functions whose globals are copies.

    Args:
        to_maker: It goes to the process that all foreign classes of this one come from.
    """
    make, args, state, listed, entries, set_state = reduced
    class_id = args[-2]
    _by_id[class_id] = cls
    _ids[cls] = class_id
    if to_maker and cls in _came:
        return own_class, (class_id,)
    return make, args, ClassState(class_id, set_state, state), listed, entries, settle_class


def settle_class(cls: type[Any], given: ClassState) -> type[Any]:
    """Give *cls*, which has just been made or found, what it has; for pickles."""
    if _by_id.get(given.id) is not cls:
        given.set(cls, given.state)
        _by_id[given.id] = cls
        _ids[cls] = given.id
        _came.add(cls)
    return cls


def own_class(class_id: str) -> type[Any]:
    """The class that this process has sent as *class_id*; for pickles.

    Raises:
        LookupError: It is there no longer.
    """
    found = _by_id.get(class_id)
    if found is None:
        raise LookupError("a class of the program that nobody holds any more")
    return found
