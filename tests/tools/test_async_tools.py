"""Async tools in pools: they share a loop that nothing else uses, and that they may break."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors import AgentPool, AgentStatus, ScriptedDriver, SpawnConfig, tool
from actors.core.process import event_loop
from actors.core.process.event_loop import Room
from tests.agent.doubles import asks, results_of
from tests.waiting import BOUND, Gate, eventually

from .test_mcp import manifest


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Holds the loop of async tools, until the test is over; then the next test has a loop that turns."""
    made = Gate()
    yield made
    made.open()
    eventually(lambda: event_loop._thread_of(Room.USERS).turns(BOUND))


@tool
async def nap(text: str) -> str:
    """Answer after some turns of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)
    return text


def spawn(pool: AgentPool, tools: list[Any], *calls: tuple[str, dict[str, Any]]) -> Any:
    driver = ScriptedDriver([asks(*calls), "done"])
    return pool.spawn(SpawnConfig(manifest(grants=()), "q", driver=driver, tools=tools))


def test_a_tool_that_blocks_past_its_time_is_left_behind_and_counted(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agent goes on, others' coroutines run on a new loop, and its thread is counted and shown until it ends."""
    monkeypatch.setattr(event_loop, "HELD", 0.05)

    @tool(timeout=0.2)
    async def block() -> str:
        """Block the loop."""
        gate.hold()
        return "late"

    with AgentPool(max_concurrent=3) as pool:
        blocked = spawn(pool, [block], ("block", {})).outcome(BOUND)
        assert [result.content for result in results_of(blocked)] == ["block timed out after 0.2 s"]
        eventually(lambda: event_loop._threads[Room.USERS].is_over)
        for number in range(3):
            outcome = spawn(pool, [nap], ("nap", {"text": f"n{number}"})).outcome(BOUND)
            assert [result.content for result in results_of(outcome)] == [f"n{number}"]
        assert pool.stats().abandoned_threads == 1
        (stray,) = pool.dump().abandoned
        assert stray.label == "tool block of agent 1 (unnamed-agent)"
        assert "gate.hold()" in stray.stack
        gate.open()
        eventually(lambda: pool.stats().abandoned_threads == 0)


def test_one_that_blocks_and_whose_agent_is_cancelled(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent ends at once, the pool closes, and the count is right after its end, too."""
    monkeypatch.setattr(event_loop, "HELD", 0.05)

    @tool
    async def block() -> str:
        """Block the loop."""
        gate.hold()
        return "late"

    with AgentPool(abort_timeout=5.0) as pool:
        handle = spawn(pool, [block], ("block", {}))
        gate.await_reached()
        handle.cancel("enough")
        assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert pool.stats().abandoned_threads == 1
    gate.open()
    eventually(lambda: pool.stats().abandoned_threads == 0)


@pytest.mark.parametrize("how", ["stop", "exit", "interrupt", "exit in a task"])
def test_a_tool_that_ends_its_loop_harms_only_who_runs_there(how: str) -> None:
    """Each call that was in flight is an error for its model; a driver, and the next call, know nothing of it."""
    begun = threading.Event()

    @tool
    async def end() -> str:
        """End the loop."""
        await asyncio.to_thread(begun.wait, BOUND)
        loop = asyncio.get_running_loop()
        if how == "stop":
            loop.stop()
        elif how == "exit":
            loop.call_soon(leave, SystemExit)
        elif how == "interrupt":
            loop.call_soon(leave, KeyboardInterrupt)
        else:
            task = asyncio.create_task(leaves())
            task.add_done_callback(lambda done: done.exception())  # seen: else asyncio tells of it
        await asyncio.sleep(600)
        return "late"

    @tool
    async def wait() -> str:
        """Wait."""
        begun.set()
        await asyncio.sleep(600)
        return "late"

    models = event_loop.private_loop()
    with AgentPool(max_concurrent=2) as pool:
        ends, waits = spawn(pool, [end], ("end", {})), spawn(pool, [wait], ("wait", {}))
        for name, handle in (("end", ends), ("wait", waits)):
            (result,) = results_of(handle.outcome(BOUND))
            assert result.is_error
            assert f"{name}: the event loop of async tools was" in result.content
        outcome = spawn(pool, [nap], ("nap", {"text": "next"})).outcome(BOUND)
        assert [result.content for result in results_of(outcome)] == ["next"]
    assert event_loop.private_loop() is models


def leave(kind: type[BaseException]) -> None:
    raise kind


async def leaves() -> None:
    raise SystemExit
