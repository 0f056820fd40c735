"""Takes an exception apart, so that what is kept of it has no frames."""

from __future__ import annotations

import copy
from types import FrameType, MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from . import anatomy
from .origin import Items, Origin
from .places import spots_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LINKS = 8
"""So many exceptions of a chain of causes are kept: enough to read."""
MOST_EXCEPTIONS = 256
MOST_ITEMS = 1000
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Keeper:
    """Takes exceptions apart, each once. For one thread, and one exception with all that hangs on it.

    Args:
        words_of: What is printed of an exception: the name of its class, and its text.
    """

    __slots__ = ("_kept", "_words_of")

    def __init__(self, words_of: Callable[[BaseException], tuple[str, str]]) -> None:
        self._words_of = words_of
        self._kept: dict[int, Origin | None] = {}

    def keep(self, error: BaseException, links: int = LINKS) -> Origin | None:
        """What is kept of *error*; None where it is met again below itself, or too far down."""
        kept, key = self._kept, id(error)
        if key in kept:
            return kept[key]
        if links <= 0 or len(kept) >= MOST_EXCEPTIONS:
            return None
        kept[key] = None
        kept[key] = origin = self._taken_apart(error, links - 1)
        return origin

    def _taken_apart(self, error: BaseException, links: int) -> Origin:
        kind: type = type(error)
        hides_context = anatomy.is_context_hidden(error)
        cause = anatomy.cause_of(error)
        earlier = anatomy.context_of(error) if cause is None and not hides_context else cause
        state = anatomy.dict_of(error)
        fields = _fields_of(kind)
        return Origin(
            kind,
            self._words_of(error),
            spots_of(anatomy.traceback_of(error)),
            None if earlier is None else self.keep(earlier, links),
            is_caused=cause is not None,
            hides_context=hides_context,
            values=() if fields is None else self._args(kind, error, links),
            state={name: self._bare(value, links) for name, value in state.items()} if state else NOTHING,
            fields=None if fields is None else self._fields(fields, error, links),
            twin=_copied(error) if fields is None else None,
        )

    def _args(self, kind: type, error: BaseException, links: int) -> tuple[Any, ...]:
        if issubclass(kind, BaseExceptionGroup):
            return anatomy.message_of(error), [self.keep(member, links) for member in anatomy.members_of(error)]
        args: tuple[Any, ...] = anatomy.args_of(error)
        if len(args) == 1 and type(args[0]) is str:  # nearly all
            return args
        return tuple([self._bare(value, links) for value in args])

    def _fields(
        self, fields: tuple[anatomy.Field, ...], error: BaseException, links: int
    ) -> tuple[tuple[anatomy.Field, Any], ...]:
        found = []
        for field in fields:
            try:
                value = field.__get__(error)
            except AttributeError:  # it was never set
                continue
            if value is not None or field.__objclass__ not in anatomy.BUILTIN:  # in C None may mean that it is not set
                found.append((field, self._bare(value, links)))
        return tuple(found)

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


def _fields_of(kind: type) -> tuple[anatomy.Field, ...] | None:
    try:
        return anatomy.fields_of(kind)
    except BaseException:  # noqa: BLE001 - a metaclass may do anything when its class is looked up
        return None


def _copied(error: BaseException) -> BaseException | None:
    try:
        twin = copy.copy(error)
    except BaseException:  # noqa: BLE001 - another stands in for it
        return None
    if twin is error or type(twin) is not type(error):
        return None
    anatomy.set_cause(twin, None)
    anatomy.set_context(twin, None)
    anatomy.set_traceback(twin, None)
    return twin
