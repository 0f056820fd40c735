"""The actor that admits agents, hands out slots and settles outcomes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from loguru import logger

from ..actors.actor import Actor
from ..clock import SYSTEM_CLOCK, Clock
from ..crash import text_of
from ..process.at_exit import at_exit
from ..records.outcomes import FailurePolicy, FailureWord, Outcomes
from ..records.pool_stats import PoolStats
from ..scheduling.agent_cell import EXPENSES, WAITERS
from ..scheduling.approval import Decision
from ..waiting.wait_graph import wait_for
from ..waiting.waiter import Waiter
from .admission import Admission
from .agent_spans import PoolTracing
from .arguments import policy
from .join_set import MANY, JoinSet, Strictness
from .local_lives import LocalLives
from .parking import Parking
from .pool_state import KEPT_WORKERS, PoolState, Step
from .shutdown import Shutdown
from .timer_thread import TimerThread
from .tool_threads import ToolThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..actors.pinned_cell import PinnedCell
    from ..messaging.dead_letter import DeadLetter
    from ..records.event import Event
    from ..records.message import AgentId
    from ..records.outcome import AgentOutcome
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.lives import Lives
    from ..scheduling.tool_thread import ToolThread
    from ..tracing import Tracing


class Supervisor(Actor):
    """Admits agents, hands out slots, and settles each agent's outcome.

    It is a Pykka actor, and its step is the *turn*: one message at a time. What comes from a caller or from a worker
    that has finished an agent is handled inline, in the thread that brings it, so no message waits for a thread to
    wake; timers and foreign messages come by mailbox, in the supervisor's own thread, started when it is needed.

    It puts the pieces of a pool together and answers what is asked of them; what acts is given ``PoolState``.

    Guarantees: slots held <= ``max_concurrent``; every admitted agent gets exactly one outcome, after its cleanup.

    Locks: the pool's turn guards the join sets and the cells, too. No user code, no wake and no thread start happens
    under it (see ``Effects``).
    """

    inbox_capacity: ClassVar[int | None] = None
    dispatcher: ClassVar[str] = "pinned"
    pool: PoolState
    _cell: TimerThread
    _cell_class: ClassVar[type[PinnedCell]] = TimerThread

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
        tracing: Tracing | None = None,
        with_content: bool = False,
        lives: Callable[[PoolState], Lives] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.name = name
        self.clock = clock
        self.failure = failure
        self.pool = PoolState(
            name=name,
            max_concurrent=max_concurrent,
            max_queued=max_queued,
            max_live=max_live,
            inbox_capacity=inbox_capacity,
            abort_timeout=abort_timeout,
            on_undelivered=on_undelivered,
            stalled_after=stalled_after,
            tracing=None if tracing is None else PoolTracing(tracing),
            with_content=with_content,
            clock=clock,
            timer_thread=self._cell,
            lives=LocalLives if lives is None else lives,
            lives_elsewhere=lives is not None,
        )
        self.turn = self.pool.turn
        self.owed = JoinSet(
            self.turn, cancels_rest=failure is FailurePolicy.CANCEL_REST, when_many=partial(_tell_of_many, name)
        )
        self.parking = Parking(self.pool)
        self.tool_threads = ToolThreads(self.pool, self.parking)
        self.admission = Admission(self.pool, self.parking)
        self.shutdown = Shutdown(self.pool)
        at_exit().watch(self.shutdown)
        if sink is not None:
            self.pool.subscribe(sink)

    @property
    def is_closed(self) -> bool:
        """Does it take nothing new, and end?"""
        return self.pool.is_closed

    def policy(self, failure: FailurePolicy | FailureWord | None) -> FailurePolicy:
        """The failure policy of that word; None is the pool's."""
        return self.failure if failure is None else policy(failure)

    # Cancels ----------------------------------------------------------------------------------------------------

    def cancel(self, cell: AgentCell, reason: str = "") -> bool:
        """Cancel *cell* and everybody below it; returns at once. False when it has ended already."""
        return self.pool.cancel_all(reason, [cell]) > 0

    def cancel_id(self, agent_id: AgentId, reason: str) -> bool:
        """Cancel the agent of that id; False when there is none."""
        self.pool.refuse_after_fork()
        reason = text_of(reason)
        with Step(self.pool, calls_here=False) as effects:
            cell = self.pool.roster.find(agent_id)
            if cell is None:
                return False
            self.pool.cancellation.cancel([cell], reason, effects)
            self.pool.roster.balance(effects)
        return True

    # Outcomes ---------------------------------------------------------------------------------------------------

    def wait_ended(self, cell: AgentCell, timeout: float | None) -> bool:
        """Wait for the outcome of *cell*; False when the time ran out."""
        self.pool.refuse_after_fork()
        self.turn.refuse_inside()
        if cell.outcome is not None:
            return True
        waiter = Waiter()
        waiters = cell.lazies.setdefault(WAITERS, [])
        try:
            # And then looks; who settles it sets the outcome, and then looks whom to wake.
            waiters.append(waiter)
            if cell.outcome is None:
                wait_for(waiter, timeout, f"the outcome of {cell.label}", cell)
        finally:
            leave_line(waiters, waiter)
        return cell.outcome is not None

    def join_all(self, timeout: float | None, group: Hashable, failure: FailurePolicy) -> Outcomes:
        """Take all outcomes that are owed to the caller (of *group*)."""
        group = self.pool.groups.key(group)
        if failure is FailurePolicy.COLLECT:
            return self.owed.all(timeout, group)
        strictness = Strictness(group)
        try:
            self.be_strict(strictness)
            return self.owed.all(timeout, group, strictness)
        except BaseException:
            self.owed.be_lenient(strictness)
            raise

    def be_strict(self, strictness: Strictness) -> None:
        """Who fails of those owed to the caller, or has failed, takes the rest along. ``owed.be_lenient`` ends it."""
        with Step(self.pool, calls_here=False) as effects:
            victims = self.owed.be_strict(strictness)
            self.pool.cancellation.cancel(victims, "another one failed", effects)
            self.pool.roster.balance(effects)

    def when_ended(self, cell: AgentCell, call: Callable[[], object]) -> None:
        """Call *call* once when the outcome of *cell* is there; at once if it is."""
        self.pool.refuse_after_fork()
        with self.turn:
            if cell.outcome is None:
                if cell.callbacks is None:
                    cell.callbacks = []
                cell.callbacks.append(call)
                return
        call()

    def decide_for(self, agent_id: AgentId, call_id: str, *, approved: bool, reason: str = "") -> bool:
        """Answer a question for approval of the agent of that id; False when there is none (any more)."""
        self.pool.refuse_after_fork()
        cell = self.pool.roster.find(agent_id)
        return cell is not None and self.decide(cell, call_id, Decision(approved, reason))

    def decide(self, cell: AgentCell, call_id: str, decision: Decision) -> bool:
        """Answer a question for approval of *cell*; False when there is none of that name (any more)."""
        self.pool.refuse_after_fork()
        if cell.approvals is None:
            return False
        with self.turn.signals_held_off:  # a Ctrl-C between the decision and the wake would leave it waiting
            return cell.approvals.decide(call_id, decision)

    def broadcast(self, content: Any, group: Hashable) -> int:
        """Send *content* to all agents (of *group*) that have not ended; how many took it."""
        self.pool.refuse_after_fork()
        key = self.pool.groups.key(group)
        with self.turn:
            ids = sorted(cell.id for cell in self.pool.roster.everybody() if key is None or cell.group == key)
        return self.pool.router.broadcast(content, ids)

    def disown(self, cell: AgentCell) -> None:
        """The outcome of *cell* is owed to nobody (any more)."""
        self.pool.refuse_after_fork()
        owner = cell.owner
        if owner is not None:
            owner.remove(cell)

    # The supervisor's own thread: timers and foreign messages ---------------------------------------------------

    def tick(self) -> None:
        """Handle the timers that are due."""
        self.pool.tick()

    def on_stop(self) -> None:
        """A supervisor that is stopped closes its pool; one that ends because the pool closes does nothing."""
        if self.is_closed:
            return
        self.pool.timer_thread.hand_over()
        self.shutdown.close("its supervisor was stopped")

    # The whole pool ---------------------------------------------------------------------------------------------

    def figures(self) -> PoolStats:
        """The figures of ``PoolStats``."""
        with self.turn:
            return self._figures()

    def begun(self) -> tuple[PoolStats, list[AgentOutcome[Any]]]:
        """The figures, and what has ended and is still to be taken, of one moment."""
        with self.turn:
            return self._figures(), self.owed.ready()

    def _figures(self) -> PoolStats:
        roster, slots = self.pool.roster, self.pool.slots
        live = roster.live.values()
        spent = [cell.expenses for cell in live if EXPENSES in cell.lazies]
        return PoolStats(
            active=len(live),
            queued=len(self.pool.roster.queued),
            outstanding=len(self.owed),
            parked=slots.parked_of(live),
            abandoned_threads=len(self.pool.cancellation.abandoned) + len(self.pool.actors.strays) + slots.strays,
            dead_letters=self.pool.router.dead_letters.total,
            started=self.pool.roster.started,
            ended=dict(self.pool.roster.ended),
            usage=sum((one.usage for one in spent), roster.used.usage),
            cost_usd=sum((one.cost_usd for one in spent), roster.used.cost_usd),
            iterations=sum((one.iterations for one in spent), roster.iterations),
            tool_calls=sum((one.tool_calls for one in spent), roster.tool_calls),
        )

    def cells(self) -> tuple[list[AgentCell], list[AgentCell | ToolThread[AgentCell]]]:
        """The agents that have not ended, by id, and those whose threads were abandoned."""
        with self.turn:
            everybody, abandoned = self.pool.roster.everybody(), list(self.pool.cancellation.abandoned)
        return sorted(everybody, key=lambda cell: cell.id), abandoned

    def resize(self, max_concurrent: int, *, when_within: Callable[[], object] | None = None) -> None:
        """Change the limit; who runs already runs on.

        Args:
            when_within: Called once when no more than that run, unless the limit was changed again by then.
        """
        self.pool.refuse_after_fork()
        with Step(self.pool) as effects:
            self.pool.slots.limit = max_concurrent
            self.pool.slots.when_within = when_within
            self.pool.slots.take_back()
            self.pool.crew.keep = max(KEPT_WORKERS, max_concurrent)
            self.pool.roster.refuse_hopeless(effects)
            self.pool.roster.balance(effects)
        self.pool.lives.resize(max_concurrent)


def leave_line(line: list[Any], waiter: object) -> None:
    """*waiter* waits no longer; an interrupt may have come before it was there."""
    try:
        line.remove(waiter)
    except ValueError:
        pass


def _tell_of_many(name: str) -> None:
    logger.warning(
        "{} keeps {:,} outcomes that are there and that nobody has taken, and will keep all until somebody does: take "
        "them (join_next, join_all, handle.result, await handle), detach() the handles, or start agents with "
        "owed=False. This is said once",
        name,
        MANY,
    )
