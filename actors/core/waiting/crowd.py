"""All threads of the process that wait: when many are woken at once, they go a few at a time."""

from __future__ import annotations

import os
import random
import threading
from collections import deque
from typing import Protocol

from ..clock import SYSTEM_CLOCK
from .alarm import Alarm

UNDER_WAY = 8
"""How many that were woken may be on their way at once."""
PUSH = 0.02
"""Seconds after which others go in place of those that are still on their way: the system may be slow to run them."""
FEW = 16
"""So many timed waits end by themselves; the alarm minds any others."""

LOOK_UP = 0.5
"""Seconds after which a thread that waits looks up, if not many wait."""
MANY = 32
"""If more wait, each looks up so much later that together they do it 64 times in a second. One look takes up to 0.1 ms:
a thousand that looked up every second would take a tenth of a processor.
"""


class Waiting(Protocol):
    """The wait of one thread."""

    def is_waiting(self) -> bool:
        """Does its thread wait now?"""

    def unlock(self) -> None:
        """Let the thread look whether its wait is over."""

    def ring(self) -> None:
        """Its time is over."""


class Compensated(Protocol):
    """A worker thread of a dispatcher, while it runs a handler: what a wait in it means to the others."""

    def block(self, *, must: bool = False) -> int:
        """It begins to wait: another takes its place. Waits may be nested.

        Args:
            must: It waits also when too many wait already, but then nobody runs in its place.
        Returns:
            What :meth:`unblock` needs.
        Raises:
            DispatcherExhausted: Too many wait already.
        """

    def unblock(self, wait: int) -> None:
        """That wait is over."""


class Crowd:
    """Those who wait, and those who were woken and do not run yet.

    A thread that was woken has to get the interpreter, and while it waits for that it wakes every 5 ms. A thousand at
    once leave the one that has it no processor: seconds, where the work itself takes milliseconds. So only a few are on
    their way at once: who is woken beyond those stands in line, and each that runs lets the next one go.

    Guarantees: who is let go wakes; in the order of the wakes; at most ``UNDER_WAY`` are on their way, and so many more
    for each ``PUSH`` seconds in which they do not get on.

    Locks: none. ``compensated``, ``waiting``, ``under_way``, ``_timed`` and ``_line`` change by single operations, also
    by the waiters themselves. Whoever is let go enters itself, then looks whether there is room; who makes room, then
    looks at the line. An entry leaves the line after its gate was opened: whoever is interrupted in between leaves
    nobody asleep. ``_opened`` may lose some.
    """

    def __init__(self) -> None:
        self.main = threading.main_thread().ident
        self.compensated: dict[int, Compensated] = {}
        """The threads of dispatchers, by their idents."""
        self.waiting: dict[Waiting, None] = {}
        self.under_way: dict[Waiting, None] = {}
        self._timed: dict[Waiting, None] = {}
        self.alarm = Alarm()
        """The one that tells of moments, for all of the process."""
        self._line: deque[Waiting] = deque()
        self._opened = 0

    # Those who were woken -----------------------------------------------------------------------------------------

    def let_go(self, waiter: Waiting) -> None:
        """Open the gate of *waiter*, at which a thread waits, or let it stand in line for that."""
        if len(self.under_way) < UNDER_WAY or waiter in self.under_way:
            self._open(waiter)
            if self._line:  # it was entered in vain, and others came meanwhile
                self._go_on()
            return
        self._line.append(waiter)
        if self not in self.alarm.minded:
            self.alarm.mind(self, SYSTEM_CLOCK.monotonic() + PUSH)
        self._go_on()

    def _open(self, waiter: Waiting) -> None:
        self.under_way[waiter] = None
        waiter.unlock()
        if not waiter.is_waiting():  # it has left meanwhile, perhaps before it was entered
            self.under_way.pop(waiter, None)
        self._opened += 1

    def _go_on(self) -> None:
        while self._line and len(self.under_way) < UNDER_WAY:
            try:
                following: Waiting = self._line[0]
                self._open(following)
                self._line.remove(following)
            except (IndexError, ValueError):  # another thread was first
                pass

    def left(self, waiter: Waiting) -> None:
        """*waiter* waits no more, however that came: the next one may go."""
        self.under_way.pop(waiter, None)
        if self._line:
            self._go_on()

    def ring(self) -> None:
        """Some stood in line a moment ago: others may go in place of those who do not get on."""
        if not self._line:
            return
        self.alarm.mind(self, SYSTEM_CLOCK.monotonic() + PUSH)
        opened, self._opened = self._opened, 0
        if opened < UNDER_WAY:
            self.under_way.clear()
            self._go_on()

    # Those whose time runs out ------------------------------------------------------------------------------------

    def mind(self, waiter: Waiting, end: float) -> bool:
        """Let *waiter* ring at *end*, monotonic seconds; True when it has to see to that itself, as it is among few."""
        if len(self._timed) >= FEW and self.alarm.mind(waiter, end):
            return False
        self._timed[waiter] = None
        return True

    def forget(self, waiter: Waiting) -> None:
        """Its timed wait is over."""
        if self._timed.pop(waiter, self) is self:
            self.alarm.forget(waiter)

    # Those who look up --------------------------------------------------------------------------------------------

    def pause(self) -> float:
        """Seconds after which one of many looks up. Spread: those who have come together do not do it together."""
        return LOOK_UP * len(self.waiting) / MANY * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


_crowd: Crowd | None = None
_forks_are_seen = False


def crowd() -> Crowd:
    """The process's crowd, made on first use; a forked child makes its own: nobody of the old one is there."""
    global _crowd, _forks_are_seen
    if _crowd is None:
        _crowd = Crowd()
        if not _forks_are_seen and hasattr(os, "register_at_fork"):
            _forks_are_seen = True
            os.register_at_fork(after_in_child=_leave_behind)
    return _crowd


def _leave_behind() -> None:
    global _crowd
    _crowd = None


class blocking:  # noqa: N801 - used as a function
    """While it is entered, the handler that runs in this thread counts as blocked: another worker of its dispatcher
    takes its place. For waits that the library does not see: a socket, a lock, a subprocess.

    Anywhere else, in an actor with a thread of its own or outside any, it does nothing.

    Raises:
        DispatcherExhausted: ``max_blocked`` handlers of this dispatcher wait already.
    Example:
        ```python
        import time

        from actors import Actor
        from actors.actors import blocking

        class Fetcher(Actor):
            dispatcher = "shared"

            def on_receive(self, url: str) -> str:
                with blocking():  # another worker takes its place meanwhile
                    time.sleep(0.01)
                return url

        fetcher = Fetcher.start()
        print(fetcher.ask("a page"))
        fetcher.stop()
        ```

        ```text
        a page
        ```

    Source: Java's ``ForkJoinPool.ManagedBlocker``, Scala's ``blocking``.
    """

    __slots__ = ("_host", "_wait")

    def __init__(self) -> None:
        self._host: Compensated | None = None
        self._wait = 0

    def __enter__(self) -> None:
        host = crowd().compensated.get(threading.get_ident())
        if host is not None:
            self._wait = host.block()
            self._host = host

    def __exit__(self, *_: object) -> None:
        host, self._host = self._host, None
        # A generator or a coroutine may be left in another thread: then the block ends with the handler.
        if host is not None and crowd().compensated.get(threading.get_ident()) is host:
            host.unblock(self._wait)
