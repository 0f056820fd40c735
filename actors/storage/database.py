"""Opens a SQLite file: whose it is, which version, and how it is written."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from .durability import Durability
from .faults import Damaged, NotOurs, StorageFault, TooNew, Unsuitable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PATIENCE = 5.0
"""Seconds that a lock of another connection (a reader that opens, a checkpoint) is waited for."""
DAMAGES = ("malformed", "no such table", "no such column", "has no column")
"""What SQLite says, under a general code, of a file of ours that is not as it was made."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Whose files these are, and how they came to be.

    Args:
        application_id: Marks the file as ours (32 bits, signed).
        name: For messages: "journal".
        steps: The SQL that leads from version *n* to *n* + 1, from an empty file on; their number is the version.
    """

    application_id: int
    name: str
    steps: Sequence[str]

    @property
    def version(self) -> int:
        """That of a file which is up to date."""
        return len(self.steps)


def open_to_write(
    path: Path, schema: Schema, durability: Durability = Durability.PROCESS, *, patience: float = PATIENCE
) -> sqlite3.Connection:
    """Open *path*, made (readable by its owner alone) or brought up to date if need be, to be written by one thread.

    A process that is killed meanwhile leaves a file in which all of it has happened, or nothing. Several may open it
    at once, also where there is none yet.

    Args:
        patience: Seconds for which a transaction of another connection is waited for, now and at each write.
    Raises:
        NotOurs: Another program's file.
        Damaged: It is not whole.
        TooNew: A newer version has written it.
        Unsuitable: The folder is not there or read only, its file system allows no write-ahead log, or the file has a
            second name.
    """
    _touch(path)
    _refuse_unwritable(path, schema)
    connection = _connect(path, "rw", schema, patience)
    try:
        with faults_of(path, schema):
            version = _version(connection, path, schema)
            if version == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise Unsuitable(
                    f"{path}: this file system allows no write-ahead log (it offers {mode!r}); use a local disk"
                )
            connection.execute(f"PRAGMA synchronous = {'FULL' if durability is Durability.POWER else 'NORMAL'}")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # whoever writes says when: a checkpoint holds it up
            if version < schema.version:
                _migrate(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, schema: Schema) -> sqlite3.Connection:
    """Open *path* to read alone, also while another process writes it.

    Raises:
        FileNotFoundError: There is none.
        NotOurs, Damaged, TooNew, Unsuitable: As for :func:`open_to_write`.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no {schema.name} {path}")
    _look_at(path, schema)
    connection = _connect(path, _mode_to_read(path), schema)
    try:
        with faults_of(path, schema):
            connection.execute("PRAGMA query_only = ON")
            version = _version(connection, path, schema)
            if version == 0:
                raise Unsuitable(f"{path} is empty: there is no {schema.name} in it yet")
            if version < schema.version:
                raise Unsuitable(
                    f"{path}: an older version of the library has written this {schema.name}; open it once to write"
                )
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def faults_of(path: Path, schema: Schema) -> Iterator[None]:
    """Say what SQLite raises in the words of this room."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault_of(error, path, schema) from error


def fault_of(error: sqlite3.Error, path: Path, schema: Schema) -> StorageFault:
    """What *error* is, in the words of this room."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith("SQLITE_NOTADB"):
        return NotOurs(f"{path} is no {schema.name}: {error}")
    if code.startswith("SQLITE_CORRUPT") or (code == "SQLITE_ERROR" and any(sign in str(error) for sign in DAMAGES)):
        return Damaged(f"{path} is damaged: {error}")
    return Unsuitable(f"{path}: {error} ({code or type(error).__name__})")


def _touch(path: Path) -> None:
    """Make an empty file that only its owner may read, if there is none."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise Unsuitable(f"{path}: {os.strerror(errno.EISDIR)}") from None
    except FileNotFoundError:
        raise Unsuitable(f"{path}: its folder is not there") from None
    except OSError as error:
        raise Unsuitable(f"{path}: {error.strerror or error}") from error


def _look_at(path: Path, schema: Schema) -> os.stat_result:
    """Before SQLite does: to open a pipe might take for ever, and a file of one byte it takes for an empty one.

    Not with a descriptor of our own: closing it would let go of all locks that connections of this process hold on the
    file, and whoever closed it next, in another process, took the log of its writer away.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotOurs(f"{path} is no {schema.name}: it is no file")
    if found.st_size == 1:
        raise NotOurs(f"{path} is no {schema.name}: it is no database")
    return found


def _refuse_unwritable(path: Path, schema: Schema) -> None:
    """Raise when *path* cannot be written, or has a second name: its log would be found under one of them alone."""
    found = _look_at(path, schema)
    if not os.access(path, os.R_OK | os.W_OK):
        raise Unsuitable(f"{path}: {os.strerror(errno.EACCES)}")
    if found.st_nlink > 1:
        raise Unsuitable(
            f"{path} has {found.st_nlink} names (hard links): what is written under one is not seen under the others; "
            "remove those"
        )


def uri(path: Path, mode: str) -> str:
    """What SQLite is told to open: each byte of the name as it is, also where it is no UTF-8."""
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"


def _connect(path: Path, mode: str, schema: Schema, patience: float = PATIENCE) -> sqlite3.Connection:
    with faults_of(path, schema):
        return sqlite3.connect(
            uri(path, mode),
            uri=True,
            timeout=patience,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=32,
        )


def _mode_to_read(path: Path) -> str:
    """How to open *path* so that nothing is left beside it."""
    if os.path.exists(f"{path}-wal"):
        return "ro"
    if not os.access(path.parent, os.W_OK):  # there is no log, and none can be made: so it is all there
        return "ro&immutable=1"
    return "rw" if os.access(path, os.W_OK) else "ro"  # who may write takes along the log that is made for it


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    """The version of the file; 0 for an empty one."""
    owner, version, tables = _marks(connection)
    if not tables and owner in (0, schema.application_id):
        return 0
    if owner != schema.application_id:
        raise NotOurs(f"{path} is no {schema.name}: it is another program's database")
    if version > schema.version:
        raise TooNew(
            f"{path} has version {version} of the {schema.name}'s format, this library knows {schema.version}: "
            "update the library"
        )
    if version < 1:
        raise Damaged(f"{path} is damaged: it has tables and no version")
    return int(version)


def _marks(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Whose file it is, its version, and how many tables it has: at one moment, while another process makes it."""
    is_outside = not connection.in_transaction
    if is_outside:
        connection.execute("BEGIN")
    try:
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        if is_outside and connection.in_transaction:
            connection.execute("ROLLBACK")
    return owner, version, tables


def _migrate(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    """All steps in one transaction. Whoever else opens it meanwhile waits, and finds it done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path, schema)
        for step in schema.steps[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {schema.version}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """Each statement of *script*: ``executescript`` would commit before it begins."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""
