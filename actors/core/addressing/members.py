"""The members of a router: who comes after whom, and how all of them end."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from ...errors import ActorsError, AgentCrashed, DispatcherExhausted
from ..actors.actor_cell import ActorEnd
from ..actors.envelope import Order, PykkaActorDead
from ..actors.reply import ReplyFuture
from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..crash import crashed, report
from ..messaging.dead_letter import DeadLetterReason, DeadLetters
from ..process.at_exit import ENDING
from ..waiting.wait_graph import WaitNode
from ..waiting.waiter import Waiter
from .seat import Placed, Seat, SeatBox, unwrapped
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..actors.actor_life import ActorLife
    from ..actors.envelope import Envelope
    from ..actors.reference import ActorRef

FAILURES = 3
"""So many members in a row that could not start, on one seat, end the router."""
BARREN = 100
"""So many in a row that started, and ended before they took a message."""
PAUSE = 0.1
"""Seconds before another is tried in place of one that could not start; twice as many before the next."""
STOP_TIMEOUT = 5.0
"""Seconds that members have to end which are not wanted after all; then they are aborted."""


class Members(WaitNode):
    """The members of a router, each on its seat.

    Guarantees: a seat is manned until it goes, or the router ends; what was accepted for it is handled there, or, where
    any member will do, by another one.

    Args:
        make: Makes a member, which is not started yet, that reads the mailbox it is given.
        label: How messages name the router.
        capacity: Of the mailbox of a member.
        goes_by_keys: Does it matter which seat a message goes to?

    Locks: ``_lock`` guards ``_here`` and ``_end``; nothing is called while it is held. ``spread`` is written before
    there is a member, ``how_ended`` and ``error`` once, before anybody is told. ``_pauses`` changes by single
    operations.
    """

    def __init__(
        self, make: Callable[[SeatBox], ActorRef[Any]], label: str, capacity: int | None, *, goes_by_keys: bool
    ) -> None:
        self._make = make
        self._label = label
        self._capacity = capacity
        self._context = copy_context()
        self._lock = leaf_rlock()
        self._here: set[Seat] = set()
        """Seats that have not ended."""
        self._end: ActorEnd | None = None
        """How it will have ended."""
        self._pauses: set[Waiter] = set()
        self.table = Table(self._make_box, label, goes_by_keys=goes_by_keys)
        self.spread: Callable[[Seat, Envelope], bool] | None = None
        """Gives a message that a member has left to another seat; None: the next on its own seat has it."""
        self.how_ended: ActorEnd | None = None
        self.error: AgentCrashed | None = None
        self.dead_letters = DeadLetters()
        self.gone: ReplyFuture[ActorEnd] = ReplyFuture(self)
        self.ended: ReplyFuture[ActorEnd] = ReplyFuture(self)

    @property
    def label(self) -> str:
        """How messages name it."""
        return self._label

    def targets(self) -> Sequence[WaitNode]:
        """Who has to end before it has ended: all of them."""
        return [seat.cell for seat in list(self._here) if hasattr(seat, "cell")]

    def _make_box(self, seat: Seat) -> SeatBox:
        return SeatBox(self._capacity, seat, keeps=self._keeps, when_left=self._hand_on)

    def _keeps(self) -> bool:
        return self._end is not ActorEnd.ABORTED

    def resize(self, count: int) -> None:
        """Be so many; those who go handle what they accepted.

        Raises:
            ActorDead: The router was told to end.
            Exception: What the ``__init__`` of a new member raises; nothing has changed then.
        """
        fresh: list[Seat] = []
        try:
            while not self.table.arrange(count, fresh):
                fresh.append(self._new_seat())
        except BaseException as error:
            self._send_home(fresh)
            self._await_end(fresh)
            if isinstance(error, PykkaActorDead):
                raise self.refusal() from self.error
            raise
        self._send_home(fresh)  # of two that resized at once, one may have made more than are needed

    def refusal(self, message: Any = None) -> PykkaActorDead:
        """For who wants something of it when it was told to end."""
        why = "" if self.error is None else f": no member can be started ({self.error})"
        return PykkaActorDead(f"{self._label} has stopped{why}", message)

    def _send_home(self, seats: Iterable[Seat]) -> None:
        for seat in seats:
            seat.go()
            self.table.close(seat)

    @staticmethod
    def _await_end(seats: Iterable[Seat]) -> None:
        end = SYSTEM_CLOCK.monotonic() + STOP_TIMEOUT
        for seat in seats:
            with suppress(ActorsError):
                seat.cell.ended.get(timeout=SYSTEM_CLOCK.left(end))
            if seat.cell.how_ended is None:
                seat.cell.abort("its router could not be started")

    # A member, and the next one ---------------------------------------------------------------------------------

    def _new_seat(self) -> Seat:
        seat = Seat()
        with self._lock:
            self.table.refuse_ended()
            self._here.add(seat)
        try:
            self._man(seat)
        except BaseException:
            self._forget(seat)
            raise
        return seat

    def _man(self, seat: Seat) -> None:
        """Put a new member on *seat*, which has none."""
        box = seat.box
        if box is None or not box.is_open:
            renewed = self.table.renewed(seat, box)
            box = box if renewed is None else renewed  # of a seat that is closed, the last one is read on
        assert box is not None
        context = self._context.copy()
        ref = context.run(self._make, box)
        cell: ActorLife = ref._cell  # type: ignore[assignment]  # noqa: SLF001 - it was made for this
        left = seat.take_left()
        seat.had_work, seat.has_begun = bool(left) or not box.empty(), False
        cell.front = deque([Order(partial(self._begun, seat)), *left])
        seat.cell, seat.ref = cell, ref
        context.run(cell.start)
        cell.gone.add_done_callback(lambda _: self._ended(seat, cell))

    @staticmethod
    def _begun(seat: Seat) -> None:
        """Its member has started, and takes messages next."""
        seat.has_begun = seat.had_work or seat.cell.mailbox.is_open
        if seat.has_begun:
            seat.failures = seat.barren = 0

    def _ended(self, seat: Seat, cell: ActorLife) -> None:
        """The member of *seat* has ended, on its thread: put another in its place, if one is needed."""
        if not seat.has_begun:
            if cell.how_ended is ActorEnd.CRASHED:
                seat.failures += 1
            else:
                seat.barren += 1
        why = cell.error
        while not self.table.leave(seat, unless=partial(self._needs_another, seat)):
            if seat.failures >= FAILURES or seat.barren >= BARREN:
                self._give_up(seat, why)
                continue
            if seat.failures and not self._rest(seat):
                continue
            try:
                self._man(seat)
            except BaseException as error:  # noqa: BLE001 - it is told of, and counted
                if isinstance(error, RuntimeError) and error.args == (ENDING,):
                    self.abort("the program ends")
                    continue
                report("a new member of {} cannot be started", self._label)
                why = crashed(error)
                seat.failures += 1
            else:
                return
        self._leave(seat)

    def _needs_another(self, seat: Seat) -> bool:
        if self._end is ActorEnd.ABORTED or seat.is_given_up:
            return False
        is_ending = seat.is_going or self._end is not None
        return not (is_ending and seat.is_closed and seat.is_done)

    def _rest(self, seat: Seat) -> bool:
        """Wait before another is tried; False when the router has been told to end meanwhile."""
        waiter, end = Waiter(), self._end
        self._pauses.add(waiter)
        try:
            if self._end is None:
                with suppress(DispatcherExhausted):
                    waiter.wait(PAUSE * 2.0 ** (seat.failures - 1))
        finally:
            self._pauses.discard(waiter)
        return self._end is end

    # What a member has left -------------------------------------------------------------------------------------

    def _hand_on(self, seat: Seat) -> None:
        """A member has left something: others have it, if any member will do."""
        if self.spread is None:
            return
        for _ in range(len(seat.left)):
            try:
                envelope = seat.left.popleft()
            except IndexError:
                return
            message = unwrapped(envelope)
            if (
                message is not None
                and not self.spread(seat, message)
                and not self.table.keep(seat, Placed(message, seat))
            ):
                self._bury([message])

    def _leave(self, seat: Seat) -> None:
        """*seat* has ended, and whatever it still has will not be handled."""
        box = seat.box
        unread = box.close() if box is not None else []
        self._bury([*seat.take_left(), *unread, *(one for line in seat.held.values() for one in line)])
        seat.held.clear()
        self.table.open_all(seat)
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        with self._lock:
            self._here.discard(seat)
            is_last = self._end is not None and not self._here
        if is_last:
            self.how_ended = self._end
            self.gone.set(self._end)
            self.ended.set(self._end)

    def _bury(self, left: Iterable[Envelope]) -> None:
        letters = []
        for one in left:
            envelope = unwrapped(one)
            if envelope is not None and not isinstance(envelope, Order):
                envelope.refuse(f"{self._label} stopped before it handled the message")
                letters.append(self.dead_letters.add(envelope.message, DeadLetterReason.RECEIVER_ENDED, self._label))
        if letters:
            self.dead_letters.announce(*letters)

    # The end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End once all that was accepted is handled."""
        self._begin_end(ActorEnd.STOPPED)

    def _begin_end(self, how: ActorEnd) -> None:
        with self._lock:
            if self._end is None or (how is ActorEnd.ABORTED and self.how_ended is None):
                self._end = how
        for waiter in list(self._pauses):
            waiter.wake()
        self.table.shut()

    def abort(self, reason: str) -> None:
        """End now; what was not handled is a dead letter, and askers are told at once."""
        self._begin_end(ActorEnd.ABORTED)
        for seat in list(self._here):
            if hasattr(seat, "cell"):
                seat.cell.abort(reason)
                box = seat.box
                unread = box.close() if box is not None and box is not seat.cell.mailbox else []
                self._bury([*seat.take_left(), *unread])

    def _give_up(self, seat: Seat, why: AgentCrashed | None) -> None:
        """No member can be had for *seat*: the router ends, and the other members end once they have handled theirs."""
        if why is None or seat.barren >= BARREN:
            why = crashed(RuntimeError(f"{BARREN} members in a row ended before they took a message"))
        box = seat.box
        if self.spread is not None and box is not None:
            box.close()  # the others have what is in it, while they take something
        seat.give_up()
        with self._lock:
            if self._end is None:
                self.error = why
        logger.error("{} ends as crashed: no member can be started in place of one that ended ({})", self._label, why)
        self._begin_end(ActorEnd.CRASHED)
