"""A file that is written in one step: whoever looks finds the old one or the new one, whole."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unwritable(path: Path) -> None:
    """Raise when it is known beforehand that *path* cannot be written: before anything is bought.

    Raises:
        OSError: It is a folder, or it would stand in one that cannot be written to.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    folder = next(folder for folder in path.resolve().parents if folder.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def read(path: Path) -> bytes | None:
    """What stands there; None when there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write(path: Path, content: bytes) -> None:
    """Put *content* in the place of what is there; folders are made.

    Raises:
        OSError: It cannot be written; what was there is there still, and nothing else.
    """
    place = path.resolve()  # a link stays one
    place.parent.mkdir(parents=True, exist_ok=True)
    spare = place.with_name(f".{place.name[:100]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            shutil.copymode(place, spare)
        os.replace(spare, place)
    except BaseException:
        try:
            os.unlink(spare)
        except OSError:  # somebody has tidied up, or the disk is gone
            pass
        raise
