"""Who comes first when a parked agent wants its slot back: both winners of each race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentMessage, Cancelled, DeadLetterReason

from ..contract.doubles import doing
from . import points
from .steps import in_order

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("winner", ["unpark", "abort"])
def test_unpark_against_abort(winner: str, make_pool: Any, steps: Any, eventually: Any) -> None:
    """A message that woke an agent is read, or it is a dead letter: never lost, and never read by a cancelled agent."""
    race = steps(*in_order(winner, "unpark", "abort"))
    seen: list[Any] = []

    def run(agent: Any, _: str) -> None:
        try:
            seen.append(race.part("unpark", agent.receive, whole=True)().content)
        except Cancelled as cancelled:
            seen.append(cancelled)
            raise
        agent.sleep(10)

    pool = make_pool()
    points.at_laid_out_slots(pool, race)
    handle = pool.spawn(doing(run))
    eventually(lambda: handle.status == "parked")
    pool.router.send(AgentMessage(sender=0, to=handle.id, content="words"))
    with race.point("abort"):
        handle.cancel("enough")
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    (got,) = seen
    letters = [(letter.message.content, letter.reason) for letter in pool.router.dead_letters]
    if winner == "unpark":
        assert got == "words"
        assert letters == []
    else:
        assert isinstance(got, Cancelled)
        assert letters == [("words", DeadLetterReason.RECEIVER_ENDED)]


@pytest.mark.parametrize("winner", ["grant", "abort"])
def test_the_grant_of_a_slot_against_abort(
    winner: str, make_pool: Any, steps: Any, gates: Any, in_thread: Any, eventually: Any
) -> None:
    """An agent that waits for its slot gets it and holds it to its end, or is cancelled and ends without one."""
    race = steps(*in_order(winner, "grant", "abort"))
    wake, holding, cleanup = gates(), gates(), gates()

    def parks(agent: Any, _: str) -> None:
        with agent.parked():
            wake.hold()
        agent.sleep(10)

    pool = make_pool(max_concurrent=1, max_queued=None, abort_timeout=10.0)
    parked = pool.spawn(doing(parks, ending=lambda *_: cleanup.hold()))
    wake.await_reached()
    holder = pool.spawn(doing(lambda agent, _: holding.hold(), ending=lambda *_: race.play("grant")))
    holding.await_reached()
    third = pool.submit(lambda: "ran")
    wake.open()
    eventually(lambda: points.waiting_for_a_slot(pool) == 1)
    points.at_turn(pool, race)
    aborting = in_thread(race.part("abort", parked.cancel), "enough")
    holding.open()
    assert aborting.result(10) is True
    assert holder.outcome(10).ok
    cleanup.await_reached()
    if winner == "grant":
        assert third.status == "queued", "the slot is still held"
        cleanup.open()
    assert third.result(5) == "ran"
    cleanup.open()
    assert parked.outcome(10).error.reason == "enough"
    assert points.supervisor_of(pool).pool.slots.held == 0


@pytest.mark.parametrize("winner", ["unpark", "steal"])
def test_taking_a_slot_back_against_its_theft(
    winner: str, make_pool: Any, steps: Any, gates: Any, in_thread: Any
) -> None:
    """A slot that a parked agent laid out goes to one of the two: never to both, never to nobody."""
    race = steps(*in_order(winner, "unpark", "steal"))
    wake, first, second = gates(), gates(), gates()

    def parks(agent: Any, _: str) -> str:
        with agent.parked():
            wake.hold()
            race.play("unpark")
        first.hold()
        return "went on"

    pool = make_pool(max_concurrent=1, max_queued=None)
    parked = pool.spawn(doing(parks))
    wake.await_reached()
    points.at_laid_out_slots(pool, race)
    spawning = in_thread(race.part("steal", pool.spawn), doing(lambda agent, _: second.hold()))
    wake.open()
    thief = spawning.result(10)
    race.await_passed("unpark")
    winning, losing = (first, second) if winner == "unpark" else (second, first)
    winning.await_reached()
    assert points.supervisor_of(pool).pool.slots.held == 1
    assert not losing.reached
    winning.open()
    losing.await_reached()
    losing.open()
    assert parked.result(10) == "went on"
    assert thief.outcome(10).ok
    assert points.supervisor_of(pool).pool.slots.held == 0
