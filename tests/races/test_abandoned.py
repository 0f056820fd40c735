"""What never looks at its token is abandoned in time: it holds nobody up, and what it does late reaches nobody."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentAbandoned,
    AgentManifest,
    AgentMessage,
    AgentStatus,
    AgentTimedOut,
    DeadLetterReason,
    FunctionDriver,
    ScriptedDriver,
    SpawnConfig,
    ToolRegistry,
)

from ..agent.doubles import Probe, asks
from ..contract.doubles import doing, echo

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_EVER = 600.0
"""Seconds that nobody waits: a test that reaches them has failed long before."""
GRANTS = {"capabilities": [{"type": "spawn", "max_depth": 3}]}


def llm(driver: Any, *tools: Any) -> SpawnConfig:
    """An agent that asks *driver* and has *tools*."""
    return SpawnConfig(AgentManifest(name="bot"), "q", driver=driver, tools=ToolRegistry(tools))


# What never looks -----------------------------------------------------------------------------------------------


class Stuck(Agent[str]):
    """Holds at the gate in one of its methods, and never looks at its token."""

    def __init__(self, where: str, hold: Callable[[], object]) -> None:
        self.where = where
        self.hold = hold
        if where == "__init__":
            hold()

    def on_start(self) -> None:
        if self.where == "on_start":
            self.hold()

    def run(self, query: Any) -> str:
        if self.where == "run":
            self.hold()
        return "late"

    def on_end(self, outcome: Any) -> None:
        if self.where == "on_end":
            self.hold()


def busy(released: threading.Event, reached: Callable[[], object]) -> str:
    """A Python loop that never looks."""
    reached()
    while not released.is_set():
        pass
    return "late"


def stuck_in(where: str, gate: Any) -> SpawnConfig:
    """An agent that is stuck at *gate*, somewhere."""

    def answer(_: Any) -> str:
        gate.hold()
        return "late"

    def registry(_: Any) -> ToolRegistry:
        gate.hold()
        return ToolRegistry()

    def execute(*_: Any) -> str:
        gate.hold()
        return "late"

    if where == "loop":
        return doing(lambda agent, _: busy(gate._opened, gate._reached.set))
    if where == "driver":
        return llm(FunctionDriver(answer))
    if where == "tool":
        return llm(ScriptedDriver([asks(("note", {}))], default="late"), Probe(execute, timeout=None))
    if where == "tools":
        return SpawnConfig(AgentManifest(name="bot"), "q", driver=FunctionDriver(answer), tools=registry)
    return SpawnConfig(AgentManifest(name="stuck"), "q", agent=Stuck, kwargs={"where": where, "hold": gate.hold})


@pytest.mark.parametrize("how", ["timeout", "cancel", "abort_all"])
@pytest.mark.parametrize("where", ["run", "loop", "driver", "tool", "__init__", "on_start", "on_end"])
def test_what_never_looks_is_abandoned(where: str, how: str, make_pool: Any, gate: Any, eventually: Any) -> None:
    """Within ``timeout + abort_timeout`` the outcome is there and the slot free; the thread counts until it ends.

    An agent does not wait for its tool: it ends by itself, and only the tool's thread is given up.
    """
    pool = make_pool(max_concurrent=1, abort_timeout=0.05)
    config = stuck_in(where, gate)
    if how == "timeout":
        config = config.model_copy(update={"timeout": 0.05})
    ends: list[Any] = []
    handle = pool.spawn(config)
    handle.add_done_callback(lambda it: ends.append(it.status))
    gate.await_reached()
    if how == "cancel":
        handle.cancel("enough")
    elif how == "abort_all":
        pool.abort_all("enough")
    outcome = handle.outcome(10)
    error = outcome.error
    if where == "tool":
        assert outcome.status == ("timed_out" if how == "timeout" else "cancelled")
    else:
        assert (outcome.status, outcome.result) == ("abandoned", None)
        assert isinstance(error, AgentAbandoned)
        error = error.cause
        assert isinstance(error, AgentTimedOut) is (how == "timeout")
    assert ("timeout" in error.reason) if how == "timeout" else (error.reason == "enough")
    stats = pool.stats()
    assert (stats.abandoned_threads, stats.active, stats.parked) == (1, 0, 0)
    assert pool.router.agent_count == 0
    assert pool.submit(lambda: "free").result(10) == "free"
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert handle.outcome(0) is outcome, "what comes late is dropped"
    assert pool.stats().ended == {outcome.status: 1, AgentStatus.COMPLETED: 1}
    assert pool.outstanding_count == 0
    pool.close()  # its callbacks run on a worker
    assert ends == [outcome.status]


def test_a_tool_set_that_is_never_made_is_abandoned(make_pool: Any, gate: Any, eventually: Any) -> None:
    """The pool's function that makes the tools of an agent runs on the agent's thread, within its time."""

    def registry(manifest: Any) -> ToolRegistry:
        if manifest.name == "bot":
            gate.hold()
        return ToolRegistry()

    pool = make_pool(ScriptedDriver.text("late"), 1, tools=registry, abort_timeout=0.05)
    handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q", timeout=0.05))
    assert handle.outcome(10).status == "abandoned"
    assert pool.stats().abandoned_threads == 1
    assert pool.submit(lambda: "free").result(10) == "free"
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)


def test_what_an_abandoned_agent_does_late_reaches_nobody(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Its sends are dead letters, it gets no child and no message, and its events and its result are dropped."""
    late: queue.SimpleQueue[Any] = queue.SimpleQueue()
    events: list[Any] = []

    def tried(fn: Callable[[], object]) -> str:
        try:
            return repr(fn())
        except BaseException as error:
            return type(error).__name__

    def run(agent: Any, _: str) -> str:
        gate.hold()
        late.put(
            [
                tried(lambda: agent.send(0, "late")),
                tried(lambda: agent.send(other.id, "late")),
                tried(lambda: agent.send(other.id, "late", timeout=None)),
                tried(lambda: agent.spawn(echo())),
                tried(agent.receive),
                tried(agent.checkpoint),
                tried(lambda: agent.sleep(FOR_EVER)),
            ]
        )
        return "late"

    pool = make_pool(max_concurrent=2, abort_timeout=0.05, on_event=events.append)
    other = pool.spawn(doing(lambda agent, _: agent.receive(10).content))
    handle = pool.spawn(doing(run, name="late", manifest_fields=GRANTS))
    gate.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).status == "abandoned"
    gate.open()
    nothing, cancelled = "None", "Cancelled"
    did = late.get(timeout=10)
    assert did[:3] == [nothing, nothing, nothing], "nobody is there who could handle an error"
    assert did[3] in {"Cancelled", "PoolClosed"}
    assert did[4:] == [cancelled, cancelled, cancelled]
    eventually(lambda: pool.stats().abandoned_threads == 0)
    reasons = [letter.reason for letter in pool.router.dead_letters]
    assert reasons == [DeadLetterReason.SENDER_ABANDONED] * 3
    assert pool.inbox.receive_nowait() is None
    assert other.status == "parked"
    pool.router.send(AgentMessage(sender=0, to=other.id, content="on time"))
    assert other.result(10) == "on time"
    assert pool.stats().started == 2
    pool.close()
    own = [event for event in events if event.agent == "late"]
    assert type(own[-1]).__name__ == "AgentEnded", "and nothing after it"


def test_what_the_tool_of_an_ended_agent_sends_late_reaches_nobody(make_pool: Any, gate: Any, eventually: Any) -> None:
    """Its agent was cancelled and has ended; the tool's thread is the agent's, too."""

    def execute(given: Any, cancel: Any, agent: Any) -> str:
        gate.hold()
        agent.send(0, "late")
        return "late"

    pool = make_pool(ScriptedDriver([asks(("note", {}))]), tools=ToolRegistry([Probe(execute, timeout=None)]))
    handle = pool.spawn(SpawnConfig(AgentManifest(name="bot"), "q"))
    gate.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).status == "cancelled"
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)
    assert pool.inbox.receive_nowait() is None
    assert [letter.reason for letter in pool.router.dead_letters] == [DeadLetterReason.SENDER_ABANDONED]


# Many at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5, 100])
@pytest.mark.parametrize("stuck_one", ["first", "last"])
@pytest.mark.parametrize("waits", ["receive", "driver"])
def test_one_that_is_stuck_in_on_end_stalls_nobody(
    waits: str, stuck_one: str, count: int, make_pool: Any, gate: Any, eventually: Any
) -> None:
    """The others of a mass abort end while it still cleans up."""
    driver = ScriptedDriver([], default="late", latency=FOR_EVER)
    pool = make_pool(driver, count, abort_timeout=60.0)
    stuck_config = doing(lambda agent, _: agent.receive(), ending=lambda *_: gate.hold())
    config = (
        SpawnConfig(AgentManifest(name="bot"), "q") if waits == "driver" else doing(lambda agent, _: agent.receive())
    )
    configs = [config] * (count - 1)
    configs.insert(0 if stuck_one == "first" else count - 1, stuck_config)
    handles = pool.fan_out(configs)
    stuck = handles.pop(0 if stuck_one == "first" else -1)
    parked = 1 if waits == "driver" else count
    eventually(lambda: pool.stats().parked == parked)
    if waits == "driver":
        eventually(lambda: len(driver.requests) == count - 1)
    pool.abort_all("enough")
    for handle in handles:
        assert handle.outcome(10).error.reason == "enough"
    gate.await_reached()
    assert not stuck.done()
    assert pool.stats().active == 1
    gate.open()
    assert stuck.outcome(10).error.reason == "enough"


def test_close_waits_for_one_that_is_stuck_no_longer_than_for_its_abandonment(make_pool: Any, gate: Any) -> None:
    """The others have ended as they should; it is given up."""
    pool = make_pool(max_concurrent=20, abort_timeout=0.2)
    stuck = pool.spawn(doing(lambda agent, _: agent.receive(), ending=lambda *_: gate.hold()))
    handles = pool.fan_out([doing(lambda agent, _: agent.receive()) for _ in range(19)])
    pool.close()
    assert {handle.status for handle in handles} == {AgentStatus.CANCELLED}
    assert stuck.status in {"abandoned", "cancelled"}  # cancelled, if it had not begun: then nothing is stuck
    assert gate.reached is (stuck.status == "abandoned")
