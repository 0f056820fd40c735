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
    """

    rows: Any
    numbers: Any
    places: dict[int, int]


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
        self._used = 0
        self._matrix = self._empty(ROOM)

    def _empty(self, rows: int) -> _Matrix:
        numpy = self._numpy
        return _Matrix(numpy.empty((rows, self._dimensions), "<f4"), numpy.full(rows, GONE, "int64"), {})

    def add(self, vectors: Iterable[tuple[int, bytes]]) -> None:
        """As the protocol says."""
        for number, data in vectors:
            if self._used == len(self._matrix.numbers):
                self._grow()
            matrix, row = self._matrix, self._used
            matrix.rows[row] = self._numpy.frombuffer(data, "<f4")
            before = matrix.places.get(number)
            if before is not None:
                matrix.numbers[before] = GONE
            matrix.numbers[row] = number
            matrix.places[number] = row
            self._used = row + 1

    def _grow(self) -> None:
        """Into a matrix of its own: whoever looks into the old one meanwhile finds it as it was."""
        old = self._matrix
        alive = self._numpy.flatnonzero(old.numbers != GONE)
        new = self._empty(max(ROOM, 2 * len(alive)))
        new.rows[: len(alive)] = old.rows[alive]
        new.numbers[: len(alive)] = old.numbers[alive]
        new.places.update(zip(new.numbers[: len(alive)].tolist(), range(len(alive)), strict=True))
        self._matrix, self._used = new, len(alive)

    def remove(self, numbers: Iterable[int]) -> None:
        """As the protocol says."""
        matrix = self._matrix
        for number in numbers:
            row = matrix.places.pop(number, None)
            if row is not None:
                matrix.numbers[row] = GONE

    def nearest(
        self, direction: Sequence[float], limit: int, among: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """As the protocol says."""
        numpy, matrix, used = self._numpy, self._matrix, self._used
        towards = numpy.asarray(direction, "<f4")
        if among is None:
            numbers = matrix.numbers[:used]
            similar = matrix.rows[:used] @ towards
        else:
            places = [row for row in map(matrix.places.get, among) if row is not None]
            numbers = matrix.numbers[places]
            similar = matrix.rows[places] @ towards
        alive = numbers != GONE
        if not alive.all():
            numbers, similar = numbers[alive], similar[alive]
        if limit < len(similar):
            top = numpy.argpartition(similar, len(similar) - limit)[len(similar) - limit :]
            numbers, similar = numbers[top], similar[top]
        order = numpy.lexsort((-numbers, -similar))
        return list(zip(numbers[order].tolist(), similar[order].tolist(), strict=True))
