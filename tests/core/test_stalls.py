"""Who makes no progress: told once for each standstill."""

from __future__ import annotations

from typing import Any

import pytest

from actors import AgentStalled
from actors.core.clock import Clock
from actors.core.records.state import AgentState
from actors.core.scheduling.stalls import LOOKS, Stalls
from actors.core.waiting.wait_graph import wait_for
from actors.core.waiting.waiter import Waiter


class Cell:
    """What a look sees of an agent."""

    def __init__(self) -> None:
        self.steps = 0
        self.host = "a pool"
        self.waits: list[object] = []

    def targets(self) -> list[object]:
        """Whom it waits for."""
        return self.waits


class Hand(Clock):
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:  # type: ignore[override]
        """What it was moved to."""
        return self.seconds


def seen(stalls: Stalls, cells: list[Cell], *moments: float) -> list[tuple[float, Cell, float]]:
    """Who was told, at which of *moments*, and for how many seconds."""
    return [(at, cell, seconds) for at in moments for cell, seconds in stalls.look(cells, at, [])]  # type: ignore[arg-type]


def test_a_standstill_is_told_once() -> None:
    """When the period is over, not before, and not again."""
    cell = Cell()
    assert seen(Stalls(4.0), [cell], 0, 1, 2, 3, 4, 5, 6, 100) == [(4, cell, 4.0)]


def test_a_standstill_is_noticed_within_a_quarter_more() -> None:
    """However the looks fall."""
    stalls, cell = Stalls(4.0), Cell()
    assert stalls.period * LOOKS == 4.0
    assert seen(stalls, [cell], 0.0) == []
    cell.steps += 1  # just after the look: noticed at the next one
    ((at, _, seconds),) = seen(stalls, [cell], 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert at <= 0.0 + 4.0 + stalls.period
    assert seconds >= 4.0


def test_progress_begins_a_new_standstill() -> None:
    """Which is told again."""
    stalls, cell = Stalls(4.0), Cell()
    assert len(seen(stalls, [cell], 0, 4)) == 1
    cell.steps += 1
    assert seen(stalls, [cell], 5, 8.9) == []
    assert seen(stalls, [cell], 9, 13) == [(9, cell, 4.0)]


def test_who_goes_on_is_never_told() -> None:
    """One step between two looks is enough."""
    stalls, cell = Stalls(4.0), Cell()
    for at in range(0, 400, 3):
        assert seen(stalls, [cell], float(at)) == []
        cell.steps += 1


def test_who_waits_for_another_is_not_told() -> None:
    """The time of that wait does not count, once it is over."""
    stalls, cell = Stalls(4.0), Cell()
    cell.waits.append(Cell())
    assert seen(stalls, [cell], 0, 10, 20) == []
    cell.waits.clear()
    assert seen(stalls, [cell], 23.9) == []
    assert seen(stalls, [cell], 24) == [(24, cell, 4.0)]


def test_each_is_told_for_itself() -> None:
    """One that stands, one that goes on, one that came later."""
    stalls = Stalls(4.0)
    stands, goes, late = Cell(), Cell(), Cell()
    assert seen(stalls, [stands, goes], 0, 2) == []
    goes.steps += 1
    assert seen(stalls, [stands, goes, late], 4, 5) == [(4, stands, 4.0)]
    assert seen(stalls, [stands, goes, late], 8) == [(8, goes, 4.0), (8, late, 4.0)]


def test_nothing_is_kept_of_those_who_ended() -> None:
    """An agent that is gone is forgotten with the next look; who is kept in its place is new."""
    stalls, cell = Stalls(4.0), Cell()
    seen(stalls, [cell], 0)
    seen(stalls, [], 1)
    assert cell not in stalls._marks
    assert seen(stalls, [cell], 4) == []


# With the supervisor, under a clock of the test's own -----------------------------------------------------------


@pytest.fixture
def told() -> list[Any]:
    """The events that a sink got."""
    return []


@pytest.fixture
def hand() -> Hand:
    """A clock that the test moves."""
    return Hand()


@pytest.fixture
def stalling(supervise: Any, told: list[Any], hand: Hand) -> Any:
    """A supervisor that tells of whom stands for 4 seconds of the test's clock."""
    return supervise(clock=hand, stalled_after=4.0, sink=told.append)


def looks(supervisor: Any, hand: Hand, times: int) -> None:
    """The next looks are due, and taken."""
    for _ in range(times):
        hand.seconds += 1.0
        supervisor.tick()


def stalled(supervisor: Any, told: list[Any]) -> list[Any]:
    """The events of that kind, once the event delivery has delivered what it has."""
    assert supervisor.pool.event_delivery.close(10)
    return [event for event in told if isinstance(event, AgentStalled)]


def test_an_agent_that_stands_is_told(stalling: Any, start: Any, gate: Any, hand: Hand, told: list[Any]) -> None:
    """Once, with state and seconds."""
    start(stalling, lambda _: gate.hold(), name="stone")
    gate.await_reached()
    looks(stalling, hand, 12)
    (event,) = stalled(stalling, told)
    assert (event.agent_id, event.agent, event.state, event.on, event.seconds) == (1, "stone", "running", None, 4.0)


def test_to_begin_something_else_is_progress(
    stalling: Any, start: Any, gates: Any, hand: Hand, told: list[Any]
) -> None:
    """A driver or tool call that begins: who stands in it is told anew, with that place."""
    one, two = gates(), gates()

    def work(cell: Any) -> None:
        one.hold()
        cell.transition(AgentState.IN_DRIVER)
        two.hold()

    start(stalling, work)
    one.await_reached()
    looks(stalling, hand, 5)
    one.open()
    two.await_reached()
    looks(stalling, hand, 5)
    assert [event.state for event in stalled(stalling, told)] == ["running", "in_driver"]
    two.open()


def test_nothing_is_told_too_early(stalling: Any, start: Any, gate: Any, hand: Hand, told: list[Any]) -> None:
    """The first look sees it for the first time: three more are not enough."""
    start(stalling, lambda _: gate.hold())
    gate.await_reached()
    looks(stalling, hand, 4)
    assert stalled(stalling, told) == []


def test_who_is_parked_on_nobody_is_told_where(
    stalling: Any, start: Any, hand: Hand, told: list[Any], eventually: Any
) -> None:
    """What it is parked on stands in the event, as in a dump."""
    waiter = Waiter()
    handle = start(stalling, lambda _: wait_for(waiter, 10, "tea"))
    eventually(lambda: handle.status == "parked")
    looks(stalling, hand, 5)
    waiter.wake()
    handle.outcome(10)
    assert [(event.state, event.on) for event in stalled(stalling, told)] == [("parked", "tea")]


def test_the_one_who_is_waited_for_is_told_instead(
    stalling: Any, start: Any, gate: Any, hand: Hand, told: list[Any], eventually: Any
) -> None:
    """A parent waits for its child: the child stands, and its event names the parent."""

    def parent(cell: Any) -> None:
        start(stalling, lambda _: gate.hold(), parent=cell, name="child").result(10)

    handle = start(stalling, parent, name="parent")
    eventually(lambda: handle.status == "parked" and gate.reached)
    looks(stalling, hand, 9)
    gate.open()
    handle.outcome(10)
    assert [(event.agent, event.parent_id, event.depth) for event in stalled(stalling, told)] == [("child", 1, 1)]


def test_a_parent_that_ends_its_children_waits_for_them(
    stalling: Any, start: Any, gate: Any, hand: Hand, told: list[Any], eventually: Any
) -> None:
    """Its own job is done: who holds it up is told, not the parent."""

    def parent(cell: Any) -> None:
        start(stalling, lambda _: gate.hold(), parent=cell, name="child")
        gate.await_reached()

    stalling.pool.cancellation._patience = 1000.0
    handle = start(stalling, parent, name="parent")
    eventually(lambda: handle.status == "parked")
    looks(stalling, hand, 9)
    gate.open()
    handle.outcome(10)
    assert [event.agent for event in stalled(stalling, told)] == ["child"]


def test_nobody_looks_while_nobody_lives(stalling: Any, start: Any, gates: Any, hand: Hand, told: list[Any]) -> None:
    """The timer stops with the last agent, and begins anew with the next."""
    timers = stalling.pool.timer_thread.timers
    assert timers.next_at() == float("inf")
    for number in (1, 2):
        gate = gates()
        handle = start(stalling, lambda _, gate=gate: gate.hold())
        gate.await_reached()
        assert timers.next_at() == hand.seconds + 1.0
        looks(stalling, hand, 5)
        gate.open()
        handle.outcome(10)
        looks(stalling, hand, 1)
        assert timers.next_at() == float("inf"), number
    assert [event.agent_id for event in stalled(stalling, told)] == [1, 2]


def test_a_crowd_has_one_timer(stalling: Any, start: Any, gates: Any, hand: Hand, told: list[Any]) -> None:
    """However many agents there are; each of them is told."""
    gate = gates()
    stalling.pool.slots.limit = 20
    reached = [gates() for _ in range(20)]
    for mine in reached:
        start(stalling, lambda _, mine=mine: (mine._reached.set(), gate.hold()))
    for mine in reached:
        mine.await_reached()
    assert len(stalling.pool.timer_thread.timers.heap) == 1
    looks(stalling, hand, 6)
    gate.open()
    stalling.owed.all(10)
    assert sorted(event.agent_id for event in stalled(stalling, told)) == list(range(1, 21))


def test_without_a_sink_it_is_logged(
    supervise: Any, start: Any, gate: Any, hand: Hand, log_lines: list[str], eventually: Any
) -> None:
    """One warning that names the agent, the seconds and the place."""
    supervisor = supervise(clock=hand, stalled_after=4.0)
    start(supervisor, lambda _: gate.hold(), name="stone")
    gate.await_reached()
    looks(supervisor, hand, 9)
    eventually(lambda: any("no progress" in line for line in log_lines))
    (line,) = [line for line in log_lines if "no progress" in line]
    assert line.startswith("WARNING agent 1 (stone) has made no progress for 4.0 s (running)")


def test_who_never_asked_is_never_told(
    supervise: Any, start: Any, gate: Any, hand: Hand, told: list[Any], log_lines: list[str]
) -> None:
    """Without ``stalled_after`` there is no timer at all."""
    supervisor = supervise(clock=hand, sink=told.append)
    start(supervisor, lambda _: gate.hold())
    gate.await_reached()
    assert supervisor.pool.timer_thread.timers.next_at() == float("inf")
    looks(supervisor, hand, 9)
    assert stalled(supervisor, told) == []
    assert not [line for line in log_lines if "no progress" in line]
