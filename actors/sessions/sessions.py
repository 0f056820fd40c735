"""The door of the stored conversations."""

from __future__ import annotations

import warnings
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Self

from ..agent.keys import refuse_bad_id
from ..core.process import fork
from ..core.process.threads import start_from_collector
from ..errors import SessionError
from .session import Session, refuse_no_count

if TYPE_CHECKING:
    import os
    from contextlib import ExitStack
    from types import TracebackType

    from ..agent.turns import SessionStore


class Sessions:
    """Conversations that go on: in a file, over the end of a program, by any number of processes at once.

    A context manager.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, Sessions

        with Sessions("chats.db") as sessions, AgentPool("echo", sessions=sessions) as pool:
            talk = pool.converse(AgentManifest(name="friend"), "user-42")
            talk.ask("My name is Ada.")
            print(talk.ask("What is my name?").unwrap().text)  # also tomorrow, in another process
        ```

        ```text
        What is my name?
        ```

    Args:
        path: The file; it is made if there is none, readable by its owner alone. It holds what was said in the clear.
    Raises:
        SessionError: Another program's file, one that is damaged or of a newer version; or its folder is not there or
            cannot be written.

    Threads: any. It may be shared by pools; its owner closes it, after them.

    Locks: none of its own; ``_must_be_closed`` is written by whoever closes it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Here, and not above: who has none open needs no SQLite.
        from ..storage.file_path import path_of
        from .sqlite_store import SqliteStore

        file = path_of(path, "a file of sessions")
        self._store: SessionStore = SqliteStore(file)
        self._name = f"the file of sessions {file}"
        self._generation = fork.generation()
        self._must_be_closed = True

    @classmethod
    def in_memory(cls) -> Sessions:
        """Sessions that are gone with the process, for tests."""
        from .memory_store import MemoryStore

        return cls.over(MemoryStore())

    @classmethod
    def over(cls, store: SessionStore) -> Sessions:
        """Sessions in a store of your own, which is closed with them."""
        return _SessionsOver(store)

    @property
    def store(self) -> SessionStore:
        """Where the turns are."""
        return self._store

    def get(self, session: str) -> Session:
        """The session of that id: there from its first turn on, and empty before.

        Raises:
            ValueError: It is no id: empty, over 200 characters, or no text.
        """
        refuse_bad_id(session)
        return Session(self._store, session)

    def list(self, limit: int = 50, before: datetime | None = None) -> list[Session]:
        """The sessions, the one that was updated last first.

        Args:
            limit: So many at most.
            before: Only those that were updated last before that moment: with the ``updated_at`` of the last one the
                next ones come. Without a time zone it is local time.
        Raises:
            SessionError: They cannot be read.
        """
        refuse_no_count(0, limit=limit)
        facts = self._store.list(limit, None if before is None else _moment(before))
        return [Session(self._store, each.id, each) for each in facts]

    def delete(self, session: str) -> bool:
        """Drop a session with all its turns; was it there?

        Raises:
            SessionError: It cannot be dropped.
        """
        refuse_bad_id(session)
        return self._store.delete(session)

    def prune(self, before: datetime) -> int:
        """Drop all sessions that were updated last before that moment; how many were there?

        Args:
            before: Without a time zone it is local time.
        Raises:
            SessionError: They cannot be dropped.
        """
        return self._store.prune(_moment(before))

    def close(self) -> None:
        """Let go of the file. Idempotent. Agents that are at a turn cannot store it (``SessionError``).

        Raises:
            SessionError: Something could not be written.
        """
        fork.refuse_after_fork(self._generation)
        self._must_be_closed = False
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._generation != fork.generation():
            return  # a child leaves its parent's block: it is not its to close
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_must_be_closed", False) or self._generation != fork.generation():
            return
        start_from_collector(self._store.close, "actors-sessions-end")
        warnings.warn(f"{self._name} was not closed", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<Sessions: {getattr(self, '_name', 'that could not be opened')}>"


class _SessionsOver(Sessions):
    """Sessions in a store that was given."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._name = f"sessions in a {type(store).__name__}"
        self._generation = fork.generation()
        self._must_be_closed = False


def _moment(before: object) -> datetime:
    if not isinstance(before, datetime):
        raise TypeError(f"before is a datetime, not {type(before).__name__}")
    return before.astimezone() if before.tzinfo is None else before


def opened(sessions: str | os.PathLike[str] | Sessions, ends: ExitStack) -> Sessions:
    """The sessions of a pool; what is opened here is closed by *ends*.

    Raises:
        TypeError: They are none.
        SessionError: They cannot be opened.
    """
    if isinstance(sessions, Sessions):
        return sessions
    mine = Sessions(sessions)
    ends.callback(_close_quietly, mine)
    return mine


def _close_quietly(sessions: Sessions) -> None:
    """Close it, at the end of the pool that opened it: all that was stored is on disk."""
    with suppress(SessionError):
        sessions.close()
