"""What happened to one agent: one record of it, for whoever reads it, now, later or again."""

from __future__ import annotations

import weakref
from bisect import bisect_left, bisect_right
from contextlib import suppress
from itertools import accumulate, compress, islice
from operator import itemgetter, not_
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from ..checks import leaf_lock
from ..records.event import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentResumed,
    AgentStarted,
    Event,
    EventsMissed,
    MessageRead,
    MessageSent,
)
from ..records.heard import KEPT
from ..records.told import INPUT, RESULT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ..records.outcome import AgentOutcome
    from ..waiting.waiter import Wakeable
    from .agent_cell import AgentCell

Entry: TypeAlias = "tuple[int, float, Callable[..., Event], Mapping[str, Any]]"
"""One event, or several in one: the number of the last (from 1), its moment, what makes it, its fields. It stands for
all events after the number of the entry before it.
"""

New: TypeAlias = "tuple[Callable[..., Event], Mapping[str, Any], float]"
"""One that was noted: what makes it, its fields, its moment: seconds of the pool's monotonic clock."""

EVENTS: Final = "events"
"""The log of an agent: one of the cell's lazies, made by the first event that its cell cannot tell, or its reader."""
MOST: Final = 10_000
"""Entries that a log has at most."""
SPARE: Final = 1_000
"""So many make room at once when it is full: the oldest."""
THIN: Final = 512
"""Above so many, what all readers have passed is made small. Half of them stay as they are."""
BATCH: Final = 256
"""So many that were noted are put in order, if nobody reads them."""
ROUTINE: Final = frozenset({AgentParked, AgentResumed, MessageSent, MessageRead})
"""What an agent that lives long does without end: of these the old ones go first."""
PASSING: Final = ROUTINE | {EventsMissed}
"""What the place of an old one is taken by, and what has that place already."""
FEW: Final = 8
"""So many new ones are put in order one by one; more at once, if none of them has anything to be merged with."""
NO_FIELDS: Final[Mapping[str, Any]] = {}

_first, _second, _third = itemgetter(0), itemgetter(1), itemgetter(2)


class Standing(Protocol):
    """How far a reader has come.

    Locks: the log's guards ``position``.
    """

    position: int
    """The number of the last event that it has taken."""


class EventLog:
    """The events of one agent, as plain data: an event is made when somebody reads it.

    Guarantees: in the order in which they happened, and their moments never run back; the last one is its end; each
    reader gets all of them from the first on, however late it comes. Text deltas that nobody has read yet are merged;
    of more than ``MOST`` entries the oldest are replaced by one that says how many there were.

    Locks: ``_lock``, a leaf, guards every field, but ``new``, to which any thread adds by a single operation: what is
    noted is put in order by whoever reads, or when it gets much. What is let go of is dropped outside the lock.
    ``waiting`` is made under it, and then changes by single operations: who waits enters itself, then looks; who adds,
    adds and then looks whom to wake.
    """

    __slots__ = (
        "_count",
        "_ended",
        "_entries",
        "_latest",
        "_lock",
        "_places",
        "_reached",
        "_thin_at",
        "new",
        "waiting",
    )

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self.new: list[New] = []
        self._entries: list[Entry] = []
        self._count = self._reached = 0
        self._latest = 0.0
        self._thin_at = THIN
        self._ended = False
        self._places: list[weakref.ref[Standing]] | None = None
        self.waiting: list[Wakeable] | None = None

    # Writing ----------------------------------------------------------------------------------------------------

    def note(self, make: Callable[..., Event], fields: Mapping[str, Any], moment: float) -> Sequence[Wakeable]:
        """Note an event, also under the turn: nobody is woken, and nothing let go of.

        Args:
            fields: Its own. They belong to the log from now on.
            moment: When it was.
        Returns:
            Whom the caller has to wake, without any lock.
        """
        self.new.append((make, fields, moment))
        return tuple(self.waiting or ())

    def end(self, fields: Mapping[str, Any], moment: float) -> Sequence[Wakeable]:
        """Note the end of the agent: after that nothing is noted. Whom the caller has to wake."""
        return self.note(AgentEnded, fields, moment)

    def attend(self) -> None:
        """Something was noted: wake who waits; if there is much new, put it in order. Without any lock, and not under
        the turn: what is let go of may be a user's.
        """
        for waiter in tuple(self.waiting or ()):
            waiter.wake()
        if len(self.new) >= BATCH:
            self._put_in_order()

    def _put_in_order(self) -> None:
        dropped: list[object] = []  # until this returns
        if self._lock.acquire(blocking=False):  # else who has it does so, or this is its finalizer
            try:
                self._sort_in(dropped)
            finally:
                self._lock.release()

    def _sort_in(self, dropped: list[object]) -> None:
        count = len(self.new)
        new = self.new[:count]
        del self.new[:count]
        dropped.append(new)
        if count > FEW and not self._ended:
            makes = list(map(_first, new))
            if not (AgentEnded in makes or _may_merge(makes)):
                self._add_all(new, makes, dropped)
                return
        for make, fields, moment in new:
            if self._ended:  # it was abandoned, and this came at the same moment
                return
            self._ended = make is AgentEnded
            self._latest = max(self._latest, moment)  # another thread of the agent may have overtaken this one
            self._add(make, fields, self._latest, dropped)

    def _add(self, make: Callable[..., Event], fields: Mapping[str, Any], moment: float, dropped: list[object]) -> None:
        self._count = number = self._count + 1
        entries = self._entries
        if entries:
            before, since, kind, earlier = entries[-1]
            if kind is make and before > self._reached and (merged := _merged(make, earlier, fields)) is not None:
                entries[-1] = (number, since, make, merged)
                return
        entries.append((number, moment, make, fields))
        if len(entries) >= self._thin_at:
            self._thin(dropped)

    def _add_all(self, new: list[New], makes: list[Callable[..., Event]], dropped: list[object]) -> None:
        """As :meth:`_add` for each of many, without a step of Python for any: of two agents that talk to one another
        the events would take more time than the messages.
        """
        first = self._count + 1
        self._count += len(new)
        moments = islice(accumulate(map(_third, new), max, initial=self._latest), 1, None)
        self._entries.extend(zip(range(first, self._count + 1), moments, makes, map(_second, new), strict=True))
        self._latest = self._entries[-1][1]
        if len(self._entries) >= self._thin_at:
            self._thin(dropped)

    def _thin(self, dropped: list[object]) -> None:
        dropped.append(self._entries)
        self._entries = new = thinned(self._entries, {place.position for place in self._live()})
        self._thin_at = min(len(new) + THIN // 2, MOST)

    # Reading ----------------------------------------------------------------------------------------------------

    def follow(self, place: Standing) -> None:
        """*place*, whose position is 0, begins to read. It is forgotten when nobody holds it any more."""
        with self._lock:
            self._places = [*self._places_left(), weakref.ref(place)]

    def leave(self, place: Standing) -> None:
        """*place* reads no more."""
        with self._lock:
            self._places = [ref for ref in self._places_left() if ref() is not place] or None

    def _places_left(self) -> list[weakref.ref[Standing]]:
        return [ref for ref in self._places or () if ref() is not None]

    def _live(self) -> Iterable[Standing]:
        return [place for ref in self._places or () if (place := ref()) is not None]

    def take(self, place: Standing) -> tuple[Entry, int] | None:
        """The next entry for *place*, and how many events it is; None when there is none yet."""
        dropped: list[object] = []
        with self._lock:
            if self.new:
                self._sort_in(dropped)
            position = place.position
            at = bisect_left(self._entries, (position + 1,))
            if at == len(self._entries):
                return None
            entry = self._entries[at]
            place.position = number = entry[0]
            self._reached = max(self._reached, number)
            return entry, number - position

    def is_over(self, place: Standing) -> bool:
        """Has *place* taken the last event?"""
        with self._lock:
            return self._ended and place.position >= self._count

    def await_more(self, place: Standing, waiter: Wakeable) -> bool:
        """Let *waiter* be woken by each event that comes; False when there is one for *place*, or none will come."""
        self.wake_always(waiter)
        return not self.has_more(place)

    def has_more(self, place: Standing) -> bool:
        """Is there an event for *place*, or will none come?"""
        with self._lock:
            return bool(self.new) or self._ended or place.position < self._count

    def wake_always(self, waiter: Wakeable) -> None:
        """Let *waiter* be woken by each event that comes."""
        with self._lock:
            if self.waiting is None:
                self.waiting = []
            self.waiting.append(waiter)

    def forget(self, waiter: Wakeable) -> None:
        """*waiter* is woken no more.

        Without the lock: a coroutine that nobody awaits any more is ended anywhere, perhaps in the thread that has it.
        """
        with suppress(ValueError):  # it has left
            (self.waiting or []).remove(waiter)


def log_of(cell: AgentCell) -> EventLog:
    """The log of *cell*, made now if need be: with what the cell itself tells of its life.

    Under the turn, or by the agent's own threads: its start is told by the cell, or noted in the log.
    """
    found: EventLog | None = cell.lazies.get(EVENTS)
    if found is not None:
        return found
    made = EventLog()
    if cell.queued_at is not None:
        made.new.append((AgentQueued, told_of_queue(cell), cell.queued_at))
    if cell.started is not None:
        made.new.append((AgentStarted, told_of_start(cell), cell.started))
    log: EventLog = cell.lazies.setdefault(EVENTS, made)
    cell.heard = KEPT
    # Who settles an agent sets its outcome, and then looks whether there is a log.
    if cell.outcome is not None:
        log.end(told_of_end(cell, cell.outcome), end_of(cell, cell.outcome))
    return log


def end_of(cell: AgentCell, outcome: AgentOutcome[Any]) -> float:
    """The moment of the end of *cell*; of a recalled one, which has the times of an earlier process, when it began."""
    if outcome.recalled:
        return cell.since
    return cell.host.wall.moment(outcome.ended_at) if cell.started is None else cell.started + outcome.duration


def told_of_queue(cell: AgentCell) -> Mapping[str, Any]:
    """What an ``AgentQueued`` tells of *cell*."""
    spec = cell.spec
    if spec.key is None and spec.group is None:  # as most: a thousand that queue need no dictionary each
        return NO_FIELDS
    return {"key": spec.key, "group": spec.group}


def told_of_start(cell: AgentCell) -> Mapping[str, Any]:
    """What an ``AgentStarted`` tells of *cell*."""
    spec = cell.spec
    told: dict[str, Any] = {"key": spec.key, "group": spec.group, "slots": cell.of_slots}
    if INPUT in cell.lazies:
        told["input"] = cell.lazies[INPUT]
    return told


def told_of_end(cell: AgentCell, outcome: AgentOutcome[Any]) -> Mapping[str, Any]:
    """What an ``AgentEnded`` tells of *cell*. The text of the error is made by whoever reads it."""
    told = {"status": outcome.status, "error": outcome.error, "recalled": outcome.recalled}
    if RESULT in cell.lazies:
        told["result"] = cell.lazies[RESULT]
    return told


def _merged(
    make: Callable[..., Event], earlier: Mapping[str, Any], later: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    merge = getattr(make, "_merge", None)  # ours alone: it is called under the lock
    return None if merge is None else merge(earlier, later)


def _may_merge(makes: Iterable[Callable[..., Event]]) -> bool:
    """Is there one among *makes* whose events become one, where they stand next to each other?"""
    never = Event._merge  # noqa: SLF001 - ours
    return any(getattr(make, "_merge", never) is not never for make in set(makes))


def thinned(entries: Sequence[Entry], positions: Collection[int]) -> list[Entry]:
    """*entries*, fewer if possible: nothing is lost to who stands at one of *positions*, but the oldest of too many.

    Texts are merged, and a reader stands at their ends alone. If that is not enough, the routine that all have passed
    goes, and then the oldest.
    """
    out = _with_merged(entries, positions) if _may_merge(map(_third, entries)) else list(entries)
    if len(out) > THIN:
        out = _without_routine(out, min(min(positions, default=out[-1][0]), out[-THIN // 2][0]))
    if len(out) > MOST - SPARE:
        out = [_missed(out[-(MOST - SPARE)]), *out[-(MOST - SPARE) + 1 :]]
    return out


def _with_merged(entries: Iterable[Entry], positions: Collection[int]) -> list[Entry]:
    out: list[Entry] = []
    for entry in entries:
        if out and out[-1][2] is entry[2] and out[-1][0] not in positions:
            _, at, make, fields = out[-1]
            merged = _merged(make, fields, entry[3])
            if merged is not None:
                out[-1] = (entry[0], at, make, merged)
                continue
        out.append(entry)
    return out


def _without_routine(entries: Sequence[Entry], passed: int) -> list[Entry]:
    count = bisect_right(entries, passed, key=_first)
    out: list[Entry] = []
    following = 0
    # A step of Python for those that stay: of an agent that talks all the time that is two of hundreds.
    for at in compress(range(count), map(not_, map(PASSING.__contains__, map(_third, entries)))):
        if at > following:
            out.append(_missed(entries[at - 1]))
        out.append(entries[at])
        following = at + 1
    if count > following:
        out.append(_missed(entries[count - 1]))
    return [*out, *entries[count:]]


def _missed(entry: Entry) -> Entry:
    """An entry in place of *entry* and what was before it. How many they are, its reader's position tells."""
    return (entry[0], entry[1], EventsMissed, NO_FIELDS)
