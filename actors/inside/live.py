"""A page on which people see what a pool does, while it does it."""

from __future__ import annotations

import os
import weakref
from time import time
from typing import TYPE_CHECKING, Self

from loguru import logger

from ..core.glance import glance
from ..core.shown import shown
from ..core.supervision.pool_block import PoolBlock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .live_view.watched import Watched

CLOSES_IN = 5.0
"""Seconds that its thread has to end."""
HIGHEST_PORT = 65_535


class LiveView:
    """A page in the browser that shows what a pool does: who is stuck on what, since when, and what it has cost.

    It is open from here on; a context manager closes it, and so does the end of the pool.

    Example:
        ```python
        from actors import AgentPool
        from actors.monitoring import LiveView

        with AgentPool() as pool, LiveView(pool) as view:
            print(view.url.startswith("http://127.0.0.1"))
        ```

        ```text
        True
        ```

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

    While it is open the pool keeps it, also when nobody else does. Where ``actors top`` finds it, by the process's id,
    stands in a file that this user alone can read.

    Guarantees: nobody is answered who does not know the token of the URL; nothing is heard of the pool while nobody
    asks; after :meth:`close` its port is free, and no thread of it is left, whatever its clients do.

    Threads: any. It has one of its own.

    Locks: none; what it consists of is set once.
    """

    def __init__(self, pool: Watched, *, port: int = 0, control: bool = False) -> None:
        from .live_view.answers import LiveAnswers
        from .live_view.door import HOST, Door
        from .live_view.doorplate import Door as Plate, Doorplate
        from .live_view.gatekeeper import Gatekeeper
        from .live_view.response import refusal

        _refuse_other(pool, port, control)
        gatekeeper = Gatekeeper(control=control)
        # Weakly, here and in its thread: a pool that is let go of is to end, also when somebody looks at it.
        answers = LiveAnswers(weakref.ref(pool), gatekeeper)
        self._pool_name = pool.name
        self._door = Door(
            port, f"{pool.name}-live", answer=answers.answer, refuse=refusal, rest=answers.rest, end=answers.end
        )
        gatekeeper.stands_at(self._door.port)
        self.url: str = f"http://{HOST}:{self._door.port}/?token={gatekeeper.token}"
        """Where it is, with its token: whoever has it may look."""
        self._let_go: Callable[[], None] = _nothing
        self._door.open()
        self._plate = Doorplate(Plate(os.getpid(), self.url, pool.name, time()))
        try:
            self._let_go = pool._watch(self.close)  # noqa: SLF001 - a step of the pool, and none of a user's
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it: its port is free, and its thread has ended. Idempotent; the end of the pool does it, too."""
        self._let_go()
        self._plate.take_down()
        if not self._door.close(CLOSES_IN):
            logger.warning("the live view of {} is stuck: its thread is left behind", shown(self._pool_name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _refuse_other(pool: object, port: object, control: object) -> None:
    if not isinstance(pool, PoolBlock):
        raise TypeError(f"LiveView looks at an AgentPool, got {glance(pool)}")
    if not isinstance(control, bool):
        raise TypeError(f"control must be True or False, got {glance(control)}")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= HIGHEST_PORT:
        raise ValueError(f"port must be a whole number from 0 to {HIGHEST_PORT}, got {glance(port)}")


def _nothing() -> None:
    """It is not kept by a pool yet."""
