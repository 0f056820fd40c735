"""The program that is killed while it writes: many producers, one committer, opened and closed again and again.

It is told how to live by one line of JSON, and notes what was acknowledged in a file of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

from actors.storage import commit, database
from actors.storage.commit import Committer
from actors.storage.database import Schema, open_to_write
from actors.storage.durability import Durability

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    Entry = tuple[str, int, str, int]

TABLE = """
CREATE TABLE entry (seq INTEGER PRIMARY KEY, producer TEXT NOT NULL, number INTEGER NOT NULL, payload TEXT NOT NULL,
                    checksum INTEGER NOT NULL);
CREATE INDEX entry_producer ON entry (producer);
"""
MIGRATION = "ALTER TABLE entry ADD COLUMN more_{0} INTEGER; UPDATE entry SET more_{0} = seq;"
POINTS: dict[str, tuple[Any, str]] = {
    "statement of a migration": (database, "_statements"),
    "migration": (database, "_migrate"),
    "commit": (Committer, "_commit"),
    "telling": (Committer, "_tell"),
    "leaving the line": (Committer, "_leave_line"),
    "copy of the log": (Committer, "_checkpoint"),
    "end": (Committer, "_end"),
}
"""Named points: it can be killed just before and just after each."""


def schema(version: int) -> Schema:
    """As the file is in that version; each but the first rewrites every entry."""
    return Schema(0x6B696C6C, "killed file", [TABLE, *(MIGRATION.format(number) for number in range(2, version + 1))])


def die() -> None:
    """As ``kill -9``."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def die_at(point: str, side: str, count: int) -> None:
    """Die just before, or just after, this program passes *point* for the *count*-th time."""
    owner, name = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    left = count

    def passing(*words: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and side == "before":
            die()
        result = real(*words, **named)
        if left == 0:
            die()
        return result

    setattr(owner, name, staticmethod(passing) if name == "_tell" else passing)


def insert(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write them, in order."""
    connection.executemany("INSERT INTO entry (producer, number, payload, checksum) VALUES (?, ?, ?, ?)", entries)


class Life:
    """One life of the program."""

    def __init__(self, how: dict[str, Any]) -> None:
        self.how = how
        self.path = Path(how["path"])
        self.notes = os.open(how["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.numbers = dict.fromkeys((f"{how['life']}.{number}" for number in range(how["producers"])), 0)

    def run(self) -> None:
        """Open, write, close; until it is killed, or for ``rounds``."""
        for round_ in range(self.how["rounds"]):
            opened = open_to_write(self.path, schema(self.how["version"]), Durability(self.how["durability"]))
            committer = Committer(opened, self.path, insert, name="writer")
            producers = [
                threading.Thread(target=self.produce, args=(committer, name, Random(f"{name} {round_}")), daemon=True)
                for name in self.numbers
            ]
            for producer in producers:
                producer.start()
            for producer in producers:
                producer.join()
            committer.close()

    def produce(self, committer: Committer, name: str, random: Random) -> None:
        """Add entries, and wait for some; note each that was waited for."""
        for _ in range(self.how["entries"]):
            number = self.numbers[name]
            self.numbers[name] += 1
            payload = f"{name} {number} " * random.randrange(1, 20)
            entry = (name, number, payload, crc32(payload.encode()))
            if random.random() < self.how["waiting"]:
                committer.put(entry)
                os.write(self.notes, f"{name} {number}\n".encode())
            else:
                committer.add(entry)


def main(words: str) -> None:
    """Live as told."""
    how = json.loads(words)
    for name, value in how["constants"].items():
        setattr(commit, name, value)
    if how["point"] is not None:
        die_at(*how["point"])
    life = Life(how)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if how["seconds"] is not None:
        threading.Timer(how["seconds"], die).start()
    life.run()
