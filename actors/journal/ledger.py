"""What one agent has bought and done, in memory and in the journal."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..agent.ledger import DONE, Entry, EntryState, MemoryLedger, digest_of, is_before
from ..core.records.json_marks import is_utf8
from ..errors import JournalChanged
from .history import VERSION, is_risky
from .settings import OnChange
from .store import strict_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .history import History
    from .settings import Settings
    from .store import Store
    from .told import Told


SECURED: Final = frozenset({"completion", "summary", "tool", "step", "approval", "guardrail"})
"""Kinds that are on disk before the next answer is bought."""


class JournalLedger(MemoryLedger):
    """A ledger that writes all that it is told.

    Args:
        next_life: Numbers the lives of all agents of the journal.
        told: What the journal says in the log.

    Threads: any of the agent's.

    Locks: none more; ``_before``, ``_uncounted`` and ``_ends`` change by single operations, ``key`` is written before
    the agent is admitted, and ``life`` and ``_asides`` by the agent's own thread. ``_marks`` grows by single operations
    of any, and is shortened by the agent's own thread.
    """

    calls_raised_again = False
    is_written = True

    def __init__(self, store: Store, settings: Settings, next_life: Callable[[], int], told: Told) -> None:
        super().__init__(name="journal")  # its effects have other names: see below
        self.in_doubt = settings.in_doubt
        self.key = ""
        """The agent's."""
        self.life = 0
        """The number of the agent's life; 0 before the first."""
        self._store = store
        self._reruns = settings.on_change is OnChange.RERUN
        self._next_life = next_life
        self._told = told
        self._asides: list[int] = []
        self._before: set[str] = set()
        self._uncounted: set[str] = set()
        self._ends: dict[str, Entry] = {}  # those that are just being entered
        self._marks: list[int] = []  # the store's, behind answers and ends of effects that this process has entered

    def belong_to(self, key: str) -> None:
        """It is that of the agent with that *key*."""
        self.key = key

    def load(self, history: History) -> None:
        """Know what earlier processes have entered, and what this one has of the same agent.

        Raises:
            JournalCorrupt: It is not as it was written.
        """
        self._asides = history.asides
        for entry, process in history.entries():
            known = self.entries.get(entry.path)
            if known is None or known.state is not DONE:
                self.entries[entry.path] = entry
                if process != self._store.number:
                    self._before.add(entry.path)
                    self._uncounted.add(entry.path)
                else:  # whoever entered it has counted it, and what was before
                    self._before.discard(entry.path)
                    self._uncounted.discard(entry.path)

    def begin_life(self) -> None:
        """The agent is started (again)."""
        super().begin_life()
        self.life = self._next_life()

    def refuse_when_failed(self) -> None:
        """Raise when nothing can be recorded any more."""
        self._store.refuse_when_failed()

    def secure(self) -> None:
        """Wait until what was bought and done is on disk.

        Raises:
            JournalFailed: It is not, or nothing can be recorded any more.
        """
        marks = self._marks
        known = len(marks)
        self._store.flush(max(marks[:known], default=0))
        del marks[:known]

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
        """Write it, and know it.

        Raises:
            JournalFailed: It cannot be written.
            ValueError: JSON cannot hold it, or the path is no text for a file.
        """
        known = self.entries.get(path)
        if known is not None and known.state is DONE:
            return
        if not is_utf8(path):
            raise ValueError(f"{path!r} has half of a surrogate pair: it cannot be recorded")
        write = strict_text if kind == "step" else to_text  # what a step has returned is a user's
        payload = write({"v": VERSION, **data})
        entry = Entry(path, state, kind, digest, data, time.time())
        if state is DONE and self._ends.setdefault(path, entry) is not entry:
            return  # another thread is just entering it
        try:
            self._store.write(self.key, path, str(state), kind, payload, digest=digest or None, safe=safe)
            self.entries[path] = entry
        finally:
            if state is DONE:
                del self._ends[path]
        if kind in SECURED and not safe:
            self._marks.append(self._store.mark())
        self._before.discard(path)  # whoever enters it counts it
        self._uncounted.discard(path)

    def count(self, path: str) -> bool:
        """Has what stands at *path* still to be counted? True once, for what an earlier process has entered."""
        try:
            self._uncounted.remove(path)
        except KeyError:
            return False
        return True

    def uncounted(self) -> frozenset[str]:
        """The paths of what is known and has still to be counted."""
        return frozenset(self._uncounted)

    def came_before(self, path: str) -> bool:
        """Was what stands at *path* entered by an earlier process?"""
        return path in self._before

    def set_aside(self, path: str, what: str) -> None:
        """The completion at *path* was another one: *what* differs.

        Raises:
            JournalChanged: That is not wanted, or an ``at_most_once`` effect from there on was begun.
        """
        start = int(path)
        risky = [entry.path for entry in self.entries.values() if is_risky(entry) and not is_before(entry.path, start)]
        if risky or not self._reruns:
            raise changed(self.key, path, what, risky=risky, path_of_effect=", ".join(risky))
        self._store.write(self.key, "", "aside", None, to_text({"v": VERSION, "from": path, "what": what}))
        self._asides.append(start)
        super().set_aside(path, what)

    def not_kept(self, type_name: str) -> None:
        """Say so, once for each type."""
        self._told.step_not_kept(type_name)

    @property
    def namer(self) -> Callable[[str], str]:
        """What gives effects their keys, in all processes. What is done after something else was set aside is another
        effect.
        """
        return partial(effect_key, self._store.identity, self.key, asides=tuple(self._asides))


def effect_key(journal: str, key: str, path: str, asides: Iterable[int]) -> str:
    """What names the effect at *path* of the agent of *key* in all its tries.

    Args:
        journal: What tells it from all others.
        asides: From which completion on something was set aside, each time: what is done there then is another effect.
    """
    times = sum(not is_before(path, start) for start in asides)
    return digest_of("\0".join((journal, key, path, str(times))))


def changed(key: str, path: str, what: str, *, risky: object = None, path_of_effect: str = "") -> JournalChanged:
    """What to raise when *what* is not what was recorded."""
    where = f", at completion {path}" if path else ""
    if risky:
        effect = f" ({path_of_effect})" if path_of_effect else ""
        then = f"an effect that must not be done twice was begun{effect}, so it is not run anew: give another key"
    else:
        then = "give another key, or open the journal with on_change='rerun', which sets aside what was recorded"
    return JournalChanged(
        f"agent {key!r}: not what was recorded under this key{where}: {what} differs; {then}",
        key=key,
        path=path,
        what=what,
    )
