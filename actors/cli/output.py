"""Opens the files that a run writes: one that exists is not emptied unless that was asked for, and has one writer."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import IO, TYPE_CHECKING

from .options import STANDARD_STREAM
from .refusal import RefusedError, why

if TYPE_CHECKING:
    from collections.abc import Mapping


def open_output(path: str, *, option: str, mode: str = "wb") -> IO[bytes]:
    """Open *path* for writing; ``-`` is standard output.

    Args:
        option: The one that named it, for messages.
        mode: ``wb`` empties what is there, ``ab`` goes on with it, ``xb`` refuses it (but for devices and pipes).

    Raises:
        RefusedError: It cannot be written, or it exists, or another process writes it.
    """
    if path == STANDARD_STREAM:
        return sys.stdout.buffer
    if mode == "xb" and is_special(path):
        mode = "wb"
    try:
        # Not emptied before it is ours alone.
        file = open(path, "ab" if mode == "wb" else mode)  # noqa: SIM115 - it stays open
    except FileExistsError:
        raise RefusedError(
            f"{option} {path}: exists already: --resume goes on with it, --overwrite empties it"
        ) from None
    except OSError as error:
        raise RefusedError(f"{option} {path}: cannot be written: {why(error)}") from None
    lock(file, f"{option} {path}", place=path)
    if mode == "wb" and not is_special(path):
        file.truncate(0)
    return file


def is_special(path: str) -> bool:
    """Is it there, and no regular file: a device, a pipe, a folder?"""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def lock(file: IO[bytes], what: str, *, place: str | None = None) -> None:
    """Have *file* for this process alone, until it is closed.

    Args:
        file: Open for writing.
        what: Begins the message.
        place: Its path; None for one that nobody else knows.

    Raises:
        RefusedError: Another process has it, or has put another one in its place since it was opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return
    with contextlib.suppress(OSError):  # file systems without locks
        try:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = place is None or os.path.samestat(os.fstat(file.fileno()), os.stat(place))
        except (BlockingIOError, FileNotFoundError):
            free = False
        if not free:
            file.close()
            raise RefusedError(f"{what}: another process is writing it")


def refuse_clashes(outputs: Mapping[str, str | None], inputs: Mapping[str, str | None]) -> None:
    """Refuse to write one file twice, or over something that is read.

    Args:
        outputs: Path by option.
        inputs: Path by option.

    Raises:
        RefusedError: Naming both options.
    """
    # Standard input and standard output are called "-", both.
    taken = {option: path for option, path in inputs.items() if path not in (None, STANDARD_STREAM)}
    for option, path in outputs.items():
        if path is None:
            continue
        for other, used in taken.items():
            if _same_file(path, used):
                raise RefusedError(f"{option} and {other} are the same file, {path}: choose another one for {option}")
        taken[option] = path


def _same_file(one: str, other: str) -> bool:
    if STANDARD_STREAM in (one, other):
        return one == other
    try:
        # /dev/null and its like may be named as often as one likes.
        return os.path.samefile(one, other) and stat.S_ISREG(os.stat(one).st_mode)
    except OSError:  # one of them does not exist yet
        return os.path.realpath(one) == os.path.realpath(other)
