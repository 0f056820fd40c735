"""``Deps[T]``: what a tool needs of the program, and the model does not see."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NewType, TypeAlias, TypeVar, Union

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping

T = TypeVar("T")


class _Mark:
    """Says of a parameter that it gets the agent's ``deps``."""

    def __repr__(self) -> str:
        return "Deps"


_MARK: Final = _Mark()

Deps: TypeAlias = Annotated[T, _MARK]
"""Of a tool's parameter: it gets the ``deps`` of the agent that calls the tool. To a type checker ``Deps[Database]`` is
a ``Database``; the model does not see the parameter.

Example:
    ```python
    from actors import AgentManifest, AgentPool, Deps, ScriptedDriver, SpawnConfig, tool

    @tool
    def lookup(customer: int, names: Deps[dict[int, str]]) -> str:
        "Look up a customer."
        return names[customer]

    driver = ScriptedDriver.tool_then_text("lookup", {"customer": 7}, "It is Ada.")
    with AgentPool(driver, tools=[lookup]) as pool:
        print(pool.spawn(SpawnConfig(AgentManifest(name="clerk"), "Who is 7?", deps={7: "Ada"})).result().text)
    ```

    ```text
    It is Ada.
    ```
"""


class Dependency:
    """One parameter that gets the agent's ``deps``.

    Args:
        wanted: Its type; ``Any`` takes whatever there is.
        is_optional: It has a default, which holds where there are none.
    """

    __slots__ = ("is_optional", "wanted")

    def __init__(self, wanted: Any, *, is_optional: bool) -> None:
        self.wanted = wanted
        self.is_optional = is_optional

    def problem(self, deps: object) -> str | None:
        """Why *deps* cannot be given, in words that say nothing of what they hold; None when they can."""
        if deps is None:
            fine = self.is_optional or _takes_none(self.wanted)
            return None if fine else f"needs deps of type {_shown(self.wanted)}, and the agent has none"
        if _fits(deps, self.wanted):
            return None
        return f"needs deps of type {_shown(self.wanted)}, and those of the agent are of type {type(deps).__name__}"


def dependencies_of(parameters: Mapping[str, inspect.Parameter], types_: Mapping[str, Any]) -> dict[str, Dependency]:
    """Those of *parameters* that get the deps.

    Args:
        types_: What the annotations mean, as far as they are known.
    Raises:
        TypeError: ``Deps[...]`` stands inside another type.
    """
    found = {}
    for name, annotation in types_.items():
        if is_marked(annotation):
            is_optional = parameters[name].default is not parameters[name].empty
            found[name] = Dependency(_plain(annotation), is_optional=is_optional)
        elif any(is_marked(part) for part in _parts(annotation)):
            raise TypeError(f"'{name}': Deps stands outside: write Deps[Database | None], not Deps[Database] | None")
    return found


def is_marked(annotation: Any) -> bool:
    """Is it a ``Deps[...]``?"""
    return annotation is Deps or any(extra is _MARK for extra in getattr(annotation, "__metadata__", ()))


def _plain(annotation: Any) -> Any:
    wanted = annotation.__origin__ if typing.get_origin(annotation) is Annotated else annotation
    return Any if isinstance(wanted, TypeVar) else wanted


def _parts(annotation: Any) -> list[Any]:
    """All types inside *annotation*."""
    found: list[Any] = []
    for part in typing.get_args(annotation):
        found += [part, *_parts(part)]
    return found


def _takes_none(wanted: Any) -> bool:
    """Does it say so? ``Any`` and ``object`` say nothing."""
    if typing.get_origin(wanted) in (Union, types.UnionType, Annotated):
        return any(map(_takes_none, typing.get_args(wanted)))
    return wanted is None or wanted is type(None)


def _fits(value: object, wanted: Any) -> bool:
    """Is *value* a *wanted*, as far as that can be seen from outside? A container is not looked into."""
    origin = typing.get_origin(wanted)
    if origin is Annotated:
        return _fits(value, wanted.__origin__)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in typing.get_args(wanted))
    if origin is Literal:
        return any(value is part or (type(value) is type(part) and value == part) for part in typing.get_args(wanted))
    if isinstance(wanted, NewType):
        return _fits(value, wanted.__supertype__)
    if wanted is float:
        return isinstance(value, float | int)
    kind = dict if typing.is_typeddict(wanted) else origin or wanted
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that cannot be asked, a type variable, Any
        return True


def _shown(wanted: Any) -> str:
    if isinstance(wanted, type) and typing.get_origin(wanted) is None:
        return wanted.__qualname__
    return str(wanted).removeprefix("typing.")
