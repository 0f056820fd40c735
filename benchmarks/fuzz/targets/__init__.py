"""What is fuzzed, found by name: each module with a ``TARGET``, but for those that begin with an underscore."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ..target import Target

NAMES = tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")))


def find(name: str) -> Target:
    """The target of that name, imported only now: each may need packages of its own.

    Raises:
        KeyError: There is none.
        ImportError: A package that it needs is not installed.
    """
    if name not in NAMES:
        raise KeyError(name)
    return cast("Target", import_module(f"{__name__}.{name}").TARGET)
