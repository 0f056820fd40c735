"""``Agent``: what a subclass has and may do, and what becomes of what it does."""

from __future__ import annotations

import contextvars
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from actors import (
    Agent,
    AgentEnded,
    AgentManifest,
    AgentMessage,
    AgentParked,
    AgentPool,
    AgentResumed,
    AgentStatus,
    Cancelled,
    CapabilityDenied,
    DeadLetterReason,
    Event,
    FileRead,
    FunctionDriver,
    InboxFull,
    InMemorySubstrate,
    MessageSent,
    NotRegistered,
    Rag,
    ScriptedDriver,
    Spawn,
    SpawnConfig,
    ToolRegistry,
)
from actors.agent.depth import max_depth as deepest
from actors.core.waiting.wait_graph import current

from ..waiting import BOUND, Gate, eventually
from .doubles import Doing, Probe, asks, doing, run_agent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool() -> Iterator[AgentPool]:
    """A pool with two slots, and a queue without a bound."""
    with AgentPool(max_concurrent=2, max_queued=None, abort_timeout=BOUND) as made:
        yield made


class WordCount(Agent[int]):
    """As in the contract: no constructor, and it may return anything."""

    def run(self, query: str) -> int:
        self.checkpoint()
        self.send(0, f"{self.agent_id} is at it")
        return len(query.split())


def test_an_agent_of_three_lines(pool: AgentPool) -> None:
    """Its result is what ``run`` returns, and its message reaches the program."""
    handle = pool.spawn(SpawnConfig(AgentManifest(name="counter"), "one two three", agent=WordCount))
    assert handle.result(BOUND) == 3
    assert pool.inbox.receive(0).content == "1 is at it"


def test_it_is_a_pykka_actor() -> None:
    """``isinstance`` holds, and Pykka's own way to start one says what to do instead."""
    assert issubclass(Agent, pykka.ThreadingActor)
    with pytest.raises(TypeError, match=r"pool\.spawn\(SpawnConfig\(manifest, query, agent=WordCount\)\)"):
        WordCount.start()
    assert run_agent(lambda agent, query: isinstance(agent, pykka.ThreadingActor)).result is True


def test_what_it_is() -> None:
    """Id, manifest, config, driver, memory, tools, token and deadline."""
    driver, memory, registry = ScriptedDriver([]), InMemorySubstrate(), ToolRegistry([Probe()])
    manifest = AgentManifest(name="bot")

    def look(agent: Agent[Any], query: Any) -> dict[str, Any]:
        return {
            "id": agent.agent_id,
            "manifest": agent.manifest,
            "tag": agent.config.tag,
            "driver": agent.driver,
            "memory": agent.memory,
            "tools": agent.tools,
            "cancelled": agent.cancel_token.cancelled,
            "inbox": agent.inbox is agent.inbox,
            "messages": len(agent.inbox),
        }

    with AgentPool(driver, 1, memory=memory, tools=registry) as pool:
        seen = pool.spawn(doing(look, manifest=manifest, tag="t")).result(BOUND)
    assert seen == {
        "id": 1,
        "manifest": manifest,
        "tag": "t",
        "driver": driver,
        "memory": memory,
        "tools": registry,
        "cancelled": False,
        "inbox": True,
        "messages": 0,
    }
    assert seen["driver"] is driver
    assert seen["tools"] is registry


def test_without_anything() -> None:
    """No driver, no memory, an empty set of tools, no deadline."""

    def look(agent: Agent[Any], query: Any) -> Any:
        return agent.driver, agent.memory, agent.tools.names(), agent.deadline

    assert run_agent(look).result == (None, None, [], None)


def test_the_deadline_is_the_earlier_one() -> None:
    """Of ``timeout`` and ``deadline``."""

    def left(agent: Agent[Any], query: Any) -> float:
        assert agent.deadline is not None
        return agent.deadline.remaining()

    assert 50 < run_agent(left, timeout=60, deadline=100).result <= 60
    assert 50 < run_agent(left, timeout=100, deadline=60).result <= 60


def test_run_must_be_defined() -> None:
    """The error names the class and what is missing."""

    class Empty(Agent[None]):
        pass

    with AgentPool(max_concurrent=1) as pool:
        outcome = pool.spawn(SpawnConfig(AgentManifest(), "q", agent=Empty)).outcome(BOUND)
    assert outcome.status is AgentStatus.CRASHED
    assert "Empty must define run(query)" in str(outcome.error)


# The hooks ------------------------------------------------------------------------------------------------------


class Hooked(Agent[str]):
    """Notes its life; fails where it is told to."""

    def __init__(self, notes: list[Any], fail_in: str = "") -> None:
        self.notes = notes
        self.fail_in = fail_in
        self.note("init")

    def note(self, place: str) -> None:
        self.notes.append((place, self.agent_id, threading.get_ident()))
        if place == self.fail_in:
            raise ValueError(f"boom in {place}")

    def on_start(self) -> None:
        self.note("on_start")

    def run(self, query: str) -> str:
        self.note("run")
        return "done"

    def on_end(self, outcome: Any) -> None:
        self.notes.append(outcome)
        self.note("on_end")


def live(fail_in: str = "") -> tuple[Any, list[Any]]:
    notes: list[Any] = []
    with AgentPool(max_concurrent=1) as pool:
        config = SpawnConfig(AgentManifest(), "q", agent=Hooked, kwargs={"notes": notes, "fail_in": fail_in})
        return pool.spawn(config).outcome(BOUND), notes


def test_the_whole_life_is_on_one_worker_thread() -> None:
    """Built, started, run and ended there; the constructor knows the id already."""
    outcome, notes = live()
    told = notes.pop(3)
    assert [place for place, _, _ in notes] == ["init", "on_start", "run", "on_end"]
    assert {agent_id for _, agent_id, _ in notes} == {1}
    assert {thread for _, _, thread in notes} != {threading.get_ident()}
    assert len({thread for _, _, thread in notes}) == 1
    assert told == outcome


@pytest.mark.parametrize(("place", "ends"), [("init", False), ("on_start", True), ("run", True)])
def test_a_failure_on_the_way_is_a_crash(place: str, ends: bool) -> None:
    """Whatever is raised in the constructor, ``on_start`` or ``run``; ``on_end`` is called if there is an agent."""
    outcome, notes = live(place)
    assert outcome.status is AgentStatus.CRASHED
    assert f"boom in {place}" in str(outcome.error)
    assert [note for note in notes if not isinstance(note, tuple)] == ([outcome] if ends else [])


def test_a_failure_in_on_end_is_logged(agent_log: list[str]) -> None:
    """The outcome stands."""
    outcome, _ = live("on_end")
    assert outcome.unwrap() == "done"
    assert any("on_end of agent 1 failed" in line and "boom in on_end" in line for line in agent_log)


def test_its_log_lines_name_the_agent(agent_log: list[str]) -> None:
    """Bound to id and name."""
    live("on_end")
    assert any("'agent_id': 1" in line and "'agent': 'unnamed-agent'" in line for line in agent_log)


def test_the_context_of_the_spawning_thread_is_copied() -> None:
    """Its values are there, and what the agent sets stays inside."""
    value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="default")
    value.set("spawned")

    def change(agent: Agent[Any], query: Any) -> str:
        before = value.get()
        value.set("changed")
        return before

    assert run_agent(change).result == "spawned"
    assert value.get() == "spawned"


# Stops --------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_raises_after_a_cancel_again_and_again(pool: AgentPool) -> None:
    """And ``except Exception`` cannot swallow it."""
    gate, raised = Gate(), []

    def stubborn(agent: Agent[Any], query: Any) -> str:
        agent.checkpoint()
        gate.hold()
        for _ in range(3):
            try:
                try:
                    agent.checkpoint()
                except Exception:
                    return "swallowed"
            except Cancelled as cancelled:
                raised.append(cancelled.reason)
        agent.checkpoint()
        return "not stopped"

    handle = pool.spawn(doing(stubborn))
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    outcome = handle.outcome(BOUND)
    assert outcome.status is AgentStatus.CANCELLED
    assert raised == ["enough"] * 3


def test_a_value_that_was_returned_counts(pool: AgentPool) -> None:
    """Although a cancel came late."""
    gate = Gate()
    handle = pool.spawn(doing(lambda agent, query: gate.hold() or "done"))
    gate.await_reached()
    handle.cancel()
    gate.open()
    assert handle.outcome(BOUND).unwrap() == "done"


def test_sleep_wakes_at_a_cancel_and_keeps_the_slot() -> None:
    """Nobody else may run meanwhile, and the status stays ``running``."""
    asleep = threading.Event()

    def sleeper(agent: Agent[Any], query: Any) -> None:
        asleep.set()
        agent.sleep(3600)

    with AgentPool(max_concurrent=1, max_queued=1, abort_timeout=BOUND) as pool:
        handle = pool.spawn(doing(sleeper))
        waiting = pool.spawn(doing(lambda agent, query: "next"))
        assert asleep.wait(BOUND)
        assert (handle.status, waiting.status) == (AgentStatus.RUNNING, AgentStatus.QUEUED)
        handle.cancel("wake up")
        outcome = handle.outcome(BOUND)
        assert outcome.status is AgentStatus.CANCELLED
        assert "wake up" in str(outcome.error)
        assert waiting.result(BOUND) == "next"


def test_sleep_ends_by_itself() -> None:
    """Without a cancel it only takes its time."""
    assert run_agent(lambda agent, query: agent.sleep(0.001)).ok


def test_sleep_ends_at_the_deadline() -> None:
    """As timed out."""
    outcome = run_agent(lambda agent, query: agent.sleep(3600), timeout=0.02)
    assert outcome.status is AgentStatus.TIMED_OUT


def test_inside_a_tool_the_token_is_the_calls() -> None:
    """A tool past its time stops at the agent's own checkpoint."""
    stopped = threading.Event()

    def work(given: Any, cancel: Any, agent: Agent[Any]) -> str:
        assert agent.cancel_token is cancel
        try:
            agent.sleep(3600)
        except Cancelled:
            stopped.set()
            raise
        return "never"

    registry = ToolRegistry([Probe(work, timeout=0.02)])
    with AgentPool(ScriptedDriver([asks(("note", {})), "done"]), 1, tools=registry) as pool:
        assert pool.spawn(SpawnConfig(AgentManifest(), "q")).result(BOUND).text == "done"
        assert stopped.wait(BOUND)


# Messages -------------------------------------------------------------------------------------------------------


def test_send_and_receive(pool: AgentPool) -> None:
    """From the program to an agent, and from agent to agent."""

    def relay(agent: Agent[Any], query: int) -> str:
        message = agent.receive(BOUND)
        if query:
            agent.send(query, f"{message.content}!")
        return f"{message.sender}: {message.content}"

    last = pool.spawn(doing(relay, 0))
    first = pool.spawn(doing(relay, last.id))
    pool.router.send(AgentMessage(0, first.id, "hello"))
    assert first.result(BOUND) == "0: hello"
    assert last.result(BOUND) == f"{first.id}: hello!"


def test_receive_parks() -> None:
    """With one slot, the one who waits lets the one who sends run."""

    def ask(agent: Agent[Any], query: Any) -> Any:
        return agent.receive().content

    with AgentPool(max_concurrent=1, max_queued=None, abort_timeout=BOUND) as pool:
        waiting = pool.spawn(doing(ask))
        eventually(lambda: waiting.status is AgentStatus.PARKED)
        assert pool.stats().parked == 1
        pool.spawn(doing(lambda agent, query: agent.send(waiting.id, "hello")))
        assert waiting.result(BOUND) == "hello"


def test_receive_in_vain() -> None:
    """The built-in ``TimeoutError``; 0 does not wait."""

    def wait(agent: Agent[Any], query: Any) -> None:
        with pytest.raises(TimeoutError, match="no message for 1 within 0 s"):
            agent.receive(0)
        with pytest.raises(TimeoutError):
            agent.receive(0.001)

    assert run_agent(wait).ok


def test_receive_ends_at_a_cancel(pool: AgentPool) -> None:
    """A parked agent is stopped at once."""
    handle = pool.spawn(doing(lambda agent, query: agent.receive()))
    eventually(lambda: handle.status is AgentStatus.PARKED)
    handle.cancel()
    assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


def test_a_send_that_fails_carries_the_message_back(pool: AgentPool) -> None:
    """To nobody, and to a full inbox."""
    gate = Gate()
    full = pool.spawn(doing(lambda agent, query: gate.hold()))

    def send(agent: Agent[Any], query: Any) -> Any:
        with pytest.raises(NotRegistered) as nobody:
            agent.send(999, "x")
        for number in range(32):
            agent.send(full.id, number)
        with pytest.raises(InboxFull) as no_room:
            agent.send(full.id, 32)
        with pytest.raises(InboxFull):
            agent.send(full.id, "later", timeout=0.001)
        return nobody.value.message, no_room.value.message

    nobody, no_room = pool.spawn(doing(send)).result(BOUND)
    gate.open()
    assert (nobody.sender, nobody.to, nobody.content) == (2, 999, "x")
    assert (no_room.to, no_room.content) == (full.id, 32)


def test_what_an_abandoned_agent_sends_reaches_nobody() -> None:
    """It becomes a dead letter, and the program's inbox stays empty."""
    gate, sent = Gate(), threading.Event()

    def stuck(agent: Agent[Any], query: Any) -> None:
        gate.hold()
        agent.send(0, "too late")
        sent.set()

    with AgentPool(max_concurrent=1, abort_timeout=0.01) as pool:
        try:
            handle = pool.spawn(doing(stuck))
            gate.await_reached()
            handle.cancel("enough")
            outcome = handle.outcome(BOUND)
            assert outcome.status is AgentStatus.ABANDONED
            assert outcome.error is not None
            assert "enough" in str(outcome.error)
        finally:
            gate.open()
        assert sent.wait(BOUND)
        assert len(pool.inbox) == 0
        (letter,) = pool.router.dead_letters
        assert (letter.message.content, letter.reason) == ("too late", DeadLetterReason.SENDER_ABANDONED)


class Answering(Agent[int]):
    """Answers asks while it waits for a message."""

    def on_receive(self, message: Any) -> Any:
        if message == "fail":
            raise ValueError("boom")
        return f"answer to {message}"

    def run(self, query: Any) -> Any:
        self.send(0, self.actor_ref)
        return self.receive().content


def test_asks_are_answered_while_it_reads_its_inbox(pool: AgentPool) -> None:
    """They never show up as messages; a failing one does not end the agent."""
    handle = pool.spawn(SpawnConfig(AgentManifest(), "q", agent=Answering))
    ref = pool.inbox.receive(BOUND).content
    assert ref.ask("this", timeout=BOUND) == "answer to this"
    with pytest.raises(ValueError, match="boom"):
        ref.ask("fail", timeout=BOUND)
    assert ref.is_alive()
    ref.tell("the end")
    assert handle.result(BOUND) == "the end"
    assert not ref.is_alive()


# Parking --------------------------------------------------------------------------------------------------------


def test_parked_lays_the_slot_out() -> None:
    """With one slot another agent runs during the block."""
    gate = Gate()

    def wait(agent: Agent[Any], query: Any) -> str:
        with agent.parked():
            gate.hold()
        return "first"

    with AgentPool(max_concurrent=1, max_queued=None, abort_timeout=BOUND) as pool:
        first = pool.spawn(doing(wait))
        gate.await_reached()
        assert first.status is AgentStatus.PARKED
        assert pool.spawn(doing(lambda agent, query: "second")).result(BOUND) == "second"
        gate.open()
        assert first.result(BOUND) == "first"


def test_the_slot_comes_back_after_an_exception() -> None:
    """The block's own exception goes on."""

    def wait(agent: Agent[Any], query: Any) -> Any:
        with pytest.raises(KeyError), agent.parked():
            raise KeyError("x")
        cell = current()
        return cell.has_slot  # type: ignore[union-attr]

    assert run_agent(wait).result is True


def test_a_cancelled_agent_does_not_enter_nor_leave_the_block(pool: AgentPool) -> None:
    """It raises before a wait that it would never have ended, and after one that it should not go on from."""
    gate, notes = Gate(), []

    def wait(agent: Agent[Any], query: Any) -> None:
        try:
            with agent.parked():
                gate.hold()
            notes.append("left")
        except Cancelled:
            notes.append("cancelled")
        with agent.parked():
            notes.append("entered")

    handle = pool.spawn(doing(wait))
    gate.await_reached()
    handle.cancel()
    gate.open()
    assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert notes == ["cancelled"]


def test_a_tool_may_park_its_agent() -> None:
    """Its only tool waits: the slot is laid out, and taken back."""
    gate = Gate()

    def work(given: Any, cancel: Any, agent: Agent[Any]) -> str:
        with agent.parked():
            gate.hold()
        return "ok"

    driver = ScriptedDriver([asks(("note", {})), "done"])
    registry = ToolRegistry([Probe(work)])
    with AgentPool(driver, 1, max_queued=None, tools=registry, abort_timeout=BOUND) as pool:
        first = pool.spawn(SpawnConfig(AgentManifest(), "q"))
        gate.await_reached()
        assert first.status is AgentStatus.PARKED
        assert pool.spawn(doing(lambda agent, query: "second")).result(BOUND) == "second"
        gate.open()
        assert first.result(BOUND).text == "done"


def test_a_thread_of_the_users_own_holds_no_slot(pool: AgentPool) -> None:
    """``parked()`` there does nothing to the agent."""

    def start(agent: Agent[Any], query: Any) -> Any:
        seen = []

        def wait() -> None:
            with agent.parked():
                seen.append(agent._context.cell.status)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(BOUND)
        return seen

    assert pool.spawn(doing(start)).result(BOUND) == [AgentStatus.RUNNING]


# Events ---------------------------------------------------------------------------------------------------------


class Progress(Event):
    """An event of a user's own."""

    done: int


def test_its_own_events_reach_the_sink() -> None:
    """With the agent's id and name, in order; what its maker put into the first fields does not count."""
    seen: list[Event] = []

    def work(agent: Agent[Any], query: Any) -> None:
        for number in range(3):
            agent.emit(Progress(done=number, agent_id=99, agent="somebody", seq=77))

    with AgentPool(max_concurrent=1, on_event=seen.append) as pool:
        pool.spawn(doing(work, name="bot"))
        pool.join_all(BOUND)
    progress = [event for event in seen if isinstance(event, Progress)]
    assert [event.done for event in progress] == [0, 1, 2]
    assert {(event.agent_id, event.agent) for event in progress} == {(1, "bot")}
    assert [event.seq for event in seen] == list(range(seen[0].seq, seen[0].seq + len(seen)))
    assert all(event.at is not None for event in progress)


def test_without_a_sink_events_are_nothing() -> None:
    """``emit`` may always be called."""
    assert run_agent(lambda agent, query: agent.emit(Progress(done=1))).ok


def test_messages_and_parks_are_events() -> None:
    """Each with the agent that it belongs to."""
    seen: list[Event] = []

    def work(agent: Agent[Any], query: Any) -> None:
        agent.send(0, "x")
        with agent.parked():
            pass

    with AgentPool(max_concurrent=1, on_event=seen.append) as pool:
        pool.spawn(doing(work))
        pool.join_all(BOUND)
    kinds = [type(event) for event in seen]
    assert kinds.index(MessageSent) < kinds.index(AgentParked) < kinds.index(AgentResumed) < kinds.index(AgentEnded)
    (sent,) = (event for event in seen if isinstance(event, MessageSent))
    assert (sent.agent_id, sent.to) == (1, 0)


# Children -------------------------------------------------------------------------------------------------------


def test_a_child_is_owed_to_its_parent_alone(pool: AgentPool) -> None:
    """It has an id of its own, and is in no join of the program."""

    def parent(agent: Agent[Any], query: Any) -> Any:
        handle = agent.spawn(doing(lambda child, query: query * 2, 21))
        return handle.id, handle.result(BOUND), pool.outstanding_count

    assert pool.spawn(doing(parent)).result(BOUND) == (2, 42, 1)
    assert pool.join_next(0) is None


def test_a_child_is_cut_down_to_its_parent(pool: AgentPool) -> None:
    """Capabilities, privacy and limits."""
    wide = AgentManifest(
        name="child",
        privacy="standard",
        capabilities=(FileRead(allowed_paths=("/",)), Rag()),
        resources={"max_iterations": 50, "max_tokens_budget": 1000},
    )
    narrow = AgentManifest(
        privacy="private", capabilities=(FileRead(allowed_paths=("/data",)),), resources={"max_tokens_budget": 10}
    )

    def parent(agent: Agent[Any], query: Any) -> AgentManifest:
        return agent.spawn(doing(lambda child, query: child.manifest, manifest=wide)).result(BOUND)

    seen = pool.spawn(doing(parent, manifest=narrow)).result(BOUND)
    assert seen.name == "child"
    assert seen.privacy == "private"
    assert seen.capabilities == (FileRead(allowed_paths=("/data",)),)
    assert (seen.resources.max_iterations, seen.resources.max_tokens_budget) == (10, 10)


def test_a_child_inherits_driver_and_memory(pool: AgentPool) -> None:
    """Unless it names its own."""
    driver, memory, own = FunctionDriver(lambda request: "x"), InMemorySubstrate(), FunctionDriver(lambda request: "y")

    def parent(agent: Agent[Any], query: Any) -> Any:
        look = lambda child, query: (child.driver, child.memory)  # noqa: E731
        return (
            agent.spawn(doing(look)).result(BOUND),
            agent.spawn(doing(look, driver=own, memory=InMemorySubstrate())).result(BOUND),
        )

    inherited, named = pool.spawn(doing(parent, driver=driver, memory=memory)).result(BOUND)
    assert inherited == (driver, memory)
    assert named[0] is own
    assert named[1] is not memory


def nested(agent: Agent[Any], depth: int) -> int:
    """One child below another, each waiting for the next."""
    if depth == 0:
        return 0
    return 1 + int(agent.spawn(doing(nested, depth - 1, manifest=agent.manifest)).result(BOUND))


@pytest.mark.parametrize(
    ("own", "parent", "limit"),
    [
        ((), None, None),
        ((2,), None, 2),
        ((1, 3, 2), None, 3),
        ((), (0, 4), 4),
        ((), (0, None), None),
        ((2,), (1, 4), 4),
        ((9,), (1, 4), 4),
        ((1, 2), (0, 9), 3),
        ((2,), (0, None), 3),
    ],
)
def test_how_deep_its_children_may_live(
    own: tuple[int, ...], parent: tuple[int, int | None] | None, limit: int | None
) -> None:
    """By the widest of its grants, counted from where it lives itself, and never deeper than its parent's."""
    manifest = AgentManifest(capabilities=(Rag(), *(Spawn(max_depth=depth) for depth in own)))
    above: Any = None
    if parent is not None:
        context = SimpleNamespace(depth=parent[0], max_depth=parent[1])
        above = SimpleNamespace(_context=context, manifest=AgentManifest())
    assert deepest(manifest, above) == limit


@pytest.mark.parametrize("max_depth", [1, 3])
def test_the_depth_limit(pool: AgentPool, max_depth: int) -> None:
    """A spawn grant bounds how deep children go; one level more is denied (INV-012)."""
    manifest = AgentManifest(capabilities=(Spawn(max_depth=max_depth),))
    assert pool.spawn(doing(nested, max_depth, manifest=manifest)).result(BOUND) == max_depth
    outcome = pool.spawn(doing(nested, max_depth + 1, manifest=manifest)).outcome(BOUND)
    assert outcome.status is AgentStatus.FAILED
    assert isinstance(outcome.error, CapabilityDenied)
    assert f"depth limit {max_depth}" in str(outcome.error)


def test_a_child_cannot_lift_the_depth_limit(pool: AgentPool) -> None:
    """Neither with a deeper grant nor without one."""

    def parent(agent: Agent[Any], query: Any) -> list[Any]:
        deep = AgentManifest(capabilities=(Spawn(max_depth=9),))
        none = AgentManifest(capabilities=())
        handles = [agent.spawn(doing(nested, 1, manifest=manifest)) for manifest in (deep, none)]
        return [type(handle.outcome(BOUND).error) for handle in handles]

    manifest = AgentManifest(capabilities=(Spawn(max_depth=1),))
    assert pool.spawn(doing(parent, manifest=manifest)).result(BOUND) == [CapabilityDenied, CapabilityDenied]


def test_children_end_with_their_parent(pool: AgentPool) -> None:
    """Cancelled, and ended before the parent's outcome is visible."""
    started, ended = threading.Event(), threading.Event()

    class Child(Doing):
        def on_end(self, outcome: Any) -> None:
            assert outcome.status is AgentStatus.CANCELLED
            ended.set()

    def wait(agent: Agent[Any], query: Any) -> None:
        started.set()
        agent.sleep(3600)

    def parent(agent: Agent[Any], query: Any) -> str:
        agent.spawn(SpawnConfig(AgentManifest(), "q", agent=Child, kwargs={"fn": wait}))
        assert started.wait(BOUND)
        return "done"

    assert pool.spawn(doing(parent)).result(BOUND) == "done"
    assert ended.is_set()


def test_a_cancelled_agent_starts_no_child(pool: AgentPool) -> None:
    """Its spawn raises the cancel."""
    gate = Gate()

    def parent(agent: Agent[Any], query: Any) -> None:
        gate.hold()
        agent.spawn(doing(lambda child, query: None))

    handle = pool.spawn(doing(parent))
    gate.await_reached()
    handle.cancel()
    gate.open()
    assert handle.outcome(BOUND).status is AgentStatus.CANCELLED
    assert pool.stats().started == 1


def test_a_childs_config_is_checked(pool: AgentPool) -> None:
    """As at the pool: an ``LlmAgent`` without a driver is refused."""

    def parent(agent: Agent[Any], query: Any) -> str:
        with pytest.raises(ValueError, match="needs a driver"):
            agent.spawn(SpawnConfig(AgentManifest(name="child"), "q"))
        with pytest.raises(TypeError, match="SpawnConfig"):
            agent.spawn("child")  # type: ignore[arg-type]
        return "checked"

    assert pool.spawn(doing(parent)).result(BOUND) == "checked"
