"""A tool that looks for a text in files, inside the paths that the manifest allows (``file_read``)."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.capability import FileRead
from ..errors import ToolFailed
from ..extras import need
from .files import MAX_FILE_BYTES, NO_WAIT, bytes_at
from .path_guard import PathGuard, shown
from .tool import tool
from .walk import Glob, Pattern, files_below, open_below, open_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken

    Search = Callable[[str], bool]

MAX_HITS = 200
"""More lines are not shown at once."""
MAX_LINE = 300
"""Characters of a line that are shown."""
MAX_SEARCHED = 20_000
"""So much of a line is searched."""
LOOK_EVERY = 20_000
"""Characters between two looks at the cancel."""
MAX_PROGRAM_BYTES = 1 << 18
"""What a regular expression may need in memory: the less, the faster is the slowest of them."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = b"\0"


@tool(capability=FileRead())
def grep_files(
    pattern: Annotated[str, Field(min_length=1, max_length=1000)],
    path: str = ".",
    glob: Glob = "**/*",
    regex: bool = False,
    ignore_case: bool = False,
    *,
    agent: Agent[Any],
    cancel: CancelToken,
) -> str:
    """Find the lines of text files that hold a text, as path:line number:line. Links are not followed. Of a line the
    first 20,000 characters count.

    Args:
        pattern: What to look for in each line: a text, as it is.
        path: A folder, or a single file; a relative path starts at the working directory.
        glob: Which files below the folder: *.py (in the folder itself), **/*.py (at any depth).
        regex: The pattern is a regular expression (RE2: no back references, no look-around).
        ignore_case: Upper and lower case are the same.
    """
    search = _search_for(pattern, regex=regex, ignore_case=ignore_case)
    guard = PathGuard.of(agent)
    hits: list[str] = []
    passed_over = 0
    for name, content in _texts(guard, path, glob, cancel):
        if content is None:
            passed_over += 1
            continue
        for number, line in _lines(content, cancel):
            if search(line):
                hits.append(f"{_shown(name)}:{number}:{_cut(line)}")
                if len(hits) > MAX_HITS:
                    return "\n".join([*hits[:MAX_HITS], f"... only the first {MAX_HITS} are shown; ask for less"])
    told = "\n".join(hits) or "no line holds it"
    if passed_over:
        bound = f"larger than {MAX_FILE_BYTES:,} bytes, no text, or not readable"
        told += f"\n[passed over: {passed_over:,} files that are {bound}]"
    return told


def _lines(content: str, cancel: CancelToken) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, one by one: a list of all of them would be many times as large."""
    start, number, looked = 0, 0, -LOOK_EVERY
    while start < len(content):
        number += 1
        if start - looked >= LOOK_EVERY:
            looked = start
            cancel.check()
        end = content.find("\n", start)
        end = len(content) if end < 0 else end
        yield number, content[start : min(end, start + MAX_SEARCHED)]
        start = end + 1


def _search_for(text: str, *, regex: bool, ignore_case: bool) -> Search:
    if regex:
        return _expression(text, ignore_case=ignore_case)
    if ignore_case:
        folded = text.casefold()
        return lambda line: folded in line.casefold()
    return lambda line: text in line


def _expression(pattern: str, *, ignore_case: bool) -> Search:
    """RE2 takes linear time and bounded memory; ``re`` may take for ever, and nothing can end it."""
    re2 = need("re2", "grep", "a regular expression in grep_files")
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, ValueError) as error:  # half a character cannot be encoded
        why = error.args[0] if error.args else error
        why = why.decode(errors="replace") if isinstance(why, bytes) else why
        raise ToolFailed(f"{shown(pattern)} is no regular expression (RE2): {why}") from None
    return lambda line: compiled.search(line) is not None


def _texts(guard: PathGuard, path: str, glob: str, cancel: CancelToken) -> Iterator[tuple[str, str | None]]:
    """Name and content of each file; None for what is too large, no text, or cannot be opened."""
    wanted = Pattern.parse(glob)
    if os.path.isfile(guard.resolve(path)):
        content = _text_of(guard.open(path, os.O_RDONLY | NO_WAIT), path)
        if content is None:
            raise ToolFailed(f"{shown(path)} is no text, or too large")
        yield path, content
        return
    with open_folder(guard, path) as where:
        for parts in files_below(where, wanted, cancel):
            yield "/".join(parts), _content_below(where, parts)


def _content_below(where: int | str, parts: list[str]) -> str | None:
    """The text of a file that was found below *where*; a link that took the place of a folder is not followed."""
    try:
        if isinstance(where, str):
            return _text_of(os.open(os.path.join(where, *parts), os.O_RDONLY | NO_WAIT), parts[-1])
        folder = open_below(where, parts[:-1])
        try:
            opened = os.open(parts[-1], os.O_RDONLY | NO_WAIT | _NO_LINK, dir_fd=folder)
        finally:
            os.close(folder)
        return _text_of(opened, parts[-1])
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise ToolFailed(f"files cannot be searched now: {error.strerror}") from error
        return "" if error.errno in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR) else None  # a link, or gone


def _text_of(descriptor: int, name: str) -> str | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return ""  # no file: a pipe, a device
    try:
        data = bytes_at(descriptor, name)
    except ToolFailed:
        return None
    return None if _BINARY in data else data.decode(errors="replace")


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _cut(line: str) -> str:
    line = line.rstrip("\r")
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"
