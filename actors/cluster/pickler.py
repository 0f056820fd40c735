"""Makes bytes of what goes to another machine: cloudpickle, but for what goes by number or stays here."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from ..errors import NotPortable
from ..extras import need
from ..tools.tool import FunctionTool
from .by_value import names_of
from .classes import named
from .misfits import Misfit, has_recipe, refuse_misfit
from .references import References, by_name, made_once, refer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..agent.assembly.finder import Named
    from .by_value import Seen
    from .shared import Shared

PROTOCOL = 5
NO_FILE = "<dynamic-code>"
"""What cloudpickle writes in place of the file that a code stands in."""
INSTEAD = {
    "budget": "an agent is charged to SpawnConfig(budget=...), and a child to that of its parent",
    "limiter": "give it to the driver that asks by it, as in OpenAIDriver(limiter=...)",
}
NO_RECIPE = (
    "{} does not say how it is made again: give its class a __reduce__ that returns a callable and its arguments, or "
    "name a factory that each node calls ('package.module:factory')"
)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a pickle goes, and what of it stays.

    Args:
        references: Gives numbers to what stays in the program; None: such things cannot go.
        once: What is made once on each host, by its ``id``, and what it is called; beside all drivers.
        name_of: How a driver or a memory is named, if it is.
        number_of: By which kind and number the program knows what stands for something of it, on a host.
        with_budgets: May budgets go by number? Only in what many agents have in common.
        to_maker: It goes from a host to the program, whose classes came from there.
        seen: Is told of all that goes by value.
        shared: Takes what cannot be pickled, where the host is in this process.
    """

    references: References | None = None
    once: Mapping[int, str] = field(default_factory=dict)
    name_of: Callable[[object], Named | None] | None = None
    number_of: Callable[[object], tuple[str, int] | None] | None = None
    with_budgets: bool = False
    to_maker: bool = False
    seen: Seen | None = None
    shared: Shared | None = None


def dump(value: Any, way: Way) -> bytes:
    """*value* as bytes.

    Raises:
        Misfit: Something in it stays here.
        Exception: Whatever a class raises when it is pickled.
        ImportError: cloudpickle is not installed.
    """
    with io.BytesIO() as file:
        _pickler_class()(file, way).dump(value)
        return file.getvalue()


@cache
def _numbered() -> Mapping[type[Any], str]:
    """Classes whose objects stay in the program, and what these are called."""
    from ..agent.budget import Budget
    from ..drivers.limiter import RateLimiter

    return {Budget: "budget", RateLimiter: "limiter"}


@cache
def _pickler_class() -> Any:
    from ..drivers.base import Driver

    base: Any = need("cloudpickle", "ray", "what goes to another machine").Pickler
    numbered = _numbered()

    class Pickler(base):  # type: ignore[misc]  # known when it is asked for
        """Threads: one."""

        def __init__(self, file: io.BytesIO, way: Way) -> None:
            super().__init__(file, protocol=PROTOCOL)
            self._way = way

        def reducer_override(self, obj: Any) -> Any:
            """How *obj*, which is none of the plain values, goes."""
            kind = type(obj)
            if kind is FunctionType or issubclass(kind, type):
                return self._by_name_or_value(obj)
            if kind is CodeType:
                return _code(self.dispatch_table[kind](obj), obj)
            way = self._way
            if way.number_of is not None and (known := way.number_of(obj)) is not None:
                return refer, known
            for each in kind.__mro__:
                if each in numbered:
                    return self._by_number(numbered[each], obj)
                if "__reduce__" in vars(each):  # a limiter of a node, which says itself what it stands for
                    break
            if way.shared is not None and (kept := way.shared.reduced(obj, _can_go)) is not None:
                return kept
            word = way.once.get(id(obj)) or ("driver" if isinstance(obj, Driver) else None)
            if word is not None:
                return self._made_once(word, obj)
            for name in ("stdout", "stderr"):
                if obj is getattr(sys, name):  # each process has its own
                    return getattr, (sys, name)
            if isinstance(obj, FunctionTool):
                return _tool(obj)
            refuse_misfit(obj)
            return NotImplemented

        def _by_name_or_value(self, obj: Any) -> Any:
            reduced, way = super().reducer_override(obj), self._way
            if not isinstance(reduced, tuple) or len(reduced) < 6:  # by its name, or one of the builtin ones
                return reduced
            if way.shared is not None:
                return way.shared.whole(obj)
            if isinstance(obj, type):
                if way.seen is not None:
                    way.seen.add_class(obj)
                return named(obj, reduced, to_maker=way.to_maker)
            if way.seen is not None:
                way.seen.add_function(obj, names_of(reduced))
            return reduced

        def _by_number(self, word: str, obj: Any) -> Any:
            references = self._way.references
            if references is None or (word == "budget" and not self._way.with_budgets):
                raise Misfit(f"a {word} belongs to the program: {INSTEAD[word]}")
            return refer, (word, references.number(word, obj))

        def _made_once(self, word: str, obj: Any) -> Any:
            way = self._way
            try:
                reduced = _recipe(obj)
            except (Misfit, NotPortable):
                name = None if way.name_of is None else way.name_of(obj)
                if name is None and way.shared is not None:
                    return way.shared.whole(obj)
                if name is None:
                    raise
                reduced = by_name, (name,)
            if way.references is None:
                return reduced
            return made_once, (word, way.references.number(word, obj), *reduced)

    return Pickler


def _tool(tool: FunctionTool[..., Any]) -> str | tuple[Any, ...]:
    """How *tool* goes; if it goes whole, then so it does from there to a process that is its own."""
    reduced = tool.__reduce_ex__(PROTOCOL)
    if isinstance(reduced, str):
        return reduced
    make, args, state, *more = reduced
    return make, args, {**state, "_dump": dump_alone}, *more


def dump_alone(value: object) -> bytes:
    """*value* as bytes, for a process in which nothing stands for anything."""
    return dump(value, Way())


def _code(reduced: tuple[Any, ...], code: CodeType) -> tuple[Any, ...]:
    """How cloudpickle *reduced* a code, with the name of its file: tracebacks show it."""
    make, args = reduced
    return make, tuple(code.co_filename if each == NO_FILE else each for each in args)


def _recipe(obj: Any) -> tuple[Any, ...]:
    """What makes another *obj*, with which arguments, and what it has then.

    Raises:
        Misfit, NotPortable: Nobody says it.
    """
    refuse_misfit(obj)
    kind = type(obj)
    reduced = obj.__reduce_ex__(PROTOCOL) if has_recipe(kind) else None
    if not isinstance(reduced, tuple) or any(each is not None for each in reduced[3:]):
        raise Misfit(NO_RECIPE.format(f"a {kind.__qualname__}"))
    return reduced[:3]


def _can_go(obj: Any) -> bool:
    try:
        dump(obj, Way(References()))
    except Exception:  # noqa: BLE001 - whatever its class does: it cannot
        return False
    return True
