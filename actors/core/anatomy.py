"""What an exception consists of, below whatever its class has put above it: taken apart and put together without
running a line of the user's.
"""

from __future__ import annotations

import builtins
from functools import lru_cache
from types import GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILTIN = frozenset(
    cls for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, BaseException)
)  # fmt: skip
"""Python's own classes of exceptions: the memory of every other is that of one of them, and more."""

_UNTOLD = (
    vars(AttributeError)["obj"],  # whose attribute was missing: mostly the agent, which must not live so long
    vars(BaseExceptionGroup)["message"],  # of a group's args
    vars(BaseExceptionGroup)["exceptions"],
)

dict_of = vars(BaseException)["__dict__"].__get__
args_of, set_args = vars(BaseException)["args"].__get__, vars(BaseException)["args"].__set__
cause_of, set_cause = vars(BaseException)["__cause__"].__get__, vars(BaseException)["__cause__"].__set__
context_of, set_context = vars(BaseException)["__context__"].__get__, vars(BaseException)["__context__"].__set__
is_context_hidden = vars(BaseException)["__suppress_context__"].__get__
hide_context = vars(BaseException)["__suppress_context__"].__set__
traceback_of, set_traceback = vars(BaseException)["__traceback__"].__get__, vars(BaseException)["__traceback__"].__set__
message_of = vars(BaseExceptionGroup)["message"].__get__
members_of = vars(BaseExceptionGroup)["exceptions"].__get__

Field = MemberDescriptorType | GetSetDescriptorType


def shell(kind: type[BaseException], *args: Any) -> Any:
    """An empty exception of *kind*: neither its ``__new__`` nor its ``__init__`` runs.

    Args:
        args: Only for groups, which cannot be without.
    Raises:
        TypeError: *kind* keeps what only its own code can make.
    """
    return _base_of(kind).__new__(kind, *args)


@lru_cache(maxsize=256)
def fields_of(kind: type) -> tuple[Field, ...] | None:
    """What *kind* has beside its dict: ``__slots__``, and what Python's own classes have in C, as ``OSError.errno``.

    Returns:
        None for what only its own code can make: a class of another language may keep its values where nobody looks.
    """
    try:
        shell(kind, *(("", [Exception()]) if issubclass(kind, BaseExceptionGroup) else ()))
    except TypeError:
        return None
    return tuple(field for cls in _mro(kind) for field in _own_fields(cls))


def _own_fields(cls: type) -> Iterator[Field]:
    for name, value in type.__getattribute__(cls, "__dict__").items():
        is_field = type(value) in (MemberDescriptorType, GetSetDescriptorType)
        if is_field and value.__objclass__ in (BaseException, object):  # those have names here, wherever they stand
            continue
        if is_field and name not in ("__dict__", "__weakref__") and not any(value is untold for untold in _UNTOLD):
            yield value


def _base_of(kind: type) -> Any:
    """Which of Python's own classes *kind* has its memory from."""
    while kind not in BUILTIN:
        kind = type.__dict__["__base__"].__get__(kind)
    return kind


def _mro(kind: type) -> tuple[type, ...]:
    return type.__dict__["__mro__"].__get__(kind)  # type: ignore[no-any-return] # not as a metaclass has it
