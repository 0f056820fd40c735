"""Handlers that are coroutines: they run on a private loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...errors import Cancelled
from ..process.event_loop import Room, private_loop
from .reply import ReplyFuture

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Coroutine

    from ..waiting.cancel import CancelToken


def run_coroutine(coroutine: Coroutine[Any, Any, Any], token: CancelToken) -> ReplyFuture[Any]:
    """Run *coroutine* on the private loop of actors; a cancel of the token cancels it.

    Returns:
        What it returns or raises; ``Cancelled`` when the token was cancelled.
    """
    done: ReplyFuture[Any] = ReplyFuture()
    running = asyncio.run_coroutine_threadsafe(coroutine, private_loop(Room.ACTORS))
    cancel = running.cancel
    token.remind(cancel)

    def settle(ended: concurrent.futures.Future[Any]) -> None:
        token.forget(cancel)
        if ended.cancelled():
            done.fail(Cancelled(token.reason))
            return
        error = ended.exception()
        if error is not None:
            done.fail(error)
        else:
            done.set(ended.result())

    running.add_done_callback(settle)
    return done
