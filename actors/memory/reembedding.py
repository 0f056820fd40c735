"""Makes the vectors of a file that are missing, or of another model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .direction import BYTES, packed
from .embedding import Embedding
from .sqlite_memory import faults, path_of
from .stored_text import restored

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable

    from .embedder import Embedder

AT_ONCE = 64
"""Fragments of one request, and of one transaction: who is interrupted loses no more."""
_WITHOUT = """
SELECT number, id, content FROM fragment LEFT JOIN vector ON vector.fragment = fragment.number
WHERE number > ? AND (vector IS NULL OR model <> ? OR length(vector) <> ?) ORDER BY number LIMIT ?
"""


def embed_file(path: str | os.PathLike[str], embedder: Embedder, *, told: Callable[[int], object] | None = None) -> int:
    """Give each fragment in *path* a vector of *embedder*, where it has none of that model. It goes on where another
    one ended.

    Args:
        told: Called with how many have one now, after each step.
    Returns:
        How many were embedded.
    Raises:
        MemoryFailed: The file cannot be written, or what the embedder made are no vectors.
        Exception: What the embedder raises.
    """
    from ..storage.shared_file import SharedFile  # who has none open needs no SQLite
    from .schema import schema

    embedding = Embedding(embedder)
    dimensions = embedding.dimensions
    done = last = 0
    with faults():
        file = SharedFile(path_of(path), schema(), thread="actors-memory")
        try:
            while rows := file.read(partial(_without, last, embedding.model, dimensions)):
                vectors = embedding.vectors([restored(content) for _, _, content in rows])
                made = [(row[0], row[1], vector) for row, vector in zip(rows, vectors, strict=True)]
                file.write(partial(_put, made, embedding.model))
                last, done = rows[-1][0], done + len(rows)
                if told is not None:
                    told(done)
        finally:
            file.close()
    return done


def _without(last: int, model: str, dimensions: int, connection: sqlite3.Connection) -> list[Any]:
    return connection.execute(_WITHOUT, (last, model, dimensions * BYTES, AT_ONCE)).fetchall()


def _put(made: list[tuple[int, str, tuple[float, ...] | None]], model: str, connection: sqlite3.Connection) -> None:
    for number, fragment_id, vector in made:
        connection.execute("DELETE FROM vector WHERE fragment = ?", (number,))
        if vector is not None:
            connection.execute(
                "INSERT INTO vector (fragment, model, vector) SELECT number, ?, ? FROM fragment "
                "WHERE number = ? AND id = ?",
                (model, packed(vector), number, fragment_id),
            )
