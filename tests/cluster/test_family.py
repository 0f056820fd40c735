"""Children of agents on nodes, on a cluster that is played in this process."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, AgentStatus, Backoff, RestartPolicy, SpawnConfig
from actors.capabilities import Spawn
from actors.errors import CapabilityDenied, NotAcrossNodes
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors import AgentHandle, AgentOutcome

PLAIN = AgentManifest(name="one")


def config(query: Any, agent: type[Agent[Any]]) -> SpawnConfig[Any]:
    """An agent of a class of these tests."""
    return SpawnConfig(PLAIN, query, agent=agent)


@pytest.fixture
def engine() -> LocalEngine:
    """Three nodes of one slot each."""
    return LocalEngine(3, shares=True, slots_per_node=1, prefetch=0)


@pytest.fixture
def pool(engine: LocalEngine) -> Iterator[AgentPool]:
    """A pool on them."""
    with no_thread_left(), AgentPool(max_concurrent=3, max_queued=None, engine=engine) as made:
        yield made


class Notes:
    """What agents say, in its order. It has a lock, so all of them get this one, and no copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.said: list[str] = []
        self.begun = threading.Event()

    def say(self, what: str) -> None:
        """Say *what*."""
        with self._lock:
            self.said.append(what)


class Deep(Agent[int]):
    """Starts one below it, so many times, and waits for it."""

    def run(self, query: int) -> int:
        """How many are below it, and it."""
        return 1 if query == 0 else 1 + self.spawn(config(query - 1, Deep)).result()


def test_children_six_deep_finish_with_one_slot_for_each_node(pool: AgentPool) -> None:
    """A parent that waits lays its slot out, for agents of its node as for placement: four such at once."""
    tops = [pool.spawn(config(6, Deep)) for _ in range(4)]
    assert [top.result(20) for top in tops] == [7] * 4


class Held(Agent[str]):
    """Stays at a gate, blind to cancels."""

    def run(self, query: tuple[Gate, Notes]) -> str:
        """Its id, when the gate opens."""
        gate, told = query
        told.begun.set()
        gate.arrive(self.agent_id)
        told.say("child")
        return "held"


class Leaves(Agent[str]):
    """Starts a child, and does not wait for it."""

    told: Notes

    def run(self, query: tuple[Gate, Notes]) -> str:
        """What it does at once."""
        _, self.told = query
        self.spawn(config(query, Held))
        assert self.told.begun.wait(10)
        self.told.say("parent ran")
        return "left"

    def on_end(self, outcome: AgentOutcome[str]) -> None:
        """Say that it ends."""
        self.told.say("parent's on_end")


def test_a_parent_ends_only_when_its_children_have(pool: AgentPool) -> None:
    """Its run is over, its child is not: neither its ``on_end`` nor its outcome comes before the child's end."""
    gate, told = Gate(), Notes()
    parent = pool.spawn(config((gate, told), Leaves))
    child_id = gate.next()
    child = next(cell for cell in pool._supervisor.cells()[0] if cell.id == child_id)  # type: ignore[union-attr]
    eventually(lambda: child.stopping)  # it was told to end, as its parent's run is over
    assert told.said == ["parent ran"]
    assert not parent.done()
    gate.open()
    assert parent.result(10) == "left"
    assert told.said == ["parent ran", "child", "parent's on_end"]
    assert child.outcome is not None
    assert child.outcome.status is AgentStatus.COMPLETED


class Watches(Agent[Any]):
    """Does something with the handle of a child."""

    def run(self, query: Any) -> Any:
        """What that gave."""
        what, *more = query
        handle = self.spawn(config(more[0] if more else 3, Echoes))
        return what(handle)


class Echoes(Agent[Any]):
    """Gives back what it was asked; raises what is an error; reads a message if it is asked for one."""

    def run(self, query: Any) -> Any:
        """That."""
        if isinstance(query, BaseException):
            raise query
        if query == "wait":
            self.sleep(30)
        return self.receive(10).content if query == "read" else query


def outcome_of(handle: AgentHandle[Any]) -> Any:
    """What a parent sees of it."""
    outcome = handle.outcome(10)
    return handle.done(), handle.status, outcome.status, outcome.query, outcome.result, outcome.agent_id == handle.id


def test_a_handle_of_a_child_has_its_outcome_with_the_query_of_its_parent(pool: AgentPool) -> None:
    """As a local one, wherever the child lived."""
    done, status, word, query, result, is_it = pool.spawn(config((outcome_of, [1]), Watches)).result(10)
    assert (done, status, word, query, result, is_it) == (True, "completed", "completed", [1], [1], True)


def test_a_child_that_crashed_raises_in_its_parent(pool: AgentPool) -> None:
    """By the class of what it raised."""

    def caught(handle: AgentHandle[Any]) -> str:
        with pytest.raises(ZeroDivisionError, match="of theirs"):
            handle.result(10)
        return str(handle.outcome().status)

    assert pool.spawn(config((caught, ZeroDivisionError("of theirs")), Watches)).result(10) == "crashed"


def test_a_child_is_cancelled_and_written_to_by_its_handle(pool: AgentPool) -> None:
    """And one that has ended is neither."""

    def cancelled(handle: AgentHandle[Any]) -> Any:
        first = handle.cancel("enough")
        outcome = handle.outcome(10)
        return first, str(outcome.status), handle.cancel()

    def written(handle: AgentHandle[Any]) -> Any:
        handle.send("hello", timeout=None)
        return handle.result(10)

    assert pool.spawn(config((cancelled, "wait"), Watches)).result(10) == (True, "cancelled", False)
    assert pool.spawn(config((written, "read"), Watches)).result(10) == "hello"


def test_a_cancel_ends_a_wait_for_a_child_and_a_timeout_loses_nothing(pool: AgentPool) -> None:
    """The child ends with its parent."""

    def impatient(handle: AgentHandle[Any]) -> Any:
        with pytest.raises(TimeoutError, match="still running"):
            handle.outcome(0.01)
        return handle.result()

    parent = pool.spawn(config((impatient, "wait"), Watches))
    eventually(lambda: pool.stats().active == 2)
    parent.cancel("enough")
    assert parent.outcome(10).status is AgentStatus.CANCELLED
    assert pool.stats().ended[AgentStatus.CANCELLED] == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda handle: handle.future,
        lambda handle: handle.add_done_callback(print),
        lambda handle: handle.detach(),
        lambda handle: handle.approvals,
        lambda handle: handle.approve("1"),
        lambda handle: handle.deny("1"),
        lambda handle: handle.events(),
        lambda handle: handle.aevents(),
        lambda handle: handle.text(),
        lambda handle: handle.messages_in,
        lambda handle: handle.__await__(),
    ],
)
def test_what_a_handle_on_a_node_has_not_says_so(pool: AgentPool, use: Any) -> None:
    """By its name, and with what to do instead."""

    def refused(handle: AgentHandle[Any]) -> Any:
        with pytest.raises(NotAcrossNodes, match="does not work across nodes: "):
            use(handle)
        return repr(handle)

    assert "ChildHandle" in pool.spawn(config((refused,), Watches)).result(10)


def test_the_program_refuses_a_child_and_its_parent_is_told(pool: AgentPool) -> None:
    """Depth is looked at there, and the error is raised where the child was asked for."""

    class Denied(Agent[str]):
        def run(self, query: Any) -> str:
            with pytest.raises(CapabilityDenied, match="depth limit 1 reached"):
                self.spawn(config(0, Deep))
            return "denied"

    class Top(Agent[str]):
        def run(self, query: Any) -> str:
            return self.spawn(config(0, Denied)).result()

    manifest = AgentManifest(name="top", capabilities=(Spawn(max_depth=1),))
    assert pool.spawn(SpawnConfig(manifest, 0, agent=Top)).result(10) == "denied"


def test_colleagues_are_those_of_all_nodes(pool: AgentPool) -> None:
    """With their parents."""
    gate = Gate()

    class Looks(Agent[Any]):
        def run(self, query: Any) -> Any:
            child = self.spawn(config((gate, Notes()), Held))
            gate.next()
            found = [(one.id - self.agent_id, one.parent_id == self.agent_id) for one in self._context.colleagues()]
            gate.open()
            child.outcome()
            return sorted(found)

    other = pool.spawn(config((gate, Notes()), Held))
    gate.next()
    assert pool.spawn(config(0, Looks)).result(10) == [(-1, False), (1, True)]
    assert other.result(10) == "held"


class Crashes(Agent[str]):
    """Starts a child and crashes, the first time."""

    def run(self, query: tuple[Gate, Notes, Notes]) -> str:
        """Not the first time."""
        gate, told, lives = query
        lives.say("life")
        if len(lives.said) == 1:
            self.spawn(config((gate, told), Held))
            assert told.begun.wait(10)
            raise RuntimeError("crashed")
        told.say("second life")
        return "done"


def test_a_parent_is_started_again_only_when_its_children_have_ended() -> None:
    """They are told to end, and it waits for them."""
    gate, told = Gate(), Notes()
    policy = RestartPolicy(max_restarts=1, backoff=Backoff(0.0))
    engine = LocalEngine(2, shares=True, slots_per_node=1, prefetch=0)
    with AgentPool(max_concurrent=2, max_queued=None, engine=engine, restart=policy) as pool:
        parent = pool.spawn(config((gate, told, Notes()), Crashes))
        gate.next()
        gate.open()
        assert parent.result(10) == "done"
        assert told.said == ["child", "second life"]


class Waits(Agent[str]):
    """Starts a child that stays at a gate, and waits for it."""

    def run(self, query: tuple[Gate, Notes]) -> str:
        """What that says."""
        return self.spawn(config(query, Held)).result()


@pytest.mark.parametrize("is_parent", [True, False])
def test_a_parent_ends_after_its_child_when_the_node_of_one_of_them_dies(is_parent: bool) -> None:
    """Where the parent's dies, the child on the other one is cancelled first, and the parent is lost when that has
    ended. Where the child's does, the parent hears that it is lost.
    """
    gate = Gate()
    engine = LocalEngine(2, shares=True, slots_per_node=1, prefetch=0)
    with AgentPool(max_concurrent=2, max_queued=None, engine=engine, abort_timeout=5) as pool:
        core = pool._supervisor
        assert core is not None
        parent = pool.spawn(config((gate, Notes()), Waits))
        child_id = gate.next()
        where = {agent_id: node.info.name for agent_id, node in core.pool.lives.state.where.items()}  # type: ignore[attr-defined]
        assert where[parent.id] != where[child_id]
        ended: list[int] = []
        for cell in core.cells()[0]:
            core.when_ended(cell, partial(ended.append, cell.id))
        engine.link.kill_host(where[parent.id if is_parent else child_id])
        if is_parent:
            child = core.pool.roster.find(child_id)
            assert child is not None
            eventually(lambda: child.stopping)
            assert not parent.done()
        gate.open()
        assert parent.outcome(10).status is (AgentStatus.LOST if is_parent else AgentStatus.CRASHED)
        eventually(lambda: len(ended) == 2)
        assert ended == [child_id, parent.id]


def test_a_host_keeps_no_thread_of_a_parent_that_it_abandoned() -> None:
    """Its child's node stands still: no word of that comes in time, and later ones find nobody."""
    gate, engine = Gate(), LocalEngine(2, shares=True, slots_per_node=1, prefetch=0)
    with no_thread_left(), AgentPool(max_concurrent=2, max_queued=None, engine=engine, abort_timeout=0.05) as pool:
        parent = pool.spawn(config((gate, Notes()), Waits))
        child_id = gate.next()
        hosts = {node: engine.link.hosting(node) for node in ("node-1", "node-2")}
        (node,) = (node for node, host in hosts.items() if host.cell(child_id) is not None)
        (host,) = (host for host in hosts.values() if host.cell(parent.id) is not None)
        engine.link.freeze(node)
        parent.cancel()
        eventually(lambda: host.cell(parent.id) is None)
        eventually(lambda: not host.core.pool.cancellation.abandoned)
        engine.link.thaw(node)
        gate.open()
        # The host's word of its child may come before its time is over, or after it.
        assert parent.outcome(10).status in (AgentStatus.ABANDONED, AgentStatus.CANCELLED)
