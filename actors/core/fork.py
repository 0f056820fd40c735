"""The fork mark: threads do not survive a fork, so whatever was made before one is dead in the child."""

from __future__ import annotations

import os

from ..errors import ForkedPoolError


class _Mark:
    """Which process this is, counted in forks."""

    def __init__(self) -> None:
        self.generation = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.generation += 1


_mark: _Mark | None = None


def generation() -> int:
    """The process's generation, to be kept by whatever owns threads."""
    global _mark
    if _mark is None:
        _mark = _Mark()
    return _mark.generation


def refuse_after_fork(born: int) -> None:
    """Raise :class:`ForkedPoolError` unless *born* is this process's generation."""
    if _mark is not None and _mark.generation != born:
        raise ForkedPoolError(
            "made before os.fork(): its threads live in the parent process only; make a new one in this process"
        )
