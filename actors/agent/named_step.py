"""A step of an agent, as it is asked for."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .effects import effect_named
from .ledger import current_effect_key, quoted_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .terms.effect import Effect, EffectWord

    Reconcile = Callable[[str, dict[str, Any]], Any]

T = TypeVar("T")

EFFECT_KEY = "effect_key"


@dataclass(frozen=True, slots=True)
class NamedStep(Generic[T]):
    """One step as it was asked for."""

    name: str
    fn: Callable[..., T]
    given: Sequence[Any]
    keywords: Mapping[str, Any]
    effect: Effect
    reconcile: Reconcile | None
    result_type: Any

    @classmethod
    def of(
        cls,
        name: str,
        fn: Callable[..., T],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        effect: Effect | EffectWord,
        reconcile: Reconcile | None,
        result_type: Any,
    ) -> NamedStep[T]:
        """Look at what was given.

        Raises:
            TypeError: *fn* or *reconcile* is no function, or the name no text.
            ValueError: The name or the effect is none.
        """
        quoted_name(name)
        if not callable(fn):
            raise TypeError(f"step {name!r} needs a function, got {type(fn).__name__}")
        if inspect.iscoroutinefunction(fn):
            raise TypeError(f"step {name!r} needs a function that is not async: its effect is over when it returns")
        if reconcile is not None and not callable(reconcile):
            raise TypeError(f"step {name!r}: reconcile is a function, not {type(reconcile).__name__}")
        return cls(name, fn, args, kwargs, effect_named(effect), reconcile, result_type)

    def call(self) -> T:
        """Do it, in its scope. A parameter ``effect_key`` that was not given is filled in, as that of a tool is."""
        if EFFECT_KEY not in self.keywords and self._wants_key():
            return self.fn(*self.given, **self.keywords, effect_key=current_effect_key())
        return self.fn(*self.given, **self.keywords)

    def _wants_key(self) -> bool:
        try:
            signature = inspect.signature(self.fn)
            wanted = signature.parameters.get(EFFECT_KEY)
            if wanted is None or wanted.kind not in (wanted.KEYWORD_ONLY, wanted.POSITIONAL_OR_KEYWORD):
                return False
            return EFFECT_KEY not in signature.bind_partial(*self.given, **self.keywords).arguments
        except (TypeError, ValueError):  # it does not tell, or does not fit: the call says so
            return False

    def input(self) -> dict[str, Any]:
        """Its arguments by name; those of a function that does not tell its names by their place, from "0"."""
        try:
            return dict(inspect.signature(self.fn).bind_partial(*self.given, **self.keywords).arguments)
        except (TypeError, ValueError):
            return {**{str(place): value for place, value in enumerate(self.given)}, **self.keywords}
