"""A handler that waits for a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...errors import ActorsError
from ..waiting.wait_graph import current
from ..waiting.waiter import Waiter
from .actor_timers import as_seconds

if TYPE_CHECKING:
    from .actor_cell import ActorCell


def sleep(cell: ActorCell, seconds: float) -> None:
    """Wait as whoever runs here, or else as that actor.

    Raises:
        Cancelled: It was cancelled.
        ActorsError: This thread runs an event loop.
    """
    seconds = as_seconds(seconds, "a sleep")
    if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the public one raises when there is none
        raise ActorsError("sleep() would stop the whole event loop: use await asyncio.sleep() in a coroutine")
    (current() or cell).wait(Waiter(), seconds, "a time", None)
