"""Vectors in one matrix, compared by NumPy (extra ``vectors``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..extras import need

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ROOM = 256
"""Rows of a first matrix."""
GONE = -1
"""The number of a row whose vector was removed."""


class _Matrix(NamedTuple):
    """Rows that never change once they are filled, so that whoever compares needs no lock.

    Args:
        rows: float32, one vector each.
        numbers: Whose they are; ``GONE`` of those that were removed.
        places: The row of each number.
        used: Rows that are filled. It comes with the rows that it counts: who looks takes both at once.
    """

    rows: Any
    numbers: Any
    places: dict[int, int]
    used: int


class MatrixIndex:
    """A ``VectorIndex`` that compares all vectors exactly.

    Args:
        dimensions: Numbers of each vector.
    Raises:
        ImportError: NumPy is not installed; the message names the command that installs it.

    Threads: one at a time adds and removes, while any number look: those see the state before or after.
    """

    def __init__(self, dimensions: int) -> None:
        self._numpy = need("numpy", "vectors", "a memory with many vectors")
        self._dimensions = dimensions
        self._matrix = self._empty(ROOM)

    def _empty(self, rows: int) -> _Matrix:
        numpy = self._numpy
        return _Matrix(numpy.empty((rows, self._dimensions), "<f4"), numpy.full(rows, GONE, "int64"), {}, 0)

    def add(self, vectors: Iterable[tuple[int, bytes]]) -> None:
        """As the protocol says."""
        new = dict(vectors)
        self.remove(new)
        matrix = self._matrix if self._matrix.used + len(new) <= len(self._matrix.numbers) else self._grown(len(new))
        used = matrix.used + len(new)
        filled = self._numpy.frombuffer(b"".join(new.values()), "<f4")
        matrix.rows[matrix.used : used] = filled.reshape(len(new), self._dimensions)
        matrix.numbers[matrix.used : used] = list(new)
        matrix.places.update(zip(new, range(matrix.used, used), strict=True))
        self._matrix = _Matrix(matrix.rows, matrix.numbers, matrix.places, used)

    def _grown(self, more: int) -> _Matrix:
        """One of its own with room for *more*: whoever looks into the old one meanwhile finds it as it was."""
        old = self._matrix
        alive = self._numpy.flatnonzero(old.numbers != GONE)
        new = self._empty(max(ROOM, 2 * len(alive), len(alive) + more))
        new.rows[: len(alive)] = old.rows[alive]
        new.numbers[: len(alive)] = old.numbers[alive]
        new.places.update(zip(new.numbers[: len(alive)].tolist(), range(len(alive)), strict=True))
        return _Matrix(new.rows, new.numbers, new.places, len(alive))

    def remove(self, numbers: Iterable[int]) -> None:
        """As the protocol says."""
        matrix = self._matrix
        for number in numbers:
            row = matrix.places.pop(number, None)
            if row is not None:
                matrix.numbers[row] = GONE

    def nearest(self, direction: Sequence[float], limit: int, also: Collection[int] = ()) -> list[tuple[int, float]]:
        """As the protocol says."""
        numpy, matrix = self._numpy, self._matrix
        numbers = matrix.numbers[: matrix.used]
        # Not @: its threads cost more than they bring, and on a busy machine each waits for the other.
        similar = numpy.einsum("ij,j->i", matrix.rows[: matrix.used], numpy.asarray(direction, "<f4"))
        places = numpy.flatnonzero(numbers != GONE)
        if limit < len(places):
            cut = len(places) - limit
            places = places[numpy.argpartition(similar[places], min(cut, len(places) - 1))[cut:]]
        places = places[numpy.lexsort((-numbers[places], -similar[places]))]
        told = set(places.tolist())
        others = {row for row in map(matrix.places.get, also) if row is not None and row < matrix.used} - told
        every = numpy.concatenate((places, numpy.fromiter(others, places.dtype, len(others))))
        return list(zip(numbers[every].tolist(), similar[every].tolist(), strict=True))
