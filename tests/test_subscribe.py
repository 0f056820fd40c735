"""``pool.subscribe``: sinks that come and go while a pool works, each for itself."""

from __future__ import annotations

import gc
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, AgentStatus, ForkedPoolError, PoolClosed
from actors.core.scheduling.event_log import EVENTS
from actors.core.supervision.event_sink import EventSink
from actors.events import AgentEnded, AgentResumed, AgentStarted, Event, EventsMissed, TextDelta, ToolStarted
from tests.contract.doubles import WAIT, doing, echo
from tests.waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Callable


class Note(Event):
    """An event of an agent of these tests."""

    n: int


def noting(agent: Any, _: str) -> None:
    """Tells an event for each message, until one says stop."""
    while (said := agent.receive(BOUND).content) != "stop":
        agent.emit(Note(n=said))


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def is_gapless(events: list[Event]) -> bool:
    return [event.seq for event in events] == list(range(1, len(events) + 1))


def test_a_later_sink_hears_who_works_already() -> None:
    """From then on, by a ``seq`` of its own from 1; also an agent whose events nobody heard before."""
    early: list[Event] = []
    late: list[Event] = []
    with AgentPool(on_event=early.append) as pool:
        handle = pool.spawn(doing(noting))
        handle.send(1, timeout=WAIT)
        eventually(lambda: "Note" in names(early))
        pool.subscribe(late.append)
        handle.send(2, timeout=WAIT)
        handle.send("stop", timeout=WAIT)
    assert [event.n for event in late if isinstance(event, Note)] == [2]
    assert isinstance(late[-1], AgentEnded)
    assert is_gapless(early)
    assert is_gapless(late)
    assert [event.moment for event in early[-len(late) :]] == [event.moment for event in late]


@pytest.mark.parametrize("way", ["spawn", "map", "submit"])
def test_an_agent_that_nobody_heard_is_heard_from_then_on(way: str, gate: Any) -> None:
    """However it was started: its end is told."""
    told: list[Event] = []
    with AgentPool() as pool:
        if way == "spawn":
            pool.spawn(doing(lambda agent, _: gate.hold()))
        elif way == "submit":
            pool.submit(gate.hold)
        else:
            mapped = pool.map([doing(lambda agent, _: gate.hold())])
            threading.Thread(target=list, args=(mapped,), daemon=True).start()
        gate.await_reached()
        pool.subscribe(told.append)
        gate.open()
        pool.drain(WAIT)
    assert names(told)[-1] == "AgentEnded"


def test_a_context_that_knew_its_log_tells_a_later_sink() -> None:
    """And goes back to the log alone when that has ended; a reader of the handle misses nothing."""
    told: list[Event] = []
    with AgentPool() as pool:
        handle = pool.spawn(doing(noting))
        reader = handle.events(BOUND)
        for n in range(3):
            handle.send(n, timeout=WAIT)
        while not isinstance(event := next(reader), Note) or event.n < 2:
            pass
        end = pool.subscribe(told.append)
        handle.send(3, timeout=WAIT)
        while not isinstance(event := next(reader), Note):
            pass
        end()
        handle.send(4, timeout=WAIT)
        handle.send("stop", timeout=WAIT)
        assert [event.n for event in reader if isinstance(event, Note)] == [4]
    assert [event.n for event in told if isinstance(event, Note)] == [3]


def test_one_that_was_made_before_and_admitted_after_is_heard(gate: Any) -> None:
    """A spawn that waits for room while the sink comes."""
    told: list[Event] = []
    with AgentPool(max_concurrent=1) as pool:
        pool.spawn(doing(lambda agent, _: gate.hold()))
        gate.await_reached()
        waits = threading.Thread(target=lambda: pool.spawn(echo(), timeout=WAIT))
        waits.start()
        eventually(lambda: pool._core.pool.roster.waiting_spawns)
        pool.subscribe(told.append)
        gate.open()
        waits.join(BOUND)
        pool.drain(WAIT)
    assert [event.agent_id for event in told if isinstance(event, AgentStarted)] == [2]


def test_the_same_sink_twice_is_two(log_lines: list[str]) -> None:
    """Each ends for itself, and ending one twice is nothing."""
    told: list[Event] = []
    with AgentPool() as pool:
        ends = [pool.subscribe(told.append) for _ in range(2)]
        pool.spawn(echo()).result(WAIT)
        ends[0]()
        ends[0]()
        pool.spawn(echo()).result(WAIT)
    assert sorted(event.seq for event in told if event.agent_id == 1) == [1, 1, 2, 2]
    assert [event.seq for event in told if event.agent_id == 2] == [3, 4]
    assert log_lines == []


def test_what_had_happened_when_a_subscription_ends_is_told() -> None:
    """It returns when that is done; what comes after is not told."""
    told: list[Event] = []
    with AgentPool() as pool:
        end = pool.subscribe(told.append)
        pool.spawn(echo()).result(WAIT)
        end()
        assert names(told) == ["AgentStarted", "AgentEnded"]
        pool.spawn(echo()).result(WAIT)
    assert len(told) == 2


def test_a_sink_may_end_itself_in_a_call() -> None:
    """That call is its last one, whatever is queued."""
    told: list[Event] = []
    ends: list[Callable[[], None]] = []
    ready = threading.Event()

    def sink(event: Event) -> None:
        assert ready.wait(BOUND)
        told.append(event)
        ends[0]()

    with AgentPool() as pool:
        ends.append(pool.subscribe(sink))
        pool.spawn(echo()).result(WAIT)
        ready.set()
    assert names(told) == ["AgentStarted"]


def test_a_sink_may_subscribe_another_one() -> None:
    """In a call of its own, which hears from then on."""
    more: list[Event] = []
    first = threading.Event()

    def sink(event: Event) -> None:
        if not first.is_set():
            pool.subscribe(more.append)
            first.set()

    with AgentPool(on_event=sink) as pool:
        pool.spawn(echo())
        assert first.wait(BOUND)
        pool.spawn(echo()).result(WAIT)
    assert "AgentEnded" in names([event for event in more if event.agent_id == 2])
    assert is_gapless(more)


def test_one_that_blocks_for_ever_harms_nobody(gate: Any, log_lines: list[str]) -> None:
    """The others' ``seq`` has no gap, and all the stuck ones together cost closing the pool one bound."""
    told: list[Event] = []
    with AgentPool(abort_timeout=0.1) as pool:
        pool.subscribe(lambda _: gate.hold())
        pool.subscribe(lambda _: gate.hold())
        pool.subscribe(told.append)
        for _ in range(20):
            pool.spawn(echo(), timeout=WAIT).result(WAIT)
        clock = pool._core.clock
        before = clock.monotonic()
    assert clock.monotonic() - before < 1.9  # each alone has 1 s
    assert is_gapless(told)
    assert names(told).count("AgentEnded") == 20
    assert sum("is stuck" in line for line in log_lines) == 1


def test_one_that_raises_harms_nobody(log_lines: list[str]) -> None:
    """It is called again, and the log says so once."""
    told: list[Event] = []
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise ValueError("broken")

    with AgentPool() as pool:
        pool.subscribe(broken)
        pool.subscribe(told.append)
        pool.spawn(echo())
    assert [event.seq for event in calls] == [event.seq for event in told] == [1, 2]
    assert sum("the event sink failed" in line for line in log_lines) == 1


def test_without_sinks_nothing_is_made() -> None:
    """Not before the first one, and not after the last: agents are as they were."""
    with AgentPool() as pool:
        handle = pool.submit(int)
        assert handle.outcome(WAIT).result == 0
        end = pool.subscribe(lambda _: None)
        other = pool.subscribe(lambda _: None)
        end()
        assert pool._core.pool.listening
        other()
        assert not pool._core.pool.listening
        quiet = pool.submit(int)
        quiet.outcome(WAIT)
        assert EVENTS not in quiet._cell.lazies
        assert not quiet._cell.heard
        assert quiet._cell.told == 0


def test_who_works_on_when_the_last_sink_ends_is_heard_no_more(gate: Any) -> None:
    """Its cell goes back to what it was, and a reader that comes then reads all the same."""
    with AgentPool() as pool:
        end = pool.subscribe(lambda _: None)
        handle = pool.submit(gate.hold)
        gate.await_reached()
        assert handle._cell.heard
        end()
        assert not handle._cell.heard
        gate.open()
        assert names(list(handle.events(BOUND))) == ["AgentStarted", "AgentEnded"]


@pytest.mark.parametrize("sink", [None, 1, "print", [print]], ids=repr)
def test_a_sink_is_a_function(sink: Any) -> None:
    """Anything else is refused when it is given."""
    with AgentPool() as pool, pytest.raises(TypeError, match="sink must be a function that takes an event"):
        pool.subscribe(sink)


def test_a_pool_that_has_ended_says_so() -> None:
    """A sink would wait for ever; a subscription of before ends without a word, and twice."""
    pool = AgentPool(name="past")
    end = pool.subscribe(print)
    pool.close()
    with pytest.raises(PoolClosed, match="past is closed: it has no more events"):
        pool.subscribe(print)
    end()
    end()


def test_no_thread_is_left() -> None:
    """Neither of one that has ended, nor of one that was refused."""
    before = set(threading.enumerate())
    pool = AgentPool()
    ends = [pool.subscribe(lambda _: None) for _ in range(8)]
    for end in ends:
        end()
    assert not {thread for thread in threading.enumerate() if "events" in thread.name} - before
    pool.subscribe(lambda _: None)
    pool.close()
    with pytest.raises(PoolClosed):
        pool.subscribe(print)
    eventually(lambda: set(threading.enumerate()) <= before)


def test_nothing_is_kept_of_a_sink_that_has_ended() -> None:
    """It may hold much."""

    class Sink:
        """A sink that can be watched."""

        def __call__(self, event: Event) -> None: ...

    def live() -> int:
        return sum(isinstance(one, Sink) for one in gc.get_objects())

    with AgentPool() as pool:
        pool.subscribe(Sink())()
        gc.collect()
        assert live() == 0


def test_many_come_and_go_while_agents_work() -> None:
    """Each hears without a gap whatever the others do."""
    heard: list[list[Event]] = []

    def visit() -> None:
        told: list[Event] = []
        heard.append(told)
        pool.subscribe(told.append)()

    with AgentPool(max_queued=None) as pool:
        pool.fan_out([echo() for _ in range(100)])
        visitors = [threading.Thread(target=lambda: [visit() for _ in range(5)]) for _ in range(4)]
        for thread in visitors:
            thread.start()
        for thread in visitors:
            thread.join(BOUND)
        assert pool.join_all(WAIT)
    assert len(heard) == 20
    assert all(is_gapless(told) for told in heard)


def test_a_flood_of_deltas_costs_a_slow_sink_deltas_alone(gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, and one event tells how many; every other event comes, and the text ends as it ended."""
    monkeypatch.setattr(EventSink, "MERGE_ABOVE", 10)
    monkeypatch.setattr(EventSink, "MOST_DELTAS", 40)
    monkeypatch.setattr(EventSink, "SPARE", 10)
    told: list[Event] = []

    def talk(agent: Any, _: str) -> None:
        gate.await_reached()
        for n in range(200):
            agent.emit(TextDelta(text=f"{n} ", attempt=n))  # of another attempt: they cannot be merged
            if n % 50 == 49:
                agent.emit(Note(n=n))

    with AgentPool() as pool:
        pool.subscribe(lambda event: (gate.hold(), told.append(event)))
        pool.spawn(doing(talk)).result(WAIT)
        gate.open()
    missed = sum(event.count for event in told if isinstance(event, EventsMissed))
    deltas = [event for event in told if isinstance(event, TextDelta)]
    assert missed + len(deltas) == 200
    assert 30 <= len(deltas) <= 40
    assert [event.n for event in told if isinstance(event, Note)] == [49, 99, 149, 199]
    assert deltas[-1].text == "199 "
    assert {event.agent_id for event in told} == {1}
    assert is_gapless(told)
    assert [event.moment for event in told] == sorted(event.moment for event in told)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.process
def test_a_forked_child_is_refused() -> None:
    """Its parent's pool has no threads there."""
    with AgentPool() as pool:
        end = pool.subscribe(lambda _: None)
        child = os.fork()
        if child == 0:
            refused = 0
            try:
                for call in (lambda: pool.subscribe(print), end):
                    try:
                        call()
                    except ForkedPoolError:
                        refused += 1
            finally:
                os._exit(2 - refused)
        assert os.waitpid(child, 0)[1] == 0


def test_an_event_is_a_line_for_reading() -> None:
    """What happened, to whom, and what it tells; whatever a model called things, however long."""
    assert str(AgentEnded(agent_id=3, agent="writer", status=AgentStatus.COMPLETED)) == (
        "AgentEnded of agent 3 (writer): status='completed'"
    )
    assert str(AgentResumed()) == "AgentResumed of the pool"
    hostile = str(ToolStarted(agent_id=1, agent="a\n\u202eb", call_id="\u2028", tool="x" * 1000))
    assert hostile.startswith("ToolStarted of agent 1 (a\\n\\u202eb): call_id='\\u2028', tool='xxx")
    assert hostile.isprintable()
    assert len(hostile) < 400
