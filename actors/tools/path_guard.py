"""Keeps a tool inside the paths that its agent was granted."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..agent.capability import EVERYTHING, FileRead, FileWrite
from ..errors import ToolFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.agent import Agent

# Only walked through: where O_PATH exists, a folder on the way need not be readable. Windows has neither.
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", os.O_RDONLY)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_WALKS = os.open in os.supports_dir_fd


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands or is to stand.

    Args:
        folder: The descriptor of its folder; None where folders cannot be opened (Windows): then *name* is a path.
        name: Its name in that folder.
    """

    folder: int | None
    name: str

    def beside(self, name: str) -> str:
        """*name* in the same folder."""
        return name if self.folder is not None else os.path.join(os.path.dirname(self.name), name)


@dataclass(frozen=True, slots=True)
class PathGuard:
    """The paths below which files may be opened.

    A relative path, granted or asked for, starts at the current working directory of the process. ``"*"``
    allows every path. ``..`` and links are resolved at the moment of use: what counts is where they lead.
    """

    allowed_paths: tuple[str, ...]

    @classmethod
    def of(cls, agent: Agent[Any], kind: type[FileRead] | type[FileWrite] = FileRead) -> PathGuard:
        """The guard for what the manifest of *agent* grants of *kind*."""
        grants = (grant for grant in agent.manifest.capabilities if isinstance(grant, kind))
        return cls(tuple(path for grant in grants for path in grant.allowed_paths))

    def resolve(self, path: str) -> str:
        """Where *path* leads: absolute, without ``..`` and links. It need not exist.

        Raises:
            ToolFailed: It leads out of the allowed paths, or is no path at all.
        """
        return self._resolve(path)[1]

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open *path* and return its file descriptor; the caller closes it.

        A link that somebody puts in the way between the check and the opening is not followed: each folder on
        the way is opened in the one before. (On Windows, which cannot, the check alone must do.)

        Raises:
            ToolFailed: It leads out of the allowed paths, or cannot be opened; the text says why.
        """
        root, resolved = self._resolve(path)
        try:
            if not _WALKS:
                return os.open(resolved, flags | _ALWAYS)
            return _open_below(root, resolved, flags | _ALWAYS)
        except OSError as error:
            raise ToolFailed(f"cannot open {path!r}: {error.strerror or error}") from error

    @contextmanager
    def place(self, path: str, *, create: bool = False) -> Iterator[Place]:
        """Open the folder that *path* stands in, as :meth:`open` does; *path* itself need not exist.

        Args:
            create: Make the folders on the way that are missing.
        Raises:
            ToolFailed: It leads out of the allowed paths, or its folder cannot be opened.
        """
        root, resolved = self._resolve(path)
        folder, name = os.path.split(resolved)
        if not name:
            raise ToolFailed(f"{path!r} is a folder")
        opened = None
        try:
            if _WALKS:
                # What is allowed may be a single file: then its folder is opened, and nothing else in it is touched.
                top = folder if resolved == root else root
                opened = _open_below(top, folder, os.O_RDONLY | _FOLDER | _ALWAYS, create=create)
            elif create:
                os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise ToolFailed(f"cannot open the folder of {path!r}: {error.strerror or error}") from error
        try:
            yield Place(None, resolved) if opened is None else Place(opened, name)
        finally:
            if opened is not None:
                os.close(opened)

    def _resolve(self, path: str) -> tuple[str, str]:
        """The allowed path that *path* is below, and where it leads."""
        if not path:
            raise ToolFailed("the path is empty")
        try:
            resolved = os.path.realpath(path)
            for allowed in self.allowed_paths:
                root = PurePath(resolved).anchor if allowed == EVERYTHING else os.path.realpath(allowed)
                if PurePath(resolved).is_relative_to(root):
                    return root, resolved
        except ValueError as error:  # a NUL, or what the file system cannot encode
            raise ToolFailed(f"{path!r} is not a path: {error}") from error
        except OSError as error:
            raise ToolFailed(f"cannot resolve {path!r}: {error.strerror or error}") from error
        allowed = ", ".join(self.allowed_paths) or "none"
        raise ToolFailed(f"{path!r} is not in allowed_paths ({allowed})")


def _open_below(root: str, resolved: str, flags: int, *, create: bool = False) -> int:
    """Open *resolved* folder by folder, from *root* on, following no link."""
    parts = PurePath(resolved).relative_to(root).parts
    opened = os.open(root, (_FOLDER if parts else flags) | _NO_LINK)
    for place, part in enumerate(parts, start=1):
        try:
            if create:
                _make_folder(part, opened)
            inner = os.open(part, (flags if place == len(parts) else _FOLDER) | _NO_LINK, dir_fd=opened)
        finally:
            os.close(opened)
        opened = inner
    return opened


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        pass  # most often; what is no folder fails in the next step
