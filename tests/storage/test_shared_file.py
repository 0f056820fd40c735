"""A file of many writers and readers: nobody's failure is another's, and who reads waits for no write."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.storage import shared_file
from actors.storage.faults import StorageFault, Unsuitable, WriteFailed
from actors.storage.shared_file import READERS, SharedFile
from tests.storage.test_database import ONE

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 20
ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from pathlib import Path
from actors.storage.shared_file import SharedFile
from tests.storage.test_database import ONE
from tests.storage.test_shared_file import note
sys.stdin.readline()
file = SharedFile(Path(sys.argv[1]), ONE, thread="test")
for number in range(20):
    file.write(note(str(number)))
file.close()
"""


def note(text: str):
    return lambda connection: connection.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid


def texts(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY rowid")]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SharedFile]:
    made = SharedFile(tmp_path / "a.db", ONE, thread="test")
    yield made
    made.close()


def test_what_is_written_is_read(file: SharedFile) -> None:
    """At once, with what the write returned."""
    assert file.write(note("one")) == 1
    assert file.read(texts) == ["one"]


def test_a_failure_is_nobody_elses(file: SharedFile) -> None:
    """It leaves no trace; who stood beside it in one transaction is written."""
    held, go = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        held.set()
        assert go.wait(BOUND)

    def half(connection: sqlite3.Connection) -> None:
        note("half")(connection)
        raise KeyError("mine")

    with ThreadPoolExecutor(3) as pool:
        holding = pool.submit(file.write, hold)
        assert held.wait(BOUND)
        failing, standing = pool.submit(file.write, half), pool.submit(file.write, note("whole"))
        go.set()
        assert holding.result(BOUND) is None
        with pytest.raises(KeyError, match="mine"):
            failing.result(BOUND)
        standing.result(BOUND)
    with pytest.raises(Unsuitable, match="syntax error"):
        file.write(lambda connection: connection.execute("SELEC"))
    assert file.read(texts) == ["whole"]


def test_reading_waits_for_no_write(file: SharedFile) -> None:
    """It sees what was committed before."""
    file.write(note("before"))
    held, go = threading.Event(), threading.Event()

    def slowly(connection: sqlite3.Connection) -> None:
        note("after")(connection)
        held.set()
        assert go.wait(BOUND)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(file.write, slowly)
        assert held.wait(BOUND)
        assert file.read(texts) == ["before"]
        go.set()
        writing.result(BOUND)
    assert file.read(texts) == ["before", "after"]


def test_another_process_that_writes_for_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who met it is told; afterwards all goes on."""
    monkeypatch.setattr(shared_file, "PATIENCE", 0.05)
    file = SharedFile(tmp_path / "a.db", ONE, thread="test")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WriteFailed, match="locked"):
        file.write(note("too early"))
    other.execute("ROLLBACK")
    other.close()
    file.write(note("later"))
    assert file.read(texts) == ["later"]
    file.close()


def test_so_many_read_at_once(file: SharedFile) -> None:
    """Each with a connection of its own; one more waits for one of them."""
    file.write(note("one"))
    inside, go, seen = threading.Semaphore(0), threading.Event(), []

    def slowly(connection: sqlite3.Connection) -> None:
        seen.append(id(connection))
        inside.release()
        assert go.wait(BOUND)

    with ThreadPoolExecutor(READERS + 1) as pool:
        reading = [pool.submit(file.read, slowly) for _ in range(READERS + 1)]
        assert all(inside.acquire(timeout=BOUND) for _ in range(READERS))
        assert not inside.acquire(blocking=False)
        go.set()
        for one in reading:
            one.result(BOUND)
    assert len(set(seen)) == READERS


def test_after_the_close(tmp_path: Path) -> None:
    """Nothing is written or read; closing twice is no error, and no log is left."""
    file = SharedFile(tmp_path / "a.db", ONE, thread="test")
    file.write(note("one"))
    file.close()
    file.close()
    for do in (partial(file.write, note("two")), partial(file.read, texts)):
        with pytest.raises(StorageFault, match="closed"):
            do()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.process
def test_several_processes_make_it_at_once(tmp_path: Path) -> None:
    """All of them open what one has made, and nothing is lost."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "a.db")]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) for _ in range(3)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(BOUND) for writer in writers] == [0, 0, 0]
    file = SharedFile(tmp_path / "a.db", ONE, thread="test")
    assert len(file.read(texts)) == 60
    file.close()
