"""Actors that are told when no message has come for a while."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ..waiting.crowd import crowd
from .actor_life import ActorLife
from .actor_timers import NO_THREAD, as_seconds
from .envelope import Order
from .pinned_cell import PinnedCell
from .shared_cell import SharedCell

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..dispatching.dispatcher import Dispatcher
    from .actor_cell import ActorCell
    from .course import Course
    from .handler import Handler


class Idleness:
    """How long an actor has had no message (a part of it).

    The alarm rings once for each period, and not for each message: if one came meanwhile, it is minded anew for what is
    left of the period since.

    Locks: none. ``_since`` belongs to the actor; the alarm minds it again only after it has rung.
    """

    __slots__ = ("_alarm", "_cell", "_since", "_timeout")

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._alarm = crowd().alarm
        self._since = self._alarm.clock.monotonic()
        self._timeout = 0.0

    def set_timeout(self, seconds: float) -> None:
        """How long a period is: said before it is started."""
        self._timeout = seconds

    def begin(self) -> None:
        """It has started: count from now on.

        Raises:
            RuntimeError: No thread can be started that would tell the time.
        """
        self.note()
        self._mind()

    def note(self) -> None:
        """It has just handled a message, or begun."""
        self._since = self._alarm.clock.monotonic()

    def _mind(self) -> None:
        if not self._alarm.mind(self, self._since + self._timeout):
            self._alarm.forget(self)
            raise RuntimeError(NO_THREAD.format("its receive_timeout"))

    def ring(self) -> None:
        """A period is over: the actor looks whether a message came meanwhile."""
        self._cell.mailbox.put_system(Order(self._look))

    def _look(self) -> Coroutine[Any, Any, None] | None:
        cell = self._cell
        has_come = len(cell.mailbox) > 0 or bool(cell.front)  # and is handled next
        is_over = not has_come and self._alarm.clock.monotonic() >= self._since + self._timeout
        if has_come or is_over:
            self.note()
        self._mind()  # first: whatever on_idle does, the next period comes
        return self._tell() if is_over else None

    def _tell(self) -> Coroutine[Any, Any, None] | None:
        """Call ``on_idle``, a coroutine or not; the next period begins when it ends."""
        try:
            told: Any = self._cell.actor.on_idle()
        finally:
            self.note()
        return self._await(told) if type(told) is CoroutineType else None

    async def _await(self, told: Coroutine[Any, Any, None]) -> None:
        try:
            await told
        finally:
            self.note()

    # The protocol Part --------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """The one that is made anew begins anew."""

    def wind_up(self) -> None:
        """It ends."""
        self._alarm.forget(self)

    end = wind_up


class Idling(ActorLife):
    """An actor whose ``on_idle`` is called: it notes when it has handled a message. The others need not."""

    __slots__ = ()

    def start(self) -> None:
        """As any; the first period begins.

        Raises:
            RuntimeError: No thread can be started; nothing is left behind.
        """
        self.part(Idleness).begin()  # first: without it nothing is started
        super().start()  # type: ignore[safe-super]  # of the class that is mixed in

    def _begin(self) -> Course | None:
        return self._noted(super()._begin())

    def _handle(self, item: Any) -> Course | None:
        if issubclass(type(item), Order):
            return super()._handle(item)
        return self._noted(super()._handle(item))

    def _noted(self, course: Course | None) -> Course | None:
        if course is not None:
            return self._note_after(course)
        self.part(Idleness).note()
        return None

    def _note_after(self, course: Course) -> Course:
        goes_on = yield from course
        self.part(Idleness).note()
        return goes_on


class IdlingPinnedCell(Idling, PinnedCell):
    """With a thread of its own."""


class IdlingSharedCell(Idling, SharedCell):
    """Without one."""

    __slots__ = ()


def idling_cell(actor: Handler, capacity: int | None, dispatcher: Dispatcher | None, timeout: float) -> ActorLife:
    """The cell of an actor that has a ``receive_timeout``.

    Raises:
        TypeError: That is no number.
        ValueError: It is not above 0, or not finite.
    """
    what = f"{type(actor).__name__}.receive_timeout (None for none)"
    timeout = as_seconds(timeout, what, may_be_zero=False)
    if dispatcher is None:
        cell: ActorLife = IdlingPinnedCell(actor, capacity)
    else:
        cell = IdlingSharedCell(actor, capacity, dispatcher)
    cell.part(Idleness).set_timeout(timeout)
    return cell
