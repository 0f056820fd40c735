"""What a tool, or a step, does to the world."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from ...public import publish


class Effect(StrEnum):
    """What a tool, or a step of an agent's own, does to the world.

    ``at_most_once``: it must not be done again when nobody knows whether it was done. ``idempotent``: doing it again,
    with the same ``effect_key``, does no harm.
    """

    AT_MOST_ONCE = "at_most_once"
    IDEMPOTENT = "idempotent"


EffectWord = Literal["at_most_once", "idempotent"]

publish("actors.ports", Effect)
