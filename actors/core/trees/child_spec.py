"""What a tree starts, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar

from ...public import publish
from ..actors.actor import Actor

FnT = TypeVar("FnT", bound=Callable[..., Any])


class Strategy(StrEnum):
    """Who is started again when one child of a tree has to be."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class ChildRestart(StrEnum):
    """After which ends a child of a tree is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


StrategyWord = Strategy | Literal["one_for_one", "one_for_all", "rest_for_one"]
RestartWord = ChildRestart | Literal["permanent", "transient", "temporary"]


def starts_a_tree(fn: FnT) -> FnT:
    """Mark a function that a :class:`ChildSpec` may name in place of a class: the child is a tree then."""
    fn.starts_a_tree = True  # type: ignore[attr-defined]
    return fn


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child of a tree (``supervise_all``).

    Args:
        cls: A subclass of :class:`Actor`; or ``supervise_all``, and the child is a tree.
        args: What it is made of, each time anew.
        kwargs: The same, by keyword.
        name: Its name in the tree; None makes one (``Worker-1``).
        restart: ``"permanent"``: it is started again whatever its end; ``"transient"``: after a crash or an abort;
            ``"temporary"``: never.
    Raises:
        TypeError, ValueError: One of them is not what it has to be.
    Source: Erlang's child specifications.
    """

    cls: type[Actor] | Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    restart: RestartWord = ChildRestart.PERMANENT

    def __post_init__(self) -> None:
        if not (isinstance(self.cls, type) and issubclass(self.cls, Actor)) and not self.is_tree:
            raise TypeError(f"a ChildSpec takes a subclass of actors.Actor, or supervise_all; got {self.cls!r}")
        args: object = self.args
        if isinstance(args, str | bytes) or not isinstance(args, Iterable):
            raise TypeError(f"args of a ChildSpec must be a tuple, got {args!r}")
        if not isinstance(self.kwargs, Mapping) or not all(isinstance(key, str) for key in self.kwargs):
            raise TypeError(f"kwargs of a ChildSpec must be a dict with names as keys, got {self.kwargs!r}")
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"name of a ChildSpec must be a str, got {self.name!r}")
        if self.name == "":
            raise ValueError("name of a ChildSpec must not be empty")
        object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "restart", word_of(ChildRestart, self.restart, "restart of a ChildSpec"))

    @property
    def is_tree(self) -> bool:
        """Is the child a tree?"""
        return getattr(self.cls, "starts_a_tree", False) is True

    @classmethod
    def tree(
        cls,
        name: str | None,
        children: Iterable[ChildSpec],
        strategy: StrategyWord = Strategy.ONE_FOR_ONE,
        *,
        max_restarts: int = 3,
        window: float = 5.0,
        restart: RestartWord = ChildRestart.PERMANENT,
    ) -> ChildSpec:
        """A tree as a child of a tree: what ``supervise_all`` takes, a name, and when it is started again.

        Args:
            children: As for ``supervise_all``.
            strategy: As for ``supervise_all``.
            max_restarts: As for ``supervise_all``.
            window: As for ``supervise_all``: seconds.
            restart: As for the class.
        """
        options = {"strategy": strategy, "max_restarts": max_restarts, "window": window}
        return cls(_a_tree, (children,), options, name, restart)


@starts_a_tree
def _a_tree(*_args: Any, **_kwargs: Any) -> None:
    """Stands in a spec for a tree."""


WordT = TypeVar("WordT", bound=StrEnum)


def word_of(words: type[WordT], word: Any, what: str) -> WordT:
    """The member of *words* that *word* is, or names.

    Raises:
        ValueError: There is none.
    """
    try:
        return words(word)
    except ValueError:
        known = ", ".join(f'"{one}"' for one in words)
        raise ValueError(f"{what} must be one of {known}; got {word!r}") from None


publish("actors.actors", ChildRestart, ChildSpec, Strategy)
