"""Children: owed to the parent only, bounded by it, ended with it."""

from __future__ import annotations

import time

import pytest

from actors import AgentPool, FileRead, PrivacyTier, Rag, Shell, Spawn
from actors.errors import AgentCrashed, Cancelled, CapabilityDenied

from ..waiting import at_once, eventually
from .doubles import WAIT, doing, echo, manifest, sleeper

DEEP = {"capabilities": (Spawn(max_depth=10), Rag())}


def family(fn, query="q", **fields):
    """An agent that may have children."""
    return doing(fn, query, manifest_fields=DEEP, **fields)


def test_children_are_owed_to_the_parent_only(gate) -> None:
    """Never in join_* or outstanding_count; join_all does not return them."""

    def parent(agent, query):
        child = agent.spawn(family(lambda agent, _: gate.arrive("child") or "from child"))
        return child.id, child.result(timeout=WAIT)

    with AgentPool() as pool:
        pool.spawn(family(parent))
        gate.next()
        assert pool.outstanding_count == 1
        assert at_once(pool, lambda: pool.active_count == 2)
        gate.open()
        outcomes = pool.join_all(timeout=WAIT)
        assert {key: outcome.result for key, outcome in outcomes.items()} == {1: (2, "from child")}
        assert pool.join_next(timeout=0) is None


@pytest.mark.parametrize("how", ["returns", "crashes", "is cancelled", "runs out of time"])
def test_children_end_before_the_parents_outcome_is_visible(gate, how) -> None:
    """Whatever ends the parent, running children are cancelled and ended first."""
    ended, handles = [], []

    def parent(agent, query):
        for number in range(3):
            handles.append(
                agent.spawn(
                    sleeper(gate, f"child {number}", ending=lambda child, outcome: ended.append(outcome.status))
                )
            )
        for _ in range(3):
            gate.next()
        gate.note("ready")
        if how == "crashes":
            raise ValueError("parent")
        if how in ("is cancelled", "runs out of time"):
            agent.sleep(WAIT)
        return "done"

    words = {
        "returns": "completed",
        "crashes": "crashed",
        "is cancelled": "cancelled",
        "runs out of time": "timed_out",
    }
    with AgentPool(max_concurrent=8) as pool:
        handle = pool.spawn(family(parent, timeout=0.5 if how == "runs out of time" else None))
        if how == "is cancelled":
            eventually(lambda: len(handles) == 3)
            handle.cancel("parent")
        outcome = handle.outcome(timeout=WAIT)
        if how != "is cancelled":
            assert ended == ["cancelled"] * 3
        assert outcome.status == words[how]
        assert [child.done() for child in handles] == [True] * 3
        assert {str(child.status) for child in handles} == {"cancelled"}
        assert pool.active_count == 0
        assert pool.router.agent_count == 0


def test_queued_children_of_a_finished_parent_never_start(gate) -> None:
    """They end as cancelled."""
    handles, ran = [], []

    def parent(agent, query):
        handles.extend(agent.spawn(family(lambda child, _: ran.append(1))) for _ in range(5))
        return "done"

    with AgentPool(max_concurrent=1) as pool:
        assert pool.spawn(family(parent)).result(timeout=WAIT) == "done"
        assert [str(child.status) for child in handles] == ["cancelled"] * 5
    assert ran == []


def test_children_are_never_refused_for_room() -> None:
    """max_queued=0 and all slots taken: they queue all the same."""

    def parent(agent, query):
        children = [agent.spawn(family(lambda child, query: int(query), str(n))) for n in range(20)]
        return sum(child.result(timeout=WAIT) for child in children)

    with AgentPool(max_concurrent=1, max_queued=0) as pool:
        assert pool.spawn(family(parent)).result(timeout=WAIT) == sum(range(20))


def test_five_levels_on_one_slot() -> None:
    """max_concurrent=1 with agents nested five deep finishes."""

    def level(agent, query):
        depth = int(query)
        if depth == 5:
            return [agent.agent_id]
        return [agent.agent_id, *agent.spawn(family(level, str(depth + 1))).result(timeout=WAIT)]

    with AgentPool(max_concurrent=1) as pool:
        assert pool.spawn(family(level, "1")).result(timeout=WAIT) == [1, 2, 3, 4, 5]


def test_five_levels_of_two_children_on_one_slot() -> None:
    """A whole tree, on one slot and with max_live=1 as well."""

    def level(agent, query):
        depth = int(query)
        if depth == 5:
            return 1
        children = [agent.spawn(family(level, str(depth + 1))) for _ in range(2)]
        return 1 + sum(child.result(timeout=WAIT) for child in children)

    for max_live in (None, 1):
        with AgentPool(max_concurrent=1, max_live=max_live) as pool:
            assert pool.spawn(family(level, "1")).result(timeout=WAIT) == 31
            assert pool.router.agent_count == 0


def test_too_deep_is_denied() -> None:
    """CapabilityDenied("depth limit ..."), and the child cannot grant itself more."""

    def grandchild(agent, query):
        return "too deep"

    def child(agent, query):
        try:
            agent.spawn(family(grandchild))
        except CapabilityDenied as error:
            return str(error)
        return "not refused"

    def parent(agent, query):
        return agent.spawn(doing(child, manifest_fields=DEEP)).result(timeout=WAIT)

    shallow = {"capabilities": (Spawn(max_depth=1),)}
    with AgentPool() as pool:
        said = pool.spawn(doing(parent, manifest_fields=shallow)).result(timeout=WAIT)
    assert "depth limit" in said


def test_capabilities_and_privacy_are_at_most_the_parents() -> None:
    """A child that asks for more gets less, or is refused."""
    mine = (Spawn(max_depth=3), FileRead(allowed_paths=("/data",)))
    wish = (Spawn(max_depth=9), FileRead(allowed_paths=("*",)), Shell(allowed_commands=("rm",)))

    def parent(agent, query):
        config = doing(
            lambda child, _: (child.manifest.capabilities, child.manifest.privacy),
            manifest_fields={"capabilities": wish, "privacy": "standard"},
        )
        try:
            return agent.spawn(config).result(timeout=WAIT)
        except CapabilityDenied:
            return "refused"

    with AgentPool() as pool:
        seen = pool.spawn(doing(parent, manifest_fields={"capabilities": mine})).result(timeout=WAIT)
    if seen != "refused":
        capabilities, privacy = seen
        assert privacy == PrivacyTier.SOVEREIGN
        assert not any(isinstance(grant, Shell) for grant in capabilities)
        for grant in capabilities:
            if isinstance(grant, FileRead):
                assert set(grant.allowed_paths) <= {"/data"}
            if isinstance(grant, Spawn):
                assert grant.max_depth <= 3


def test_a_childs_crash_reaches_its_parent() -> None:
    """handle.result() in the parent raises it; the parent goes on."""

    def parent(agent, query):
        child = agent.spawn(family(lambda child, _: 1 / 0))
        with pytest.raises(AgentCrashed):
            child.result(timeout=WAIT)
        return child.outcome(timeout=0).status

    with AgentPool() as pool:
        assert pool.spawn(family(parent)).result(timeout=WAIT) == "crashed"


def test_children_come_before_the_queue(gate) -> None:
    """A free slot goes to the child, then to the woken parent, then to the queue."""
    order = []

    def parent(agent, query):
        gate.arrive()
        agent.spawn(family(lambda child, _: order.append("child"))).result(timeout=WAIT)
        order.append("parent")

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.spawn(family(parent))
        gate.next()
        for _ in range(3):
            pool.spawn(doing(lambda agent, _: order.append("queued")))
        gate.open()
        pool.join_all(timeout=WAIT)
    assert order == ["child", "parent", "queued", "queued", "queued"]


def test_a_child_of_a_cancelled_parent_does_not_outlive_it(gate) -> None:
    """A parent that spawns after its cancel: refused, or cancelled with it."""
    born = []

    def parent(agent, query):
        gate.note("in")
        try:
            agent.sleep(WAIT)
        except Cancelled:
            born.append(agent.spawn(family(lambda child, _: child.sleep(WAIT))))
            raise

    with AgentPool() as pool:
        handle = pool.spawn(family(parent))
        gate.next()
        begin = time.monotonic()
        handle.cancel()
        handle.outcome(timeout=WAIT)
        assert time.monotonic() - begin < 3
        assert all(child.done() for child in born)
        assert pool.router.agent_count == 0


def test_a_cancelled_parent_that_waits_for_its_child_is_cancelled_not_crashed(gate) -> None:
    """The parent's own cancel is what it sees, not the error of the child that was cancelled with it."""

    def parent(agent, query):
        gate.arrive()
        return agent.spawn(family(lambda child, _: child.sleep(WAIT))).result()

    with AgentPool() as pool:
        handle = pool.spawn(family(parent))
        gate.next()
        handle.cancel("evening")
        gate.open()
        outcome = handle.outcome(timeout=WAIT)
        assert outcome.status == "cancelled"
        assert "evening" in str(outcome.error)


def test_abort_all_reaches_grandchildren(gate) -> None:
    """The whole family ends."""

    def level(agent, query):
        if query == "3":
            gate.note("deep")
            agent.sleep(WAIT)
        return agent.spawn(family(level, str(int(query) + 1))).result(timeout=WAIT)

    with AgentPool(max_concurrent=1) as pool:
        pool.spawn(family(level, "1"))
        gate.next()
        begin = time.monotonic()
        pool.abort_all("evening")
        outcomes = pool.join_all(timeout=WAIT)
        assert [str(outcome.status) for outcome in outcomes.values()] == ["cancelled"]
        assert time.monotonic() - begin < 4
        assert pool.router.agent_count == 0


def test_aborting_a_child_alone(gate) -> None:
    """The parent sees a cancelled child and goes on."""

    def parent(agent, query):
        child = agent.spawn(sleeper(gate, manifest_fields=DEEP))
        gate.next()
        child.cancel("by the parent")
        outcome = child.outcome(timeout=WAIT)
        return str(outcome.status), "by the parent" in str(outcome.error)

    with AgentPool() as pool:
        assert pool.spawn(family(parent)).result(timeout=WAIT) == ("cancelled", True)


def test_parent_and_child_talk() -> None:
    """A child knows nothing but the id that it was given."""

    def child(agent, query):
        agent.send(int(query), {"from child": agent.agent_id})
        return agent.receive(timeout=WAIT).content

    def parent(agent, query):
        handle = agent.spawn(family(child, str(agent.agent_id)))
        message = agent.receive(timeout=WAIT)
        agent.send(message.sender, "thanks")
        return message.content, handle.result(timeout=WAIT)

    with AgentPool(max_concurrent=1) as pool:
        assert pool.spawn(family(parent)).result(timeout=WAIT) == ({"from child": 2}, "thanks")


def test_children_need_no_join() -> None:
    """A parent that ignores finished children ends cleanly."""

    def parent(agent, query):
        handles = [agent.spawn(echo(str(n))) for n in range(3)]
        for handle in handles:
            handle.outcome(timeout=WAIT)
        return len(handles)

    with AgentPool() as pool:
        assert pool.spawn(doing(parent, manifest_fields=DEEP)).result(timeout=WAIT) == 3
        assert manifest().name == "worker"
