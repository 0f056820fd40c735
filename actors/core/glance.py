"""How a value looks at a glance: on one line, however large it is and whatever its own repr does."""

from __future__ import annotations

import reprlib
from typing import Any

from .crash import raise_ctrl_c
from .shown import one_line, shown

MOST = 80


def glance(value: object, most: int = MOST) -> str:
    """The ``repr`` of *value* on one line, of about *most* characters at most; of a class with ``_glance_`` that of
    what it says of itself.

    Never raises, but for a Ctrl-C.
    """
    said = _said(value)
    return f"'{shown(said, most - 2)}'" if isinstance(said, str) else one_line(_short_repr(said, most), most)


def plain(value: object, most: int = MOST) -> str:
    """As :func:`glance`, but a text without its quotes, and of None nothing."""
    said = _said(value)
    return "" if said is None else shown(said, most) if isinstance(said, str) else glance(said, most)


def _said(value: object) -> object:
    look = type.__getattribute__(type(value), "__dict__").get("_glance_")
    said = value if look is None else look(value)
    return str.__str__(said) if isinstance(said, str) else said  # not a subclass, which may do anything


def _short_repr(value: object, most: int) -> str:
    try:
        return _Short(most).repr(value)
    except BaseException as broken:  # noqa: BLE001 - a repr may do anything
        raise_ctrl_c(broken)
        name = type.__getattribute__(type(value), "__qualname__")
        return f"<{name}, whose repr raised {type(broken).__name__}>"


class Words(str):
    """A text whose ``repr`` is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str.__str__(self)


class _Short(reprlib.Repr):
    """Takes only the beginning of what is large, and not the whole before it is cut."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = most + 2

    def repr1(self, x: Any, level: int) -> str:
        # By the type itself, not by its name, which a class of a user's may share.
        known = type(x) in (str, int, list, tuple, dict, set, frozenset)
        return super().repr1(x, level) if known else self.repr_instance(x, level)
