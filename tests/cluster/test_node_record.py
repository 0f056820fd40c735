"""What is recorded of agents on nodes: before anybody sees how they ended, their own ``on_end`` included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentManifest, AgentPool, AgentStatus, FunctionDriver, Journal, LlmAgent, Sessions, SpawnConfig
from actors.errors import JournalFailed
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from pathlib import Path

BOT = AgentManifest(name="bot")


def made(agent: type[LlmAgent[Any]], **more: Any) -> SpawnConfig[Any]:
    """An agent that answers at once."""
    return SpawnConfig(BOT, "q", agent=agent, driver=FunctionDriver(lambda _: "a"), **more)


def test_its_own_end_finds_the_turn() -> None:
    """It is stored before ``on_end`` is told, as without nodes."""
    seen: list[Any] = []
    with Sessions.in_memory() as sessions:

        class Looks(LlmAgent[Any]):
            def on_end(self, outcome: Any) -> None:
                seen.append((outcome.status, len(sessions.get("s"))))

        with no_thread_left(), AgentPool(engine=LocalEngine(1, shares=True), sessions=sessions) as pool:
            assert pool.spawn(made(Looks, session="s")).result().text == "a"
            assert len(sessions.get("s")) == 1
    assert seen == [(AgentStatus.COMPLETED, 1)]


def test_a_turn_of_one_that_stays_in_its_end_is_taken_back() -> None:
    """It is abandoned there."""
    gate = Gate()
    with Sessions.in_memory() as sessions:

        class Slow(LlmAgent[Any]):
            def on_end(self, outcome: Any) -> None:
                gate.arrive()

        engine = LocalEngine(1, shares=True)
        with no_thread_left(), AgentPool(engine=engine, sessions=sessions, abort_timeout=0.05) as pool:
            handle = pool.spawn(made(Slow, session="s"))
            gate.next()
            assert len(sessions.get("s")) == 1
            handle.cancel("enough")
            assert handle.outcome(10).status is AgentStatus.ABANDONED
            eventually(lambda: len(sessions.get("s")) == 0)
            gate.open()


@pytest.mark.parametrize("has_own", [True, False])
def test_what_cannot_be_recorded_did_not_complete(tmp_path: Path, *, has_own: bool) -> None:
    """And its own end is told so."""
    seen: list[Any] = []
    journal = Journal(tmp_path / "run.db")

    class Looks(LlmAgent[Any]):
        def run(self, query: Any) -> Any:
            journal.close()
            return "done"

        if has_own:

            def on_end(self, outcome: Any) -> None:
                seen.append((outcome.status, type(outcome.error)))

    with no_thread_left(), AgentPool(engine=LocalEngine(1, shares=True), journal=journal) as pool:
        outcome = pool.spawn(made(Looks, key="k")).outcome()
    assert (outcome.status, type(outcome.error)) == (AgentStatus.FAILED, JournalFailed)
    assert seen == [(AgentStatus.FAILED, JournalFailed)] * has_own
