"""What goes wrong with a journal, and with what it tells of an agent; and with a cassette."""

from __future__ import annotations

from .base import ActorsError, AgentError
from .drivers import InferenceFailed


class JournalError(ActorsError):
    """A journal cannot be opened or read."""


class JournalBusy(JournalError):
    """Another process, or another pool of this one, has the journal open.

    Args:
        message: What happened.
        pid: Of the process that has it; None where it is not known.
        since: When that one opened it, in seconds since the epoch; None where it is not known.
    """

    def __init__(self, message: str = "", *, pid: int | None = None, since: float | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        self.since = since


class JournalCorrupt(JournalError):
    """The file is not whole, or not a journal. It is never silently begun anew."""


class JournalVersion(JournalError):
    """A newer version of the library has written it."""


class JournalFailed(AgentError):
    """Nothing can be recorded any more: the disk is full or broken, or the journal is closed. What cannot be recorded
    is not begun.
    """


class JournalChanged(AgentError):
    """What is asked now is not what was recorded under this key.

    Args:
        message: What happened.
        key: The agent's.
        path: The completion that differs; empty: what the agent was started with.
        what: The first part that differs: "query", "tools", "message 7".
    """

    def __init__(self, message: str = "", *, key: str = "", path: str = "", what: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.path = path
        self.what = what


class JournalGaveUp(AgentError):
    """So many processes died while the agent lived (``max_attempts``) that it is not begun again."""


class EffectInDoubt(AgentError):
    """An effect was begun by an earlier process, and nobody knows whether it was done.

    Args:
        message: What happened.
        key: The agent's.
        path: The effect's.
        effect_key: Under which it was begun, for whoever asks the world outside.
    """

    def __init__(self, message: str = "", *, key: str = "", path: str = "", effect_key: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.path = path
        self.effect_key = effect_key


class CassetteError(ActorsError):
    """A file of recorded answers cannot be read: the message says where and why."""


class CassetteMiss(InferenceFailed):
    """A request was not recorded; the message shows the nearest one that was."""
