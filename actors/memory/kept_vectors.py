"""The vectors of a file, kept at hand in this process."""

from __future__ import annotations

import importlib
import importlib.util
import json
from typing import TYPE_CHECKING

from ..core.checks import leaf_lock
from .direction import BYTES
from .matrix_index import MatrixIndex
from .vector_index import PlainIndex

if TYPE_CHECKING:
    import sqlite3

    from .vector_index import VectorIndex

AT_ONCE = 1_000
"""Rows that are read together."""


class KeptVectors:
    """One index for each length of vectors, loaded on first use and kept up to date by the changes in the file,
    whoever made them.

    Args:
        model: Only vectors of this model; None: all.

    Threads: any.

    Locks: ``_lock`` guards ``_indexes`` and ``_seen``, and is held while changes are read: whoever looks
    meanwhile needs them, too. Nothing is compared under it. ``_has_numpy`` is found once, by any thread.
    """

    def __init__(self, model: str | None) -> None:
        self._model = model
        self._lock = leaf_lock()
        self._indexes: dict[int, VectorIndex] = {}
        self._seen: int | None = None
        self._has_numpy: bool | None = None

    def up_to_date(self, connection: sqlite3.Connection, dimensions: int) -> VectorIndex | None:
        """The index of vectors of that length, as they stand in the file (at least: as *connection* sees it); None when
        there are none.

        Raises:
            MemoryFailed: There are too many to be compared without NumPy.
        """
        if self._has_numpy is None:  # before the lock: an import takes locks of its own
            self._has_numpy = _find_numpy()
        with self._lock:
            try:
                self._follow(connection)
            except BaseException:
                self._seen = None  # half of it was taken in: the next one loads all anew
                raise
            return self._indexes.get(dimensions)

    def _follow(self, connection: sqlite3.Connection) -> None:
        first, last = connection.execute("SELECT min(number), max(number) FROM vector_change").fetchone()
        if last is None:
            first = last = 0
        if self._seen is None or self._seen < first - 1:
            self._indexes.clear()
            self._take(connection, "", ())
        elif self._seen < last:
            changed = connection.execute("SELECT fragment FROM vector_change WHERE number > ?", (self._seen,))
            numbers = {number for (number,) in changed}
            for index in self._indexes.values():
                index.remove(numbers)
            self._take(connection, " AND fragment IN (SELECT value FROM json_each(?))", (json.dumps(list(numbers)),))
        self._seen = max(last, self._seen or 0)

    def _take(self, connection: sqlite3.Connection, which: str, values: tuple[str, ...]) -> None:
        if self._model is not None:
            which, values = f" AND model = ?{which}", (self._model, *values)
        rows = connection.execute(f"SELECT fragment, vector FROM vector WHERE 1{which}", values)  # noqa: S608
        while group := rows.fetchmany(AT_ONCE):
            by_length: dict[int, list[tuple[int, bytes]]] = {}
            for number, data in group:
                by_length.setdefault(len(data) // BYTES, []).append((number, data))
            for dimensions, vectors in by_length.items():
                self._index(dimensions).add(vectors)

    def _index(self, dimensions: int) -> VectorIndex:
        index = self._indexes.get(dimensions)
        if index is None:
            index = self._indexes[dimensions] = MatrixIndex(dimensions) if self._has_numpy else PlainIndex()
        return index


def _find_numpy() -> bool:
    if importlib.util.find_spec("numpy") is None:
        return False
    importlib.import_module("numpy")
    return True
