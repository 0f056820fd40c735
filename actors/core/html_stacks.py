"""What threads are at, in a cell of a table."""

from __future__ import annotations

from typing import Any

from .html_table import Folded
from .places import innermost, is_own, printed_places


def folded_stacks(threads: list[Any]) -> Folded | str:
    """What each does, behind the first place that is the user's own; empty where nobody has a thread."""
    if not any(thread.stack for thread in threads):
        return ""
    places = [place for thread in threads if (place := innermost(printed_places(thread.stack)))]
    first = next((place for place in places if is_own(place.file)), places[0] if places else "show")
    return Folded(str(first), "\n".join(map(str, threads)))
