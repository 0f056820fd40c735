"""Where public names are found, and where what is pickled lives, as far as anybody outside can see."""

from __future__ import annotations

import sys
from dataclasses import is_dataclass
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHERE = "_where"


def publish(group: str, *classes: type) -> None:
    """Let records, enumerations and errors say that they live in *group*.

    A pickle names a class by its module: from now on files inside may move, and what was pickled before is still read.
    Other classes say where their source is: ``inspect`` and whoever shows source looks there.

    Args:
        group: A public module. Whoever resolves annotations looks there from now on, so what the classes' own module
            knows, of what *group* names, is there at once.
    """
    names = vars(import_module(group))
    where = names.get(_WHERE, ())
    for cls in classes:
        own = vars(sys.modules[cls.__module__])
        names.update((name, own[name]) for name in where if name in own)
        cls.__module__ = group


def publish_listed(group: str, namespace: Mapping[str, Any]) -> None:
    """The same for all that *group* lists, where it imports all of it at once.

    Args:
        group: A public module. The first that lists a name is its home; a later one only shows it.
        namespace: Its names; ``__all__`` is among them.
    """
    for name in namespace["__all__"]:
        thing = namespace[name]
        if isinstance(thing, type) and _is_pickled(thing) and _needs_a_home(name, thing.__module__):
            thing.__module__ = group


def _is_pickled(cls: type) -> bool:
    return is_dataclass(cls) or issubclass(cls, BaseModel | Enum | BaseException | dict)


def _needs_a_home(name: str, module: str) -> bool:
    """Is it one of ours, and listed by no public module yet?"""
    return module.startswith("actors.") and name not in getattr(sys.modules[module], "__all__", ())


def shelve(group: str, where: Mapping[str, str]) -> None:
    """Have a module import each of its names when somebody first asks for it; who imports the module waits for none.

    Args:
        group: Its name.
        where: By module, as ``import_module`` takes it from here (``.agent.agent``): the names that come from there.
    """
    module = sys.modules[group]
    vars(module)[_WHERE] = {name: home for home, names in where.items() for name in names.split()}
    module.__class__ = _Shelf


class _Shelf(ModuleType):
    """A module whose names are imported when they are asked for.

    Locks: none of its own; an import has one, and whoever is second finds what the first has put there.
    """

    def __getattr__(self, name: str) -> Any:
        """A name that is not here yet."""
        names = vars(self)
        home = names[_WHERE].get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        thing = names[name] = getattr(import_module(home, __package__), name)
        return thing

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *vars(self)[_WHERE]})
