"""Where public names live, as far as anybody outside can see."""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any


def publish(module: str, namespace: dict[str, Any]) -> None:
    """Let the classes and functions that *module* lists say that they live there.

    A pickle names a class by its module: files inside may move, and what was pickled before is still read. The first
    module that lists a name is its home; a later one only shows it.

    Args:
        module: A public module.
        namespace: Its names; ``__all__`` is among them. What annotations of the classes name has to be, too.
    """
    for name in namespace["__all__"]:
        thing = namespace[name]
        if isinstance(thing, type | FunctionType) and _needs_a_home(name, thing.__module__):
            thing.__module__ = module


def _needs_a_home(name: str, module: str) -> bool:
    """Is it one of ours, and listed by no public module yet?"""
    return module.startswith("actors.") and name not in getattr(sys.modules[module], "__all__", ())
