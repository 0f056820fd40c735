"""What goes wrong with a journal's file, in the words of a journal, with what to do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from ..errors import JournalCorrupt, JournalError, JournalFailed, JournalVersion
from ..storage.faults import Damaged, NotOurs, StorageFault, TooNew, WriteFailed

if TYPE_CHECKING:
    from pathlib import Path


def error_of(fault: StorageFault, path: Path) -> JournalError:
    """*fault* in the words of a journal."""
    if isinstance(fault, TooNew):
        return JournalVersion(str(fault))
    if isinstance(fault, NotOurs):
        return JournalCorrupt(f"{fault}; it is left as it is: take another path")
    if isinstance(fault, Damaged):
        return JournalCorrupt(f"{fault}; {advice(path)}")
    return JournalError(str(fault))


def failed(failure: WriteFailed, path: Path) -> JournalFailed:
    """Why nothing is recorded any more."""
    reason: BaseException | None = failure
    while isinstance(reason, WriteFailed):  # whoever waited has one of its own
        reason = reason.__cause__
    if isinstance(reason, sqlite3.Error) and is_damage(reason):
        return JournalFailed(f"{failure}; what cannot be recorded is not begun; {advice(path)}")
    return JournalFailed(f"{failure}; what cannot be recorded is not begun: mend that, and open the journal again")


def advice(path: Path) -> str:
    """What to do with a damaged file."""
    return f"`actors journal check {path}` says what is whole; it is never begun anew by itself"


def is_damage(error: sqlite3.Error) -> bool:
    """Is the file not whole, or none of SQLite's?"""
    return (getattr(error, "sqlite_errorname", "") or "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
