"""Takes an exception apart, so that what is kept of it has no frames."""

from __future__ import annotations

import copy
from functools import lru_cache
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from . import anatomy
from .origin import Items, Origin
from .places import spots_of

if TYPE_CHECKING:
    from collections.abc import Callable

LINKS = 8
"""So many exceptions of a chain of causes are kept: enough to read."""
MOST_EXCEPTIONS = 256
MOST_ITEMS = 1000


class Keeper:
    """Takes exceptions apart, each once. For one thread, and one exception with all that hangs on it.

    Args:
        head_of: What is printed of an exception: its class and its words.
    """

    __slots__ = ("_head_of", "_kept")

    def __init__(self, head_of: Callable[[BaseException], str]) -> None:
        self._head_of = head_of
        self._kept: dict[int, Origin | None] = {}

    def keep(self, error: BaseException, links: int = LINKS) -> Origin | None:
        """What is kept of *error*; None where it is met again below itself, or too far down."""
        if id(error) in self._kept:
            return self._kept[id(error)]
        if links <= 0 or len(self._kept) >= MOST_EXCEPTIONS:
            return None
        self._kept[id(error)] = None
        self._kept[id(error)] = origin = self._taken_apart(error, links - 1)
        return origin

    def _taken_apart(self, error: BaseException, links: int) -> Origin:
        kind: type = type(error)
        hides_context = anatomy.is_context_hidden(error)
        cause = anatomy.cause_of(error)
        earlier = anatomy.context_of(error) if cause is None and not hides_context else cause
        is_whole = _can_be_made(kind)
        return Origin(
            kind,
            self._head_of(error),
            spots_of(anatomy.traceback_of(error)),
            None if earlier is None else self.keep(earlier, links),
            is_caused=cause is not None,
            hides_context=hides_context,
            values=self._args(kind, error, links) if is_whole else (),
            state={name: self._bare(value, links) for name, value in anatomy.dict_of(error).items()},
            fields=self._fields(kind, error, links) if is_whole else [],
            twin=None if is_whole else _copied(error),
        )

    def _args(self, kind: type, error: BaseException, links: int) -> tuple[Any, ...]:
        if issubclass(kind, BaseExceptionGroup):
            return anatomy.message_of(error), [self.keep(member, links) for member in anatomy.members_of(error)]
        return tuple([self._bare(value, links) for value in anatomy.args_of(error)])

    def _fields(self, kind: type, error: BaseException, links: int) -> list[tuple[anatomy.Field, Any]]:
        fields = []
        for field in anatomy.fields_of(kind):
            try:
                value = field.__get__(error)
            except AttributeError:  # it was never set
                continue
            if value is not None or field.__objclass__ not in anatomy.BUILTIN:  # in C None may mean that it is not set
                fields.append((field, self._bare(value, links)))
        return fields

    def _bare(self, value: Any, links: int) -> Any:
        kind = type(value)  # not isinstance(), which asks the __class__ of a user's
        if kind is str or kind is int:
            return value
        if issubclass(kind, BaseException):
            return self.keep(value, links)
        if issubclass(kind, (TracebackType, FrameType)):
            return None
        if (kind is list or kind is tuple) and links > 0:
            bare = [self._bare(item, links - 1) for item in value[:MOST_ITEMS]]
            if any(one is not other for one, other in zip(bare, value, strict=False)):
                return Items(kind, bare)
        return value


@lru_cache(maxsize=256)
def _can_be_made(kind: type) -> bool:
    """Can a *kind* be put together without its own code?"""
    members = ("", [Exception()]) if issubclass(kind, BaseExceptionGroup) else ()
    try:
        return type(anatomy.shell(kind, *members)) is kind
    except Exception:  # noqa: BLE001 - a class of another language keeps its values where only that finds them
        return False


def _copied(error: BaseException) -> BaseException | None:
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - another stands in for it
        return None
    if twin is error or type(twin) is not type(error):
        return None
    anatomy.set_cause(twin, None)
    anatomy.set_context(twin, None)
    anatomy.set_traceback(twin, None)
    return twin
