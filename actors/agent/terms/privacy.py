"""Where data may go."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class PrivacyTier(StrEnum):
    """Where data may go, from the strictest to the most permissive."""

    SOVEREIGN = "sovereign"
    PRIVATE = "private"
    STANDARD = "standard"

    @property
    def rank(self) -> int:
        """0 for the strictest."""
        return _RANKS[self]


_RANKS = {tier: rank for rank, tier in enumerate(PrivacyTier)}


PrivacyWord = Literal["sovereign", "private", "standard"]
