"""Who may write a journal: one process at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING

from ..errors import JournalError
from ..storage.database import uri

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 0.1
"""Seconds for which it is waited for: who only looks whether it is held holds it for a moment."""
PERSISTENCE = 5.0
"""Seconds for which the file is made and looked at again, when others take it away meanwhile: programs that open and
close the journal again and again, say."""


class LockHeldError(Exception):
    """Somebody else holds it."""


class FileLock:
    """An exclusive transaction on an empty file beside the journal, held for life.

    The lock is SQLite's: the system lets go of it however the process dies, on every platform, and two connections of
    one process exclude each other, too. The file is removed when the lock is let go of in order. Whoever waited at the
    removed one holds a lock that nobody sees: so it looks whether the file that it opened is still there.

    No descriptor of our own is ever opened on it: closing one would let go of all locks that the process has there.

    Locks: none; its journal uses it, one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        """Take it.

        Raises:
            LockHeldError: Somebody else has it.
            JournalError: It cannot be taken here.
        """
        self._path = path
        self._mine: tuple[int, int, int] | None = None
        self._connection: sqlite3.Connection | None = self._take()

    def _take(self) -> sqlite3.Connection:
        end = time.monotonic() + PERSISTENCE
        while time.monotonic() < end:
            before = self._identity()
            connection = self._begin()
            if before is not None and self._identity() == before:
                self._mine = before
                return connection
            connection.close()
        raise JournalError(f"{self._path} is taken away again and again: something else removes it")

    def _begin(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                uri(self._path, "rwc"),
                uri=True,
                timeout=PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("PRAGMA journal_mode = MEMORY")  # there is nothing to be rolled back
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            code = getattr(error, "sqlite_errorname", "") or ""
            if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise LockHeldError from error
            raise JournalError(f"{self._path}: the lock of the journal cannot be taken: {error}") from error
        return connection

    def _identity(self) -> tuple[int, int, int] | None:
        """Which file stands there now; None when there is none."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalError(f"{self._path}: the lock of the journal cannot be taken: {error.strerror}") from error
        if found.st_size:
            raise JournalError(f"{self._path} is no lock of a journal (it is not empty): move it away")
        return found.st_dev, found.st_ino, found.st_ctime_ns

    def release(self) -> None:
        """Let go of it, and remove its file: while it is held, so that nobody else's is removed. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._identity() == self._mine:
                os.unlink(self._path)
        except (OSError, JournalError):  # it is not ours any more, or the next one takes it as it is
            pass
        finally:
            connection.close()
