"""What an engine takes, refuses and gives up, and what a pool with one shows."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from actors import Agent, AgentManifest, AgentPool, AgentStatus, Backoff, NotAcrossNodes, RestartPolicy, SpawnConfig
from actors.cluster import NodeView, RayEngine
from actors.cluster.policy import longest_drain
from actors.errors import AgentLost, CapacityError, EngineLost
from actors.events import AgentEnded
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import BOUND, Gate, eventually

AT_ONCE = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.0))


def an_engine(nodes: int = 2, **settings: Any) -> LocalEngine:
    """One whose agents may share gates with the test."""
    return LocalEngine(nodes, shares=True, **settings)


def test_an_engine_serves_one_pool() -> None:
    """A second one is refused, while it serves and after."""
    engine = an_engine()
    with AgentPool(engine=engine), pytest.raises(RuntimeError, match="serves one pool"):
        AgentPool(engine=engine)
    with pytest.raises(RuntimeError, match="ended with its pool"):
        AgentPool(engine=engine)


def test_what_is_no_engine() -> None:
    """It is refused by name, before anything is made."""
    with pytest.raises(TypeError, match=r"RayEngine\(\.\.\.\)"):
        AgentPool(engine="ray")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not the class LocalEngine"):
        AgentPool(engine=LocalEngine)  # type: ignore[arg-type]


def test_no_address() -> None:
    """An empty address is refused before a process is started."""
    with pytest.raises(ValueError, match="address must name a cluster"):
        RayEngine("")


def test_a_host_waits_no_longer_than_its_fence() -> None:
    """With many nodes and a short ``lost_after`` its drains are short: else it would end itself though all is well."""
    assert longest_drain(1) == 1.0
    assert longest_drain(2_000) == 20.0
    assert longest_drain(2_000, lost_after=12.0, abort_timeout=5.0) == 2.5


def test_a_dump_names_the_node_of_an_agent() -> None:
    """It says where the agent lives, and that its stack is there; one that was lost lives nowhere."""
    gate, engine = Gate(), an_engine(1)
    with AgentPool(engine=engine, restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=60.0))) as pool:
        handle = pool.submit(gate.hold)
        gate.await_reached()
        seen = pool.dump(agent_id=handle.id)
        assert (seen.node, seen.stack) == ("node-1", "")
        assert "on node node-1 (its stack is there)" in str(seen)
        engine.link.kill_host("node-1")
        eventually(lambda: pool.dump(agent_id=handle.id).node is None)
        gate.open()
        handle.cancel()


class Traced:
    """Whoever traces."""

    def is_recording(self) -> bool:
        """Nobody listens."""
        return False


def test_tracing_does_not_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so by name, and nothing is left of the pool that could not be made."""
    monkeypatch.setattr("actors.core.tracing.tracing_or_none", lambda _: None)
    engine = an_engine()
    with no_thread_left(), pytest.raises(NotAcrossNodes, match="tracing="):
        AgentPool(engine=engine, tracing=Traced())  # type: ignore[arg-type]
    engine.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lost_after": 3.0}, "lost_after must be above 8 s"),
        ({"lost_after": 0}, "lost_after must be above 0"),
        ({"slots_per_node": 0}, "slots_per_node must be at least 1"),
        ({"prefetch": -1}, "prefetch must be at least 0"),
        ({"min_nodes": 0}, "min_nodes must be at least 1"),
        ({"start_timeout": float("inf")}, "start_timeout must be above 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense(settings: dict[str, Any], says: str) -> None:
    """Each is named, with what it may be."""
    with no_thread_left(), pytest.raises(ValueError, match=says):
        AgentPool(engine=an_engine(**settings))


@pytest.mark.parametrize(
    "settings",
    [{"slots_per_node": 1.5}, {"prefetch": True}, {"lost_after": "soon"}, {"runtime_env": "."}, {"address": 6379}],
    ids=str,
)
def test_settings_of_another_kind(settings: dict[str, Any]) -> None:
    """They are refused before a process is started."""
    with pytest.raises(TypeError, match=next(iter(settings))):
        RayEngine(**settings)


def test_too_few_nodes() -> None:
    """Who waits for the first ones is told which there are, and nothing is left of the pool."""
    with (
        no_thread_left(),
        pytest.raises(EngineLost, match=r"[01] of 2 nodes came up within 0\.05 s: node-1: (up|starting)"),
    ):
        AgentPool(engine=an_engine(1, min_nodes=2, start_timeout=0.05))


def test_nodes() -> None:
    """What there is before it serves, while it does, and of what was placed."""
    gate, engine = Gate(), an_engine(prefetch=0)
    assert [(view.node, view.state, view.lease) for view in engine.nodes()] == [
        ("node-1", "starting", 0),
        ("node-2", "starting", 0),
    ]
    with AgentPool(max_concurrent=3, max_queued=None, engine=engine) as pool:
        handles = [pool.submit(gate.arrive) for _ in range(3)]
        gate.await_reached()
        views = engine.nodes()
        assert all(isinstance(view, NodeView) and view.pid for view in views)
        assert [(view.node, view.state, view.why) for view in views] == [("node-1", "up", ""), ("node-2", "up", "")]
        eventually(lambda: sorted(view.lease for view in engine.nodes()) == [1, 2])
        eventually(lambda: sum(view.placed for view in engine.nodes()) == 3)
        gate.open()
        assert all(handle.outcome().status == "completed" for handle in handles)


def test_slots_over_all_nodes() -> None:
    """Never more run than the pool has, also while it is resized; then as many as it has."""
    running, most, lock, gate = [0], [0], threading.Lock(), Gate()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        gate.hold()
        with lock:
            running[0] -= 1

    with AgentPool(max_concurrent=5, max_queued=None, engine=an_engine(3)) as pool:
        handles = [pool.submit(work) for _ in range(40)]
        eventually(lambda: running[0] == 5)
        pool.resize(9)
        eventually(lambda: running[0] == 9)
        pool.resize(2)
        gate.open()
        assert Counter(handle.outcome().status for handle in handles) == {AgentStatus.COMPLETED: 40}
        assert most[0] == 9


def test_the_limit_and_the_queue() -> None:
    """Whoever finds no slot is refused or waits, as without an engine; what waits on hosts counts as queued."""
    gate = Gate()
    with AgentPool(max_concurrent=2, max_queued=1, engine=an_engine()) as pool:
        handles = [pool.submit(gate.arrive) for _ in range(3)]
        with pytest.raises(CapacityError):
            pool.submit(gate.arrive)
        with pytest.raises(CapacityError):
            pool.fan_out([SpawnConfig(AgentManifest(name="n"), 0, agent=Same)], timeout=0.01)
        eventually(lambda: pool.active_count == 2)
        assert pool.stats().queued == 1
        gate.open()
        handles += pool.fan_out([SpawnConfig(AgentManifest(name="n"), 7, agent=Same)], timeout=BOUND)
        assert handles[-1].result() == 7
        assert {handle.outcome().status for handle in handles} == {AgentStatus.COMPLETED}


class Same(Agent[Any]):
    """Gives its query back."""

    def run(self, query: Any) -> Any:
        """As it is."""
        return query


def test_query_and_tag_stay_here() -> None:
    """The outcome has the objects that were given."""
    query, tag = ["a"], object()
    with AgentPool(engine=an_engine()) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(name="n"), query, agent=Same, tag=tag)).outcome()
    assert outcome.query is query
    assert outcome.tag is tag
    assert (outcome.result, outcome.result is query) == (["a"], False)


@pytest.mark.parametrize("restart", [None, AT_ONCE], ids=["once", "again"])
def test_a_host_that_went(restart: RestartPolicy | None) -> None:
    """Its agents are lost; or run again under the same id, and count as started again."""
    gate, engine = Gate(), an_engine(2, prefetch=0)
    with AgentPool(max_concurrent=2, max_queued=None, restart=restart, engine=engine) as pool:
        handles = [pool.submit(gate.arrive, number) for number in range(2)]
        for _ in handles:
            gate.next()
        engine.link.kill_host("node-1")
        if restart is not None:
            gate.next()
        gate.open()
        outcomes = [handle.outcome() for handle in handles]
    assert [outcome.agent_id for outcome in outcomes] == [handle.id for handle in handles]
    ends = Counter((outcome.status, outcome.restarts) for outcome in outcomes)
    if restart is None:
        assert ends == {(AgentStatus.COMPLETED, 0): 1, (AgentStatus.LOST, 0): 1}
        (error,) = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert isinstance(error, AgentLost)
        assert error.node == "node-1"
    else:
        assert ends == {(AgentStatus.COMPLETED, 0): 1, (AgentStatus.COMPLETED, 1): 1}


@pytest.mark.parametrize("first", ["cancel", "loss"])
def test_a_cancel_and_a_loss(first: str) -> None:
    """One that was being cancelled ends as cancelled, whichever came first, also if it would be run again."""
    started, gate, engine = Gate(), threading.Event(), an_engine(1)
    waits = RestartPolicy(max_restarts=1, backoff=Backoff(base=60.0, maximum=60.0))
    with AgentPool(restart=waits, abort_timeout=BOUND, engine=engine) as pool:
        handle = pool.submit(lambda: (started.note(), gate.wait()))
        started.next()
        if first == "cancel":
            handle.cancel("enough")
            engine.link.kill_host("node-1")
        else:
            engine.link.kill_host("node-1")
            eventually(lambda: handle.status == "queued" or engine.nodes()[0].placed == 0)
            handle.cancel("enough")
        outcome = handle.outcome(BOUND)
        gate.set()
    assert outcome.status is AgentStatus.CANCELLED
    assert "enough" in str(outcome.error)


def test_who_waits_for_room_is_told_of_the_loss() -> None:
    """The engine is lost while a spawn waits: it raises, and whoever was queued is lost."""
    gate, engine = Gate(), an_engine(1, prefetch=0)
    with AgentPool(max_concurrent=1, max_queued=1, engine=engine) as pool:
        handles = [pool.submit(gate.arrive) for _ in range(2)]
        gate.next()
        raised: list[BaseException] = []

        def spawn() -> None:
            try:
                pool.spawn(SpawnConfig(AgentManifest(name="n"), 0, agent=Same), timeout=BOUND)
            except BaseException as error:
                raised.append(error)

        spawner = threading.Thread(target=spawn)
        spawner.start()
        eventually(lambda: pool._supervisor is not None and pool._supervisor.pool.roster.waiting_spawns)
        engine.link.lose_engine()
        spawner.join(BOUND)
        gate.open()
        assert [type(error) for error in raised] == [EngineLost]
        outcomes = [handle.outcome(BOUND) for handle in handles]
        assert {outcome.status for outcome in outcomes} == {AgentStatus.LOST}
        assert all(isinstance(error.__cause__, EngineLost) for outcome in outcomes if (error := outcome.error))
        with pytest.raises(EngineLost):
            pool.submit(int)


def test_nothing_runs_twice_when_its_answer_is_lost() -> None:
    """All that hosts say is lost for a while: each agent ran once, and its outcome comes late."""
    ran: list[int] = []
    engine = an_engine(2, seed=3, lost_answers=0.3)
    with AgentPool(max_concurrent=8, max_queued=None, engine=engine) as pool:
        handles = [pool.submit(ran.append, number) for number in range(30)]
        assert {handle.outcome(BOUND).status for handle in handles} == {AgentStatus.COMPLETED}
    assert sorted(ran) == list(range(30))


def test_a_deadline_holds_whatever_a_host_does() -> None:
    """A host that does not answer is waited for so long, and no longer: timeout + abort_timeout + 2."""
    gate, engine = Gate(), an_engine(1)
    with AgentPool(abort_timeout=0.05, engine=engine) as pool:
        config = SpawnConfig(AgentManifest(name="n"), gate, agent=Holds, timeout=0.1)
        handle = pool.spawn(config)
        gate.next()
        eventually(lambda: pool.active_count)
        engine.link.freeze("node-1")
        outcome = handle.outcome(BOUND)
        engine.link.thaw("node-1")
        gate.open()
    assert outcome.status is AgentStatus.ABANDONED


class Holds(Agent[Any]):
    """Waits for a gate, and looks for no cancel."""

    def run(self, query: Gate) -> None:
        """Hold."""
        query.arrive()


def test_events_with_content() -> None:
    """What an agent gave is told in its last event, as without an engine."""
    with AgentPool(events_with_content=True, engine=an_engine()) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(name="n"), {"a": 1}, agent=Same))
        events = list(handle.events(BOUND))
    assert isinstance(events[-1], AgentEnded)
    assert events[-1].result == {"a": 1}
