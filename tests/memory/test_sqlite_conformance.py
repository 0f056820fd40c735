"""A memory in a file keeps what every memory promises."""

from __future__ import annotations

import tempfile
from pathlib import Path

from actors.memory.sqlite_memory import SqliteMemory
from actors.testing.memory import MemoryConformance


class TestSqliteMemory(MemoryConformance):
    """By words."""

    def memory(self) -> SqliteMemory:
        folder = self.cleanup.enter_context(tempfile.TemporaryDirectory())
        return self.cleanup.enter_context(SqliteMemory(Path(folder) / "notes.db"))
