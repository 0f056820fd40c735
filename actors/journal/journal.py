"""The door of a journal."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Self

from ..agent.ledger import InDoubt
from ..core.process import fork
from ..core.process.threads import start_from_collector
from ..errors import JournalFailed
from ..storage.durability import Durability
from .settings import OnChange, path_of, settings_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from contextlib import ExitStack
    from pathlib import Path
    from types import TracebackType

    from ..agent.ledger import InDoubtWord
    from ..agent.recorder import Identity
    from .records import JournalRecord
    from .settings import DurabilityWord, OnChangeWord, StatusWord


class Journal:
    """A file in which agents are recorded: what they have bought and done, and how they ended. A program that is
    started again after any end, and hands in its work again, goes on: who completed comes back without being run, who
    was under way goes on where it stood.

    A context manager::

        from actors import AgentPool, Journal, SpawnConfig

        with Journal("run.db") as journal, AgentPool(driver, journal=journal) as pool:
            for outcome in pool.map(SpawnConfig(manifest, text, key=name) for name, text in documents):
                print(outcome.key, outcome.status, outcome.recalled)

    Args:
        path: The file; it is made if there is none, readable by its owner alone. It holds prompts and answers in the
            clear. While it is open ``path.lock`` stands beside it.
        durability: What is on disk survives the end of the process (``process``), or a power cut, too (``power``).
        final: Statuses that are not run again.
        on_change: What becomes of an agent that is asked something else than what was recorded under its key:
            ``refuse`` (``JournalChanged``), or ``rerun``, which sets aside what was recorded; where an
            ``at_most_once`` effect was begun it is refused all the same.
        in_doubt: What becomes of an effect that was begun, and nobody knows whether it was done: ``tell`` the model,
            ``ask`` for approval, or ``fail``.
        max_attempts: An agent during whose life so many processes died is not begun again (``JournalGaveUp``). None
            has no limit.

    Raises:
        JournalBusy: It is open elsewhere: a journal has one writer at a time.
        JournalCorrupt: It is damaged, or another program's file.
        JournalVersion: A newer version of the library has written it.
        JournalError: Its folder is not there or cannot be written, or has no write-ahead log.

    Threads: any. One journal may be shared by pools; its owner closes it, after them.

    Locks: none; ``_is_closed`` is written by who closes it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability | DurabilityWord = Durability.PROCESS,
        final: Iterable[StatusWord] = ("completed",),
        on_change: OnChange | OnChangeWord = OnChange.REFUSE,
        in_doubt: InDoubt | InDoubtWord = InDoubt.TELL,
        max_attempts: int | None = None,
    ) -> None:
        self._is_closed = True  # __del__ looks at it, whatever goes wrong below
        settings = settings_of(
            durability=durability, final=final, on_change=on_change, in_doubt=in_doubt, max_attempts=max_attempts
        )
        file = path_of(path)
        # Here, and not above: who has no journal open needs no SQLite.
        from .claims import Claims
        from .fingerprint import Fingerprints
        from .records import Desk
        from .store import Store
        from .told import Told

        self._generation = fork.generation()
        store = Store(file, settings.durability)
        self._desk = Desk(store, settings, Claims(), Fingerprints(), Told())
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The file, with all links followed."""
        return self._desk.store.path

    def refuse_when_failed(self) -> None:
        """Raise when nothing can be recorded any more.

        Raises:
            JournalFailed: It was closed, or could not be written.
        """
        self._desk.store.refuse_when_failed()

    def record(self, identity: Identity) -> JournalRecord:
        """What is recorded of the agent that is about to be started. For pools."""
        from .records import JournalRecord

        return JournalRecord(self._desk, identity)

    def close(self) -> None:
        """Write what is left, and let go of the file. Idempotent. Agents that still run fail (``JournalFailed``).

        Raises:
            JournalFailed: Something could not be written.
        """
        if self._is_closed:
            return
        self._desk.store.close()
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._generation != fork.generation():
            return  # a child leaves its parent's block: it is not its to close
        self.close()

    def __del__(self) -> None:
        if self._is_closed or self._generation != fork.generation():
            return
        start_from_collector(self._desk.store.close, "actors-journal-end")
        warnings.warn(f"the journal {self.path} was not closed", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<Journal {'that could not be opened' if not hasattr(self, '_desk') else self.path}>"


def opened(journal: str | os.PathLike[str] | Journal, ends: ExitStack) -> Journal:
    """The journal of a pool; one that is opened here is closed by *ends*."""
    if isinstance(journal, Journal):
        journal.refuse_when_failed()
        return journal
    mine = Journal(journal)
    ends.callback(_close_quietly, mine)
    return mine


def _close_quietly(journal: Journal) -> None:
    """Close it, at the end of the pool that opened it. What could not be written was said already."""
    try:
        journal.close()
    except JournalFailed:
        pass
