"""Tools that read files, inside the paths that the manifest allows (``file_read``)."""

from __future__ import annotations

import heapq
import os
import stat
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from pydantic import Field

from ..agent.terms.capability import FileRead
from ..errors import ToolFailed
from .path_guard import PathGuard, told
from .shown_path import shown, shown_path
from .tool import tool
from .walk import LOOK_EVERY, Glob, Pattern, Walk, is_folder, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken

MAX_FILE_BYTES = 2_000_000
"""A larger file is neither searched nor edited."""
MAX_SHOWN = 50_000
"""So much of a file is shown at once."""
LOOK_AFTER = 1_000_000
"""Bytes between two looks at the cancel."""

MAX_ENTRIES = 1_000
"""More names are not listed at once."""


@tool(capability=FileRead(), effect="idempotent")
def read_file(
    path: str,
    offset: Annotated[int, Field(ge=0)] = 0,
    limit: Annotated[int, Field(ge=1)] | None = None,
    *,
    agent: Agent[Any],
    cancel: CancelToken | None = None,
) -> str:
    """Read a text file (UTF-8), all of it or some of its lines. A long one comes in parts.

    Args:
        path: The file; a relative path starts at the working directory.
        offset: How many lines to skip.
        limit: How many lines to read at most; null reads to the end.
    """
    descriptor = PathGuard.of(agent).open(path)
    try:
        with told(path, "read"):
            refuse_irregular(descriptor, path)
            with open(descriptor, "rb", closefd=False) as file:
                return _lines_of(file, path, offset, limit, cancel)
    finally:
        os.close(descriptor)


def _lines_of(file: BinaryIO, path: str, offset: int, limit: int | None, cancel: CancelToken | None) -> str:
    """The lines that were asked for, as far as they can be shown at once."""
    parts: list[str] = []
    number = size = looked = 0
    # A piece of a line at a time, so that memory is bounded, however long a line is.
    ends_line = True
    while piece := file.readline(MAX_SHOWN):
        looked -= len(piece)
        if cancel is not None and looked <= 0:
            looked = LOOK_AFTER
            cancel.check()
        if offset <= number and (limit is None or number < offset + limit):
            if size + len(piece) > MAX_SHOWN and parts:
                where = f"line {number + 1}" if ends_line else f"the middle of line {number + 1}, which is too long"
                parts.append(f"\n[cut at {where}; read on with offset={number if ends_line else number + 1}]")
                break
            parts.append(_decoded(piece, path, file.tell() - len(piece)))
            size += len(piece)
        elif limit is not None and number >= offset + limit:
            break
        ends_line = piece.endswith(b"\n")
        number += ends_line
    else:
        lines = number + (not ends_line)
        if offset > 0 and offset >= lines:
            raise ToolFailed(f"{shown(path)} has {lines} lines; offset {offset} is past the end")
    return "".join(parts)


def _decoded(piece: bytes, path: str, at: int) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError as error:
        if len(piece) == MAX_SHOWN and error.start >= len(piece) - 4:  # a character that was cut
            return piece.decode(errors="replace")
        byte = piece[error.start]
        raise ToolFailed(f"{shown(path)} is not UTF-8 text: byte 0x{byte:02x} at offset {at + error.start}") from error


@tool(capability=FileRead(), effect="idempotent")
def list_files(path: str = ".", *, agent: Agent[Any], cancel: CancelToken | None = None) -> str:
    """List a folder: one name a line, sorted; folders end with a slash. An odd name stands in quotes, with escapes.

    Args:
        path: The folder; a relative path starts at the working directory.
    """
    with open_folder(PathGuard.of(agent), path) as where, told(path, "list"), os.scandir(where) as entries:
        # The first ones, without keeping all: a folder may hold millions.
        names = heapq.nsmallest(MAX_ENTRIES + 1, _names(entries, cancel))
    return listing(names, "the folder is empty")


def _names(entries: Iterable[os.DirEntry[str]], cancel: CancelToken | None) -> Iterator[str]:
    for number, entry in enumerate(entries):
        if cancel is not None and number % LOOK_EVERY == 0:
            cancel.check()
        yield entry.name + "/" * is_folder(entry)


@tool(capability=FileRead(), effect="idempotent")
def find_files(pattern: Glob, path: str = ".", *, agent: Agent[Any], cancel: CancelToken) -> str:
    """Find files by name below a folder: one path a line, relative to that folder. Links are not followed.

    Args:
        pattern: For example *.py (in the folder itself) or **/*.py (at any depth).
        path: Where to look; a relative path starts at the working directory.
    """
    wanted = Pattern.parse(pattern)
    found: list[str] = []
    with open_folder(PathGuard.of(agent), path) as where:
        walk = Walk(where, wanted, cancel)
        for name in walk:
            found.append(name)
            if len(found) > MAX_ENTRIES:
                break
    return listing(sorted(found), "no file fits") + walk.notes()


FILE_TOOLS = (read_file, list_files, find_files)
"""Those that read, for a ``ToolRegistry``; ``file_changes`` has those that write, ``grep`` looks into files."""


def read_text(path: str, *, agent: Agent[Any]) -> str:
    """All of a text file that *agent* may read: for tools of your own, which show a model something else.

    Raises:
        ToolFailed: It may not be read, is no regular file, larger than 2 MB, or no UTF-8 text.
    """
    return text_at(PathGuard.of(agent).open(path), path)


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


def refuse_irregular(descriptor: int, path: str) -> None:
    """Raise a ``ToolFailed`` for what is no regular file."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise ToolFailed(f"{shown(path)} is a folder; list_files lists it")
    if not stat.S_ISREG(mode):
        raise ToolFailed(f"{shown(path)} is not a regular file")


def bytes_at(descriptor: int, path: str) -> bytes:
    """Read the file that *descriptor* is open for, and close it.

    Raises:
        ToolFailed: It is no regular file, or too large.
    """
    try:
        with told(path, "read"):
            refuse_irregular(descriptor, path)
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_FILE_BYTES + 1)  # not by its size: it may grow meanwhile
        if data is None:  # a file of the system that has nothing to say now
            raise ToolFailed(f"{shown(path)} has nothing to read")
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise ToolFailed(f"{shown(path)} is larger than {MAX_FILE_BYTES:,} bytes, the most that is read")
    return data


def listing(names: Sequence[str], nothing: str) -> str:
    """One name a line, so many as can be shown at once; odd ones as :func:`shown_path` writes them."""
    lines, size = [], 0
    for name in names[:MAX_ENTRIES]:
        line = shown_path(name)
        size += len(line) + 1
        if size > MAX_SHOWN:
            break
        lines.append(line)
    if len(lines) < len(names):
        lines.append(f"... only the first {len(lines)} are shown; ask for less")
    return "\n".join(lines) or nothing
