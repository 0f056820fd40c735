"""Both stores of ours keep what a store of sessions promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.sessions.memory_store import MemoryStore
from actors.sessions.sqlite_store import SqliteStore
from actors.testing import SessionConformance

if TYPE_CHECKING:
    from pathlib import Path

    from actors.sessions import SessionStore


class TestSqlite(SessionConformance):
    """In a file."""

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "chats.db"

    def store(self) -> SessionStore:
        return SqliteStore(self.path)

    def reopen(self, store: SessionStore) -> SessionStore:
        return SqliteStore(self.path)


class TestInMemory(SessionConformance):
    """In memory."""

    def store(self) -> SessionStore:
        return MemoryStore()
