"""The turns of sessions in a file, which any number of processes write."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from ..agent.turns import SessionFacts
from ..errors import SessionError
from ..storage.database import Schema
from ..storage.faults import StorageFault
from ..storage.shared_file import SharedFile
from .refusals import conflict, not_there, there_already
from .turn_rows import row_of, turn_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from ..agent.turns import Turn
    from .turn_rows import Row

TABLES = """
CREATE TABLE session (id TEXT PRIMARY KEY, created_at REAL NOT NULL, updated_at REAL NOT NULL, forked_from TEXT)
    WITHOUT ROWID;
CREATE TABLE turn (session TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, agent TEXT NOT NULL, model TEXT,
    query TEXT NOT NULL, messages TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL,
    details TEXT, UNIQUE (session, number));
CREATE INDEX session_in_order ON session (updated_at DESC, id);
"""
SCHEMA: Final = Schema(application_id=0x61_73_65_73, name="file of sessions", steps=(TABLES,))
"""The file's kind (``ases``) and how it came to be."""
_moment = datetime.fromtimestamp  # by a name of the module: a list has many
_FACTS = """
SELECT id, (SELECT max(number) FROM turn WHERE session = id), created_at, updated_at, forked_from FROM session
WHERE id = ?
"""
_LIST = """
SELECT id, (SELECT max(number) FROM turn WHERE session = listed.id), created_at, updated_at, forked_from
FROM (SELECT * FROM session WHERE updated_at < ? ORDER BY updated_at DESC, id LIMIT ?) AS listed
"""
_LAST = "SELECT max(number) FROM turn WHERE session = ?"
_TURNS = """
SELECT number, at, agent, model, query, messages, input_tokens, output_tokens, cost_usd, details
FROM turn WHERE session = ? AND number > ? ORDER BY number
"""
_APPEND = """
INSERT INTO turn (session, number, at, agent, model, query, messages, input_tokens, output_tokens, cost_usd, details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_COPY = """
INSERT INTO turn (session, number, at, agent, model, query, messages, input_tokens, output_tokens, cost_usd, details)
SELECT ?, number, at, agent, model, query, messages, input_tokens, output_tokens, cost_usd, details
FROM turn WHERE session = ? AND number <= ?
"""
_TOUCH = """
INSERT INTO session (id, created_at, updated_at) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at
"""


class SqliteStore:
    """Sessions in a SQLite file.

    Guarantees: those of a ``SessionStore``, over any number of threads and processes; a turn that was stored survives
    the end of the process, however it ends.

    Args:
        path: With all links followed.
    Raises:
        SessionError: The file cannot be opened: another program's, damaged, or of a newer version.

    Threads: any.

    Locks: none of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _faults(""):
            self._file = SharedFile(path, SCHEMA, thread="actors-sessions")

    def facts(self, session: str) -> SessionFacts | None:
        """What is known of *session*."""

        def read(connection: sqlite3.Connection) -> Row | None:
            row: Row | None = connection.execute(_FACTS, (session,)).fetchone()
            return row

        with _faults(session):
            row = self._file.read(read)
        return None if row is None else _facts_of(row)

    def turns(self, session: str, last: int | None = None) -> list[Turn]:
        """The turns of *session* in order, or the last so many."""

        def read(connection: sqlite3.Connection) -> list[Row]:
            after = 0 if last is None else (_last(connection, session) - last)
            return connection.execute(_TURNS, (session, after)).fetchall()

        with _faults(session):
            rows = self._file.read(read)
        return [turn_of(row, session) for row in rows]

    def append(self, session: str, turn: Turn, *, again: bool = False) -> None:
        """Store *turn*, which is to be the next one of *session*."""
        row = row_of(turn)
        with _faults(session, turn.text):
            self._file.write(partial(_append, session=session, turn=turn, row=row, again=again))

    def undo(self, session: str) -> Turn | None:
        """Drop the last turn of *session*, and return it."""
        with _faults(session):
            return self._file.write(partial(_undo, session=session))

    def fork(self, session: str, new: str, turns: int | None = None) -> None:
        """Begin *new* as a copy of *session*, or of its first so many turns."""
        with _faults(new):
            self._file.write(partial(_fork, session=session, new=new, turns=turns))

    def list(self, limit: int, before: datetime | None = None) -> list[SessionFacts]:
        """At most *limit* sessions, the one that was updated last first."""
        until = math.inf if before is None else before.timestamp()

        def read(connection: sqlite3.Connection) -> list[Row]:
            return connection.execute(_LIST, (until, limit)).fetchall()

        with _faults(""):
            return [_facts_of(row) for row in self._file.read(read)]

    def delete(self, session: str) -> bool:
        """Drop *session* with all its turns; was it there?"""
        with _faults(session):
            return bool(self._file.write(partial(_delete, session=session)))

    def prune(self, before: datetime) -> int:
        """Drop all sessions that were updated last before that moment, and give their room back."""
        with _faults(""):
            return self._file.write(partial(_prune, before=before.timestamp()))

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        with _faults(""):
            self._file.close()


@contextmanager
def _faults(session: str, text: str = "") -> Iterator[None]:
    """Say what goes wrong with the file in the words of sessions."""
    try:
        yield
    except StorageFault as fault:
        raise SessionError(str(fault), session=session, text=text) from fault


def _facts_of(row: Row) -> SessionFacts:
    session, turns, created_at, updated_at, forked_from = row
    return SessionFacts(session, turns or 0, _moment(created_at, UTC), _moment(updated_at, UTC), forked_from)


def _last(connection: sqlite3.Connection, session: str) -> int:
    (last,) = connection.execute(_LAST, (session,)).fetchone()
    return last or 0


# In the writer's thread, each in a transaction ------------------------------------------------------------------------


def _append(connection: sqlite3.Connection, *, session: str, turn: Turn, row: Row, again: bool) -> None:
    last = _last(connection, session)
    if again and turn.number <= last and _is_there(connection, session, row):
        return
    if turn.number != last + 1:
        raise conflict(session, turn, last)
    connection.execute(_TOUCH, (session, turn.at.timestamp(), turn.at.timestamp()))
    connection.execute(_APPEND, (session, *row))


def _is_there(connection: sqlite3.Connection, session: str, row: Row) -> bool:
    found: Row | None = connection.execute(_TURNS, (session, row[0] - 1)).fetchone()
    return found is not None and (found[0], *found[2:]) == (row[0], *row[2:])  # but for the moment


def _undo(connection: sqlite3.Connection, *, session: str) -> Turn | None:
    last = _last(connection, session)
    row = connection.execute(_TURNS, (session, last - 1)).fetchone()
    if row is None:
        return None
    turn = turn_of(row, session)
    connection.execute("DELETE FROM turn WHERE session = ? AND number = ?", (session, last))
    if last == 1:
        connection.execute("DELETE FROM session WHERE id = ?", (session,))
    else:
        connection.execute("UPDATE session SET updated_at = ? WHERE id = ?", (time.time(), session))
    return turn


def _fork(connection: sqlite3.Connection, *, session: str, new: str, turns: int | None) -> None:
    if connection.execute("SELECT 1 FROM session WHERE id = ?", (new,)).fetchone() is not None:
        raise there_already(new)
    last = _last(connection, session)
    if not last:
        raise not_there(session)
    now = time.time()
    connection.execute("INSERT INTO session VALUES (?, ?, ?, ?)", (new, now, now, session))
    connection.execute(_COPY, (new, session, last if turns is None else turns))


def _delete(connection: sqlite3.Connection, *, session: str) -> int:
    connection.execute("DELETE FROM turn WHERE session = ?", (session,))
    return connection.execute("DELETE FROM session WHERE id = ?", (session,)).rowcount


def _prune(connection: sqlite3.Connection, *, before: float) -> int:
    connection.execute("DELETE FROM turn WHERE session IN (SELECT id FROM session WHERE updated_at < ?)", (before,))
    count = connection.execute("DELETE FROM session WHERE updated_at < ?", (before,)).rowcount
    if count:
        connection.execute("PRAGMA incremental_vacuum").fetchall()
    return count
