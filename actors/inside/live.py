"""A page on which people see what a pool does, while it does it."""

from __future__ import annotations

import os
import weakref
from time import time
from typing import TYPE_CHECKING, Self

from loguru import logger

if TYPE_CHECKING:
    from types import TracebackType

    from .live_answers import Watched

CLOSES_IN = 5.0
"""Seconds that its thread has to end."""
HIGHEST_PORT = 65_535


class LiveView:
    """A page in the browser that shows what a pool does: who is stuck on what, since when, and what it has cost.

    It is open from here on; a context manager closes it, and so does the end of the pool::

        with AgentPool(driver) as pool, LiveView(pool) as view:
            print(view.url)

    Args:
        pool: The pool that is looked at.
        port: Where, on 127.0.0.1; 0 takes a free one.
        control: May who looks act, too: abort agents, approve and deny their calls?
    Raises:
        TypeError: *pool* is no pool, or *control* is neither true nor false.
        ValueError: *port* is no whole number from 0 to 65535.
        OSError: The port is taken.
        PoolClosed: The pool is closed.
        ForkedPoolError: The pool was made before a fork.

    Threads: any. It has one of its own, which ends with it.
    """

    def __init__(self, pool: Watched, *, port: int = 0, control: bool = False) -> None:
        from .door import HOST, Door
        from .doorplate import Door as Plate, Doorplate
        from .live_answers import LiveAnswers, refusal

        if not isinstance(control, bool):
            raise TypeError(f"control must be True or False, got {control!r}")
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= HIGHEST_PORT:
            raise ValueError(f"port must be a whole number from 0 to {HIGHEST_PORT}, got {port!r}")
        self._pool = pool
        answers = LiveAnswers(weakref.ref(pool), control=control)
        self._door = Door(port, f"{pool.name}-live", answer=answers.answer, refuse=refusal, rest=lambda: None)
        answers.live_at(self._door.port)
        self._door.open()
        self.url: str = f"http://{HOST}:{self._door.port}/?token={answers.token}"
        """Where it is, with its token: whoever has it may look."""
        self._plate = Doorplate(Plate(os.getpid(), self.url, pool.name, time()))

    def close(self) -> None:
        """Close it: its port is free, and its thread has ended. Idempotent."""
        self._plate.take_down()
        if not self._door.close(CLOSES_IN):
            logger.warning("the live view of {} is stuck: its thread is left behind", self._pool.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
