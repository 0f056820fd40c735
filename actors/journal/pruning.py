"""Drops from a journal what is needed no more: the steps of agents that will not be run again."""

from __future__ import annotations

import json
import time
import zlib
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

    Run = Callable[[Callable[[sqlite3.Connection], Any]], Any]


AT_ONCE = 200
"""So many agents are looked at in one transaction: whoever has something to enter meanwhile waits for one of them."""
PAGES = 1_000
"""So many pages are given back at once."""

_KEYS = "SELECT DISTINCT agent FROM entry WHERE agent > ? ORDER BY agent LIMIT ?"
# The last entry of the agent itself: what stands there counts.
_ENDS = """
SELECT agent, state, at, json_extract(payload, '$.status'), json_extract(payload, '$.kept') FROM entry
WHERE seq IN (SELECT max(seq) FROM entry WHERE agent > ? AND agent <= ? AND path = '' GROUP BY agent)
"""
_HELD_ONE = """
SELECT EXISTS (
    SELECT 1 FROM entry WHERE agent = ? AND path <> '' AND json_extract(payload, '$.effect') = 'at_most_once')
"""
_WORD = "INSERT INTO entry (agent, path, state, process, at, payload, checksum) VALUES (?, '', 'pruned', ?, ?, ?, ?)"


def prune(run: Run, *, process: int, final: Collection[str], before: datetime | None) -> int:
    """Drop the steps of each agent whose outcome is final; the outcome stays, and a word that it was pruned.

    Args:
        run: Calls what it is given with the connection, in the writer's thread and in a transaction.
        process: The number of the one that prunes.
        final: Statuses of agents that are not run again.
        before: Only of those that ended earlier; without a time zone it is local time. None: of all.
    Returns:
        How many entries were dropped.
    """
    if before is not None and not isinstance(before, datetime):
        raise TypeError(f"before is a datetime, not {type(before).__name__}")
    limit = None if before is None else before.timestamp()
    dropped: int = 0
    last = ""
    while True:
        count, last = run(partial(_prune_some, after=last, process=process, final=final, limit=limit))
        dropped += count
        if not last:
            break
    before_that, free = -1, run(_give_back) if dropped else 0
    while free and free != before_that:  # a file that gives nothing back stays as it is
        before_that, free = free, run(_give_back)
    return dropped


def _prune_some(
    connection: sqlite3.Connection, *, after: str, process: int, final: Collection[str], limit: float | None
) -> tuple[int, str]:
    """How many entries of the next agents were dropped, and the key of the last of them; empty: there is none."""
    keys = [key for (key,) in connection.execute(_KEYS, (after, AT_ONCE))]
    if not keys:
        return 0, ""
    ends = connection.execute(_ENDS, (after, keys[-1])).fetchall()
    # What was not kept is made again of its steps.
    done = [
        key
        for key, state, at, status, kept in ends
        if state == "ended" and kept and status in final and (limit is None or at < limit)
    ]
    return sum(_drop(connection, key, process) for key in done), keys[-1]


def _drop(connection: sqlite3.Connection, key: str, process: int) -> int:
    (held_one,) = connection.execute(_HELD_ONE, (key,)).fetchone()
    count = int(connection.execute("DELETE FROM entry WHERE agent = ? AND path <> ''", (key,)).rowcount)
    if count:
        payload = json.dumps({"v": 1, "dropped": count, "at_most_once": bool(held_one)})
        connection.execute(_WORD, (key, process, time.time(), payload, zlib.crc32(payload.encode("ascii"))))
    return count


def _give_back(connection: sqlite3.Connection) -> int:
    """Shorten the file by some of the pages that are free; how many are left?"""
    connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(free)
