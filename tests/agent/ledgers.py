"""A journal on a sheet of paper: what agents enter is a list of lines, and a process may die after any of them."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actors import AgentPool, JournalChanged, JournalFailed
from actors.agent.ledger import DONE, Entry, EntryState, InDoubt, MemoryLedger, digest_of
from actors.agent.wire import to_text

from ..waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from actors import AgentOutcome
    from actors.agent.recorder import Identity

    Line = tuple[str, str, str, str, str]


class Paper:
    """What one agent has entered, in all processes.

    Args:
        room: Lines that may still be written; then every write fails, as in a process that has just died.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.room: int | None = None
        self.opened = 0

    def write(self, line: Line) -> None:
        """Add a line."""
        self.refuse_when_full()
        if self.room is not None:
            self.room -= 1
        self.lines.append(line)

    def refuse_when_full(self) -> None:
        """Raise when nothing more can be written."""
        if self.room == 0:
            raise JournalFailed("the paper is full")

    def paths(self, state: str = "done") -> list[str]:
        """The paths of its lines in that state, in order."""
        return [path for path, found, *_ in self.lines if found == state]


class PaperLedger(MemoryLedger):
    """A ledger over a sheet of paper.

    Args:
        reruns: Is what differs set aside? Else it is refused.
    """

    calls_raised_again = False

    def __init__(self, paper: Paper, in_doubt: InDoubt = InDoubt.TELL, *, reruns: bool = False) -> None:
        super().__init__()
        self.in_doubt = in_doubt
        self.paper = paper
        self.types: list[str] = []
        self._reruns = reruns
        paper.opened += 1
        for path, state, kind, digest, text in paper.lines:
            self.entries[path] = Entry(path, EntryState(state), kind, digest, json.loads(text))
        self._uncounted = set(self.entries)

    def refuse_when_failed(self) -> None:
        """Raise when the paper is full."""
        self.paper.refuse_when_full()

    def secure(self) -> None:
        self.refuse_when_failed()

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
        """Write a line, too."""
        known = self.entries.get(path)
        if known is None or known.state is not DONE:
            self.paper.write((path, state.value, kind, digest, to_text(data)))
            super().enter(path, state, kind, data, digest=digest, safe=safe)

    def count(self, path: str) -> bool:
        """True once for what an earlier process has entered."""
        is_new = path in self._uncounted
        self._uncounted.discard(path)
        return is_new

    def set_aside(self, path: str, what: str) -> None:
        """Refuse it, or forget it."""
        if not self._reruns:
            raise JournalChanged(f"{what} differs", path=path, what=what)
        super().set_aside(path, what)

    def not_kept(self, type_name: str) -> None:
        """Note it."""
        self.types.append(type_name)

    def effect_key(self, path: str) -> str:
        """The same in all processes."""
        return digest_of(f"{id(self.paper)} {path}")


class PaperRecord:
    """What is recorded of one agent: its ledger alone; its outcome is not kept."""

    def __init__(self, key: str, ledger: PaperLedger) -> None:
        self.key = key
        self.ledger = ledger

    def claim(self, cell: Any) -> str:
        """Its key."""
        return self.key

    def release(self) -> None:
        """Nothing is held."""

    def recall(self) -> None:
        """It is always run."""

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Nothing is kept."""


class Desk:
    """What records agents, each on its own paper, by their keys or names."""

    def __init__(self, in_doubt: InDoubt = InDoubt.TELL, *, reruns: bool = False) -> None:
        self.in_doubt = in_doubt
        self.reruns = reruns
        self.papers: defaultdict[str, Paper] = defaultdict(Paper)
        self.ledgers: list[PaperLedger] = []

    def record(self, identity: Identity) -> PaperRecord:
        """A record with a ledger that knows what earlier processes have entered."""
        key = identity.config.key or identity.manifest.name
        ledger = PaperLedger(self.papers[key], self.in_doubt, reruns=self.reruns)
        self.ledgers.append(ledger)
        return PaperRecord(key, ledger)

    @contextmanager
    def process(self, *args: Any, **fields: Any) -> Iterator[AgentPool]:
        """A pool whose agents are recorded: one process."""
        with AgentPool(*args, abort_timeout=BOUND, **fields) as pool:
            pool._factory._recorder = self
            pool._factory._plans = None  # they are for a pool that records nothing
            yield pool
