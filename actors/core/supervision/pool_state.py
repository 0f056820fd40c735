"""What a pool consists of, and one step of it: decided under the turn, done outside it."""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from loguru import logger

from ...errors import PoolClosed
from ..clock import WallTime
from ..crash import crashed, text_of
from ..figures import in_words, spent
from ..process import fork
from ..process.threads import Crew
from ..records.ending import Ending
from ..records.event import AgentEnded
from ..records.heard import BY_SINK, KEPT, NOT_HEARD
from ..records.outcome import AgentStatus
from ..scheduling.approval import Approvals
from ..scheduling.cancellation import Cancellation
from ..scheduling.effects import Effects
from ..scheduling.event_log import BATCH, EVENTS, NO_FIELDS, log_of
from ..scheduling.groups import Groups
from ..scheduling.host_room import HostRoom
from ..scheduling.roster import Roster
from ..scheduling.slots import Slots
from ..scheduling.turn import Turn
from ..shown import shown
from ..tracing import SPANS
from .brief_sink import BriefSink
from .event_callbacks import EventCallbacks
from .event_delivery import EventDelivery
from .event_sink import EventSink
from .pool_actors import PoolActors
from .posted import Posted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from ..clock import Clock
    from ..messaging.dead_letter import DeadLetter
    from ..messaging.router import MessageRouter
    from ..process.threads import Worker
    from ..records.event import Event
    from ..records.message import AgentId
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.event_log import EventLog
    from ..scheduling.lives import Lives
    from ..tracing import Facts
    from ..waiting.wait_graph import WaitMember
    from .agent_spans import AgentSpans, PoolTracing
    from .timer_thread import TimerThread
    from .witness import Witness

KEPT_WORKERS = 8
"""Idle workers that a small pool keeps."""


class PoolPhase(IntEnum):
    """How far a pool is on its way to its end. It only goes on."""

    OPEN = 0
    DRAINING = 1
    """It takes no new agents but children."""
    CLOSED = 2
    """It takes nothing new, and what still runs is cancelled."""
    CLOSING = 3
    """Somebody waits for the end of all."""
    ENDING = 4
    """Nobody is left: its threads end."""


class AgentLimits(NamedTuple):
    """What a pool was told of its agents, for hosts that let them live: by the names of ``AgentPool``."""

    inbox_capacity: int
    max_live: int | None
    stalled_after: float | None


class PoolState:
    """What a pool consists of. Whatever acts on a pool is given this, and not the supervisor.

    Args:
        timer_thread: Minds what is due later.
        with_content: Do events tell what was said?
        lives: Makes what lets agents live.
        lives_elsewhere: Do they live in other processes, whose own pools hand out the slots?

    Locks: ``turn`` guards ``phase``, ``_is_marked``, the roster, the cancellation and the timers; the other fields are
    set once, also ``approvals_of``, ``colleagues`` and ``witness``, which are others where its agents live among
    others, in other processes. ``spare_steps`` changes by single operations. Router, event delivery and crew have leaf
    locks; that of the event delivery guards ``listening``, and the roster's ``post``, which are looked at without it.
    """

    def __init__(
        self,
        *,
        name: str,
        max_concurrent: int,
        max_queued: int | None,
        max_live: int | None,
        inbox_capacity: int,
        abort_timeout: float,
        on_undelivered: Callable[[DeadLetter], object] | None,
        stalled_after: float | None,
        tracing: PoolTracing | None,
        with_content: bool,
        clock: Clock,
        timer_thread: TimerThread,
        lives: Callable[[PoolState], Lives],
        lives_elsewhere: bool,
    ) -> None:
        self.name = name
        self.clock = clock
        self.moment: Callable[[], float] = clock.monotonic  # found once: it is asked for each event
        self.wall = WallTime(clock)
        self.began = self.moment()
        self.turn = Turn()
        self.phase = PoolPhase.OPEN
        self.groups = Groups()
        self.abort_timeout = abort_timeout
        self.limits = AgentLimits(inbox_capacity, max_live, stalled_after)
        self.tracing = tracing
        self.with_content = with_content
        self.timer_thread = timer_thread
        self.timers = timers = timer_thread.timers
        self.listening = self._is_marked = False
        self.crew = Crew(name, keep=max(KEPT_WORKERS, max_concurrent))
        self.roster = Roster(
            slots=HostRoom(max_concurrent) if lives_elsewhere else Slots(max_concurrent),
            max_queued=max_queued,
            max_live=max_live,
            inbox_capacity=inbox_capacity,
            timers=timers,
            clock=clock,
            stalled_after=stalled_after,
            on_undelivered=on_undelivered,
        )
        self.slots: Slots = self.roster.slots
        self.router: MessageRouter = self.roster.router
        self.cancellation = Cancellation(self.roster, timers, clock, abort_timeout)
        if tracing is not None:
            self.cancellation.when_told = self._abandon
        self._mark = fork.mark()
        self._generation = self._mark.generation
        self.event_delivery = EventDelivery(self._be_deaf)
        self.callbacks = EventCallbacks(f"{name}-callbacks")
        self.actors = PoolActors(self)
        self.lives = lives(self)
        self.colleagues: Callable[[AgentId], list[Any]] | None = None
        self.approvals_of: Callable[[AgentId], Approvals] = lambda _: Approvals()
        self.witness: Witness | None = None
        self.spare_steps: list[Step] = []

    @property
    def is_forked(self) -> bool:
        """Is this a child of the process that made it?"""
        return self._mark.generation != self._generation

    def refuse_after_fork(self) -> None:
        """Raise in a forked child."""
        if self._mark.generation != self._generation:
            fork.refuse_after_fork(self._generation)

    def __str__(self) -> str:
        state = "of another process" if self.is_forked else "closed" if self.is_closed else "open"
        active, queued = self.counts()
        used = self.roster.used
        parts = [f"{active} of {self.slots.limit} active", f"{queued} queued", *in_words(dict(self.roster.ended))]
        return f"{shown(self.name, 60)} {state}: {', '.join([*parts, *spent(used.usage.total, used.cost_usd)])}"

    def counts(self) -> tuple[int, int]:
        """How many are running or parked, and how many are queued."""
        return len(self.roster.live), len(self.roster.queued)

    # Its end ----------------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Does it take agents and actors of the program?"""
        return self.phase is PoolPhase.OPEN

    @property
    def is_closed(self) -> bool:
        """Does it take nothing new, and end?"""
        return self.phase >= PoolPhase.CLOSED

    def enter_phase(self, phase: PoolPhase) -> bool:
        """Be at least in *phase*; False when it was there before. Under the turn."""
        is_new = self.phase < phase
        if is_new:
            self.phase = phase
        return is_new

    # Events -----------------------------------------------------------------------------------------------------

    def subscribe(self, fn: Callable[[Event], object]) -> Callable[[], None]:
        """Call *fn* with each event from now on, on a thread of its own.

        Returns:
            What ends it.
        Raises:
            PoolClosed: There will be none: the pool has ended.
            RuntimeError: No thread can be started.
        """
        return self._add(EventSink(fn, f"{self.name}-events", self.wall, self.event_delivery.lock))

    def overhear(self, fn: Callable[[Event], object], most: int) -> tuple[Callable[[], None], Callable[[], bool]]:
        """As :meth:`subscribe`, for at most so many events, and without the text of answers, which is not streamed for
        it. Those beyond cost the agents nothing.

        Returns:
            What ends it, and what makes it as many again; that gives False when some were missed.
        """
        sink = BriefSink(fn, f"{self.name}-events", self.wall, self.event_delivery.lock, most=most)
        return self._add(sink), partial(self._go_on, sink)

    def _go_on(self, sink: BriefSink) -> bool:
        if sink.refill():
            return True
        with self.turn:
            self.event_delivery.add(sink)
            self._hear()
        return False

    def listen(self) -> None:
        """Look whether anybody listens: a sink was added that needs no thread."""
        with self.turn:
            self._hear()

    def _add(self, sink: EventSink) -> Callable[[], None]:
        self.refuse_after_fork()
        is_added = False
        try:
            sink.start()
            with self.turn:
                is_added = self.event_delivery.add(sink)
                self._hear()
        finally:
            if not is_added:
                sink.tell_end()
        if not is_added:
            raise PoolClosed(f"pool {self.name} is closed: it has no more events")
        return partial(self._unsubscribe, sink)

    def _unsubscribe(self, sink: EventSink) -> None:
        self.refuse_after_fork()
        with self.turn:
            self.event_delivery.remove(sink)
            self._hear()
        sink.end(self.abort_timeout)

    def _hear(self) -> None:
        """From now on agents are heard by sinks, or not, as there are some, or none. Under the turn."""
        with self.event_delivery.lock:
            was_heard, heard = self.listening, self.event_delivery.is_heard
            self.listening = heard
            self.roster.post = self.post if heard else None
        self.lives.listen()
        if was_heard is heard is self._is_marked:
            return
        self._is_marked = heard
        before, after = (NOT_HEARD, BY_SINK) if heard else (BY_SINK, NOT_HEARD)
        cell: AgentCell
        for cell in self.roster.everybody():
            if cell.heard is before:
                cell.heard = after

    def _be_deaf(self) -> None:
        """Nobody listens any more: make no event. (The agents are marked by :meth:`_hear`, when the subscription ends.)
        Under the lock of the sinks, so before the next one is added.
        """
        self.listening = False
        self.roster.post = None
        self.lives.listen()

    def emit(
        self,
        cell: AgentCell,
        make: Callable[..., Event],
        fields: Mapping[str, Any] = NO_FIELDS,
        moment: float | None = None,
    ) -> None:
        """Note an event of *cell*, if it is heard; after its end nothing happens. Outside the turn.

        Args:
            fields: Its own, which nobody changes from now on.
            moment: When it was; None is now.
        """
        heard = cell.heard
        if not heard or cell.outcome is not None:
            return
        if moment is None:
            moment = self.moment()
        if self.listening:
            self.post(cell, make, fields, moment)
        if heard is not KEPT:
            return
        log: EventLog = cell.lazies.get(EVENTS) or log_of(cell)
        new = log.new
        new.append((make, fields, moment))  # here, and not by a method: it is done ten times for each answer of a model
        if log.waiting or len(new) >= BATCH:
            log.attend()

    def post(self, cell: AgentCell, make: Callable[..., Event], fields: Mapping[str, Any], moment: float) -> None:
        """Hand it to the pool's sinks."""
        spec, parent = cell.spec, None if cell.parent is None else cell.parent.id
        noted = Posted(make, fields, cell.id, spec.name, parent, cell.depth, spec.tag, moment)
        self.event_delivery.post(noted, cell, last=make is AgentEnded)

    def trace(self, cell: AgentCell, what: str, facts: Facts, member: WaitMember | None = None) -> None:
        """Tell the span of *cell*, or of *member* of its tool calls, that *what* happened. Outside the turn."""
        if self.tracing is not None:
            spans: AgentSpans | None = cell.lazies.get(SPANS)
            if spans is not None:
                spans.happened(what, facts, member)

    # What comes from outside ------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Handle the timers that are due."""
        with Step(self, calls_here=False) as effects:
            self.cancellation.handle_due(effects)
            self.roster.balance(effects)

    def _abandon(self, cell: AgentCell) -> None:
        """Its spans know of it."""
        with Step(self) as effects:
            self.cancellation.abandon(cell, effects)
            self.roster.balance(effects)

    def cancel_all(
        self, reason: str, cells: Iterable[AgentCell] | None = None, *, group: Hashable | None = None
    ) -> int:
        """Cancel *cells*, or everybody (of *group*); returns at once how many had not ended."""
        self.refuse_after_fork()
        reason, group = text_of(reason), self.groups.key(group)
        with Step(self, calls_here=False) as effects:
            running = [cell for cell in (self.roster.everybody() if cells is None else cells) if cell.outcome is None]
            if group is not None:
                running = [cell for cell in running if cell.group == group]
            self.cancellation.cancel(running, reason, effects)
            self.roster.balance(effects)
        return len(running)


class Step(Effects):
    """What is decided in its block is done when the block is left: ``with Step(pool) as effects: ...``.

    Nothing of the user's, no wake and no thread start happens under the turn. Signals wait until threads are started
    and waiters are woken; the user's callbacks run after that, so that Ctrl-C ends one that never returns.

    Args:
        calls_here: False hands what may be slow, the user's callbacks, to a worker: the timers must go on, and an
            abort returns at once.
    """

    __slots__ = ("_calls_here", "_has_no_thread", "_pool", "_turn")

    def __init__(self, pool: PoolState, *, calls_here: bool = True) -> None:
        super().__init__()
        self._pool = pool
        self._turn = pool.turn
        self._calls_here = calls_here
        self._has_no_thread = False

    def __enter__(self) -> Step:
        self._turn.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        turn = self._turn
        try:
            if turn.holds_signals:
                try:
                    turn.release()
                    self._start_and_wake()
                finally:
                    turn.signals_held_off.let_go()
            else:
                turn.release()
                if self.starts or self.wakes or self._pool.timers.heap or self.stops or not self._calls_here:
                    self._start_and_wake()
        finally:  # a signal's handler may have raised
            if self.calls or self.fires:
                if not (self._calls_here or self._has_no_thread):
                    self._call_elsewhere()
                self.call()

    def _start_and_wake(self) -> None:
        pool, starts = self._pool, self.starts
        while starts:
            cell = starts.popleft()
            try:
                pool.lives.start(cell)
            except RuntimeError as error:  # "can't start new thread": a clear outcome instead of a hang
                logger.error("{} could not be started: {}", cell.label, shown(text_of(error), 500))
                with pool.turn:
                    ending = Ending(AgentStatus.CRASHED, error=crashed(error))
                    pool.cancellation.settle(cell, cell.make_outcome(ending), self)
                    pool.roster.balance(self)
        if self.stops:
            pool.lives.stop(self.stops)
        for waiter in self.wakes:
            waiter.wake()
        if pool.timers.heap:
            pool.timer_thread.mind()
        if not self._calls_here and self.may_be_slow():
            self._call_elsewhere()

    def _call_elsewhere(self) -> None:
        """Hand what may be slow to a worker; when no thread can be started, it stays here."""
        pool = self._pool
        slow = self.slow()

        def call(_: Worker) -> bool:
            slow.call()
            return False

        try:
            with pool.turn.signals_held_off:  # a worker that was taken from rest must get its job
                pool.crew.start(call)
                self.fires, self.calls = deque(), deque()
        except RuntimeError:
            self._has_no_thread = True
