"""Which process writes a journal now, as whoever only reads it can tell."""

from __future__ import annotations

import os
import platform
import sqlite3
from typing import TYPE_CHECKING

from ..storage.database import uri

if TYPE_CHECKING:
    from pathlib import Path

    from .report import Ask

_LAST = "SELECT number, pid, host, ended_at FROM process ORDER BY number DESC LIMIT 1"


def owner_of(ask: Ask, path: Path) -> int | None:
    """The number of the process that writes the journal at *path* now; None: none does.

    Args:
        ask: Makes one read, and returns its rows.
    """
    rows = ask(_LAST)
    if not rows or rows[0][3] is not None:
        return None
    number, pid, host, _ = rows[0]
    if host == platform.node() and not _may_live(pid):
        return None
    return int(number) if is_locked(path.with_name(f"{path.name}.lock")) else None


def _may_live(pid: int) -> bool:
    """Is there a process of that number? It may be another one by now."""
    if os.name == "nt":  # there a signal ends it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's; no such number
        return True
    return True


def is_locked(path: Path) -> bool:
    """Does anybody hold the lock at *path*? It is not taken: whoever wants it meanwhile would be told that it is."""
    if not path.exists():
        return False
    try:
        connection = sqlite3.connect(uri(path, "ro"), uri=True, timeout=0, isolation_level=None)
    except sqlite3.Error:
        return False
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        return (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_BUSY")
    else:
        return False
    finally:
        connection.close()
