"""What holds of a pool over several hosts at each moment: slots, events, ends."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, SpawnConfig
from actors.cluster import fleet
from actors.events import AgentEnded, AgentParked, AgentResumed
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import eventually

if TYPE_CHECKING:
    from actors.events import Event

ONE = AgentManifest(name="one")
A_MOMENT = 0.002


class Slots:
    """Counts who works. It has a lock, so all of them get this one, and no copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0

    def change(self, by: int) -> None:
        """One more, or one less."""
        with self._lock:
            self.now += by
            self.most = max(self.most, self.now)


class Works(Agent[Any]):
    """Works, stands aside, and works again."""

    def run(self, query: Slots) -> None:
        """Do so."""
        for _ in range(3):
            query.change(1)
            threading.Event().wait(A_MOMENT)
            query.change(-1)
            with self.parked():
                threading.Event().wait(A_MOMENT)


def test_no_more_work_than_the_pool_has_slots_while_these_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes join while all work: what those get is taken from the others first."""
    monkeypatch.setattr(fleet, "LOOK_EVERY", 0.01)
    slots, engine = Slots(), LocalEngine(2, shares=True)
    with no_thread_left(), AgentPool(max_concurrent=6, max_queued=None, engine=engine) as pool:
        handles = pool.fan_out([SpawnConfig(ONE, slots, agent=Works) for _ in range(60)])
        engine.link.add_node()
        handles[10].result(10)
        engine.link.add_node()
        pool.join_all(20)
        eventually(lambda: sorted(node.lease for node in engine.nodes()) == [1, 1, 2, 2])
    assert slots.now == 0
    assert 2 <= slots.most <= 6


def test_fewer_slots_are_fewer_from_when_the_last_was_given_back() -> None:
    """The pool is made small while all work, and what works after that is no more than it has."""
    slots, engine = Slots(), LocalEngine(2, shares=True)
    with no_thread_left(), AgentPool(max_concurrent=6, max_queued=None, engine=engine) as pool:
        pool.fan_out([SpawnConfig(ONE, slots, agent=Works) for _ in range(30)])
        pool.resize(1)
        pool.join_all(20)
        few = Slots()
        pool.fan_out([SpawnConfig(ONE, few, agent=Works) for _ in range(6)])
        pool.join_all(20)
    assert slots.now == few.now == 0
    assert slots.most <= 6
    assert few.most == 1


class Talks(Agent[Any]):
    """Is parked and goes on, several times."""

    def run(self, query: int) -> int:
        """Do so."""
        for _ in range(query):
            with self.parked():
                pass
        return query


def test_events_of_an_agent_are_whole_and_in_order_whatever_calls_do() -> None:
    """Each that is parked goes on, the moments never run back, its end is told once and last."""
    told: dict[int, list[Event]] = defaultdict(list)
    engine = LocalEngine(2, seed=11, lost=0.1, lost_answers=0.1, doubled=0.1, late=0.1)
    with (
        no_thread_left(),
        AgentPool(
            max_concurrent=4, max_queued=None, engine=engine, on_event=lambda event: told[event.agent_id].append(event)
        ) as pool,
    ):
        handles = pool.fan_out([SpawnConfig(ONE, number % 4, agent=Talks) for number in range(40)])
        pool.join_all(20)
    assert sorted(told) == sorted(handle.id for handle in handles)
    for handle in handles:
        events = told[handle.id]
        kinds = [type(event) for event in events]
        assert kinds.count(AgentEnded) == 1
        assert kinds[-1] is AgentEnded
        assert kinds.count(AgentParked) == kinds.count(AgentResumed) == (handle.id - 1) % 4
        assert [event.seq for event in events] == sorted(event.seq for event in events)
        assert [event.moment for event in events] == sorted(event.moment for event in events)


def test_nothing_is_left_after_close() -> None:
    """No host, and no thread, also of agents that were cancelled by it."""
    engine = LocalEngine(3, shares=True)
    with no_thread_left():
        with AgentPool(max_concurrent=3, max_queued=None, engine=engine) as pool:
            pool.fan_out([SpawnConfig(ONE, None, agent=Waits) for _ in range(6)])
            pool.abort_all("enough")
        assert [engine.link.hosting(f"node-{number}") for number in (1, 2, 3)] == [None] * 3


class Waits(Agent[Any]):
    """Waits for ever."""

    def run(self, query: None) -> None:
        """Do so."""
        self.receive()
