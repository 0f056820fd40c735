"""What tools say of their effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ledger import Effect

if TYPE_CHECKING:
    from .ports import Tool


def effect_named(word: Any) -> Effect:
    """The effect that *word* names.

    Raises:
        ValueError: It names none.
    """
    try:
        return Effect(word)
    except ValueError:
        raise ValueError(f"effect is {' or '.join(map(repr, map(str, Effect)))}, not {word!r}") from None


def effect_of(tool: Tool) -> Effect:
    """What *tool* does to the world; without a word of it the careful one.

    Raises:
        ValueError: Its word is none.
    """
    return effect_named(getattr(tool, "effect", Effect.AT_MOST_ONCE))


def refuse_bad_effect(tool: Tool) -> None:
    """Whoever wrote *tool* is told before a call of it is in doubt.

    Raises:
        TypeError: Its ``reconcile`` cannot be called.
        ValueError: Its ``effect`` is none.
    """
    try:
        effect_of(tool)
    except ValueError as error:
        raise ValueError(f"tool {tool.name}: {error}") from None
    reconcile = getattr(tool, "reconcile", None)
    if reconcile is not None and not callable(reconcile):
        raise TypeError(f"tool {tool.name}: reconcile is a function, not {reconcile!r}")
