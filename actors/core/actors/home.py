"""What a long-lived actor belongs to: a pool."""

from __future__ import annotations

from typing import Any, Protocol

from ...errors import NoPool
from ..shown import shown


class Resident(Protocol):
    """An actor, as its home knows it."""

    @property
    def label(self) -> str:
        """How messages name it."""

    @property
    def thread(self) -> int:
        """The ident of the thread that has it; 0 when none does."""

    def stop(self) -> None:
        """End once what was accepted before is handled."""

    def abort(self, reason: str) -> None:
        """End now."""


class Home(Protocol):
    """A pool, as its actors know it. Threads: any."""

    name: str

    def door(self) -> Any:
        """What users know it by.

        Raises:
            PoolClosed: It was let go of.
        """

    def refuse_when_closed(self) -> None:
        """Raise when it takes no actors any more."""

    def adopt(self, cell: Resident) -> None:
        """*cell* begins.

        Raises:
            PoolClosed: It takes no actors any more.
        """

    def forget(self, cell: Resident) -> None:
        """*cell* has ended, or could not begin."""


class OfPool:
    """An attribute of an actor that its pool has: the pool itself, or what that has under the same name.

    A class or an ``__init__`` that sets one of that name for itself has its own. (So this has no ``__set__``.)
    """

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, actor: Any, kind: type | None = None) -> Any:
        if actor is None:
            return self
        cell = getattr(actor, "_cell", None)
        home: Home | None = None if cell is None else cell.home
        if home is None:
            name = shown(type(actor).__name__)
            raise NoPool(f"self.{self._name}: {name} belongs to no pool; start it with pool.start_actor({name}, ...)")
        pool = home.door()
        return pool if self._name == "pool" else getattr(pool, self._name)
