"""A place of a router, on which one member follows the other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from ..actors.envelope import Envelope, Order, Question, enveloped
from ..messaging.mailbox import NOTHING, Mailbox, MailboxClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from ..actors.actor_life import ActorLife
    from ..actors.course import Course
    from ..actors.reference import ActorRef
    from ..messaging.mailbox import Reader


class Numbered(Protocol):
    """What messages of moved keys wait for."""

    number: int


class SeatOrder(Order):
    """An order that is for the seat: whoever is its member carries it out."""

    __slots__ = ()

    def unwrapped(self) -> Envelope | None:
        """The message in it; None: there is none."""
        return None


class Seat:
    """One place of a router: a member, and after its end the next one. What is sent to it lies in ``box``: the mailbox
    of the member, or, when that one takes no more, that of the one who will come after it.

    Guarantees: what was accepted for it is handled by its members, in order, one member at a time.

    Locks: none. ``ref``, ``cell``, ``failures``, ``barren``, ``had_work`` and ``has_begun`` are written by whoever puts
    a member on it, one at a time; ``held`` and ``held_count`` belong to its member; ``left`` changes by single
    operations; ``is_going`` and ``is_given_up`` only ever become true; ``box``, ``is_closed`` and ``is_gone`` change
    under the lock of the table.
    """

    __slots__ = (
        "barren",
        "box",
        "cell",
        "failures",
        "had_work",
        "has_begun",
        "held",
        "held_count",
        "is_closed",
        "is_given_up",
        "is_going",
        "is_gone",
        "left",
        "ref",
    )

    cell: ActorLife
    ref: ActorRef[Any]

    def __init__(self) -> None:
        self.box: SeatBox | None = None
        self.left: deque[Envelope] = deque()
        """What an ended member had not read."""
        self.held: dict[Numbered, list[Envelope]] = {}
        """What waits until another seat has handled what came before."""
        self.held_count = 0
        self.is_going = False
        """Nothing is sent to it any more."""
        self.is_closed = False
        """Its last mailbox was sealed: it ends once that is empty."""
        self.is_given_up = False
        """No member can be had for it."""
        self.is_gone = False
        """It has ended."""
        self.failures = self.barren = 0
        self.has_begun = self.had_work = False

    def go(self) -> None:
        """Nothing is sent to it any more."""
        self.is_going = True

    def give_up(self) -> None:
        """No member can be had for it."""
        self.is_given_up = True

    def take_left(self) -> list[Envelope]:
        """Take what an ended member has left; one by one, as others may add something."""
        taken = []
        while self.left:
            try:
                taken.append(self.left.popleft())
            except IndexError:
                break
        return taken

    @property
    def is_manned(self) -> bool:
        """Does its member read what is sent to it?"""
        return self.box is self.cell.mailbox and self.cell.mailbox.is_open

    @property
    def load(self) -> int:
        """How much there is to do for it, the message that is being handled included."""
        box = self.box
        return (len(box) if box is not None else 0) + self.cell.is_handling

    @property
    def is_done(self) -> bool:
        """Was all handled that was ever accepted for it? (When its member has ended.)"""
        box = self.box
        return not self.left and not self.held and (box is None or box.empty())

    # Where its member handles messages --------------------------------------------------------------------------

    def put_first(self, envelopes: Iterable[Envelope]) -> None:
        """Have its member handle these next."""
        front = self._front()
        with self._box_of_member().held():
            front.extendleft(reversed(list(envelopes)))

    def put_behind(self, order: SeatOrder) -> None:
        """Have its member carry it out after what is unread, which goes before the mailbox: there is no bound there."""
        front, box = self._front(), self._box_of_member()
        behind = [*box.take_unread(), order]
        with box.held():
            if box.cut is None:
                front.extend(behind)
            else:  # an abort has come in between: they stood between what was at the front and what was not taken
                for at, envelope in enumerate(behind, start=box.cut):
                    self.left.insert(at, envelope)

    def _box_of_member(self) -> SeatBox:
        box = self.cell.mailbox
        assert isinstance(box, SeatBox)
        return box

    def _front(self) -> deque[Envelope]:
        front = self.cell.front
        if front is None:
            front = self.cell.front = deque()
        return front


class Placed(SeatOrder):
    """A message that another seat had accepted: it is handled next."""

    __slots__ = ("_inner", "_seat")

    def __init__(self, inner: Envelope, seat: Seat) -> None:
        self.message = inner.message
        self._inner = inner
        self._seat = seat

    def carry_out(self) -> Course | None:
        """Let it be handled next."""
        self._seat.put_first([self._inner])
        return None

    def refuse(self, text: str) -> None:
        """It will not be handled."""
        self._inner.refuse(text)

    def unwrapped(self) -> Envelope:
        """The message."""
        return self._inner


class SeatBox(Mailbox):
    """The mailbox of a member. When it closes, what was not read is the seat's, in the same step, and in order: so it
    has no lane without a lock, by which the member might take something out of the middle.

    Args:
        keeps: Does the seat keep it? Else the member makes dead letters of it.
        when_left: Called after the seat was left something.

    Locks: ``_lock`` guards ``cut``, too.
    """

    __slots__ = ("_keeps", "_seat", "_when_left", "cut")

    def __init__(
        self, capacity: int | None, seat: Seat, *, keeps: Callable[[], bool], when_left: Callable[[Seat], None]
    ) -> None:
        super().__init__(capacity)
        self._seat = seat
        self._keeps = keeps
        self._when_left = when_left
        self.cut: int | None = None
        """Once it was closed: how much of what was left had been taken out before, to be handled next."""

    def _begin_items(self) -> deque[Any]:
        items = self._items = deque()
        return items

    def held(self) -> AbstractContextManager[Any]:
        """While it is entered, it is not closed."""
        lock: AbstractContextManager[Any] = self._lock
        return lock

    def take_unread(self) -> list[Envelope]:
        """Take all that is there now, and perhaps some that comes meanwhile."""
        unread: list[Envelope] = []
        try:
            for _ in range(len(self) + len(self._system or ())):
                item = self.take()
                if item is NOTHING:
                    break
                unread.append(enveloped(item))
        except MailboxClosed:
            pass
        return unread

    @property
    def seat(self) -> Seat:
        """Whose it is."""
        return self._seat

    def close(self, keep: Callable[[list[Any]], object] | None = None) -> list[Any]:
        """Refuse what comes from now on; what was accepted and not taken is the seat's."""
        left = super().close(keep)
        if self._seat.left:
            self._when_left(self._seat)
        return left

    def shut(self, keep: Callable[[list[Any]], object] | None = None) -> tuple[list[Any], list[Reader]]:
        """Close without waking anybody yet."""
        with self._lock:
            orders = [order for order in self._system or () if isinstance(order, SeatOrder)]
            unread, wakes = super().shut()
            first = self._taken_from_front()
            left = [*orders, *map(enveloped, unread)]
            keeps = self._keeps()
            own = [one for one in (*first, *left) if not (keeps and _is_the_seats(one))]
            own = [envelope for one in own if (envelope := unwrapped(one)) is not None]
            if own and keep is not None:
                keep(own)
            if keeps:
                first = [one for one in first if _is_the_seats(one)]
                self.cut = len(first)
                self._seat.left.extendleft(reversed(first))
                self._seat.left.extend([one for one in left if _is_the_seats(one)])
        return own, wakes

    def _taken_from_front(self) -> list[Envelope]:
        """What the member would handle before the mailbox. From the end, by single operations: it may take the first
        ones at the same moment.
        """
        cell = self._seat.cell
        front, taken = (cell.front or deque()) if cell.mailbox is self else deque(), []
        while front:
            try:
                taken.append(front.pop())
            except IndexError:
                break
        return taken[::-1]


def _is_the_seats(envelope: Envelope) -> bool:
    """Is it for whoever is its member? Ticks of timers, and what an actor wants of itself, go with it."""
    return type(envelope) is Envelope or isinstance(envelope, Question | SeatOrder)


def unwrapped(envelope: Envelope) -> Envelope | None:
    """The message in it; None for an order that holds none."""
    return envelope.unwrapped() if isinstance(envelope, SeatOrder) else envelope
