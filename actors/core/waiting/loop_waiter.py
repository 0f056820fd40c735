"""One wait of one coroutine: a one-shot event that any thread sets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..crash import report
from .wait_graph import current, refuse_wait_for

if TYPE_CHECKING:
    from .wait_graph import WaitMember
    from .waiter import Parked


class LoopWaiter:
    """A gate that one coroutine waits at, on the asyncio loop that runs when it is made. It holds no thread.

    What wakes a ``Waiter`` wakes this.

    Guarantees: a wait that is cancelled leaves nothing behind. A loop that was closed meanwhile harms nobody who wakes.

    Locks: none. ``woken`` only ever becomes true, by whoever wakes; all else happens in the loop's thread.
    """

    __slots__ = ("_arrival", "_loop", "owner", "woken")

    def __init__(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "await needs a running asyncio loop (asyncio.run, uvloop, a web server's); where there is none, use "
                "handle.result() or handle.add_done_callback()"
            ) from None
        self._arrival: asyncio.Future[None] | None = None
        self.owner: Parked | None = None
        self.woken = False

    def wake(self) -> None:
        """Open the gate, from any thread; opening it again does nothing."""
        self.woken = True
        try:
            self._loop.call_soon_threadsafe(self._open)
        except Exception:  # noqa: BLE001 - whatever somebody's loop raises, whoever wakes has others to wake
            if not self._loop.is_closed():  # else nobody waits there any more
                report("an event loop could not be woken")

    def _open(self) -> None:
        arrival = self._arrival
        if arrival is not None and not arrival.done():
            arrival.set_result(None)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody opens the gate, at most *timeout* seconds; False when the time ran out."""
        if self.woken:
            return True
        if timeout is not None and timeout <= 0:
            return False
        self._arrival = arrival = self._loop.create_future()
        alarm = None if timeout is None else self._loop.call_later(timeout, self._open)
        try:
            await arrival
        finally:
            self._arrival = None
            if alarm is not None:
                alarm.cancel()
        return self.woken


async def arrive(waiter: LoopWaiter, timeout: float | None, on: str, target: WaitMember | None = None) -> bool:
    """Wait at *waiter* as whoever runs here: the coroutine's ``wait_for``.

    An agent that runs a loop of its own is parked as long as a coroutine of that loop waits so.

    Args:
        timeout: Seconds; None waits for ever.
        on: What is waited for, in words.
        target: Who opens the gate, if it is a known member.
    Returns:
        False when the time ran out.
    Raises:
        Cancelled: The agent in whose thread the loop runs was cancelled.
        DeadlockError: *target* waits, directly or not, for that agent.
    """
    member = current()
    if member is None:
        return await waiter.wait(timeout)
    member.check()
    if target is not None:
        refuse_wait_for(target)
    wake, host = waiter.wake, member.host
    member.token.remind(wake)
    try:
        if host is None:
            woken = await waiter.wait(timeout)
        else:
            host.park(member, on)
            try:
                woken = await waiter.wait(timeout)
            finally:
                host.unpark(member)
    finally:
        member.token.forget(wake)
    member.check()
    return woken
