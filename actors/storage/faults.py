"""What goes wrong with a file. The rooms above say it in their own words, with errors that are public."""

from __future__ import annotations


class StorageFault(Exception):
    """The root of what this room raises.

    Args:
        text: What happened, with the file.
    """


class NotOurs(StorageFault):
    """The file belongs to another program, or is no database at all."""


class Damaged(StorageFault):
    """The file is one of ours, and not whole."""


class TooNew(StorageFault):
    """A newer version of the library has written it."""


class Unsuitable(StorageFault):
    """The folder or its file system does not do: read only, full, or without what a write-ahead log needs."""


class WriteFailed(StorageFault):
    """What was to be written is not there, and nothing is written after it."""
