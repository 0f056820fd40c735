"""A pool cannot do what is asked of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .base import ActorsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class JoinTimeout(ActorsError, TimeoutError):
    """``join_all`` ran out of time. Nothing was taken; ``partial`` maps ids to the outcomes that are there."""

    def __init__(self, text: str, partial: Mapping[int, Any]) -> None:
        super().__init__(text)
        self.partial: dict[int, Any] = copy.copy(partial) if isinstance(partial, dict) else dict(partial)


class DeadlockError(ActorsError):
    """The wait would never end: somebody on ``path`` waits for the one who asked."""

    def __init__(self, text: str, path: Iterable[str] = ()) -> None:
        self.path: tuple[str, ...] = tuple(path)
        super().__init__(f"{text}: {' -> '.join(self.path)}" if self.path else text)


class PoolClosed(ActorsError):
    """The pool takes no new agents: it drains, or it is closed."""


class NoPool(ActorsError, AttributeError):
    """The actor belongs to no pool: start it with ``pool.start_actor``."""


class ForkedPoolError(ActorsError):
    """The pool belongs to the parent process: threads do not survive a fork. Make a new pool in the child."""
