"""Agents that are stopped while a tool runs: what the stop did to the tool is no end of its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentCancelled,
    AgentManifest,
    AgentPool,
    AgentStatus,
    Effect,
    FunctionDriver,
    PoolClosed,
    SpawnConfig,
    ToolFailed,
    ToolResult,
    tool,
)

from .programs import entries
from .test_invariants import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from ..waiting import Gate

ONCE, OFTEN = Effect.AT_MOST_ONCE, Effect.IDEMPOTENT
CONFIG: SpawnConfig[Any] = SpawnConfig(AgentManifest(), "the bill", key="a")


def stopped_and_gone_on(path: Path, gate: Gate, effect: Effect, end: Any) -> tuple[str, list[str]]:
    """An agent that is stopped while its tool runs, which *end*s then; and goes on. What the model is told of the call
    in the end, and the states of it in the file.
    """

    @tool(name="pay", effect=effect)
    def ends() -> Any:
        """Pay."""
        gate.hold()
        if isinstance(end, BaseException):
            raise end
        return end

    @tool(name="pay", effect=effect)
    def pay() -> str:
        """Pay."""
        return "paid"

    with AgentPool(FunctionDriver(Asked()), tools=[ends], journal=path) as pool:
        handle = pool.spawn(CONFIG)
        gate.await_reached()
        handle.cancel("stop")
        gate.open()
        assert handle.outcome().status is AgentStatus.CANCELLED
    with AgentPool(FunctionDriver(Asked()), tools=[pay], journal=path) as pool:
        outcome = pool.spawn(CONFIG).outcome()
    assert outcome.ok
    return outcome.messages[2].content, [state for _, place, state, _ in entries(path, "a") if place == "0.0"]


@pytest.mark.parametrize(
    "end", [AgentCancelled("its parent was stopped"), PoolClosed("closed"), ToolFailed("no child"), ValueError("x")]
)
def test_what_may_be_done_again_has_not_failed_by_the_stop(tmp_path: Path, gate: Gate, end: Exception) -> None:
    """A child that was stopped with it, a pool that takes nothing more: the tool is called again."""
    assert stopped_and_gone_on(tmp_path / "run.db", gate, OFTEN, end) == ("paid", ["done"])


def test_what_may_be_done_again_has_not_failed_by_its_word(tmp_path: Path, gate: Gate) -> None:
    """An error result is no other."""
    end = ToolResult("stopped", is_error=True)
    assert stopped_and_gone_on(tmp_path / "run.db", gate, OFTEN, end) == ("paid", ["done"])


@pytest.mark.parametrize("end", [AgentCancelled("its parent was stopped"), PoolClosed("closed")])
def test_what_must_not_be_done_twice_is_in_doubt(tmp_path: Path, gate: Gate, end: Exception) -> None:
    """As if the program had died: nobody knows how far it came."""
    told, states = stopped_and_gone_on(tmp_path / "run.db", gate, ONCE, end)
    assert "may or may not have been done" in told
    assert states[0] == "begun"


@pytest.mark.parametrize(
    ("effect", "end", "told"),
    [(ONCE, ToolFailed("declined"), "declined"), (ONCE, "late", "late"), (OFTEN, "late", "late")],
)
def test_what_a_tool_says_itself_holds(tmp_path: Path, gate: Gate, effect: Effect, end: Any, told: str) -> None:
    """A result, and why what must not be done twice has failed."""
    assert stopped_and_gone_on(tmp_path / "run.db", gate, effect, end)[0] == told
