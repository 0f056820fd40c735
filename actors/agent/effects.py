"""What tools say of their effects."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .ledger import current_effect_key
from .terms.effect import Effect

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


def is_repeatable(tool: Tool | None) -> bool:
    """Is it no sign of a loop when the tool is called again with the same input? Its own attribute says so."""
    return getattr(tool, "repeatable", False) is True


def key_of_call(agent: Any) -> str:
    """The key of the call that *agent* is making; a fresh one where nobody tries it again."""
    parts = getattr(agent, "_parts", None)
    if parts is not None and parts.ledger is None:
        # It keeps no ledger, so what stands in the context is its parent's call, by which this agent was spawned: that
        # one's key would be the same for all that it does.
        return uuid.uuid4().hex
    return current_effect_key()


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
