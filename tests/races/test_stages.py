"""A cancel in each stage of an agent's life: while it is queued, made, started, run, ended, or started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Agent,
    AgentManifest,
    AgentMessage,
    Backoff,
    Cancelled,
    DeadLetterReason,
    PoolClosed,
    RestartPolicy,
    SpawnConfig,
    ToolRegistry,
)

from ..contract.doubles import doing, echo

if TYPE_CHECKING:
    from collections.abc import Callable

FOR_EVER = 600.0
"""Seconds that nobody waits: a test that reaches them has failed long before."""
GRANTS = {"capabilities": [{"type": "spawn", "max_depth": 3}]}


# Before the start -----------------------------------------------------------------------------------------------


class Counted(Agent[None]):
    """Notes that it was made."""

    made: list[int]

    def __init__(self, made: list[int]) -> None:
        made.append(1)


@pytest.mark.parametrize("how", ["handle", "id", "pool", "deadline", "close", "future"])
def test_a_queued_agent_that_is_stopped_never_starts(how: str, make_pool: Any, gate: Any) -> None:
    """It ends where it stands: not made, no thread, its place is free, what was sent to it is a dead letter."""
    made: list[int] = []
    pool = make_pool(max_concurrent=1, max_queued=1, abort_timeout=10.0)
    first = pool.submit(gate.hold)
    gate.await_reached()
    deadline = 0.05 if how == "deadline" else None
    config = SpawnConfig(AgentManifest(name="n"), "q", agent=Counted, kwargs={"made": made}, deadline=deadline)
    queued = pool.spawn(config)
    pool.router.send(AgentMessage(sender=0, to=queued.id, content="words"))
    match how:
        case "handle":
            assert queued.cancel("enough") is True
        case "id":
            assert pool.abort(queued.id, "enough") is True
        case "pool":
            pool.abort_all("enough")
        case "future":
            assert queued.future.cancel() is True
        case "close":
            gate.open()
            pool.close()
    outcome = queued.outcome(10)
    assert outcome.status == ("timed_out" if how == "deadline" else "cancelled")
    assert (outcome.started_at, outcome.duration) == (None, 0.0)
    assert outcome.error.reason
    assert [letter.reason for letter in pool.router.dead_letters] == [DeadLetterReason.RECEIVER_ENDED]
    assert pool.queued_count == 0
    if how != "close":
        following = pool.submit(lambda: "got its place")
        gate.open()
        assert following.result(10) == "got its place"
    assert first.outcome(10).ok or how in ("pool", "close")
    assert made == []
    if how != "close":
        assert pool.stats().started == 2


# In between -----------------------------------------------------------------------------------------------------


class Told(Agent[str]):
    """Tells what it does, and holds where the test says."""

    def __init__(self, told: list[str], where: str, hold: Callable[[], object]) -> None:
        self.told, self.where, self.hold = told, where, hold
        self.come("__init__")

    def come(self, name: str) -> None:
        self.told.append(name)
        if name == self.where:
            self.hold()

    def on_start(self) -> None:
        self.come("on_start")

    def run(self, query: Any) -> str:
        self.come("run")
        self.checkpoint()
        return "value"

    def on_end(self, outcome: Any) -> None:
        self.told.append(f"on_end {outcome.status}")
        if self.where == "on_end":
            self.hold()


@pytest.mark.parametrize(
    ("where", "tells"),
    [
        ("__init__", ["__init__", "on_end cancelled"]),
        ("on_start", ["__init__", "on_start", "on_end cancelled"]),
        ("run", ["__init__", "on_start", "run", "on_end cancelled"]),
    ],
)
def test_after_a_cancel_the_next_stage_does_not_begin(where: str, tells: list[str], make_pool: Any, gate: Any) -> None:
    """What runs when the cancel comes is the last thing that runs but ``on_end``, which runs once."""
    told: list[str] = []
    pool = make_pool(abort_timeout=60.0)
    kwargs = {"told": told, "where": where, "hold": gate.hold}
    handle = pool.spawn(SpawnConfig(AgentManifest(name="told"), "q", agent=Told, kwargs=kwargs))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    assert told == tells


def test_after_a_cancel_during_the_making_of_its_tools_no_agent_is_made(make_pool: Any, gate: Any) -> None:
    """The function that makes the tools runs on the agent's thread; what it returns is not used any more."""
    told: list[str] = []

    def registry(_: Any) -> ToolRegistry:
        gate.hold()
        return ToolRegistry()

    pool = make_pool(tools=registry, abort_timeout=60.0)
    kwargs = {"told": told, "where": "", "hold": gate.hold}
    handle = pool.spawn(SpawnConfig(AgentManifest(name="told"), "q", agent=Told, kwargs=kwargs))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    assert told == []


def test_a_cancel_during_on_end_changes_nothing(make_pool: Any, gate: Any) -> None:
    """It says that the agent had not ended yet; the outcome stands, and ``on_end`` runs once."""
    told: list[str] = []
    pool = make_pool(abort_timeout=60.0)
    kwargs = {"told": told, "where": "on_end", "hold": gate.hold}
    handle = pool.spawn(SpawnConfig(AgentManifest(name="told"), "q", agent=Told, kwargs=kwargs))
    gate.await_reached()
    assert handle.cancel("late") is True
    gate.open()
    assert handle.result(10) == "value"
    assert told == ["__init__", "on_start", "run", "on_end completed"]


def test_a_cancel_during_a_backoff_is_the_end(make_pool: Any, eventually: Any) -> None:
    """No second attempt; ``on_end`` is told of the cancel, once."""
    told: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    policy = RestartPolicy(max_restarts=5, backoff=Backoff(base=FOR_EVER, maximum=FOR_EVER))
    pool = make_pool(max_concurrent=1, restart=policy, abort_timeout=60.0)
    kwargs = {"told": told, "where": "run", "hold": fail}
    handle = pool.spawn(SpawnConfig(AgentManifest(name="told"), "q", agent=Told, kwargs=kwargs))
    eventually(lambda: handle.status == "restarting")
    assert handle.cancel("enough") is True
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason, outcome.restarts) == ("cancelled", "enough", 1)
    assert told == ["__init__", "on_start", "run", "on_end cancelled"]


def test_a_cancel_is_not_swallowed_and_is_raised_again(make_pool: Any, gate: Any) -> None:
    """``except Exception`` does not catch it; who catches it all the same meets it again, with the reason."""
    met: list[str] = []

    def run(agent: Any, _: str) -> str:
        gate.hold()
        for wait in (agent.checkpoint, agent.receive, lambda: agent.sleep(FOR_EVER), lambda: agent.spawn(echo())):
            try:
                try:
                    wait()
                except Exception as error:
                    met.append(f"swallowed {error!r}")
            except Cancelled as cancelled:
                met.append(cancelled.reason)
        return "went on"

    pool = make_pool(abort_timeout=60.0)
    handle = pool.spawn(doing(run, manifest_fields=GRANTS))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    assert handle.result(10) == "went on", "what run returned decides"
    assert met == ["enough"] * 4
    with pytest.raises(PoolClosed):
        pool.close()
        pool.spawn(echo())
