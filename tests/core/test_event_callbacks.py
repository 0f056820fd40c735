"""The ``on_event`` of a config, and what a program sends its agents."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import AgentManifest, AgentPool, DeadLetter, Event, InboxFull, NotRegistered, ScriptedDriver, SpawnConfig
from tests.waiting import BOUND, eventually

from .test_event_reader import Doing, Tick, doing, kinds, waits


def ticks(agent: Doing) -> None:
    """Three events."""
    for n in range(3):
        agent.emit(Tick(n=n))


LIFE = ["AgentStarted", "Tick", "Tick", "Tick", "AgentEnded"]


def test_each_event_in_order_and_not_on_the_thread_of_the_agent() -> None:
    """Also of one that a map starts; numbered as in its stream, with its tag. Closing the pool waits for it."""
    told: list[Event] = []
    threads: set[str] = set()

    def hear(event: Event) -> None:
        threads.add(threading.current_thread().name)
        told.append(event)

    with AgentPool(name="team") as pool:
        handle = pool.spawn(doing(ticks, on_event=hear, tag={"a": 1}))
        handle.result(BOUND)
        list(pool.map([doing(ticks, on_event=hear)]))
    assert threads == {"team-callbacks"}
    mine = [event for event in told if event.agent_id == 1]
    assert mine == list(handle.events())
    assert {str(event.tag) for event in mine} == {"{'a': 1}"}
    for number in (1, 2):
        events = [event for event in told if event.agent_id == number]
        assert kinds(events) == LIFE
        assert [event.seq for event in events] == [1, 2, 3, 4, 5]


def test_there_is_a_thread_only_where_it_is_used() -> None:
    """And it ends with the pool."""
    with AgentPool(name="quiet") as pool:
        pool.spawn(doing(ticks)).result(BOUND)
        assert not any("callbacks" in thread.name for thread in threading.enumerate())
        pool.spawn(doing(ticks, on_event=lambda _: None)).result(BOUND)
    assert not any("callbacks" in thread.name for thread in threading.enumerate())


def test_one_that_waits_for_a_slot_is_told_of_at_once(gate: Any) -> None:
    """It is queued."""
    told: list[Event] = []
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        pool.fan_out([doing(gate.hold), doing(ticks, on_event=told.append)])
        eventually(lambda: kinds(told) == ["AgentQueued"])
        gate.open()
    assert kinds(told) == ["AgentQueued", *LIFE]


def test_a_slow_one_holds_up_no_agent_and_no_sink(gate: Any) -> None:
    """Others of its kind wait for it; nothing is lost."""
    told: list[Event] = []
    seen: list[Event] = []

    def slow(event: Event) -> None:
        gate.arrive()
        told.append(event)

    with AgentPool(max_concurrent=2, on_event=seen.append) as pool:
        handles = [pool.spawn(doing(ticks, on_event=slow)), pool.spawn(doing(ticks))]
        gate.await_reached()
        for handle in handles:
            handle.result(BOUND)
        eventually(lambda: kinds(seen).count("AgentEnded") == 2)
        assert told == []
        gate.open()
    assert kinds(told) == LIFE


@pytest.mark.parametrize("error", [ValueError("broke"), SystemExit(1), KeyboardInterrupt()], ids=repr)
def test_one_that_raises_is_logged_once_and_called_again(error: BaseException, log_lines: list[str]) -> None:
    """And harms nobody."""
    told: list[Event] = []

    def broken(event: Event) -> None:
        told.append(event)
        raise error

    with AgentPool() as pool:
        pool.spawn(doing(ticks, on_event=broken)).result(BOUND)
    assert kinds(told) == LIFE
    assert sum("on_event of agent 1 (bot) failed" in line for line in log_lines) == 1


def test_children_have_their_own() -> None:
    """It is not handed down."""
    told: list[Event] = []
    childs: list[Event] = []

    def parent(agent: Doing) -> None:
        agent.spawn(doing(ticks)).result(BOUND)
        agent.spawn(doing(ticks, on_event=childs.append)).result(BOUND)

    with AgentPool() as pool:
        pool.spawn(doing(parent, on_event=told.append)).result(BOUND)
    assert {event.agent_id for event in told} == {1}
    assert {event.agent_id for event in childs} == {3}
    assert "Tick" in kinds(childs)


def test_one_that_is_no_function_is_refused() -> None:
    """At once."""
    with pytest.raises(ValueError, match="on_event"):
        doing(ticks, on_event=1)


def test_a_callback_may_wait_for_its_agent_and_close_the_pool() -> None:
    """It is on nobody's thread."""
    outcomes: list[Any] = []
    pool = AgentPool()

    def hear(event: Event) -> None:
        if type(event).__name__ == "AgentEnded":
            outcomes.append(pool.join_next(BOUND))
            pool.close()

    pool.spawn(doing(ticks, on_event=hear))
    eventually(lambda: len(outcomes) == 1)
    pool.close()
    assert outcomes[0].ok


def test_the_sink_of_the_pool_is_told_the_tag() -> None:
    """Of each event."""
    seen: list[Event] = []
    with AgentPool(ScriptedDriver(["hello"]), on_event=seen.append) as pool:
        pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", tag=("job", 7))).result(BOUND)
    assert len(seen) >= 5
    assert {event.tag for event in seen} == {("job", 7)}


# Messages -------------------------------------------------------------------------------------------------------


def test_a_handle_sends(gate: Any) -> None:
    """From the program; a full inbox and an end are told as by the router."""

    def held(agent: Doing) -> Any:
        gate.arrive()
        return [(message.sender, message.content) for message in iter(agent.inbox.receive_nowait, None)]

    with AgentPool(inbox_capacity=2) as pool:
        handle = pool.spawn(doing(held))
        gate.await_reached()
        assert handle.messages_in == 0
        handle.send("a")
        handle.send("b", timeout=None)
        assert handle.messages_in == 2
        with pytest.raises(InboxFull):
            handle.send("c")
        with pytest.raises(InboxFull):
            handle.send("c", timeout=0.01)
        gate.open()
        assert handle.result(BOUND) == [(0, "a"), (0, "b")]
        assert handle.messages_in == 0
        with pytest.raises(NotRegistered):
            handle.send("late")


def test_a_broadcast_reaches_all_that_have_not_ended(gate: Any) -> None:
    """Of a group, queued ones, too; who has no room is a dead letter and is not counted."""
    letters: list[DeadLetter] = []

    def first_message(agent: Doing) -> Any:
        return agent.receive(BOUND).content

    with AgentPool(max_concurrent=2, max_queued=None, inbox_capacity=1, on_undelivered=letters.append) as pool:
        pool.spawn(doing(lambda _: 1)).result(BOUND)
        red = pool.fan_out([doing(first_message, group="red")] * 3)
        blue = pool.spawn(doing(gate.hold, group=("blue", 1)))
        gate.await_reached()
        eventually(lambda: all(map(waits, red)))
        assert pool.broadcast("paint", group="red") == 3
        assert [handle.result(BOUND) for handle in red] == ["paint"] * 3
        assert pool.broadcast("one", group=("blue", 1)) == 1
        assert pool.broadcast("two") == 0
        assert [(letter.message.content, letter.message.to, letter.reason) for letter in letters] == [
            ("two", blue.id, "inbox_full")
        ]
        assert pool.broadcast("nobody", group="green") == 0
        gate.open()
    assert pool.broadcast("late") == 0
