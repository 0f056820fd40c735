"""The tables of fragments: what is written, and how it is shown."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ..agent.ports import MemoryFragment, MemorySource
from .stored_text import restored, stored
from .weighted_words import words_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

INSERT = "INSERT INTO fragment (id, agent, source, at, content, document, piece) VALUES (?, ?, ?, ?, ?, ?, ?)"


class Fragment(NamedTuple):
    """One that is to be stored, with all that takes time done.

    Args:
        words: In order, with repetitions.
        vector: float32, with the model that it is of; None: there is none.
    """

    id: str
    agent: str | bytes
    source: str
    at: float
    content: str | bytes
    words: list[str]
    vector: bytes | None = None
    model: str = ""
    document: str | bytes | None = None
    piece: int | None = None

    @classmethod
    def of(
        cls,
        agent: str,
        content: str,
        source: MemorySource,
        vector: bytes | None,
        model: str,
        *,
        document: str | None = None,
        piece: int | None = None,
    ) -> Fragment:
        """A new one, with an id that cannot be guessed."""
        name = None if document is None else stored(document)
        now = datetime.now(UTC).timestamp()
        words = words_of(content)
        new_id = secrets.token_hex(12)
        return cls(new_id, stored(agent), str(source), now, stored(content), words, vector, model, name, piece)

    def insert(self, connection: sqlite3.Connection) -> None:
        """Into all tables."""
        row = (self.id, self.agent, self.source, self.at, self.content, self.document, self.piece)
        number = connection.execute(INSERT, row).lastrowid
        # Joined by spaces, which is where FTS5 splits them again.
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, " ".join(self.words)))
        connection.execute("INSERT INTO length (fragment, words) VALUES (?, ?)", (number, len(self.words)))
        if self.vector is not None:
            connection.execute(
                "INSERT INTO vector (fragment, model, vector) VALUES (?, ?, ?)", (number, self.model, self.vector)
            )


def count_of(connection: sqlite3.Connection) -> int:
    """How many fragments there are."""
    return int(connection.execute("SELECT fragments FROM size").fetchone()[0])


def keep_at_most(connection: sqlite3.Connection, most: int) -> None:
    """Delete the oldest, when there are more than *most*. In the transaction in which some came."""
    over = count_of(connection) - most
    if over > 0:
        connection.execute(
            "DELETE FROM fragment WHERE number IN (SELECT number FROM fragment ORDER BY number LIMIT ?)", (over,)
        )


def shown(connection: sqlite3.Connection, ranked: Sequence[tuple[int, float]]) -> list[MemoryFragment]:
    """The fragments of those numbers, in that order; without those that are not there."""
    rows = connection.execute(
        "SELECT number, id, content, source, at, document, piece FROM fragment "
        "WHERE number IN (SELECT value FROM json_each(?))",
        (json.dumps([number for number, _ in ranked]),),
    )
    found = {row[0]: row[1:] for row in rows}
    return [_fragment(*found[number], score=score) for number, score in ranked if number in found]


def _fragment(
    id: str,  # noqa: A002 - the column's name
    content: str | bytes,
    source: str,
    at: float,
    document: str | bytes | None,
    piece: int | None,
    *,
    score: float,
) -> MemoryFragment:
    return MemoryFragment(
        id,
        restored(content),
        MemorySource(source),
        score,
        datetime.fromtimestamp(at, UTC),
        None if document is None else restored(document),
        piece,
    )
