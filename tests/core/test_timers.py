"""What is due at a later moment."""

from __future__ import annotations

from typing import Any

from actors.core.scheduling.timers import Due, Timers

CELL: Any = object()


def test_what_is_due_comes_in_the_order_of_its_moments() -> None:
    """Earlier first, equal moments in the order they were set; what is not due stays."""
    timers = Timers()
    timers.push(3.0, Due.ABANDON, ["c"])  # type: ignore[list-item]
    timers.push(1.0, Due.DEADLINE, ["a"])  # type: ignore[list-item]
    timers.push(1.0, Due.ABANDON, ["b"])  # type: ignore[list-item]
    assert timers.next_at() == 1.0
    assert list(timers.due(2.0)) == [(Due.DEADLINE, "a"), (Due.ABANDON, "b")]
    assert list(timers.due(2.0)) == []
    assert list(timers.due(3.0)) == [(Due.ABANDON, "c")]
    assert timers.next_at() == float("inf")


def test_the_timer_of_an_ended_agent_names_nobody() -> None:
    """Its tether is empty: nothing is kept alive, nobody is stopped."""
    timers = Timers()
    tether = [CELL]
    timers.push(1.0, Due.DEADLINE, tether)
    tether.clear()
    assert list(timers.due(1.0)) == [(Due.DEADLINE, None)]


def test_the_thread_sleeps_until_the_next_moment() -> None:
    """Without a moment for ever; with one until then; past it not at all."""
    timers = Timers()
    assert timers.sleep(0.0) is None
    timers.push(5.0, Due.WAVE, [])
    assert timers.sleep(3.0) == 2.0
    assert timers.sleep(9.0) == 0.0


def test_the_thread_is_woken_only_for_an_earlier_moment() -> None:
    """A moment after its next one need not wake it; an announced one need not wake it again."""
    timers = Timers()
    timers.push(5.0, Due.DEADLINE, [CELL])
    timers.sleep(0.0)
    assert not timers.earlier()
    timers.push(6.0, Due.DEADLINE, [CELL])
    assert not timers.earlier()
    timers.push(4.0, Due.DEADLINE, [CELL])
    assert timers.earlier()
    timers.announce()
    assert not timers.earlier()


def test_dead_timers_are_pruned_and_living_ones_kept() -> None:
    """A heap full of timers of ended agents does not grow for ever; a wave has no agent and stays."""
    timers = Timers()
    timers.PRUNE_ABOVE = timers._prune_at = 8  # type: ignore[misc]
    timers.push(50.0, Due.WAVE, [])
    timers.push(60.0, Due.DEADLINE, ["living"])  # type: ignore[list-item]
    for n in range(100):
        timers.push(100.0 + n, Due.DEADLINE, [])
        assert len(timers.heap) <= 9
    due = list(timers.due(90.0))
    assert due == [(Due.WAVE, None), (Due.DEADLINE, "living")]


def test_living_timers_raise_the_bound_of_pruning() -> None:
    """When nobody is dead pruning finds nothing, and is not tried again at each push."""
    timers = Timers()
    timers.PRUNE_ABOVE = timers._prune_at = 4  # type: ignore[misc]
    for n in range(10):
        timers.push(float(n), Due.DEADLINE, [CELL])
    assert len(timers.heap) == 10
    assert timers._prune_at == 16
