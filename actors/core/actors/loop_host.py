"""The thread of the loop on which the coroutines of all actors run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from loguru import logger

from ...errors import DeadlockError
from ..clock import SYSTEM_CLOCK
from ..crash import fenced
from ..process.at_exit import at_exit
from ..process.stacks import Stacks
from ..waiting.crowd import crowd

if TYPE_CHECKING:
    from ..process.loop_thread import LoopThread
    from ..process.threads import Worker

STALLED_AFTER = 10.0
"""Seconds without a turn after which it is reported who holds the loop."""
LOOKS = 4
"""How often it is looked in that time."""


class LoopHost:
    """Refuses waits that would hold up every coroutine of every actor (the protocol ``Compensated``), and reports code
    that does so unseen.

    It looks as long as coroutines run. Threads: that of the alarm for :meth:`ring`, any for :meth:`watch`.

    Locks: none. ``_asked_at`` is written by the alarm, and by the loop when it comes to its turn.
    """

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._is_watched = False
        self._is_told = False
        self._asked_at: float | None = None

    def block(self, *, must: bool = False) -> int:
        """Somebody would wait here. A step of our own may."""
        if must:
            return 0
        raise DeadlockError(
            "a coroutine of an actor would block the event loop of all async actors: await what it waits for "
            "(await ref.ask_future(message), await handle), or move the wait to a thread (await asyncio.to_thread(...))"
        )

    def unblock(self, wait: int) -> None:
        """That wait is over."""

    def watch(self) -> None:
        """A coroutine begins."""
        if not self._is_watched:
            self._is_watched = True
            self._look_later()

    def _look_later(self) -> None:
        self._is_watched = crowd().alarm.mind(self, SYSTEM_CLOCK.monotonic() + STALLED_AFTER / LOOKS)

    def ring(self) -> None:
        """Look whether the loop has come to its turn. Each standstill is told once."""
        thread, now = self._thread, SYSTEM_CLOCK.monotonic()
        asked_at = self._asked_at
        if thread.is_over or (asked_at is None and not thread.is_busy):
            self._is_watched = False
            if not (thread.is_busy and not thread.is_over):  # else one has begun just now, and seen it watched
                return
            self._is_watched = True
        if asked_at is None:
            self._is_told = False
            self._asked_at = now
            try:
                thread.loop.call_soon_threadsafe(self._turn)
            except RuntimeError:  # it was closed
                pass
        elif now - asked_at >= STALLED_AFTER and not self._is_told:
            self._begin_telling(now - asked_at)
        self._look_later()

    def _turn(self) -> None:
        self._asked_at = None

    def _begin_telling(self, seconds: float) -> None:
        """On another thread: a log that blocks must hold up no timer."""

        def job(_: Worker) -> bool:
            fenced(partial(self._tell, seconds), what="a report of a stall")
            return False

        self._is_told = True
        try:
            at_exit().crew.start(job)
        except RuntimeError:  # no thread can be started now: the next look tries again
            self._is_told = False

    def _tell(self, seconds: float) -> None:
        logger.warning(
            "{} has held the event loop of async actors for {:.1f} s: all others wait; await what it waits for, or "
            "move it to a thread with `await asyncio.to_thread(...)`\n{}",
            self._thread.who_holds(),
            seconds,
            Stacks().text(self._thread.thread.ident or 0),
        )


def host_of(thread: LoopThread) -> LoopHost:
    """The host of that loop's thread."""
    ident, hosts = thread.thread.ident, crowd().compensated
    assert ident is not None
    host = hosts.get(ident)
    if not isinstance(host, LoopHost):
        host = hosts[ident] = LoopHost(thread)
        thread.when_ended(lambda: hosts.pop(ident, None))
    return host
