"""What an actor has under a name that its author may want for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T_co = TypeVar("T_co", covariant=True)


class hideable(Generic[T_co]):  # noqa: N801 - used as ``property`` is
    """A property that is hidden by an attribute of the object: code that was written before there was one goes on.

    ``self.parent = parent`` is what many programs of actors begin with.
    """

    def __init__(self, get: Callable[[Any], T_co]) -> None:
        self._get = get
        self.__doc__ = get.__doc__

    @overload
    def __get__(self, owner: None, kind: type[Any]) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type[Any] | None = None) -> T_co: ...
    def __get__(self, owner: object | None, kind: type[Any] | None = None) -> Self | T_co:
        """What it is of *owner*."""
        return self if owner is None else self._get(owner)
