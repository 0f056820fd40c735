"""``stalled_after``: agents that make no progress are told of, once for each standstill."""

from __future__ import annotations

import pickle
import queue
import time
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Actor,
    AgentEnded,
    AgentManifest,
    AgentMessage,
    AgentPool,
    AgentStalled,
    CompletionResponse,
    Event,
    FunctionDriver,
    Overloaded,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.core.clock import Clock

from .agent.doubles import asks, doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import Agent

BOT = AgentManifest(name="bot")
AFTER = 4000.0
"""Seconds without progress in most of these tests; their clock is moved by hand."""
SOON = 0.04
"""Where real timers are looked at."""


class Watch:
    """A sink that keeps the stalls, and who has ended."""

    def __init__(self) -> None:
        self.stalls: list[AgentStalled] = []
        self.ended: set[int] = set()

    def __call__(self, event: Event) -> None:
        if isinstance(event, AgentStalled):
            self.stalls.append(event)
        if isinstance(event, AgentEnded):
            self.ended.add(event.agent_id)

    def of(self, name: str) -> list[AgentStalled]:
        """Those of the agents of that name."""
        return [event for event in self.stalls if event.agent == name]


class Hand(Clock):
    """A clock that the test moves; it is ahead of the real one."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:  # type: ignore[override]
        """Where it was moved to."""
        return time.monotonic() + self.ahead


@pytest.fixture
def watch() -> Watch:
    """The sink of the test's pools."""
    return Watch()


@pytest.fixture
def hand() -> Hand:
    """By which the looks of the test's pools are due."""
    return Hand()


@pytest.fixture
def pool_of(make_pool: Any, watch: Watch, hand: Hand) -> Callable[..., AgentPool]:
    """Makes pools that tell of a standstill."""

    def make(driver: Any = None, size: int = 4, **options: Any) -> AgentPool:
        made: AgentPool = make_pool(driver, size, **({"stalled_after": AFTER, "on_event": watch} | options))
        made._core.pool.cancellation._clock = hand  # decides which timers are due
        return made

    return make


@pytest.fixture
def look(hand: Hand) -> Callable[[AgentPool], None]:
    """``look(pool)``: a quarter of the period passes, and the next look is taken."""

    def once(pool: AgentPool) -> None:
        hand.ahead += AFTER / 4 + 1.0
        pool._core.tick()

    return once


@pytest.fixture
def periods(watch: Watch, look: Any, eventually: Any) -> Callable[[AgentPool, int], None]:
    """``periods(pool, n)``: so many of them pass; what was told then is in the watch."""

    def wait(pool: AgentPool, count: int) -> None:
        for _ in range(5 * count):
            look(pool)
        last = pool.spawn(doing(lambda agent, query: query, name="last"), timeout=10)  # events are told in order
        last.outcome(10)
        eventually(lambda: last.id in watch.ended)

    return wait


@pytest.fixture
def doors(pool_of: Any, gates: Any) -> Iterator[Any]:
    """Gates that are opened before the pools close, so that nobody has to be abandoned."""
    made: list[Any] = []

    def make() -> Any:
        made.append(gates())
        return made[-1]

    yield make
    for one in made:
        one.open()


@pytest.fixture
def gate(doors: Any) -> Any:
    """One of them."""
    return doors()


def stands_here(agent: Agent[Any], query: Any) -> None:
    """Blocks at the gate that is its query."""
    query.hold()


# What is told ---------------------------------------------------------------------------------------------------


def test_a_run_that_blocks_is_told_once(pool_of: Any, watch: Watch, gate: Any, periods: Any) -> None:
    """With its name, place and time, however long it stands."""
    pool = pool_of()
    pool.spawn(doing(stands_here, gate, name="stuck"))
    gate.await_reached()
    periods(pool, 3)
    (event,) = watch.of("stuck")
    assert (event.agent_id, event.state, event.on) == (1, "running", None)
    assert event.seconds >= AFTER
    assert event.at is not None
    assert event.seq > 0
    assert pickle.loads(pickle.dumps(event)) == event


def test_a_driver_that_blocks(pool_of: Any, watch: Watch, gate: Any, periods: Any) -> None:
    """Is the place that is named."""

    def slow(_: Any) -> str:
        gate.hold()
        return "done"

    pool = pool_of(FunctionDriver(slow))
    pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    periods(pool, 2)
    assert [(event.state, event.on) for event in watch.of("bot")] == [("in_driver", None)]


def test_a_tool_that_blocks(pool_of: Any, watch: Watch, gate: Any, periods: Any) -> None:
    """Is named."""

    @tool(timeout=None)
    def dig() -> str:
        """Dig."""
        gate.hold()
        return "a hole"

    driver = ScriptedDriver([asks(("dig", {})), CompletionResponse("done")])
    pool = pool_of(driver, tools=ToolRegistry([dig]))
    pool.spawn(SpawnConfig(BOT, "q"))
    gate.await_reached()
    periods(pool, 2)
    assert [(event.state, event.on) for event in watch.of("bot")] == [("in_tool", "dig")]


def test_who_waits_for_a_message_in_vain(pool_of: Any, watch: Watch, periods: Any, eventually: Any) -> None:
    """Once for each standstill: the message begins a new one."""
    pool = pool_of()

    def receives(agent: Agent[Any], query: Any) -> None:
        agent.receive()
        agent.receive()

    handle = pool.spawn(doing(receives, name="listener"))
    eventually(lambda: handle.status == "parked")
    periods(pool, 2)
    assert [(event.state, event.on) for event in watch.of("listener")] == [("parked", "receive")]
    pool.router.send(AgentMessage(0, handle.id, "one"))
    eventually(lambda: not len(pool._core.cells()[0][0].mailbox) and handle.status == "parked")
    periods(pool, 2)
    assert len(watch.of("listener")) == 2
    pool.router.send(AgentMessage(0, handle.id, "two"))
    assert handle.outcome(10).ok


def test_a_long_backoff(pool_of: Any, watch: Watch, periods: Any, eventually: Any) -> None:
    """Nothing moves there either; the place says why."""
    pool = pool_of(ScriptedDriver([Overloaded("later", retry_after=3600.0)]))
    pool.spawn(SpawnConfig(BOT, "q"))
    eventually(lambda: pool.dump().agents[0].state == "in_backoff")
    periods(pool, 2)
    assert [event.state for event in watch.of("bot")] == ["in_backoff"]


def test_who_waits_for_an_actor_that_never_answers(
    pool_of: Any, watch: Watch, gate: Any, periods: Any, eventually: Any
) -> None:
    """No agent is there to be told instead: the one who asks is."""

    class Slow(Actor):
        def on_receive(self, message: Any) -> Any:
            gate.hold()
            return message

    reference = Slow.start()
    try:
        pool = pool_of()
        handle = pool.spawn(doing(lambda agent, query: reference.ask(query), name="asker"))
        gate.await_reached()
        eventually(lambda: handle.status == "parked")
        periods(pool, 2)
        gate.open()
        assert handle.result(10) == "q"
    finally:
        gate.open()
        reference.stop()
    assert [(event.state, event.on) for event in watch.of("asker")] == [("parked", "a reply")]


def test_who_waits_for_an_agent_of_a_pool_that_never_looks(
    pool_of: Any, make_pool: Any, watch: Watch, gate: Any, periods: Any, eventually: Any
) -> None:
    """Nobody else would tell of it."""
    other = make_pool()
    stuck = other.submit(gate.hold)
    gate.await_reached()
    pool = pool_of()
    handle = pool.spawn(doing(lambda agent, query: stuck.result(), name="waiter"))
    eventually(lambda: handle.status == "parked")
    periods(pool, 2)
    gate.open()
    assert handle.outcome(10).ok
    assert [event.state for event in watch.of("waiter")] == ["parked"]


def test_the_child_is_told_not_its_parent(pool_of: Any, watch: Watch, gate: Any, periods: Any, eventually: Any) -> None:
    """Who waits for another agent is not the one that stands."""
    pool = pool_of()

    def parent(agent: Agent[Any], query: Any) -> None:
        agent.spawn(doing(stands_here, gate, name="child")).result()

    handle = pool.spawn(doing(parent, name="parent"))
    gate.await_reached()
    eventually(lambda: handle.status == "parked")
    periods(pool, 2)
    assert [(event.parent_id, event.depth) for event in watch.of("child")] == [(1, 1)]
    assert watch.of("parent") == []


def test_each_of_a_crowd_is_told(pool_of: Any, watch: Watch, eventually: Any, periods: Any) -> None:
    """Hundreds that wait, each once."""
    pool = pool_of(None, 4, max_queued=None, max_live=1000)
    pool.fan_out([doing(lambda agent, query: agent.receive(), name="one of many") for _ in range(300)])
    eventually(lambda: pool.stats().parked == 300)
    periods(pool, 2)
    assert len({event.agent_id for event in watch.of("one of many")}) == len(watch.of("one of many")) == 300
    pool.abort_all()


def test_a_queued_agent_does_not_stand(pool_of: Any, watch: Watch, gate: Any, look: Any, eventually: Any) -> None:
    """It has not begun; who holds the slot is told."""
    pool = pool_of(None, 1, max_queued=1)
    pool.spawn(doing(stands_here, gate, name="holder"))
    gate.await_reached()
    pool.spawn(doing(stands_here, gate, name="queued"))
    for _ in range(10):
        look(pool)
    eventually(lambda: watch.of("holder"))
    assert watch.of("queued") == []


# What is never told ---------------------------------------------------------------------------------------------


def _checks(agent: Agent[Any]) -> None:
    agent.checkpoint()


def _sends(agent: Agent[Any]) -> None:
    agent.send(0, "here")


def _emits(agent: Agent[Any]) -> None:
    agent.emit(Progressed())


def _sleeps(agent: Agent[Any]) -> None:
    agent.sleep(0.001)


def _parks(agent: Agent[Any]) -> None:
    with agent.parked():
        pass


def _receives(agent: Agent[Any]) -> None:
    agent.receive(10)


def _reads(agent: Agent[Any]) -> None:
    assert agent.inbox.receive_nowait() is not None


class Progressed(Event):
    """An event of the user's."""


class Loop:
    """Takes a step in an agent each time when the test asks for one."""

    def __init__(self, step: Callable[..., None]) -> None:
        self._step = step
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def __call__(self, agent: Agent[Any], query: Any = None) -> str:
        while self._asked.get(timeout=10):
            self._step(agent)
            self._done.put(None)
        return "done"

    def steps(self) -> None:
        """One step, to its end."""
        self._asked.put(True)
        self._done.get(timeout=10)

    def end(self) -> None:
        """No more."""
        self._asked.put(False)


@pytest.mark.parametrize("step", [_checks, _sends, _emits, _parks, _receives, _sleeps, _reads])
def test_who_goes_on_is_never_told(
    pool_of: Any, watch: Watch, look: Any, periods: Any, gate: Any, step: Callable[..., None]
) -> None:
    """A loop that checks, sends, emits, receives or sleeps makes progress, however seldom; one that stands is told."""
    loop = Loop(step)
    pool = pool_of()
    handle = pool.spawn(doing(loop, name="loop"))
    pool.spawn(doing(stands_here, gate, name="stuck"))
    gate.await_reached()
    for _ in range(10):
        pool.router.send(AgentMessage(0, handle.id, "to be read"))
    for _ in range(9):
        loop.steps()
        look(pool)
    loop.end()
    assert handle.outcome(10).ok
    periods(pool, 1)
    assert len(watch.of("stuck")) == 1
    assert watch.of("loop") == []


def test_tools_that_check_are_progress_of_their_agent(pool_of: Any, watch: Watch, look: Any, periods: Any) -> None:
    """A tool may take its agent, and check."""
    loop = Loop(_checks)

    @tool(timeout=None)
    def dig(agent: Any) -> str:
        """Dig."""
        return loop(agent)

    driver = ScriptedDriver([asks(("dig", {})), CompletionResponse("done")])
    pool = pool_of(driver, tools=ToolRegistry([dig]))
    handle = pool.spawn(SpawnConfig(BOT, "q"))
    for _ in range(9):
        loop.steps()
        look(pool)
    loop.end()
    assert handle.result(10).text == "done"
    periods(pool, 1)
    assert watch.of("bot") == []


def test_without_the_option_nobody_is_told(pool_of: Any, watch: Watch, gate: Any, periods: Any) -> None:
    """The default never looks."""
    quiet = pool_of(stalled_after=None)
    quiet.spawn(doing(stands_here, gate, name="stuck"))
    gate.await_reached()
    periods(quiet, 2)
    assert watch.of("stuck") == []


def test_an_agent_that_ended_is_not_told(pool_of: Any, watch: Watch, periods: Any) -> None:
    """Nor one whose outcome nobody took."""
    pool = pool_of()
    pool.spawn(doing(lambda agent, query: query, name="done"))
    periods(pool, 2)
    assert watch.of("done") == []


# How ------------------------------------------------------------------------------------------------------------


def test_it_is_logged_without_a_sink(make_pool: Any, gate: Any, log_lines: list[str], eventually: Any) -> None:
    """One warning, with the agent, the time and the place."""
    pool = make_pool(stalled_after=SOON)
    pool.spawn(doing(stands_here, gate, name="stuck"))
    gate.await_reached()
    eventually(lambda: [line for line in log_lines if "no progress" in line])
    listener = pool.spawn(doing(lambda agent, query: agent.receive(), name="listener"))
    eventually(lambda: [line for line in log_lines if "(listener)" in line])
    listener.cancel()
    lines = [line for line in log_lines if "no progress" in line]
    assert [line.startswith("WARNING ") for line in lines] == [True, True]
    assert "agent 1 (stuck) has made no progress for 0." in lines[0]
    assert " s (running)" in lines[0]
    assert " s (parked on receive)" in lines[1]


def test_it_goes_on_after_a_pause(make_pool: Any, watch: Watch, doors: Any, eventually: Any) -> None:
    """A pool without agents looks at nobody, and looks again when somebody comes: with its own timers."""
    pool = make_pool(stalled_after=SOON, on_event=watch)
    for name in ("one", "two"):
        gate = doors()
        handle = pool.spawn(doing(stands_here, gate, name=name))
        eventually(lambda name=name: watch.of(name))
        gate.open()
        handle.outcome(10)
        eventually(lambda: pool._core.pool.timer_thread.timers.next_at() == float("inf"))
    assert all(event.seconds >= SOON for event in watch.stalls)


def test_a_stall_may_be_answered_with_a_cancel(make_pool: Any, eventually: Any) -> None:
    """The sink may call the pool."""
    pools: list[AgentPool] = []

    def sink(event: Event) -> None:
        if isinstance(event, AgentStalled):
            pools[0].abort(event.agent_id, f"stalled {event.state}")

    pools.append(make_pool(stalled_after=SOON, on_event=sink))
    handle = pools[0].spawn(doing(lambda agent, query: agent.receive()))
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "stalled parked")


@pytest.mark.parametrize("seconds", [1e-3, 1e9, float("inf")])
def test_any_time_above_none_will_do(pool_of: Any, seconds: float) -> None:
    """The shortest and the longest; the pool works and ends."""
    pool = pool_of(stalled_after=seconds)
    assert pool.spawn(doing(lambda agent, query: query)).result(10) == "q"
    pool.close()


@pytest.mark.parametrize("seconds", [0, 0.0, -1.0, float("nan")])
def test_no_time_at_all_is_refused(seconds: float) -> None:
    """With the value."""
    with pytest.raises(ValueError, match=f"stalled_after must be above 0 seconds, got {seconds}"):
        AgentPool(stalled_after=seconds)


@pytest.mark.parametrize("seconds", ["5", True, [1]])
def test_what_is_no_number_is_refused(seconds: Any) -> None:
    """As for the other times of a pool."""
    with pytest.raises(TypeError, match="stalled_after must be a number of seconds, got"):
        AgentPool(stalled_after=seconds).close()
