"""Finds the vectors that are nearest to one: the seam, and the one without a package."""

from __future__ import annotations

import heapq
from operator import mul
from typing import TYPE_CHECKING, Protocol

from ..errors import MemoryFailed
from ..extras import how_to_install
from .direction import unpacked

if TYPE_CHECKING:
    from array import array
    from collections.abc import Collection, Iterable, Sequence

MOST_PLAIN = 5_000
"""Vectors that are compared without NumPy."""


class VectorIndex(Protocol):
    """Vectors of one length, by number. Threads: one at a time adds and removes, while any number look."""

    def add(self, vectors: Iterable[tuple[int, bytes]]) -> None:
        """Take vectors (float32, of length 1), in place of those that have their numbers."""

    def remove(self, numbers: Iterable[int]) -> None:
        """Let go of the vectors of *numbers*; one that is not known is no error."""

    def nearest(self, direction: Sequence[float], limit: int, also: Collection[int] = ()) -> list[tuple[int, float]]:
        """The numbers of the nearest vectors, each with its similarity (the cosine), the best first; then those of
        *also* that are not among them, in any order.

        Args:
            direction: Of length 1.
            limit: So many of the nearest.
            also: Of these the similarity is told in any case; one that has no vector is left out.
        """


class PlainIndex:
    """A :class:`VectorIndex` in plain Python, for so many vectors as that can compare.

    Raises:
        MemoryFailed: When there are more.
    """

    def __init__(self) -> None:
        self._vectors: dict[int, array[float]] = {}

    def add(self, vectors: Iterable[tuple[int, bytes]]) -> None:
        """As the protocol says."""
        for number, data in vectors:
            if len(self._vectors) >= MOST_PLAIN and number not in self._vectors:
                raise MemoryFailed(
                    f"more than {MOST_PLAIN:,} vectors are compared with the package 'numpy', which is not installed; "
                    f"install it with: {how_to_install('vectors')}"
                )
            self._vectors[number] = unpacked(data)

    def remove(self, numbers: Iterable[int]) -> None:
        """As the protocol says."""
        for number in numbers:
            self._vectors.pop(number, None)

    def nearest(self, direction: Sequence[float], limit: int, also: Collection[int] = ()) -> list[tuple[int, float]]:
        """As the protocol says."""
        vectors = list(self._vectors.items())
        similar = {number: sum(map(mul, vector, direction)) for number, vector in vectors}
        near = heapq.nlargest(limit, similar.items(), key=lambda item: (item[1], item[0]))
        told = {number for number, _ in near}
        return near + [(number, similar[number]) for number in also if number in similar and number not in told]
