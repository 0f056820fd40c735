"""Where a thread can be held inside the library: every private name that the races use stands here.

Each function puts a point in front of a lock of one object. Nothing else of the library is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.core.actors.reply import ReplyFuture
from actors.core.scheduling.agent_cell import WAITERS
from actors.core.supervision.parking import Parking
from actors.core.waiting.wait_graph import current

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from actors import ActorRef, AgentHandle, AgentPool, MessageRouter

    from .steps import Steps


def at_turn(pool: AgentPool, steps: Steps) -> None:
    """Each decision of the pool's supervisor, and each look at who is owed what."""
    at_turn_of(supervisor_of(pool), steps)


def at_turn_of(supervisor: Any, steps: Steps) -> None:
    """The same, of a supervisor without a pool."""
    supervisor.turn._lock = steps.lock(supervisor.turn._lock)


def without_timers(supervisor: Any) -> None:
    """No thread minds the timers: the test calls ``tick``."""
    assert not supervisor.pool.timer_thread.has_thread
    supervisor.pool.timer_thread.ensure_thread = lambda: None


def waiting_joins(pool: AgentPool) -> int:
    """How many wait for the next outcome."""
    return len(supervisor_of(pool).owed._next)


def at_mailbox_of_actor(ref: ActorRef[Any], steps: Steps) -> None:
    """Each put, take and close of an actor's mailbox."""
    at_mailbox(ref._mailbox, steps)


def at_mailbox_of_agent(pool: AgentPool, handle: AgentHandle[Any], steps: Steps) -> None:
    """Each put, take and close of an agent's mailbox (made now, if need be)."""
    at_mailbox(pool.router.open(handle._cell), steps)


def at_mailbox(mailbox: Any, steps: Steps) -> None:
    """Each put, take and close of a mailbox."""
    mailbox._lock = steps.lock(mailbox._lock)


def at_token(token: Any, steps: Steps) -> None:
    """Each registration, and the cancel itself."""
    token._lock = steps.lock(token._lock)


def at_future(future: Any, steps: Steps) -> None:
    """Each registration, and the settling itself."""
    future._lock = steps.lock(future._lock)


def at_settling(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """The settling of any future of an ask."""
    monkeypatch.setattr(ReplyFuture, "_settle", steps.around(ReplyFuture._settle))


def at_unpark(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """An agent whose wait is over goes on."""
    monkeypatch.setattr(Parking, "unpark", steps.around(Parking.unpark))


def at_waiters(pool: AgentPool, handle: AgentHandle[Any], steps: Steps) -> None:
    """Who waits for all outcomes, or for one by its handle, says so before it looks: an operation of a list, without a
    lock.
    """
    handle._cell.lazies[WAITERS] = Waiting.at(steps)
    supervisor_of(pool).owed._all = Waiting.at(steps)


class Waiting(list[Any]):
    """Those who wait for outcomes, with a point in front of each entry."""

    steps: Steps

    @classmethod
    def at(cls, steps: Steps) -> Waiting:
        """Nobody yet."""
        waiting = cls()
        waiting.steps = steps
        return waiting

    def append(self, waiter: Any) -> None:
        """Another one."""
        with self.steps.point():
            super().append(waiter)


def at_laid_out_slots(pool: AgentPool, steps: Steps) -> None:
    """Who parked takes its slot back, or somebody else takes it: each is one operation of a dict, without a lock."""
    slots = supervisor_of(pool).pool.slots
    slots.idle = LaidOut(slots.idle)
    slots.idle.steps = steps


class LaidOut(dict[Any, Any]):
    """The slots of parked agents, with a point in front of each taking."""

    steps: Steps

    def pop(self, *args: Any) -> Any:
        """One that is named."""
        with self.steps.point():
            return super().pop(*args)

    def popitem(self) -> tuple[Any, Any]:
        """Any."""
        with self.steps.point():
            return super().popitem()


def waiting_spawns(pool: AgentPool) -> int:
    """How many spawns wait for room."""
    return len(supervisor_of(pool).pool.roster.waiting_spawns)


def waiting_for_a_slot(pool: AgentPool) -> int:
    """How many agents were woken and wait for their slot."""
    return sum(map(len, supervisor_of(pool).pool.slots.woken.values()))


def supervisor_of(pool: AgentPool) -> Any:
    """The pool's supervisor itself, not its reference."""
    return pool._supervisor


def waiting_senders(ref: ActorRef[Any]) -> int:
    """How many wait for room in an actor's mailbox."""
    return len(ref._mailbox._putters or ())


def at_mailbox_of_id(router: MessageRouter, agent_id: int, steps: Steps) -> None:
    """Each put, take and close of a mailbox that a router has."""
    at_mailbox(router._endpoints[agent_id].mailbox, steps)


def listens_for_a_cancel(handle: AgentHandle[Any]) -> bool:
    """Does an agent wait in something that its cancel wakes?"""
    return bool(handle._cell.token._callbacks)


class Started:
    """How many threads an agent started for its tools."""

    count = 0


def hold_tools_after(first: int, pool: AgentPool, hold: Callable[[], object]) -> Started:
    """Let *first* tools of an agent get a thread; *hold* comes before each of the others."""
    crew = supervisor_of(pool).pool.crew
    real, started = crew.start, Started()

    def start(job: Any) -> None:
        if current() is not None:  # an agent's own thread: it starts its tools
            started.count += 1
            if started.count > first:
                hold()
        real(job)

    crew.start = start
    return started


def at_end_of(ref: ActorRef[Any], steps: Steps) -> None:
    """An actor has ended; and each registration of who wants to know."""
    at_future(ref._cell.gone, steps)


def await_end_of(ref: ActorRef[Any]) -> None:
    """Wait until an actor has ended and who watches it was told."""
    ref._cell.ended.get(timeout=10)
