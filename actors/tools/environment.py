"""What of this process's environment a child process gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOST = "ACTORS_HOST"
"""Names the host of a node: by it the processes are found that are left when that is killed."""
HANDED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TERM"),
    *("SYSTEMROOT", "PATHEXT", "TEMP", "APPDATA", "LOCALAPPDATA", "USERPROFILE"),  # of Windows
    HOST,
)
"""Where programs and files are, and how to write: nothing that is a secret."""


def handed_on(names: Iterable[str] = ()) -> dict[str, str]:
    """The variables of :data:`HANDED_ON` and of *names*, as far as they are set; all others stay here."""
    return {name: os.environ[name] for name in (*HANDED_ON, *names) if name in os.environ}


def marked(environment: Mapping[str, str]) -> dict[str, str]:
    """*environment*, and whose child it is who gets it: a host's is known by that."""
    mark = {HOST: os.environ[HOST]} if HOST in os.environ else {}
    return {**environment, **mark}
