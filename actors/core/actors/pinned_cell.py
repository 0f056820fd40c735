"""An actor with a thread of its own."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ...errors import Cancelled
from ..clock import SYSTEM_CLOCK
from ..messaging.mailbox import NOTHING, MailboxClosed
from ..process import fork
from ..process.at_exit import IDLE, at_exit
from ..waiting.wait_graph import enter, leave
from ..waiting.waiter import Waiter
from .actor_cell import LIVES
from .actor_life import ActorLife

if TYPE_CHECKING:
    from ..process.threads import Worker
    from ..waiting.wait_graph import WaitNode
    from .actor_cell import ActorEnd
    from .course import Course, Pause
    from .handler import Handler

EXIT_TIMEOUT = 5.0
"""Seconds that an actor has for its cleanup when the program ends."""


class PinnedCell(ActorLife):
    """The cell of an actor that has a thread as long as it lives: that of one that has ended serves the next.

    Locks: none. ``_pause`` and ``_ident`` are written by the actor's thread, and read by whoever stops it; so are
    ``_since``, ``_is_idle`` and ``_is_pausing``, which dumps read.
    """

    def __init__(self, actor: Handler, capacity: int | None) -> None:
        super().__init__(actor, capacity)
        self._pause: Waiter | None = None
        self._exit_by = 0.0
        self._since = SYSTEM_CLOCK.monotonic()
        self._is_idle = self._is_pausing = False
        self._is_under_way = False
        self._out: Waiter | None = None

    def start(self) -> None:
        """Start its thread.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        try:
            at_exit().watch(self)
            self.stage = LIVES
            self._register()
            self._start_thread()
        except BaseException:
            if self._is_under_way:  # a Ctrl-C came with the start: who runs must end by itself
                self.abort("its start was interrupted")
            else:
                self.mailbox.seal()
                self.finish(self.how_it_ends)
            raise

    def _start_thread(self) -> None:
        context, name = copy_context(), f"{self.name}-{at_exit().next_number()}"

        def job(worker: Worker) -> bool:
            worker.thread.name = name
            try:
                context.run(self._run)
            finally:
                worker.thread.name = IDLE
            return False

        with at_exit().signals_held_off:  # a worker that was taken from rest must get its job
            at_exit().crew.start(job)
            self._is_under_way = True

    def _end_pause(self) -> None:
        pause = self._pause
        if pause is not None:
            pause.wake()

    def mark_at_exit(self) -> None:
        """The program ends: whoever looks sees it."""
        self.token.mark("the program ends")

    def abort_at_exit(self) -> None:
        """Abort at the end of the program; 5 seconds from now on nobody waits for the cleanup any more."""
        self._exit_by = SYSTEM_CLOCK.monotonic() + EXIT_TIMEOUT
        self.abort("the program ends")

    def end_at_exit(self) -> None:
        """Wait for the cleanup, and for those who are told of the end."""
        self._out = Waiter()
        if self._ident or not self.ended.done():  # else it has left
            self._out.wait(max(0.0, self._exit_by - SYSTEM_CLOCK.monotonic()))

    def _tell_of_end(self, end: ActorEnd) -> None:
        super()._tell_of_end(end)
        at_exit().forget(self)

    @property
    def has_begun(self) -> bool:
        """Does its thread run?"""
        return self._ident != 0

    @property
    def is_laid_down(self) -> bool:
        """Does its thread wait for a message?"""
        return self._is_idle

    @property
    def is_pausing(self) -> bool:
        """Does its thread wait in a course?"""
        return self._is_pausing

    @property
    def since(self) -> float | None:
        """The moment since which it waits, or at which its last wait for a message ended."""
        return self._since

    # Its thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._ident = threading.get_ident()
        enter(self)
        try:
            goes_on = self._live()
            if self._generation == fork.generation():
                self._go_through(self._wind_up(goes_on))
        finally:
            if self._generation == fork.generation():
                leave()  # who is told of the end is not the actor
                try:
                    self.finish(self.how_it_ends)
                finally:
                    self._ident = 0  # the thread is the next actor's
                    if self._out is not None:
                        self._out.wake()

    def _live(self) -> bool:
        """Handle messages to the end; False when it crashed."""
        goes_on = self._go_through(self._begin())
        mark, generation = fork.mark(), self._generation
        while goes_on and not (self._token is not None and self._token.marked):
            try:
                item = self.next_item()
            except (MailboxClosed, Cancelled):
                break
            if item is not NOTHING:
                course = self._handle(item)
                goes_on = course is None or self._go_through(course)
            if generation != mark.generation:
                break  # the handler has forked, and this is the child: its thread ends
            item = course = None  # an idle actor keeps no message alive
        return goes_on

    def next_item(self) -> Any:
        """What arrives next; ``NOTHING`` when there was something else to do."""
        if self.front:
            try:
                return self.front.popleft()
            except IndexError:  # who aborted it was first
                pass
        item: Any = self.mailbox.take()
        return self._await_item() if item is NOTHING else item

    # Moments are noted at waits alone: beside a change of threads they cost nothing.

    def _await_item(self) -> Any:
        self._is_idle = True
        try:
            return self.mailbox.await_item()
        finally:
            self._is_idle = False
            self._since = SYSTEM_CLOCK.monotonic()

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitNode | None) -> bool:
        """As any member."""
        before, self._since = self._since, SYSTEM_CLOCK.monotonic()
        try:
            return super().wait(waiter, timeout, on, target)
        finally:
            self._since = before

    def _go_through(self, course: Course | None) -> bool:
        """Take the steps of *course*, and wait in between; whether the actor goes on."""
        if course is None:
            return True
        while True:
            try:
                pause = next(course)
            except StopIteration as end:
                goes_on: bool = end.value
                return goes_on
            self._wait_out(pause)

    def _wait_out(self, pause: Pause) -> None:
        waiter = Waiter()
        wake = waiter.wake

        def wake_too(_: object) -> None:
            wake()

        if pause.ends_at_abort:
            self.token.remind(wake)
        if pause.until is not None:
            pause.until.add_done_callback(wake_too)
        if pause.ends_at_stop:
            self._pause = waiter
        self._is_pausing = True
        before, self._since = self._since, SYSTEM_CLOCK.monotonic()
        try:
            if not pause.ends_at_stop or self.mailbox.is_open:  # looked at after it can be woken
                waiter.wait(pause.seconds)
        finally:
            self._is_pausing = False
            self._since = before
            self._pause = None
            if pause.until is not None:
                pause.until.remove_done_callback(wake_too)
            if pause.ends_at_abort:
                self.token.forget(wake)
