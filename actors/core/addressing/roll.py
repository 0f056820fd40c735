"""Who is there: references that stay until their actors end, or somebody takes them out."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..checks import leaf_rlock
from ..process import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

PresentT = TypeVar("PresentT", bound="Present")


class Present:
    """One who is there, under a key of that roll.

    It holds its roll weakly: a roll that nobody has any more is not kept by those who live long.

    Locks: that of the roll guards its place there; ``_forget`` is set once, and taken by a single operation.
    """

    __slots__ = ("_forget", "_roll", "key", "ref")

    def __init__(self, roll: Roll[Any], key: Hashable, ref: Any) -> None:
        self._roll = weakref.ref(roll)
        self._forget: Callable[[], None] | None = None
        self.key = key
        self.ref = ref

    def leave(self, _: object = None) -> bool:
        """Be there no more; whether it was."""
        roll = self._roll()
        return roll is not None and roll.remove(self)

    def watch(self) -> None:
        """Leave when *ref* has ended; at once, if it has."""
        self._forget = self.ref.watch(self.leave)

    def forget(self) -> None:
        """Watch no longer."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()


class Roll(Generic[PresentT]):
    """The entries, in the order in which they came.

    Guarantees: none whose actor has ended stays, and one whose actor ends while it comes does not either. Who reads
    sees the entries of one moment.

    Locks: ``_lock`` guards changes of ``_entries``; who reads copies it, which is one operation. A finalizer may come
    at any moment, so it may be taken again; nobody is watched or forgotten under it.
    """

    def __init__(self) -> None:
        self._lock = leaf_rlock()
        self._entries: dict[Hashable, PresentT] = {}
        self._generation = fork.generation()

    def add(self, entry: PresentT) -> PresentT:
        """Enter *entry*, unless its key has one already.

        Returns:
            Who has the key now.
        """
        self.refuse_after_fork()
        with self._lock:
            found = self._entries.setdefault(entry.key, entry)
        if found is not entry:
            return found
        try:
            entry.watch()
        except BaseException:
            self.remove(entry)
            raise
        if self._entries.get(entry.key) is not entry:  # it left before there was anything to forget
            entry.forget()
        return entry

    def remove(self, entry: Present) -> bool:
        """Take *entry* out; whether it was there."""
        self.refuse_after_fork()
        with self._lock:
            was_there = self._entries.get(entry.key) is entry
            if was_there:
                self._entries.pop(entry.key, None)
        if was_there:
            entry.forget()
        return was_there

    def get(self, key: Hashable) -> PresentT | None:
        """Who has that key."""
        self.refuse_after_fork()
        return self._entries.get(key)

    def entries(self) -> list[PresentT]:
        """Those of this moment."""
        self.refuse_after_fork()
        return list(self._entries.values())

    def refuse_after_fork(self) -> None:
        """Raise in a forked child: those who were there live in the parent."""
        fork.refuse_after_fork(self._generation)

    def __del__(self) -> None:
        if self._generation == fork.generation():
            for entry in self._entries.values():
                entry.forget()
