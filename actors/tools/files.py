"""Tools that read files, inside the paths that the manifest allows (``file_read``)."""

from __future__ import annotations

import heapq
import os
import re
import stat
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.capability import FileRead
from ..errors import ToolFailed
from .path_guard import PathGuard, shown
from .tool import tool
from .walk import Glob, Pattern, files_below, open_folder, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..agent.agent import Agent
    from ..core.cancel import CancelToken

MAX_FILE_BYTES = 2_000_000
"""A larger file is not read."""

MAX_ENTRIES = 1_000
"""More names are not listed at once."""

# Not splitlines(): line numbers are those of other tools, which count \n only.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")

NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe must not wait for its writer; on a regular file it changes nothing."""


@tool(capability=FileRead())
def read_file(
    path: str,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1)] | None = None,
    *,
    agent: Agent[Any],
) -> str:
    """Read a text file (UTF-8), all of it or some of its lines.

    Args:
        path: The file; a relative path starts at the working directory.
        offset: How many lines to skip.
        limit: How many lines to read at most; null reads to the end.
    """
    text = text_at(PathGuard.of(agent).open(path, os.O_RDONLY | NO_WAIT), path)
    if offset == 0 and limit is None:
        return text
    lines = _LINE.findall(text)
    if offset > 0 and offset >= len(lines):
        raise ToolFailed(f"{shown(path)} has {len(lines)} lines; offset {offset} is past the end")
    return "".join(lines[offset : None if limit is None else offset + limit])


@tool(capability=FileRead())
def list_files(path: str = ".", *, agent: Agent[Any]) -> str:
    """List a folder: one name a line, sorted; folders end with a slash.

    Args:
        path: The folder; a relative path starts at the working directory.
    """
    with open_folder(PathGuard.of(agent), path) as where, told(path), os.scandir(where) as entries:
        # The first ones, without keeping all: a folder may hold millions.
        names = heapq.nsmallest(
            MAX_ENTRIES + 1, (entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)
        )
    return listing(names, "the folder is empty")


@tool(capability=FileRead())
def find_files(pattern: Glob, path: str = ".", *, agent: Agent[Any], cancel: CancelToken) -> str:
    """Find files by name below a folder: one path a line, relative to that folder. Links are not followed.

    Args:
        pattern: For example *.py (in the folder itself) or **/*.py (at any depth).
        path: Where to look; a relative path starts at the working directory.
    """
    wanted = Pattern.parse(pattern)
    found: list[str] = []
    with open_folder(PathGuard.of(agent), path) as where:
        for parts in files_below(where, wanted, cancel):
            found.append("/".join(parts))
            if len(found) > MAX_ENTRIES:
                break
    return listing(sorted(found), "no file fits")


FILE_TOOLS = (read_file, list_files, find_files)
"""Those that read, for a ``ToolRegistry``; ``file_changes`` has those that write, ``grep`` looks into files."""


def text_at(descriptor: int, path: str) -> str:
    """Read the text file that *descriptor* is open for, and close it; *path* is its name in errors.

    Raises:
        ToolFailed: It is no regular file, too large, or no UTF-8 text.
    """
    data = bytes_at(descriptor, path)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        at = error.start
        raise ToolFailed(f"{shown(path)} is not UTF-8 text: byte 0x{data[at]:02x} at offset {at}") from error


def bytes_at(descriptor: int, path: str) -> bytes:
    """Read the file that *descriptor* is open for, and close it.

    Raises:
        ToolFailed: It is no regular file, or too large.
    """
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise ToolFailed(f"{shown(path)} is a folder; list_files lists it")
        if not stat.S_ISREG(mode):
            raise ToolFailed(f"{shown(path)} is not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES + 1)  # not by its size: it may grow meanwhile
        if data is None:  # a file of the system that has nothing to say now
            raise ToolFailed(f"{shown(path)} has nothing to read")
    except OSError as error:
        raise ToolFailed(f"cannot read {shown(path)}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise ToolFailed(f"{shown(path)} is larger than {MAX_FILE_BYTES:,} bytes, the most that is read")
    return data


def listing(names: Sequence[str], nothing: str) -> str:
    """One name a line; one that would break its line, or is no text at all, as its ``repr``."""
    shown = [name if name.isprintable() else repr(name) for name in names[:MAX_ENTRIES]]
    if len(names) > MAX_ENTRIES:
        shown.append(f"... only the first {MAX_ENTRIES} are shown; ask for less")
    return "\n".join(shown) or nothing
