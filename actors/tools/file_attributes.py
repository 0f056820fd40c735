"""Who may do what with a file, and what else the system knows of it: kept when its content is replaced."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .regular_file import OWN_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

# Rights of a program, or marks of a content: another content has no claim to them.
_OF_THE_CONTENT = frozenset({"security.capability", "security.ima", "security.evm"})
_OF_THE_SYSTEM = "security."  # labels: the system gives each new file its own, and not everybody may change it
_LOOKS = getattr(os, "O_PATH", 0)


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """Owner, group, mode, access list and extended attributes of a file.

    Args:
        extended: The access list is one of them (``system.posix_acl_access``). Known on Linux only.
    """

    uid: int
    gid: int
    mode: int
    extended: Mapping[str, bytes]

    @classmethod
    def of(cls, name: str, folder: int | None, status: os.stat_result) -> FileAttributes:
        """Those of the file *name* in *folder*, whose *status* was looked at.

        Raises:
            OSError: They cannot be read.
        """
        extended: Mapping[str, bytes] = {}
        if _LOOKS and hasattr(os, "listxattr"):
            seen = os.open(name, _LOOKS | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)  # it need not be readable
            try:
                extended = _extended(f"{OWN_FILES}/{seen}")
            finally:
                os.close(seen)
        # Without setuid and its kin, for it is another content.
        return cls(status.st_uid, status.st_gid, status.st_mode & 0o777, extended)

    def apply_to(self, descriptor: int) -> None:
        """Give them to a new file, which only its owner may read so far. Nobody has more rights at any moment.

        Raises:
            OSError: One of them cannot be kept.
        """
        if not hasattr(os, "fchmod"):  # Windows
            return
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (self.uid, self.gid):
            os.fchown(descriptor, self.uid, self.gid)
        if hasattr(os, "listxattr"):
            self._extend(descriptor)
        os.fchmod(descriptor, self.mode)

    def _extend(self, descriptor: int) -> None:
        """As they were: what the folder has given to the new file is taken away."""
        here = _extended(descriptor)
        for name in here.keys() - self.extended.keys():
            if not name.startswith(_OF_THE_SYSTEM):
                os.removexattr(descriptor, name)
        for name, value in self.extended.items():
            if here.get(name) != value:
                try:
                    os.setxattr(descriptor, name, value)
                except PermissionError:
                    if not name.startswith(_OF_THE_SYSTEM):
                        raise


def _extended(file: int | str) -> dict[str, bytes]:
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):  # a file system without them
            return {}
        raise
    found: dict[str, bytes] = {}
    for name in names:
        if name not in _OF_THE_CONTENT:
            try:
                found[name] = os.getxattr(file, name)
            except OSError as error:
                if error.errno != errno.ENODATA:  # else it was taken away just now
                    raise
    return found
