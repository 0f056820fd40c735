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
from .regular_file import ALWAYS, NO_LINK, open_regular
from .shown_path import LONGEST_SHOWN, shown, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..core.waiting.cancel import CancelToken
    from .path_guard import PathGuard

MAX_DEPTH = 2_000
"""Folders below the first one; what lies deeper is not looked at."""
MAX_NAMED = 5
"""So many folders that were passed over are named."""
LOOK_EVERY = 500
"""Names between two looks at the cancel."""

Glob = Annotated[str, Field(max_length=500)]

ANY_FOLDERS = "**"
NO_MORE = (errno.EMFILE, errno.ENFILE)
"""No descriptor is left: what is passed over for that would look as if it were not there."""
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""It is gone, or another thing by now: a link, for instance."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | NO_LINK | ALWAYS


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
    opened = guard.open(path, _FOLDER, doing="list")
    try:
        yield opened
    finally:
        os.close(opened)


class Walk:
    """The files below a folder that fit a pattern, folder by folder in order.

    Links are not followed, also when one takes a folder's place meanwhile. A folder that cannot be opened or listed is
    passed over, and counted. Two descriptors are open at a time, however deep it goes.

    Args:
        where: The folder; its path where folders cannot be opened.
        wanted: Which files.
        cancel: The token of the call, looked at now and then.
    """

    def __init__(self, where: int | str, wanted: Pattern, cancel: CancelToken) -> None:
        self._where = where
        self._wanted = wanted
        self._cancel = cancel
        self._seen = 0
        self._path = ""
        self._folder: int | None = None
        self._name = ""
        self._unlisted: list[str] = []
        self._too_deep: list[str] = []

    def __iter__(self) -> Iterator[str]:
        """The path of each file, from the folder on.

        Raises:
            ToolFailed: The folder itself cannot be listed, or no descriptor is left.
            Cancelled: The call was cancelled.
        """
        waiting: list[tuple[str, frozenset[int]]] = [("", self._wanted.start())]
        try:
            while waiting:
                path, reached = waiting.pop()
                self._cancel.check()
                try:
                    names, folders = self._listed(path, reached)
                except OSError as error:
                    if not path or error.errno in NO_MORE:
                        raise ToolFailed(f"the folder cannot be listed: {error.strerror or error}") from error
                    if error.errno not in GONE:
                        self._unlisted.append(path)
                    continue
                for self._name in sorted(names):
                    yield _joined(path, self._name)
                if path.count("/") + bool(path) < MAX_DEPTH:
                    waiting += [(_joined(path, name), following) for name, following in sorted(folders, reverse=True)]
                else:
                    self._too_deep += [_joined(path, name) for name, _ in folders]
        finally:
            self._leave()

    def open(self) -> int:
        """Open the file whose path came last, if it is a regular one; the caller closes it.

        Raises:
            OSError: It cannot be opened.
        """
        if isinstance(self._where, str):
            return open_regular(os.path.join(self._where, self._path, self._name), None)
        return open_regular(self._name, self._folder)

    def notes(self) -> str:
        """What was not looked at, for the end of an answer; empty when all was."""
        return "".join(
            f"\n[passed over, {why}: {_some(paths)}]"
            for paths, why in (
                (self._unlisted, "as it cannot be listed"),
                (self._too_deep, f"as it is deeper than {MAX_DEPTH:,} folders"),
            )
            if paths
        )

    def _listed(self, path: str, reached: frozenset[int]) -> tuple[list[str], list[tuple[str, frozenset[int]]]]:
        """The files of a folder that fit, and the folders in it that may hold some."""
        self._enter(path)
        names, folders = [], []
        with os.scandir(os.path.join(self._where, path) if isinstance(self._where, str) else self._folder) as entries:
            for entry in entries:
                self._seen += 1
                if self._seen % LOOK_EVERY == 0:
                    self._cancel.check()
                following = self._wanted.step(reached, entry.name)
                if is_folder(entry):
                    if following:
                        folders.append((entry.name, following))
                elif self._wanted.fits(following) and not _is_folder_elsewhere(entry):
                    names.append(entry.name)
        return names, folders

    def _enter(self, path: str) -> None:
        if isinstance(self._where, str):
            self._path = path
            return
        parent, _, name = path.rpartition("/")
        if name and self._folder is not None and self._path == parent:  # most often: one step down
            inner = os.open(name, _FOLDER, dir_fd=self._folder)
        else:
            inner = open_below(self._where, path.split("/") if path else [])
        self._leave()
        self._folder, self._path = inner, path

    def _leave(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
        self._folder = None


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Is it a folder, and no link to one? What cannot be looked at is taken for none."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_folder_elsewhere(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # it leads in a circle, or to where nobody may look
        return False


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _some(paths: Sequence[str]) -> str:
    named = [shown_path(path)[:LONGEST_SHOWN] for path in paths[:MAX_NAMED]]
    return ", ".join(named) + f" and {len(paths) - MAX_NAMED:,} more" * (len(paths) > MAX_NAMED)


def open_below(where: int, folder: Sequence[str]) -> int:
    """Open a folder below *where*, step by step, following no link; the caller closes it."""
    opened = os.open(".", _FOLDER, dir_fd=where)
    for part in folder:
        try:
            inner = os.open(part, _FOLDER, dir_fd=opened)
        finally:
            os.close(opened)
        opened = inner
    return opened
