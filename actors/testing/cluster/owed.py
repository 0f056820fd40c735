"""An answer that a link owes to whoever called."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Owed(Generic[T]):
    """Answers a call once: what comes first is the answer, all others are left.

    Locks: ``_lock`` guards ``_done``, which is called outside it.
    """

    def __init__(self, done: Callable[[T], object]) -> None:
        self._lock = threading.Lock()
        self._done: Callable[[T], object] | None = done

    def answer(self, value: T) -> bool:
        """Answer by *value*. Was it the first?"""
        with self._lock:
            done, self._done = self._done, None
        if done is None:
            return False
        done(value)
        return True
