"""Who is told of what an agent does."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Heard(IntEnum):
    """Who is told of an agent's events. It only rises."""

    NOT_HEARD = 0
    BY_SINK = 1
    """The pool's sink alone."""
    KEPT = 2
    """They are kept in its log, too, for whoever reads."""


NOT_HEARD: Final = Heard.NOT_HEARD
KEPT: Final = Heard.KEPT
"""By names of the module: before 3.12 a member of an enum is looked up slowly."""
