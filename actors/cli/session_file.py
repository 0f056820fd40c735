"""The file of sessions that a command works on."""

from __future__ import annotations

import os
from pathlib import Path

from ..agent.keys import problem_of_id
from ..errors import SessionError
from ..sessions.sessions import Sessions
from .refusal import RefusedError, why
from .wording import one_line


def default_file() -> Path:
    """Where sessions are when no file is named: in the command's own folder."""
    import typer

    return Path(typer.get_app_dir("actors")) / "sessions.db"


def open_to_talk(path: str | None) -> Sessions:
    """The sessions in the file at *path*, which is made if there is none; None: the command's own.

    Raises:
        RefusedError: They cannot be opened.
    """
    file = default_file() if path is None else Path(path)
    try:
        if path is None:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _opened(file)
    except OSError as error:
        raise RefusedError(f"{file}: {why(error)}") from None


def open_to_look(path: str | None) -> Sessions:
    """The sessions in the file at *path*, which is not made; None: the command's own.

    Raises:
        RefusedError: There is no such file, or they cannot be opened.
    """
    file = default_file() if path is None else Path(path)
    if not os.path.exists(file):
        hint = "" if path is not None else ": actors chat MANIFEST --session NAME begins one"
        raise RefusedError(f"{file}: there are no sessions{hint}")
    return _opened(file)


def _opened(file: Path) -> Sessions:
    try:
        return Sessions(file)
    except (SessionError, ValueError) as error:
        raise RefusedError(one_line(str(error), 1_000)) from None


def refuse_bad_name(name: str) -> None:
    """Raise when *name* can be no session's.

    Raises:
        RefusedError: It is empty, or too long.
    """
    problem = problem_of_id(name)
    if problem is not None:
        raise RefusedError(one_line(f"--session: {problem}", 500))
