"""An actor without a thread: the workers of a dispatcher handle its messages."""

from __future__ import annotations

from contextvars import copy_context
from enum import Enum, auto
from typing import TYPE_CHECKING

import pykka

from ..clock import SYSTEM_CLOCK
from ..messaging.mailbox import NOTHING, MailboxClosed
from ..process import fork
from ..process.at_exit import at_exit
from ..waiting.crowd import crowd
from ..waiting.wait_graph import enter, leave
from .actor_cell import IS_STOPPED, LIVES, ActorEnd
from .actor_life import ActorLife

if TYPE_CHECKING:
    from contextvars import Context

    from ..dispatching.dispatcher import Dispatcher
    from ..dispatching.shift import Shift
    from .course import Course, Pause
    from .handler import Handler

NO_THREAD = 0
"""The ident of none."""


class Left(Enum):
    """How a worker left an actor."""

    WAITING = auto()
    UNFINISHED = auto()
    FOR_GOOD = auto()


class SharedCell(ActorLife):
    """The cell of an actor that has no thread. Who puts a message into its mailbox while it lies idle puts the actor
    into the line of its dispatcher; a worker takes it from there, handles some messages, and lays it down again.

    Guarantees: one worker at a time. Its *leave*, the right to be run, is there while no worker has the actor: a worker
    takes it, by one operation, and lays it down when it touches nothing of the actor any more. So an entry of the line
    is only a hint: a second one finds no leave, and is dropped.

    Locks: none. What ``ActorCell`` and ``ActorLife`` say belongs to the actor belongs to the worker that has the leave.
    ``_rest`` is read by whoever stops the actor.
    """

    __slots__ = ("_context", "_course", "_dispatcher", "_goes_straight", "_has_begun", "_leave", "_rest", "_winds_up")

    def __init__(self, actor: Handler, capacity: int | None, dispatcher: Dispatcher) -> None:
        super().__init__(actor, capacity)
        self._dispatcher = dispatcher
        self._context: Context | None = None
        self._course: Course | None = None
        self._rest: _Rest | None = None
        self._goes_straight = self._has_begun = self._winds_up = False

    def start(self) -> None:
        """Let it begin, on a worker; at once, if it has nothing to begin with.

        Raises:
            RuntimeError: The program is ending, or no thread can be started and none is there; nothing is left behind.
        """
        is_laid_down = False
        try:
            self._dispatcher.adopt(self)
            self.stage = LIVES
            self._register()
            self._context = copy_context()
            self._leave = is_laid_down = True  # no call, no place for an interrupt, stands between the two
            if self.front or not (self._has_pykkas("on_start") and self.mailbox.attend(self)):
                self._dispatcher.begin(self)
        except RuntimeError:
            if not is_laid_down or self.claim():
                self._give_up()
                raise
            # some worker has come meanwhile, and has it
        except BaseException:
            with at_exit().signals_held_off:
                self.abort("its start was interrupted")  # if a worker may have it, that one ends it
                self.wake() if is_laid_down else self._give_up()
            raise

    def _give_up(self) -> None:
        """Nobody has it: it ends here."""
        self.mailbox.seal()
        self.finish(self.how_it_ends)
        self._dispatcher.forget(self)

    def stop(self) -> None:
        """End once the messages accepted before are handled; at once, and here, if nothing of it would notice that."""
        with at_exit().signals_held_off:  # the leave must come back, whatever happens
            if self._has_pykkas("on_stop") and self.claim():
                if self._ends_quietly():
                    return
                self._lay_down(Left.WAITING)
            super().stop()

    def _ends_quietly(self) -> bool:
        """End without a worker, if it lies idle; False when something has come meanwhile."""
        if not self._lies_idle():
            return False
        if not self.mailbox.close_empty():
            return False
        self._conclude(ActorEnd.STOPPED)
        self._context = None
        self._dispatcher.forget(self)
        return True

    def _end_pause(self) -> None:
        rest = self._rest
        if rest is not None and rest.pause.ends_at_stop:
            rest.ring()

    @property
    def is_idle(self) -> bool:
        """Is there nothing of it that would notice its end?"""
        return self.is_laid_down and self._lies_idle()

    def _lies_idle(self) -> bool:
        return (
            self._rest is None
            and self.has_begun
            and self._has_pykkas("on_stop")
            and not (self.parts or self.front or self.parent)
            and len(self._lazies) == (self._token is not None)
            and not self.is_aborted
            and self.mailbox.empty()
        )

    def _has_pykkas(self, hook: str) -> bool:
        """Is that hook the one that does nothing?"""
        return getattr(getattr(self.actor, hook), "__func__", None) is getattr(pykka.Actor, hook)

    @property
    def has_begun(self) -> bool:
        """Was ``on_start`` called, or is it now? One that has none begins at once."""
        return self._has_begun or self._has_pykkas("on_start")

    @property
    def is_laid_down(self) -> bool:
        """Has no worker it?"""
        return hasattr(self, "_leave")

    @property
    def is_pausing(self) -> bool:
        """Is it in a pause of a course?"""
        return self._rest is not None

    @property
    def dispatcher_name(self) -> str:
        """The name of the dispatcher whose workers run it."""
        return self._dispatcher.name

    @property
    def since(self) -> float | None:
        """The moment at which its pause began. Nobody notes others: the shift knows since when it is run."""
        rest = self._rest
        return None if rest is None else rest.since

    # The protocol Reader ----------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There is something to do: stand in line for a worker. Doing it again does nothing."""
        self._dispatcher.ready(self)

    def open(self) -> None:
        """As :meth:`wake`, which was interrupted."""
        with at_exit().signals_held_off:
            self.wake()

    def claim(self) -> bool:
        """Take the leave; False when somebody has it."""
        try:
            del self._leave
        except AttributeError:
            return False
        return True

    # On a worker, which has the leave ---------------------------------------------------------------------------

    def run(self, shift: Shift) -> None:
        """Take a turn, and lay down the leave. Nothing of the actor is touched after that."""
        assert self._context is not None
        try:
            left = self._context.run(self._run, shift)  # left before another worker may enter it
        except BaseException as error:  # noqa: BLE001 - a defect of ours, or what somebody has set in this thread
            left = self._break_off(shift, error)
        if shift.depth:
            shift.come_back()
        if left is Left.FOR_GOOD:
            self._context = None
            self._ident = NO_THREAD
            self._dispatcher.forget(self)
        else:
            self._lay_down(left)

    def _lay_down(self, left: Left) -> None:
        rest = self._rest
        self._ident = NO_THREAD
        self._leave = True
        # Whoever woke it before it lay down found no leave: so it is looked once more, now that there is one.
        if left is Left.UNFINISHED or (rest.is_over if rest is not None else not self.mailbox.attend(self)):
            self._dispatcher.ready(self)

    def _break_off(self, shift: Shift, error: BaseException) -> Left:
        """It ends here, as one with a thread of its own does."""
        if not shift.has_forked():
            self._report(error)
            if self.stage < IS_STOPPED:
                self.finish(self.how_it_ends)
        return Left.FOR_GOOD

    def _run(self, shift: Shift) -> Left:
        self._ident = shift.ident
        left = None if self._goes_straight else self._go_on()
        if left is None:
            left = self._handle_some(shift)
        return left

    def _go_on(self) -> Left | None:
        """It begins, or lay in a pause. None: it goes straight on with its messages."""
        course, self._course = self._course, None
        rest = self._rest
        if rest is not None:
            if not rest.is_over:  # an entry of the line that came twice
                self._course = course
                return Left.WAITING
            self._rest = None
            rest.leave()
        enter(self)
        if not self._has_begun:
            self._has_begun = True
            course = self._begin()
        self._goes_straight = True
        return None if course is None else self._follow(course)

    def _handle_some(self, shift: Shift) -> Left:
        """Handle what is in the mailbox, at most as many as a turn has."""
        take, mark, generation = self.mailbox.take, fork.mark(), self._generation
        for _ in range(shift.throughput):
            if shift.depth:
                shift.come_back()
            if self._token is not None and self._token.marked:
                return self._begin_end(goes_on=True)
            try:
                item = self.front.popleft() if self.front else take()
            except MailboxClosed:
                return self._begin_end(goes_on=True)
            except IndexError:  # who aborted it was first at the front
                continue
            if item is NOTHING:
                return Left.WAITING
            shift.handled += 1
            course = self._handle(item)
            if course is not None:
                del item  # an idle actor keeps no message alive
                return self._follow(course) or Left.UNFINISHED
            if mark.generation != generation:
                return Left.FOR_GOOD  # the handler has forked, and this is the child
        return Left.UNFINISHED

    def _follow(self, course: Course) -> Left | None:
        """Take the steps of *course* up to a pause. None: it is over, and the actor goes on."""
        pause, goes_on = None, True
        try:
            pause = next(course)
        except StopIteration as end:
            goes_on = end.value
        if self._generation != fork.generation():
            return Left.FOR_GOOD
        if pause is not None:
            return self._begin_rest(course, pause)
        if self._winds_up:
            return self._end()
        return None if goes_on and not self.is_aborted else self._begin_end(goes_on)

    def _begin_end(self, goes_on: bool) -> Left:
        self._winds_up = True
        course = self._wind_up(goes_on)
        return self._end() if course is None else self._follow(course) or Left.FOR_GOOD

    def _begin_rest(self, course: Course, pause: Pause) -> Left:
        self._goes_straight = False
        self._course = course
        self._rest = rest = _Rest(self, pause)
        rest.begin()
        if pause.ends_at_stop and not self.mailbox.is_open:  # looked at after it can be woken
            rest.is_over = True
        return Left.WAITING

    def _end(self) -> Left:
        if self._generation == fork.generation():
            leave()  # who is told of the end is not the actor
            self.finish(self.how_it_ends)
        return Left.FOR_GOOD


class _Rest:
    """A pause of an actor that has no thread: what ends it lets the actor stand in line again.

    Locks: none. ``is_over`` only ever becomes true.
    """

    __slots__ = ("_cell", "is_over", "pause", "since")

    def __init__(self, cell: SharedCell, pause: Pause) -> None:
        self._cell = cell
        self.pause = pause
        self.is_over = False
        self.since = SYSTEM_CLOCK.monotonic()

    def ring(self) -> None:
        """It is over."""
        self.is_over = True
        self._cell.wake()

    def _settled(self, _: object) -> None:
        self.ring()

    def begin(self) -> None:
        """From now on it may be over."""
        pause = self.pause
        if pause.ends_at_abort:
            self._cell.token.remind(self.ring)
        if pause.until is not None:
            pause.until.add_done_callback(self._settled)
        if pause.seconds is not None:
            alarm = crowd().alarm
            if pause.seconds <= 0 or not alarm.mind(self, alarm.clock.monotonic() + pause.seconds):
                self.is_over = True  # or no thread can be started that would end it

    def leave(self) -> None:
        """It was over, and nobody need tell."""
        pause = self.pause
        if pause.ends_at_abort:
            self._cell.token.forget(self.ring)
        if pause.until is not None:
            pause.until.remove_done_callback(self._settled)
        if pause.seconds is not None:
            crowd().alarm.forget(self)
