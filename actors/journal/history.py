"""What is recorded of one agent, as its lines say one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..agent.ledger import Entry, EntryState, is_before
from ..agent.terms.effect import Effect
from ..core.records.outcome import AgentStatus
from ..errors import JournalVersion
from .store import from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .fingerprint import Parts
    from .store import Row, Store

VERSION = 1
"""Of what a line holds."""


class History:
    """What is recorded of one agent. The last line of a path counts; what was set aside does not.

    Threads: one at a time.
    """

    def __init__(self, store: Store, key: str, rows: Iterable[Row] = ()) -> None:
        """Read *rows*: those of the agent itself at once, those of its ledger when they are asked for.

        Raises:
            JournalCorrupt: A line is not as it was written.
        """
        self._store = store
        self._key = key
        self.fingerprint: Parts | None = None
        """None: it was never admitted, or what it was is set aside."""
        self.ended: Mapping[str, Any] | None = None
        """How it ended last."""
        self.ended_by = 0
        """The process in which it did."""
        self.begun: set[int] = set()
        """Processes in which it was begun, and has not ended."""
        self.lost: set[int] = set()
        """Processes in which it went with the machine that it lived on."""
        self.asides: list[int] = []
        """From which completion on something was set aside, each time; 0 for all."""
        self.is_pruned = False
        """Were its steps dropped? Then how it ended is final for good: all of it would have to be done again."""
        self._dropped_risky = False
        self._steps: list[Row] = []
        for row in rows:
            if row.kind is None:
                self._take(row)
            else:
                self._steps.append(row)

    def _take(self, row: Row) -> None:
        try:
            if row.state == "begun":
                self.begun.add(row.process)
            elif row.state == "ended":
                self.begun.discard(row.process)
                self.ended, self.ended_by = self._data(row), row.process
                if self.ended["status"] == AgentStatus.LOST:
                    self.lost.add(row.process)
            elif row.state == "admitted":
                self.fingerprint = dict(self._data(row)["fingerprint"])
            elif row.state == "refused":
                self.fingerprint = None
            elif row.state == "pruned":
                self.is_pruned, self._dropped_risky = True, self._data(row)["at_most_once"]
            elif row.state == "aside":
                self._set_aside(self._data(row)["from"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._store.damaged(self._key, row, f"it cannot be read ({error!r})") from error

    def _set_aside(self, start: str) -> None:
        self.asides.append(int(start or 0))
        if start:
            self._steps = [row for row in self._steps if is_before(row.path, int(start))]
        else:
            self._steps = []
            self.fingerprint = self.ended = None
            self.begun, self.lost = set(), set()
            self.is_pruned = False

    def _data(self, row: Row) -> Any:
        try:
            data = from_text(row.payload)
            version = data.pop("v")
        except (ValueError, KeyError, AttributeError) as error:
            raise self._store.damaged(self._key, row, f"it cannot be read ({error!r})") from error
        if version != VERSION:
            raise JournalVersion(
                f"entry {row.seq} of {self._store.path} has version {version!r}, this library knows {VERSION}: "
                "update the library"
            )
        return data

    def entries(self) -> Iterator[tuple[Entry, int]]:
        """What its ledger had entered, in order, each with its process.

        Raises:
            JournalCorrupt: A line is not as it was written.
        """
        for row in self._steps:
            try:
                state = EntryState(row.state)
            except ValueError as error:
                raise self._store.damaged(self._key, row, "it has no such state") from error
            yield Entry(row.path, state, row.kind or "", row.digest or "", self._data(row), row.at), row.process

    def has_risky(self) -> bool:
        """Was an effect begun that must not be done twice?"""
        return self._dropped_risky or any(is_risky(entry) for entry, _ in self.entries())


def is_risky(entry: Entry) -> bool:
    """Is it an effect that must not be done twice?"""
    return entry.data.get("effect") == Effect.AT_MOST_ONCE
