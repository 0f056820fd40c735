"""A message that an actor gets later."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..messaging.mailbox import Put
from .envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Hashable

MANY = 1e9
"""No more ticks are missed at once: a tiny interval makes infinitely many of them."""


class _Void(Enum):
    VOID = "no message any more"


VOID: Final = _Void.VOID
"""Stands where the message was of a timer that has ended."""


class Timing(Protocol):
    """The timers of one actor, as each of them sees it."""

    def refuse_after_fork(self) -> None:
        """Raise in a forked child."""

    def forget(self, timer: Timer, key: Hashable | None) -> None:
        """*timer* has ended."""

    def now(self) -> float:
        """The time, on the clock of its moments."""

    def arm(self, timer: Timer, at: float) -> None:
        """Let it ring then."""

    def offer(self, tick: Tick) -> Put:
        """Put *tick* into the mailbox, if there is room now."""

    def bury(self, timer: Timer) -> None:
        """Its message found no room."""


class Timer:
    """A message that comes to an actor later, once or again and again: what ``tell_later`` and ``tell_every`` return.

    Guarantees: once :meth:`cancel` has answered True, no message of it is handled any more, not even one that lies in
    the mailbox; when it answers False, it changed nothing. It ends with its actor, and with a restart of it.

    Threads: any.

    Example:
        ```python
        from actors import Actor

        class Reminder(Actor):
            def on_start(self) -> None:
                self.reminder = self.tell_every(60.0, "look")

            def on_receive(self, message: str) -> None:
                self.reminder.cancel()

        Reminder.start().stop()
        ```

    Locks: none. ``_timers`` is there until the timer has ended: whoever deletes it, by one operation, has ended it.
    ``_at``, ``_unread`` and ``skipped`` are written by the alarm's thread; ``_unread`` is taken back by whoever reads
    the tick.
    """

    __slots__ = ("_at", "_interval", "_key", "_message", "_timers", "_unread", "skipped")

    def __init__(self, timers: Timing, message: Any, at: float, interval: float | None, key: Hashable | None) -> None:
        self._timers = timers
        self._message = message
        self._at = at
        self._interval = interval
        self._key = key
        self._unread: Tick | None = None
        self.skipped: int = 0
        """How many ticks of ``tell_every`` were due and not sent: the mailbox was full, the tick before was not read
        yet, or the machine slept.
        """

    def __repr__(self) -> str:
        kind = "once" if self._interval is None else f"every {self._interval} s"
        return f"<Timer {kind}, {'active' if self.is_due else 'ended'}>"

    @property
    def active(self) -> bool:
        """Is a message of it still to come? One that lies unread in the mailbox is.

        Raises:
            ForkedPoolError: It was set in the parent process, and lives there only.
        """
        self._refuse_after_fork()
        return self.is_due

    def cancel(self) -> bool:
        """End it.

        Returns:
            False when it had ended before: its message was handled or is being handled, or it was cancelled, or
            replaced, or its actor has ended or was restarted.
        Raises:
            ForkedPoolError: As above.
        """
        self._refuse_after_fork()
        return self.drop()

    def _refuse_after_fork(self) -> None:
        timers: Timing | None = getattr(self, "_timers", None)
        if timers is not None:
            timers.refuse_after_fork()

    # How it ends --------------------------------------------------------------------------------------------------

    def _end(self) -> Timing | None:
        """Be the one that ends it: what it belonged to. None when somebody else was."""
        try:
            timers = self._timers
            del self._timers
        except AttributeError:
            return None
        return timers

    def drop(self) -> bool:
        """End it, and what of it lies in the mailbox is no message any more."""
        timers = self._end()
        if timers is None:
            return False
        self.let_go(timers)
        return True

    def expire(self) -> None:
        """Its actor has ended. What of it lies in the mailbox was accepted: it is a dead letter."""
        timers = self._end()
        if timers is not None:
            self.let_go(timers, is_unread=self._unread is not None)

    def let_go(self, timers: Timing, *, is_unread: bool = False) -> None:
        """It has ended: keep nothing. Not on the alarm's thread: letting go may run code of a user's.

        Args:
            timers: Where it stands.
            is_unread: Is its tick in the mailbox?
        """
        timers.forget(self, self._key)
        if not is_unread:
            self._message = VOID
        self._key = None

    # For the timers of its actor ----------------------------------------------------------------------------------

    @property
    def message(self) -> Any:
        """What is sent; ``VOID`` when it has ended."""
        return self._message

    @property
    def at(self) -> float:
        """When the next tick is due, in seconds of the alarm's clock."""
        return self._at

    @property
    def is_due(self) -> bool:
        """As :attr:`active`, also in a forked child."""
        return hasattr(self, "_timers")

    def read(self) -> bool:
        """A tick is about to be handled; False when the timer was ended before."""
        self._unread = None
        return self.drop() if self._interval is None else self.is_due

    # On the alarm's thread ----------------------------------------------------------------------------------------

    def ring(self) -> None:
        """Its moment has come."""
        timers: Timing | None = getattr(self, "_timers", None)
        if timers is None:
            return
        if self._interval is None:
            if self._send(timers) is Put.FULL and self._end() is not None:
                timers.bury(self)
            return
        if self._unread is not None or self._send(timers) is Put.FULL:
            self.skipped += 1
        self._go_on(timers, self._interval)

    def _send(self, timers: Timing) -> Put:
        """Put a tick into the mailbox, if it has room now."""
        self._unread = tick = Tick(self)  # first: who ends the timer sees that there is one
        put = timers.offer(tick)
        if put is not Put.ACCEPTED:
            self._unread = None
        return put

    def _go_on(self, timers: Timing, interval: float) -> None:
        """The next tick comes a whole number of intervals after the first one."""
        now = timers.now()
        at = self._at + interval
        if at <= now:
            missed = int(min((now - self._at) / interval, MANY))
            self.skipped += missed
            at = self._at + (missed + 1) * interval
            if at <= now:
                at = now + interval
        self._at = at
        timers.arm(self, at)


class Tick(Envelope):
    """The message of a timer, in the mailbox: its timer's until it is read.

    Locks: none.
    """

    __slots__ = ("_message", "_timer")

    def __init__(self, timer: Timer) -> None:
        self._timer: Timer | None = timer
        self._message: Any = VOID

    @property
    def message(self) -> Any:
        """What was to be sent; ``VOID`` when its timer has ended."""
        timer = self._timer
        return self._message if timer is None else timer.message

    def is_settled(self) -> bool:
        """Was its timer ended? If not, it is read now, and from now on a message like any other."""
        timer = self._timer
        if timer is None:
            return False
        self._message = timer.message  # first: whoever cancels the timer now takes it out there
        is_ended = not timer.read()
        if is_ended:
            self._message = VOID
        self._timer = None  # whoever has ended the timer may not have come to its message yet
        return is_ended

    def is_missed(self) -> bool:
        """Not when its timer was ended: then nobody wants it."""
        return self.message is not VOID
