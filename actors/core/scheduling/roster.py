"""The scheduler of a pool: who is admitted, who runs, who has ended, decided from plain data only."""

from __future__ import annotations

import itertools
import sys
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from ...errors import AgentError, CapacityError
from ..figures import counted
from ..messaging.router import MessageRouter
from ..records.event import AgentEnded, AgentQueued, AgentStalled, AgentStarted
from ..records.heard import BY_SINK, KEPT
from ..records.outcome import AgentStatus
from ..records.spent import Spent
from ..records.state import QUEUED, RUNNING
from ..tracing import SPANS
from ..waiting.cancel import Deadline
from ..waiting.waiter import Waiter
from .agent_cell import EXPENSES, WAITERS
from .event_log import EVENTS, end_of, log_of, told_of_end, told_of_queue, told_of_start
from .host_room import HostRoom
from .stalls import Stalls
from .start_queue import ChildQueue, StartQueue
from .timers import Due

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..clock import Clock
    from ..messaging.dead_letter import DeadLetter
    from ..records.event import Event
    from ..records.message import AgentId
    from ..records.outcome import AgentOutcome
    from ..records.spec import Record
    from ..waiting.waiter import Wakeable
    from .agent_cell import AgentCell
    from .effects import Effects
    from .event_log import EventLog
    from .slots import Slots
    from .timers import Timers


class WaitingSpawn:
    """A spawn or fan_out that waits for room.

    Locks: the pool's turn guards ``admitted``; the others never change.
    """

    __slots__ = ("admitted", "cells", "waiter")

    def __init__(self, cells: Sequence[AgentCell]) -> None:
        self.cells = cells
        self.waiter = Waiter()
        self.admitted = False


class Roster:
    """The agents of a pool, and the slots that they share.

    Guarantees: ids start at 1 and rise by one, in the order of admission; each agent is queued, live or ended; the end
    of an agent is one step: the router forgets it, its mailbox closes, its slot goes on, its outcome is visible.

    Locks: none of its own. Every method is called under the pool's turn, and every field is guarded by it, also those
    that others write: ``waiting_spawns``, ``wave``, ``wave_ended``, ``idle_waiters`` and ``when_idle``. That of
    the event delivery guards ``post``, which is looked at without it, once for each use.
    """

    def __init__(
        self,
        *,
        slots: Slots,
        max_queued: int | None,
        max_live: int | None,
        inbox_capacity: int,
        timers: Timers,
        clock: Clock,
        stalled_after: float | None,
        on_undelivered: Callable[[DeadLetter], object] | None,
    ) -> None:
        self.slots = slots
        self._is_elsewhere = isinstance(slots, HostRoom)
        self.router = MessageRouter(inbox_capacity, on_undelivered=on_undelivered, supervised=True)
        self.live: dict[AgentId, AgentCell] = {}
        self.queued: dict[AgentId, AgentCell] = {}
        self.waiting_spawns: deque[WaitingSpawn] = deque()
        self.wave: deque[AgentCell] = deque()
        self.wave_ended = 0
        self.idle_waiters: list[Waiter] = []
        self.when_idle: Callable[[], None] | None = None
        self.started = 0
        self.ended: Counter[AgentStatus] = Counter()
        self.used = Spent()  # by those that have ended
        self.iterations = self.tool_calls = 0
        self._max_queued = max_queued
        self._max_live = max_live
        self._surely_live = 64 if max_live is None else max_live
        self._timers = timers
        self._clock = clock
        self.post: Callable[[AgentCell, Callable[..., Event], Mapping[str, Any], float], None] | None = None
        self._ids = itertools.count(1)
        self._bounded_queued = 0
        self._dropped: list[AgentCell] = []
        self._queue = StartQueue(self._dropped)
        self._children = ChildQueue(self._dropped)
        self._stalls = None if stalled_after is None else Stalls(stalled_after)

    def is_idle(self) -> bool:
        """Has everybody ended?"""
        return not self.live and not self.queued

    def find(self, agent_id: AgentId) -> AgentCell | None:
        """The agent of that id, unless it has ended."""
        return self.live.get(agent_id) or self.queued.get(agent_id)

    def everybody(self) -> list[AgentCell]:
        """Those that have not ended; who has not started yet comes first, so that a mass cancel starts nobody."""
        return [*self.queued.values(), *self.live.values()]

    # Admission ----------------------------------------------------------------------------------------------------

    @property
    def max_live(self) -> int:
        """How many may be running or parked before queued ones wait."""
        if self._is_elsewhere:  # each host sees to its own
            return sys.maxsize
        return max(64, 16 * self.slots.limit) if self._max_live is None else self._max_live

    def has_room(self, count: int) -> bool:
        """Could *count* bounded agents be admitted now: those that would start at once, and places in the queue?"""
        slots = self.slots
        if (
            slots.held + count <= slots.limit  # most often: slots are free, and nobody waits for them
            and not (self._queue.living or self._children.living or slots.woken or self._is_elsewhere)
            and len(self.live) + count <= self._surely_live
        ):
            return True
        if self._max_queued is None:
            return self.slots.limit > 0
        if self._is_elsewhere:  # hosts have more than may run: those wait, too, and count as such
            return count <= self.slots.available - self._children.living + self._max_queued - self._bounded_queued
        startable = 0
        if not self._queue.living:
            startable = max(0, min(self.slots.available - self._children.living, self.max_live - len(self.live)))
        return count <= startable + max(0, self._max_queued - self._bounded_queued)

    def refuse_impossible(self, count: int) -> None:
        """Raise when *count* agents could not even be admitted to an empty pool."""
        limit = self.slots.limit
        if self._max_queued is not None and count > min(limit, self.max_live) + self._max_queued:
            raise CapacityError(
                f"{counted(count, 'agent')} can never fit: max_concurrent={limit}, max_queued={self._max_queued}, and "
                "no timeout= changes that; AgentPool(max_queued=None) lets any number queue, map takes them in turn"
            )

    def enter(self, cells: Sequence[AgentCell], effects: Effects) -> None:
        """Admit *cells*: each gets its id, and starts or is queued."""
        ids, queued, add, push = self._ids, self.queued, self.router.add, self._queue.push
        for cell in cells:
            if not cell.id:  # else, on a host, the program has given it
                cell.id = next(ids)
            if self.post is not None and not cell.heard:  # who listens has come since it was made
                cell.heard = BY_SINK
            add(cell)
            queued[cell.id] = cell
            if cell.owner is not None:
                cell.owner.add(cell)
            if cell.depth:  # on a host, its parent may live on another one
                self._children.push(cell)
            else:
                push(cell)
                self._bounded_queued += cell.bounded
            if cell.parent is not None:
                cell.parent.add_child(cell)
            if cell.token.deadline is not None or cell.spec.deadline is not None:
                self._limit(cell)
        self.balance(effects)
        if self._queue.living or self._children.living:
            is_told = self.post is not None
            now = self._clock.monotonic()
            for cell in cells:
                if cell.state is QUEUED:
                    cell.queued_at = now
                    if is_told or cell.lazies:
                        self.tell(cell, AgentQueued, told_of_queue(cell), now, effects)

    def tell(
        self,
        cell: AgentCell,
        make: Callable[..., Event],
        fields: Mapping[str, Any],
        moment: float,
        effects: Effects,
    ) -> None:
        """Tell who listens. Under the turn. (Where no log is made yet, the cell itself tells the steps of its life.)"""
        if (post := self.post) is not None:
            post(cell, make, fields, moment)
        log: EventLog | None = cell.lazies.get(EVENTS)
        if log is not None:
            effects.wakes += log.note(make, fields, moment)

    def _limit(self, cell: AgentCell) -> None:
        """*cell*, which is just admitted, has a deadline."""
        given, limit = cell.token.deadline, cell.spec.deadline
        if given is not None:  # on a host: the program has given it
            self._timers.push(given.at, Due.DEADLINE, cell.tether())
        if limit is not None:
            asked_at = cell.spec.asked_at
            since, of_what = (self._clock.monotonic(), " of its admission") if asked_at is None else (asked_at, "")
            self._set_deadline(cell, since + limit, f"not done within {limit} s{of_what}")

    def _set_deadline(self, cell: AgentCell, at: float, reason: str) -> None:
        if cell.token.deadline is None or at < cell.token.deadline.at:
            cell.token.deadline = Deadline(at, self._clock, reason)
            self._timers.push(at, Due.DEADLINE, cell.tether())

    def refuse_hopeless(self, effects: Effects) -> None:
        """The limit was lowered: who waits for room that can never be there waits no longer."""
        for waiting in list(self.waiting_spawns):
            try:
                self.refuse_impossible(len(waiting.cells))
            except CapacityError:
                self.waiting_spawns.remove(waiting)
                effects.wakes.append(waiting.waiter)

    # Handing out slots ------------------------------------------------------------------------------------------

    def balance(self, effects: Effects) -> None:
        """Hand out what is free: to woken agents, then to children, then to the queue; then let new ones in."""
        while True:
            self._grant(effects)
            if self.slots.when_within is not None and (call := self.slots.settled_down()) is not None:
                effects.calls.append(call)
            if self._dropped:
                self._hand_out_dropped(effects)
            if not self.waiting_spawns or not self.has_room(len(self.waiting_spawns[0].cells)):
                return
            waiting: WaitingSpawn = self.waiting_spawns.popleft()
            waiting.admitted = True
            effects.wakes.append(waiting.waiter)
            self.enter(waiting.cells, effects)

    def _hand_out_dropped(self, effects: Effects) -> None:
        """Those who ended while they were queued have left the queue: what they hold is let go of after the turn."""
        effects.dropped.append(self._dropped.copy())
        self._dropped.clear()

    def _grant(self, effects: Effects) -> None:
        slots, children, queue, live = self.slots, self._children, self._queue, self.live
        while (
            slots.woken
            or children.living
            or (queue.living and (len(live) < self._surely_live or len(live) < self.max_live))
        ):
            if not slots.find():
                return  # need is set: who parks next gives its slot away
            if slots.woken:
                cell = next(iter(slots.woken))
                effects.wakes.extend(slots.woken.pop(cell))
                slots.take(cell)
                continue
            following = children.pop() if children.living else queue.pop()
            if following is None:
                break
            self._start(following, effects)
        slots.need = bool(self.waiting_spawns)

    def _start(self, cell: AgentCell, effects: Effects) -> None:
        if cell.bounded:
            self._bounded_queued -= 1
        effects.starts.append(cell)
        if self._is_elsewhere:
            self.slots.take(cell)
            return  # it is queued until its host says that it has begun
        self.slots.held += 1  # as ``take``
        cell.has_slot = True
        self.begin(cell, effects)
        if self._stalls is not None and not self._stalls.armed:
            self._stalls.armed = True
            self._timers.push(cell.since + self._stalls.period, Due.LOOK, [])

    def begin(self, cell: AgentCell, effects: Effects, moment: float | None = None) -> None:
        """*cell* runs, since *moment*; None is now."""
        id_ = cell.id
        del self.queued[id_]
        self.live[id_] = cell
        self.started += 1
        cell.transition(RUNNING)
        cell.started = began = cell.since if moment is None else moment
        cell.started_at = cell.host.wall.at(began)
        cell.of_slots = self.slots.limit
        limit = cell.spec.timeout
        if limit is not None:
            self._set_deadline(cell, cell.started + limit, f"ran longer than its timeout of {limit} s")
        if cell.lazies or self.post is not None:
            self.tell(cell, AgentStarted, told_of_start(cell), cell.started, effects)

    def queue_again(self, cell: AgentCell) -> None:
        """*cell* is to be run again from the beginning: the host went on which it lived."""
        if self.live.pop(cell.id, None) is not None:
            self.queued[cell.id] = cell
            cell.transition(QUEUED)
        self._bounded_queued += cell.bounded
        self.slots.free(cell)
        (self._children if cell.depth else self._queue).push(cell)

    def look_for_stalls(self, now: float, effects: Effects) -> None:
        """Tell of every agent that makes no progress; look again later, while somebody lives."""
        stalls = self._stalls
        assert stalls is not None
        for cell, seconds in stalls.look(self.live.values(), now, effects.dropped):
            state, on = cell.state_and_place()
            if cell.heard:
                if cell.heard is KEPT:
                    log_of(cell)
                self.tell(cell, AgentStalled, {"seconds": seconds, "state": state, "on": on}, now, effects)
            effects.calls.append(partial(_log_stall, cell.label, seconds, state, on))
        stalls.armed = bool(self.live)
        if stalls.armed:
            self._timers.push(now + stalls.period, Due.LOOK, [])

    # The end of an agent ----------------------------------------------------------------------------------------

    def settle(self, cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects) -> list[AgentCell]:
        """End *cell*: everything that shows that it lived goes, and then its outcome is visible.

        Returns:
            Those that are to be cancelled, as it failed.
        """
        before = len(effects.wakes)
        left = self.router.forget(cell, effects.wakes)
        if left and cell.mailbox is not None:
            effects.calls.append(self.router.bury(left, cell.mailbox.unread_reason, cell.label))
        waits = False
        if self.live.pop(cell.id, None) is None:
            waits = not cell.has_slot  # else it was sent to a host, and has left the queues
            del self.queued[cell.id]
            if waits:
                self._bounded_queued -= cell.bounded
        self.slots.free(cell)
        self.ended[outcome.status] += 1
        if cell.lazies and EXPENSES in cell.lazies:
            outcome = cell.close_account(outcome)
            self._count_in(cell, outcome)
        spec = cell.spec
        if (record := spec.record) is not None:
            if outcome.recalled:  # what it used is in its outcome alone
                if record.counts:
                    self._count_in(cell, outcome)
            elif not cell.thread or outcome.status is AgentStatus.ABANDONED:  # else its own thread has done it
                effects.calls.append(partial(_keep, record, outcome))
            effects.dropped.append(record)
            spec.record = None
        if spec.traits is not None:
            effects.dropped.append(spec.traits)
            spec.traits = None
        if (post := self.post) is not None:
            post(cell, AgentEnded, told_of_end(cell, outcome), end_of(cell, outcome))
        effects.dropped.append(cell.release())
        cell.outcome = outcome
        if cell.lazies and (spans := cell.lazies.pop(SPANS, None)) is not None:  # its own thread was left behind
            effects.calls.append(partial(spans.end, outcome))
        if waits:  # the queues pass over it from here on
            (self._children if cell.depth else self._queue).ended()
            if self._dropped:
                self._hand_out_dropped(effects)
        victims = self._tell_who_waits(cell, outcome, effects)
        if len(effects.wakes) > before:
            for waiter in effects.wakes[before:]:
                self.expect(waiter)
        if self.wave:
            self.wave_ended += 1
            effects.fires.append(self.wave.popleft())
        return victims

    def _count_in(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> None:
        """What an agent used counts for its pool, and what all below it used for its parent."""
        self.used.add(outcome.usage, outcome.cost_usd)
        self.iterations += outcome.iterations
        self.tool_calls += outcome.tool_calls
        if cell.parent is not None:
            cell.parent.expenses.spend_below(outcome.usage_total, outcome.cost_usd_total)

    def _tell_who_waits(self, cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects) -> list[AgentCell]:
        """Wake them; who is to be cancelled, as *cell* failed."""
        victims: list[AgentCell] = []
        if cell.lazies:
            effects.wakes += cell.lazies.pop(WAITERS, ())
            log: EventLog | None = cell.lazies.get(EVENTS)
            if log is not None:
                effects.wakes += log.end(told_of_end(cell, outcome), end_of(cell, outcome))
        if cell.callbacks:
            effects.calls += cell.callbacks
            cell.callbacks = None
        if cell.owner is not None:
            victims = cell.owner.finish(cell, effects.wakes, effects.calls)
        if cell.parent is not None:
            cell.parent.remove_child(cell, effects.wakes)
        if (self.idle_waiters or self.when_idle is not None) and self.is_idle():
            effects.wakes += self.idle_waiters
            if self.when_idle is not None:
                effects.calls.append(self.when_idle)
        return victims

    def expect(self, waiter: Wakeable) -> None:
        """Whoever is parked at *waiter* is about to be woken: it stands in line for a slot now, not only when its
        thread runs. Otherwise the slot of the agent that it waited for would go to the queue.

        An agent that left that wait meanwhile, and parks again, must not get one: nobody would use it.
        """
        owner = waiter.owner
        if owner is None or owner.waiter is not waiter or owner.parks > 1:  # inside parked() it needs none
            return
        cell: AgentCell = owner.cell
        if not (cell.has_slot or cell.stopping) and cell.outcome is None and self.live.get(cell.id) is cell:
            self.slots.woken.setdefault(cell, [])


def _keep(record: Record, outcome: AgentOutcome[Any]) -> None:
    """Record an ending that was made by another thread than the agent's own."""
    try:
        record.keep(outcome)
    except AgentError:  # whoever records has said so, and this ending is none that must be there
        pass


def _log_stall(label: str, seconds: float, state: str, on: str | None) -> None:
    where = state if on is None else f"{state} on {on}"
    logger.warning("{} has made no progress for {:.1f} s ({})", label, seconds, where)
