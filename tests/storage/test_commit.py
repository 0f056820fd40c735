"""One line of entries, one writer: in order, in groups, acknowledged when they are there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import ForkedPoolError
from actors.storage import commit
from actors.storage.commit import Committer
from actors.storage.database import open_to_read, open_to_write
from actors.storage.faults import WriteFailed
from tests.storage.test_database import ONE, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BOUND = 20


def insert(connection: sqlite3.Connection, texts: Sequence[str]) -> None:
    connection.executemany("INSERT INTO note (text) VALUES (?)", [(text,) for text in texts])


class Desk:
    """A committer whose writes can be held, made to fail, and are noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.groups: list[list[str]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.writing = threading.Event()
        self.error: BaseException | None = None
        self.committer = Committer(open_to_write(path, ONE), path, self.write, name="test-writer")

    def write(self, connection: sqlite3.Connection, texts: Sequence[str]) -> None:
        self.writing.set()
        assert self.may_write.wait(BOUND)
        if self.error is not None:
            raise self.error
        insert(connection, texts)
        self.groups.append(list(texts))


def log_of(desk: Desk) -> Path:
    return desk.path.with_name(f"{desk.path.name}-wal")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "a.db")
    yield made
    made.may_write.set()
    try:
        made.committer.close()
    except WriteFailed:
        pass


def test_what_is_acknowledged_is_in_the_file(desk: Desk) -> None:
    """And so is all that was added before it, in order."""
    desk.committer.add("one")
    desk.committer.add("two")
    desk.committer.put("three")
    assert texts_in(desk.path) == ["one", "two", "three"]


def test_what_nobody_waits_for_is_written_soon(desk: Desk, eventually: Any) -> None:
    """Without another entry, and without a close."""
    desk.committer.add("one")
    eventually(lambda: texts_in(desk.path) == ["one"])


def test_how_far_it_is_committed(desk: Desk) -> None:
    """Whoever knows that need not wait: what is in the line is not yet."""
    desk.committer.put("one")
    assert desk.committer.committed == desk.committer.added == 1
    desk.may_write.clear()
    desk.writing.clear()
    desk.committer.add("two")
    desk.committer.add("three")
    assert desk.writing.wait(BOUND)
    assert (desk.committer.committed, desk.committer.added) == (1, 3)
    desk.may_write.set()
    desk.committer.put("four")
    assert desk.committer.committed == desk.committer.added == 4


def test_what_comes_during_a_write_goes_together(desk: Desk) -> None:
    """One transaction for all that stand in the line, at most a group."""
    desk.may_write.clear()
    desk.committer.add("first")
    assert desk.writing.wait(BOUND)
    for number in range(commit.GROUP + 1):
        desk.committer.add(str(number))
    desk.may_write.set()
    desk.committer.put("last")
    assert [len(group) for group in desk.groups] == [1, commit.GROUP, 2]
    assert texts_in(desk.path) == ["first", *map(str, range(commit.GROUP + 1)), "last"]


def test_memory_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch, in_thread: Any, eventually: Any) -> None:
    """Who adds to a line that is full waits for room; nothing is lost and the order stays."""
    monkeypatch.setattr(commit, "MOST_BEHIND", 5)  # with the one that is being written
    desk.may_write.clear()
    desk.committer.add("first")
    assert desk.writing.wait(BOUND)
    for text in "abcd":
        desk.committer.add(text)
    late = in_thread(desk.committer.add, "e")
    eventually(lambda: len(desk.committer._full) == 1)
    assert not late.done()
    desk.may_write.set()
    late.result(BOUND)
    desk.committer.close()
    assert texts_in(desk.path) == ["first", *"abcde"]


def test_after_a_failure_nothing_is_written(desk: Desk, in_thread: Any, eventually: Any) -> None:
    """The group is rolled back; who waits in it and behind it is told, and so is whoever comes later."""
    desk.committer.put("kept")
    desk.may_write.clear()
    desk.writing.clear()
    desk.error = sqlite3.OperationalError("database or disk is full")
    first = in_thread(desk.committer.put, "lost")
    assert desk.writing.wait(BOUND)
    second = in_thread(desk.committer.put, "behind it")
    eventually(lambda: len(desk.committer._line) == 2)  # with the one that is being written
    desk.may_write.set()
    for late in (first, second):
        with pytest.raises(WriteFailed, match=r"a\.db could not be written: database or disk is full"):
            late.result(BOUND)
    desk.error = None
    for again in (desk.committer.add, desk.committer.put):
        with pytest.raises(WriteFailed, match="disk is full"):
            again("smaller")
    with pytest.raises(WriteFailed):
        desk.committer.close()
    assert texts_in(desk.path) == ["kept"]


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(3), MemoryError()])
def test_whatever_ends_the_writer_nobody_is_left_asleep(desk: Desk, error: BaseException) -> None:
    """Also what is no error of SQLite's."""
    desk.error = error
    with pytest.raises(WriteFailed):
        desk.committer.put("lost")
    assert desk.committer.failure is not None
    assert desk.committer.failure.__cause__ is error


def test_a_close_writes_what_is_left(desk: Desk) -> None:
    """And leaves no thread, no log, and a file that takes nothing more."""
    desk.may_write.clear()
    for text in "abc":
        desk.committer.add(text)
    desk.may_write.set()
    desk.committer.close()
    desk.committer.close()
    assert [file.name for file in desk.path.parent.iterdir()] == ["a.db"]
    assert not any(thread.name == "test-writer" for thread in threading.enumerate())
    assert texts_in(desk.path) == list("abc")
    with pytest.raises(WriteFailed, match="is closed"):
        desk.committer.add("d")


def test_the_log_is_copied_when_nobody_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch, eventually: Any) -> None:
    """And emptied: so it does not grow without bound, and does not look full when it is not."""
    monkeypatch.setattr(commit, "CHECKPOINT_AT", 3)
    empty = desk.path.stat().st_size
    desk.committer.put("text" * 5000)
    eventually(lambda: desk.path.stat().st_size > empty)
    eventually(lambda: log_of(desk).stat().st_size == 0)
    assert texts_in(desk.path) == ["text" * 5000]


def test_the_log_is_not_copied_while_somebody_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy holds the writer up, so it waits for a quiet moment; but only until the log has grown too long."""
    monkeypatch.setattr(commit, "IDLE", BOUND)
    monkeypatch.setattr(commit, "CHECKPOINT_AT", 3)
    for number in range(20):
        desk.committer.put(str(number))
    full = log_of(desk).stat().st_size
    assert full > 20 * 4096
    monkeypatch.setattr(commit, "CHECKPOINT_BY", full // 4120)
    desk.committer.put("one more")
    desk.committer.put("this one comes after the copy")
    assert log_of(desk).stat().st_size < full


def test_a_reader_does_not_hold_up_the_writer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log cannot be emptied while one reads: it is tried again when it has grown, and not for each group."""
    desk.committer.put("first")
    monkeypatch.setattr(commit, "CHECKPOINT_AT", 10)
    monkeypatch.setattr(commit, "CHECKPOINT_BY", 10)
    tries: list[bool] = []
    real = desk.committer._checkpoint

    def checkpoint(patience: int) -> bool:
        assert patience == 0
        tries.append(real(patience))
        return tries[-1]

    monkeypatch.setattr(desk.committer, "_checkpoint", checkpoint)
    monkeypatch.setattr(commit, "IDLE", BOUND)
    reader = open_to_read(desk.path, ONE)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM note").fetchone() == (1,)
    for number in range(40):
        desk.committer.put(str(number))
    assert 2 <= len(tries) <= 15
    assert all(tries)
    reader.close()
    for number in range(20):
        desk.committer.put(str(number))
    assert not tries[-1]
    monkeypatch.undo()


def test_many_producers(desk: Desk) -> None:
    """Each thread's entries stand in its order, and all are there."""

    def produce(name: str) -> None:
        for number in range(200):
            (desk.committer.put if number % 10 == 0 else desk.committer.add)(f"{name} {number}")

    threads = [threading.Thread(target=produce, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    desk.committer.close()
    written = texts_in(desk.path)
    for name in "abcdefgh":
        assert [text for text in written if text[0] == name] == [f"{name} {number}" for number in range(200)]


@pytest.mark.process
def test_a_forked_child_is_refused(desk: Desk) -> None:
    """Its copy of the connection is never touched."""
    desk.committer.put("one")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            desk.committer.add("two")
        except ForkedPoolError:
            code = 7
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    desk.committer.put("two")
    assert texts_in(desk.path) == ["one", "two"]


PROGRAM = """
import os, sys, threading
from pathlib import Path
from actors.storage import commit
from actors.storage.database import open_to_read, open_to_write
from tests.storage.test_commit import insert
from tests.storage.test_database import ONE
commit.CHECKPOINT_AT = 2
path = Path(sys.argv[1])
committer = commit.Committer(open_to_write(path, ONE), path, insert, name="writer")
def produce(name):
    for number in range(1_000_000):
        text = f"{name} {number}"
        if number % 3:
            committer.add(text)
        else:
            committer.put(text)
            os.write(1, (text + chr(10)).encode())
for name in sys.argv[2:]:
    threading.Thread(target=produce, args=(name,)).start()
"""


@pytest.mark.process
@pytest.mark.parametrize("most", [1, 40, 150])
def test_a_kill_leaves_a_prefix_with_all_that_was_acknowledged(tmp_path: Path, most: int) -> None:
    """Killed after so many acknowledgements, with four producers: nothing acknowledged is missing, no gap."""
    path = tmp_path / "a.db"
    root = Path(__file__).parents[2]
    names = [f"{most}{letter}" for letter in "abcd"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), *names], stdout=subprocess.PIPE, text=True, cwd=root
    ) as program:
        assert program.stdout is not None
        said = [program.stdout.readline().strip() for _ in range(most)]
        program.send_signal(signal.SIGKILL)
        said += program.stdout.read().splitlines()[:-1]  # the last line may be torn
    assert program.returncode == -signal.SIGKILL
    connection = open_to_write(path, ONE)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    written = [text for (text,) in connection.execute("SELECT text FROM note ORDER BY number")]
    connection.close()
    assert set(said) <= set(written)
    for name in names:
        numbers = [int(text.split()[1]) for text in written if text.startswith(f"{name} ")]
        assert numbers == list(range(len(numbers)))
