"""``actors journal show | check | prune``: what is in a journal, whether it is whole, and what can go."""

from __future__ import annotations

import os
import shlex
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import JournalCorrupt, JournalError, JournalFailed
from ..journal.findings import JournalFinding
from ..journal.journal import Journal
from .agent_table import Agents, agents_table, totals
from .check import answer
from .effect_table import doubts, effects_table, headline
from .recording import open_journal
from .refusal import OutputLostError, RefusedError, why
from .terminal import answering, console, say
from .wording import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from ..journal.reader import JournalReader

EXIT_OK = 0
EXIT_FINDINGS = 1
MOST_FINDINGS = 100


def show(path: str, *, agent: str | None = None, everything: bool = False) -> int:
    """Tell how the agents of a journal stand; or what one of them has bought and done.

    Args:
        path: Of the journal; it may be written meanwhile.
        agent: The key of the one.
        everything: All agents, and not only those that matter most.
    Raises:
        RefusedError: There is no such journal, or no such agent.
    """
    with opened(path) as journal:
        try:
            parts = _of_agent(journal, path, agent) if agent is not None else _of_all(journal, path, everything)
            with answering():
                voice = console(sys.stdout)
                for part in parts:
                    whole_lines = isinstance(part, str) and not sys.stdout.isatty()
                    voice.print(part, soft_wrap=whole_lines, markup=False, highlight=False)
        except JournalError as error:
            raise RefusedError(one_line(str(error), 1_000)) from None
    return EXIT_OK


def check(path: str) -> int:
    """Look whether a journal is whole; tell each thing that is not.

    Raises:
        RefusedError: There is no such file, or a newer version has written it.
    """
    rest = "What is whole can still be looked at"
    try:
        with opened(path, damaged=True) as journal:
            found = journal.check()
            count = sum(1 for _ in journal.agents()) if not found else 0
    except JournalCorrupt as error:  # whose cause does not advise what is being done here
        found = [JournalFinding(str(error.__cause__ or error))]
        rest = "Nothing of it can be read: take a copy that is whole, or another path"
    for finding in found[:MOST_FINDINGS]:
        answer(one_line(str(finding), 1_000))
    if len(found) > MOST_FINDINGS:
        answer(f"and {len(found) - MOST_FINDINGS:,} more")
    if found:
        say(f"{path}: {counted(len(found), 'finding')}; nothing was changed. {rest}")
        return EXIT_FINDINGS
    answer(f"{path}: whole ({counted(count, 'agent')})")
    return EXIT_OK


def prune(path: str, *, before: str | None = None) -> int:
    """Drop the steps of agents that completed; tell how much that was.

    Args:
        path: Of the journal; nobody else may have it open.
        before: A date, or a moment, in ISO 8601: only of those that ended earlier.
    Raises:
        RefusedError: There is no such journal, another process writes it, or that is no date.
    """
    limit = None if before is None else _moment(before)
    opened(path).close()  # what is none is not made one
    size = _size(path)
    try:
        with open_journal(path, path) as journal:
            dropped = journal.prune(limit)
    except JournalFailed as error:
        raise OutputLostError(f"{path}: {one_line(str(error), 500)}") from None
    freed = max(0, size - _size(path))
    answer(f"{path}: {_entries(dropped)} dropped, {_bytes(freed)} freed ({_bytes(_size(path))} left)")
    return EXIT_OK


def opened(path: str, *, damaged: bool = False) -> JournalReader:
    """The journal at *path*, to be read.

    Args:
        damaged: Let the caller tell of one that is damaged.
    Raises:
        RefusedError: There is none, or it cannot be read.
        JournalCorrupt: It is damaged, where that was asked for.
    """
    try:
        return Journal.read(path)
    except FileNotFoundError:
        raise RefusedError(f"{path}: there is no such journal") from None
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {why(error)}") from None
    except ValueError as error:
        raise RefusedError(str(error)) from None
    except JournalError as error:
        if damaged and isinstance(error, JournalCorrupt):
            raise
        raise RefusedError(one_line(str(error), 1_000)) from None


def _of_all(journal: JournalReader, path: str, everything: bool) -> Iterator[RenderableType]:
    found = Agents(None if everything else Agents.MOST)
    for agent in journal.agents():
        found.add(agent)
    if not found.count:
        yield f"{path}: no agents yet"
        return
    yield agents_table(found.rows(), console(sys.stdout).width)
    yield ""
    yield from totals(found, path, _writer(journal))


def _of_agent(journal: JournalReader, path: str, key: str) -> Iterator[RenderableType]:
    try:
        effects = journal.effects(key)
    except KeyError as error:
        raise RefusedError(f"{path}: {one_line(str(error), 1_500)}; actors journal show {shlex.quote(path)}") from None
    yield from headline(journal.agent(key))
    if effects:
        yield ""
        yield effects_table(effects, console(sys.stdout).width)
        found = list(doubts(effects))
        yield from ["", *found] if found else []


def _writer(journal: JournalReader) -> str | None:
    owner = journal.owner()
    if owner is None:
        return None
    return f"process {owner[0]} writes it, since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(owner[1]))}"


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise RefusedError(
            f"--before {one_line(text, 60)}: is no date: write 2026-01-31, or 2026-01-31T18:00 (local time)"
        ) from None


def _size(path: str) -> int:
    """With what stands in its log as yet."""
    try:
        return sum(os.stat(file).st_size for file in (path, f"{path}-wal") if file == path or os.path.exists(file))
    except OSError as error:
        raise RefusedError(f"{path}: cannot be read: {why(error)}") from None


def _entries(number: int) -> str:
    return f"{number:,} entry" if number == 1 else f"{number:,} entries"


def _bytes(number: int) -> str:
    if number < 10_000:
        return counted(number, "byte")
    return f"{number / 1_000:,.0f} kB" if number < 10_000_000 else f"{number / 1_000_000:,.0f} MB"
