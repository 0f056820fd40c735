"""Nothing of the user's runs under the supervisor's turn, and nothing slow in its thread."""

from __future__ import annotations

import contextlib
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
    AgentMessage,
    AgentOutcome,
    AgentPool,
    Backoff,
    CapacityError,
    CompletionRequest,
    CompletionResponse,
    DeadlockError,
    Event,
    FunctionDriver,
    InboxClosed,
    RestartPolicy,
    SpawnConfig,
    StopReason,
    ToolFailed,
    ToolRegistry,
    tool,
)

from .waiting import BOUND, eventually


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


def test_a_sender_that_waits_at_a_mailbox_that_closes_harms_nobody() -> None:
    """It is parked without a slot when its receiver ends: it is woken, told, and gets a slot again."""
    go = threading.Event()

    class Sender(Agent[str]):
        def run(self, query: int) -> str:
            assert go.wait(BOUND)
            self.send(query, "fits")
            try:
                self.send(query, "waits for room", timeout=None)
            except InboxClosed:
                return "told"
            return "sent"

    with AgentPool(max_concurrent=1, max_queued=None, inbox_capacity=1) as pool:
        sender = pool.spawn(SpawnConfig(AgentManifest(), 2, agent=Sender))
        deaf = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Silent))
        go.set()
        assert sender.result(BOUND) == "told"
        assert deaf.outcome(BOUND).ok


def test_a_wait_inside_parked_does_not_take_the_slot_back() -> None:
    """Parks nest: with one slot, somebody else may run until the outer block is left."""
    ran = threading.Event()

    class Patient(Agent[bool]):
        def run(self, query: str) -> bool:
            with self.parked():
                with self.parked():
                    pass
                with contextlib.suppress(TimeoutError):
                    self.receive(0)
                return ran.wait(BOUND)

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        patient = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Patient))
        pool.submit(ran.set)
        assert patient.result(BOUND) is True


def test_on_end_is_called_also_when_a_backoff_is_cancelled() -> None:
    """Once, at the end, with the outcome that stands."""
    ends: list[str] = []
    crashed = threading.Event()

    class Crashing(Agent[None]):
        def run(self, query: str) -> None:
            crashed.set()
            raise ValueError("again")

        def on_end(self, outcome: AgentOutcome[Any]) -> None:
            ends.append(outcome.status)

    with AgentPool(restart=RestartPolicy(3, backoff=Backoff(base=60, maximum=60))) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Crashing))
        assert crashed.wait(BOUND)
        eventually(lambda: handle.status == "restarting")
        handle.cancel("enough")
        assert handle.outcome(BOUND).status == "cancelled"
    assert ends == ["cancelled"]


def test_a_slow_sink_is_flushed_however_short_the_abort_timeout() -> None:
    """Slow is not stuck: every event is delivered before the pool is left."""
    seen: list[Event] = []
    pause = threading.Event()

    def sink(event: Event) -> None:
        pause.wait(0.002)
        seen.append(event)

    with AgentPool(max_concurrent=2, max_queued=None, on_event=sink, abort_timeout=0.01) as pool:
        pool.fan_out([SpawnConfig(AgentManifest(), n, agent=Silent) for n in range(60)])
        pool.join_all(BOUND)
    assert sum(isinstance(event, AgentEnded) for event in seen) == 60


def test_nobody_waits_at_a_closed_pool() -> None:
    """What was sent to the program can still be read; then its inbox is closed, and its supervisor is dead."""
    pool = AgentPool()
    endpoint = pool.router.register(-1)
    pool.router.send(AgentMessage(0, 0, "kept"))
    ended: queue.Queue[str] = queue.Queue()

    def wait() -> None:
        try:
            endpoint.receive()
        except InboxClosed as error:
            ended.put(str(error))

    threading.Thread(target=wait).start()
    pool.close()
    assert "closed" in ended.get(timeout=BOUND)
    assert pool.inbox.receive(0).content == "kept"
    with pytest.raises(InboxClosed):
        pool.inbox.receive()
    assert not pool.supervisor.is_alive()
    with pytest.raises(ActorDead):
        pool.supervisor.ask("anybody?", timeout=BOUND)


def test_a_resize_ends_waits_that_became_hopeless() -> None:
    """More than could ever fit is refused, and who stands behind comes in."""
    gate = threading.Event()
    with AgentPool(max_concurrent=3) as pool:
        busy = [pool.submit(gate.wait, BOUND) for _ in range(3)]
        refused: list[BaseException] = []

        def fan_out() -> None:
            try:
                pool.fan_out([SpawnConfig(AgentManifest(), n, agent=Silent) for n in range(3)], timeout=None)
            except CapacityError as error:
                refused.append(error)

        waiting = threading.Thread(target=fan_out)
        waiting.start()
        eventually(lambda: len(pool._core.pool.roster.waiting_spawns) == 1)
        pool.resize(1)
        waiting.join(BOUND)
        assert len(refused) == 1
        gate.set()
        for handle in busy:
            handle.outcome(BOUND)
        assert pool.spawn(SpawnConfig(AgentManifest(), "", agent=Silent), timeout=BOUND).outcome(BOUND).ok


@pytest.mark.parametrize("content", [{(1, 2): 3}, BadWords("x"), {"deep": {1, 2}}], ids=["keys", "words", "set"])
def test_a_message_may_hold_anything(content: Any) -> None:
    """An agent with a model reads what JSON cannot hold as its repr."""
    asked, go = threading.Event(), threading.Event()

    def answer(request: CompletionRequest) -> CompletionResponse:
        asked.set()
        assert go.wait(BOUND)
        last = request.messages[-1].content
        return CompletionResponse(last, StopReason.END_TURN if "program" in last else StopReason.MAX_TOKENS)

    with AgentPool(FunctionDriver(answer)) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "q"))
        assert asked.wait(BOUND)
        pool.router.send(AgentMessage(0, handle.id, content))
        go.set()
        assert "message from the program" in handle.result(BOUND).text


def test_a_finalizer_of_what_an_agent_held_may_call_the_pool() -> None:
    """The last reference goes when the agent ends: not inside a step of the pool."""
    looked: list[int] = []

    class Held:
        """Something among an agent's arguments."""

        def __del__(self) -> None:
            looked.append(pool.stats().active)

    def work(held: Any) -> str:
        return "done"

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        busy = threading.Event()
        running = pool.submit(busy.wait, BOUND)
        queued = pool.submit(work, Held())
        pool.submit(work, Held())
        pool.abort(queued.id, "enough")
        busy.set()
        assert running.outcome(BOUND).ok
        pool.join_all(BOUND)
    eventually(lambda: len(looked) == 2)


def test_a_call_in_the_middle_of_a_step_of_the_same_thread_is_refused() -> None:
    """A finalizer may run anywhere: an error, where a wait would be for ever."""
    with AgentPool() as pool:
        with pool._core.turn, pytest.raises(DeadlockError, match="finalizer"):
            pool.stats()
        assert pool.stats().active == 0


def test_a_wait_inside_parked_gives_a_slot_that_came_with_its_wake_on() -> None:
    """With one slot: the outer block is still waited in, and somebody else runs."""
    ran, woken = threading.Event(), threading.Event()

    class Patient(Agent[bool]):
        def run(self, query: str) -> bool:
            with self.parked():
                self.receive()
                woken.set()
                return ran.wait(BOUND)

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        patient = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Patient))
        busy = pool.submit(lambda: (pool.router.send(AgentMessage(0, patient.id, "go on")), woken.wait(BOUND)))
        pool.submit(ran.set)
        assert busy.outcome(BOUND).ok
        assert patient.result(BOUND) is True
