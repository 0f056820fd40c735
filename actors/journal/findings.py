"""Is a journal whole? What is wrong with it, entry by entry and agent by agent, as far as it can be read."""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..agent.ledger import BEGUN, DONE, is_before
from ..core.figures import counted
from ..core.shown import one_line, shown
from ..public import publish
from .report import agent_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .life import Line
    from .report import Ask

AT_ONCE = 500
"""Entries of one read."""
MOST_OF_DATABASE = 20
"""So many findings of SQLite's own check are told."""
ENDS = frozenset({"completed", "failed", "crashed", "cancelled", "timed_out", "abandoned", "lost"})
_OF_AGENT = frozenset({"admitted", "refused", "begun", "ended", "aside", "pruned"})
_OF_STEP = frozenset({"begun", "done", "raised"})
_BEFORE = frozenset({"heard", "summary", "context"})
"""Kinds that stand before the completion of their number."""


@dataclass(frozen=True, slots=True)
class JournalFinding:
    """Something in a journal that should not be so.

    Args:
        what: What is wrong.
        key: The agent's; None: it is about the whole file.
        path: The effect's; None: it is about the whole agent.
        entry: The number of the entry; None where there is none.
    """

    what: str
    key: str | None = None
    path: str | None = None
    entry: int | None = None

    def __str__(self) -> str:
        place = [f"entry {self.entry:,}"] if self.entry is not None else []
        place += [f"agent {shown(self.key)!s}"] if self.key is not None else []
        place += [f"step {shown(self.path)}"] if self.path else []
        return f"{', '.join(place)}: {self.what}" if place else self.what


def findings_of(ask: Ask) -> Iterator[JournalFinding]:
    """What is wrong with the file, from its pages to the lives of its agents. Never raises for what it finds.

    Args:
        ask: Makes one read, and returns its rows; it raises what SQLite raises.
    """
    yield from _of_database(ask)
    yield from _of_entries(ask)
    try:
        for key, lines in agent_lines(ask):
            yield from _of_agent(key, lines)
    except sqlite3.Error as error:
        yield JournalFinding(f"the agents cannot be read further: {error}")


def _of_database(ask: Ask) -> Iterator[JournalFinding]:
    try:
        found = ask(f"PRAGMA integrity_check({MOST_OF_DATABASE})")
    except sqlite3.Error as error:
        found = [(str(error),)]
    for (text,) in found:
        if text != "ok":
            yield JournalFinding(f"the database is damaged: {one_line(text, 200)}")


# Entries ------------------------------------------------------------------------------------------------------------

_ENTRIES = "SELECT seq, agent, path, process, payload, checksum FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"


def _of_entries(ask: Ask) -> Iterator[JournalFinding]:
    """Each payload by its checksum; where the file cannot be read it goes on behind."""
    try:
        processes = {number for (number,) in ask("SELECT number FROM process")}
    except sqlite3.Error as error:
        yield JournalFinding(f"the list of processes cannot be read: {error}")
        return
    writer = 0
    for row in _readable(ask):
        if isinstance(row, JournalFinding):
            yield row
            continue
        seq, agent, path, process, payload, checksum = row
        what = _problem_of(payload, checksum)
        if what is None and process not in processes:
            what = f"it was written by process {process}, which the journal does not know"
        if what is None and process < writer:
            what = f"process {process} wrote it after process {writer} had the journal"
        if what is not None:
            yield JournalFinding(what, agent, path, seq)
        writer = max(writer, process if process in processes else 0)


def _readable(ask: Ask) -> Iterator[tuple[Any, ...] | JournalFinding]:
    """Every entry that can be read; where one cannot it goes on behind, in longer and longer steps."""
    last, most, step = 0, AT_ONCE, 0
    while step < _FARTHEST:
        try:
            rows = ask(_ENTRIES, last, most)
            if rows and not last < rows[0][0] <= rows[-1][0]:
                raise sqlite3.DatabaseError("entries are out of order")
        except sqlite3.Error as error:
            if most > 1:
                most = 1
                continue
            if not step:
                yield JournalFinding(f"the file cannot be read here: {error}", entry=last + 1)
            step = max(1, 2 * step)
            last += step
            continue
        if not rows:
            return
        yield from rows
        last, most, step = rows[-1][0], min(AT_ONCE, 2 * most), 0


_FARTHEST = 1 << 40
"""So many entries that cannot be read are the end."""


def _problem_of(payload: Any, checksum: Any) -> str | None:
    if payload is None:
        return None if checksum is None else "its payload is missing"
    if not isinstance(payload, str):
        return "its payload is no text"
    if zlib.crc32(payload.encode("utf-8", "surrogatepass")) != checksum:
        return "its payload is not what was written: the checksum differs"
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        return "its payload is no JSON"
    if not isinstance(data, dict) or "v" not in data:
        return "its payload says no version"
    return None


# Agents -------------------------------------------------------------------------------------------------------------


def _of_agent(key: str, lines: list[Line]) -> Iterator[JournalFinding]:
    """Is what stands of one agent what happened, with nothing left out?"""
    history = _History(key, is_pruned=any(line.state == "pruned" for line in lines))
    for line in lines:
        if line.data is not None:  # that was told before
            yield from history.add(line)


class _History:
    """What an agent has done up to one of its entries."""

    def __init__(self, key: str, *, is_pruned: bool) -> None:
        self._key = key
        self._is_pruned = is_pruned
        self._clear()

    def _clear(self) -> None:
        self._admitted = self._begun = False
        self._final: Line | None = None
        self._states: dict[str, str] = {}

    def add(self, line: Line) -> Iterator[JournalFinding]:
        """Take the next entry, and tell what is wrong with it."""
        found = self._of_step(line) if line.path else self._of_life(line)
        for what in found:
            yield JournalFinding(what, self._key, line.path or None, line.seq)

    def _of_life(self, line: Line) -> Iterator[str]:
        state = line.state
        if state not in _OF_AGENT:
            yield f"no agent can be {shown(state)}"
        elif state == "admitted":
            if self._begun:
                yield "it was admitted anew, and what was known of it was not set aside"
            self._admitted = True
        elif state == "refused":
            self._admitted = False
        elif state == "begun":
            if not self._admitted:
                yield "it was begun, and never admitted"
            self._begun = True
        elif state == "ended":
            yield from self._of_end(line)
        elif state == "aside":
            self._set_aside(line)

    def _of_end(self, line: Line) -> Iterator[str]:
        status = line.data.get("status")
        if status not in ENDS:
            yield f"no agent can end {shown(str(status))}"
        if not self._admitted:
            yield "it ended, and was never admitted"
        elif status == "completed" and not self._begun:
            yield "it completed, and was never begun"
        if status != "completed":
            return
        if self._final is not None:
            yield f"it completed again (before: entry {self._final.seq:,})"
        if not self._is_pruned:
            yield from self._of_steps(line.data.get("iterations") or 0)
        self._final = line if line.data.get("kept") else None

    def _of_steps(self, turns: int) -> Iterator[str]:
        # A turn that a guardrail closed may have no completion.
        closed = (path.removesuffix("/@closed") for path in self._states if path.endswith("/@closed"))
        there = sorted({int(path) for path in (*self._states, *closed) if path.isdecimal()})
        lacking = next((number for number, known in enumerate(there) if number != known), None)
        if lacking is not None:
            yield f"it completed, and its completion {lacking + 1:,} is not there"
        elif turns and not there:
            yield f"it completed after {counted(turns, 'iteration')}, of which none is there"

    def _set_aside(self, line: Line) -> None:
        start = line.data.get("from")
        if not start:
            self._clear()
            return
        self._final = None
        self._states = {path: state for path, state in self._states.items() if is_before(path, int(start))}

    def _of_step(self, line: Line) -> Iterator[str]:
        path, state = line.path, line.state
        if state not in _OF_STEP:
            yield f"no step can be {shown(state)}"
            return
        if not self._begun:
            yield "its agent was never begun"
        known = self._states.get(path)
        if state == DONE and known == DONE:
            yield "it was done twice"
        if state != BEGUN and known is None and line.data.get("effect") == "at_most_once":
            yield "it has an end, and was never begun"
        if line.kind not in ("completion", "closed") and not self._has_reason(line):
            yield "it belongs to a completion that is not there"
        if known != DONE:
            self._states[path] = state

    def _has_reason(self, line: Line) -> bool:
        """Is the completion there that asked for it, or, of what stands before one, the one before?"""
        head = line.path.partition("/")[0].partition(".")[0]
        if not head.isdecimal():
            return True
        number = int(head) - (line.kind in _BEFORE or "/@before_completion" in line.path)
        return number < 0 or DONE in (self._states.get(str(number)), self._states.get(f"{number}/@closed"))


publish("actors.journals", JournalFinding)
