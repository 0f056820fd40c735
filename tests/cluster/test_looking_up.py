"""Agents that wait in the program for the turn of a session, before they are placed."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentRestarted,
    AgentStarted,
    AgentStatus,
    Backoff,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    RestartPolicy,
    Sessions,
    SpawnConfig,
)
from actors.agent.session_line import SessionLines
from actors.core.records.state import RUNNING
from actors.errors import Cancelled
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

BOT = AgentManifest(name="bot")


class World:
    """A model that is held at a gate where it is asked to."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.asked: list[str] = []
        self.driver = FunctionDriver(self.answer)

    def answer(self, request: CompletionRequest) -> CompletionResponse:
        text = str(request.messages[-1].content)
        self.asked.append(text)
        if text.startswith("hold"):
            self.gate.arrive(text)
        return CompletionResponse(f"re: {text}")

    def config(self, query: str, session: str | None = "s", **more: Any) -> SpawnConfig[Any]:
        return SpawnConfig(BOT, query, driver=self.driver, session=session, **more)


@pytest.fixture
def engine() -> LocalEngine:
    """One node of one slot."""
    return LocalEngine(1, shares=True, prefetch=0)


@pytest.fixture
def pool(engine: LocalEngine) -> Iterator[AgentPool]:
    """A pool on it, with sessions."""
    with (
        no_thread_left(),
        Sessions.in_memory() as sessions,
        AgentPool(max_concurrent=2, max_queued=None, engine=engine, sessions=sessions) as made,
    ):
        yield made


def test_who_waits_for_a_turn_holds_no_place(pool: AgentPool) -> None:
    """It has started, and others live where it would have."""
    world = World()
    first = pool.spawn(world.config("hold 1"))
    world.gate.next()
    second = pool.spawn(world.config("2"))
    started = next(event for event in second.events() if isinstance(event, AgentStarted))
    assert started.agent_id == second.id
    assert pool.spawn(world.config("other", None)).result().text == "re: other"
    assert not second.done()
    world.gate.open()
    assert [each.result().text for each in (first, second)] == ["re: hold 1", "re: 2"]
    assert world.asked == ["hold 1", "other", "2"]


def test_turns_come_in_the_order_of_admission(pool: AgentPool) -> None:
    """Also of those that wait in the program."""
    world = World()
    handles = [pool.spawn(world.config("hold 0"))]
    world.gate.next()
    handles += [pool.spawn(world.config(str(number))) for number in range(1, 6)]
    world.gate.open()
    for handle in handles:
        handle.result()
    assert world.asked == ["hold 0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_a_wait_for_a_turn_is_ended(pool: AgentPool, how: str) -> None:
    """By a cancel and by a timeout, at once: it never goes to a node."""
    world = World()
    first = pool.spawn(world.config("hold 1"))
    world.gate.next()
    second = pool.spawn(world.config("2", timeout=0.05 if how == "timeout" else None))
    if how == "cancel":
        next(event for event in second.events() if isinstance(event, AgentStarted))
        second.cancel("not wanted")
    outcome = second.outcome(10)
    assert outcome.status is (AgentStatus.CANCELLED if how == "cancel" else AgentStatus.TIMED_OUT)
    world.gate.open()
    assert first.result().text == "re: hold 1"
    assert world.asked == ["hold 1"]


def test_the_turn_of_a_lost_agent_is_over(pool: AgentPool, engine: LocalEngine) -> None:
    """The next one of the session has it, on the host that comes after."""
    world = World()
    first = pool.spawn(world.config("hold 1"))
    world.gate.next()
    second = pool.spawn(world.config("2"))
    engine.link.kill_host("node-1")
    world.gate.open()
    assert first.outcome().status is AgentStatus.LOST
    assert second.result(20).text == "re: 2"


def test_all_who_wait_are_lost_with_the_engine(pool: AgentPool, engine: LocalEngine) -> None:
    """None of them waits for a turn that nobody takes."""
    world = World()
    handles = [pool.spawn(world.config("hold 1"))]
    world.gate.next()
    handles += [pool.spawn(world.config(str(number))) for number in range(4)]
    engine.link.lose_engine()
    world.gate.open()
    assert {handle.outcome(20).status for handle in handles} == {AgentStatus.LOST}


def test_a_place_that_was_left_gives_no_turn() -> None:
    """Whoever stands there, or comes only now, is told so: an agent that another thread has ended."""
    lines = SessionLines()
    cells = [SimpleNamespace(state=RUNNING, has_slot=True, outcome=None) for _ in range(3)]
    first, second, third = (lines.enter("s", cell) for cell in cells)
    lines.take(first)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            lines.take(second)
        except Cancelled as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.agent.session_line.refuse_circle", lambda *_: None)
        waiting.start()
        eventually(lambda: second.waiter is not None and second.waiter.is_waiting())
        lines.leave(second)
        waiting.join(10)
    lines.leave(third)
    with pytest.raises(Cancelled):
        lines.take(third)
    assert len(errors) == 1
    lines.leave(first)
    lines.take(lines.enter("s", cells[0]))


def test_who_was_to_be_run_again_is_lost_with_the_engine() -> None:
    """It rests until then, and has no host to go to."""
    gate = Gate()
    engine = LocalEngine(2, shares=True)
    restart = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.05, jitter=0.0))
    with no_thread_left(), AgentPool(max_concurrent=2, engine=engine, restart=restart) as pool:
        handle = pool.submit(gate.arrive)
        gate.next()
        (node,) = [view.node for view in engine.nodes() if view.placed]
        engine.link.kill_host(node)
        next(event for event in handle.events() if isinstance(event, AgentRestarted))
        engine.link.lose_engine()
        gate.open()
        assert handle.outcome(10).status is AgentStatus.LOST
