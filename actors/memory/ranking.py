"""Ranks the fragments of a file for a query: by words, by vectors, by both."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .vector_search import similarities
from .word_search import WordSearch

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .condition import Condition
    from .vector_index import VectorIndex
    from .weighted_words import WeightedWords

CLOSE = 60
"""So many behind the best are looked at closely: their places are known by about only."""
ALIKE = 1e-12
"""Scores that differ by less are equal."""


def ranked(
    connection: sqlite3.Connection,
    wanted: WeightedWords,
    index: VectorIndex | None,
    direction: Sequence[float] | None,
    condition: Condition | None,
    limit: int,
) -> list[tuple[int, float]]:
    """The numbers of the best, with their scores; of equal ones the newest.

    Args:
        wanted: Words to look for.
        index: Vectors as long as *direction*; None when there are none.
        direction: Of the query; None: words alone decide.
        condition: Which fragments count; None: all.
        limit: At most so many.
    """
    scores = WordSearch(connection, wanted, condition).scores(limit)
    similar: dict[int, float] = {}
    if index is not None and direction is not None:
        similar = similarities(connection, index, direction, limit, condition, scores)
    combined = _mean if direction is not None and wanted.ceiling else _either
    close = dict(best_of(combined(scores, similar), limit + CLOSE))
    exact = wanted.scores(list(close))
    scores = {number: exact.get(number, scores.get(number, 0.0)) for number in close}
    similar = {number: similar[number] for number in close if number in similar}
    return best_of(combined(scores, similar), limit)


def _mean(scores: dict[int, float], similar: dict[int, float]) -> dict[int, float]:
    """Of the score by words and the similarity."""
    return {
        number: (scores.get(number, 0.0) + similar.get(number, 0.0)) / 2.0 for number in scores.keys() | similar.keys()
    }


def _either(scores: dict[int, float], similar: dict[int, float]) -> dict[int, float]:
    """One of them: a query without words has similarities alone, one without a direction has scores by words."""
    return similar or scores


def best_of(scores: dict[int, float], limit: int) -> list[tuple[int, float]]:
    """The best, of equal ones the newest, without those that have nothing. What sums differ by in their last digits is
    no difference.
    """
    bar = heapq.nlargest(limit, scores.values())[-1] - ALIKE if limit < len(scores) else 0.0
    found = [(number, min(1.0, score)) for number, score in scores.items() if score >= bar and score > 0.0]
    found.sort(key=lambda item: (-round(item[1] / ALIKE), -item[0]))
    return found[:limit]
