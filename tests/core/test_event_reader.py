"""Reading the events of one agent: from the first to the last, by anybody, at any time."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

import pytest

from actors import (
    Agent,
    AgentCrashed,
    AgentManifest,
    AgentPool,
    Backoff,
    Cancelled,
    Event,
    RestartPolicy,
    SpawnConfig,
    TextDelta,
)
from actors.events import AgentParked, AgentStarted, TextRestarted
from tests.waiting import BOUND, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import AgentHandle


class Tick(Event):
    """An event of an agent's own."""

    n: int


class Doing(Agent[Any]):
    """An agent that calls a function with itself."""

    def __init__(self, fn: Callable[[Doing], Any]) -> None:
        self._fn = fn

    def run(self, query: Any) -> Any:
        return self._fn(self)


def doing(fn: Callable[[Doing], Any], **options: Any) -> SpawnConfig[Any]:
    return SpawnConfig(AgentManifest(name="bot"), "q", agent=Doing, kwargs={"fn": fn}, **options)


def ticking(agent: Doing) -> None:
    """Three events, each for a message."""
    for n in range(3):
        agent.receive(BOUND)
        agent.emit(Tick(n=n))


def kinds(events: Any) -> list[str]:
    return [type(event).__name__ for event in events]


LIFE = ["AgentStarted", *["AgentParked", "AgentResumed", "MessageRead", "Tick"] * 3, "AgentEnded"]


def waits(handle: AgentHandle[Any]) -> bool:
    """Does it wait for a message?"""
    return handle.status == "parked" and not handle.messages_in


def drive(handle: AgentHandle[Any], count: int = 3) -> None:
    """Send so many messages, each when it waits for one."""
    for _ in range(count):
        eventually(lambda: waits(handle))
        handle.send("go")


def test_each_reader_gets_all_of_it() -> None:
    """Early, late, after the end, twice, two at once: from the first event on, numbered from 1, and then it is over."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(ticking, tag="mine"))
        early = handle.events(BOUND)
        assert isinstance(next(early), AgentStarted)
        drive(handle, 1)
        eventually(lambda: waits(handle))
        late = handle.events(BOUND)
        drive(handle, 2)
        seen = list(late)
        assert handle.done()  # who has read the end sees the outcome
        assert [event.n for event in seen if isinstance(event, Tick)] == [0, 1, 2]
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert {(event.agent_id, event.agent, event.tag) for event in seen} == {(1, "bot", "mine")}
        assert [event.at for event in seen] == sorted(event.at for event in seen if event.at)
        assert seen[1:] == list(early)
        assert list(handle.events()) == list(handle.events(0)) == seen
        assert list(late) == []
    assert list(handle.events()) == seen  # also when the pool is closed


def test_the_steps_of_a_life_are_told_though_nobody_read(gate: Any) -> None:
    """Queued, started, ended, at their times; one that never started was queued and ended."""
    with AgentPool(max_concurrent=1, max_queued=2) as pool:
        _, second, third = pool.fan_out([doing(gate.hold), *[doing(lambda _: 1)] * 2])
        third.cancel()
        gate.open()
        outcome = second.outcome(BOUND)
        queued, started, ended = second.events(0)
        assert kinds([queued, started, ended]) == ["AgentQueued", "AgentStarted", "AgentEnded"]
        assert queued.at < started.at
        assert (started.at, ended.at, ended.status) == (outcome.started_at, outcome.ended_at, outcome.status)
        assert kinds(third.events(0)) == ["AgentQueued", "AgentEnded"]


def test_a_reader_may_come_before_the_start(gate: Any) -> None:
    """It is told of it."""
    with AgentPool(max_concurrent=1, max_queued=1) as pool:
        _, second = pool.fan_out([doing(gate.hold), doing(lambda _: 1)])
        reader = second.events(BOUND)
        assert kinds([next(reader)]) == ["AgentQueued"]
        gate.open()
        assert kinds(reader) == ["AgentStarted", "AgentEnded"]


def test_a_step_that_takes_too_long_loses_nothing() -> None:
    """The iterator goes on."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(ticking))
        reader = handle.events(0)
        seen: list[Event] = []
        for _ in range(3):
            eventually(lambda: waits(handle))
            with pytest.raises(TimeoutError, match="nothing is lost"):
                while True:
                    seen.append(next(reader))
            drive(handle, 1)
        handle.result(BOUND)
        seen += reader
        assert kinds(seen) == LIFE


def test_a_reader_can_be_left(in_thread: Any) -> None:
    """By close, as a context manager, or by dropping it: nobody keeps anything of it, and the agent runs on."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(ticking))
        with handle.events(BOUND) as reader:
            next(reader)
        assert list(reader) == []
        text = handle.text()
        text.close()
        assert list(text) == []
        dropped = handle.events()
        next(dropped)
        gone = weakref.ref(dropped)
        del dropped
        gc.collect()
        assert gone() is None
        drive(handle)
        handle.result(BOUND)
        assert not handle._cell.lazies["events"]._live()


def test_many_readers_in_threads(in_thread: Any) -> None:
    """Each gets the same."""
    with AgentPool(max_concurrent=4, max_queued=None) as pool:
        handles = pool.fan_out([doing(ticking)] * 8)
        reads = [in_thread(lambda one=handle: kinds(one.events(BOUND))) for handle in handles for _ in range(3)]
        for handle in handles:
            drive(handle)
        for read in reads:
            words = read.result(BOUND)
            assert [word for word in words if word != "AgentQueued"] == LIFE


def test_an_agent_that_talks_much_and_a_reader_that_stopped() -> None:
    """It holds nobody up, and its text is all there."""

    def talk(agent: Doing) -> None:
        agent.receive(BOUND)
        for number in range(20_000):
            agent.emit(TextDelta(text=f"{number} "))

    with AgentPool() as pool:
        handle = pool.spawn(doing(talk))
        reader = handle.text(BOUND)
        handle.send("go")
        first = next(reader)
        handle.result(BOUND)
        assert first + "".join(reader) == "".join(f"{number} " for number in range(20_000))
        assert len(handle._cell.lazies["events"]._entries) < 2_000


# Inside an agent ------------------------------------------------------------------------------------------------


def test_an_agent_reads_its_child() -> None:
    """Parked meanwhile; the handle of a child tells from the start."""

    def parent(agent: Doing) -> list[str]:
        child = agent.spawn(doing(ticking))
        words = []
        for event in child.events(BOUND):
            words.append(type(event).__name__)
            if isinstance(event, AgentParked):
                child.send("go")
        return words

    with AgentPool(max_concurrent=1) as pool:
        words = pool.spawn(doing(parent)).result(BOUND)
    assert [word for word in words if word != "AgentQueued"] == LIFE


def test_a_cancel_ends_a_wait_for_events() -> None:
    """As any other wait of an agent."""
    seen: list[Any] = []

    def parent(agent: Doing) -> None:
        child = agent.spawn(doing(lambda one: one.receive(BOUND)))
        try:
            seen.extend(child.events())
        except Cancelled as cancelled:
            seen.append(cancelled)
            raise

    with AgentPool(max_concurrent=2) as pool:
        handle = pool.spawn(doing(parent))
        eventually(lambda: AgentParked in map(type, seen) and handle.status == "parked")
        handle.cancel("enough")
        assert handle.outcome(BOUND).status == "cancelled"
    assert isinstance(seen[-1], Cancelled)


@pytest.mark.parametrize("reads", ["events", "aevents"])
def test_nobody_waits_for_events_of_itself_or_an_ancestor(reads: str) -> None:
    """Nor for those of one that waits for it."""

    def read(handle: AgentHandle[Any]) -> list[Any]:
        if reads == "events":
            return list(handle.events(BOUND))

        async def all_of_them() -> list[Any]:
            return [event async for event in handle.aevents(BOUND)]

        return asyncio.run(all_of_them())

    def own(agent: Doing) -> None:
        read(agent.receive(BOUND).content)

    def below(agent: Doing) -> None:
        mine = agent.receive(BOUND).content
        agent.spawn(doing(lambda _: read(mine))).result(BOUND)

    def waits_for_other(agent: Doing) -> None:
        agent.receive(BOUND).content.result(BOUND)

    with AgentPool(max_concurrent=4) as pool:
        for fn in (own, below):
            handle = pool.spawn(doing(fn))
            handle.send(handle)
            with pytest.raises(AgentCrashed, match="DeadlockError"):
                handle.result(BOUND)
        reader = pool.spawn(doing(own))
        waiter = pool.spawn(doing(waits_for_other))
        waiter.send(reader)
        eventually(lambda: waiter.status == "parked" and not waiter.messages_in)
        reader.send(waiter)
        with pytest.raises(AgentCrashed, match="DeadlockError"):
            reader.result(BOUND)
        waiter.outcome(BOUND)


# Ends -----------------------------------------------------------------------------------------------------------


def test_the_pool_is_closed_while_somebody_reads(in_thread: Any) -> None:
    """The stream ends as the agent does."""
    pool = AgentPool()
    handle = pool.spawn(doing(ticking))
    read = in_thread(lambda: list(handle.events()))
    eventually(lambda: handle.status == "parked")
    pool.close()
    events = read.result(BOUND)
    assert (kinds(events)[-1], events[-1].status) == ("AgentEnded", "cancelled")


def test_the_stream_of_an_abandoned_agent_ends(gate: Any) -> None:
    """What it does later is not told."""

    def stuck(agent: Doing) -> None:
        gate.arrive()
        agent.emit(Tick(n=1))

    with AgentPool(abort_timeout=0.05) as pool:
        handle = pool.spawn(doing(stuck))
        gate.await_reached()
        reader = handle.events(BOUND)
        handle.cancel()
        events = list(reader)
        assert events[-1].status == "abandoned"
        gate.open()
        eventually(lambda: not pool.stats().abandoned_threads)
        assert list(handle.events(0)) == events


def test_a_restart_is_told_and_text_begins_again() -> None:
    """What was said in the life before does not stand."""
    lives: list[int] = []

    def run(agent: Doing) -> None:
        lives.append(1)
        agent.emit(TextDelta(text="half" if len(lives) == 1 else "whole"))
        if len(lives) == 1:
            raise ValueError("once")

    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.0, jitter=0.0))
    with AgentPool(restart=policy) as pool:
        handle = pool.spawn(doing(run))
        handle.result(BOUND)
        pieces = list(handle.text())
        assert pieces == ["half", "", "whole"]
        assert isinstance(pieces[1], TextRestarted)
        assert pieces[1].kept == 0
        assert kinds(handle.events()).count("AgentRestarted") == 1


def test_what_is_no_event_is_refused() -> None:
    """In the line that emits it."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(lambda agent: agent.emit(cast("Event", "text"))))
        with pytest.raises(TypeError, match="an Event is emitted, or a subclass of it; got str"):
            handle.result(BOUND)


def test_events_are_kept_for_who_has_a_handle() -> None:
    """Of a function from the first reader on, of a map for nobody."""
    with AgentPool() as pool:
        kept = pool.spawn(doing(lambda agent: agent.emit(Tick(n=1))))
        kept.result(BOUND)
        assert kinds(kept.events()) == ["AgentStarted", "Tick", "AgentEnded"]
        plain = pool.spawn(doing(lambda _: 1))
        plain.result(BOUND)
        assert "events" not in plain._cell.lazies  # what its cell can tell is not kept twice
        function = pool.submit(threading.Event().wait, 0)
        function.result(BOUND)
        assert kinds(function.events()) == ["AgentStarted", "AgentEnded"]


# Coroutines -----------------------------------------------------------------------------------------------------


def test_a_coroutine_reads_the_same() -> None:
    """A cancelled await loses nothing; a step that takes too long, neither."""

    async def main(pool: AgentPool) -> None:
        handle = pool.spawn(doing(ticking))
        reader = handle.aevents(BOUND)
        seen = [await anext(reader), await anext(reader)]
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(TimeoutError):
            async for _ in handle.aevents(0.001):
                pass
        drive(handle)
        seen += [event async for event in reader]
        assert kinds(seen) == LIFE
        async with handle.aevents() as again:
            assert await anext(again) == seen[0]
        assert [event async for event in again] == []
        assert [event async for event in handle.aevents()] == list(handle.events())

    with AgentPool() as pool:
        asyncio.run(main(pool))


def test_a_loop_that_is_closed_meanwhile_harms_nobody(log_lines: list[str]) -> None:
    """The agent goes on, and other readers, too."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(ticking))
        loop = asyncio.new_event_loop()

        async def begin() -> asyncio.Task[Any]:
            reader = handle.aevents()
            await anext(reader)
            await anext(reader)
            task = asyncio.ensure_future(anext(reader))
            await asyncio.sleep(0)
            return task

        task = loop.run_until_complete(begin())
        loop.close()
        drive(handle)
        assert kinds(handle.events(BOUND)) == LIFE
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is left on purpose
    assert not any("ERROR" in line for line in log_lines)
