"""Tools that write files, inside the paths that the manifest allows (``file_write``)."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.capability import FileRead, FileWrite
from ..errors import ToolFailed
from .files import MAX_FILE_BYTES, text_at
from .path_guard import PathGuard
from .tool import tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.agent import Agent
    from ..core.cancel import CancelToken
    from .path_guard import Place

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # looked at before each use

TURN_EVERY = 0.01
"""Seconds between looks at a folder in which another call, perhaps of another process, is writing."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@tool(capability=FileWrite())
def write_file(path: str, content: str, *, agent: Agent[Any], cancel: CancelToken) -> str:
    """Write a text file (UTF-8): a new one, or all of one that is there. Missing folders are made.

    Args:
        path: The file; a relative path starts at the working directory.
        content: The whole text.
    """
    data = _encoded(content)
    guard = PathGuard.of(agent, FileWrite)
    _refuse_odd_name(path)
    with guard.place(path, create=True) as place, _alone(place, cancel), _told(path):
        there = _replace(place, path, data, _status(place))
    return f"{'replaced' if there else 'wrote'} {path} ({len(data):,} bytes)"


# It tells whether a text stands in a file: that takes the right to read it, too.
@tool(capability=FileWrite())
def edit_file(
    path: str,
    old: Annotated[str, Field(min_length=1)],
    new: str,
    all: bool = False,  # noqa: A002 - the word for the model
    *,
    agent: Agent[Any],
    cancel: CancelToken,
) -> str:
    """Replace a piece of a text file that you may read and write. Nothing changes unless the piece is found.

    Args:
        path: The file; a relative path starts at the working directory.
        old: The piece as it stands in the file, with its spaces and line ends; enough of it to stand there once.
        new: What to put in its place.
        all: Replace each place where it stands, not the only one.
    """
    if old == new:
        raise ToolFailed("old and new are the same: nothing to change")
    PathGuard.of(agent, FileRead).resolve(path)
    guard = PathGuard.of(agent, FileWrite)
    with guard.place(path) as place, _alone(place, cancel), _told(path):
        before = _status(place)
        if before is None:
            raise ToolFailed(f"there is no file {path!r}; write_file makes one")
        text = text_at(os.open(place.name, os.O_RDONLY | _NO_WAIT_NO_LINK, dir_fd=place.folder), path)
        count = text.count(old)
        if count == 0:
            raise ToolFailed(f"old does not stand in {path!r}; read the file and copy the piece exactly")
        if count > 1 and not all:
            raise ToolFailed(f"old stands {count} times in {path!r}; make it longer until it is unique, or set all")
        _refuse_long(len(text) + count * (len(new) - len(old)))  # before it is made
        _replace(place, path, _encoded(text.replace(old, new)), before)
    return f"replaced {count} place{'s' * (count > 1)} in {path}"


CHANGE_TOOLS = (write_file, edit_file)
"""All of them, for a ``ToolRegistry``."""

_NO_WAIT_NO_LINK = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def _encoded(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed(f"half a character (a lone surrogate) stands at {error.start}") from None
    _refuse_long(len(data))
    return data


def _refuse_long(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ToolFailed(f"{size:,} bytes are more than the {MAX_FILE_BYTES:,} that a file may have")


def _refuse_odd_name(path: str) -> None:
    """A name that breaks its line, or does not show, deceives whoever reads a listing."""
    if not path.isprintable():
        raise ToolFailed(f"{path!r} has signs that cannot be printed: choose another name")


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolFailed(f"cannot write {path!r}: {error.strerror or error}") from error


@contextmanager
def _alone(place: Place, cancel: CancelToken) -> Iterator[None]:
    """One writer at a time in a folder, of all agents and processes that ask: no change is lost between a look and a
    write. Elsewhere than on POSIX it is left out.
    """
    if fcntl is None or place.folder is None:
        yield
        return
    try:
        lock = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=place.folder)
    except PermissionError:  # a folder that may not be read: it can be written to, but not locked
        yield
        return
    try:
        while not _locks(lock):
            cancel.wait(TURN_EVERY)
            cancel.check()
        yield
    finally:
        os.close(lock)


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _status(place: Place) -> os.stat_result | None:
    try:
        return os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _replace(place: Place, path: str, data: bytes, before: os.stat_result | None) -> bool:
    """Put *data* in the place of the file that was there, in one step; was there one?

    Whoever reads meanwhile sees the old file or the new one, whole; so does everybody after a crash.
    """
    if before is not None and not stat.S_ISREG(before.st_mode):
        kind = "a folder" if stat.S_ISDIR(before.st_mode) else "no regular file"
        raise ToolFailed(f"{path!r} is {kind}")
    if before is not None and not before.st_mode & stat.S_IWUSR:
        raise ToolFailed(f"{path!r} is write-protected")
    mode = 0o666 if before is None else before.st_mode & 0o777  # without setuid: it is another content
    spare = place.beside(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(spare, _NEW, mode, dir_fd=place.folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if before is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)  # what the umask took away
            os.fsync(file.fileno())
        now = _status(place)
        if _mark(now) != _mark(before):
            raise ToolFailed(f"{path!r} was changed by somebody else just now; look at it and try again")
        os.replace(spare, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:
        os.unlink(spare, dir_fd=place.folder)
        raise
    return before is not None


def _mark(status: os.stat_result | None) -> tuple[int, ...] | None:
    """What tells one state of a file from another."""
    return None if status is None else (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
