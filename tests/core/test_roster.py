"""Admission, the hand-out of slots, and the one step in which an agent ends."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors.core.records.event import AgentEnded, AgentQueued, AgentStarted
from actors.core.records.message import AgentMessage
from actors.core.records.outcome import AgentStatus
from actors.core.records.pool_stats import PoolStats
from actors.core.records.usage import TokenUsage
from actors.errors import CapacityError, NotRegistered, PoolClosed


def test_ids_start_at_one_and_rise_by_one(supervise: Any, spec: Any) -> None:
    """In the order of admission; a refused spawn uses none."""
    supervisor = supervise(max_concurrent=1, max_queued=3)
    first = supervisor.admission.admit([spec(), spec()], owner=supervisor.owed)
    with pytest.raises(CapacityError):
        supervisor.admission.admit([spec()] * 9, owner=supervisor.owed)
    second = supervisor.admission.admit([spec()], owner=supervisor.owed, timeout=10)
    assert [cell.id for cell in [*first, *second]] == [1, 2, 3]
    assert sorted(supervisor.owed.all(10)) == [1, 2, 3]


def test_a_full_pool_refuses_at_once(supervise: Any, start: Any, gate: Any) -> None:
    """No slot and no place in the queue; the message says what there is, and nothing is changed."""
    supervisor = supervise(max_concurrent=1, max_queued=1)
    running = start(supervisor, gate.hold)
    queued = start(supervisor)
    with pytest.raises(CapacityError, match="1 active of 1, 1 queued"):
        start(supervisor)
    assert len(supervisor.owed) == 2
    assert [running.status, queued.status] == ["running", "queued"]
    gate.open()
    assert sorted(supervisor.owed.all(10)) == [1, 2]


def test_more_than_could_ever_fit_is_refused_even_with_a_timeout(supervise: Any, spec: Any) -> None:
    """Waiting could not help."""
    supervisor = supervise(max_concurrent=2, max_queued=1)
    with pytest.raises(CapacityError, match="4 agents can never fit"):
        supervisor.admission.admit([spec()] * 4, owner=supervisor.owed, timeout=None)


def test_max_live_bounds_what_could_ever_fit(supervise: Any, spec: Any) -> None:
    """More slots than live agents allowed: the smaller bound counts."""
    supervisor = supervise(max_concurrent=5, max_queued=0, max_live=2)
    with pytest.raises(CapacityError, match="3 agents can never fit"):
        supervisor.admission.admit([spec()] * 3, owner=supervisor.owed, timeout=None)


def test_a_pool_without_slots_takes_nobody(supervise: Any, start: Any) -> None:
    """max_concurrent 0 refuses all, whatever the queue."""
    for max_queued in (0, 5, None):
        with pytest.raises(CapacityError, match="max_concurrent is 0"):
            start(supervise(max_concurrent=0, max_queued=max_queued))


def test_all_or_none_are_admitted(supervise: Any, spec: Any, start: Any, gate: Any) -> None:
    """A group that does not fit leaves nobody behind."""
    supervisor = supervise(max_concurrent=2, max_queued=1)
    start(supervisor, gate.hold)
    with pytest.raises(CapacityError):
        supervisor.admission.admit([spec()] * 3, owner=supervisor.owed)
    assert len(supervisor.owed) == 1
    assert supervisor.pool.counts() == (1, 0)
    assert supervisor.pool.router.agent_count == 1
    cells = supervisor.admission.admit([spec()] * 2, owner=supervisor.owed)
    assert [cell.id for cell in cells] == [2, 3]
    gate.open()
    assert len(supervisor.owed.all(10)) == 3


def test_an_empty_group_is_admitted(supervise: Any) -> None:
    """Nobody is nobody."""
    assert supervise(max_concurrent=1).admission.admit([], owner=None) == []


# Waiting for room -----------------------------------------------------------------------------------------------


def test_a_spawn_waits_for_room(supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """With a timeout it is admitted as soon as somebody ends."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    first = start(supervisor, gate.hold)
    waiting = in_thread(start, supervisor, lambda _: "second", admit={"timeout": 10})
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    assert supervisor.pool.slots.need
    gate.open()
    first.result(10)
    assert waiting.result(10).result(10) == "second"


def test_a_spawn_that_waits_in_vain_is_refused(supervise: Any, start: Any, gate: Any) -> None:
    """CapacityError after the timeout, and it stands in the line no more."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    start(supervisor, gate.hold)
    with pytest.raises(CapacityError, match=r"no room for 1 agent within 0\.01 s"):
        start(supervisor, admit={"timeout": 0.01})
    assert not supervisor.pool.roster.waiting_spawns
    gate.open()


def test_first_come_first_served(
    supervise: Any, spec: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """A small spawn does not overtake a large one that came before; not even one that would fit at once."""
    supervisor = supervise(max_concurrent=2, max_queued=0)
    start(supervisor, gate.hold)
    large = in_thread(supervisor.admission.admit, [spec(), spec()], owner=supervisor.owed, timeout=10)
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    with pytest.raises(CapacityError):
        start(supervisor)
    small = in_thread(start, supervisor, admit={"timeout": 10})
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 2)
    gate.open()
    assert [cell.id for cell in large.result(10)] == [2, 3]
    assert small.result(10).id == 4
    assert len(supervisor.owed.all(10)) == 4


def test_a_large_spawn_that_gives_up_lets_the_smaller_one_behind_it_in(
    supervise: Any, spec: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Who stands behind may need less room."""
    supervisor = supervise(max_concurrent=2, max_queued=0)
    start(supervisor, gate.hold)
    large = in_thread(supervisor.admission.admit, [spec(), spec()], owner=supervisor.owed, timeout=0.1)
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    small = in_thread(start, supervisor, lambda _: "small", admit={"timeout": 10})
    with pytest.raises(CapacityError):
        large.result(10)
    assert small.result(10).result(10) == "small"
    gate.open()


def test_a_parked_agents_slot_makes_room(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """A spawn that waits gets in when the one that runs parks: room is a slot, not an end."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    ran = threading.Event()

    def first(cell: Any) -> None:
        gate.hold()
        cell.host.park(cell, "tea")
        assert ran.wait(10)
        cell.host.unpark(cell)

    one = start(supervisor, first)
    waiting = in_thread(start, supervisor, lambda _: ran.set(), admit={"timeout": 10})
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    gate.open()
    waiting.result(10).result(10)
    one.result(10)


def test_who_waits_for_room_when_the_pool_closes_is_told(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """PoolClosed, not a timeout."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    start(supervisor, gate.hold)
    waiting = in_thread(start, supervisor, admit={"timeout": None})
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    draining = in_thread(supervisor.shutdown.drain, 10)
    with pytest.raises(PoolClosed, match="closed while the spawn waited"):
        waiting.result(10)
    gate.open()
    assert draining.result(10) is True


def test_more_slots_let_waiting_ones_in(supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """resize() is room, too."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    start(supervisor, gate.hold)
    waiting = in_thread(start, supervisor, lambda _: "in", admit={"timeout": 10})
    eventually(lambda: len(supervisor.pool.roster.waiting_spawns) == 1)
    supervisor.resize(2)
    assert waiting.result(10).result(10) == "in"
    gate.open()


def test_fewer_slots_hold_for_later_ones(supervise: Any, start: Any, gates: Any) -> None:
    """Who runs runs on; the next one starts when fewer than the new limit run."""
    supervisor = supervise(max_concurrent=2, max_queued=None)
    one, two = gates(), gates()
    first, second = start(supervisor, one.hold), start(supervisor, two.hold)
    third = start(supervisor)
    supervisor.resize(1)
    one.open()
    first.result(10)
    assert third.status == "queued"
    two.open()
    second.result(10)
    assert third.result(10) is None


# The hand-out ---------------------------------------------------------------------------------------------------


def test_queued_agents_start_by_priority_then_group_then_age(supervise: Any, start: Any, gate: Any) -> None:
    """As the queue says."""
    supervisor = supervise(max_concurrent=1)
    order: list[str] = []
    start(supervisor, gate.hold)
    for name, priority, group in (("a1", 0, "a"), ("a2", 0, "a"), ("b1", 0, "b"), ("urgent", 1, "a")):
        start(supervisor, lambda _, name=name: order.append(name), priority=priority, group=group)
    gate.open()
    supervisor.owed.all(10)
    assert order == ["urgent", "a1", "b1", "a2"]


def test_children_come_before_the_queue(supervise: Any, start: Any, gate: Any) -> None:
    """A child is never refused and starts before agents that were queued long before it."""
    supervisor = supervise(max_concurrent=1, max_queued=1)
    order: list[str] = []

    def parent(cell: Any) -> None:
        gate.hold()
        children = [start(supervisor, lambda _, n=n: order.append(f"child{n}"), parent=cell) for n in (1, 2)]
        for child in children:
            child.result(10)

    one = start(supervisor, parent)
    start(supervisor, lambda _: order.append("queued"))
    gate.open()
    one.result(10)
    supervisor.owed.all(10)
    assert order[:2] == ["child1", "child2"]
    assert order[2:] == ["queued"]


def test_woken_agents_come_before_children(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """The free slot goes to who waits to go on."""
    supervisor = supervise(max_concurrent=1)
    order: list[str] = []
    parked, running = gates(), gates()

    def sleeper(cell: Any) -> None:
        cell.host.park(cell, "tea")
        parked.hold()
        cell.host.unpark(cell)
        order.append("woken")

    def parent(cell: Any) -> None:
        start(supervisor, lambda _: order.append("child"), parent=cell)
        running.hold()
        order.append("parent")
        supervisor.wait_ended(next(iter(cell.children.values())), 10)

    first = start(supervisor, sleeper)
    parked.await_reached()
    second = start(supervisor, parent)
    running.await_reached()
    parked.open()
    eventually(lambda: first._cell in supervisor.pool.slots.woken)
    running.open()
    first.result(10)
    second.result(10)
    assert order == ["parent", "woken", "child"]


def test_queued_agents_start_only_below_max_live(supervise: Any, start: Any, gates: Any) -> None:
    """Parked agents count as live: with the bound reached nobody new starts, although a slot is free."""
    supervisor = supervise(max_concurrent=2, max_live=1)
    parked = gates()

    def sleeper(cell: Any) -> None:
        cell.host.park(cell, "tea")
        parked.hold()
        cell.host.unpark(cell)

    first = start(supervisor, sleeper)
    parked.await_reached()
    second = start(supervisor)
    assert second.status == "queued"
    parked.open()
    first.result(10)
    assert second.result(10) is None


def test_children_are_exempt_from_max_live(supervise: Any, start: Any) -> None:
    """Else a parent that waits for its child would wait for ever."""
    supervisor = supervise(max_concurrent=1, max_live=1)
    outcome = start(supervisor, lambda cell: start(supervisor, lambda _: "child", parent=cell).result(10))
    assert outcome.result(10) == "child"


# The end in one step --------------------------------------------------------------------------------------------


def test_when_the_outcome_is_visible_everything_else_is_gone(supervise: Any, start: Any) -> None:
    """I10: at the first moment at which anybody sees the outcome, id, mailbox and slot are gone."""
    supervisor = supervise(max_concurrent=1)
    seen: list[Any] = []
    handle = start(supervisor)
    handle.add_done_callback(
        lambda h: seen.append(
            (supervisor.pool.router.agent_count, supervisor.pool.slots.held, supervisor.pool.counts(), h.done())
        )
    )
    handle.result(10)
    supervisor.shutdown.drain(10)
    assert seen == [(0, 0, (0, 0), True)]
    with pytest.raises(NotRegistered):
        supervisor.pool.router.send(AgentMessage(0, 1, "too late"))


def test_unread_messages_become_dead_letters(supervise: Any, start: Any, gate: Any) -> None:
    """With the reason; a message that was read does not."""
    supervisor = supervise()
    handle = start(supervisor, lambda cell: (gate.hold(), supervisor.pool.router.open(cell).get(10)))
    for text in ("read", "unread"):
        supervisor.pool.router.send(AgentMessage(0, handle.id, text))
    gate.open()
    handle.result(10)
    assert [(letter.message.content, letter.reason) for letter in supervisor.pool.router.dead_letters] == [
        ("unread", "receiver_ended")
    ]


def test_messages_to_a_queued_agent_wait_for_it(supervise: Any, start: Any, gate: Any) -> None:
    """Its mailbox is there from its admission."""
    supervisor = supervise(max_concurrent=1)
    start(supervisor, gate.hold)
    queued = start(supervisor, lambda cell: supervisor.pool.router.open(cell).get(0).content)
    supervisor.pool.router.send(AgentMessage(0, queued.id, "early"))
    gate.open()
    assert queued.result(10) == "early"


def test_a_queued_agent_that_is_cancelled_never_starts(supervise: Any, start: Any, gate: Any) -> None:
    """Its outcome comes at once, without a start, and its place in the queue is free."""
    supervisor = supervise(max_concurrent=1, max_queued=1)
    start(supervisor, gate.hold)
    queued = start(supervisor, lambda _: pytest.fail("started"))
    queued.cancel("never mind")
    outcome = queued.outcome(0)
    assert (outcome.status, outcome.started_at, outcome.duration) == ("cancelled", None, 0.0)
    again = start(supervisor, lambda _: "second")
    gate.open()
    assert again.result(10) == "second"
    assert supervisor.pool.roster.started == 2


def test_the_books_agree_at_the_end(supervise: Any, start: Any) -> None:
    """started, ended by status, and nothing live."""
    supervisor = supervise()

    def crash(_: Any) -> None:
        raise KeyError

    for fn in (crash, lambda _: 1, lambda _: 2):
        start(supervisor, fn)
    supervisor.owed.all(10)
    figures = supervisor.figures()
    assert figures == PoolStats(
        active=0,
        queued=0,
        outstanding=0,
        parked=0,
        abandoned_threads=0,
        dead_letters=0,
        started=3,
        ended={AgentStatus.CRASHED: 1, AgentStatus.COMPLETED: 2},
        usage=TokenUsage(0, 0),
        cost_usd=0.0,
        iterations=0,
        tool_calls=0,
    )
    assert supervisor.pool.roster.is_idle()
    assert supervisor.pool.roster.find(1) is None


def test_events_tell_the_life_in_order(supervise: Any, start: Any, gate: Any) -> None:
    """Queued only for who had to wait; started and ended for all, the error as text."""
    events: list[Any] = []
    supervisor = supervise(max_concurrent=1, sink=events.append)

    def fail(_: Any) -> None:
        raise ValueError("words")

    start(supervisor, gate.hold)
    start(supervisor, fail)
    gate.open()
    supervisor.owed.all(10)
    supervisor.shutdown.close()
    kinds = [(type(event), event.agent_id) for event in events]
    assert kinds == [
        (AgentStarted, 1),
        (AgentQueued, 2),
        (AgentEnded, 1),
        (AgentStarted, 2),
        (AgentEnded, 2),
    ]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert events[2].error is None
    assert "words" in events[4].error
    assert events[4].status == "crashed"
