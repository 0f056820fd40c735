"""Where a live view of another process is found: a small file that stands while it is open, for its user alone."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
LONGEST = 65_536
"""Bytes of a file that is read."""
MOST = 10_000
"""Files that are looked at."""


@dataclass(frozen=True, slots=True)
class Door:
    """A live view that is open.

    Args:
        pid: The process that it is in.
        url: With its token: whoever has it may look, and act where the view lets them.
        pool: The name of the pool.
        began: When it was opened, in seconds since the epoch.
    """

    pid: int
    url: str = field(repr=False)
    pool: str
    began: float


def doors(pid: int | None = None) -> list[Door]:
    """The live views of this user's processes on this machine, the oldest first. What dead processes left is removed.

    Args:
        pid: Those of that process alone.
    Raises:
        OSError: The folder is not this user's alone, so what stands in it is not believed.
    """
    folder = _folder()
    if not os.path.lexists(folder):
        return []
    _refuse_strange(folder)
    found = [door for path in _plates(folder) if (door := _read(path)) is not None]
    return sorted((door for door in found if pid in (None, door.pid)), key=lambda door: door.began)


class Doorplate:
    """The file that says where a view is. That it cannot be written is a warning: the view works without.

    Args:
        door: What stands in it.

    Threads: the one that opens the view makes it; any takes it down, once.
    """

    def __init__(self, door: Door) -> None:
        self._pid = os.getpid()
        self._path: Path | None = None
        try:
            folder = _folder()
            _make(folder)
            self._path = _write(folder, door)
        except OSError as error:
            logger.warning("actors top will not find the live view of {} by its process: {}", door.pool, error)

    def take_down(self) -> None:
        """Remove the file. In a forked child it stays: it is the parent's."""
        path, self._path = self._path, None
        if path is not None and self._pid == os.getpid():
            with suppress(OSError):  # somebody has cleared the folder
                path.unlink()


def _folder() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given and os.path.isabs(given) and _is_own(given):
        return Path(given, "actors")
    return Path(tempfile.gettempdir(), f"actors-{os.getuid()}" if hasattr(os, "getuid") else "actors")


def _is_own(path: str | Path) -> bool:
    """Is it a real folder of this user, to which nobody else has a key? (Where there are no modes: is it a folder?)"""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700)


def _make(folder: Path) -> None:
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    _refuse_strange(folder)


def _refuse_strange(folder: Path) -> None:
    if not _is_own(folder):
        raise PermissionError(f"{folder} must be a real folder of this user with mode 0700, and is not: remove it")


def _write(folder: Path, door: Door) -> Path:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    number = 1
    while True:
        path = folder / f"{door.pid}-{number}.json"
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:  # of another view of this process, or left by a dead one that had this pid
            number += 1
            continue
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump({"v": VERSION, **asdict(door)}, file)
        except BaseException:  # no half one is left, of a full disk say
            path.unlink(missing_ok=True)
            raise
        return path


def _plates(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= MOST:
                return
            pid = entry.name.split("-")[0]
            if not (entry.name.endswith(".json") and pid.isascii() and pid.isdigit()):
                continue
            if _lives(int(pid)):
                yield Path(entry.path)
            else:
                with suppress(OSError):  # somebody else was first
                    os.unlink(entry.path)


def _lives(pid: int) -> bool:
    if os.name == "nt":  # there a signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _read(path: Path) -> Door | None:
    """None for what is none of ours, is half written, or of a newer version."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            said: Any = json.loads(file.read(LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("v") != VERSION:
        return None
    pid, url, pool, began = said.get("pid"), said.get("url"), said.get("pool"), said.get("began")
    if type(pid) is not int or path.name.split("-")[0] != str(pid):
        return None
    if not isinstance(url, str) or not isinstance(pool, str) or not isinstance(began, float):
        return None
    return Door(pid, url, pool, began)
