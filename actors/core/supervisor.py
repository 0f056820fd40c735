"""The actor that admits agents, hands out slots and settles outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from . import fork
from .actor import Actor
from .branch import Branches
from .clock import SYSTEM_CLOCK, Clock
from .dispatcher import Dispatcher, posted
from .entrance import Entrance
from .event import AgentEnded, AgentParked, AgentResumed
from .janitor import janitor
from .joinset import JoinSet
from .member import wait_for
from .outcome import AgentStatus
from .outcomes import FailurePolicy, Outcomes
from .roster import Roster
from .shutdown import Shutdown
from .stops import Stops
from .threads import Crew
from .timekeeper import Timekeeper
from .turn import Step, Turn
from .waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .actor_cell import ActorCell
    from .acts import Acts
    from .approval import Decision
    from .branch import Branch
    from .cell import AgentCell
    from .dead_letter import DeadLetter
    from .event import Event
    from .message import AgentId
    from .outcome import AgentOutcome
    from .router import MessageRouter
    from .slots import Slots
    from .threads import Worker

KEPT_WORKERS = 8
"""Idle workers that a small pool keeps."""


class Supervisor(Actor):
    """Admits agents, hands out slots, and settles each agent's outcome.

    It is a Pykka actor, and its step is the *turn*: one message at a time. What comes from a caller or from a worker
    that has finished an agent is handled inline, in the thread that brings it, so no message waits for a thread to
    wake; timers and foreign messages come by mailbox, in the supervisor's own thread, started when it is needed.

    Guarantees: slots held <= ``max_concurrent``; every admitted agent gets exactly one outcome, after its cleanup.

    Locks: ``turn`` guards the roster, the stops, the branches, the timers, the join sets and the cells. No user code,
    no wake and no thread start happens under it (see ``Acts``). Router, dispatcher and crew have leaf locks.
    """

    inbox_capacity: ClassVar[int | None] = None
    _cell: Timekeeper
    _cell_class: ClassVar[type[ActorCell]] = Timekeeper

    def __init__(
        self,
        *,
        name: str,
        max_concurrent: int,
        max_queued: int | None,
        max_live: int | None,
        inbox_capacity: int,
        abort_timeout: float,
        sink: Callable[[Event], object] | None,
        on_undelivered: Callable[[DeadLetter], object] | None = None,
        stalled_after: float | None = None,
        failure: FailurePolicy = FailurePolicy.COLLECT,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.name = name
        self.clock = clock
        self.turn = Turn()
        self.abort_timeout = abort_timeout
        self.listening = sink is not None
        self.crew = Crew(name, keep=max(KEPT_WORKERS, max_concurrent))
        self.failure = failure
        self.owed = JoinSet(self.turn, cancels_rest=failure is FailurePolicy.CANCEL_REST)
        self.timekeeper = self._cell
        timers = self.timekeeper.timers
        self.roster = Roster(
            max_concurrent=max_concurrent,
            max_queued=max_queued,
            max_live=max_live,
            inbox_capacity=inbox_capacity,
            timers=timers,
            clock=clock,
            note=self.emit if self.listening else None,
            stalled_after=stalled_after,
            on_undelivered=on_undelivered,
        )
        self.slots: Slots = self.roster.slots
        self.router: MessageRouter = self.roster.router
        self.stops = Stops(self.roster, timers, clock, abort_timeout)
        self.branches = Branches(self)
        self.shutdown = Shutdown(self)
        self.entrance = Entrance(self)
        self._mark = fork.mark()
        self._generation = self._mark.generation
        janitor().watch(self)
        self.dispatcher = Dispatcher(sink, f"{name}-events") if sink is not None else None

    @property
    def is_forked(self) -> bool:
        """Is this a child of the process that made it?"""
        return self._mark.generation != self._generation

    def refuse_after_fork(self) -> None:
        """Raise in a forked child."""
        fork.refuse_after_fork(self._generation)

    @property
    def is_closed(self) -> bool:
        """Does it take nothing new, and end?"""
        return self.shutdown.closed

    # Parking ----------------------------------------------------------------------------------------------------

    def rebalance(self) -> None:
        """A slot was laid out, and somebody needs one."""
        with Step(self) as acts:
            self.roster.balance(acts)

    def expect_slot(self, waiter: Waiter) -> None:
        """Whoever is parked at *waiter*, and holds no slot, is about to be woken."""
        with Step(self) as acts:
            self.roster.expect(waiter)
            self.roster.balance(acts)

    def reclaim_slot(self, cell: AgentCell) -> None:
        """Wait until *cell* holds a slot again. A cancelled agent goes on without one, to its end."""
        if cell.token.cancelled:
            return
        waiter = Waiter()
        with Step(self) as acts:
            if cell.has_slot or cell.stopping or cell.outcome is not None:
                return
            self.slots.woken.setdefault(cell, []).append(waiter)
            self.roster.balance(acts)
        wake = waiter.wake
        cell.token.remind(wake)
        try:
            waiter.wait()
        finally:
            cell.token.forget(wake)
            with self.turn:
                if waiter in self.slots.woken.get(cell, ()):
                    del self.slots.woken[cell]

    # The end of an agent, on a worker's thread -------------------------------------------------------------------

    def end(self, cell: AgentCell, outcome: AgentOutcome[Any], worker: Worker) -> tuple[AgentCell | None, bool]:
        """Settle *cell*; who this worker runs next, and whether the worker was put to rest."""
        while True:
            following: AgentCell | None = None
            rested = False
            with Step(self) as acts:
                ended = not cell.children or cell.outcome is not None
                if ended:
                    self._settle(cell, outcome, acts)
                    # A worker with callbacks to call must not take the next agent: a slow one would hold it up.
                    if not acts.may_be_slow():
                        following = acts.starts.popleft() if acts.starts else None
                        rested = following is None and not self.crew.has_reserved() and self.crew.rest(worker)
            if ended:
                return following, rested
            cell.end_children()  # born at the last moment, by on_end or by a thread of the agent's own

    def _settle(self, cell: AgentCell, outcome: AgentOutcome[Any], acts: Acts) -> None:
        if cell.outcome is None:
            self.roster.settle(cell, outcome, acts)
        else:  # it was abandoned, and ends only now
            self.stops.abandoned.discard(cell)
            acts.dropped.append(cell.release())
        self.roster.balance(acts)

    # Cancels ----------------------------------------------------------------------------------------------------

    def cancel(self, cell: AgentCell, reason: str = "") -> bool:
        """Cancel *cell* and everybody below it; returns at once. False when it has ended already."""
        return self.cancel_all(reason, [cell]) > 0

    def cancel_id(self, agent_id: AgentId, reason: str) -> bool:
        """Cancel the agent of that id; False when there is none."""
        self.refuse_after_fork()
        with Step(self, calls_here=False) as acts:
            cell = self.roster.find(agent_id)
            if cell is None:
                return False
            self.stops.cancel([cell], reason, acts)
            self.roster.balance(acts)
        return True

    def cancel_all(
        self, reason: str, cells: Iterable[AgentCell] | None = None, *, group: Hashable | None = None
    ) -> int:
        """Cancel *cells*, or everybody (of *group*); returns at once how many had not ended."""
        self.refuse_after_fork()
        with Step(self, calls_here=False) as acts:
            running = [cell for cell in (self.roster.everybody() if cells is None else cells) if cell.outcome is None]
            if group is not None:
                running = [cell for cell in running if cell.spec.group == group]
            self.stops.cancel(running, reason, acts)
            self.roster.balance(acts)
        return len(running)

    def stop_children(self, cell: AgentCell) -> Waiter | None:
        """Cancel what still runs below *cell*; a waiter that is woken when all of it has ended, or None."""
        with Step(self) as acts:
            self.stops.cancel(list((cell.children or {}).values()), f"{cell.label} ended", acts)
            waiter = cell.await_children()
            self.roster.balance(acts)
        return waiter

    # Outcomes ---------------------------------------------------------------------------------------------------

    def wait_ended(self, cell: AgentCell, timeout: float | None) -> bool:
        """Wait for the outcome of *cell*; False when the time ran out."""
        self.refuse_after_fork()
        waiter = Waiter()
        with self.turn:
            if cell.outcome is not None:
                return True
            if cell.waiters is None:
                cell.waiters = []
            cell.waiters.append(waiter)
        try:
            wait_for(waiter, timeout, f"the outcome of {cell.label}", cell)
        finally:
            if cell.outcome is None:  # else who settled it has taken all waiters out, or is about to
                with self.turn:
                    if cell.waiters is not None:
                        cell.waiters.remove(waiter)
        return cell.outcome is not None

    def join_all(self, timeout: float | None, group: Hashable, failure: FailurePolicy) -> Outcomes:
        """Take all outcomes that are owed to the caller (of *group*)."""
        if failure is FailurePolicy.COLLECT:
            return self.owed.all(timeout, group)
        strict = False
        try:
            with Step(self, calls_here=False) as acts:
                victims = self.owed.be_strict(group)
                strict = True
                self.stops.cancel(victims, "another one failed", acts)
                self.roster.balance(acts)
            return self.owed.all(timeout, group)
        finally:
            if strict:
                with self.turn:
                    self.owed.be_lenient(group)

    def when_ended(self, cell: AgentCell, call: Callable[[], object]) -> None:
        """Call *call* once when the outcome of *cell* is there; at once if it is."""
        self.refuse_after_fork()
        with self.turn:
            if cell.outcome is None:
                if cell.callbacks is None:
                    cell.callbacks = []
                cell.callbacks.append(call)
                return
        call()

    def decide(self, agent_id: AgentId, call_id: str, decision: Decision) -> bool:
        """Answer a question for leave of the agent of that id; False when there is none (any more)."""
        self.refuse_after_fork()
        cell = self.roster.find(agent_id)
        return cell is not None and cell.decide(call_id, decision)

    def disown(self, cell: AgentCell) -> None:
        """The outcome of *cell* is owed to nobody (any more)."""
        self.refuse_after_fork()
        owner = cell.owner
        if owner is not None:
            owner.remove(cell)

    # The supervisor's own thread: timers and foreign messages ---------------------------------------------------

    def tick(self) -> None:
        """Handle the timers that are due."""
        with Step(self, calls_here=False) as acts:
            self.stops.handle_due(acts)
            self.roster.balance(acts)

    def on_stop(self) -> None:
        """A supervisor that is stopped closes its pool; one that ends because the pool closes does nothing."""
        if self.shutdown.closed:
            return
        self.timekeeper.hand_over()
        self.shutdown.close("its supervisor was stopped")

    # Events -----------------------------------------------------------------------------------------------------

    def emit(self, cell: AgentCell, make: Callable[..., Event], **fields: Any) -> None:
        """Note an event of *cell*; without a sink, and after its end, nothing happens."""
        if self.dispatcher is not None and cell.outcome is None:
            parent = None if cell.parent is None else cell.parent.id
            self.dispatcher.post(
                posted(make, fields, agent_id=cell.id, agent=cell.spec.name, parent_id=parent, depth=cell.depth),
                cell,
                last=make is AgentEnded,
            )

    def parked(self, cell: AgentCell, on: str) -> None:
        """*cell* has parked."""
        self.emit(cell, AgentParked, on=on)

    def resumed(self, cell: AgentCell) -> None:
        """*cell* goes on."""
        self.emit(cell, AgentResumed)

    # The whole pool ---------------------------------------------------------------------------------------------

    def counts(self) -> tuple[int, int]:
        """How many are running or parked, and how many are queued."""
        return len(self.roster.live), len(self.roster.queued)

    def figures(self) -> dict[str, Any]:
        """The figures of ``PoolStats``."""
        with self.turn:
            live = self.roster.live.values()
            return {
                "active": len(live),
                "queued": len(self.roster.queued),
                "outstanding": len(self.owed),
                "parked": sum(cell.status is AgentStatus.PARKED for cell in live),
                "abandoned_threads": len(self.stops.abandoned),
                "dead_letters": self.router.dead_letters.total,
                "started": self.roster.started,
                "ended": dict(self.roster.ended),
            }

    def cells(self) -> tuple[list[AgentCell], list[AgentCell | Branch]]:
        """The agents that have not ended, by id, and those whose threads were abandoned."""
        with self.turn:
            return sorted(self.roster.everybody(), key=lambda cell: cell.id), list(self.stops.abandoned)

    def resize(self, max_concurrent: int) -> None:
        """Change the limit; who runs already runs on."""
        self.refuse_after_fork()
        with Step(self) as acts:
            self.slots.limit = max_concurrent
            self.slots.take_back()
            self.crew.keep = max(KEPT_WORKERS, max_concurrent)
            self.roster.refuse_hopeless(acts)
            self.roster.balance(acts)

    def abort_at_exit(self) -> None:
        """Abort at the end of the program: no drain."""
        self.shutdown.abort("the program ends")

    def end_at_exit(self) -> None:
        """Close; what does not end within ``abort_timeout`` is abandoned."""
        self.shutdown.close("the program ends")
