"""Who starts next: priority, turns by group, age; and the dead are passed over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from actors.core.records.state import AgentState
from actors.core.scheduling.start_queue import ChildQueue, StartQueue


def cell(name: Any, *, priority: int = 0, group: Any = None, depth: int = 1) -> Any:
    """What a queue looks at."""
    return SimpleNamespace(
        name=name,
        id=name,
        depth=depth,
        state=AgentState.QUEUED,
        outcome=None,
        group=group,
        spec=SimpleNamespace(priority=priority),
    )


def names(queue: StartQueue | ChildQueue) -> list[Any]:
    out = []
    while (following := queue.pop()) is not None:
        out.append(following.name)  # type: ignore[attr-defined]
    return out


def end(queue: StartQueue | ChildQueue, dead: Any) -> None:
    dead.outcome = "cancelled"
    queue.ended()


# The queue of new agents ----------------------------------------------------------------------------------------


def test_without_anything_else_age_decides() -> None:
    """First come, first started."""
    queue = StartQueue([])
    for n in range(5):
        queue.push(cell(n))
    assert queue.living == 5
    assert names(queue) == [0, 1, 2, 3, 4]
    assert queue.living == 0
    assert queue.pop() is None


@pytest.mark.parametrize("between", [(), (5,)])
def test_those_without_a_group_have_no_turn_while_nobody_of_them_waits(between: tuple[int, ...]) -> None:
    """All of them have started; then one of a group comes, and after that another one without: it comes after."""
    queue = StartQueue([])
    for n in range(2):
        queue.push(cell(n))
    assert names(queue) == [0, 1]
    queue.push(cell("first"))
    assert queue.pop().name == "first"  # type: ignore[union-attr]
    for priority in between:
        queue.push(cell("high", priority=priority))
    queue.push(cell("grouped", group="a"))
    queue.push(cell("without"))
    queue.push(cell("grouped too", group="a"))
    assert names(queue) == [*("high" for _ in between), "grouped", "without", "grouped too"]


def test_a_higher_priority_starts_first() -> None:
    """Whatever the order of arrival, also below zero, and also when it comes between two pops."""
    queue = StartQueue([])
    for n, priority in enumerate((0, 5, -3, 5, 0)):
        queue.push(cell(n, priority=priority))
    assert queue.pop().name == 1  # type: ignore[union-attr]
    queue.push(cell("late", priority=9))
    assert names(queue) == ["late", 3, 0, 4, 2]


def test_groups_take_turns_within_a_priority() -> None:
    """A group of many does not starve a group of one; no group at all is one group."""
    queue = StartQueue([])
    for n in range(4):
        queue.push(cell(f"big{n}", group="big"))
    queue.push(cell("none0"))
    queue.push(cell("small0", group="small"))
    queue.push(cell("none1"))
    assert names(queue) == ["big0", "none0", "small0", "big1", "none1", "big2", "big3"]


def test_priority_goes_before_turns() -> None:
    """Turns are taken within one priority only."""
    queue = StartQueue([])
    queue.push(cell("low", group="a"))
    queue.push(cell("high1", priority=1, group="b"))
    queue.push(cell("high2", priority=1, group="b"))
    assert names(queue) == ["high1", "high2", "low"]


def test_who_ended_while_queued_is_passed_over() -> None:
    """It is not counted, not iterated and not popped, and its group loses no turn for it."""
    queue = StartQueue([])
    cells = [cell(n, group=n % 2) for n in range(6)]
    for one in cells:
        queue.push(one)
    end(queue, cells[0])
    end(queue, cells[1])
    assert queue.living == 4
    assert sorted(one.name for one in queue) == [2, 3, 4, 5]
    assert names(queue) == [2, 3, 4, 5]
    assert queue._dead == 0


def test_a_group_of_dead_only_is_passed_over() -> None:
    """The next living one is found behind a whole group, and a whole priority, of dead ones."""
    queue = StartQueue([])
    dead = [cell("d1", priority=2), cell("d2", priority=1, group="x")]
    for one in [*dead, cell("alive", priority=1, group="y")]:
        queue.push(one)
    for one in dead:
        end(queue, one)
    assert names(queue) == ["alive"]


def test_the_dead_are_pruned_when_they_outnumber_the_living() -> None:
    """Cancelled agents do not pile up, and the order of the others stands."""
    queue = StartQueue([])
    cells = [cell(n, group=n % 3, priority=n % 2) for n in range(90)]
    for one in cells:
        queue.push(one)
    twin = StartQueue([])
    for one in cells[60:]:
        twin.push(one)
    for one in cells[:60]:
        end(queue, one)
    held = sum(len(group) for level in queue._levels.values() for group in level.values())
    assert queue.living == 30
    assert held <= 30 + 33
    assert names(queue) == names(twin)


def test_few_dead_are_not_worth_pruning() -> None:
    """Below the bound nothing is rebuilt."""
    queue = StartQueue([])
    cells = [cell(n) for n in range(10)]
    for one in cells:
        queue.push(one)
    for one in cells[:9]:
        end(queue, one)
    assert queue._dead == 9
    assert names(queue) == [9]


# The queue of children ------------------------------------------------------------------------------------------


def test_the_deepest_child_starts_first_then_the_oldest() -> None:
    """Deep ones end soonest and give their slots back."""
    queue = ChildQueue([])
    for n, depth in ((1, 1), (2, 3), (3, 2), (4, 3)):
        queue.push(cell(n, depth=depth))
    assert queue.living == 4
    assert sorted(one.id for one in queue) == [1, 2, 3, 4]
    assert names(queue) == [2, 4, 3, 1]
    assert queue.living == 0


def test_a_child_that_ended_while_queued_is_passed_over() -> None:
    """It is not counted; when nobody is left, nobody is kept."""
    queue = ChildQueue([])
    first, second = cell(1), cell(2)
    queue.push(first)
    queue.push(second)
    end(queue, first)
    assert queue.living == 1
    assert [one.id for one in queue] == [2]
    assert names(queue) == [2]
    third = cell(3)
    queue.push(third)
    end(queue, third)
    assert queue._heap == []


@pytest.mark.parametrize("queue", [StartQueue, ChildQueue])
def test_an_empty_queue_answers_none(queue: Any) -> None:
    """Nobody waits."""
    assert queue([]).pop() is None
    assert not queue([]).living
