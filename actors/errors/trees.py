"""A tree of actors cannot go on."""

from __future__ import annotations

from .base import ActorsError


class RestartsUsedUp(ActorsError):
    """A tree needed more restarts than it is allowed; ``child`` is the name of the one that needed the last."""

    def __init__(self, text: str, child: str = "") -> None:
        super().__init__(text)
        self.child = child
