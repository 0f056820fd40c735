"""The words of a query, and what each of them tells: the fewer fragments have it, the more."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from .stored_text import restored
from .word_index import CEILING, LENGTH_WEIGHT, SATURATION, words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .frequent_words import FrequentWords

LONGEST_WORD = 8_000
"""Signs of one word that count. FTS5 cuts at 32 KB."""
MOST_READ = 50_000
"""Words of fragments that are read to score these."""


def words_of(text: str) -> list[str]:
    """The words of *text*, in order, with repetitions, as long as they may be."""
    return [word[:LONGEST_WORD] for word in words(text)]


def query_words(query: str) -> list[str]:
    """The words to look for, each once."""
    return list(dict.fromkeys(words_of(query)))


class WeightedWords:
    """The words of one query in one state of the file, with the weights that ``WordIndex`` gives to them.

    Args:
        wanted: The words, each once.
        frequent: What earlier queries have counted.
    """

    def __init__(self, connection: sqlite3.Connection, wanted: Sequence[str], frequent: FrequentWords) -> None:
        self._connection = connection
        self._frequent = frequent
        self.total, self._length = connection.execute("SELECT fragments, words FROM size").fetchone()
        counts = {word: self._count(word) for word in wanted} if self.total else {}
        self._weights = {word: self._weight(count) for word, count in counts.items()}
        self.having = {word: counts[word] for word in sorted(counts, key=counts.__getitem__) if counts[word]}
        """In how many fragments each word stands, the rarest first; without those that stand in none."""
        self.ceiling = self.weight_of(wanted) * CEILING if counts else 0.0
        """The most that a fragment can get."""

    def _count(self, word: str) -> int:
        known = self._frequent.get(word, self.total)
        if known is not None:
            return known
        row = self._connection.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
        count = 0 if row is None else int(row[0])
        self._frequent.note(word, count, self.total)
        return count

    def _weight(self, having: int) -> float:
        return math.log(1.0 + max(0.0, self.total - having + 0.5) / (having + 0.5))

    def weight_of(self, some: Sequence[str]) -> float:
        """What *some* of the words weigh together."""
        return sum(self._weights[word] for word in some)

    def scores(self, numbers: Sequence[int]) -> dict[int, float]:
        """The share of the query's weight that each of these fragments carries: the score that a memory in a process
        gives. They are read for that; those that would be too much to read are left out.

        Args:
            numbers: The most important first.
        """
        if not self.having:
            return {}
        lengths = self._lengths(numbers)
        left = MOST_READ
        read = []
        for number in numbers:
            length = lengths.get(number, 0)
            if length <= left:
                left -= length
                read.append(number)
        rows = self._connection.execute(
            "SELECT number, content FROM fragment WHERE number IN (SELECT value FROM json_each(?))", (json.dumps(read),)
        )
        mean = self._length / self.total
        return {number: self._score(words_of(restored(content)), mean) for number, content in rows}

    def _lengths(self, numbers: Sequence[int]) -> dict[int, int]:
        """How many words each has."""
        return dict(
            self._connection.execute(
                "SELECT fragment, words FROM length WHERE fragment IN (SELECT value FROM json_each(?))",
                (json.dumps(numbers),),
            )
        )

    def _score(self, found: list[str], mean: float) -> float:
        counts: dict[str, int] = {}
        for word in found:
            if word in self._weights:
                counts[word] = counts.get(word, 0) + 1
        penalty = SATURATION * (1.0 - LENGTH_WEIGHT + LENGTH_WEIGHT * len(found) / mean)
        gains = (self._weights[word] * CEILING * count / (count + penalty) for word, count in counts.items())
        return min(1.0, sum(gains) / self.ceiling)
