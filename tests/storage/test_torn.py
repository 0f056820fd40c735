"""Whatever ends the writer, or interrupts who adds, at whatever moment: nobody is left asleep, nothing is lost."""

from __future__ import annotations

import linecache
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors.storage import commit
from actors.storage.commit import Committer
from actors.storage.database import open_to_write
from actors.storage.faults import WriteFailed
from tests.storage.test_commit import BOUND, Desk, desk, insert
from tests.storage.test_database import ONE, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["desk"]

ROOT = Path(__file__).parents[2]


class Interrupt(BaseException):
    """As Ctrl-C."""


@pytest.fixture
def interrupts() -> Iterator[None]:
    """``SIGUSR1`` raises :class:`Interrupt` in the main thread."""

    def raising(*_: object) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, raising)
    yield
    signal.signal(signal.SIGUSR1, before)


def is_with(frame: FrameType) -> bool:
    """Is it at a ``with``? What a tracer raises there, on its way out, would keep the lock. Nothing real does."""
    return linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0).lstrip().startswith("with ")


class Tracer:
    """Sees each line, or each instruction, of the committer, and asks *strikes* whether to strike there."""

    def __init__(self, kind: str, strikes: Callable[[FrameType], object], *left_out: str) -> None:
        self.kind = kind
        self.strikes = strikes
        self.left_out = left_out
        self.files = ("storage/commit.py", "waiting/waiter.py")[: 1 if kind == "line" else 2]

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.endswith(self.files) or code.co_name in self.left_out:
            return None
        frame.f_trace_opcodes = self.kind == "opcode"
        if event == self.kind and not is_with(frame):
            self.strikes(frame)
        return self


def test_a_writer_that_dies_at_any_line_leaves_nobody_asleep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_thread: Any
) -> None:
    """Whoever waits, for its entry or for room, hears of it; who was told that it is written finds it in the file."""
    monkeypatch.setattr(commit, "MOST_BEHIND", 1)
    real, struck, path = Committer._run, set[int](), tmp_path / "a.db"

    def strike(frame: FrameType) -> None:
        if frame.f_lineno not in struck:
            struck.add(frame.f_lineno)
            raise ZeroDivisionError

    def run(self: Committer) -> None:
        sys.settrace(Tracer("line", strike, "_run", "_fail", "_end", "_checkpoint"))
        try:
            real(self)
        finally:
            sys.settrace(None)

    monkeypatch.setattr(Committer, "_run", run)
    lives, died = 0, True
    while died:
        before, lives = len(struck), lives + 1
        committer = Committer(open_to_write(path, ONE), path, insert, name="doomed")
        puts = {f"{lives}{name}": in_thread(committer.put, f"{lives}{name}") for name in "abc"}
        faults = {text: put.exception(BOUND) for text, put in puts.items()}
        end = in_thread(committer.close).exception(BOUND)
        died = len(struck) > before
        assert all(fault is None or isinstance(fault, WriteFailed) for fault in (*faults.values(), end))
        assert isinstance(end, WriteFailed) == died
        written = texts_in(path)
        assert len(written) == len(set(written))
        assert {text for text, fault in faults.items() if fault is None} <= set(written)
    assert len(struck) > 30


def test_an_interrupt_before_any_instruction_of_a_put(
    tmp_path: Path, interrupts: None, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are served as if nothing had been; what was added stays in the line, once and in order."""
    path = tmp_path / "a.db"
    committer = Committer(open_to_write(path, ONE), path, insert, name="writer")
    monkeypatch.setattr(committer, "_lock", threading.Lock())  # an interrupt comes before or after it is taken
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # 3.12 looks for such a frame only when tracing begins
    at, left, kept = 0, 0, []

    def strike(_: FrameType) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            signal.raise_signal(signal.SIGUSR1)

    while left <= 0:
        left = at = at + 1
        sys.settrace(Tracer("opcode", strike))
        try:
            committer.put(f"{at} put")
            kept.append(f"{at} put")
        except Interrupt:
            pass
        finally:
            sys.settrace(before)
        in_thread(committer.put, f"{at} other").result(BOUND)
        kept.append(f"{at} other")
    in_thread(committer.close).result(BOUND)
    written = texts_in(path)
    assert len(set(written)) == len(written)
    assert [text for text in written if text in set(kept)] == kept
    numbers = [int(text.split()[0]) for text in written]
    assert numbers == sorted(numbers)
    assert at > 100


def test_ctrl_c_ends_a_wait_for_a_disk_that_hangs(
    desk: Desk, interrupts: None, in_thread: Any, eventually: Any
) -> None:
    """That of a put and that of a close; what was in the line is written all the same."""
    desk.may_write.clear()
    main, committer = threading.get_ident(), desk.committer

    def interrupt(is_there: Callable[[], object]) -> None:
        eventually(is_there)
        signal.pthread_kill(main, signal.SIGUSR1)

    for wait, is_there in (
        (lambda: committer.put("one"), lambda: committer._line),
        (committer.close, lambda: committer._closing),
    ):
        late = in_thread(interrupt, is_there)
        with pytest.raises(Interrupt):
            wait()
        late.result(BOUND)
    desk.may_write.set()
    desk.committer.close()
    assert not any(thread.name == "test-writer" for thread in threading.enumerate())
    assert texts_in(desk.path) == ["one"]


def test_closed_by_many_while_others_put(desk: Desk, in_thread: Any) -> None:
    """Each close returns when all is written; each put is in the file, or was refused."""
    puts = {str(number): in_thread(desk.committer.put, str(number)) for number in range(20)}
    closes = [in_thread(desk.committer.close) for _ in range(4)]
    for close in closes:
        close.result(BOUND)
    faults = {text: put.exception(BOUND) for text, put in puts.items()}
    assert sorted(texts_in(desk.path)) == sorted(text for text, fault in faults.items() if fault is None)
    assert all(fault is None or "is closed" in str(fault) for fault in faults.values())


def test_who_waits_for_room_is_refused_by_a_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, in_thread: Any, eventually: Any
) -> None:
    """And by a close only when it finds no room: what stood in the line before it is written."""
    monkeypatch.setattr(commit, "MOST_BEHIND", 1)
    desk.may_write.clear()
    desk.error = sqlite3.OperationalError("disk I/O error")
    desk.committer.add("first")
    waiting = in_thread(desk.committer.add, "second")
    eventually(lambda: len(desk.committer._full) == 1)
    desk.may_write.set()
    with pytest.raises(WriteFailed, match="disk I/O error"):
        waiting.result(BOUND)


def test_no_thread_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in the words of this room, and the connection is closed."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    path = tmp_path / "a.db"
    connection = open_to_write(path, ONE)
    with pytest.raises(WriteFailed, match=r"a\.db cannot be written: can't start new thread"):
        Committer(connection, path, insert, name="writer")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_an_interrupted_start_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The thread, which nobody knows of, ends and closes the connection."""
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        real(thread)
        raise Interrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    path = tmp_path / "a.db"
    with pytest.raises(Interrupt):
        Committer(open_to_write(path, ONE), path, insert, name="orphan")
    eventually(lambda: [file.name for file in tmp_path.iterdir()] == ["a.db"])


PROGRAM = """
import os, sys
from pathlib import Path
from actors.storage import commit
from actors.storage.database import open_to_write
from tests.storage.test_commit import insert
from tests.storage.test_database import ONE
commit.GATHER = 60.0
path = Path(sys.argv[1])
committer = commit.Committer(open_to_write(path, ONE), path, insert, name="writer")
committer.add("one")
if sys.argv[2] == "fork":
    child = os.fork()
    if child == 0:
        sys.exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
committer.add("two")
if sys.argv[2] == "raise":
    raise SystemExit(7)
"""


@pytest.mark.process
@pytest.mark.parametrize(("end", "code"), [("return", 0), ("raise", 7), ("fork", 0)])
def test_a_program_that_ends_without_a_close_writes_what_it_added(tmp_path: Path, end: str, code: int) -> None:
    """However it ends, short of a kill; a child that it forked writes and closes nothing."""
    path = tmp_path / "a.db"
    ended = subprocess.run([sys.executable, "-c", PROGRAM, str(path), end], cwd=ROOT, check=False, env=os.environ)
    assert ended.returncode == code
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]
    assert texts_in(path) == ["one", "two"]
