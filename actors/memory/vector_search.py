"""Finds what is similar to a query, among the fragments that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from .condition import Condition
    from .vector_index import VectorIndex

AT_FIRST = 200
"""So many of the nearest are tried first against a condition."""
AT_ONCE = 2_000
"""So many are tried together when these were not enough."""
ALL = 1 << 60
"""More vectors than there are."""


def similarities(
    connection: sqlite3.Connection,
    index: VectorIndex,
    direction: Sequence[float],
    limit: int,
    condition: Condition | None,
    also: Collection[int],
) -> dict[int, float]:
    """How similar to *direction* the nearest are that fulfil *condition*, and those of *also*, which do: from 0 to 1.

    Args:
        limit: So many of the nearest. Any other one is beaten by all of them.
    """
    if condition is None:
        return _clipped(index.nearest(direction, limit, also))
    count = max(limit, AT_FIRST)
    found = index.nearest(direction, count, also)
    near = _fitting(connection, condition, found[:count], limit)
    if len(near) < limit and len(found) >= count:
        near = _fitting(connection, condition, index.nearest(direction, ALL), limit)
    known = set(also)
    return _clipped(near + [(number, similarity) for number, similarity in found if number in known])


def _fitting(
    connection: sqlite3.Connection, condition: Condition, found: Sequence[tuple[int, float]], limit: int
) -> list[tuple[int, float]]:
    """The first ones of *found* that fulfil *condition*."""
    near: list[tuple[int, float]] = []
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        fits = condition.among(connection, [number for number, _ in some])
        near += [(number, similarity) for number, similarity in some if number in fits]
        if len(near) >= limit:
            break
    return near[:limit]


def _clipped(found: Sequence[tuple[int, float]]) -> dict[int, float]:
    return {number: min(1.0, max(0.0, similarity)) for number, similarity in found}
