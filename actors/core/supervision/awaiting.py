"""Waits of coroutines for agents and pools. They hold no thread, and a wait that is cancelled takes nothing."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from ..clock import SYSTEM_CLOCK
from ..records.outcomes import FailurePolicy
from ..scheduling.agent_cell import WAITERS
from ..waiting.loop_waiter import LoopWaiter, arrive
from ..waiting.wait_graph import checkpoint
from .join_set import Gatherer, Strictness, Taker, none_in_time
from .supervisor import leave_line

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..records.outcome import AgentOutcome
    from ..records.outcomes import Outcomes
    from ..scheduling.agent_cell import AgentCell
    from .join_set import JoinSet
    from .shutdown import Shutdown
    from .supervisor import Supervisor


async def ended(supervisor: Supervisor, cell: AgentCell, timeout: float | None = None) -> bool:
    """Wait for the outcome of *cell*; False when the time ran out."""
    supervisor.pool.refuse_after_fork()
    supervisor.turn.refuse_inside()
    checkpoint()
    if cell.outcome is not None:
        return True
    waiter = LoopWaiter()
    waiters = cell.lazies.setdefault(WAITERS, [])
    try:
        waiters.append(waiter)  # and then looks, as who waits in a thread
        if cell.outcome is None:
            await arrive(waiter, timeout, f"the outcome of {cell.label}", cell)
    finally:
        leave_line(waiters, waiter)
    return cell.outcome is not None


async def outcome_of(supervisor: Supervisor, cell: AgentCell) -> AgentOutcome[Any]:
    """Wait for the outcome of *cell*, and take it."""
    await ended(supervisor, cell)
    if cell.owner is not None:
        supervisor.disown(cell)
    assert cell.outcome is not None
    return cell.outcome


async def next_outcome(owed: JoinSet, timeout: float | None) -> AgentOutcome[Any] | None:
    """Take the next outcome of *owed*; None when nothing is owed.

    Raises:
        TimeoutError: Nothing ended in time; nothing is lost.
    """
    taker = Taker(LoopWaiter())
    try:
        late = (
            owed.line_up(taker) and not await arrive(taker.waiter, timeout, "the next outcome") and owed.withdraw(taker)
        )
        if not late:
            return owed.collect(taker)
    except BaseException:
        owed.undo(taker)
        raise
    raise TimeoutError(none_in_time(timeout))


async def join_all(supervisor: Supervisor, timeout: float | None, group: Hashable, failure: FailurePolicy) -> Outcomes:
    """Take all outcomes that are owed to the caller (of *group*), once all have ended."""
    supervisor.turn.refuse_inside()
    group = supervisor.pool.groups.key(group)
    if failure is FailurePolicy.COLLECT:
        return await _all(supervisor.owed, timeout, group)
    strictness = Strictness(group)
    try:
        supervisor.be_strict(strictness)
        return await _all(supervisor.owed, timeout, group, strictness)
    except BaseException:
        supervisor.owed.be_lenient(strictness)
        raise


async def _all(owed: JoinSet, timeout: float | None, group: Hashable, strictness: Strictness | None = None) -> Outcomes:
    end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
    while True:
        gatherer = Gatherer(group, LoopWaiter())
        try:
            left = None if end is None else end - SYSTEM_CLOCK.monotonic()
            woken = not owed.gather(gatherer) or await arrive(gatherer.waiter, left, "all outcomes")
        finally:
            owed.leave(gatherer)
        taken = owed.take_all(group, strictness)
        if taken is not None:
            return taken
        if not woken:  # else somebody was started since
            raise owed.too_late(timeout, group)


class Aside:
    """Something that waits, done by a thread of its own for a coroutine.

    Guarantees: when the coroutine goes on, the thread has ended.

    Locks: none. The thread writes ``has_ended`` and ``_error`` before it wakes the coroutine, and then looks at
    ``_left``; who leaves writes that, and then looks at the error.
    """

    def __init__(self, fn: Callable[[], object], name: str) -> None:
        self._fn = fn
        self._waiter = LoopWaiter()
        self._error: BaseException | None = None
        self._left = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.has_ended = False

    def start(self) -> None:
        """Begin; in the thread of the loop if no other can be started: better there than not at all."""
        try:
            self._thread.start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            self._fn()
        except BaseException as error:  # noqa: BLE001 - the coroutine's
            self._error = error
            if self._left:
                self._tell()
        self.has_ended = True
        self._waiter.wake()

    def _tell(self) -> None:
        logger.opt(exception=self._error).error("{} failed, and nobody waits for it", self._thread.name)

    async def done(self) -> None:
        """Wait for its end; raises what it raised. After a cancel of this wait it can be waited for again."""
        await arrive(self._waiter, None, self._thread.name)
        if self._thread.ident is not None:
            self._thread.join(1)  # it has done all but end
        if self._error is not None:
            raise self._error

    def leave(self) -> None:
        """Wait for it no longer; it goes on, and tells the log what it raises."""
        self._left = True
        if self._error is not None:
            self._tell()


async def leave_block(shutdown: Shutdown, name: str, failed: str | None, timeout: float | None) -> None:
    """Leave the block of the pool *name*, as ``Shutdown.leave_block`` does, without holding the loop.

    A cancel while it drains aborts what still runs, and waits for that. One that comes while it is being closed does
    not wait: the last agent that ends, ends the threads. So does a Ctrl-C.
    """
    shutdown.refuse_inside("leaving the block of a pool")
    aside = Aside(partial(shutdown.leave_block, failed, timeout), f"{name}-end")
    try:
        aside.start()
        try:
            await aside.done()
        except GeneratorExit:  # its loop is gone, and this a finalizer: what it has begun goes on
            aside.leave()
            raise
        except BaseException:
            if failed is not None or shutdown.is_aborted:  # also when it is over, and has raised
                raise
            shutdown.abort("its block was left by a cancel")
            await aside.done()
            raise
    except BaseException as error:
        if not (aside.has_ended or isinstance(error, GeneratorExit)):
            shutdown.give_up()
            aside.leave()
        raise
