"""A bounded blocking queue, with backpressure, that closes in one step with put."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...errors import Cancelled, DispatcherExhausted
from ..checks import leaf_rlock
from ..clock import SYSTEM_CLOCK
from ..process.at_exit import at_exit
from ..waiting.wait_graph import wait_for
from ..waiting.waiter import Waiter
from .dead_letter import DeadLetterReason
from .putter import ACCEPTED as ACCEPTED, Put as Put, Putter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..waiting.wait_graph import WaitMember, WaitNode


class _Nothing(Enum):
    NOTHING = 0


NOTHING: Final = _Nothing.NOTHING
"""What :meth:`Mailbox.take` answers when there is no item (an item may be None)."""


class Reader(Protocol):
    """Who waits for an item: a thread at its waiter, or an actor that has none, and stands in line when it is woken."""

    def wake(self) -> None:
        """Something is there, or the mailbox was closed."""

    def open(self) -> None:
        """As :meth:`wake`, which was interrupted."""


class MailboxClosed(Exception):
    """Nothing is left, and nothing will come."""


class Mailbox:
    """A first-in-first-out queue with a bound, blocking ends, and a lane for system items.

    Guarantees: put and close exclude each other: an accepted item is taken by a reader or handed back by
    :meth:`close`, once. Senders that wait for room are served in order, and woken by a close. The system lane is
    read first, has no bound and never blocks.

    Locks: ``_lock`` guards every field, but for those of the fast lane; waiters are woken after it is released. It may
    be taken again by the thread that has it: a finalizer or a signal's handler that sends may come at any moment. Who
    is to be woken has left the line by then, so a wake that is interrupted opens the gate all the same: in place, as a
    signal's handler would interrupt a function for it just as well.

    The fast lane takes no lock, which costs more than all the rest. ``_free`` is the queue itself, as long as there is
    one that is open and has no bound: items are appended and taken by single operations. Who appends looks again after
    that: when it was closed meanwhile, the item was in time, or is withdrawn. ``_attendant`` is a reader that does not
    wait, but is told. It enters itself before it looks at the items, and who puts one in looks for it after that.
    """

    __slots__ = ("_attendant", "_capacity", "_free", "_getters", "_items", "_lock", "_open", "_putters", "_system")

    unread_reason = DeadLetterReason.RECEIVER_ENDED
    """Why nobody has read what is left in it at the end."""

    def __init__(self, capacity: int | None = None, *, is_open: bool = True) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError(f"the capacity of a mailbox must be at least 1, or None; got {capacity}")
        self._lock = leaf_rlock()
        self._capacity = capacity
        self._items: deque[Any] | None = None  # most mailboxes never get an item, and an empty deque is large
        self._free: deque[Any] | None = None
        self._system: deque[Any] | None = None
        self._attendant: Reader | None = None
        self._getters: list[Reader] | None = None
        self._putters: deque[Putter] | None = None
        self._open = is_open

    def __len__(self) -> int:
        return len(self._items or ())

    @property
    def is_open(self) -> bool:
        """Does it still accept items?"""
        return self._open

    @property
    def capacity(self) -> int | None:
        """How many items fit; None without a bound."""
        return self._capacity

    def empty(self) -> bool:
        """Is there nothing to read? (Pykka's inbox protocol.)"""
        return not self._items and not self._system

    # Putting ----------------------------------------------------------------------------------------------------

    def offer(self, item: Any) -> Put:
        """Accept *item* if there is room now."""
        free = self._free
        if free is None:
            return self._offer(item)
        result = ACCEPTED
        try:
            free.append(item)
        finally:  # it is in, also when a signal's handler has raised just now
            if self._free is not free:
                result = self._withdraw(item, free)
            reader = self._attendant
            if reader is not None:
                self._attendant = None
                try:
                    reader.wake()
                except BaseException:
                    reader.open()
                    raise
            elif self._getters:
                self._wake_one()
        return result

    def _offer(self, item: Any) -> Put:
        getter = None
        try:
            with self._lock:
                if not self._open:
                    return Put.CLOSED
                items = self._items
                if items is None:
                    items = self._begin_items()
                elif self._capacity is not None and len(items) >= self._capacity:
                    return Put.FULL
                items.append(item)
                getter = self._attendant  # as _next_getter: a call costs as much as all of this
                getters = self._getters
                if getter is not None:
                    self._attendant = None
                elif getters:
                    getter = getters[0]
                    del getters[0]
        finally:
            if getter is not None:
                try:
                    getter.wake()
                except BaseException:
                    getter.open()
                    raise
        return ACCEPTED

    def _begin_items(self) -> deque[Any]:
        items = self._items = deque()
        if self._capacity is None:
            self._free = items
        return items

    def _withdraw(self, item: Any, items: deque[Any]) -> Put:
        """The mailbox was closed while *item* was put in: take it out, unless somebody has it.

        It is among the last ones. Readers come by the lock now; one that was under way takes the first.
        """
        behind: list[Any] = []
        with at_exit().signals_held_off, self._lock:
            while items:
                last = items.pop()
                if last is item:
                    items.extend(reversed(behind))
                    return Put.CLOSED
                behind.append(last)
            items.extend(reversed(behind))
        return ACCEPTED

    def _wake_one(self) -> None:
        getter = None
        try:
            with self._lock:
                getter = self._next_getter()
        finally:
            if getter is not None:
                try:
                    getter.wake()
                except BaseException:
                    getter.open()
                    raise

    def put(self, item: Any, timeout: float | None = None, target: WaitNode | None = None) -> Put:
        """Accept *item*, waiting for room at most *timeout* seconds (Pykka's inbox protocol: no bound).

        *target*, if it is given, is who makes room: then the wait takes part in the search for circles.
        """
        result = self._offer(item) if self._free is None else self.offer(item)
        if result is ACCEPTED or result is not Put.FULL or (timeout is not None and timeout <= 0):
            return result
        return self.await_room(item, timeout, target)

    def begin(self, item: Any) -> Put | Callable[[], Put]:
        """As :meth:`offer`, for one of many: where the answer takes time, what waits for it."""
        return self.offer(item)

    def await_room(self, item: Any, timeout: float | None, target: WaitNode | None) -> Put:
        """The second half of :meth:`put`, for an offer that found no room."""
        putter = Putter(item)
        if not self.line_up(putter):
            return self.put(item, timeout, target)  # room appeared in between
        try:
            wait_for(putter.waiter, timeout, "room in a mailbox", target)
        except (Cancelled, DispatcherExhausted):
            self.leave_line(putter)
            if putter.result is not Put.ACCEPTED:  # else it is on its way: who sends must know
                raise
        except BaseException:
            self.leave_line(putter)
            raise
        self.leave_line(putter)
        return putter.result

    def line_up(self, putter: Putter) -> bool:
        """Let *putter* stand in line for room; False when there is room now, or the mailbox is closed."""
        with self._lock:
            if not self._open or self._capacity is None or len(self) < self._capacity:
                return False
            if self._putters is None:
                self._putters = deque()
            self._putters.append(putter)
            return True

    def leave_line(self, putter: Putter) -> None:
        """It waits for room no longer, or has got it."""
        with self._lock:
            if self._putters is not None and putter in self._putters:
                self._putters.remove(putter)

    def force(self, item: Any) -> Any:
        """Accept *item* whatever the bound; the oldest makes room.

        Returns:
            The item that had to go (*item* itself when the mailbox is closed), or ``NOTHING``.
        """
        dropped: Any = NOTHING
        getter = None
        try:
            with self._lock:
                if not self._open:
                    return item
                items = self._items
                if items is None:
                    items = self._begin_items()
                elif self._capacity is not None and len(items) >= self._capacity:
                    dropped = items.popleft()
                items.append(item)
                getter = self._next_getter()
        finally:
            if getter is not None:
                try:
                    getter.wake()
                except BaseException:
                    getter.open()
                    raise
        return dropped

    def take_over(self, item: Any) -> None:
        """Accept *item* whatever the bound: it was accepted elsewhere, before there was a reader here."""
        with self._lock:
            items = self._begin_items() if self._items is None else self._items
            items.append(item)

    def put_system(self, item: Any) -> bool:
        """Put *item* into the system lane; False when closed."""
        getter = None
        try:
            with self._lock:
                if not self._open:
                    return False
                if self._system is None:
                    self._system = deque()
                self._system.append(item)
                getter = self._next_getter()
        finally:
            if getter is not None:
                try:
                    getter.wake()
                except BaseException:
                    getter.open()
                    raise
        return True

    def _next_getter(self) -> Reader | None:
        """Who is to be woken. No call, no place for an interrupt, stands between taking it out and having it."""
        getter = self._attendant
        if getter is not None:
            self._attendant = None
            return getter
        if not self._getters:
            return None
        getter = self._getters[0]
        del self._getters[0]
        return getter

    # Taking -----------------------------------------------------------------------------------------------------

    def take(self) -> Any:
        """The next item, or ``NOTHING``.

        Raises:
            MailboxClosed: Nothing is left, and nothing will come.
        """
        free = self._free
        if self._system or not self._open:
            return self._take()
        if free:
            try:
                return free.popleft()
            except IndexError:  # another reader was first
                return NOTHING
        return self._take() if self._items else NOTHING  # who waits then looks again

    def _take(self) -> Any:
        putter: Putter | None = None
        try:
            with self._lock:
                if self._system:
                    return self._system.popleft()
                items = self._items
                if not items:
                    if not self._open:
                        raise MailboxClosed
                    return NOTHING
                item = items.popleft()
                while self._putters:
                    putter = self._putters[0]
                    del self._putters[0]
                    if putter.admit(self):
                        items.append(putter.item)
                        break
        finally:
            if putter is not None:
                try:
                    putter.waiter.wake()
                except BaseException:
                    putter.waiter.open()
                    raise
        return item

    def attend(self, reader: Reader) -> bool:
        """Let *reader* be woken when something comes; False when something has come, or the mailbox was closed.

        There is one such reader of a mailbox.
        """
        self._attendant = reader
        if self._items or self._system or not self._open:
            self._attendant = None
            return False
        return True

    def unattend(self, reader: Reader) -> None:
        """*reader*, which attended, goes away; a signal that it got too late goes to who waits."""
        with self._lock:
            if self._attendant is reader:
                self._attendant = None
                return
            getters = self._getters
            following = getters.pop(0) if getters and (self._items or self._system) else None
        if following is not None:
            following.wake()

    @property
    def is_attended(self) -> bool:
        """Does a reader wait or attend that was not woken yet?"""
        return bool(self._getters) or self._attendant is not None

    def get(self, timeout: float | None = None, on: str = "a message") -> Any:
        """The next item, waiting at most *timeout* seconds.

        Raises:
            MailboxClosed: Nothing is left, and nothing will come.
            TimeoutError: The time ran out.
            Cancelled: The member that waits was cancelled; nothing was taken.
        """
        item = self.take()
        return self.await_item(timeout, on) if item is NOTHING else item

    def await_item(self, timeout: float | None = None, on: str = "a message", member: WaitMember | None = None) -> Any:
        """The second half of :meth:`get`, for a take that found nothing. *member*: who runs here, if that is known."""
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        while True:
            waiter = Waiter()
            woken = False
            try:
                with self._lock:
                    getters = self._getters
                    if getters is None:
                        getters = self._getters = []
                    getters.append(waiter)  # before it looks: the fast lane looks for it after a put
                    if self._items or self._system or not self._open:
                        getters.remove(waiter)
                        waiter.wake()
                left = None if end is None else end - SYSTEM_CLOCK.monotonic()
                woken = wait_for(waiter, left, on) if member is None else member.wait(waiter, left, on, None)
            finally:
                if not woken:
                    self._leave(waiter)
            item = self._take() if self._free is None else self.take()
            if item is not NOTHING:
                return item
            if not woken:
                raise TimeoutError(f"nothing arrived within {timeout} s")

    def _leave(self, waiter: Waiter) -> None:
        """Forget a getter that stopped waiting; a signal that it got too late goes to the next one."""
        with self._lock:
            getters = self._getters
            if getters and waiter in getters:
                getters.remove(waiter)
                return
            following = getters.pop(0) if getters and (self._items or self._system) else None
        if following is not None:
            following.wake()

    def waiting(self) -> list[Any]:
        """What was accepted and not taken, but for system items: as it is now. It stays there."""
        with self._lock:
            return list(self._items or ())

    # Closing ----------------------------------------------------------------------------------------------------

    def seal(self) -> bool:
        """Refuse what comes from now on; what was accepted can still be taken. False when it was closed before."""
        with self._lock:
            first, self._open = self._open, False
            self._free = None
            wakes = self._dismiss()
        for waiter in wakes:
            waiter.wake()
        return first

    def close_empty(self) -> bool:
        """Refuse what comes from now on; False when something was accepted before, and can still be taken. For who
        attends: it is not told.
        """
        with self._lock:
            self._attendant = None
            self._open = False
            self._free = None  # first: what comes by the fast lane after this is withdrawn
            is_empty = self.empty()
            if is_empty:
                self._items = self._system = None
            wakes = self._dismiss()
        for waiter in wakes:
            waiter.wake()
        return is_empty

    def close(self, keep: Callable[[list[Any]], object] | None = None) -> list[Any]:
        """Refuse what comes from now on, and hand back what was accepted and not taken.

        *keep*, if it is given, gets that while nobody else can look: so who finds a closed mailbox finds what was kept.
        """
        left, wakes = self.shut(keep)
        for waiter in wakes:
            waiter.wake()
        return left

    def shut(self, keep: Callable[[list[Any]], object] | None = None) -> tuple[list[Any], list[Reader]]:
        """Close without waking anybody yet: hand back what was not taken, and whom the caller has to wake."""
        with self._lock:
            self._open = False
            items, system = self._items, self._system
            self._free = self._items = self._system = None
            left = _emptied(items) if items else []
            if left and keep is not None:
                keep(left)
            wakes = self._dismiss()
        del system  # what it holds is let go of without the lock
        return left, wakes

    def _dismiss(self) -> list[Reader]:
        wakes: list[Reader] = []
        putter: Putter
        for putter in self._putters or ():
            putter.refuse()
            wakes.append(putter.waiter)
        wakes.extend(self._getters or ())
        if self._attendant is not None:
            wakes.append(self._attendant)
        self._putters = self._getters = self._attendant = None
        return wakes


def _emptied(items: deque[Any]) -> list[Any]:
    """Take out all of them, one by one: by the fast lane somebody may be taking or withdrawing one just now."""
    left: list[Any] = []
    try:
        while items:
            left.append(items.popleft())
    except IndexError:
        pass
    return left
