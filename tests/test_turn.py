"""Nothing of the user's runs under the supervisor's turn, and nothing slow in its thread."""

from __future__ import annotations

import queue
import re
import threading
from typing import Any

import pytest

from actors import (
    ActorDead,
    Agent,
    AgentEnded,
    AgentManifest,
    AgentPool,
    Event,
    SpawnConfig,
    ToolFailed,
    ToolRegistry,
    tool,
)

from .agent.doubles import BOUND


class BadWords(ToolFailed):
    """An error whose own text fails."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_without_words_still_settles() -> None:
    """Its event is made by the sink's thread, and the outcome is there."""
    seen: list[Event] = []

    class Speechless(Agent[None]):
        def run(self, query: str) -> None:
            raise BadWords("x")

    with AgentPool(on_event=seen.append) as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(), "", agent=Speechless)).outcome(BOUND).status == "failed"
    assert any("no text" in str(event.error) for event in seen if isinstance(event, AgentEnded))


def test_a_group_that_cannot_be_hashed_is_refused() -> None:
    """When the config is made, not in the middle of an admission."""
    with pytest.raises(ValueError, match="hashable"):
        SpawnConfig(AgentManifest(), "", group=(1, [2]))


def test_an_agent_that_ends_with_an_unread_ask_harms_nobody() -> None:
    """Its asker, parked and without a slot, is told; a callback of the ask may look at the pool."""
    looked: list[int] = []
    refs: queue.Queue[Any] = queue.Queue()
    asked = threading.Event()

    class Deaf(Agent[None]):
        def run(self, query: str) -> None:
            refs.put(self.actor_ref)
            with self.parked():
                asked.wait(BOUND)

    class Asker(Agent[str]):
        def run(self, query: str) -> str:
            ref = refs.get(timeout=BOUND)
            future = ref.ask_future("listened to")
            future.add_done_callback(lambda _: looked.append(pool.stats().active))
            asked.set()
            try:
                ref.ask("unread", timeout=BOUND)
            except ActorDead as error:
                return str(error)
            return "answered"

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        deaf = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Deaf))
        asker = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Asker))
        busy = [pool.submit(threading.Event().wait, 0) for _ in range(3)]
        assert "ended before it answered" in asker.result(BOUND)
        assert deaf.outcome(BOUND).ok
        assert all(handle.outcome(BOUND).ok for handle in busy)
    assert len(looked) == 1


def test_a_slow_callback_delays_no_deadline() -> None:
    """It runs on a worker: the timers go on."""
    release = threading.Event()
    with AgentPool(max_concurrent=1, max_queued=None, abort_timeout=0.05) as pool:
        stuck = pool.submit(release.wait, BOUND)
        queued = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Silent, deadline=0.01))
        queued.add_done_callback(lambda _: release.wait(BOUND))
        assert queued.outcome(BOUND).status == "timed_out"
        pool.abort(stuck.id, "enough")
        assert stuck.outcome(BOUND / 2).status == "abandoned"  # the callback waits longer than that
        release.set()


def test_an_abort_returns_at_once_whatever_its_callbacks_do() -> None:
    """A cancel callback of the user's runs on a worker."""
    release, waiting = threading.Event(), threading.Event()

    class Watcher(Agent[None]):
        def run(self, query: str) -> None:
            self.cancel_token.on_cancel(lambda: release.wait(BOUND))
            waiting.set()
            self.receive()

    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Watcher))
        assert waiting.wait(BOUND)
        pool.abort(handle.id, "enough")
        assert not release.is_set()
        release.set()
        assert handle.outcome(BOUND).status == "cancelled"


def test_a_larger_limit_raises_how_many_may_live() -> None:
    """``max_live`` left to the pool follows ``max_concurrent``."""
    gate = threading.Barrier(81)
    with AgentPool(max_concurrent=4, max_queued=None) as pool:
        pool.resize(80)
        handles = [pool.submit(gate.wait, BOUND) for _ in range(80)]
        gate.wait(BOUND)
        assert all(handle.outcome(BOUND).ok for handle in handles)


class Silent(Agent[None]):
    """Does nothing."""

    def run(self, query: str) -> None:
        return None


@pytest.mark.parametrize("fields", [{"driver": 4}, {"on_event": 5}, {"restart": {"max_restarts": 1}}], ids=repr)
def test_what_is_no_such_thing_is_refused_at_once(fields: dict[str, Any]) -> None:
    """When the pool is made, with what it was given."""
    with pytest.raises(TypeError, match=re.escape(repr(next(iter(fields.values()))))):
        AgentPool(**fields)


def test_a_child_has_its_parents_tools() -> None:
    """What a child is not given is its parent's."""

    class Names(Agent[list[str]]):
        def run(self, query: str) -> list[str]:
            if query == "child":
                return self.tools.names()
            return list(self.spawn(SpawnConfig(AgentManifest(), "child", agent=Names)).result(BOUND))

    @tool
    def note() -> str:
        "Take a note."
        return ""

    with AgentPool(max_concurrent=1) as pool:
        config = SpawnConfig(AgentManifest(), "parent", agent=Names, tools=ToolRegistry([note]))
        assert pool.spawn(config).result(BOUND) == ["note"]
