"""Writes entries behind, in order, many in one transaction."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..core.checks import leaf_lock
from ..core.process import fork
from ..core.waiting.waiter import Waiter
from .faults import WriteFailed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Write = Callable[[sqlite3.Connection, Sequence[Any]], object]

GROUP = 500
"""Entries of one transaction at most."""
MOST_BEHIND = 10_000
"""So many may wait to be written: then whoever adds one waits, too."""
GATHER = 0.003
"""Seconds for which entries that nobody waits for are gathered: to wake the writer costs more than to note one."""
CHECKPOINT_AT = 1_000
"""Pages of the log from which it is copied into the file when nobody waits. 1,000 is SQLite's own number."""
CHECKPOINT_BY = 16_000
"""Pages of the log at which it is copied in any case: it must not grow without bound."""


class Ticket:
    """One entry that somebody waits for."""

    __slots__ = ("entry", "error", "waiter")

    def __init__(self, entry: Any) -> None:
        self.entry = entry
        self.error: WriteFailed | None = None
        self.waiter = Waiter()

    def settle(self, error: WriteFailed | None) -> None:
        """It is committed, or never will be."""
        self.error = error
        self.waiter.wake()


class Committer:
    """One line of entries, first in, first out, and one thread that writes what is there in one transaction.

    Guarantees: what is in the file is a prefix of what was added; :meth:`put` returns when its entry, and so all
    before it, is committed; after a write that failed nothing is written any more, and everybody is told. Whatever
    ends the thread, nobody is left asleep.

    Args:
        connection: Used by the writer's thread alone from now on, which closes it.
        path: The file, for messages and to look at the length of its log.
        write: Writes some entries, inside a transaction.
        name: For the thread.

    Threads: any.

    Locks: ``_lock`` guards ``_line``, ``_urgent``, ``_sleeper``, ``_gatherer``, ``_full``, ``_closing`` and
    ``_failure``; nothing is written, woken or waited for while it is held.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, write: Write, *, name: str) -> None:
        self._connection = connection
        self._path = path
        self._log = f"{path}-wal"
        self._write = write
        self._lock = leaf_lock()
        self._line: deque[Any] = deque()
        self._urgent = 0  # how many in the line are waited for
        self._sleeper: Waiter | None = None  # the writer, while there is nothing to write
        self._gatherer: Waiter | None = None  # the writer, while it waits for more
        self._full: list[Waiter] = []
        self._closing = False
        self._failure: WriteFailed | None = None
        self._generation = fork.generation()
        (self._page,) = connection.execute("PRAGMA page_size").fetchone()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def failure(self) -> WriteFailed | None:
        """Why nothing is written any more; None while all is well."""
        return self._failure

    def add(self, entry: Any) -> None:
        """Put *entry* at the end of the line; it is written soon. Waits only while too many are behind.

        Raises:
            WriteFailed: Nothing is written any more.
        """
        while (room := self._append(entry)) is not None:
            room.wait()

    def put(self, entry: Any) -> None:
        """Put *entry* at the end of the line, and wait until it is committed.

        Raises:
            WriteFailed: It is not, and never will be.
        """
        ticket = Ticket(entry)
        while (room := self._append(ticket)) is not None:
            room.wait()
        ticket.waiter.wait()
        if ticket.error is not None:
            raise WriteFailed(str(ticket.error)) from ticket.error

    def _append(self, entry: Any) -> Waiter | None:
        """Stand in the line; a place to wait at, when there is no room."""
        is_urgent = type(entry) is Ticket
        fork.refuse_after_fork(self._generation)
        with self._lock:
            if self._failure is not None:
                raise WriteFailed(str(self._failure)) from self._failure
            if self._closing:
                raise WriteFailed(f"{self._path} is closed")
            if len(self._line) >= MOST_BEHIND:
                room = Waiter()
                self._full.append(room)
                return room
            self._line.append(entry)
            self._urgent += is_urgent
            sleeper, self._sleeper = self._sleeper, None
            if sleeper is None and (is_urgent or len(self._line) >= GROUP):
                sleeper, self._gatherer = self._gatherer, None
        if sleeper is not None:
            sleeper.wake()
        return None

    def close(self) -> None:
        """Write what is in the line, copy the log into the file, and end the thread. Idempotent.

        Raises:
            WriteFailed: Something could not be written.
        """
        fork.refuse_after_fork(self._generation)
        with self._lock:
            self._closing = True
            sleeper, self._sleeper = self._sleeper or self._gatherer, None
            self._gatherer = None
        if sleeper is not None:
            sleeper.wake()
        self._thread.join()
        if self._failure is not None:
            raise WriteFailed(str(self._failure)) from self._failure

    # The writer's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        batch: list[Any] = []
        try:
            while self._await_work():
                batch = self._take()
                self._commit(batch)
                self._tell(batch)
                batch = []
                self._copy_log()
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            self._fail(error, batch)
        finally:
            self._end()

    def _await_work(self) -> bool:
        """Wait until there is something to write; False when it is closed and all is written."""
        with self._lock:
            if not self._line:
                if self._closing:
                    return False
                self._sleeper = sleeper = Waiter()
            else:
                sleeper = None
        if sleeper is not None:
            sleeper.wait()
        with self._lock:
            if not self._line:
                return not self._closing
            if self._urgent or self._closing or len(self._line) >= GROUP:
                return True
            self._gatherer = gatherer = Waiter()
        gatherer.wait(GATHER)
        with self._lock:
            self._gatherer = None
        return True

    def _take(self) -> list[Any]:
        with self._lock:
            line = self._line
            batch = [line.popleft() for _ in range(min(GROUP, len(line)))]
            self._urgent -= sum(type(entry) is Ticket for entry in batch)
            full: list[Waiter] = []
            if len(line) < MOST_BEHIND // 2:  # not one by one
                full, self._full = self._full, full
        for waiter in full:
            waiter.wake()
        return batch

    def _commit(self, batch: Sequence[Any]) -> None:
        if not batch:
            return
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(connection, [entry.entry if type(entry) is Ticket else entry for entry in batch])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @staticmethod
    def _tell(batch: Sequence[Any], error: WriteFailed | None = None) -> None:
        for entry in batch:
            if isinstance(entry, Ticket):
                entry.settle(error)

    def _fail(self, error: BaseException, batch: Sequence[Any]) -> None:
        """Nothing is written any more: a smaller entry might fit a disk that is full, and the file had a gap."""
        failure = WriteFailed(f"{self._path} could not be written: {error}")
        failure.__cause__ = error
        with self._lock:
            self._failure = failure
            left = [*batch, *self._line]
            self._line.clear()
            self._urgent = 0
            full, self._full = self._full, []
        self._tell(left, failure)
        for waiter in full:
            waiter.wake()
        logger.error("{}; it stops: nothing is recorded any more", failure)

    def _copy_log(self) -> None:
        """Copy the log into the file when nobody waits for the writer, or when it has grown too long."""
        try:
            pages = os.stat(self._log).st_size // (self._page + 24)
        except OSError:  # there is none yet
            return
        if pages >= CHECKPOINT_BY or (pages >= CHECKPOINT_AT and not self._line):
            self._connection.execute(f"PRAGMA wal_checkpoint({'RESTART' if pages >= CHECKPOINT_BY else 'PASSIVE'})")

    def _end(self) -> None:
        try:
            if self._failure is None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Exception as error:  # noqa: BLE001 - all is committed; the next opening reads the log
            logger.debug("{}: the log was not copied: {}", self._path, error)
        finally:
            self._connection.close()
