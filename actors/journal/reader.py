"""Reads a journal, also while a program writes it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ..core.process import fork
from ..errors import JournalCorrupt, JournalError
from ..storage.database import faults_of, open_to_read
from ..storage.faults import StorageFault
from ..storage.file_path import path_of
from .faults import advice, error_of, is_damage
from .findings import findings_of
from .ledger import effect_key
from .owner import owner_of
from .report import UnknownKey, agents_of, effects_of, one_of
from .store import SCHEMA, identity_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from .findings import JournalFinding
    from .journaled import JournaledAgent, JournaledEffect


class JournalReader:
    """What is in a journal, read only; a context manager. ``Journal.read(path)`` makes one.

    Each read sees what is in the file at that moment, also while a program writes it, and holds nothing open
    afterwards.

    Args:
        path: The file.
        owner: The number of the process that writes it now, where that is known.

    Raises:
        FileNotFoundError: There is none.
        JournalCorrupt: It is damaged, or another program's file.
        JournalVersion: A newer version of the library has written it.
        JournalError: It cannot be read here.

    Threads: any; one read at a time.

    Locks: ``_lock`` guards the connection and ``_is_closed``.
    """

    def __init__(self, path: str | os.PathLike[str], *, owner: int | None = None) -> None:
        self._path = path_of(path, "a journal")
        self._known_owner = owner
        self._lock = threading.Lock()
        self._generation = fork.generation()
        self._is_closed = False
        try:
            self._connection = open_to_read(self._path, SCHEMA)
            try:
                with faults_of(self._path, SCHEMA):
                    self._identity = identity_of(self._connection)
            except BaseException:
                self._connection.close()
                raise
        except StorageFault as fault:
            raise error_of(fault, self._path) from fault

    @property
    def path(self) -> Path:
        """The file, with all links followed."""
        return self._path

    def agents(self) -> Iterator[JournaledAgent]:
        """Every agent, in the order of the keys; read bit by bit, so that a large file does not fill the memory.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, Journal, SpawnConfig

            with AgentPool("echo", journal="run.db") as pool:
                pool.spawn(SpawnConfig(AgentManifest(name="poet"), "rain", key="rain")).result()
            with Journal.read("run.db") as journal:
                for agent in journal.agents():
                    print(agent.key, agent.status, agent.in_doubt)
            ```

            ```text
            rain completed 0
            ```

        Raises:
            JournalCorrupt: An entry cannot be read.
            JournalError: It is closed.
        """
        with self._faults():
            yield from agents_of(self._ask, self._owner)

    def agent(self, key: str) -> JournaledAgent:
        """The agent of *key*.

        Raises:
            KeyError: There is no such agent; the message names the key that is most like it.
            JournalCorrupt: An entry cannot be read.
            JournalError: It is closed.
        """
        _refuse_no_text(key)
        with self._faults():
            return one_of(self._ask, self._owner, key)

    def effects(self, key: str) -> list[JournaledEffect]:
        """What the agent of *key* has bought and done, in the order in which it began.

        Raises:
            KeyError: There is no such agent; the message names the key that is most like it.
            JournalCorrupt: An entry cannot be read.
            JournalError: It is closed.
        """
        _refuse_no_text(key)
        with self._faults():
            return effects_of(self._ask, self._owner, key, partial(effect_key, self._identity))

    def check(self) -> list[JournalFinding]:
        """What is wrong with the file: its pages, the checksums of its entries, and whether it holds all that happened
        before whatever it holds. Empty when it is whole. A damaged file is read as far as that goes.

        Raises:
            JournalError: It is closed.
        """
        return list(findings_of(self._ask))

    def owner(self) -> tuple[int, float] | None:
        """The id of the process that writes the journal now, and since when, in seconds since the epoch; None: none
        does.
        """
        with self._faults():
            number = self._owner()
            found = self._ask("SELECT pid, started_at FROM process WHERE number = ?", number)
        return (int(found[0][0]), float(found[0][1])) if found else None

    def close(self) -> None:
        """Close the file. Idempotent."""
        fork.refuse_after_fork(self._generation)
        with self._lock:
            self._is_closed = True
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or self._generation == fork.generation():
            self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    def _owner(self) -> int | None:
        return owner_of(self._ask, self._path) if self._known_owner is None else self._known_owner

    def _ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one read."""
        fork.refuse_after_fork(self._generation)
        with self._lock:
            if self._is_closed:
                raise JournalError(f"{self._path} is closed: Journal.read(path) reads it")
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Say what comes of a file that is damaged in the words of a journal."""
        try:
            yield
        except UnknownKey:
            raise
        except (sqlite3.Error, LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, sqlite3.Error) and not is_damage(error):
                raise JournalError(f"{self._path} cannot be read: {error}") from error
            raise JournalCorrupt(f"{self._path} is damaged: {error}; {advice(self._path)}") from error


def _refuse_no_text(key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not {type(key).__name__}")
