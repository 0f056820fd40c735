"""The ledger of an agent that lives on a host: what it enters is known there, and kept in the program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...agent.ledger import DONE, Entry, EntryState, InDoubt, MemoryLedger
from ...core.records.json_marks import is_utf8
from ...journal.ledger import SECURED
from ...journal.store import strict_text
from ..ledgers import ASIDE, ENTER, ENTER_SAFE, LIFE, NOT_KEPT, SECURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..ledgers import KnownLedger
    from ..program import Program


class NodeLedger(MemoryLedger):
    """Stands on a host for the ledger of an agent. What was known as the agent was placed is known here; what is
    entered is told to the program, which keeps it.

    Guarantees: what is entered comes to the program in order, before the agent's outcome does. The guard and the
    account of the agent begin anew with the host, so ``count`` says of all that they had counted before, once, that
    they have still to count it; budgets are in the program, which knows better.

    Threads: any of the agent's.

    Locks: none more; ``_uncounted`` and ``_ends`` change by single operations, ``_error`` is set once, and whoever
    enters sets ``_is_unsafe`` after that; ``_namer`` and ``_lives`` are the agent's own thread's.
    """

    def __init__(self, program: Program, agent_id: int, known: KnownLedger) -> None:
        super().__init__()
        self._program = program
        self._agent_id = agent_id
        self.in_doubt = InDoubt(known.in_doubt)
        self.calls_raised_again = known.calls_raised_again
        self.is_written = known.is_written
        self.entries = {entry.path: entry for entry in known.entries}
        self._namer = known.namer
        self.counted = set(known.counted)
        self._uncounted = set(known.uncounted)
        self._ends: dict[str, Entry] = {}  # those that are just being entered
        self._lives = 0
        self._is_unsafe = False
        self._error: BaseException | None = None

    def begin_life(self) -> None:
        """The agent is started (again)."""
        super().begin_life()
        self._lives += 1
        if self._lives > 1:  # of the first one the program knows, as it has sent it here
            self._program.note(LIFE, self._agent_id)

    def fail(self, error: BaseException) -> None:
        """What was entered could not be recorded."""
        self._error = self._error or error

    def refuse_when_failed(self) -> None:
        """Raise when it is known that nothing can be recorded any more."""
        if self._error is not None:
            raise self._error

    def secure(self) -> None:
        """Wait until what was bought and done is on disk, if anything was since the last time.

        Raises:
            JournalFailed: It is not, or nothing can be recorded any more.
        """
        self.refuse_when_failed()
        if self._is_unsafe:
            self._is_unsafe = False  # before: what is entered from here on is for the next one
            self._program.ask(SECURE, self._agent_id)

    def enter(
        self,
        path: str,
        state: EntryState,
        kind: str,
        data: Mapping[str, Any],
        *,
        digest: str = "",
        safe: bool = False,
    ) -> None:
        """Know it, and tell the program.

        Raises:
            JournalFailed: It cannot be recorded, or what was entered before could not.
            ValueError: JSON cannot hold it, or the path is no text for a file.
        """
        known = self.entries.get(path)
        if known is not None and known.state is DONE:
            return
        self.refuse_when_failed()
        if self.is_written:
            _refuse_unwritable(path, kind, data)
        entry = Entry(path, state, kind, digest, data, time.time())
        if state is DONE and self._ends.setdefault(path, entry) is not entry:
            return  # another thread is just entering it
        try:
            if safe:  # also without a journal: else it could be done again elsewhere
                self._program.ask(ENTER_SAFE, self._agent_id, path, str(state), kind, data, digest)
            else:
                self._program.note(ENTER, self._agent_id, path, str(state), kind, data, digest)
            self.entries[path] = entry
        finally:
            if state is DONE:
                del self._ends[path]
        if self.is_written and kind in SECURED and not safe:
            self._is_unsafe = True
        self._uncounted.discard(path)  # whoever enters it counts it

    def count(self, path: str) -> bool:
        """Has what stands at *path* still to be counted by guard and account, which are new here?"""
        try:
            self._uncounted.remove(path)
        except KeyError:
            return False
        return True

    def set_aside(self, path: str, what: str) -> None:
        """The completion at *path* was another one: *what* differs.

        Raises:
            JournalChanged: That is not wanted, or an ``at_most_once`` effect from there on was begun.
        """
        self._namer = self._program.ask(ASIDE, self._agent_id, path, what)
        super().set_aside(path, what)

    def not_kept(self, type_name: str) -> None:
        """Have the program say so."""
        if self.is_written:
            self._program.note(NOT_KEPT, self._agent_id, type_name)

    @property
    def namer(self) -> Callable[[str], str]:
        """What gives effects their keys."""
        return self._namer


def _refuse_unwritable(path: str, kind: str, data: Mapping[str, Any]) -> None:
    """Raise here what the journal would raise there, as nobody waits for that."""
    if not is_utf8(path):
        raise ValueError(f"{path!r} has half of a surrogate pair: it cannot be recorded")
    if kind == "step":  # what a step has returned is a user's
        strict_text(dict(data))
