"""A tool that looks for a text in files, inside the paths that the manifest allows (``file_read``)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.terms.capability import FileRead
from ..errors import ToolFailed
from ..extras import need
from .files import MAX_FILE_BYTES, MAX_SHOWN, bytes_at
from .path_guard import PathGuard
from .regular_file import IrregularFile
from .shown_path import meant_path, shown, shown_path
from .tool import tool
from .walk import GONE, NO_MORE, Glob, Pattern, Walk, open_folder

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

_BINARY = b"\0"


@tool(capability=FileRead(), effect="idempotent")
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
    notes: list[str] = []
    passed_over = size = 0
    for name, content in _texts(guard, path, glob, cancel, notes):
        if content is None:
            passed_over += 1
            continue
        for number, line in _lines(content, cancel):
            if search(line):
                hit = f"{shown_path(name)}:{number}:{_cut(line)}"
                size += len(hit) + 1
                if len(hits) == MAX_HITS or size > MAX_SHOWN:
                    return "\n".join([*hits, f"... only the first {len(hits)} are shown; ask for less"])
                hits.append(hit)
    told = "\n".join(hits) or "no line holds it"
    if passed_over:
        bound = f"larger than {MAX_FILE_BYTES:,} bytes, no text, or not readable"
        notes.append(f"\n[passed over: {passed_over:,} file{'s' * (passed_over > 1)} that are {bound}]")
    return told + "".join(notes)


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


def _texts(
    guard: PathGuard, path: str, glob: str, cancel: CancelToken, notes: list[str]
) -> Iterator[tuple[str, str | None]]:
    """Name and content of each file; None for what is too large, no text, or cannot be opened. What else was passed
    over is put into *notes*.
    """
    wanted = Pattern.parse(glob)
    if os.path.isfile(guard.resolve(path)):
        content = _text_of(guard.open(path), path)
        if content is None:
            raise ToolFailed(f"{shown(path)} is no text, or too large")
        yield meant_path(path), content
        return
    with open_folder(guard, path) as where:
        walk = Walk(where, wanted, cancel)
        for name in walk:
            cancel.check()
            yield name, _content(walk, name)
        notes.append(walk.notes())


def _content(walk: Walk, name: str) -> str | None:
    try:
        return _text_of(walk.open(), name)
    except IrregularFile:
        return ""
    except OSError as error:
        if error.errno in NO_MORE:
            raise ToolFailed(f"files cannot be searched now: {error.strerror}") from error
        return "" if error.errno in GONE else None


def _text_of(descriptor: int, name: str) -> str | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return ""  # a folder by now
    try:
        data = bytes_at(descriptor, name)
    except ToolFailed:
        return None
    return None if _BINARY in data else data.decode(errors="replace")


def _cut(line: str) -> str:
    line = line.rstrip("\r")
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"
