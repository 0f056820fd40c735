"""Files that outlive a process: whose they are, which version, whole or not."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from actors.storage.database import Durability, Schema, open_to_read, open_to_write
from actors.storage.faults import Damaged, NotOurs, TooNew, Unsuitable

ONE = Schema(0x61637431, "notebook", ["CREATE TABLE note (number INTEGER PRIMARY KEY, text TEXT NOT NULL);"])
TWO = Schema(
    0x61637431,
    "notebook",
    [*ONE.steps, "ALTER TABLE note ADD COLUMN at REAL; CREATE INDEX note_at ON note (at); UPDATE note SET at = 0;"],
)


def write(path: Path, *texts: str, schema: Schema = ONE) -> None:
    connection = open_to_write(path, schema)
    connection.executemany("INSERT INTO note (text) VALUES (?)", [(text,) for text in texts])
    connection.close()


def texts_in(path: Path, schema: Schema = ONE) -> list[str]:
    connection = open_to_read(path, schema)
    try:
        return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY number")]
    finally:
        connection.close()


def test_a_new_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """It is marked as ours, has the newest version and a write-ahead log."""
    path = tmp_path / "a ?#% file.db"
    connection = open_to_write(path, TWO)
    assert [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")] == [
        0x61637431,
        2,
    ]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    connection.close()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("durability", "synchronous"), [(Durability.PROCESS, 1), (Durability.POWER, 2)])
def test_durability_says_what_is_synced(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    """NORMAL survives the process, FULL the machine."""
    connection = open_to_write(tmp_path / "a.db", ONE, durability)
    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    connection.close()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Also by one who only reads, while it is open to be written; who only reads cannot write."""
    path = tmp_path / "a.db"
    write(path, "one")
    writer = open_to_write(path, ONE)
    writer.execute("INSERT INTO note (text) VALUES ('two')")
    assert texts_in(path) == ["one", "two"]
    reader = open_to_read(path, ONE)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM note")
    reader.close()
    writer.close()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """By who writes; who only reads is told."""
    path = tmp_path / "a.db"
    write(path, "one")
    with pytest.raises(Unsuitable, match="older version"):
        open_to_read(path, TWO)
    write(path, "two", schema=TWO)
    assert texts_in(path, TWO) == ["one", "two"]


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All steps, or none."""
    path = tmp_path / "a.db"
    write(path, "one")
    broken = Schema(ONE.application_id, "notebook", [*ONE.steps, "DROP TABLE note; CREATE TABLE oops (;"])
    with pytest.raises(Unsuitable):
        open_to_write(path, broken)
    assert texts_in(path) == ["one"]


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """By who writes and by who reads."""
    path = tmp_path / "a.db"
    write(path, "one", schema=TWO)
    for opening in (open_to_write, open_to_read):
        with pytest.raises(TooNew, match=r"has version 2 .* knows 1: update the library"):
            opening(path, ONE)


def test_files_of_others_are_refused_and_not_touched(tmp_path: Path) -> None:
    """A text, another program's database, one with another mark."""
    text = tmp_path / "a.txt"
    text.write_text("not a database, and longer than a head " * 9)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    marked = tmp_path / "marked.db"
    write(marked, schema=Schema(7, "chess", ONE.steps))
    for path in (text, other, marked):
        before = path.read_bytes()
        for opening in (open_to_write, open_to_read):
            with pytest.raises(NotOurs, match="is no notebook"):
                opening(path, ONE)
        assert path.read_bytes() == before


def test_a_file_that_was_cut_is_damaged(tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "a.db"
    write(path, *("text" * 500 for _ in range(50)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="is damaged"):
        open_to_write(path, ONE)
    assert path.stat().st_size == len(whole) // 2


def test_a_file_of_noise_behind_a_head_is_damaged(tmp_path: Path) -> None:
    """What SQLite finds."""
    path = tmp_path / "a.db"
    write(path, *("text" * 500 for _ in range(50)))
    whole = bytearray(path.read_bytes())
    whole[100:400] = b"\xff" * 300
    path.write_bytes(bytes(whole))
    with pytest.raises(Damaged, match="is damaged"):
        open_to_write(path, ONE)


def test_folders_that_do_not_do(tmp_path: Path) -> None:
    """One that is not there; a folder in place of a file; nothing to read."""
    with pytest.raises(Unsuitable, match="its folder is not there"):
        open_to_write(tmp_path / "no" / "a.db", ONE)
    with pytest.raises(Unsuitable):
        open_to_write(tmp_path, ONE)
    with pytest.raises(FileNotFoundError, match="there is no notebook"):
        open_to_read(tmp_path / "a.db", ONE)


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's, say."""
    path = tmp_path / "a.db"
    write(path, "one")

    def connect(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", connect)
    for opening in (open_to_write, open_to_read):
        with pytest.raises(Unsuitable, match="unable to open"):
            opening(path, ONE)


@pytest.mark.process
def test_a_process_that_is_killed_while_it_opens_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Killed inside the transaction that makes the tables."""
    path = tmp_path / "a.db"
    program = f"""
import os, signal, sys
from pathlib import Path
from actors.storage import database
from tests.storage.test_database import ONE
real = database._statements
def statements(script):
    for statement in real(script):
        yield statement
        os.kill(os.getpid(), signal.SIGKILL)
database._statements = statements
database.open_to_write(Path({str(path)!r}), ONE)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == -9
    write(path, "one")
    assert texts_in(path) == ["one"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes, a folder; and an empty file has nothing to be read."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(NotOurs, match="it is no file"):
            open_to_read(path, ONE)
    (tmp_path / "empty").touch()
    with pytest.raises(Unsuitable, match=r"is empty: there is no .* in it yet"):
        open_to_read(tmp_path / "empty", ONE)
