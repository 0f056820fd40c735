"""Who comes first at the end of an agent: both winners of each race."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentAbandoned
from actors.core.clock import Clock

from ..contract.doubles import doing
from . import points
from .steps import in_order

if TYPE_CHECKING:
    pass


class ManualClock(Clock):
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


# Cancel and completion ------------------------------------------------------------------------------------------

CANCELS = {
    "handle": lambda pool, handle, ref: handle.cancel("enough"),
    "id": lambda pool, handle, ref: pool.abort(handle.id, "enough"),
    "all": lambda pool, handle, ref: pool.abort_all("enough"),
    "future": lambda pool, handle, ref: handle.future.cancel(),
    "reference": lambda pool, handle, ref: ref.abort("enough"),
}


@pytest.mark.parametrize("how", CANCELS)
@pytest.mark.parametrize("winner", ["cancel", "complete"])
def test_cancel_against_complete(winner: str, how: str, make_pool: Any, steps: Any) -> None:
    """Past its last checkpoint the value stands, whatever comes; before it the agent is cancelled, with the reason."""
    race = steps(*in_order(winner, "cancel", "complete"))
    ends: list[Any] = []
    refs: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(agent: Any, _: str) -> str:
        refs.put(agent.actor_ref)
        with race.point("complete"):
            agent.checkpoint()
        race.await_passed("cancel")
        return "value"

    pool = make_pool()
    handle = pool.spawn(doing(run, ending=lambda agent, outcome: ends.append(outcome.status)))
    ref = refs.get(timeout=10)
    with race.point("cancel"):
        CANCELS[how](pool, handle, ref)
    outcome = handle.outcome(10)
    if winner == "complete":
        assert (outcome.status, outcome.result) == ("completed", "value")
    else:
        assert (outcome.status, outcome.result) == ("cancelled", None)
        assert outcome.error.reason == ("its future was cancelled" if how == "future" else "enough")
    assert ends == [outcome.status]
    assert pool.stats().ended == {outcome.status: 1}
    assert pool.join_next(0) is None


@pytest.mark.parametrize("winner", ["cancel", "finish"])
def test_cancel_against_the_end(winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any) -> None:
    """A cancel says whether the agent had ended; before the end it is told to the token, after it to nobody."""
    race = steps(*in_order(winner, "cancel", "finish"))
    told = threading.Event()

    def run(agent: Any, _: str) -> str:
        agent.cancel_token.on_cancel(told.set)
        gate.hold()
        return "value"

    pool = make_pool()
    handle = pool.spawn(doing(run, ending=lambda *_: race.play("finish")))
    points.at_turn(pool, race)
    gate.await_reached()
    cancelling = in_thread(race.part("cancel", handle.cancel), "late")
    gate.open()
    assert cancelling.result(10) is (winner == "cancel")
    assert handle.result(10) == "value", "what run returned decides"
    pool.close()
    assert told.is_set() is (winner == "cancel")


@pytest.mark.parametrize("winner", ["register", "cancel"])
def test_registering_a_cancel_callback_against_the_cancel(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """Called once: when the cancel comes, or at once by the one who comes too late to be told."""
    called: list[int] = []
    told = threading.Event()
    tokens: queue.SimpleQueue[Any] = queue.SimpleQueue()
    race = steps(*in_order(winner, "register", "cancel"))

    def tell() -> None:
        called.append(threading.get_ident())
        told.set()

    def run(agent: Any, _: str) -> int:
        tokens.put(agent.cancel_token)
        gate.hold()
        race.part("register", agent.cancel_token.on_cancel)(tell)
        told.wait(10)  # until then this thread is nobody else's
        return threading.get_ident()

    pool = make_pool()
    handle = pool.spawn(doing(run))
    points.at_token(tokens.get(timeout=10), race)
    gate.await_reached()
    cancelling = in_thread(race.part("cancel", handle.cancel), "enough")
    gate.open()
    assert cancelling.result(10) is True
    agents_thread = handle.result(10)
    pool.close()
    assert len(called) == 1
    assert (called[0] == agents_thread) is (winner == "cancel")


# Time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["timeout", "deadline"])
@pytest.mark.parametrize("winner", ["deadline", "complete"])
def test_deadline_against_completion(winner: str, limit: str, supervise: Any, start: Any, steps: Any) -> None:
    """Past its last checkpoint the value stands; an agent that is late at it has timed out."""
    clock = ManualClock()
    race = steps(*in_order(winner, "deadline", "complete"))
    begun = threading.Event()

    def run(cell: Any) -> str:
        begun.set()
        with race.point("complete"):
            cell.check()
        race.await_passed("deadline")
        return "value"

    supervisor = supervise(clock=clock)
    points.without_timers(supervisor)
    handle = start(supervisor, run, **{limit: 5.0})
    assert begun.wait(10)
    with race.point("deadline"):
        clock.at += 6.0
    outcome = handle.outcome(10)
    assert outcome.status == ("timed_out" if winner == "deadline" else "completed")
    if winner == "deadline":
        assert limit == "timeout" or "admission" in outcome.error.reason
        assert limit == "deadline" or "timeout" in outcome.error.reason


@pytest.mark.parametrize("winner", ["deadline", "finish"])
def test_the_timer_of_a_deadline_against_the_end(
    winner: str, supervise: Any, start: Any, steps: Any, in_thread: Any, gate: Any
) -> None:
    """It cancels an agent that has not ended yet; for one that has, nothing happens."""
    clock = ManualClock()
    race = steps(*in_order(winner, "deadline", "finish"))
    told = threading.Event()

    def run(cell: Any) -> str:
        cell.token.on_cancel(told.set)
        gate.hold()
        return "value"

    supervisor = supervise(clock=clock)
    points.without_timers(supervisor)
    handle = start(supervisor, run, timeout=5.0, on_end=lambda _: race.play("finish"))
    gate.await_reached()
    points.at_turn_of(supervisor, race)
    clock.at += 6.0
    ticking = in_thread(race.part("deadline", supervisor.tick))
    gate.open()
    ticking.result(10)
    assert handle.result(10) == "value", "what run returned decides"
    supervisor.shutdown.close()
    assert told.is_set() is (winner == "deadline")
    assert supervisor.pool.roster.ended == {"completed": 1}


@pytest.mark.parametrize("winner", ["abandon", "finish"])
def test_abandonment_against_a_late_return(
    winner: str, supervise: Any, start: Any, steps: Any, in_thread: Any, gate: Any
) -> None:
    """One outcome: the value if it came in time; else it is dropped, and the slot is given back once."""
    clock = ManualClock()
    race = steps(*in_order(winner, "abandon", "finish"))
    supervisor = supervise(max_concurrent=1, abort_timeout=5.0, clock=clock)
    points.without_timers(supervisor)
    handle = start(supervisor, lambda _: (gate.hold(), "value")[1], on_end=lambda _: race.play("finish"))
    called: list[Any] = []
    handle.add_done_callback(lambda handle: called.append(handle.status))
    gate.await_reached()
    handle.cancel("enough")
    points.at_turn_of(supervisor, race)
    clock.at += 6.0
    ticking = in_thread(race.part("abandon", supervisor.tick))
    gate.open()
    ticking.result(10)
    race.await_passed("finish")
    outcome = handle.outcome(10)
    if winner == "abandon":
        assert (outcome.status, outcome.result) == ("abandoned", None)
        assert isinstance(outcome.error, AgentAbandoned)
        assert outcome.error.cause.reason == "enough"
    else:
        assert (outcome.status, outcome.result) == ("completed", "value")
    assert supervisor.pool.roster.ended == {outcome.status: 1}
    assert supervisor.figures().abandoned_threads == 0, "its thread is back"
    assert supervisor.pool.slots.held == 0
    assert start(supervisor, lambda _: "free").result(10) == "free"
    assert supervisor.owed.next(0) is None
    supervisor.shutdown.close()  # callbacks run on a worker
    assert called == [outcome.status]
