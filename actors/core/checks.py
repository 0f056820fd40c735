"""Checks of our own rules that cost time: made only where the environment asks for them.

For tests: an interrupt may tear a checked lock, which a bare one knows not.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types import FrameType

SWITCH = "ACTORS_CHECKS"
"""The variable of the environment that turns them on, when it is set and not 0. It is read once, on first use."""


class BrokenRuleError(Exception):
    """A defect of ours: a lock out of order, or a step that an agent's state does not allow."""


@cache
def checking() -> bool:
    """Are the checks on?"""
    return os.environ.get(SWITCH, "0") not in ("", "0")


class Rank(IntEnum):
    """Who may be taken while what is held: a thread takes locks in this order, and of one rank only one."""

    SIGNALS = 0
    """No lock: signals held off, in the main thread."""
    STARTING = 1
    """The start of a supervisor's own thread, or of the alarm's."""
    TURN = 2
    """The turn of a pool."""
    LEAF = 3
    """All others: under one of them nothing else is taken, and nobody is woken or called."""


def leaf_lock() -> threading.Lock:
    """A lock under which nothing else is taken; a bare ``threading.Lock`` unless the checks are on."""
    return ranked_lock(Rank.LEAF) if checking() else threading.Lock()


def leaf_rlock() -> Any:
    """As :func:`leaf_lock`, and as cheap; the thread that has it may take it again, in a finalizer say."""
    return ranked_rlock(Rank.LEAF) if checking() else _thread.RLock()  # that of ``threading`` is a function around it


def ranked_rlock(rank: Rank) -> Any:
    """A lock of that *rank* that the thread that has it may take again; a bare one unless the checks are on."""
    return CheckedLock(rank, threading.RLock()) if checking() else threading.RLock()


def ranked_lock(rank: Rank) -> threading.Lock:
    """A lock of that *rank*; a bare ``threading.Lock`` unless the checks are on."""
    return cast("threading.Lock", CheckedLock(rank, threading.Lock())) if checking() else threading.Lock()


class _Held(threading.local):
    """The locks that a thread holds, in the order in which it took them."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._locks: list[CheckedLock] = []

    @property
    def locks(self) -> list[CheckedLock]:
        """They; what was held at a fork is held in the parent."""
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]  # begin anew
        return self._locks


_HELD = _Held()


class CheckedLock:
    """A lock that refuses to be taken out of order."""

    def __init__(self, rank: Rank, lock: Any) -> None:
        self.rank = rank
        self._lock = lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it.

        Raises:
            BrokenRuleError: The thread holds one that may only be taken after this one.
        """
        refuse_out_of_order(self.rank, self)
        taken: bool = self._lock.acquire(blocking, timeout)
        if taken:
            _HELD.locks.append(self)
        return taken

    def release(self) -> None:
        """Let it go."""
        self._lock.release()
        held = _HELD.locks
        for at in range(len(held) - 1, -1, -1):
            if held[at] is self:
                del held[at]
                return

    def locked(self) -> bool:
        """Is it held?"""
        return bool(self._lock.locked())

    def _is_owned(self) -> bool:
        """Does the calling thread hold it? (As of a bare one that can be taken again.)"""
        return bool(self._lock._is_owned())  # noqa: SLF001 - as ``threading.Condition`` asks it

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def refuse_out_of_order(rank: Rank, lock: CheckedLock | None = None) -> None:
    """Raise when the calling thread holds a lock that comes after *rank*, or another one of it.

    A finalizer may run between any two instructions, also of a thread that holds a lock: what it takes is not in the
    thread's order, and those locks that it may meet again can be taken twice.
    """
    held = _HELD.locks
    if held and held[-1].rank >= rank and lock not in held and not _is_finalizing(sys._getframe()):  # noqa: SLF001
        raise BrokenRuleError(f"{rank.name} is taken while {[one.rank.name for one in held]} are held")


def _is_finalizing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
