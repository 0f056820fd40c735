"""Who comes first when an outcome is taken, or waited for: both winners of each race."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentStatus

from ..contract.doubles import doing
from . import points
from .steps import in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from .steps import Steps


def finishing(race: Steps, value: Any = "value", hold: Callable[[], Any] = lambda: None) -> Any:
    """An agent that returns *value*; its ending plays ``finish``."""
    return doing(lambda agent, _: (hold(), value)[1], ending=lambda *_: race.play("finish"))


JOINS = {
    "join_next": lambda pool, handle: pool.join_next(0),
    "join_all": lambda pool, handle: pool.join_all(0)[handle.id],
    "join_all of a group": lambda pool, handle: pool.join_all(0, group="g")[handle.id],
    "outcome": lambda pool, handle: handle.outcome(0),
    "as_completed": lambda pool, handle: next(pool.as_completed(timeout=0)),
    "as_completed of handles": lambda pool, handle: next(iter(pool.as_completed([handle], timeout=0))),
}


@pytest.mark.parametrize("how", JOINS)
@pytest.mark.parametrize("winner", ["join", "finish"])
def test_join_against_finish(winner: str, how: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any) -> None:
    """A join that does not wait gets what has ended; else it says so, nothing is lost, and the next one gets it."""
    race = steps(*in_order(winner, "join", "finish"))
    pool = make_pool()
    config = finishing(race, hold=gate.hold)
    handle = pool.spawn(config.model_copy(update={"group": "g"}))
    gate.await_reached()
    points.at_turn(pool, race)
    points.at_waiters(pool, handle, race)
    joining = in_thread(race.part("join", JOINS[how], whole=True), pool, handle)
    gate.open()
    if winner == "join":
        with pytest.raises(TimeoutError):
            joining.result(10)
        race.await_passed("finish")
        assert pool.outstanding_count == 1
        outcome = JOINS[how](pool, handle)
    else:
        outcome = joining.result(10)
    assert (outcome.agent_id, outcome.result) == (handle.id, "value")
    assert pool.outstanding_count == 0
    assert pool.join_next(0) is None


@pytest.mark.parametrize("winner", ["patience", "finish"])
def test_the_patience_of_a_join_against_finish(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """One that ends just as the time runs out is taken; one that ends later is still owed."""
    # The second visit to the turn is the one after the wait.
    race = steps(*in_order(winner, "patience", "finish"), patience=1)
    pool = make_pool()
    handle = pool.spawn(finishing(race, hold=gate.hold))
    gate.await_reached()
    points.at_turn(pool, race)
    joining = in_thread(race.part("patience", pool.join_next), 0.02)
    gate.open()
    if winner == "finish":
        assert joining.result(10).agent_id == handle.id
    else:
        with pytest.raises(TimeoutError):
            joining.result(10)
        assert pool.join_next(10).agent_id == handle.id
    assert pool.join_next(0) is None


TAKES = {
    "join_next": lambda pool, handle: pool.join_next(0),
    "another join_next": lambda pool, handle: pool.join_next(0),
    "join_all": lambda pool, handle: pool.join_all(0).get(handle.id),
    "result": lambda pool, handle: handle.outcome(0),
}


@pytest.mark.parametrize(
    "takers", [("join_next", "another join_next"), ("join_next", "join_all"), ("join_next", "result")]
)
@pytest.mark.parametrize("first", [0, 1])
def test_two_takers_of_one_outcome(
    first: int, takers: tuple[str, str], make_pool: Any, steps: Any, in_thread: Any
) -> None:
    """The first one gets it; the other one nothing, but for the handle, which always answers."""
    pool = make_pool()
    handle = pool.submit(lambda: "value")
    handle.future.result(10)  # this takes nothing
    order = in_order(takers[first], *takers)
    race = steps(*order)
    points.at_turn(pool, race)
    taking = {name: in_thread(race.part(name, TAKES[name], whole=True), pool, handle) for name in takers}
    taken = {name: future.result(10) for name, future in taking.items()}
    assert taken[order[0]].result == "value"
    if order[1] == "result":
        assert taken[order[1]].result == "value"
    else:
        assert taken[order[1]] is None
    assert pool.outstanding_count == 0
    assert pool.join_next(0) is None


@pytest.mark.parametrize(
    ("order", "gets"),
    [
        (("detach", "finish", "join"), None),
        (("finish", "detach", "join"), None),
        (("finish", "join", "detach"), "value"),
    ],
)
def test_detach_against_finish(
    order: tuple[str, ...], gets: str | None, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """Detached before or after its end, no join yields it any more; detached after it was taken, nothing changes."""
    race = steps(*order)
    pool = make_pool()
    handle = pool.spawn(finishing(race, hold=gate.hold))
    gate.await_reached()
    points.at_turn(pool, race)
    detaching = in_thread(race.part("detach", handle.detach, whole=True))
    joining = in_thread(race.part("join", pool.join_next, whole=True), 0)
    gate.open()
    detaching.result(10)
    outcome = joining.result(10)
    assert (None if outcome is None else outcome.result) == gets
    assert pool.outstanding_count == 0
    assert pool.join_all(0) == {}
    assert handle.result(10) == "value"


@pytest.mark.parametrize("winner", ["detach", "finish"])
def test_a_join_that_waits_while_detach_and_finish_race(
    winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Who waits for the last outcome is woken by both, and never waits for what nobody owes."""
    race = steps(*in_order(winner, "detach", "finish"))
    pool = make_pool()
    handle = pool.spawn(finishing(race, hold=gate.hold))
    gate.await_reached()
    joining = in_thread(pool.join_next)
    eventually(lambda: points.waiting_joins(pool) == 1)
    points.at_turn(pool, race)
    detaching = in_thread(race.part("detach", handle.detach))
    gate.open()
    detaching.result(10)
    outcome = joining.result(10)
    assert outcome is None or winner == "finish"
    assert pool.outstanding_count == 0


@pytest.mark.parametrize("how", ["callback", "future", "stopped event"])
@pytest.mark.parametrize("winner", ["register", "finish"])
def test_registering_against_the_end(
    winner: str, how: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """A callback is called once, and never before the cleanup; the future and the event of an ended agent are set."""
    race = steps(*in_order(winner, "register", "finish"))
    pool = make_pool()
    handle = pool.spawn(finishing(race, value=7, hold=gate.hold))
    gate.await_reached()
    reference = handle._cell.actor
    points.at_turn(pool, race)
    called: list[tuple[int, Any, int]] = []
    registrars: list[int] = []

    def register() -> Any:
        registrars.append(threading.get_ident())
        if how == "callback":
            return handle.add_done_callback(
                lambda it: called.append((threading.get_ident(), it.status, pool.router.agent_count))
            )
        return handle.future if how == "future" else reference.actor_stopped

    registering = in_thread(race.part("register", register))
    gate.open()
    registered = registering.result(10)
    assert handle.result(10) == 7
    pool.close()
    if how == "future":
        assert registered.result(0) == 7
    elif how == "stopped event":
        assert registered.is_set()
    else:
        ((thread, status, known),) = called
        assert (status, known) == (AgentStatus.COMPLETED, 0)
        assert (thread == registrars[0]) is (winner == "finish")
