"""Tools that write files, inside the paths that the manifest allows (``file_write``)."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.terms.capability import FileRead, FileWrite
from ..core.clock import SYSTEM_CLOCK
from ..errors import ToolFailed
from .file_attributes import FileAttributes
from .files import MAX_FILE_BYTES, text_at
from .path_guard import PathGuard, told
from .regular_file import ALWAYS, NO_LINK, open_regular
from .shown_path import is_visible, meant_path, shown, shown_path
from .tool import tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken
    from .path_guard import Place

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # looked at before each use

TURN_EVERY = 0.01
"""Seconds between looks at a folder in which another call, perhaps of another process, is writing."""
PATIENCE = 10.0
"""Seconds for it to end."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | ALWAYS


@tool(capability=FileWrite(), effect="idempotent")
def write_file(path: str, content: str, *, agent: Agent[Any], cancel: CancelToken) -> str:
    """Write a text file (UTF-8): a new one, or all of one that is there. Missing folders are made.

    Args:
        path: The file; a relative path starts at the working directory.
        content: The whole text.
    """
    data = _encoded(content)
    guard = PathGuard.of(agent, FileWrite)
    _refuse_odd_name(path)
    with guard.place(path, create=True) as place, told(path, "write"), _alone(place, cancel):
        there = _replace(place, path, data, _status(place))
    return f"{'replaced' if there else 'wrote'} {shown_path(path)} ({len(data):,} bytes)"


# It tells whether a text stands in a file: that takes the right to read it, too.
@tool(capability=FileWrite(), effect="at_most_once")
def edit_file(
    path: str,
    old: Annotated[str, Field(min_length=1)],
    new: str,
    replace_all: bool = False,
    *,
    agent: Agent[Any],
    cancel: CancelToken,
) -> str:
    """Replace a piece of a text file that you may read and write. Nothing changes unless the piece is found.

    Args:
        path: The file; a relative path starts at the working directory.
        old: The piece as it stands in the file, with its spaces and line ends; enough of it to stand there once.
        new: What to put in its place.
        replace_all: Replace each place where it stands, not the only one.
    """
    if old == new:
        raise ToolFailed("old and new are the same: nothing to change")
    guard = PathGuard.of(agent, FileWrite, FileRead)
    with guard.place(path) as place, told(path, "write"), _alone(place, cancel):
        before = _status(place)
        if before is None:
            raise ToolFailed(f"there is no file {shown(path)}; write_file makes one")
        text = text_at(open_regular(place.name, place.folder), path)
        count = text.count(old)
        if count == 0:
            raise ToolFailed(f"old does not stand in {shown(path)}; read the file and copy the piece exactly")
        if count > 1 and not replace_all:
            raise ToolFailed(
                f"old stands {count} times in {shown(path)}; make it longer until it is unique, or set replace_all"
            )
        _refuse_long(len(text) + count * (len(new) - len(old)))  # before it is made
        _replace(place, path, _encoded(text.replace(old, new)), before)
    return f"replaced {count} place{'s' * (count > 1)} in {shown_path(meant_path(path))}"


CHANGE_TOOLS = (write_file, edit_file)
"""All of them, for a ``ToolRegistry``."""


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
    if not is_visible(meant_path(path)):
        raise ToolFailed(f"{shown(path)} has signs that cannot be printed: choose another name")


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
    end = SYSTEM_CLOCK.monotonic() + PATIENCE
    try:
        while not _locks(lock):
            cancel.wait(TURN_EVERY)
            cancel.check()
            if SYSTEM_CLOCK.monotonic() > end:
                raise ToolFailed(f"somebody else is writing in this folder for more than {PATIENCE:g} s; try again")
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

    Whoever reads meanwhile sees the old file or the new one, whole; so does everybody after a crash. What somebody else
    wrote since *before* is not overwritten, but for what comes in the last instant between a look and the step: no
    system offers both in one.
    """
    kept = None
    if before is not None:
        _refuse_protected(place, path, before)
        kept = FileAttributes.of(place.name, place.folder, before)
    spare = place.beside(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(spare, _NEW, 0o666 if before is None else 0o600, dir_fd=place.folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if kept is not None:
                kept.apply_to(file.fileno())
            os.fsync(file.fileno())
        if _mark(_status(place)) != _mark(before):
            raise ToolFailed(f"{shown(path)} was changed by somebody else just now; look at it and try again")
        if before is not None:
            os.replace(spare, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        else:
            _add(place, spare, path)
    except BaseException:
        try:
            os.unlink(spare, dir_fd=place.folder)
        except FileNotFoundError:
            pass  # somebody has tidied up
        raise
    return before is not None


def _refuse_protected(place: Place, path: str, before: os.stat_result) -> None:
    if not stat.S_ISREG(before.st_mode):
        kind = "a folder" if stat.S_ISDIR(before.st_mode) else "no regular file"
        raise ToolFailed(f"{shown(path)} is {kind}")
    own_id = os.access in os.supports_effective_ids
    if not before.st_mode & 0o222 or not os.access(
        place.name, os.W_OK, dir_fd=place.folder, effective_ids=own_id, follow_symlinks=os.name != "posix"
    ):
        raise ToolFailed(f"{shown(path)} is write-protected")


def _add(place: Place, spare: str, path: str) -> None:
    """Give a new file its name, unless somebody else has just taken it."""
    try:
        os.link(spare, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder, follow_symlinks=False)
    except FileExistsError:
        raise ToolFailed(f"{shown(path)} was made by somebody else just now; look at it and try again") from None
    except OSError:  # a file system without hard links
        os.rename(spare, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    else:
        os.unlink(spare, dir_fd=place.folder)


def _mark(status: os.stat_result | None) -> tuple[int, ...] | None:
    """What tells one state of a file from another."""
    if status is None:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
