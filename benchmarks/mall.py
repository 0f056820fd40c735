"""Where chameneos meet, whatever library its actors are made with."""

from __future__ import annotations

from typing import Any

COLOURS = 3
"""So many there are; they are numbers."""


class Mall:
    """Brings two together at a time, until there were enough meetings. ``post(to, message)`` sends."""

    def __init__(self, meetings: int, post: Any) -> None:
        self.left = meetings
        self.post = post
        self.first: tuple[Any, int] | None = None

    def came(self, who: Any, colour: int) -> None:
        """One has come, and waits for another."""
        if self.left == 0:
            self.post(who, ("closed", 0))
        elif self.first is None:
            self.first = (who, colour)
        else:
            self.left -= 1
            (other, its_colour), self.first = self.first, None
            self.post(other, ("met", colour))
            self.post(who, ("met", its_colour))


def changed(colour: int, other: int) -> int:
    """The colour of one after it met the *other*: the third one, if theirs differ."""
    return colour if colour == other else COLOURS - colour - other
