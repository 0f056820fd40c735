"""Reads a file that becomes a part of a message: a regular one, of bounded size."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from .media import LONGEST_NAME, MOST_BYTES, too_large

if TYPE_CHECKING:
    from os import PathLike

# A pipe without a writer would be waited for; on a regular file it changes nothing.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def bytes_of_file(path: str | PathLike[str], name: str) -> bytes:
    """All bytes of *path*; links are followed.

    Args:
        name: What they are for, in errors.
    Raises:
        OSError: It cannot be read, or is no file.
        ValueError: It is empty, or too large; then it is not read.
    """
    opened = os.open(path, _FLAGS)
    try:
        status = os.fstat(opened)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
        if status.st_size > MOST_BYTES:
            raise ValueError(f"{os.fspath(path)}: {too_large(name, status.st_size)}")
        with open(opened, "rb", closefd=False) as file:
            data = file.read(MOST_BYTES + 1)  # it may grow meanwhile
    finally:
        os.close(opened)
    if not data:
        raise ValueError(f"{os.fspath(path)} is empty: {name} needs at least one byte")
    return data


def shown_name(path: str | PathLike[str]) -> str:
    """The name of *path* as a model may be told it."""
    name = os.path.basename(os.fspath(path)).encode(errors="replace").decode()
    plain = "".join(each if each.isprintable() and each != "\\" else "_" for each in name)
    return plain[-LONGEST_NAME:]
