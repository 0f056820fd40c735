"""Opens what is a regular file, and nothing else: looking at a pipe would end its writer, at a device do anything."""

from __future__ import annotations

import errno
import os
import stat

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""How whatever a tool opens is opened."""
OWN_FILES = "/proc/self/fd"
"""Where Linux shows what a process has open, under its descriptor."""

# On a regular file it changes nothing, but for those of the system that have nothing to say now.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_LOOKS = getattr(os, "O_PATH", 0)


class IrregularFile(OSError):
    """It is a pipe, a socket, a device. It was not opened."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file")


def open_regular(name: str, folder: int | None, flags: int = os.O_RDONLY) -> int:
    """Open *name* in *folder*, following no link; the caller closes it.

    A folder is opened, too: whoever wants a file looks at what it is.

    Args:
        folder: A descriptor; None: *name* is a path.
        flags: As ``os.open`` takes them.
    Raises:
        IrregularFile: It is neither a file nor a folder.
        OSError: It cannot be opened.
    """
    flags |= _NO_WAIT | NO_LINK | ALWAYS
    if _LOOKS:
        seen = os.open(name, _LOOKS | NO_LINK | ALWAYS, dir_fd=folder)
        try:
            _refuse_irregular(os.fstat(seen))
            try:
                # The very file that was looked at, whatever stands in its place by now.
                return os.open(f"{OWN_FILES}/{seen}", flags & ~NO_LINK)
            except FileNotFoundError:  # no /proc
                pass
        finally:
            os.close(seen)
    _refuse_irregular(os.stat(name, dir_fd=folder, follow_symlinks=False))
    opened = os.open(name, flags, dir_fd=folder)
    try:
        _refuse_irregular(os.fstat(opened))  # it may have taken the place of a file just now
    except BaseException:
        os.close(opened)
        raise
    return opened


def _refuse_irregular(status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise IrregularFile
