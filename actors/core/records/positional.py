"""Records that take their first fields by position."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, TypeVar

InitT = TypeVar("InitT", bound=Callable[..., None])


def positional(*names: str) -> Callable[[InitT], InitT]:
    """Mark an ``__init__(self, *args, **fields)`` of a pydantic record that takes *names* by position, too.

    pydantic reads the mark when somebody asks for the signature, as ``help`` and a notebook do.
    """
    first = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    signature = Signature(
        [Parameter("self", Parameter.POSITIONAL_ONLY), *first, Parameter("fields", Parameter.VAR_KEYWORD)]
    )

    def mark(init: InitT) -> InitT:
        marked: Any = init
        marked.__signature__ = signature
        return init

    return mark


def put(args: tuple[Any, ...], fields: dict[str, Any], names: tuple[str, ...], record: str) -> None:
    """Put what came by position among *fields*, under its name.

    Raises:
        TypeError: There are more than *names*, or one came by name, too.
    """
    if len(args) > len(names):
        told = f"{', '.join(names[:-1])} and {names[-1]}"
        raise TypeError(f"{record} takes {told}, got {len(args)} positional values; name the others")
    for name, value in zip(names, args, strict=False):
        if name in fields:
            raise TypeError(f"{record} got {name} twice: by position and by name")
        fields[name] = value
