"""Runs agents on a worker's thread: from the building of each to the settling of its outcome."""

from __future__ import annotations

from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import AgentError, Cancelled, DeadlockError
from ..actors.restarts import Restarts
from ..crash import crashed, report, without_frames
from ..process.log import IS_QUICK, label, labelled
from ..records.ending import Ending, stopped
from ..records.event import AgentRestarted
from ..records.outcome import AgentOutcome, AgentStatus
from ..records.state import RESTARTING
from ..records.told import RESULT, told_value
from ..tracing import SPANS
from ..waiting.wait_graph import enter
from .agent_spans import AgentSpans
from .pool_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..process.threads import Worker
    from ..records.spec import Record
    from ..scheduling.agent_cell import AgentCell
    from ..waiting.waiter import Waiter
    from .inline_call import AgentSteps, InlineCall, ToolEnd
    from .pool_state import PoolState


class Runner:
    """Runs one agent after another on a worker's thread: a first one, and then whoever gets its slot.

    Threads: the worker's.
    """

    __slots__ = ("_first", "_pool")

    def __init__(self, pool: PoolState, first: AgentCell) -> None:
        self._pool = pool
        self._first: AgentCell | None = first

    def work(self, worker: Worker) -> bool:
        """Run the first one, and then whoever gets its slot. The job of a worker: was it put to rest already?

        One frame, and not three: of each agent that is parked they stay.
        """
        following, self._first = self._first, None  # it is kept no longer than it runs
        pool, rested = self._pool, False
        while following is not None and following.begin():
            witness = pool.witness
            if witness is not None and not following.thread:  # else it has only moved to this thread
                witness.began(following)
            outcome = self.run(following)
            if outcome is None or pool.is_forked:
                return False  # another thread goes on with it; or it has forked, and this is the child: nobody is told
            if witness is not None:
                outcome = witness.ended(following, outcome)
            if pool.with_content and outcome.result is not None:
                self._tell_result(following, outcome.result)
            try:
                next_one, rested = self._end(following, outcome, worker)
            except BaseException:  # noqa: BLE001 - whatever another thread has set in this one, it has an outcome
                report("the end of agent {} was interrupted", following.id)
                next_one, rested = self._end(following, outcome, worker)
            following = next_one
        return rested

    @staticmethod
    def _tell_result(cell: AgentCell, result: object) -> None:
        """Note what *cell* gave for its last event: here, as its end is decided under the turn."""
        try:
            cell.lazies[RESULT] = told_value(result)
        except BaseException:  # noqa: BLE001 - what a user's class does when it is looked at loses no outcome
            report("the result of agent {} cannot be told in its last event", cell.id)

    def run(self, cell: AgentCell) -> AgentOutcome[Any] | None:
        """Do the whole job, from the building of the agent to ``on_end``; None: another thread goes on with it. Never
        raises.
        """
        cell.thread = get_ident()
        try:
            context = cell.context
            if context is None:
                return cell.stopped_outcome()
            tracing = self._pool.tracing
            if IS_QUICK and tracing is None:
                return context.run(self._run, cell)
            run = self._run if tracing is None or not tracing.is_recording() else self._traced
            return context.run(labelled, cell.id, cell.spec.name, run, cell)
        except BaseException as error:  # noqa: BLE001 - a defect of ours must not lose an outcome
            return defect(cell, error)

    def _traced(self, cell: AgentCell) -> AgentOutcome[Any] | None:
        """As :meth:`_run`, in a span of the agent, which ends before anybody sees the outcome."""
        assert self._pool.tracing is not None
        cell.lazies[SPANS] = spans = AgentSpans(self._pool.tracing, cell)
        with spans.agent() as own:
            outcome = self._run(cell)
            if outcome is None:
                own.goes_on()
            else:
                _end_spans(cell, spans, outcome)
        return outcome

    def _run(self, cell: AgentCell, left: Leaving | None = None) -> AgentOutcome[Any] | None:
        """Do what is to be done of it; all of it, unless a thread has *left* it half-way."""
        enter(cell)
        if IS_QUICK:
            label(cell.id, cell.spec.name)
        record = cell.spec.record
        if left is not None:
            ending = self._go_on(cell, left)
        else:
            if record is not None and (known := recall(cell, record)) is not None:
                return known if known.recalled or cell.outcome is not None else keep(cell, record, known)
            ending = self._attempt(cell)
        if cell.spec.restart is not None and ending is not None and ending.status is AgentStatus.CRASHED:
            ending = self._try_again(cell, ending)
        if ending is None:
            return None
        if cell.children:
            self._end_children(cell)
        outcome = cell.make_outcome(ending)
        if record is not None and cell.outcome is None:
            outcome = keep(cell, record, outcome)
        if cell.actor is not None:
            try:
                cell.actor.on_end(outcome)
            except BaseException:  # noqa: BLE001 - the outcome stands, whatever the cleanup does
                report("on_end of agent {} failed; its outcome stands", cell.id)
            cell.actor = None
        return outcome

    def _try_again(self, cell: AgentCell, ending: Ending) -> Ending | None:
        """Start *cell*, which has crashed, again, as long as its policy allows."""
        again: Ending | None = ending
        while again is not None and again.status is AgentStatus.CRASHED:
            delay = self._restart_delay(cell)
            if delay is None:
                return again
            if cell.children:
                self._end_children(cell)
            try:
                self._back_off(cell, delay)
            except Cancelled as cancelled:
                return stopped(cancelled)
            again = self._attempt(cell)
        return again

    def _attempt(self, cell: AgentCell) -> Ending | None:
        """One life; None: another thread goes on with it."""
        starting, token, spec = False, cell.token, cell.spec
        try:
            if token.marked or token.deadline is not None:  # as ``check``, of which a call costs as much as all of it
                token.check()
            make = spec.build(cell)
            if token.marked or token.deadline is not None:
                token.check()  # a cancel that came meanwhile: the next stage does not begin
            starting = True
            cell.actor = actor = make()
            if token.marked or token.deadline is not None:
                token.check()
            del make  # an agent may live long, and this holds more than it needs
            actor.on_start()
            if token.marked or token.deadline is not None:
                token.check()
            starting = False
            if spec.steps is not None:
                return self._follow(cell, spec.steps(actor, spec.query))
            return Ending(AgentStatus.COMPLETED, actor.run(spec.query))
        except BaseException as error:  # noqa: BLE001 - whatever the agent raises harms nobody but itself
            return _ended_by(error, starting=starting)

    # What can go on in another thread -------------------------------------------------------------------------------

    def _follow(self, cell: AgentCell, steps: AgentSteps, left: InlineCall | None = None) -> Ending | None:
        """Do *steps*, from the beginning, or from a call that was *left*; None: another thread goes on with them."""
        make_end = None if left is None else left.left_end
        try:
            call = next(steps) if make_end is None else _told(steps, make_end)
            while True:
                try:
                    end = call.here(partial(self._leave, cell, steps))
                except BaseException as error:  # noqa: BLE001 - they see to it
                    if not cell.is_here():  # it came to a thread that was left behind
                        return None
                    call = steps.throw(error)
                else:
                    if end is None:
                        return None
                    call = steps.send(end)
        except StopIteration as done:
            return Ending(AgentStatus.COMPLETED, done.value)

    def _go_on(self, cell: AgentCell, left: Leaving) -> Ending | None:
        try:
            return self._follow(cell, left.steps, left.call)
        except BaseException as error:  # noqa: BLE001 - as in an attempt
            return _ended_by(error)

    def _leave(self, cell: AgentCell, steps: AgentSteps, call: InlineCall) -> None:
        """Start a worker that goes on with *cell*, whose thread is in *call*.

        Raises:
            RuntimeError: No thread can be started.
        """
        self._pool.crew.start(Successor(self._pool, cell, Leaving(steps, call)).work)

    @staticmethod
    def _restart_delay(cell: AgentCell) -> float | None:
        policy = cell.spec.restart
        if policy is None or cell.token.cancelled:
            return None
        if cell.restarted is None:
            cell.restarted = Restarts(policy, cell.host.clock)
        return cell.restarted.take()

    def _back_off(self, cell: AgentCell, delay: float) -> None:
        """Wait before a restart, without a slot."""
        fields = {"attempt": cell.restarts, "delay": delay}
        self._pool.emit(cell, AgentRestarted, fields)
        self._pool.trace(cell, "restarted", fields)
        cell.host.park(cell, "restart", RESTARTING)
        try:
            cell.token.wait(delay)
        finally:
            cell.host.unpark(cell)
        cell.token.check()

    # The end of an agent --------------------------------------------------------------------------------------------

    def _end(self, cell: AgentCell, outcome: AgentOutcome[Any], worker: Worker) -> tuple[AgentCell | None, bool]:
        """Settle *cell*; who this worker runs next, and whether the worker was put to rest."""
        pool, spare = self._pool, self._pool.spare_steps
        try:
            effects = spare.pop()  # what is made for each step costs more than what is done in it
        except IndexError:
            effects = Step(pool)
        while True:
            following: AgentCell | None = None
            rested = False
            with effects:
                ended = not cell.children or cell.outcome is not None
                if ended:
                    if cell.outcome is None:
                        victims = pool.roster.settle(cell, outcome, effects)
                        if victims:
                            pool.cancellation.take_along(victims, cell, outcome, effects)
                    else:  # it was abandoned, and ends only now
                        pool.cancellation.abandoned.discard(cell)
                        effects.dropped.append(cell.release())
                    pool.roster.balance(effects)
                    # A worker with callbacks to call must not take the next agent: a slow one would hold it up.
                    if not (effects.calls or effects.fires):
                        if effects.starts:
                            following = effects.starts.popleft()
                        else:
                            rested = not pool.crew.has_reserved() and pool.crew.rest(worker)
            effects.dropped.clear()  # outside the turn: finalizers may be a user's
            if effects.wakes:
                effects.wakes.clear()
            if ended:
                spare.append(effects)  # but for one that is left half-way
                return following, rested
            self._end_children(cell)  # born at the last moment, by on_end or by a thread of the agent's own

    def _end_children(self, cell: AgentCell) -> None:
        """Cancel what still runs below *cell*, and wait for its end."""
        waiter: Waiter | None = self._stop_children(cell)
        if waiter is None:
            return
        # Not a wait that a cancel ends: the children are cancelled themselves, and at worst abandoned.
        cell.host.park(cell, "children")
        try:
            waiter.wait()
        finally:
            cell.host.unpark(cell)
            waiter.owner = cell.waiter = None

    def _stop_children(self, cell: AgentCell) -> Waiter | None:
        """Cancel what still runs below *cell*; a waiter that is woken when all of it has ended, or None."""
        with Step(self._pool) as effects:
            self._pool.cancellation.cancel(list((cell.children or {}).values()), f"{cell.label} ended", effects)
            waiter = cell.await_children()
            self._pool.roster.balance(effects)
        return waiter


class Leaving(NamedTuple):
    """Where a thread has left an agent: in *call*, one of its *steps*."""

    steps: AgentSteps
    call: InlineCall


class Successor(Runner):
    """Goes on with an agent whose thread is left behind in a tool call, and then with whoever gets its slot.

    Threads: the worker's.
    """

    __slots__ = ("_left",)

    def __init__(self, pool: PoolState, cell: AgentCell, left: Leaving) -> None:
        super().__init__(pool, cell)
        self._left: Leaving | None = left

    def work(self, worker: Worker) -> bool:
        """Go on with it, unless its own thread has."""
        cell, left = self._first, self._left
        if cell is None or left is None or not left.call.left():
            return False
        cell.unclaimed = True  # its one life goes on here
        return super().work(worker)

    def run(self, cell: AgentCell) -> AgentOutcome[Any] | None:
        """Do the rest of what is to be done of the first one; of the others all of it."""
        left, self._left = self._left, None
        context = cell.context
        if left is None or context is None:
            return super().run(cell)
        try:
            outcome = context.run(self._run, cell, left)
            if outcome is not None and (spans := cell.lazies.get(SPANS)) is not None:
                _end_spans(cell, spans, outcome)
        except BaseException as error:  # noqa: BLE001 - as in Runner.run
            outcome = defect(cell, error)
        return outcome


def _told(steps: AgentSteps, make_end: Callable[[], ToolEnd]) -> InlineCall:
    """The next call of *steps*, which are told how the one before ended."""
    try:
        end = make_end()
    except Cancelled as cancelled:
        return steps.throw(cancelled)
    return steps.send(end)


def _end_spans(cell: AgentCell, spans: AgentSpans, outcome: AgentOutcome[Any]) -> None:
    cell.lazies.pop(SPANS, None)
    spans.end(outcome if cell.outcome is None else cell.outcome)  # it was abandoned meanwhile


def _ended_by(error: BaseException, *, starting: bool = False) -> Ending:
    """How an agent ends that raised *error*; *starting*: in ``__init__`` or ``on_start``."""
    if isinstance(error, Cancelled):
        return stopped(error)
    if isinstance(error, AgentError) and not starting:
        return Ending(AgentStatus.FAILED, error=without_frames(error))
    return Ending(AgentStatus.CRASHED, error=crashed(error))  # while it starts, whatever it raises


def defect(cell: AgentCell, error: BaseException) -> AgentOutcome[Any]:
    """The outcome of *cell*, in whose life something of ours failed: that must not lose it."""
    report("the life of agent {} failed", cell.id)
    outcome = cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error)))
    return outcome if (record := cell.spec.record) is None else keep(cell, record, outcome)


def recall(cell: AgentCell, record: Record) -> AgentOutcome[Any] | None:
    """The outcome that an earlier process has recorded, or of one that cannot begin; None: it is to be run."""
    try:
        cell.token.check()
        ending = record.recall()
    except Cancelled as cancelled:
        ending = stopped(cancelled)
    except AgentError as error:  # what cannot be recorded is not begun
        ending = Ending(AgentStatus.FAILED, error=without_frames(error))
    except DeadlockError as error:  # what it had to wait for waits for it
        ending = Ending(AgentStatus.CRASHED, error=crashed(error))
    return None if ending is None else cell.make_outcome(ending)


def keep(cell: AgentCell, record: Record, outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
    """Record *outcome* before anybody sees it; what cannot be recorded did not complete."""
    try:
        record.keep(outcome)
    except AgentError as error:
        return cell.make_outcome(Ending(AgentStatus.FAILED, error=without_frames(error)))
    return outcome
