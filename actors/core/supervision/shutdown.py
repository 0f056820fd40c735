"""Graceful shutdown, and the other one: how a pool ends."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from loguru import logger

from ...errors import DeadlockError, PoolClosed
from ..process.at_exit import at_exit
from ..scheduling.agent_cell import AgentCell
from ..scheduling.tool_thread import ToolThread
from ..waiting.wait_graph import checkpoint, current, wait_for
from ..waiting.waiter import LOOK_OUT, Waiter
from .pool_state import PoolPhase, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .pool_state import PoolState


class Shutdown:
    """Drains a pool or closes it.

    Guarantees: closing twice does nothing twice, and each call returns when the pool has ended; after it no thread is
    left but those of abandoned agents, and nobody waits for room.

    Locks: the pool's turn guards its phase, ``_is_given_up`` and ``_watchers``; ``_closer`` is written by the one that
    closes, ``at_end`` before that.
    """

    def __init__(self, pool: PoolState) -> None:
        self._pool = pool
        self._closer = 0
        self._is_given_up = False
        self._finished = threading.Event()
        self._watchers: list[Callable[[], object]] = []
        self.at_end: Callable[[], object] = _nothing
        """Called once, when the pool has ended or was given up: by whoever closes it, or the end of the program."""

    def watch(self, call: Callable[[], object]) -> Callable[[], None]:
        """Call *call* once when the pool has ended or was given up, before ``at_end``. It must not raise.

        Returns:
            What ends that.
        Raises:
            PoolClosed: The pool is closed.
        """
        self._pool.refuse_after_fork()
        with self._pool.turn:
            if self._pool.is_closed:
                raise PoolClosed(f"{self._pool.name} is closed: there is nothing to look at any more")
            self._watchers.append(call)
        return partial(self._forget, call)

    def _forget(self, call: Callable[[], object]) -> None:
        if not self._pool.is_forked:
            with self._pool.turn:
                if call in self._watchers:
                    self._watchers.remove(call)

    def _tell_watchers(self) -> None:
        with self._pool.turn:
            watchers = self._watchers.copy()
            self._watchers.clear()
        for call in watchers:
            call()

    def refuse_inside(self, what: str) -> None:
        """Raise when an agent of this pool calls something that waits for all of them."""
        member = current()
        cell = None if member is None else member.waiting_self()
        if isinstance(cell, AgentCell) and self._is_ours(cell):
            raise DeadlockError(f"{what} inside an agent of the pool waits for that agent", (cell.label, cell.label))

    def _refuse_inside_actor(self, what: str) -> None:
        """Raise when an actor of this pool calls something that waits for its end."""
        member = current()
        if member is not None and self._pool.actors.hosts(member):
            raise DeadlockError(
                f"{what} inside an actor of the pool waits for that actor", (member.label, member.label)
            )

    def _is_ours(self, cell: AgentCell) -> bool:
        return self._pool.roster.find(cell.id) is cell or cell in self._pool.cancellation.abandoned

    def drain(self, timeout: float | None) -> bool:
        """Refuse new agents and wait for the end of all; False when the time ran out."""
        self._pool.refuse_after_fork()
        self.refuse_inside("drain()")
        self._refuse_inside_actor("drain()")
        self._refuse_from_now(PoolPhase.DRAINING)
        end = None if timeout is None else self._pool.clock.monotonic() + timeout
        return self._wait_until_idle(timeout) and self._stop_actors(end)

    def _stop_actors(self, end: float | None) -> bool:
        """No agent is left that could need an actor: stop these, and wait for the agents that they have started since.

        Returns:
            False when the time ran out.
        """
        return self._pool.actors.stop(end) and self._wait_until_idle(self._left(end))

    def _left(self, end: float | None) -> float | None:
        return None if end is None else max(0.0, end - self._pool.clock.monotonic())

    def _refuse_from_now(self, phase: PoolPhase) -> None:
        with Step(self._pool) as effects:
            self._pool.enter_phase(phase)
            effects.wakes += [waiting.waiter for waiting in self._pool.roster.waiting_spawns]
            self._pool.roster.waiting_spawns.clear()

    def _wait_until_idle(self, timeout: float | None, *, may_give_up: bool = False) -> bool:
        end = float("inf") if timeout is None else self._pool.clock.monotonic() + timeout
        while True:
            waiter = Waiter()
            with self._pool.turn:
                if self._pool.roster.is_idle():
                    return True
                if may_give_up and self._is_given_up:
                    return False
                self._pool.roster.idle_waiters.append(waiter)
                # Whoever waits for the end minds the timers, if the supervisor's thread could not be started.
                timer_thread = self._pool.timer_thread
                alarm = float("inf") if timer_thread.has_thread else timer_thread.timers.next_at()
            until = min(end, alarm)
            try:
                wait_for(waiter, None if until == float("inf") else until - self._pool.clock.monotonic(), "all agents")
            finally:
                with self._pool.turn:
                    self._pool.roster.idle_waiters.remove(waiter)
            if not timer_thread.has_thread:
                self._pool.tick()
            if self._pool.clock.monotonic() >= end:
                return self._pool.roster.is_idle()

    @property
    def is_aborted(self) -> bool:
        """Was all that still runs cancelled?"""
        return self._pool.is_closed

    def leave_block(self, failed: str | None, timeout: float | None) -> None:
        """Leave the block of the pool: drain, unless it was left by an exception, and close.

        Args:
            failed: The class of the exception.
            timeout: Seconds to drain; None has no bound.
        """
        try:
            if failed is None and not self._pool.is_closed:
                self.drain(timeout)
        finally:
            self.close("its block was left" if failed is None else f"its block was left by {failed}")

    def abort(self, reason: str) -> None:
        """Take nothing new, and cancel what still runs; returns at once."""
        self._refuse_from_now(PoolPhase.CLOSED)
        self._pool.cancel_all(reason)
        self._pool.actors.abort(reason)

    def mark_at_exit(self) -> None:
        """The program ends: nothing new is taken, and whoever looks sees it."""
        self._refuse_from_now(PoolPhase.CLOSED)
        with self._pool.turn:
            for cell in self._pool.roster.everybody():
                cell.token.mark("the program ends")

    def abort_at_exit(self) -> None:
        """Abort at the end of the program: no drain."""
        self.abort("the program ends")

    def end_at_exit(self) -> None:
        """Close; what does not end within ``abort_timeout`` is abandoned."""
        self.close("the program ends")

    def close(self, reason: str = "the pool was closed") -> None:
        """Abort what still runs, and end: no thread is left but those of abandoned agents. Idempotent."""
        self._pool.refuse_after_fork()
        self.refuse_inside("close()")
        self._refuse_inside_actor("close()")
        mine = ended = False
        try:
            with self._pool.turn.signals_held_off:  # however it is interrupted, everybody was cancelled
                self._refuse_from_now(PoolPhase.CLOSED)
                self._pool.cancel_all(reason)
                with self._pool.turn:
                    mine = self._pool.enter_phase(PoolPhase.CLOSING)
                if mine:
                    self._closer = threading.get_ident()
            self._pool.actors.abort(reason)  # here: who is told of it may be slow, and a signal has to end that
            if mine and self._wait_until_idle(None, may_give_up=True):
                self._pool.actors.wait_or_abandon()
                self._end_threads()
                ended = True
        finally:
            if mine:
                if not ended:  # a second Ctrl-C, or a second cancel
                    self._pool.actors.abort(reason)
                    self._give_up()
                try:
                    self._tell_watchers()
                    self.at_end()
                finally:
                    self._finished.set()
                    at_exit().forget(self)
        if not mine and not self._waits_for_this_thread():
            while not self._finished.wait(LOOK_OUT):  # and look whether this agent is cancelled, or a signal has come
                checkpoint()

    def _waits_for_this_thread(self) -> bool:
        """Is this a signal handler in the thread that closes, or a callback on one of the threads that it joins?"""
        me = threading.current_thread()
        return self._closer == me.ident or me in self._pool.crew.threads()

    def give_up(self) -> None:
        """Whoever closes in another thread waits no longer for agents, as after a second Ctrl-C; returns at once."""
        with Step(self._pool, calls_here=False) as effects:
            self._is_given_up = True
            effects.wakes += self._pool.roster.idle_waiters
        self._pool.actors.give_up()

    def _give_up(self) -> None:
        """Nobody waits for the end any more: the last agent that ends, ends the threads."""
        with Step(self._pool, calls_here=False) as effects:
            roster = self._pool.roster
            if self._pool.phase >= PoolPhase.ENDING:  # they were told already, unless this came just before
                effects.calls.append(self._tell_threads)
                return
            if roster.is_idle():
                effects.calls.append(self._end_threads)
            else:
                roster.when_idle = self._end_threads

    def _tell_threads(self) -> None:
        """Let all threads end; returns at once. Twice does nothing twice."""
        pool = self._pool
        with pool.turn.signals_held_off:  # an interrupt must leave none that was not told
            with pool.turn:
                pool.enter_phase(PoolPhase.ENDING)
            pool.crew.close()
            pool.event_delivery.tell_end()
            pool.callbacks.tell_end()
            pool.router.seal()
            pool.timer_thread.tell_end()

    def _end_threads(self) -> None:
        self._tell_threads()
        pool = self._pool
        if not pool.event_delivery.close(pool.abort_timeout):
            logger.warning("the event sink of {} is stuck: its thread is left behind", pool.name)
        if not pool.callbacks.close(pool.abort_timeout):
            logger.warning("an on_event of an agent of {} is stuck: its thread is left behind", pool.name)
        pool.timer_thread.end(pool.abort_timeout)
        with pool.turn:
            strays = list(pool.cancellation.abandoned)
        # A tool that was left may still clean up: it has its abort_timeout from then on, as its agent has had.
        since = {stray.thread: stray.abandoned_at if isinstance(stray, ToolThread) else 0.0 for stray in strays}
        now = pool.clock.monotonic()
        spent = {thread: max(0.0, now - at) for thread, at in since.items()}
        pool.crew.join(pool.abort_timeout, spent)


def _nothing() -> None:
    """Nothing has to be closed with the pool."""
