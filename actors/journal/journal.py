"""The door of a journal."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from ..agent.ledger import InDoubt
from ..core.process import fork
from ..core.process.threads import start_from_collector
from ..errors import JournalError, JournalFailed
from ..storage.durability import Durability
from ..storage.file_path import path_of
from .settings import OnChange, settings_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from contextlib import ExitStack
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from ..agent.ledger import InDoubtWord
    from ..agent.recorder import Identity
    from ..agent.session_keys import KnownAgent
    from .findings import JournalFinding
    from .journaled import JournaledAgent, JournaledEffect
    from .reader import JournalReader
    from .records import JournalRecord
    from .settings import DurabilityWord, OnChangeWord, StatusWord


class Journal:
    """A file in which agents are recorded: what they have bought and done, and how they ended. A program that is
    started again after any end, and hands in its work again, goes on: who completed comes back without being run, who
    was under way goes on where it stood.

    A context manager.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, Journal, SpawnConfig

        reader = AgentManifest(name="reader")
        letters = {"a.txt": "Dear Ada", "b.txt": "Dear Bob"}
        for _ in range(2):  # the second time as a program that is started again
            with Journal("run.db") as journal, AgentPool("echo", journal=journal) as pool:
                for outcome in pool.map(SpawnConfig(reader, text, key=name) for name, text in letters.items()):
                    print(outcome.key, outcome.status, outcome.recalled)
        ```

        ```text
        a.txt completed False
        b.txt completed False
        a.txt completed True
        b.txt completed True
        ```

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
        max_attempts: An agent during whose life so many processes died (on other machines: those that it lived in) is
            not begun again (``JournalGaveUp``). None has no limit.

    Raises:
        JournalBusy: It is open elsewhere: a journal has one writer at a time.
        JournalCorrupt: It is damaged, or another program's file.
        JournalVersion: A newer version of the library has written it.
        JournalError: Its folder is not there or cannot be written, or has no write-ahead log.

    Threads: any. One journal may be shared by pools; its owner closes it, after them.

    Locks: none of its own.
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
        settings = settings_of(
            durability=durability, final=final, on_change=on_change, in_doubt=in_doubt, max_attempts=max_attempts
        )
        file = path_of(path, "a journal")
        # Here, and not above: who has no journal open needs no SQLite.
        from .claims import Claims
        from .fingerprint import Fingerprints
        from .records import Desk
        from .store import Store
        from .told import Told

        self._generation = fork.generation()
        store = Store(file, settings.durability)
        self._desk = Desk(store, settings, Claims(), Fingerprints(), Told())

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
        """What is recorded of the agent that is about to be started. For pools.

        Args:
            identity: What it is and what it is asked, under which key.
        """
        from .records import JournalRecord

        return JournalRecord(self._desk, identity)

    def known(self, key: str, path: str) -> KnownAgent | None:
        """What is known of the agent of *key*, with what stands at *path* of its ledger; None: nothing. For pools.

        Raises:
            JournalError: It cannot be read.
        """
        from .known import known

        return known(self._desk, key, path)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> JournalReader:
        """Open the journal at *path* to read alone, also while a program writes it: it has ``agents``, ``effects``,
        ``check`` and ``close``, and is a context manager.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, Journal, SpawnConfig

            with AgentPool("echo", journal="cost.db") as pool:
                pool.spawn(SpawnConfig(AgentManifest(name="poet"), "rain", key="rain")).result()
            with Journal.read("cost.db") as journal:
                print([(agent.key, agent.cost_usd) for agent in journal.agents()])
            ```

            ```text
            [('rain', 0.0)]
            ```

        Raises:
            FileNotFoundError: There is none.
            JournalCorrupt: It is damaged, or another program's file.
            JournalVersion: A newer version of the library has written it.
            JournalError: It cannot be read here.
        """
        from .reader import JournalReader

        return JournalReader(path)

    def agents(self) -> Iterator[JournaledAgent]:
        """Every agent that is recorded here, in the order of the keys; read bit by bit, so that a large file does not
        fill the memory.

        Raises:
            JournalCorrupt: An entry cannot be read.
            JournalError: The journal is closed.
        """
        with self._report() as report:
            yield from report.agents()

    def effects(self, key: str) -> list[JournaledEffect]:
        """What the agent of *key* has bought and done, in the order in which it began.

        Example:
            ```python
            from actors import AgentManifest, AgentPool, Journal, SpawnConfig

            with Journal("effects.db") as journal, AgentPool("echo", journal=journal) as pool:
                pool.spawn(SpawnConfig(AgentManifest(name="poet"), "rain", key="rain")).result()
                print([(effect.path, effect.kind) for effect in journal.effects("rain")])
            ```

            ```text
            [('0', 'completion')]
            ```

        Raises:
            KeyError: There is no such agent; the message names the key that is most like it.
            JournalCorrupt: An entry cannot be read.
            JournalError: The journal is closed.
        """
        with self._report() as report:
            return report.effects(key)

    def check(self) -> list[JournalFinding]:
        """What is wrong with the file: its pages, the checksums of its entries, and whether it holds all that happened
        before whatever it holds. Empty when it is whole. Reads all of it.

        Raises:
            JournalError: The journal is closed.
        """
        with self._report() as report:
            return report.check()

    def prune(self, before: datetime | None = None) -> int:
        """Drop what the agents have bought and done whose outcome is final (their result is in the journal); the
        outcomes stay, and come back as before. The file gets shorter by it. It may be done at any time: agents that
        run wait for one group of agents at most.

        Args:
            before: Only of those that ended earlier; without a time zone it is local time. None: of all.
        Returns:
            How many entries were dropped.
        Raises:
            JournalFailed: Nothing can be written any more, or the journal is closed.
        """
        from .pruning import prune

        store = self._desk.store
        return prune(store.run, process=store.number, final=self._desk.settings.final, before=before)

    def _report(self) -> JournalReader:
        """To read all that was entered until now, on a connection of its own: agents are started meanwhile."""
        from .reader import JournalReader

        store = self._desk.store
        if store.is_closed:
            raise JournalError(f"{self.path} is closed: Journal.read(path) reads it")
        with suppress(JournalFailed):  # then what is on disk is told
            store.flush()
        return JournalReader(self.path, owner=store.number)

    def close(self) -> None:
        """Write what is left, and let go of the file. Idempotent. Agents that still run fail (``JournalFailed``).

        Raises:
            JournalFailed: Something could not be written.
        """
        self._desk.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._generation != fork.generation():
            return  # a child leaves its parent's block: it is not its to close
        self.close()

    def __del__(self) -> None:
        desk = getattr(self, "_desk", None)  # there is none, if it could not be opened
        if desk is None or desk.store.is_closed or self._generation != fork.generation():
            return
        start_from_collector(desk.store.close, "actors-journal-end")
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
    with suppress(JournalFailed):
        journal.close()
