"""Walks through folders that somebody else may be changing meanwhile."""

from __future__ import annotations

import errno
import fnmatch
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ..errors import ToolFailed
from .path_guard import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.waiting.cancel import CancelToken
    from .path_guard import PathGuard

MAX_DEPTH = 200
"""Folders below the first one; what lies deeper is not looked at."""
LOOK_EVERY = 500
"""Names between two looks at the cancel."""

Glob = Annotated[str, Field(max_length=500)]

ANY_FOLDERS = "**"
_NO_MORE = (errno.EMFILE, errno.ENFILE)  # what is passed over for them would look as if it were not there
# Opening must not wait for the writer of a pipe that has taken a folder's place, nor follow a link.
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_CLOSES = getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which files fit: ``*.py`` in the folder itself, ``**/*.py`` at any depth.

    Args:
        parts: None stands for any number of folders.
    """

    parts: tuple[re.Pattern[str] | None, ...]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Take *text* apart.

        Raises:
            ToolFailed: It leads up, or nowhere.
        """
        wanted = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
        if not wanted or ".." in wanted:
            raise ToolFailed(f"{shown(text)} is not a pattern; try *.py or **/*.py")
        parts: list[re.Pattern[str] | None] = []
        for part in wanted:
            if part != ANY_FOLDERS:
                parts.append(re.compile(fnmatch.translate(part)))
            elif not parts or parts[-1] is not None:  # two in a row are as one
                parts.append(None)
        return cls(tuple(parts))

    @property
    def depth(self) -> int | None:
        """How many folders deep a file can fit; None: any number."""
        return None if None in self.parts else len(self.parts) - 1

    def start(self) -> frozenset[int]:
        """How much of the pattern may be used up before the first name."""
        return self._past_nothing({0})

    def step(self, reached: frozenset[int], name: str) -> frozenset[int]:
        """How much may be used up after *name*: all ways at once, none is tried twice."""
        following: set[int] = set()
        for at in reached:
            if at < len(self.parts):
                part = self.parts[at]
                if part is None:
                    following.add(at)
                elif part.match(name):
                    following.add(at + 1)
        return self._past_nothing(following)

    def fits(self, reached: frozenset[int]) -> bool:
        """Is all of it used up?"""
        return len(self.parts) in reached

    def _past_nothing(self, reached: set[int]) -> frozenset[int]:
        return frozenset(reached | {at + 1 for at in reached if at < len(self.parts) and self.parts[at] is None})


@contextmanager
def open_folder(guard: PathGuard, path: str) -> Iterator[int | str]:
    """Open a folder inside the allowed paths: its descriptor, or its path where folders cannot be opened."""
    if os.scandir not in os.supports_fd:
        yield guard.resolve(path)
        return
    opened = guard.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def told(path: str) -> Iterator[None]:
    """What fails while a folder is listed is told."""
    try:
        yield
    except OSError as error:
        raise ToolFailed(f"cannot list {shown(path)}: {error.strerror or error}") from error


def files_below(where: int | str, wanted: Pattern, cancel: CancelToken) -> Iterator[list[str]]:
    """The files below *where* that fit, each by the parts of its path from there, folder by folder in order.

    Links are not followed, also when one takes a folder's place meanwhile. A folder that cannot be opened or listed is
    passed over. Two descriptors are open at a time, however deep it goes.

    Raises:
        ToolFailed: *where* itself cannot be listed, or no descriptor is left.
        Cancelled: The call was cancelled.
    """
    seen = 0
    waiting: list[tuple[list[str], frozenset[int]]] = [([], wanted.start())]
    while waiting:
        folder, reached = waiting.pop()
        cancel.check()
        names, folders = [], []
        try:
            for name, is_folder in _entries(where, folder):  # None: a link to a folder
                seen += 1
                if seen % LOOK_EVERY == 0:
                    cancel.check()
                following = wanted.step(reached, name)
                if is_folder and following and len(folder) < MAX_DEPTH:
                    folders.append((name, following))
                elif is_folder is False and wanted.fits(following):
                    names.append(name)
        except OSError as error:
            if not folder or error.errno in _NO_MORE:
                raise ToolFailed(f"the folder cannot be listed: {error.strerror or error}") from error
        yield from ([*folder, name] for name in sorted(names))
        waiting += [([*folder, name], following) for name, following in sorted(folders, reverse=True)]


def _entries(where: int | str, folder: Sequence[str]) -> Iterator[tuple[str, bool | None]]:
    """The names in a folder, and which of them are folders; None for a link to one."""
    descriptor = None if isinstance(where, str) else open_below(where, folder)
    try:
        with os.scandir(os.path.join(where, *folder) if isinstance(where, str) else descriptor) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                yield entry.name, None if not is_folder and entry.is_dir() else is_folder
    finally:
        if descriptor is not None:
            os.close(descriptor)


def open_below(where: int, folder: Sequence[str]) -> int:
    """Open a folder below *where*, step by step, following no link; the caller closes it."""
    opened = os.open(".", _FOLDER | _CLOSES, dir_fd=where)
    for part in folder:
        try:
            inner = os.open(part, _FOLDER | _CLOSES, dir_fd=opened)
        finally:
            os.close(opened)
        opened = inner
    return opened
