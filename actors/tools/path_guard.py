"""Keeps a tool inside the paths that its agent was granted."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..agent.terms.capability import EVERYTHING, FileRead, FileWrite
from ..errors import ToolFailed
from .regular_file import ALWAYS, NO_LINK, open_regular
from .shown_path import meant_path, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..agent.agent import Agent

# Only walked through: where O_PATH exists, a folder on the way need not be readable. Windows has neither.
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", os.O_RDONLY)
_WALKS = os.open in os.supports_dir_fd

REPOSITORIES = frozenset({".git", ".hg"})
LONGEST = 4096
"""Characters of a path; what is longer only takes time."""
DEEPEST = 64
"""Folders below an allowed path; deeper ones are not made: what goes through them by name or by recursion cannot."""


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


Limits = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PathGuard:
    """The paths below which files may be opened.

    A relative path, granted or asked for, starts at the current working directory of the process. ``"*"``
    allows every path. ``..`` and links are resolved at the moment of use: what counts is where they lead.

    Args:
        limited: Further allowed paths, each with sets of paths of which everyone must allow it as well: what a child
            was granted below its parents' paths may lead elsewhere by a link.
        also: Other guards that must allow it, too.
        kind: The capability that grants it, for errors.
    """

    allowed_paths: tuple[str, ...]
    limited: tuple[tuple[str, Limits], ...] = ()
    also: tuple[PathGuard, ...] = ()
    kind: str = field(default="", compare=False)

    @classmethod
    def of(cls, agent: Agent[Any], *kinds: type[FileRead] | type[FileWrite]) -> PathGuard:
        """The guard for what the manifest of *agent* grants of each of *kinds* (``FileRead``)."""
        kind, *others = kinds or (FileRead,)
        grants = [grant for grant in agent.manifest.capabilities if isinstance(grant, kind)]
        free = tuple(path for grant in grants if not grant.limits for path in grant.allowed_paths)
        limited = tuple((path, grant.limits) for grant in grants if grant.limits for path in grant.allowed_paths)
        return cls(free, limited, tuple(cls.of(agent, other) for other in others), kind().type)

    def resolve(self, path: str) -> str:
        """Where *path* leads: absolute, without ``..`` and links. It need not exist.

        Raises:
            ToolFailed: It leads out of the allowed paths, or is no path at all.
        """
        return self._resolve(path)[1]

    def open(self, path: str, flags: int = os.O_RDONLY, *, doing: str = "open") -> int:
        """Open *path*, a file or a folder, and return its file descriptor; the caller closes it.

        A pipe, a socket or a device is not opened: its writer would take that for a reader.

        A link that somebody puts in the way between the check and the opening is not followed: each folder on
        the way is opened in the one before. (On Windows, which cannot, the check alone must do.)

        Raises:
            ToolFailed: It leads out of the allowed paths, or cannot be opened; the text says why.
        """
        root, resolved = self._resolve(path)
        with told(path, doing):
            return _open_below(root, resolved, flags) if _WALKS else open_regular(resolved, None, flags)

    @contextmanager
    def place(self, path: str, *, create: bool = False) -> Iterator[Place]:
        """Open the folder that *path* is to be written to, as :meth:`open` does; *path* itself need not exist.

        Nothing below a ``.git`` is: git runs what stands there, so a file would be a command that nobody has allowed.

        Args:
            create: Make the folders on the way that are missing.
        Raises:
            ToolFailed: It leads out of the allowed paths, or its folder cannot be opened.
        """
        root, resolved = self._resolve(path)
        folder, name = os.path.split(resolved)
        path = meant_path(path)
        if not name or path.endswith(("/", os.sep)):
            raise ToolFailed(f"{shown(path)} is a folder")
        if any(part.casefold().rstrip(". ") in REPOSITORIES for part in PurePath(resolved).parts):
            raise ToolFailed(f"{shown(path)} belongs to a git repository's own files, which are not written to")
        is_deep = len(PurePath(resolved).parts) - len(PurePath(root).parts) - 1 > DEEPEST
        opened = None
        try:
            if _WALKS:
                # What is allowed may be a single file: then its folder is opened, and nothing else in it is touched.
                top = folder if resolved == root else root
                opened = _open_below(top, folder, os.O_RDONLY | _FOLDER | ALWAYS, create=create and not is_deep)
            elif create and not is_deep:
                os.makedirs(folder, exist_ok=True)
        except FileNotFoundError as error:
            why = f"folders are made down to {DEEPEST} below an allowed path" if is_deep else error.strerror
            raise ToolFailed(f"cannot open the folder of {shown(path)}: {why}") from error
        except OSError as error:
            raise ToolFailed(f"cannot open the folder of {shown(path)}: {error.strerror or error}") from error
        try:
            yield Place(None, resolved) if opened is None else Place(opened, name)
        finally:
            if opened is not None:
                os.close(opened)

    def _resolve(self, path: str) -> tuple[str, str]:
        """The allowed path that *path* is below, and where it leads."""
        if not path:
            raise ToolFailed("the path is empty")
        if len(path) > LONGEST:
            raise ToolFailed(f"the path is longer than {LONGEST:,} characters")
        try:
            resolved = os.path.realpath(meant_path(path))
            root = self._root_of(resolved)
        except ValueError as error:  # a NUL, or what the file system cannot encode
            raise ToolFailed(f"{shown(path)} is not a path: {error}") from error
        except OSError as error:
            raise ToolFailed(f"cannot resolve {shown(path)}: {error.strerror or error}") from error
        except RecursionError as error:
            raise ToolFailed(f"{shown(path)} leads through too many links") from error
        if root is None:
            raise ToolFailed(f"{shown(path)} is not in allowed_paths ({self._in_words()})")
        return root, resolved

    def _in_words(self) -> str:
        own = ", ".join([*self.allowed_paths, *(path for path, _ in self.limited)]) or "none"
        own = f"{self.kind}: {own}" if self.also or self.kind == "file_write" else own
        return "; and ".join([own, *(f"{guard.kind}: {guard._in_words()}" for guard in self.also)])  # noqa: SLF001

    def _root_of(self, resolved: str) -> str | None:
        """The outermost allowed path that *resolved* is below; None when there is none."""
        roots = []
        for path, limits in (*((path, ()) for path in self.allowed_paths), *self.limited):
            root = _root(path, resolved)
            if root is not None and all(any(_root(one, resolved) for one in limit) for limit in limits):
                roots.append(root)
        if any(guard._root_of(resolved) is None for guard in self.also):  # noqa: SLF001 - one of its own kind
            return None
        return min(roots, key=len, default=None)


@contextmanager
def told(path: str, doing: str) -> Iterator[None]:
    """Where the system refuses it, that is told: *doing* is what cannot be done to *path*."""
    try:
        yield
    except OSError as error:
        raise ToolFailed(f"cannot {doing} {shown(path)}: {error.strerror or error}") from error


def _root(allowed: str, resolved: str) -> str | None:
    """Where *allowed* leads, if *resolved* is there or below."""
    root = PurePath(resolved).anchor if allowed == EVERYTHING else os.path.realpath(allowed)
    return root if PurePath(resolved).is_relative_to(root) else None


def _open_below(root: str, resolved: str, flags: int, *, create: bool = False) -> int:
    """Open *resolved* folder by folder, following no link.

    From the very top on, where folders need not be readable to be walked through: a folder above *root*, too, may be
    put in the place of another since *root* was resolved.
    """
    top = PurePath(resolved).anchor if hasattr(os, "O_PATH") else root
    parts = PurePath(resolved).relative_to(top).parts
    own = len(parts) - len(PurePath(resolved).relative_to(root).parts)  # so many of them are above root, or root itself
    opened = _open(top, None, _FOLDER if parts else flags)
    for place, part in enumerate(parts, start=1):
        try:
            if create and place >= own:
                _make_folder(part, opened)
            inner = _open(part, opened, flags if place == len(parts) else _FOLDER)
        finally:
            os.close(opened)
        opened = inner
    return opened


def _open(name: str, folder: int | None, flags: int) -> int:
    if flags & getattr(os, "O_DIRECTORY", 0):  # nothing else is opened then
        return os.open(name, flags | NO_LINK | ALWAYS, dir_fd=folder)
    return open_regular(name, folder, flags)


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        pass  # most often; what is no folder fails in the next step
