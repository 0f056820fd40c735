"""Who may run: slots, laid out by the parked and taken by the needy."""

from __future__ import annotations

import threading
from typing import Any

from actors.core.scheduling.slots import Slots
from actors.core.waiting.waiter import Waiter


class Cell:
    """What slots need of a cell."""

    def __init__(self) -> None:
        self.has_slot = False


def running(slots: Slots, count: int) -> list[Any]:
    cells: list[Any] = [Cell() for _ in range(count)]
    for cell in cells:
        slots.take(cell)
    return cells


def test_slots_are_taken_and_freed() -> None:
    """held counts holders; freeing twice frees once."""
    slots = Slots(2)
    one, _ = running(slots, 2)
    assert (slots.held, slots.available) == (2, 0)
    assert not slots.find()
    slots.free(one)
    slots.free(one)
    assert (slots.held, slots.available) == (1, 1)
    assert slots.find()
    assert not one.has_slot


def test_who_finds_none_raises_need() -> None:
    """The next one that parks then gives its slot away."""
    slots = Slots(1)
    running(slots, 1)
    assert not slots.need
    assert not slots.find()
    assert slots.need


def test_a_slot_that_a_parked_agent_laid_out_is_stolen() -> None:
    """The owner holds it no more, and the books agree."""
    slots = Slots(1)
    (parked,) = running(slots, 1)
    slots.idle[parked] = None
    assert slots.available == 1
    assert slots.find()
    assert not parked.has_slot
    assert (slots.held, slots.available) == (0, 1)


def test_a_slot_that_is_not_held_is_never_offered() -> None:
    """An agent that was abandoned just as it parked laid out what it does not hold: it is passed over."""
    slots = Slots(1)
    (holder,) = running(slots, 1)
    ghost: Any = Cell()
    slots.idle[ghost] = None
    assert not slots.find()
    assert slots.held == 1
    assert holder.has_slot
    assert slots.idle == {}


def test_woken_agents_come_before_new_ones() -> None:
    """A slot for somebody who wants to go on is not available for somebody new."""
    slots = Slots(2)
    running(slots, 1)
    woken: Any = Cell()
    slots.woken[woken] = [Waiter()]
    assert slots.available == 0


# Steal against unpark -------------------------------------------------------------------------------------------


def one_slot(supervise: Any) -> Any:
    return supervise(max_concurrent=1)


def test_unpark_wins_against_the_steal(supervise: Any, start: Any) -> None:
    """The wait ends before anybody needed the slot: the agent goes on, without a lock, with its own slot."""
    supervisor = one_slot(supervise)
    seen: list[bool] = []

    def run(cell: Any) -> None:
        cell.host.park(cell, "tea")
        seen.append(cell in supervisor.pool.slots.idle and cell.has_slot)
        cell.host.unpark(cell)
        seen.append(cell.has_slot and cell not in supervisor.pool.slots.idle)

    start(supervisor, run).result(10)
    assert seen == [True, True]


def test_the_steal_wins_against_unpark(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """Somebody took the slot: the agent that wakes waits until it is free again."""
    supervisor = one_slot(supervise)
    parked, thief = gates(), gates()
    order: list[str] = []

    def first(cell: Any) -> None:
        cell.host.park(cell, "tea")
        parked.hold()
        assert not cell.has_slot
        order.append("wakes")
        cell.host.unpark(cell)
        assert cell.has_slot
        order.append("goes on")

    def second(cell: Any) -> None:
        thief.hold()
        order.append("thief ends")

    one = start(supervisor, first)
    parked.await_reached()
    two = start(supervisor, second)
    thief.await_reached()
    parked.open()
    eventually(lambda: one._cell in supervisor.pool.slots.woken)
    thief.open()
    one.result(10)
    two.result(10)
    assert order == ["wakes", "thief ends", "goes on"]
    assert supervisor.pool.slots.held == 0


def test_who_parks_while_somebody_needs_a_slot_gives_it_away(supervise: Any, start: Any, gate: Any) -> None:
    """need was raised before the park: the one who parks starts the queued one itself."""
    supervisor = one_slot(supervise)
    queued_is_there = threading.Event()
    second_ran = threading.Event()

    def first(cell: Any) -> None:
        assert queued_is_there.wait(10)
        assert supervisor.pool.slots.need
        cell.host.park(cell, "tea")
        assert second_ran.wait(10), "the queued agent did not get the slot"
        cell.host.unpark(cell)

    one = start(supervisor, first)
    two = start(supervisor, lambda _: second_ran.set())
    queued_is_there.set()
    one.result(10)
    two.result(10)


def test_five_deep_with_one_slot_finishes(supervise: Any, start: Any) -> None:
    """Agents nested five deep, each waiting for its child, need one slot among them."""
    supervisor = one_slot(supervise)

    def nested(depth: int) -> Any:
        def run(cell: Any) -> int:
            if depth == 0:
                return 0
            return 1 + start(supervisor, nested(depth - 1), parent=cell).result(10)

        return run

    assert start(supervisor, nested(5)).result(10) == 5


def test_holders_never_pass_the_limit(supervise: Any, start: Any, eventually: Any) -> None:
    """I3: with everybody parking and waking, never more than the limit hold a slot at once."""
    supervisor = supervise(max_concurrent=2)
    lock = threading.Lock()
    running_now: set[int] = set()
    most: list[int] = []

    def run(cell: Any) -> None:
        for _ in range(20):
            with lock:
                running_now.add(cell.id)
                most.append(len(running_now))
            with lock:
                running_now.discard(cell.id)
            cell.host.park(cell, "tea")
            cell.host.unpark(cell)

    handles = [start(supervisor, run) for _ in range(12)]
    for handle in handles:
        handle.result(20)
    assert max(most) <= 2
    assert supervisor.pool.slots.held == 0
    assert supervisor.pool.slots.idle == {}
    assert supervisor.pool.slots.woken == {}


def test_a_cancelled_agent_goes_on_without_a_slot(supervise: Any, start: Any, gates: Any) -> None:
    """It unwinds while another one holds the only slot."""
    supervisor = one_slot(supervise)
    parked, holder = gates(), gates()
    waits = Waiter()

    def first(cell: Any) -> None:
        parked.hold()
        cell.wait(waits, None, "tea", None)

    one = start(supervisor, first)
    parked.await_reached()
    two = start(supervisor, lambda _: holder.hold())
    parked.open()
    holder.await_reached()
    one.cancel("enough")
    assert one.outcome(10).status == "cancelled"
    assert not two.done()
    holder.open()
    two.result(10)


def test_an_agent_that_waits_for_its_slot_back_is_cancelled_there(
    supervise: Any, start: Any, gates: Any, eventually: Any
) -> None:
    """Its tea is ready, its slot is not: a cancel ends that wait too."""
    supervisor = one_slot(supervise)
    parked, holder = gates(), gates()

    def first(cell: Any) -> None:
        cell.host.park(cell, "tea")
        parked.hold()
        cell.host.unpark(cell)
        assert not cell.has_slot
        cell.token.check()

    one = start(supervisor, first)
    parked.await_reached()
    two = start(supervisor, lambda _: holder.hold())
    holder.await_reached()
    parked.open()
    eventually(lambda: one._cell in supervisor.pool.slots.woken)
    one.cancel("enough")
    assert one.outcome(10).status == "cancelled"
    assert supervisor.pool.slots.woken == {}
    assert supervisor.pool.slots.held == 1
    holder.open()
    two.result(10)


def test_a_slot_that_came_back_before_the_claim_is_kept(supervise: Any, start: Any, gate: Any) -> None:
    """Nothing to reclaim when the slot is held: no wait, and no second slot."""
    supervisor = one_slot(supervise)

    def run(cell: Any) -> int:
        supervisor.parking.reclaim_slot(cell)
        return supervisor.pool.slots.held

    assert start(supervisor, run).result(10) == 1
