"""The file of a journal, as the one process that writes it has it open."""

from __future__ import annotations

import atexit
import json
import os
import platform
import sqlite3
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from zlib import crc32

from pydantic_core import from_json, to_json

from ..core.checks import leaf_rlock
from ..core.process import fork
from ..errors import JournalBusy, JournalCorrupt, JournalError, JournalFailed
from ..storage.commit import Committer
from ..storage.database import Schema, faults_of, open_to_read, open_to_write
from ..storage.errand import Errand
from ..storage.faults import StorageFault, WriteFailed
from .faults import advice, error_of, failed, is_damage
from .lock import FileLock, LockHeldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..storage.durability import Durability

ResultT = TypeVar("ResultT")

TABLES = """
CREATE TABLE process (number INTEGER PRIMARY KEY, pid INTEGER NOT NULL, host TEXT NOT NULL, program TEXT,
    library TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE entry (seq INTEGER PRIMARY KEY, agent TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, kind TEXT,
    process INTEGER NOT NULL, at REAL NOT NULL, digest TEXT, payload TEXT, checksum INTEGER);
CREATE INDEX entry_agent ON entry (agent);
"""
SCHEMA: Final = Schema(application_id=0x61_6A_72_6E, name="journal", steps=(TABLES,))
"""The file's kind (``ajrn``) and how it came to be."""
INSERT = (
    "INSERT INTO entry (agent, path, state, kind, process, at, digest, payload, checksum) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
SELECT = "SELECT seq, path, state, kind, process, at, digest, payload, checksum FROM entry WHERE agent = ? ORDER BY seq"

LARGEST = 500_000_000
"""Characters of one entry."""

strict_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Data as one line of ASCII, where nobody knows what it is: an error for what JSON cannot hold."""


def to_text(data: dict[str, Any]) -> str:
    """What was made of parts that JSON can hold as one line of ASCII: pydantic writes it in a third of the time.

    Raises:
        ValueError, TypeError: There is a number in it that is none, or something that nobody can write.
    """
    try:
        text = to_json(data).decode()
    except ValueError:  # half of a surrogate pair
        return strict_text(data)
    # The rest is said otherwise there, or is no JSON.
    return text if text.isascii() and "NaN" not in text and "Infinity" not in text else strict_text(data)


def from_text(text: str) -> Any:
    """What :func:`to_text` wrote.

    Raises:
        ValueError: That is no JSON.
    """
    try:
        return from_json(text)
    except ValueError:  # half of a surrogate pair, perhaps
        return json.loads(text)


class Row(NamedTuple):
    """An entry as it stands in the file."""

    seq: int
    path: str
    state: str
    kind: str | None
    process: int
    at: float
    digest: str | None
    payload: str
    checksum: int


class _Ended(NamedTuple):
    """Not an entry: this process ends in order."""

    at: float


class Store:
    """A journal's file, its lock, its process, the writer's thread, and a connection to read.

    Guarantees: what :meth:`put` was given is on disk when it returns, with all before it; once something could not be
    written, or it was closed, everything raises ``JournalFailed``.

    Args:
        path: With all links followed.

    Threads: any.

    Locks: ``_reading`` guards ``_reader``: threads share its statements, and since Python 3.12 two that run one at the
    same time get rows of each other, or none. ``_is_closed`` and ``_is_let_go`` are written by whoever closes it.
    """

    def __init__(self, path: Path, durability: Durability) -> None:
        """Open it, made or brought up to date if need be.

        Raises:
            JournalBusy: It is open elsewhere.
            JournalCorrupt, JournalVersion, JournalError: As they say.
        """
        self.path = path
        self._generation = fork.generation()
        self._is_closed = self._is_let_go = False
        self._reading = leaf_rlock()  # a signal's handler may start an agent in the midst of it
        self._lock = self._take_lock()
        try:
            with self._faults():
                self._open(durability)
        except BaseException:
            self._lock.release()
            raise
        atexit.register(self._close_at_exit)

    def _take_lock(self) -> FileLock:
        if not self.path.parent.is_dir():
            raise JournalError(f"{self.path}: its folder is not there")
        try:
            return FileLock(self.path.with_name(f"{self.path.name}.lock"))
        except LockHeldError:
            raise _busy(self.path) from None

    def _open(self, durability: Durability) -> None:
        connection = open_to_write(self.path, SCHEMA, durability)
        try:
            with faults_of(self.path, SCHEMA):
                self.number, self.identity = _enter_process(connection)
                (last,) = connection.execute("SELECT max(seq) FROM entry").fetchone()
                ended = connection.execute("SELECT number FROM process WHERE ended_at IS NOT NULL").fetchall()
            self.has_history = last is not None
            """Was anything recorded before this process?"""
            self.ended_well = frozenset(number for (number,) in ended)
            """The processes that closed it."""
            self._reader = open_to_read(self.path, SCHEMA)
        except BaseException:
            connection.close()
            raise
        try:
            self._committer = Committer(connection, self.path, self._write, name="actors-journal")
        except BaseException:
            self._reader.close()
            connection.close()
            raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except StorageFault as fault:
            raise error_of(fault, self.path) from fault

    @property
    def is_closed(self) -> bool:
        """Does it take nothing more?"""
        return self._is_closed

    # Writing --------------------------------------------------------------------------------------------------------

    def refuse_when_failed(self) -> None:
        """Raise ``JournalFailed`` when nothing can be recorded any more."""
        fork.refuse_after_fork(self._generation)
        if self._committer.failure is not None:
            raise failed(self._committer.failure, self.path)
        if self._is_closed:
            raise JournalFailed(f"the journal {self.path} is closed: nothing can be recorded, so nothing is begun")

    def write(
        self,
        agent: str,
        path: str,
        state: str,
        kind: str | None,
        payload: str,
        *,
        digest: str | None = None,
        safe: bool = False,
    ) -> None:
        """Enter one line; with *safe* wait until it is on disk.

        Raises:
            JournalFailed: It is not, and never will be.
        """
        if self._is_closed:  # all else the committer sees
            self.refuse_when_failed()
        if len(payload) > LARGEST:  # the database would refuse it, and the journal stop
            raise JournalFailed(f"{len(payload):,} characters are too many for one entry of a journal ({LARGEST:,})")
        entry = (agent, path, state, kind, self.number, time.time(), digest, payload)
        try:
            (self._committer.put if safe else self._committer.add)(entry)
        except WriteFailed as failure:
            raise failed(failure, self.path) from failure

    def _write(self, connection: sqlite3.Connection, entries: Sequence[Any]) -> None:
        """On the writer's thread, in a transaction."""
        rows = [(*entry, crc32(entry[-1].encode())) for entry in entries if type(entry) is tuple]
        connection.executemany(INSERT, rows)
        for entry in entries:
            if type(entry) is _Ended:
                connection.execute("UPDATE process SET ended_at = ? WHERE number = ?", (entry.at, self.number))
            elif type(entry) is Errand:
                entry.run(connection)

    def mark(self) -> int:
        """Behind all that was entered until now: for :meth:`flush`."""
        return self._committer.added

    def flush(self, mark: int | None = None) -> None:
        """Wait until all that was entered, or what was before *mark*, is on disk, where :meth:`rows` sees it. As a rule
        it is there already: then nobody waits.

        Raises:
            JournalFailed: It is not, or nothing can be recorded any more.
        """
        self.refuse_when_failed()
        if self._committer.committed >= (self.mark() if mark is None else mark):
            return
        try:
            self._committer.put(None)
        except WriteFailed as failure:
            raise failed(failure, self.path) from failure

    def run(self, do: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Call *do* with the writer's connection, on its thread and in a transaction, when all that was entered before
        is written; return what it returns.

        Raises:
            JournalFailed: Nothing is written any more.
            Exception: What *do* raises; of what it did then nothing stays.
        """
        self.refuse_when_failed()
        errand = Errand(do)
        try:
            self._committer.put(errand)
        except WriteFailed as failure:
            raise failed(failure, self.path) from failure
        result: ResultT = errand.result()
        return result

    # Reading --------------------------------------------------------------------------------------------------------

    def rows(self, agent: str) -> list[Row]:
        """What is recorded of *agent*, in order.

        Raises:
            JournalCorrupt: It is not what was written.
            JournalError: It cannot be read.
        """
        fork.refuse_after_fork(self._generation)
        try:
            with self._reading:
                rows = self._reader.execute(SELECT, (agent,)).fetchall()
        except sqlite3.ProgrammingError as error:  # closed meanwhile
            raise JournalFailed(f"the journal {self.path} is closed") from error
        except sqlite3.Error as error:
            raise self._unread(error, agent) from error
        found = [Row(*row) for row in rows]
        for row in found:
            if type(row.payload) is not str or crc32(row.payload.encode()) != row.checksum:
                raise self.damaged(agent, row, "its checksum does not fit")
        return found

    def _unread(self, error: sqlite3.Error, agent: str) -> JournalError:
        if "decode" in str(error) or is_damage(error):
            return JournalCorrupt(
                f"{self.path} is damaged where agent {agent!r} is recorded: {error}; {advice(self.path)}"
            )
        return JournalError(f"{self.path} cannot be read: {error}")

    def damaged(self, agent: str, row: Row, what: str) -> JournalCorrupt:
        """What to raise for a *row* that is not as it was written."""
        place = f"path {row.path!r}" if row.path else f"state {row.state!r}"
        return JournalCorrupt(
            f"{self.path} is damaged: entry {row.seq} (agent {agent!r}, {place}): {what}; {advice(self.path)}"
        )

    # The end --------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write what is left, and let go of the file. Idempotent.

        Raises:
            JournalFailed: Something could not be written.
        """
        fork.refuse_after_fork(self._generation)
        if self._is_let_go:
            return
        self._is_closed = True
        try:
            self._end_writer()
        except WriteFailed as failure:
            self._let_go()
            raise failed(failure, self.path) from failure
        self._let_go()  # not after an interrupt: then the writer may still write, and a second close goes on

    def _end_writer(self) -> None:
        if self._committer.failure is None:
            with suppress(WriteFailed):  # it is said below
                self._committer.put(_Ended(time.time()))
        with self._reading:
            self._reader.close()  # before the writer's: the last one takes the log along
        self._committer.close()

    def _let_go(self) -> None:
        self._is_let_go = True
        self._lock.release()
        atexit.unregister(self._close_at_exit)

    def _close_at_exit(self) -> None:
        """The program ends, its pools have. What could not be written was said already."""
        if self._generation == fork.generation():
            with suppress(JournalFailed):
                self.close()


def _busy(path: Path) -> JournalBusy:
    """Who has it, as far as its last process tells."""
    pid = since = None
    try:
        connection = open_to_read(path, SCHEMA)
        try:
            found = connection.execute(
                "SELECT pid, started_at FROM process WHERE ended_at IS NULL ORDER BY number DESC LIMIT 1"
            ).fetchone()
        finally:
            connection.close()
        if found is not None:
            pid, since = found
    except (StorageFault, sqlite3.Error, OSError):  # it is just being opened, or is none
        pass
    return JournalBusy(
        f"the journal {path} is open {_by_whom(pid, since)}: it has one writer at a time "
        "(Journal.read() reads it meanwhile; pools of one program may share a Journal)",
        pid=pid,
        since=since,
    )


def _by_whom(pid: int | None, since: float | None) -> str:
    if pid is None or since is None:
        return "elsewhere"
    who = "in this process" if pid == os.getpid() else f"in process {pid}"
    return f"{who} since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(since))}"


def _enter_process(connection: sqlite3.Connection) -> tuple[int, str]:
    """Enter this process; its number, and what tells this journal from all others."""
    library = getattr(sys.modules.get(__name__.partition(".")[0]), "__version__", "")  # of the facade, which is above
    program = (sys.argv[0] if sys.argv else "").encode("utf-8", "backslashreplace").decode()
    done = connection.execute(
        "INSERT INTO process (pid, host, program, library, started_at) VALUES (?, ?, ?, ?, ?)",
        (os.getpid(), platform.node(), program, library, time.time()),
    )
    assert done.lastrowid is not None
    return done.lastrowid, identity_of(connection)


def identity_of(connection: sqlite3.Connection) -> str:
    """What tells this journal from all others: its first process."""
    first = connection.execute("SELECT pid, host, started_at FROM process ORDER BY number LIMIT 1").fetchone()
    return "\0".join(map(repr, first or ()))
