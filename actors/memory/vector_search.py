"""Ranks by words and by vectors together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .condition import Condition
    from .vector_index import VectorIndex

FURTHER = 8
"""So many times as many are looked at when a condition has left too few."""


def with_similarity(
    scores: dict[int, float],
    near: dict[int, float],
    similar: dict[int, float],
    *,
    by_words: bool,
) -> dict[int, float]:
    """The mean of the score by words and of the similarity; the similarity alone when there are no words.

    Args:
        scores: By words.
        near: The most similar of all.
        similar: The similarity of those that have a score.
    """
    combined = {}
    for number in scores.keys() | near.keys():
        similarity = min(1.0, max(0.0, similar.get(number, near.get(number, 0.0))))
        score = (scores.get(number, 0.0) + similarity) / 2.0 if by_words else similarity
        if score > 0.0:
            combined[number] = score
    return combined


def nearest(
    connection: sqlite3.Connection,
    index: VectorIndex,
    direction: Sequence[float],
    limit: int,
    condition: Condition | None,
) -> dict[int, float]:
    """The nearest that fulfil *condition*, with their similarities. Who is not among those, and has no word of the
    query, is beaten by all of them.
    """
    if condition is None:
        return dict(index.nearest(direction, limit))
    count = limit * FURTHER
    while True:
        found = index.nearest(direction, count)
        fits = condition.among(connection, [number for number, _ in found])
        kept = [(number, similarity) for number, similarity in found if number in fits]
        if len(kept) >= limit or len(found) < count:
            return dict(kept[:limit])
        count *= FURTHER
