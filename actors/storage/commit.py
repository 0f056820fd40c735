"""Writes entries behind, in order, many in one transaction."""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..core.checks import leaf_lock
from ..core.process import fork
from ..core.waiting.waiter import LOOK_OUT, Waiter
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
IDLE = 0.02
"""Seconds without an entry after which nobody seems to wait for the writer: the time to copy the log."""
CHECKPOINT_AT = 1_000
"""Pages of the log from which it is copied into the file when nobody waits. 1,000 is SQLite's own number."""
CHECKPOINT_BY = 16_000
"""Pages of the log at which it is copied in any case: it must not grow without bound."""
EXIT_PATIENCE = 10.0
"""Seconds for which the end of the program waits for a disk that does not answer."""


class Ticket:
    """One entry that somebody waits for."""

    __slots__ = ("entry", "error", "waiter")

    def __init__(self, entry: Any) -> None:
        self.entry = entry
        self.error: WriteFailed | None = None
        self.waiter = Waiter()

    def settle(self, error: WriteFailed | None) -> None:
        """It is committed, or never will be; what was said first holds."""
        if not self.waiter.woken:
            self.error = error
        self.waiter.wake()


class Committer:
    """One line of entries, first in, first out, and one thread that writes what is there in one transaction.

    Guarantees: what is in the file is a prefix of what was added; :meth:`put` returns when its entry, and so all
    before it, is committed; after a write that failed nothing is written any more, and everybody is told (but where
    each entry stands for itself: then only those are told that are not there, and it goes on). Whatever
    ends the thread, nobody is left asleep; whoever is interrupted leaves nobody else asleep, and what it has added is
    written with the next entry at the latest. A program that ends without :meth:`close` writes what is in the line.

    Args:
        connection: Used by the writer's thread alone from now on, which closes it.
        path: The file, for messages and to look at the length of its log.
        write: Writes some entries, inside a transaction.
        name: For the thread.
        is_prefix: False: each entry stands for itself, and none is missed by those behind it. What could not be
            written of several together is tried one by one, so ``write`` may get an entry twice.
    Raises:
        WriteFailed: No thread can be started. The connection is closed.

    Threads: any.

    Locks: ``_lock`` guards ``_line``, ``_hurry``, ``_bell``, ``_quorum``, ``_full``, ``_closing``, ``_failure`` and
    ``added``, which anybody may read; nothing is written, woken or waited for while it is held. An entry leaves the
    line, and a waiter ``_full``, after it was told: so whoever cleans up after the thread finds it. ``_copied`` and
    ``committed``, which anybody may read, belong to the writer's thread.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, write: Write, *, name: str, is_prefix: bool = True
    ) -> None:
        self._connection = connection
        self._is_prefix = is_prefix
        self._path = path
        self._log = f"{path}-wal"
        self._write = write
        self._lock = leaf_lock()
        self._line: deque[Any] = deque()
        self.added = 0
        """So many entries have stood in the line until now."""
        self.committed = 0
        """The first so many of them are committed."""
        self._hurry = False  # somebody waits for one in the line
        self._bell: Waiter | None = None  # where the writer waits; only the writer takes it down
        self._quorum = 1  # so many in the line ring it, or one that is waited for
        self._full: list[Waiter] = []
        self._closing = False
        self._failure: WriteFailed | None = None
        self._mark = fork.mark()
        self._generation = self._mark.generation
        self._copied = 0  # pages of the log when it was last copied, if it could not be emptied
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            (self._page,) = connection.execute("PRAGMA page_size").fetchone()
            self._thread.start()
        except BaseException as error:
            self._give_up_start()
            if isinstance(error, RuntimeError):  # "can't start new thread"
                raise WriteFailed(f"{path} cannot be written: {error}") from error
            raise
        atexit.register(self._close_at_exit)

    def _give_up_start(self) -> None:
        """The start failed, or was interrupted when the thread was there already: then it closes the connection."""
        self._ask_to_end()
        if self._thread.ident is None:
            self._connection.close()

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

        A cancel does not end the wait: it lasts as long as a commit, and whoever left it would not know what is
        recorded. An interrupt (Ctrl-C) does; the entry stays in the line, and is written.

        Raises:
            WriteFailed: It could not be written. After a fault of the disk it may be there all the same.
        """
        ticket = Ticket(entry)
        while (room := self._append(ticket)) is not None:
            room.wait()
        ticket.waiter.wait()
        if ticket.error is not None:
            raise WriteFailed(str(ticket.error)) from ticket.error

    def _append(self, entry: Any) -> Waiter | None:
        """Stand in the line; a place to wait at, when there is no room."""
        if self._mark.generation != self._generation:
            fork.refuse_after_fork(self._generation)
        is_urgent = type(entry) is Ticket
        bell: Waiter | None = None
        try:
            with self._lock:
                if self._failure is not None or self._closing:
                    raise self._refusal()
                behind = len(self._line)
                if behind >= MOST_BEHIND:
                    room = Waiter()
                    self._full.append(room)
                    return room
                if is_urgent:
                    self._hurry = True
                if is_urgent or behind + 1 >= self._quorum:
                    bell = self._bell
                self.added += 1  # first: one that is interrupted in between makes nobody take another for committed
                self._line.append(entry)
        finally:  # also when it was interrupted on its way out
            if bell is not None:
                bell.wake()
        return None

    def _refusal(self) -> WriteFailed:
        if self._failure is None:
            return WriteFailed(f"{self._path} is closed")
        refusal = WriteFailed(str(self._failure))
        refusal.__cause__ = self._failure
        return refusal

    def close(self) -> None:
        """Write what is in the line, copy the log into the file, and end the thread. Idempotent.

        One that was interrupted goes on when it is called again.

        Raises:
            WriteFailed: Something could not be written.
        """
        fork.refuse_after_fork(self._generation)
        self._ask_to_end()
        while not self._ended.wait(LOOK_OUT):  # not join(): one that is interrupted takes the thread for dead (3.11)
            pass
        self._thread.join()
        atexit.unregister(self._close_at_exit)
        if self._failure is not None:
            raise self._refusal()

    def _ask_to_end(self) -> None:
        with self._lock:
            self._closing = True
            bell = self._bell
        if bell is not None:
            bell.wake()

    def _close_at_exit(self) -> None:
        """The program ends, its pools have: write what is left. Nobody would see an error, and it is in the log."""
        if self._mark.generation == self._generation:
            self._ask_to_end()
            self._ended.wait(EXIT_PATIENCE)

    # The writer's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._write_all()
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must be told
            self._fail(error)
        finally:
            try:
                self._end()
            finally:
                self._ended.set()

    def _write_all(self) -> None:
        while self._await_work():
            group = self._first_in_line()
            if self._is_prefix:
                self._commit(group)
            else:
                self._commit_what_can_be(group)
            self.committed += len(group)
            self._tell(group)
            self._leave_line(len(group))
            self._make_room()
            self._copy_log(CHECKPOINT_BY)

    def _await_work(self) -> bool:
        """Wait until there is something to write; False when it is closed and all is written."""
        self._gather()  # first: while there is work, entries that nobody waits for need not wake it
        bell = self._hang_bell(1)
        if bell is not None:
            if not bell.wait(IDLE):
                self._copy_log(CHECKPOINT_AT)
                bell.wait()
            self._gather()
        with self._lock:
            self._bell = None
            return bool(self._line) or not self._closing

    def _gather(self) -> None:
        """Let entries come together, unless there are many, or somebody waits for one."""
        bell = self._hang_bell(GROUP)
        if bell is not None:
            bell.wait(GATHER)

    def _hang_bell(self, quorum: int) -> Waiter | None:
        """Where to wait for so many entries, or one that is waited for; None when there is no need to."""
        with self._lock:
            is_time = self._hurry or self._closing or len(self._line) >= quorum
            self._quorum = quorum
            self._bell = None if is_time else Waiter()
            return self._bell

    def _first_in_line(self) -> list[Any]:
        with self._lock:
            self._hurry = self._hurry and len(self._line) > GROUP
            return list(islice(self._line, GROUP))

    def _leave_line(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._line.popleft()

    def _make_room(self) -> None:
        """Let those go on who found the line full: all together, when half of it is written."""
        if not self._full or len(self._line) > MOST_BEHIND // 2:
            return
        for waiter in tuple(self._full):
            waiter.wake()
        with self._lock:
            self._full = [waiter for waiter in self._full if not waiter.woken]

    def _commit(self, group: Sequence[Any]) -> None:
        if not group:  # whoever rang was interrupted before it stood in the line
            return
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(connection, [entry.entry if type(entry) is Ticket else entry for entry in group])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _commit_what_can_be(self, group: Sequence[Any]) -> None:
        """Commit *group*; where that fails, each entry alone, and tell those that fail again."""
        try:
            self._commit(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told to those whom it concerns
            is_held = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")  # it was waited for already
            if len(group) == 1 or is_held:
                self._refuse(group, error)
                return
            for entry in group:
                self._commit_what_can_be([entry])

    def _refuse(self, group: Sequence[Any], error: Exception) -> None:
        failure = WriteFailed(f"{self._path} could not be written: {error}")
        failure.__cause__ = error
        logger.error("{}", failure)
        self._tell(group, failure)

    @staticmethod
    def _tell(entries: Sequence[Any], error: WriteFailed | None = None) -> None:
        for entry in entries:
            if type(entry) is Ticket:
                entry.settle(error)

    def _fail(self, error: BaseException) -> None:
        """Nothing is written any more: a smaller entry might fit a disk that is full, and the file had a gap."""
        failure = WriteFailed(f"{self._path} could not be written: {error}")
        failure.__cause__ = error
        with self._lock:
            self._failure = failure
            left, full = tuple(self._line), tuple(self._full)
            self._line.clear()
            self._full.clear()
        self._tell(left, failure)
        for waiter in full:
            waiter.wake()
        logger.error("{}; it stops: nothing is recorded any more", failure)

    def _copy_log(self, at: int) -> None:
        """Copy the log into the file, and empty it, when it has so many pages.

        It would be written from its beginning again in any case, but keep its length: nobody could see how full it is.
        A reader may stand in the way; it is not waited for, but tried again when the log has grown.
        """
        try:
            pages = os.stat(self._log).st_size // (self._page + 24)
        except OSError:  # there is none yet
            return
        if pages >= max(at, self._copied + CHECKPOINT_AT):
            try:
                self._copied = pages if self._checkpoint(patience=0) else 0
            except Exception as error:  # all is committed; it is tried again when the log has grown
                if self._is_prefix:
                    raise
                self._copied = pages
                logger.warning("{}: the log was not copied: {}", self._path, error)

    def _checkpoint(self, patience: int) -> bool:
        """Copy the log and empty it; did somebody stand in the way, for so many milliseconds?"""
        (before,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
        self._connection.execute(f"PRAGMA busy_timeout = {patience}")
        try:
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {before}")
        return bool(busy)

    def _end(self) -> None:
        try:
            if self._failure is None:
                self._checkpoint(patience=500)
        except Exception as error:  # noqa: BLE001 - all is committed; the next opening reads the log
            logger.debug("{}: the log was not copied: {}", self._path, error)
        finally:
            self._connection.close()
