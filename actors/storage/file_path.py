"""What names the file of a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def path_of(path: object, what: str) -> Path:
    """The file that *path* names, with all links followed: a file is one, whatever it is called.

    Args:
        what: For messages: "a journal".
    Raises:
        TypeError, ValueError: It names none.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{what} is a path (text or os.PathLike), got {path!r}")
    name: Any = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"the path of {what} must be text, got {name!r}")
    if not name or "\0" in name:
        raise ValueError(f"{what} needs the path of a file, got {name!r}")
    return Path(os.path.realpath(name))
