"""The supervisor's own thread: it minds the timers, and handles foreign messages."""

from __future__ import annotations

import threading
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from loguru import logger

from ..actors.actor_cell import ActorEnd
from ..actors.envelope import Order, Question, enveloped
from ..actors.handler import Handler
from ..actors.pinned_cell import PinnedCell
from ..checks import Rank, ranked_lock
from ..clock import SYSTEM_CLOCK
from ..crash import report
from ..messaging.mailbox import NOTHING
from ..process.at_exit import at_exit
from ..process.threads import join
from ..scheduling.timers import Timers

if TYPE_CHECKING:
    from ..actors.course import Course
    from ..clock import Clock
    from ..scheduling.turn import Turn
    from ..waiting.wait_graph import WaitNode
    from ..waiting.waiter import Waiter

LOOK: Final = Order(lambda: None)
"""Wakes the thread, so that it looks when the next timer is due."""


class Ticking(Handler, Protocol):
    """A supervisor as its timer thread sees it."""

    name: str
    clock: Clock
    turn: Turn

    @property
    def is_closed(self) -> bool:
        """Does it take nothing new?"""

    def tick(self) -> None:
        """Handle the timers that are due."""


class TimerThread(PinnedCell):
    """The cell of a supervisor. Its thread is started when a timer or a foreign message first needs it.

    Locks: ``_starting`` guards the start of the thread, ``has_thread`` and ``_thread``; ``has_thread`` is read without
    it, and taken back by the one that ends the thread; the pool's turn guards ``timers``.
    """

    actor: Ticking

    def __init__(self, actor: Handler, capacity: int | None) -> None:
        super().__init__(actor, capacity)
        self.timers = Timers()
        self.has_thread = False
        self._starting = ranked_lock(Rank.STARTING)
        self._thread: threading.Thread | None = None

    @property
    def _clock(self) -> Clock:
        return self.actor.clock

    def ensure_thread(self) -> None:
        """Start the thread, if need be. Once the pool closes, who closes it does the work.

        Raises:
            RuntimeError: No thread can be started.
        """
        if not self.has_thread:
            with self._starting:
                if not self.has_thread and not self.actor.is_closed:
                    self._start_thread()  # the exit hook closes the pool, and that ends the thread
                    self.has_thread = True

    def _start_thread(self) -> None:
        """Its own, which ends with the pool."""
        name = f"{self.name}-{at_exit().next_number()}"
        thread = threading.Thread(target=copy_context().run, args=(self._run,), name=name, daemon=True)
        thread.start()
        self._thread = thread

    def mind(self) -> None:
        """See to it that the thread wakes when the next timer is due."""
        if not self.timers.earlier():
            return
        try:
            self.ensure_thread()
        except RuntimeError:  # no thread can be started: whoever waits in close() minds the timers
            logger.warning("the supervisor of {} has no thread: deadlines wait for close()", self.actor.name)
            return
        if self.has_thread:
            self.timers.announce()
            self.mailbox.put_system(LOOK)

    def next_item(self) -> Any:
        """What arrives before the next timer is due; ``NOTHING`` when nothing did."""
        with self.actor.turn:
            wait = self.timers.sleep(self._clock.monotonic())
        try:
            item: Any = self.mailbox.get(wait)
        except TimeoutError:
            item = NOTHING
        try:
            self.actor.tick()
        except BaseException:  # noqa: BLE001 - a defect of ours must not end all timers
            report("the timers of {} failed", self.actor.name)
        return NOTHING if item is LOOK else item

    def _handle(self, item: Any) -> Course | None:
        """Handle a foreign message. One that fails is reported, and ends nothing."""
        if isinstance(item, Question):
            return super()._handle(item)
        failure = self._try(partial(self.actor.handle, enveloped(item).message))
        if failure is not None:
            self._report(failure[1])
        return None

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:  # noqa: ARG002
        """Wait to the end, aborted or not: what its own thread waits for is the end of its agents."""
        return waiter.wait(timeout)

    def _let_go(self) -> None:
        """The supervisor outlives its thread."""

    def hand_over(self) -> None:
        """Its thread ends: from here on, whoever closes the pool minds the timers."""
        self.has_thread = False

    def tell_end(self) -> bool:
        """Let the thread end, also when another one is just starting it; False when there is none. Returns at once."""
        with self._starting:
            has_thread = self.has_thread
        if has_thread:
            self.mailbox.seal()
        return has_thread

    def end(self, timeout: float) -> None:
        """End the thread, and wait for it."""
        if not self.tell_end():
            self.finish(ActorEnd.STOPPED)
        elif self._thread is not None and not self.is_here():
            join(self._thread, SYSTEM_CLOCK.monotonic() + timeout)
