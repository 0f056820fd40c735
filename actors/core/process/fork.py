"""The fork mark: threads do not survive a fork, so whatever was made before one is dead in the child."""

from __future__ import annotations

import os
import threading

from ...errors import ForkedPoolError


class Mark:
    """Which process this is, counted in forks."""

    def __init__(self) -> None:
        self.generation = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.generation += 1


_mark: Mark | None = None


def mark() -> Mark:
    """The process's mark. Hot paths keep it, and look at its ``generation`` themselves."""
    global _mark
    if _mark is None:
        _mark = Mark()
    return _mark


def generation() -> int:
    """The process's generation, to be kept by whatever owns threads."""
    return mark().generation


class ProcessLock:
    """A lock that a forked child does not find held: whoever held it is not there to let it go. A context manager.

    Locks: itself; ``_locks`` has one for each generation, and changes by single dict operations.
    """

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}

    def __enter__(self) -> None:
        born = generation()
        lock = self._locks.get(born)
        if lock is None:
            lock = self._locks.setdefault(born, threading.Lock())
        lock.acquire()

    def __exit__(self, *_: object) -> None:
        lock = self._locks.get(generation())
        if lock is not None and lock.locked():  # in a child that was forked inside the block, it is another one
            lock.release()


def refuse_after_fork(born: int) -> None:
    """Raise :class:`ForkedPoolError` unless *born* is this process's generation."""
    if _mark is not None and _mark.generation != born:
        raise ForkedPoolError(
            "made before os.fork(): its threads live in the parent process only; make a new one in this process"
        )
