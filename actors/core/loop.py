"""The private event loop: one thread for the process, made on first use, for code that is async."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Cancelled
from . import fork
from .waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .cancel import CancelToken

T = TypeVar("T")


class _PrivateLoop:
    """An event loop on a daemon thread. No loop of the host is touched."""

    def __init__(self) -> None:
        self.generation = fork.generation()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="actors-loop", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


_private: _PrivateLoop | None = None
_made = threading.Lock()


def private_loop() -> asyncio.AbstractEventLoop:
    """The process's private loop; a forked child makes its own."""
    global _private
    with _made:
        if _private is None or _private.generation != fork.generation():
            _private = _PrivateLoop()
        return _private.loop


def run(coroutine: Coroutine[Any, Any, T], cancel: CancelToken) -> T:
    """Run *coroutine* on the private loop and wait for its result; a cancel of the token cancels it.

    Raises:
        Cancelled: The token was cancelled.
        BaseException: What the coroutine raised.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, private_loop())
    waiter = Waiter()
    future.add_done_callback(lambda _: waiter.wake())
    forget = cancel.on_cancel(waiter.wake)
    try:
        # A plain wait: the thread works for its agent, so its slot is kept.
        waiter.wait()
    finally:
        forget()
        if not future.done():
            future.cancel()
    if cancel.cancelled:
        raise Cancelled(cancel.reason, timed_out=cancel.timed_out)
    return future.result()
