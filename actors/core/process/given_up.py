"""Calls on an event loop that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

from ..crash import report


class Cancellable(Protocol):
    """A call on a loop."""

    def cancel(self) -> asyncio.Task[Any] | None:
        """Cancel it, on the loop; what unwinds now, if it has begun."""


class GivenUp:
    """Cancels the calls that nobody waits for any more: a few at once, a crowd when no more come.

    To unwind one takes the loop most of a millisecond. When hundreds are given up together, those who waited for them
    go first: else the loop would hold the interpreter lock against each of them.

    Threads: any for :meth:`add` and :meth:`settled`; all else is on the loop.
    """

    FEW = 4
    """So many are cancelled at once, in any :data:`HOLD`."""
    HOLD = 0.01
    """Seconds without another one after which the others are."""
    HOLDS = 10
    """After so many they are cancelled in any case."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line: deque[Cancellable] = deque()
        self._called = False
        self._since = float("-inf")
        self._taken = 0
        self._leaving: dict[asyncio.Task[Any], float] = {}

    def add(self, call: Cancellable) -> None:
        """Have *call* cancelled."""
        self._line.append(call)
        if not self._called:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        # Set here, on the loop: an interrupt of who adds one leaves nothing behind that keeps others from calling.
        if not self._called:
            self._called = True
            self._begin()

    def _begin(self) -> None:
        now = self._loop.time()
        if now - self._since >= self.HOLD:
            self._since, self._taken = now, 0
        if self._taken == self.FEW:
            self._hold(0, 0)
        elif not self._is_idle():
            self._taken += 1
            self._loop.call_soon(self._begin)
            self._cancel_one()

    def _hold(self, seen: int, holds: int) -> None:
        count = len(self._line)
        if count > seen and holds < self.HOLDS:
            self._loop.call_later(self.HOLD, self._hold, count, holds + 1)
        else:
            self._cancel_all()

    def _cancel_all(self) -> None:
        if not self._is_idle():
            self._loop.call_soon(self._cancel_all)  # between two turns the loop lets go of the interpreter lock
            self._cancel_one()

    def _is_idle(self) -> bool:
        if not self._line:
            self._called = False
            if not self._line:  # looked at again: who added one before that relies on us
                return True
            self._called = True
        return False

    def _cancel_one(self) -> None:
        try:
            task = self._line.popleft().cancel()
        except Exception:  # noqa: BLE001 - what it awaits may be anybody's; the others are cancelled all the same
            report("a call on a private loop could not be cancelled")
            return
        if task is not None and not task.done():
            self._leaving[task] = self._loop.time()
            task.add_done_callback(lambda task: self._leaving.pop(task, None))

    def settled(self, timeout: float) -> bool:
        """Is there nobody who is still to unwind, but for those who have had *timeout* seconds for it?"""
        return not (self._line or self._unwinding(timeout))

    async def settle(self, timeout: float) -> None:
        """Cancel those who still wait for it, and wait until all have unwound, each for at most *timeout* seconds since
        it was cancelled.
        """
        while self._line:
            self._cancel_one()
            await asyncio.sleep(0)
        unwinding = self._unwinding(timeout)
        if unwinding:
            await asyncio.wait(unwinding, timeout=max(unwinding.values()) + timeout - self._loop.time())

    def _unwinding(self, timeout: float) -> dict[asyncio.Task[Any], float]:
        begin = self._loop.time() - timeout
        return {task: since for task, since in tuple(self._leaving.items()) if since > begin}
