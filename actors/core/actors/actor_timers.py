"""The timers of an actor, and how long a wait may be."""

from __future__ import annotations

from collections import deque
from functools import partial
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..messaging.dead_letter import DeadLetterReason
from ..process import fork
from ..waiting.crowd import crowd
from .actor_cell import ENDS, IS_NEW
from .envelope import Order
from .timer import Timer

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..messaging.dead_letter import DeadLetter
    from ..messaging.mailbox import Put
    from .actor_cell import ActorCell
    from .timer import Tick

NO_THREAD = "no thread can be started for timers, so {} was not set; end some threads, or try again"


class ActorTimers:
    """The timers of one actor that have not ended (a part of it), and what the alarm makes of them.

    Guarantees: a timer that is set is in ``_live`` before the alarm minds it, so whoever ends them all ends it; one
    that is set too late sees that itself.

    Locks: none. ``_live``, ``_keyed`` and ``_buried`` change by single operations. ``_is_over`` only ever becomes true,
    before the timers are ended: who sets one enters it, then looks.
    """

    __slots__ = ("_alarm", "_buried", "_cell", "_generation", "_is_over", "_keyed", "_live", "_mark")

    def __init__(self, cell: ActorCell) -> None:
        self._cell = cell
        self._mark = fork.mark()
        self._generation = cell.generation
        self._alarm = crowd().alarm
        self._live: dict[Timer, None] = {}
        self._keyed: dict[Hashable, Timer] = {}
        self._buried: deque[tuple[Timer, DeadLetter]] | None = None
        self._is_over = False

    # Setting one: any thread --------------------------------------------------------------------------------------

    def every(self, interval: float, message: Any, first: float | None, key: Hashable | None) -> Timer:
        """As :meth:`Actor.tell_every`."""
        interval = as_seconds(interval, "the interval of a timer", may_be_zero=False)
        after = interval if first is None else as_seconds(first, "first, the delay of the first tick,")
        return self.later(after, message, key, interval)

    def later(self, delay: float, message: Any, key: Hashable | None, interval: float | None = None) -> Timer:
        """As :meth:`Actor.tell_later`; with an *interval* it goes on after that. One function: so it is quicker."""
        if type(delay) is not float or not 0.0 <= delay < inf:
            delay = as_seconds(delay, "the delay of a timer")
        cell, alarm = self._cell, self._alarm
        if self._mark.generation != self._generation:
            self.refuse_after_fork()
        if key is not None:
            refuse_key(key)
        at = alarm.clock.monotonic() + delay
        timer = Timer(self, message, at, interval, key)
        if not cell.mailbox.is_open:  # nothing would be accepted any more
            timer.expire()
            return timer
        try:
            self._live[timer] = None
            if key is not None:
                self._replace(key, timer)
            if cell.stage == IS_NEW:  # one that ``__init__`` has set begins with the actor, which may never be started
                cell.mailbox.put_system(Order(partial(self.arm, timer, at)))
            else:
                self.arm(timer, at)
        except BaseException:
            timer.drop()
            raise
        if self._is_over or cell.stage >= ENDS:
            timer.expire()
        return timer

    def arm(self, timer: Timer, at: float) -> None:
        """Let it ring then, unless it is ended meanwhile.

        Raises:
            RuntimeError: No thread can be started.
        """
        if self._alarm.mind(timer, at):
            if not hasattr(timer, "_timers"):  # as is_due
                self._alarm.forget(timer)
            return
        self._alarm.forget(timer)
        raise RuntimeError(NO_THREAD.format(timer))

    # Keys ---------------------------------------------------------------------------------------------------------

    def _replace(self, key: Hashable, timer: Timer) -> None:
        """Give *timer* the place of that key; who has it is ended. Nobody overwrites another's entry unseen."""
        while self._keyed.setdefault(key, timer) is not timer:
            earlier = self._keyed.pop(key, None)
            if earlier is not None:
                earlier.drop()

    def _leave(self, key: Hashable, timer: Timer) -> None:
        """*timer* has ended: its place is free. What is taken out in error is put back, unless a later one came."""
        found = self._keyed.pop(key, None)
        if found is None or found is timer:
            return
        if self._keyed.setdefault(key, found) is not found:
            found.drop()
        elif not found.is_due:  # it looked for its place while that was empty
            self._leave(key, found)

    # For its timers -----------------------------------------------------------------------------------------------

    def refuse_after_fork(self) -> None:
        """Raise in a forked child: the alarm's thread is in the parent."""
        fork.refuse_after_fork(self._generation)

    def now(self) -> float:
        """The alarm's time."""
        return self._alarm.clock.monotonic()

    def offer(self, tick: Tick) -> Put:
        """Put *tick* into the mailbox, if there is room now."""
        return self._cell.mailbox.offer(tick)

    def forget(self, timer: Timer, key: Hashable | None) -> None:
        """*timer* has ended."""
        self._live.pop(timer, None)
        self._alarm.forget(timer)
        if key is not None:
            self._leave(key, timer)

    def bury(self, timer: Timer) -> None:
        """Its message found no room. On the alarm's thread: the letter is there at once; the log, the actor's
        ``on_undelivered`` and letting go come on the actor's own turn.
        """
        cell = self._cell
        letter = cell.dead_letters.add(timer.message, DeadLetterReason.TIMER_FULL, cell.label)
        if self._buried is None:
            self._buried = deque()
        self._buried.append((timer, letter))
        cell.mailbox.put_system(Order(self._announce))

    def _announce(self) -> None:
        while self._buried:
            timer, letter = self._buried.popleft()
            timer.let_go(self)
            self._cell.dead_letters.announce(letter)

    # The protocol Part --------------------------------------------------------------------------------------------

    def shed(self) -> None:
        """The actor is made anew: the timers were the old one's, and so is what of them was not read."""
        while (timer := self._next()) is not None:
            timer.drop()

    def wind_up(self) -> None:
        """The actor ends."""
        self._is_over = True
        while (timer := self._next()) is not None:
            timer.expire()
        self._announce()

    end = wind_up

    def _next(self) -> Timer | None:
        try:
            return self._live.popitem()[0]
        except KeyError:
            return None


def refuse_key(key: Hashable) -> None:
    """Raise what says that *key* cannot be one, if so."""
    try:
        hash(key)
    except TypeError:
        raise TypeError(f"the key of a timer must be hashable, got {key!r}") from None


def as_seconds(value: Any, what: str, *, may_be_zero: bool = True) -> float:
    """*value* as seconds.

    Args:
        what: What it is, for the message.
        may_be_zero: 0 is meant, too.
    Raises:
        TypeError: It is no number.
        ValueError: It is negative, infinite or NaN.
    """
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{what} must be a number of seconds (of a timedelta: total_seconds()), got {value!r}")
        try:
            value = float(value)
        except OverflowError:
            value = inf
    if not (0.0 <= value < inf if may_be_zero else 0.0 < value < inf):
        least = "0 or more" if may_be_zero else "above 0"
        raise ValueError(f"{what} must be {least} and finite, in seconds; got {value!r}")
    return float(value)
