"""Sessions of agents on hosts: one turn at a time, stored in the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentManifest,
    AgentPool,
    AgentStatus,
    Backoff,
    CompletionRequest,
    CompletionResponse,
    FunctionDriver,
    LlmAgent,
    RestartPolicy,
    Sessions,
    Spawn,
    SpawnConfig,
    TokenUsage,
    UserMessage,
)
from actors.agent.carried_summary import Carried
from actors.agent.session_record import Said
from actors.cluster.host.node_turn import NodeTurn
from actors.cluster.turns import SAID, KnownTurn
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate
from .standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

BOT = AgentManifest(name="bot")


def count(request: CompletionRequest) -> CompletionResponse:
    """How many messages there were."""
    return CompletionResponse(f"{len(request.messages)}: {request.messages[-1].text}")


def config(query: str, **more: Any) -> SpawnConfig[Any]:
    return SpawnConfig(BOT, query, session="s", **more)


def texts(sessions: Sessions) -> list[tuple[str, str]]:
    return [(turn.query, turn.text) for turn in sessions.get("s").turns()]


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    with Sessions.in_memory() as made:
        yield made


def test_a_session_goes_on_over_nodes(sessions: Sessions) -> None:
    """Each turn sees those before it, wherever they were, and in the order of their admission."""
    engine = LocalEngine(3, shares=True)
    with no_thread_left(), AgentPool(FunctionDriver(count), engine=engine, max_queued=None, sessions=sessions) as pool:
        handles = [pool.spawn(config(f"q{number}")) for number in range(5)]
        answers = [handle.result().text for handle in handles]
        assert answers == [f"{2 * number + 1}: q{number}" for number in range(5)]
        assert texts(sessions) == [(f"q{number}", answers[number]) for number in range(5)]


def test_a_lost_turn_is_not_stored(sessions: Sessions) -> None:
    """And the next one goes on without it."""
    gate = Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        if request.messages[-1].text == "lost":
            gate.arrive("lost")
        return count(request)

    engine = LocalEngine(2, shares=True)
    with AgentPool(FunctionDriver(answer), engine=engine, max_queued=None, sessions=sessions) as pool:
        lost = pool.spawn(config("lost"))
        gate.next()
        following = pool.spawn(config("kept"))
        (node,) = [view.node for view in engine.nodes() if view.placed]
        engine.link.kill_host(node)
        gate.open()
        assert lost.outcome().status is AgentStatus.LOST
        assert following.result().text == "1: kept"
        assert [query for query, _ in texts(sessions)] == ["kept"]


def test_a_lost_turn_is_run_again(sessions: Sessions) -> None:
    """With a restart policy, by the agent whose turn it still is."""
    gate = Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        gate.arrive(request.messages[-1].text)
        return count(request)

    engine, restart = LocalEngine(2, shares=True), RestartPolicy(max_restarts=1, backoff=Backoff(base=0.01, jitter=0.0))
    with AgentPool(FunctionDriver(answer), engine=engine, max_queued=None, sessions=sessions, restart=restart) as pool:
        handles = [pool.spawn(config(query)) for query in ("first", "second")]
        assert gate.next() == "first"
        (node,) = [view.node for view in engine.nodes() if view.placed]
        engine.link.kill_host(node)
        gate.open()
        assert [handle.result().text for handle in handles] == ["1: first", "3: second"]
        assert len(texts(sessions)) == 2


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_who_waits_for_its_turn_can_be_stopped(sessions: Sessions, how: str) -> None:
    """Before it goes anywhere; the others go on."""
    gate = Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        gate.arrive(0)
        return count(request)

    engine = LocalEngine(1, shares=True)
    with AgentPool(FunctionDriver(answer), engine=engine, max_queued=None, sessions=sessions) as pool:
        first = pool.spawn(config("first"))
        gate.next()
        second = pool.spawn(config("second", deadline=0.05 if how == "timeout" else None))
        third = pool.spawn(config("third"))
        if how == "cancel":
            second.cancel("no more")
        expected = AgentStatus.CANCELLED if how == "cancel" else AgentStatus.TIMED_OUT
        assert second.outcome(10).status is expected
        gate.open()
        assert [first.result().text, third.result().text] == ["1: first", "3: third"]


class Asker(LlmAgent):
    """Asks a child before it answers."""

    def run(self, query: Any) -> Any:
        self.spawn(SpawnConfig(BOT, "child", session=self.config.kwargs.get("of"))).result()
        return super().run(query)

    def __init__(self, of: str | None = None) -> None:
        self.of = of


def test_those_who_wait_take_nobodys_place(sessions: Sessions) -> None:
    """However many they are, a child of the one whose turn it is gets its slot."""
    gate = Gate()

    def answer(request: CompletionRequest) -> CompletionResponse:
        if request.messages[-1].text == "child":
            return CompletionResponse("hello")
        gate.arrive(0)
        return count(request)

    manifest = AgentManifest(name="asker", capabilities=(Spawn(max_depth=2),))
    engine = LocalEngine(1, shares=True, prefetch=0)
    with AgentPool(FunctionDriver(answer), 1, engine=engine, max_queued=None, sessions=sessions) as pool:
        blocker = pool.spawn(SpawnConfig(BOT, "blocks"))
        gate.next()
        first = pool.spawn(SpawnConfig(manifest, "first", session="s", agent=Asker))
        others = [pool.spawn(config(f"other {number}")) for number in range(20)]
        gate.open()
        blocker.result(10)
        assert first.result(10).text == "1: first"
        assert [handle.result(10).text for handle in others] == [f"{2 * n + 3}: other {n}" for n in range(20)]


def test_a_child_that_would_wait_for_its_parent_is_refused(sessions: Sessions) -> None:
    """As in one process: it crashes, and both do not wait for ever."""
    manifest = AgentManifest(name="asker", capabilities=(Spawn(max_depth=2),))
    engine = LocalEngine(1, shares=True)
    with AgentPool(FunctionDriver(count), engine=engine, max_queued=None, sessions=sessions) as pool:
        outcome = pool.spawn(SpawnConfig(manifest, "q", session="s", agent=Asker, kwargs={"of": "s"})).outcome(10)
        assert "DeadlockError" in str(outcome.error)


def test_a_summary_that_was_bought_on_a_node_is_carried_on() -> None:
    """It is told with what was said; one that the session came with is not told again."""
    standing = Standing()
    told: list[Any] = []
    standing.hear(SAID, lambda agent_id, said, bought: told.append((agent_id, said, bought)))
    carried = Carried(UserMessage("so far"), frozenset({0}), 1)
    turn = NodeTurn(standing, 7, KnownTurn((UserMessage("before"),), carried))
    turn.begin_life()
    said = Said("q", (), "a", TokenUsage(1, 1), 0.0, "bot", None)
    turn.take(said)
    turn.summary.take(UserMessage("new"), {0, 1}, 3)
    turn.take(said)
    assert [bought for _, _, bought in told] == [None, Carried(UserMessage("new"), frozenset({0, 1}), 3)]
    assert [given for _, given, _ in told] == [said, said]
