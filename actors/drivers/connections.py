"""The clients of a driver: made on first use, closed when nobody needs their connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..core.process import event_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ClientT = TypeVar("ClientT")
T = TypeVar("T")

LOOKS = 20
LOOK_EVERY = 0.005
"""Seconds. Whoever still calls after these looks closes the client with the end of its call."""


class _Connection(Generic[ClientT]):
    """One client, and how many calls use it."""

    __slots__ = ("client", "loop", "retired", "users")

    def __init__(self, client: ClientT) -> None:
        self.client = client
        self.loop = asyncio.get_running_loop()
        self.users = 0
        self.retired = False


class Connections(Generic[ClientT]):
    """Hands out the current client. One that is retired is closed by its last user.

    Threads: everything but :meth:`retire_soon` runs on the private loop, so there are no locks. After a fork the child
    makes a client of its own: the parent's is left alone.
    """

    def __init__(self, make: Callable[[], ClientT], close: Callable[[ClientT], Awaitable[Any]]) -> None:
        self._make = make
        self._close = close
        self._current: _Connection[ClientT] | None = None

    async def use(self, work: Callable[[ClientT], Awaitable[T]]) -> T:
        """Do *work* with the client."""
        connection = self._current
        if connection is None or connection.loop is not asyncio.get_running_loop():
            connection = self._current = _Connection(self._make())
        connection.users += 1
        try:
            return await work(connection.client)
        finally:
            connection.users -= 1
            if connection.retired and not connection.users:
                await self._close(connection.client)  # twice does nothing twice

    async def retire(self) -> None:
        """Close the connections, at once or with the last call that uses them; later calls open their own."""
        connection, self._current = self._current, None
        if connection is None or connection.loop is not asyncio.get_running_loop():
            return
        connection.retired = True
        for _ in range(LOOKS):  # calls that were just cancelled are just ending
            if not connection.users:
                await self._close(connection.client)
                return
            await asyncio.sleep(LOOK_EVERY)

    def retire_soon(self) -> None:
        """Retire without waiting for it; from any thread, also from a collection."""
        connection = self._current
        if connection is not None:
            try:
                connection.loop.call_soon_threadsafe(lambda: connection.loop.create_task(self.retire()))
            except RuntimeError:  # the loop has ended, and all its connections with it
                pass

    def is_open(self) -> bool:
        """Is there a client to be closed?"""
        return self._current is not None


def retire(connections: Connections[Any], timeout: float) -> None:
    """Retire, and wait for it at most *timeout* seconds."""
    if not connections.is_open():
        return
    try:
        event_loop.finish(connections.retire(), timeout)
    except (TimeoutError, event_loop.LoopLost):
        pass  # it goes on by itself; nobody needs to wait longer for a connection to say goodbye
