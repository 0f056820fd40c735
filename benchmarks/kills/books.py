"""What is in a journal's file after a kill, read with SQL alone: nothing of the library is asked."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = "seq, agent, path, state, kind, process, payload, checksum"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file."""

    seq: int
    agent: str
    path: str
    state: str
    kind: str | None
    process: int
    payload: dict[str, Any]


def read(journal: Path) -> list[Entry]:
    """All entries of *journal*, in order: of a copy, so that the next start has to mend the file itself.

    Raises:
        AssertionError: SQLite, or a checksum, says that the file is not whole.
    """
    if not journal.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        copy = image(journal, Path(folder))
        with closing(sqlite3.connect(copy)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
            assert found == "ok", f"integrity_check says {found}"
            if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'entry'").fetchone()[0]:
                return []  # killed while it was opened for the first time
            rows = connection.execute(f"SELECT {COLUMNS} FROM entry ORDER BY seq").fetchall()  # noqa: S608
    return [_entry(*row) for row in rows]


def image(journal: Path, folder: Path) -> Path:
    """A copy of *journal* as it lies there, with its log: what a process that dies now leaves behind."""
    for suffix in ("", "-wal"):
        source = journal.with_name(journal.name + suffix)
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    return folder / journal.name


def _entry(
    seq: int, agent: str, path: str, state: str, kind: str | None, process: int, payload: str | None, crc: int
) -> Entry:
    assert crc is None or crc == zlib.crc32((payload or "").encode()), f"the checksum of entry {seq} does not fit"
    return Entry(seq, agent, path, state, kind, process, json.loads(payload) if payload else {})
