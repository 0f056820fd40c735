"""One process writes a journal at a time; however it ends, the next one may."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from actors import AgentPool, Journal, JournalBusy, JournalError
from actors.journal.lock import FileLock, LockHeldError

from .programs import World, left_over, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def test_a_journal_that_is_open_is_refused(path: Path) -> None:
    """Inside one process, too: by whom and since when it is open; nothing of it is harmed."""
    world = World()
    with Journal(path) as journal:
        for opening in (lambda: Journal(path), lambda: AgentPool(journal=path)):
            with pytest.raises(JournalBusy, match="in this process since") as caught:
                opening()
            assert caught.value.pid == os.getpid()
            assert caught.value.since is not None
        assert run(journal, [world.config("a")])[0].status == "completed"
    assert run(path, [world.config("a")])[0].recalled


def test_a_journal_has_one_lock_whatever_it_is_called(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a link, or from another folder."""
    (tmp_path / "link.db").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    with Journal("run.db") as journal:
        assert journal.path == path
        for name in (tmp_path / "link.db", "../" + tmp_path.name + "/run.db"):
            with pytest.raises(JournalBusy):
                Journal(name)


@pytest.mark.process
def test_another_process_is_told_who_has_it(path: Path) -> None:
    """And when that one is killed, the lock is free at once."""
    program = "from actors import Journal; import sys; j = Journal(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        with pytest.raises(JournalBusy, match=f"process {other.pid}") as caught:
            Journal(path)
        assert caught.value.pid == other.pid
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert left_over(path) != []
    with Journal(path):
        pass
    assert left_over(path) == []


@pytest.mark.process
def test_the_killed_process_left_its_lock_and_log(path: Path) -> None:
    """What it had on disk is there."""
    program = (
        "import os, sys; from tests.journal.programs import *\n"
        f"run_it = AgentPool(journal={str(path)!r})\n"
        "print(run_it.spawn(World().config('a')).outcome(10).status, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False, timeout=30)
    assert (done.stdout, done.returncode) == (b"completed\n", -9)
    assert "run.db.lock" in left_over(path)
    (outcome,) = run(path, [World().config("a")])
    assert outcome.recalled
    assert left_over(path) == []


def test_a_lock_is_held_once(path: Path) -> None:
    """And is taken away when it is let go of; letting go twice does nothing."""
    lock = FileLock(path)
    assert path.exists()
    with pytest.raises(LockHeldError):
        FileLock(path)
    lock.release()
    lock.release()
    assert not path.exists()
    FileLock(path).release()


def test_who_waited_at_a_lock_that_was_taken_away_takes_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one unlinks its file between the opening and the locking of the second, and a third makes a new one."""
    first = FileLock(path)
    begin = FileLock._begin
    third: list[FileLock] = []

    def slow(lock: FileLock) -> sqlite3.Connection:
        if not third:
            monkeypatch.setattr(FileLock, "_begin", begin)
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)  # this opens the file
            first.release()
            third.append(FileLock(path))
            connection.execute("BEGIN EXCLUSIVE")
            return connection
        return begin(lock)

    monkeypatch.setattr(FileLock, "_begin", slow)
    with pytest.raises(LockHeldError):
        FileLock(path)
    third[0].release()
    assert not path.exists()


def test_a_lock_that_others_come_and_go_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried for seconds, however often that is."""
    begin = FileLock._begin
    taken = iter(range(200))

    def taken_away(lock: FileLock) -> sqlite3.Connection:
        connection = begin(lock)
        if next(taken, None) is not None:
            path.unlink()
        return connection

    monkeypatch.setattr(FileLock, "_begin", taken_away)
    FileLock(path).release()
    monkeypatch.setattr("actors.journal.lock.PERSISTENCE", 0)
    with pytest.raises(JournalError, match="something else removes it"):
        FileLock(path)


def test_a_lock_whose_file_was_taken_away_leaves_that_of_another(path: Path) -> None:
    """Somebody has removed it by hand: the file that is there now is not its own."""
    lock = FileLock(path)
    path.unlink()
    other = FileLock(path)
    lock.release()
    assert path.exists()
    other.release()
    assert not path.exists()


def test_a_file_that_is_no_lock_is_not_touched(path: Path) -> None:
    """It would be removed in the end."""
    path.with_name("run.db.lock").write_text("notes")
    with pytest.raises(JournalError, match="no lock of a journal"):
        Journal(path)
    assert path.with_name("run.db.lock").read_text() == "notes"


FORKING = """
import os, sys, threading, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message=".*fork.*")
from actors import AgentPool, ForkedPoolError, Journal
from tests.journal.programs import World, run
path, mode = sys.argv[1:]
world = World()
journal = Journal(path)
pool = AgentPool(journal=journal)
assert pool.spawn(world.config("before")).outcome(10).ok
child = os.fork()
if not child:
    refused = []
    calls = [lambda: pool.spawn(world.config("x")), lambda: AgentPool(journal=journal), journal.close]
    calls.append(lambda: Journal(path))
    for call in calls:
        try:
            call()
        except Exception as error:
            refused.append(type(error).__name__)
    print(refused, flush=True)
    if mode == "exit":
        os._exit(0)
    sys.exit(0)  # a normal end: all that is left is let go of
os.waitpid(child, 0)
assert pool.spawn(world.config("after")).outcome(10).ok
try:
    Journal(path)
except Exception as error:
    print(type(error).__name__, flush=True)
pool.close()
journal.close()
outcomes = run(path, [world.config("before"), world.config("after"), world.config("new")])
print([outcome.recalled for outcome in outcomes], sorted(os.listdir(os.path.dirname(path))))
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("mode", ["exit", "normal"])
def test_a_forked_child_touches_nothing(path: Path, mode: str) -> None:
    """It is refused, and its end, with all finalizers, harms neither the lock nor the file of its parent."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(path), mode], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "['ForkedPoolError', 'ForkedPoolError', 'ForkedPoolError', 'JournalBusy']",
        "JournalBusy",
        "[True, True, False] ['run.db']",
    ]
