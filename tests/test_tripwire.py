"""Nothing of a user's runs under a lock: objects that tell when they are let go of, compared, hashed or shown there."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Actor,
    Agent,
    AgentManifest,
    AgentMessage,
    AgentPool,
    Backoff,
    Cancelled,
    CapacityError,
    DeadLetterReason,
    Event,
    MessageRouter,
    RestartPolicy,
    SpawnConfig,
    ToolRegistry,
    tool,
)
from actors.core import checks
from actors.core.scheduling.groups import Groups

from .waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = AgentManifest(name="wired")


class Wires:
    """Makes objects that note when a method of theirs is called under a lock of the library's."""

    def __init__(self) -> None:
        self.tripped: list[str] = []
        self.gone = 0

    def look(self, what: str) -> None:
        """A method of such an object runs in this thread."""
        held = [lock.rank.name for lock in checks._HELD.locks]
        if held:
            self.tripped.append(f"{what} under {held}:\n" + "".join(traceback.format_stack(limit=12)))

    def make(self, name: str = "it") -> Wired:
        """Another one; those of one name are equal."""
        return Wired(self, name)


class Wired:
    """Something of a user's, used wherever a value of theirs may stand."""

    def __init__(self, wires: Wires, name: str) -> None:
        self.wires = wires
        self.name = name

    def __del__(self) -> None:
        self.wires.look(f"__del__ of {self.name}")
        self.wires.gone += 1

    def __eq__(self, other: object) -> bool:
        self.wires.look("__eq__")
        return isinstance(other, Wired) and other.name == self.name

    def __hash__(self) -> int:
        self.wires.look("__hash__")
        return hash(self.name)

    def __repr__(self) -> str:
        self.wires.look("__repr__")
        return f"<{self.name}>"

    __str__ = __repr__

    def __call__(self, *_: object) -> None:
        """As a callback."""
        self.wires.look("__call__")

    def __bool__(self) -> bool:
        self.wires.look("__bool__")
        return True


class WiredError(Exception):
    """An error of a user's with such a thing in it."""

    def __init__(self, thing: Wired) -> None:
        super().__init__(thing)
        self.thing = thing


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Wires; the test fails when one was tripped. A collection may come anywhere, so there is none meanwhile."""
    made = Wires()
    collects = gc.isenabled()
    gc.disable()
    try:
        yield made
    finally:
        if collects:
            gc.enable()
    assert made.tripped == [], made.tripped[0]


def test_the_wires_trip(wires: Wires) -> None:
    """What the other tests look for is found."""
    lock = checks.leaf_lock()
    with lock:
        del (thing := [wires.make()])[0]
        assert thing == []
    assert len(wires.tripped) == 1
    wires.tripped.clear()


def config(wires: Wires, run: Callable[[Any, Any], Any], group: str | None = "group", **fields: Any) -> SpawnConfig:
    """An agent whose every value is wired."""

    class Runs(Agent[Any]):
        def run(self, query: Any) -> Any:
            return run(self, query)

    return SpawnConfig(
        MANIFEST,
        wires.make("query"),
        agent=Runs,
        group=None if group is None else wires.make(group),
        tag=wires.make("tag"),
        **fields,
    )


def test_outcomes_of_every_kind(wires: Wires) -> None:
    """Spawned, joined in every way, and let go of."""

    def fail(_: Any, __: Any) -> None:
        raise WiredError(wires.make("in an error"))

    with AgentPool(max_concurrent=2, max_queued=None) as pool:
        for run in (lambda *_: wires.make("result"), fail):
            for group in ("one", "other", None):
                pool.spawn(config(wires, run, group)).add_done_callback(wires.make("callback"))
        pool.join_next(BOUND)
        pool.join_all(BOUND, group=wires.make("one"))
        for handle in pool.as_completed(timeout=BOUND):
            del handle
        pool.fan_out([config(wires, fail, "x"), config(wires, fail, "y")])
        pool.join_all(BOUND, group=wires.make("x"), failure="cancel_rest")
        pool.join_all(BOUND)
        for outcome in pool.map((config(wires, run, "mapped") for _ in range(30)), ordered=False):
            del outcome
        handle = pool.submit(wires.make, "submitted")
        handle.result(BOUND)
        handle.detach()
        del handle
        pool.spawn(config(wires, run, "unowed"), owed=False)
        asyncio.run(awaited(pool, wires))
        pool.dump()
        str(pool.dump())
        pool.stats()
    assert wires.gone > 30


async def awaited(pool: AgentPool, wires: Wires) -> None:
    """Everything that a coroutine can wait for."""
    await asyncio.gather(*[pool.submit(wires.make, "awaited") for _ in range(5)])
    async for outcome in pool.amap(config(wires, lambda *_: wires.make("result"), "mapped") for _ in range(30)):
        del outcome
    async for _ in pool.amap([config(wires, lambda *_: None, "left") for _ in range(9)], ordered=False):
        break
    pool.spawn(config(wires, lambda *_: wires.make("result"), "x"))
    await pool.ajoin_all(BOUND, group=wires.make("x"))


def test_groups_wait_in_turn(wires: Wires) -> None:
    """Queued by group, and cancelled by group; those that end in the queue are let go of after the turn."""
    gate = Gate()
    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.submit(gate.hold).detach()
        gate.await_reached()
        for n in range(120):
            pool.spawn(config(wires, lambda *_: None, f"group {n % 3}")).detach()
        pool.abort_all(wires.make("reason"), group=wires.make("group 1"))  # type: ignore[arg-type]
        eventually(lambda: pool.queued_count == 80)
        for handle in [pool.spawn(config(wires, lambda *_: None, "late")) for _ in range(3)]:
            handle.detach()
            handle.cancel("enough")
        del handle
        pool.abort_all(group=wires.make("group 2"))
        gate.open()
        pool.drain(BOUND)


def test_a_queued_child_that_ends_there(wires: Wires) -> None:
    """Its parent is cancelled while it waits for a slot."""
    gate, spawned = Gate(), Gate()

    def parent(agent: Any, _: Any) -> None:
        agent.spawn(config(wires, lambda *_: None, "child"))
        spawned.note()
        gate.hold()
        agent.checkpoint()

    with AgentPool(max_concurrent=1, max_queued=None) as pool:
        pool.spawn(config(wires, parent)).detach()
        spawned.await_reached()
        pool.abort_all("enough")
        gate.open()
        pool.drain(BOUND)


def test_messages_and_dead_letters(wires: Wires) -> None:
    """Sent, read, left unread, dropped for others, and pushed out of the dead letters."""
    undelivered = queue.SimpleQueue[Any]()

    def listener(letter: Any) -> None:
        undelivered.put(letter.reason)

    def deaf(agent: Any, _: Any) -> None:
        agent.receive()
        agent.send(0, wires.make("to the program"))
        with contextlib.suppress(Cancelled):
            agent.sleep(BOUND)
        raise Cancelled("ended")

    pool = AgentPool(max_concurrent=2, inbox_capacity=4, on_undelivered=listener)
    letters = pool.router.dead_letters
    letters._keep = 3
    handle = pool.spawn(config(wires, deaf))
    for n in range(5):
        with contextlib.suppress(Exception):
            pool.router.send(AgentMessage(0, handle.id, wires.make(f"message {n}")), 0.2)
    pool.inbox.receive(BOUND)
    for n in range(8):
        pool.router.send(AgentMessage(0, 0, wires.make(f"to the program {n}")))
    handle.cancel("enough")
    handle.outcome(BOUND)
    pool.close()
    assert len(letters) == 3
    assert letters.total >= 7
    assert DeadLetterReason.DROPPED_OLDEST in letters.counts()
    str(list(letters))


def test_a_router_by_itself(wires: Wires) -> None:
    """Registered, unregistered with unread messages, and full."""
    router = MessageRouter(2)
    inbox = router.register(5)
    router.send(AgentMessage(0, 5, wires.make()))
    router.send(AgentMessage(0, 5, wires.make()))
    waiting = threading.Thread(target=suppressed(router.send), args=(AgentMessage(0, 5, wires.make()), BOUND))
    waiting.start()
    inbox.receive(BOUND)
    waiting.join(BOUND)
    router.unregister(5)


def suppressed(fn: Callable[..., object]) -> Callable[..., None]:
    def call(*args: Any) -> None:
        with contextlib.suppress(Exception):
            fn(*args)

    return call


def test_cancels_restarts_and_deadlines(wires: Wires) -> None:
    """With callbacks, reasons and errors of a user's."""
    tries = 0

    def crash(agent: Any, _: Any) -> None:
        nonlocal tries
        tries += 1
        agent.cancel_token.on_cancel(wires.make("cancel callback"))
        agent.cancel_token.on_cancel(wires.make("forgotten"))()
        if tries < 3:
            raise WiredError(wires.make("in a crash"))
        agent.sleep(BOUND)

    with AgentPool(restart=RestartPolicy(5, backoff=Backoff(base=0))) as pool:
        handle = pool.spawn(config(wires, crash))
        eventually(lambda: tries == 3)
        handle.cancel(wires.make("reason"))  # type: ignore[arg-type]
        assert str(handle.outcome(BOUND).error) == "cancelled: <reason>"
        del handle
        late = pool.spawn(config(wires, lambda agent, _: agent.receive(), deadline=0.01))
        late.add_done_callback(wires.make("callback"))
        assert late.outcome(BOUND).status == "timed_out"


def test_an_abandoned_agent_and_its_tools(wires: Wires) -> None:
    """Their outcomes are made by the timer thread."""
    gate = Gate()

    def stuck(agent: Any, _: Any) -> Any:
        gate.hold()
        return wires.make("too late")

    with AgentPool(abort_timeout=0.01, stalled_after=0.02) as pool:
        handle = pool.spawn(config(wires, stuck))
        gate.await_reached()
        handle.cancel(wires.make("reason"))  # type: ignore[arg-type]
        assert handle.outcome(BOUND).status == "abandoned"
        del handle
        for _ in range(3):  # looks for stalls meanwhile, and lets go of those that ended
            pool.submit(threading.Event().wait, 0.03).result(BOUND)
        gate.open()


def test_asks_and_futures(wires: Wires) -> None:
    """Answered, refused, settled twice, and left by a restart."""

    class Echo(Actor):
        def on_receive(self, message: Any) -> Any:
            if message.name == "crash":
                raise WiredError(message)
            return wires.make("reply")

    ref = Echo.start()
    ref.ask(wires.make())
    with contextlib.suppress(WiredError):
        ref.ask(wires.make("crash"))
    future = ref.ask_future(wires.make())
    future.add_done_callback(wires.make("callback"))
    future.get(timeout=BOUND)
    future.set(wires.make("second"))
    ref.tell(wires.make("crash"))
    ref.actor_stopped.wait(BOUND)
    with contextlib.suppress(Exception):
        ref.tell(wires.make("late"))
    ref.abort(wires.make("reason"))  # type: ignore[arg-type]


def test_a_future_that_is_the_last_to_know_an_agent(wires: Wires) -> None:
    """Nobody else holds the agent when the answer comes."""

    def asked(agent: Any, _: Any) -> None:
        refs.put(agent.actor_ref)
        agent.sleep(BOUND)

    refs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pool = AgentPool()
    pool.spawn(config(wires, asked)).detach()
    future = refs.get(timeout=BOUND).ask_future(wires.make("unread"))
    pool.abort_all("enough")
    pool.close()
    del pool
    with contextlib.suppress(Exception):
        future.get(timeout=BOUND)


def test_spawns_that_are_refused_or_wait(wires: Wires) -> None:
    """For room that comes, or never can."""
    gate = Gate()
    with AgentPool(max_concurrent=1) as pool:
        pool.submit(gate.hold)
        gate.await_reached()
        with pytest.raises(CapacityError):
            pool.spawn(config(wires, lambda *_: None))
        with pytest.raises(CapacityError):
            pool.fan_out([config(wires, lambda *_: None)] * 2)
        with pytest.raises(CapacityError):
            pool.spawn(config(wires, lambda *_: None), timeout=0.01)
        waiting = threading.Thread(target=lambda: pool.spawn(config(wires, lambda *_: None), timeout=BOUND))
        waiting.start()
        gate.open()
        waiting.join(BOUND)
        pool.join_all(BOUND)
        pool.resize(2)


class Noted(Event):
    """An event with a value of a user's in it."""

    thing: Any


def test_events_and_tools(wires: Wires) -> None:
    """Their values are let go of by the sink's thread, or the tool's."""

    @tool
    def make() -> str:
        "Make one."
        wires.make("in a tool")
        return "made"

    def run(agent: Any, _: Any) -> None:
        for _ in range(30):
            agent.emit(Noted(thing=wires.make("event")))
        raise WiredError(wires.make("in an error"))

    seen: list[str] = []
    with AgentPool(on_event=lambda event: seen.append(type(event).__name__), tools=ToolRegistry([make])) as pool:
        pool.spawn(config(wires, run)).outcome(BOUND)
    assert seen.count("Noted") == 30


# Groups ---------------------------------------------------------------------------------------------------------------


class Key:
    """A group whose comparison can be held, or fails."""

    def __init__(self, name: str, compare: Callable[[], object] = lambda: None) -> None:
        self.name = name
        self.compare = compare

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        self.compare()
        return isinstance(other, Key) and other.name == self.name


def test_a_slow_comparison_of_groups_holds_up_nobody_else() -> None:
    """It is made in the thread that spawns, while others spawn and join."""
    gate = Gate()
    with AgentPool(max_concurrent=2, max_queued=None) as pool:
        first = pool.spawn(SpawnConfig(MANIFEST, "", agent=Waits, group=Key("a", gate.hold)))
        second: list[Any] = []
        spawning = threading.Thread(
            target=lambda: second.append(pool.spawn(SpawnConfig(MANIFEST, "", agent=Waits, group=Key("a", gate.hold))))
        )
        spawning.start()
        gate.await_reached()
        assert pool.submit(lambda: "not held up").result(BOUND) == "not held up"
        assert pool.stats().active == 1
        gate.open()
        spawning.join(BOUND)
        pool.abort_all(group=Key("a"))
        assert {first.outcome(BOUND).status, second[0].outcome(BOUND).status} == {"cancelled"}


class Waits(Agent[None]):
    """Waits for a message that never comes."""

    def run(self, query: Any) -> None:
        """Wait."""
        self.receive()


@pytest.mark.parametrize("call", ["spawn", "abort_all", "join_all"])
def test_a_comparison_of_groups_that_fails_fails_its_caller_alone(call: str) -> None:
    """Nothing was admitted, cancelled or taken, and the pool goes on."""

    def fail() -> None:
        raise ValueError("cannot be compared")

    with AgentPool(max_concurrent=4) as pool:
        there = pool.spawn(SpawnConfig(MANIFEST, "", agent=Waits, group=Key("a")))
        bad = Key("a", fail)
        with pytest.raises(ValueError, match="cannot be compared"):
            if call == "spawn":
                pool.spawn(SpawnConfig(MANIFEST, "", agent=Waits, group=bad))
            elif call == "abort_all":
                pool.abort_all(group=bad)
            else:
                pool.join_all(0, group=bad)
        assert pool.stats().started == 1
        assert not there.done()
        pool.abort_all(group=Key("a"))
        assert there.outcome(BOUND).status == "cancelled"


def test_equal_groups_have_one_key_while_it_is_held() -> None:
    """And nothing is kept of it after that."""
    groups = Groups()
    first = groups.key(Key("a"))
    assert groups.key(Key("a")) is first
    assert groups.key(Key("b")) is not first
    assert groups.key(("a", 1)) == ("a", 1)
    assert groups.key(None) is None
    assert groups.key((None, "a")) == (None, "a")
    assert groups.key(DeadLetterReason.POISON) == "poison"
    del first
    groups.key(Key("c"))
    assert sum(entry() is not None for shelf in groups._shelves for entry in shelf) == 0
    assert sum(map(len, groups._shelves)) <= 1


@pytest.mark.parametrize("winner", ["held", "passing"])
def test_two_that_bring_one_group_at_the_same_time_get_one_key(winner: str, in_thread: Any) -> None:
    """Whoever has looked to the end first: the other one stands in a comparison meanwhile."""
    groups, gate = Groups(), Gate()
    kept = groups.key(Key("other"))  # compared with by whoever comes
    if winner == "passing":
        held = in_thread(groups.key, Key("a", gate.hold))
        gate.await_reached()
        passing = groups.key(Key("a"))
        gate.open()
        key = held.result(BOUND)
    else:
        key = groups.key(Key("a"))
        late = in_thread(groups.key, Key("a", gate.hold))
        gate.await_reached()
        gate.open()
        passing = late.result(BOUND)
    assert passing is key
    assert key is not kept
