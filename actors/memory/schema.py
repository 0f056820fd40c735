"""The file of a memory: its tables, and what SQLite must have for them."""

from __future__ import annotations

import sqlite3
from typing import Final

from ..errors import MemoryFailed
from ..storage.database import Schema

TABLES = """
CREATE TABLE fragment (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, source TEXT NOT NULL,
    at REAL NOT NULL, content TEXT NOT NULL, document TEXT, piece INTEGER);
CREATE INDEX fragment_document ON fragment (document, piece) WHERE document IS NOT NULL;
CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"{own});
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row');
CREATE TABLE vector (fragment INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL);
CREATE TABLE value (agent TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (agent, key))
    WITHOUT ROWID;
CREATE TABLE length (fragment INTEGER PRIMARY KEY, words INTEGER NOT NULL);
CREATE TABLE size (fragments INTEGER NOT NULL, words INTEGER NOT NULL);
INSERT INTO size VALUES (0, 0);
CREATE TRIGGER length_added AFTER INSERT ON length BEGIN
    UPDATE size SET fragments = fragments + 1, words = words + new.words;
END;
CREATE TRIGGER length_gone AFTER DELETE ON length BEGIN
    UPDATE size SET fragments = fragments - 1, words = words - old.words;
END;
CREATE TRIGGER fragment_gone AFTER DELETE ON fragment BEGIN
    DELETE FROM words WHERE rowid = old.number;
    DELETE FROM length WHERE fragment = old.number;
    DELETE FROM vector WHERE fragment = old.number;
END;
CREATE TABLE vector_change (number INTEGER PRIMARY KEY, fragment INTEGER NOT NULL);
CREATE TRIGGER vector_added AFTER INSERT ON vector BEGIN
    INSERT INTO vector_change (fragment) VALUES (new.fragment);
    DELETE FROM vector_change WHERE number <= (SELECT max(number) FROM vector_change) - {kept};
END;
CREATE TRIGGER vector_gone AFTER DELETE ON vector BEGIN
    INSERT INTO vector_change (fragment) VALUES (old.fragment);
    DELETE FROM vector_change WHERE number <= (SELECT max(number) FROM vector_change) - {kept};
END;
"""
# How many fragments and words there are is kept beside them: SQLite would count one by one, and FTS5, which keeps count
# for itself, does not take off what is deleted where it stores no content.
# A memory in a process keeps the vectors at hand, and follows their changes by the last table: whoever makes one.
CHANGES_KEPT: Final = 10_000
DELETES_WITHOUT_CONTENT: Final = (3, 43)
"""The version of SQLite from which words need not be stored beside the text to be deleted."""


def schema() -> Schema:
    """What a file is to be, for the SQLite of this Python.

    Raises:
        MemoryFailed: It was built without full-text search.
    """
    _refuse_without_fts5()
    own = ", content = '', contentless_delete = 1" if sqlite3.sqlite_version_info >= DELETES_WITHOUT_CONTENT else ""
    return Schema(application_id=0x61_6D_65_6D, name="memory", steps=(TABLES.format(own=own, kept=CHANGES_KEPT),))


def refuse_words_without_content(connection: sqlite3.Connection) -> None:
    """Raise when a newer SQLite has made the file, in a way that this one cannot read."""
    if sqlite3.sqlite_version_info >= DELETES_WITHOUT_CONTENT:
        return
    (made,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'words'").fetchone()
    if "contentless_delete" in made:
        raise MemoryFailed(
            f"a Python with SQLite {'.'.join(map(str, DELETES_WITHOUT_CONTENT))} or newer has made this memory, and "
            f"the SQLite of this Python is {sqlite3.sqlite_version}: use one that is as new, or take another path"
        )


def _refuse_without_fts5() -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE t USING fts5 (text)")
    except sqlite3.OperationalError as error:
        raise MemoryFailed(
            f"the SQLite of this Python ({sqlite3.sqlite_version}) was built without full-text search (FTS5), which a "
            f"memory in a file needs: {error}; use another build of Python"
        ) from error
    finally:
        connection.close()
