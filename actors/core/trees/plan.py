"""What a tree will be, checked before anything of it is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..actors.children import check_stop_timeout
from .child_spec import ChildRestart, ChildSpec, Strategy, StrategyWord, word_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..actors.actor import Actor


@dataclass(frozen=True, slots=True)
class PlannedChild:
    """One child of a tree, with its name. ``tree`` is its own plan, when it is a tree."""

    name: str
    restart: ChildRestart
    cls: type[Actor] | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    tree: Plan | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A tree."""

    children: tuple[PlannedChild, ...]
    strategy: Strategy
    max_restarts: int
    window: float


class _Level:
    """One tree of a tree while it is checked; ``given`` is what its children were given as."""

    def __init__(
        self,
        children: Iterable[ChildSpec],
        strategy: StrategyWord = Strategy.ONE_FOR_ONE,
        *,
        max_restarts: int = 3,
        window: float = 5.0,
    ) -> None:
        self.given = children
        self._strategy = word_of(Strategy, strategy, "strategy of a tree")
        if isinstance(max_restarts, bool) or not isinstance(max_restarts, int):
            raise TypeError(f"max_restarts of a tree must be a whole number, got {max_restarts!r}")
        if max_restarts < 0:
            raise ValueError(f"max_restarts of a tree must be at least 0, got {max_restarts}")
        if isinstance(window, bool) or not isinstance(window, int | float):
            raise TypeError(f"window of a tree must be seconds, got {window!r}")
        if not window > 0:
            raise ValueError(f"window of a tree must be above 0 seconds, got {window!r}")
        self._max_restarts, self._window = max_restarts, window
        self._specs = _specs_of(children)
        self._planned: list[PlannedChild] = []

    def rest(self) -> Iterator[tuple[str, ChildSpec]]:
        """The children with their names.

        Raises:
            ValueError: Two have one name.
        """
        taken = {spec.name for spec in self._specs}
        twice = [name for name, count in Counter(spec.name for spec in self._specs).items() if name and count > 1]
        if twice:
            raise ValueError(f"two children of a tree are named {twice[0]!r}: give each a name of its own")
        counts: Counter[str] = Counter()
        for spec in self._specs:
            yield spec.name or _made_name(spec, counts, taken), spec

    def add(self, name: str, spec: ChildSpec, tree: Plan | None) -> None:
        """That child is as it should be."""
        cls = spec.cls if isinstance(spec.cls, type) else None
        if cls is not None:
            check_stop_timeout(cls)
        restart = ChildRestart(spec.restart)
        self._planned.append(PlannedChild(name, restart, cls, spec.args, dict(spec.kwargs), tree))

    def plan(self) -> Plan:
        """All of them are."""
        return Plan(tuple(self._planned), self._strategy, self._max_restarts, self._window)


def planned(*args: Any, **kwargs: Any) -> Plan:
    """The plan of a tree that was given so, and of all trees in it.

    Raises:
        ValueError, TypeError: A tree holds itself or nothing, or a word, a number or a name is wrong.
    """
    level = _Level(*args, **kwargs)
    way: list[tuple[_Level, Iterator[tuple[str, ChildSpec]], str, ChildSpec | None]] = [
        (level, level.rest(), "", None)
    ]  # a list, and no recursion: trees may be deep
    while True:
        level, rest, name, spec = way[-1]
        following = next(rest, None)
        if following is not None and following[1].is_tree:
            inner = _level_of(*following)
            if any(outer.given is inner.given for outer, *_ in way):
                raise ValueError(f"the tree {following[0]!r} holds itself: a child cannot be what it is part of")
            way.append((inner, inner.rest(), *following))
        elif following is not None:
            level.add(*following, None)
        else:
            way.pop()
            if spec is None:
                return level.plan()
            way[-1][0].add(name, spec, level.plan())


def _level_of(name: str, spec: ChildSpec) -> _Level:
    try:
        signature(_Level).bind(*spec.args, **spec.kwargs)
    except TypeError as error:
        raise TypeError(f"the tree {name!r} needs what supervise_all takes: {error}") from None
    return _Level(*spec.args, **spec.kwargs)


def _specs_of(children: Any) -> tuple[ChildSpec, ...]:
    if isinstance(children, ChildSpec) or not isinstance(children, Iterable):
        raise TypeError(f"a tree takes a list of ChildSpec, got {children!r}")
    specs = tuple(children)
    if not specs:
        raise ValueError("a tree needs at least one ChildSpec")
    for spec in specs:
        if not isinstance(spec, ChildSpec):
            raise TypeError(f"a tree takes a list of ChildSpec, and this one holds {spec!r}")
    return specs


def _made_name(spec: ChildSpec, counts: Counter[str], taken: set[str | None]) -> str:
    kind = spec.cls.__name__ if isinstance(spec.cls, type) else "tree"
    while True:
        counts[kind] += 1
        name = f"{kind}-{counts[kind]}"
        if name not in taken:
            return name
