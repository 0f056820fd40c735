"""The journal of a run: refused, opened, and the keys under which agents stand there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..agent.keys import LONGEST_KEY
from ..agent.ledger import digest_of
from ..core.shown import shown
from ..errors import JournalBusy, JournalChanged, JournalError
from ..journal.journal import Journal
from .output import is_special
from .refusal import RefusedError
from .wording import one_line, printable

if TYPE_CHECKING:
    from .options import RunOptions

BESIDE = ("", "-wal", "-shm", ".lock", ".lock-journal")
"""The ends of the names of the files that a journal consists of."""


def refuse_journal(options: RunOptions) -> None:
    """Look at the file of ``--journal`` before anything is opened.

    Raises:
        RefusedError: It exists and nobody said that the run goes on with it; it is no file; its folder is not there.
    """
    path = options.journal
    if path is None:
        return
    if not path or is_special(path):
        raise RefusedError(f"--journal {path or repr(path)}: is no file that one could go on with")
    if os.path.exists(path) and not options.resume:
        raise RefusedError(f"--journal {path}: exists already: --resume goes on with it")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise RefusedError(f"--journal {path}: cannot be written: its folder is not there")


def open_journal(path: str, what: str) -> Journal:
    """Open the journal at *path* to write.

    Args:
        what: Begins the message.
    Raises:
        RefusedError: Another process has it open, it is damaged, or it cannot be written.
    """
    try:
        return Journal(path)
    except JournalBusy as busy:
        raise RefusedError(
            f"{what}: {by_whom(busy)} writes it: wait for that one, or end it; "
            f"'actors journal show {path}' tells how far it is"
        ) from None
    except JournalError as error:
        raise RefusedError(f"{what}: {printable(str(error))}") from None


def by_whom(busy: JournalBusy) -> str:
    """Who has it, and since when, as far as that is known."""
    who = "another process" if busy.pid is None else f"process {busy.pid}"
    since = "" if busy.since is None else f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(busy.since))},"
    return f"{who}{since}"


def files_of(path: str | None) -> list[str]:
    """All files that the journal at *path* consists of."""
    return [] if path is None else [f"{path}{end}" for end in BESIDE]


def refusal_of(error: Exception) -> str:
    """Why an agent is refused, for whoever sits at the command line."""
    if not isinstance(error, JournalChanged):
        return one_line(str(error), 500)
    return (
        f"{shown(error.key, 200)}: its {error.what} is not what the journal has recorded under that key: "
        "go on with what it was, or begin another journal"
    )


def key_of(name: str, task: str) -> str:
    """Under which key the agent of a task stands in the journal.

    Args:
        name: That of the manifest.
        task: The key of the job.
    """
    key = f"{name}/{task}"
    if len(key) <= LONGEST_KEY:
        return key
    digest = digest_of(key)
    return f"{key[: LONGEST_KEY - len(digest) - 1]}~{digest}"
