"""Opens the memory that a manifest names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .sqlite_memory import SqliteMemory


def open_memory(path: Path) -> SqliteMemory:
    """The memory in the file *path*; whoever opens it closes it.

    Raises:
        MemoryFailed, ValueError: It cannot be opened.
    """
    from .sqlite_memory import SqliteMemory  # who names none needs no SQLite

    return SqliteMemory(path)
