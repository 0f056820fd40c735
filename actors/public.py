"""Where what is pickled lives, as far as anybody outside can see."""

from __future__ import annotations

import sys
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel


def publish(module: str, namespace: dict[str, Any]) -> None:
    """Let the records, enumerations and errors that *module* lists say that they live there.

    A pickle names a class by its module: from now on files inside may move, and what was pickled before is still read.
    Other classes say where their source is: ``inspect`` and whoever shows source looks there.

    Args:
        module: A public module. The first that lists a name is its home; a later one only shows it.
        namespace: Its names; ``__all__`` is among them. What annotations of the classes name has to be, too.
    """
    for name in namespace["__all__"]:
        thing = namespace[name]
        if isinstance(thing, type) and _is_pickled(thing) and _needs_a_home(name, thing.__module__):
            thing.__module__ = module


def _is_pickled(cls: type) -> bool:
    return is_dataclass(cls) or issubclass(cls, BaseModel | Enum | BaseException | dict)


def _needs_a_home(name: str, module: str) -> bool:
    """Is it one of ours, and listed by no public module yet?"""
    return module.startswith("actors.") and name not in getattr(sys.modules[module], "__all__", ())
