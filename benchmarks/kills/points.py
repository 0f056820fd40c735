"""Named points of a program with a journal, at one of which it kills itself. Only here; the library knows none of it.

``enter PATH STATE: before`` and ``after``: an entry gets into the line. ``commit PATH STATE: before`` and ``after``: it
is written. ``ask TURN: before``, ``asked``, ``answered``; ``execute: before``, ``inside``; ``approve: before``; ``seen:
after``. What stood in the line before the point is on disk by then, so each point has one outcome.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from actors.storage.commit import Committer

from .outside import kill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE = 20.0


class Points:
    """Those of this process.

    Args:
        wanted: Where it dies; None: nowhere.
        name_of: What an entry in the line is called; None for one that has no name.

    Threads: any.
    """

    def __init__(self, wanted: str | None, name_of: Callable[[Any], str | None]) -> None:
        self._wanted = wanted
        self._name_of = name_of
        self._entry = wanted.partition(" ")[2].partition(":")[0] if wanted and " " in wanted else None
        self._changed = threading.Condition()
        self._behind = 0
        self._written: set[str | None] = set()
        self._held = False

    def reach(self, name: str) -> None:
        """The program is there."""
        if name != self._wanted:
            return
        if not name.startswith(("enter", "commit")):
            self.drain()
        kill()

    def drain(self) -> None:
        """Wait until all that was entered is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._behind, PATIENCE)

    def await_written(self, name: str) -> None:
        """Wait until that entry is written; not in a process that is to live."""
        if self._wanted is not None:
            with self._changed:
                self._changed.wait_for(lambda: name in self._written, PATIENCE)

    def watch_the_line(self) -> None:
        """Put the points of the line of entries round its functions."""
        kind: Any = Committer
        add, put, commit = kind.add, kind.put, kind._commit  # noqa: SLF001 - the point is inside

        def entering(enter: Callable[[Committer, Any], None]) -> Callable[[Committer, Any], None]:
            def entered(line: Committer, entry: Any) -> None:
                name = self._name_of(entry)
                if name is not None and name == self._entry:
                    self.drain()
                    self.reach(f"enter {name}: before")
                    self._held = enter is add and self._wanted == f"enter {name}: after"
                with self._changed:
                    self._behind += 1
                enter(line, entry)
                self.reach(f"enter {name}: after")
                if name is not None and name == self._entry:
                    self.drain()  # of an entry that nobody waits for the commit comes first here

            return entered

        def committed(line: Committer, batch: Sequence[Any]) -> None:
            names = [self._name_of(getattr(entry, "entry", entry)) for entry in batch]
            for name in names:
                self.reach(f"commit {name}: before")
            if self._held:
                threading.Event().wait(PATIENCE)  # the process dies before this entry is written
            commit(line, batch)
            for name in names:
                self.reach(f"commit {name}: after")
            with self._changed:
                self._behind -= len(batch)
                self._written.update(names)
                self._changed.notify_all()

        kind.add, kind.put, kind._commit = entering(add), entering(put), committed  # noqa: SLF001
