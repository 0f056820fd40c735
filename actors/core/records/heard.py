"""Who is told of what an agent does."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Heard(IntEnum):
    """Who is told of an agent's events."""

    NOT_HEARD = 0
    BY_SINK = 1
    """The pool's sinks alone, as long as there are any."""
    KEPT = 2
    """They are kept in its log, too, for whoever reads."""


NOT_HEARD: Final = Heard.NOT_HEARD
BY_SINK: Final = Heard.BY_SINK
KEPT: Final = Heard.KEPT
"""By names of the module: before 3.12 a member of an enum is looked up slowly."""
