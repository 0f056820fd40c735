"""How many fragments have the frequent words, once counted."""

from __future__ import annotations

FREQUENT = 1_000
"""A word that more fragments have is frequent."""
STALE = 200
"""When one in so many fragments came or went, frequent words are counted anew."""
MOST_KNOWN = 10_000
"""Frequent words whose number is kept."""


class FrequentWords:
    """How many fragments have a frequent word: to count them takes long, and it changes little.

    Threads: any. ``_known`` changes by single operations.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def get(self, word: str, total: int) -> int | None:
        """So many of *total* fragments; None where that is not known, or was when there were clearly fewer or more."""
        known = self._known.get(word)
        if known is None or abs(known[1] - total) * STALE > total:
            return None
        return min(known[0], total)

    def note(self, word: str, count: int, total: int) -> None:
        """So many of *total* have it."""
        if count > FREQUENT:
            if len(self._known) >= MOST_KNOWN:
                self._known = {}
            self._known[word] = count, total
