"""Fills a file with the entries of a journal, one by one: for tests of what is read there."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE process (number INTEGER PRIMARY KEY, pid INTEGER NOT NULL, host TEXT NOT NULL, program TEXT,
    library TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE entry (seq INTEGER PRIMARY KEY, agent TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, kind TEXT,
    process INTEGER NOT NULL, at REAL NOT NULL, digest TEXT, payload TEXT, checksum INTEGER);
CREATE INDEX entry_agent ON entry (agent);
"""
AT = 1_700_000_000.0
USAGE = {"input_tokens": 10, "output_tokens": 5}


class Filled:
    """A file of entries; each is a second later than the one before."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.executescript(TABLES)
        self.count = 0
        self.number = 0
        self.process()

    def process(self) -> int:
        """The next process."""
        self.number += 1
        self.connection.execute(
            "INSERT INTO process (number, pid, host, library, started_at) VALUES (?, 1, 'h', '0', ?)", (self.number, AT)
        )
        return self.number

    def entry(self, agent: str, path: str, state: str, kind: str | None = None, **data: Any) -> None:
        """One entry."""
        self.count += 1
        payload = json.dumps({"v": 1, **data})
        self.connection.execute(
            "INSERT INTO entry (agent, path, state, kind, process, at, payload, checksum) VALUES (?,?,?,?,?,?,?,?)",
            (agent, path, state, kind, self.number, AT + self.count, payload, zlib.crc32(payload.encode())),
        )

    def begin(self, agent: str, **data: Any) -> None:
        """Admitted, and begun."""
        self.entry(agent, "", "admitted", **{"name": "bot", "parent": None, "fingerprint": {"query": "00"}, **data})
        self.entry(agent, "", "begun")

    def completion(self, agent: str, number: int, text: str = "hello", cost: float = 0.25, **response: Any) -> None:
        """An answer."""
        answer = {"text": text, "tool_calls": [], "usage": USAGE, **response}
        self.entry(agent, str(number), "done", "completion", response=answer, paid=[[USAGE, cost]], model="m")

    def end(self, agent: str, status: str = "completed", **fields: Any) -> None:
        """Its end."""
        usage = {"input_tokens": 100, "output_tokens": 50}
        self.entry(
            agent,
            "",
            "ended",
            status=status,
            kept=True,
            fields={"usage": usage, "cost_usd": 1.5, "error": None, **fields},
        )

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """One read."""
        return self.connection.execute(sql, values).fetchall()
