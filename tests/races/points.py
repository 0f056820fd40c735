"""Where a thread can be held inside the library: every private name that the races use stands here.

Each function puts a point in front of a lock of one object. Nothing else of the library is changed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from actors.core.actors.reply import ReplyFuture
from actors.core.actors.shared_cell import SharedCell
from actors.core.messaging.mailbox import Mailbox
from actors.core.scheduling.agent_cell import WAITERS
from actors.core.waiting.wait_graph import current

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from actors import ActorRef, AgentHandle, AgentPool, Dispatcher, MessageRouter

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


# Actors that have no thread -----------------------------------------------------------------------------------------


def at_attending(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """An actor that has read everything says that it is to be woken."""
    monkeypatch.setattr(Mailbox, "attend", steps.around(Mailbox.attend))


def offering(steps: Steps, ref: ActorRef[Any], message: Any) -> None:
    """A tell."""
    with steps.point():
        ref.tell(message)


def at_offering_and_closing(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """A message is put into a mailbox, or that is closed."""
    for name in ("offer", "seal", "close", "close_empty"):
        monkeypatch.setattr(Mailbox, name, steps.around(getattr(Mailbox, name)))


def at_claims(monkeypatch: pytest.MonkeyPatch, steps: Steps, ref: ActorRef[Any]) -> None:
    """A worker takes *ref* from the line."""
    cell, real = ref._cell, SharedCell.claim
    monkeypatch.setattr(SharedCell, "claim", lambda one: steps.around(real)(one) if one is cell else real(one))


def ending(steps: Steps, ref: ActorRef[Any], how: str) -> None:
    """A stop or an abort, as a whole."""
    with steps.point():
        ref.stop(block=False) if how == "stop" else ref.abort()


def at_laying_down(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    """A worker begins a pause of an actor, and will lay it down."""
    monkeypatch.setattr(SharedCell, "_begin_rest", steps.around(SharedCell._begin_rest))


def at_places(dispatcher: Dispatcher, steps: Steps) -> None:
    """A worker's place is given back, or taken: each is one operation of a list, without a lock."""
    dispatcher._places = Tokens(dispatcher._places)
    dispatcher._places.steps = steps


def at_line(dispatcher: Dispatcher, steps: Steps) -> None:
    """An actor is put in line."""
    dispatcher._line = Line(dispatcher._line)
    dispatcher._line.steps = steps


class Tokens(list[Any]):
    """The places of workers, with a point in front of each operation."""

    steps: Steps

    def append(self, token: Any) -> None:
        """One is given back."""
        with self.steps.point():
            super().append(token)

    def pop(self, *args: Any) -> Any:
        """One is taken."""
        with self.steps.point():
            return super().pop(*args)


class Line(deque[Any]):
    """Those that are ready, with a point in front of each that comes."""

    steps: Steps

    def append(self, cell: Any) -> None:
        """One more."""
        with self.steps.point():
            super().append(cell)
