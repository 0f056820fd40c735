"""What the world outside knows: lines in a file that no kill can take back."""

from __future__ import annotations

import itertools
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """Something that has happened.

    Args:
        run: In which start of the program, from 0.
        what: ``asked``, ``answered``, ``paid`` ...
        who: The agent's name.
        detail: More, as JSON.
    """

    run: int
    what: str
    who: str
    detail: Any


class Outside:
    """One writer of the file. What is handed to the system with one ``write`` survives the process.

    Args:
        kill_at: The process is killed at that line of this start: at an even number just after line number n / 2 was
            written, at an odd one just before; None never.
        kill_on: What these lines tell of; None counts all.

    Threads: any.
    """

    def __init__(self, path: Path, run: int, kill_at: int | None = None, kill_on: str | None = None) -> None:
        self._path = path
        self._run = run
        self._kill_at = kill_at
        self._kill_on = kill_on
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._count = itertools.count()

    def note(self, what: str, who: str, detail: Any = None) -> None:
        """It happens now."""
        line = json.dumps([self._run, what, who, detail]).encode() + b"\n"
        number = 2 * next(self._count) if self._kill_on in (None, what) else -2
        if number + 1 == self._kill_at:
            kill()
        os.write(self._file, line)
        if number == self._kill_at:
            kill()

    def lines(self) -> list[Line]:
        """All that has happened so far, in all starts."""
        return read(self._path)


def kill() -> None:
    """The end of this process: no ``finally``, no ``atexit``, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def read(path: Path) -> list[Line]:
    """What has happened, in order."""
    return [Line(*json.loads(line)) for line in path.read_bytes().splitlines()] if path.exists() else []
