"""The ladder of stops: the token is seen by every wait, whatever it waits in; what never looks is abandoned."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Actor,
    Agent,
    AgentManifest,
    AgentMessage,
    AgentPool,
    AgentStatus,
    Backoff,
    RateLimited,
    RestartPolicy,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
    tool,
)

from ..agent.doubles import Probe, asks
from ..contract.doubles import doing
from . import points

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_EVER = 600.0
"""Seconds that nobody waits: a test that reaches them has failed long before."""
GRANTS = {"capabilities": [{"type": "spawn", "max_depth": 3}]}


def sleeping(**fields: Any) -> SpawnConfig:
    """An agent that sleeps until it is cancelled."""
    return doing(lambda agent, _: agent.sleep(FOR_EVER), **fields)


def llm(driver: Any, *tools: Any) -> SpawnConfig:
    """An agent that asks *driver* and has *tools*."""
    return SpawnConfig(AgentManifest(name="bot"), "q", driver=driver, tools=ToolRegistry(tools))


# Each wait sees the token ---------------------------------------------------------------------------------------


class Deaf(Actor):
    """Handles its first message until its gate is opened."""

    inbox_capacity = 1

    def on_receive(self, gate: Any) -> None:
        gate.hold()


class World:
    """What the agents of these tests wait for: all of it lasts until the end of the test."""

    def __init__(self, pool: AgentPool, gate: Any) -> None:
        self.pool = pool
        self.gate = gate
        self.actor: Any = None
        self.other: Any = None

    def deaf(self) -> Any:
        """An actor that handles a message, and has no room for another."""
        self.actor = Deaf.start()
        self.actor.tell(self.gate)
        self.gate.await_reached()
        return self.actor

    def full(self) -> Any:
        """An actor that has no room."""
        self.deaf().tell(self.gate)
        return self.actor

    def hermit(self) -> Any:
        """An agent that never reads its inbox, which is full."""
        self.other = self.pool.submit(self.gate.hold)
        self.gate.await_reached()
        for _ in range(2):
            self.pool.router.send(AgentMessage(sender=0, to=self.other.id, content="fills it"))
        return self.other

    def end(self) -> None:
        """Let everybody end."""
        self.gate.open()
        if self.actor is not None:
            self.actor.abort()
            assert self.actor.actor_stopped.wait(10)


@pytest.fixture
def world(make_pool: Any, gate: Any) -> Any:
    """A pool with room enough."""
    made = World(make_pool(max_concurrent=4, max_queued=0, inbox_capacity=2, abort_timeout=60.0), gate)
    yield made
    made.end()


def in_run(wait: Callable[[World, Any], object]) -> Callable[[World], SpawnConfig]:
    """A wait that an agent's ``run`` makes."""
    return lambda world: doing(lambda agent, _: wait(world, agent), manifest_fields=GRANTS)


def in_tool(wait: Callable[[Any, Any], object]) -> Callable[[World], SpawnConfig]:
    """A wait that a tool makes; it has no timeout of its own."""

    def execute(given: Any, cancel: Any, agent: Any) -> str:
        wait(cancel, agent)
        return "never"

    return lambda _: llm(ScriptedDriver([asks(("note", {}))]), Probe(execute, timeout=None))


def spin(_: World, agent: Any) -> None:
    """A Python loop that checks."""
    while True:
        agent.checkpoint()


def in_parked(_: World, agent: Any) -> None:
    """A wait of the user's own."""
    with agent.parked():
        agent.cancel_token.wait(FOR_EVER)


def in_flight(_: World) -> SpawnConfig:
    """A driver that waits for its answer or for the cancel."""

    class Patient(ScriptedDriver):
        def complete(self, request: Any, *, cancel: Any) -> Any:
            cancel.wait(FOR_EVER)
            cancel.check()

    return llm(Patient([]))


def in_async_tool(_: World) -> SpawnConfig:
    """A tool that is a coroutine."""

    @tool
    async def note() -> str:
        """Wait."""
        await asyncio.sleep(FOR_EVER)
        return "never"

    return llm(ScriptedDriver([asks(("note", {}))]), note)


class Broken(Agent[None]):
    """Crashes."""

    def run(self, query: Any) -> None:
        raise ValueError("broken")


def in_backoff(_: World) -> SpawnConfig:
    """The wait before a restart."""
    return SpawnConfig(AgentManifest(name="broken"), "q", agent=Broken)


WAITS: dict[str, Callable[[World], SpawnConfig]] = {
    "checkpoint": in_run(spin),
    "sleep": in_run(lambda world, agent: agent.sleep(FOR_EVER)),
    "token": in_run(lambda world, agent: agent.cancel_token.wait(FOR_EVER) and agent.checkpoint()),
    "receive": in_run(lambda world, agent: agent.receive()),
    "receive with a timeout": in_run(lambda world, agent: agent.receive(FOR_EVER)),
    "inbox": in_run(lambda world, agent: agent.inbox.receive()),
    "parked": in_run(in_parked),
    "child": in_run(lambda world, agent: agent.spawn(sleeping()).result()),
    "outcome of another": in_run(lambda world, agent: world.hermit().outcome()),
    "completion": in_run(lambda world, agent: next(iter(world.pool.as_completed([world.hermit()])))),
    "map": in_run(lambda world, agent: next(world.pool.map([sleeping()]))),
    "join_next": in_run(lambda world, agent: (world.hermit(), world.pool.join_next())),
    "ask": in_run(lambda world, agent: world.deaf().ask(world.gate)),
    "future of an ask": in_run(lambda world, agent: world.deaf().ask_future(world.gate).result()),
    "room at an actor": in_run(lambda world, agent: world.full().tell(world.gate, timeout=None)),
    "room at an agent": in_run(lambda world, agent: agent.send(world.hermit().id, "words", timeout=None)),
    "room in the pool": in_run(
        lambda world, agent: [world.pool.spawn(sleeping(timeout=FOR_EVER), timeout=None) for _ in range(9)]
    ),
    "driver": in_flight,
    "scripted latency": lambda _: llm(ScriptedDriver(["late"], latency=FOR_EVER)),
    "retry": lambda _: llm(ScriptedDriver([], default=RateLimited("slowly", retry_after=FOR_EVER))),
    "tool": in_tool(lambda cancel, agent: cancel.wait(FOR_EVER)),
    "sleeping tool": in_tool(lambda cancel, agent: agent.sleep(FOR_EVER)),
    "receiving tool": in_tool(lambda cancel, agent: agent.receive()),
    "async tool": in_async_tool,
    "restart": in_backoff,
}

STOPS: dict[str, tuple[Callable[[World, Any], object], str]] = {
    "handle": (lambda world, handle: handle.cancel("enough"), "enough"),
    "id": (lambda world, handle: world.pool.abort(handle.id, "enough"), "enough"),
    "pool": (lambda world, handle: world.pool.abort_all("enough"), "enough"),
    "timeout": (lambda world, handle: None, "ran longer than its timeout of 0.05 s"),
}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("wait", WAITS)
def test_each_wait_sees_each_stop(wait: str, stop: str, world: World, eventually: Any) -> None:
    """It ends at once, with the reason, long before the agent would be abandoned; and no thread is given up."""
    act, reason = STOPS[stop]
    config = WAITS[wait](world)
    if wait == "restart":
        world.pool.close()
        world.pool = AgentPool(
            abort_timeout=60.0, restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=FOR_EVER, maximum=FOR_EVER))
        )
    if stop == "timeout":
        config = config.model_copy(update={"timeout": 0.05})
    try:
        handle = world.pool.spawn(config)
        if stop != "timeout" and wait != "checkpoint":
            eventually(lambda: points.listens_for_a_cancel(handle) or handle.done())
        act(world, handle)
        outcome = handle.outcome(10)
        assert (outcome.status, outcome.error.reason) == ("timed_out" if stop == "timeout" else "cancelled", reason)
        eventually(lambda: world.pool.stats().abandoned_threads == 0)  # a tool is not waited for, but it ends, too
    finally:
        world.gate.open()
        world.pool.close()


# Levels ---------------------------------------------------------------------------------------------------------


def three_levels(ends: dict[str, Any]) -> SpawnConfig:
    """An agent with a child that has a child; how each ends is noted."""

    def level(name: str, below: SpawnConfig | None) -> SpawnConfig:
        def run(agent: Any, _: str) -> None:
            if below is not None:
                agent.spawn(below)
            agent.receive()

        return doing(run, name=name, manifest_fields=GRANTS, ending=lambda _, outcome: ends.update({name: outcome}))

    return level("top", level("middle", level("bottom", None)))


@pytest.mark.parametrize("how", ["parent", "pool", "close", "block", "map", "child"])
def test_a_stop_reaches_all_below(how: str, make_pool: Any, eventually: Any) -> None:
    """Each level is told why: by its own cancel, or that the one above was stopped; the lower ones end first."""
    ends: dict[str, Any] = {}
    pool = make_pool(max_concurrent=3)
    outcomes = pool.map([three_levels(ends)], timeout=0.02) if how == "map" else None
    if outcomes is None:
        handle = pool.spawn(three_levels(ends))
    else:
        with pytest.raises(TimeoutError):
            next(outcomes)
    eventually(lambda: pool.stats().parked == 3)
    reasons = {
        "parent": (lambda: handle.cancel("enough"), "enough"),
        "pool": (lambda: pool.abort_all("enough"), "enough"),
        "close": (pool.close, "the pool was closed"),
        "block": (lambda: pool.__exit__(KeyError, KeyError(), None), "its block was left by KeyError"),
        "map": (lambda: outcomes.close(), "its map was closed"),
        "child": (lambda: pool.abort(2, "enough"), None),
    }
    act, reason = reasons[how]
    act()
    if how == "child":
        eventually(lambda: set(ends) == {"bottom", "middle"})
        assert handle.status == "parked", "who stands above goes on"
        assert ends["middle"].error.reason == "enough"
        handle.cancel("enough")
    pool.close()
    assert list(ends) == ["bottom", "middle", "top"]
    assert {outcome.status for outcome in ends.values()} == {AgentStatus.CANCELLED}
    if how in ("parent", "close", "block", "map"):
        assert ends["top"].error.reason == reason
    if how in ("parent", "map"):
        assert ends["middle"].error.reason == "its parent, agent 1 (top), was stopped"
        assert ends["bottom"].error.reason == "its parent, agent 2 (middle), was stopped"
    if how == "pool":
        assert {outcome.error.reason for outcome in ends.values()} <= {
            "enough",
            "its parent, agent 1 (top), was stopped",
            "its parent, agent 2 (middle), was stopped",
        }


# Tools ----------------------------------------------------------------------------------------------------------


def test_tools_whose_threads_start_after_the_cancel_do_nothing(make_pool: Any, gate: Any) -> None:
    """Three calls in one answer; the first one runs when the cancel comes, the others are about to start."""
    first = Probe(lambda given, cancel, agent: (cancel.wait(FOR_EVER), "late")[1], name="first", timeout=None)
    others = [Probe(name="second"), Probe(name="third")]
    driver = ScriptedDriver([asks(("first", {}), ("second", {}), ("third", {}))], default="again")
    pool = make_pool(abort_timeout=60.0)
    started = points.hold_tools_after(1, pool, gate.hold)
    handle = pool.spawn(llm(driver, first, *others))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    pool.close()
    assert started.count == 3
    assert [len(probe.calls) for probe in others] == [0, 0]
    assert len(driver.requests) == 1


def test_tools_that_are_being_checked_at_the_cancel_do_not_start(make_pool: Any, gate: Any) -> None:
    """Three calls in one answer; the cancel comes between the check of the first and of the last one."""

    class Slow(ToolRegistry):
        def get(self, name: str) -> Any:
            if name == "third":
                gate.hold()
            return super().get(name)

    probes = [Probe(name=name) for name in ("first", "second", "third")]
    driver = ScriptedDriver([asks(*((probe.name, {}) for probe in probes))], default="again")
    pool = make_pool(driver, abort_timeout=60.0)
    handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", tools=Slow(probes)))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    assert handle.outcome(10).status == "cancelled"
    assert [probe.calls for probe in probes] == [[], [], []]
    assert len(driver.requests) == 1


def test_a_tool_that_returns_after_the_cancel_starts_no_new_one(make_pool: Any, gate: Any) -> None:
    """Its agent has gone on to its end: neither the driver nor a tool is asked again."""
    probe = Probe(lambda given, cancel, agent: (gate.hold(), "late")[1], timeout=None)
    driver = ScriptedDriver([asks(("note", {}))], default=asks(("note", {"again": True})))
    pool = make_pool(driver, tools=ToolRegistry([probe]), abort_timeout=60.0)
    handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
    gate.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).error.reason == "enough", "it does not wait for a tool that never looks"
    assert pool.stats().abandoned_threads == 1
    gate.open()
    pool.close()
    assert len(probe.calls) == 1
    assert len(driver.requests) == 1


def test_a_group_is_stopped_and_nobody_else(make_pool: Any, eventually: Any) -> None:
    """Running and queued ones of the group, and all below them; the others go on."""
    ends: dict[str, Any] = {}
    pool = make_pool(max_concurrent=4, max_queued=None, max_live=4)
    mine = three_levels(ends).model_copy(update={"group": "mine"})
    other = pool.spawn(sleeping(group="other"))
    first = pool.spawn(mine)
    eventually(lambda: pool.stats().parked == 3)
    queued = pool.spawn(sleeping(group="mine"))
    assert queued.status == "queued"
    pool.abort_all("enough", group="mine")
    assert {first.outcome(10).error.reason, queued.outcome(10).error.reason} == {"enough"}
    assert list(ends) == ["bottom", "middle", "top"]
    assert not other.done()
    assert pool.active_count == 1
    other.cancel()
