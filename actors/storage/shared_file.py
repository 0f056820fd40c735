"""A file that any number of threads and processes read and write."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ..core.checks import leaf_lock
from ..core.process import fork
from .commit import Committer
from .database import fault_of, faults_of, open_to_read, open_to_write
from .errand import Errand, run_all
from .faults import Unsuitable, WriteFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .database import Schema

ResultT = TypeVar("ResultT")

PATIENCE = 30.0
"""Seconds that a write of another process is waited for."""
READERS = 4
"""Connections for reading, at most."""


class SharedFile:
    """One writer's thread, and some connections to read.

    Guarantees: what :meth:`write` returned for is committed, whole; what it raised for has left no trace (after a fault
    of the disk, or of a process that writes for longer than the patience, it is tried again with the next write).
    :meth:`read` sees one state of the file, with all that was committed before; it waits for no write. After
    :meth:`close` both raise.

    Args:
        path: With all links followed; it is made if there is none, readable by its owner alone.
        schema: Whose file it is.
        thread: The name of the writer's thread.
    Raises:
        StorageFault: As for ``open_to_write``.

    Threads: any. Processes: any number.

    Locks: ``_lock`` guards ``_free`` and ``_is_closed``. ``_seats`` counts those who read, and is held while one does.
    """

    def __init__(self, path: Path, schema: Schema, *, thread: str) -> None:
        self.path = path
        self._schema = schema
        self._generation = fork.generation()
        self._lock = leaf_lock()
        self._seats = threading.BoundedSemaphore(READERS)
        self._free: deque[sqlite3.Connection] = deque()
        self._is_closed = False
        connection = open_to_write(path, schema, patience=PATIENCE)
        self._committer = Committer(connection, path, run_all, name=thread, is_prefix=False)

    def write(self, do: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Call *do* with the writer's connection, on its thread, in a transaction that others share; return what it
        returned when that is committed. Where that fails it is called once more: it changes nothing but the file.

        Raises:
            StorageFault: It could not be written, or the file is closed.
            Exception: What *do* raises.
        """
        errand = Errand(do)
        self._committer.put(errand)
        try:
            result: ResultT = errand.result()
        except sqlite3.Error as error:
            raise fault_of(error, self.path, self._schema) from error
        return result

    def read(self, do: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Call *do* with a connection that reads one state of the file; return what it returned.

        Raises:
            StorageFault: It could not be read, or the file is closed.
            Exception: What *do* raises.
        """
        fork.refuse_after_fork(self._generation)
        with self._seats, self._reader() as connection, faults_of(self.path, self._schema):
            connection.execute("BEGIN")
            try:
                return do(connection)
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._is_closed:
                raise WriteFailed(f"{self.path} is closed")
            connection = self._free.pop() if self._free else None
        if connection is None:
            connection = self._open_reader()
        try:
            yield connection
        finally:
            with self._lock:
                is_kept = not self._is_closed and not connection.in_transaction
                if is_kept:
                    self._free.append(connection)
            if not is_kept:
                connection.close()

    def _open_reader(self) -> sqlite3.Connection:
        try:
            return open_to_read(self.path, self._schema)
        except FileNotFoundError as error:
            raise Unsuitable(f"{self.path} was taken away while it was open") from error

    def close(self) -> None:
        """Write what is in the line, and let go of the file. Who reads meanwhile reads to the end. Idempotent.

        Raises:
            WriteFailed: Something could not be written.
        """
        with self._lock:
            self._is_closed = True
            free = tuple(self._free)
            self._free.clear()
        for connection in free:
            connection.close()
        self._committer.close()
