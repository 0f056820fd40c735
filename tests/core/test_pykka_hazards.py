"""What stock Pykka does, and what we do: one test for each row of the list of hazards.

And the contract: every private name of Pykka that the adapter uses is still there.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import queue
import threading
import weakref
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pykka
import pykka._actor
import pykka._threading
import pytest

from actors.core.actors import actor as adapter
from actors.core.actors.actor import Actor
from actors.core.actors.agent_actor import AgentActor
from actors.core.actors.reply import ReplyFuture
from actors.core.process.at_exit import at_exit
from actors.errors import ActorDead, AskTimeout, InboxFull

from ..dispatchers import pinned_only
from .troupe import lies_idle

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Behaviour:
    """One behaviour for both kinds of actor: a message that can be called is called with the actor."""

    inbox_capacity = 2

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


class Stock(Behaviour, pykka.ThreadingActor):
    """Pykka's own."""

    use_daemon_thread = True


class Ours(Behaviour, Actor):
    """Ours."""


@pytest.fixture
def started() -> Any:
    """Starts actors of either kind; they are stopped at the end, and their threads awaited."""
    made: list[Any] = []

    def start(cls: Any, **kwargs: Any) -> Any:
        ref = cls.start(**kwargs)
        made.append(ref)
        return ref

    yield start
    for ref in made:
        if isinstance(ref, adapter.ActorRef):
            ref.abort()
            assert ref.actor_stopped.wait(10)
        else:
            ref.stop(block=False)
    pykka.ActorRegistry.stop_all(block=False)


def test_1_a_tell_that_races_a_stop_is_lost_or_refused(started: Any) -> None:
    """Stock: alive when looked at, stopped when put: the message is in nobody's hands. Ours: the sender is told."""
    stock = started(Stock)
    thread = next(t for t in threading.enumerate() if t.name.startswith("Stock-"))
    real = stock.actor_inbox

    class Inbox:
        """Pykka's inbox; the actor stops between the look and the put."""

        def put(self, envelope: Any) -> None:
            stock.actor_inbox = real
            stock.stop()
            thread.join(10)
            real.put(envelope)

    stock.actor_inbox = Inbox()
    stock.tell("message")  # no error
    assert not thread.is_alive()
    assert real.get_nowait().message == "message", "accepted, and nobody will ever take it"

    ours = started(Ours)

    def offer(envelope: Any) -> Any:
        """The actor stops between whatever the sender did before and the put."""
        ours._cell.mailbox.seal()
        assert ours.actor_stopped.wait(10)
        return ours._cell.mailbox.offer(envelope)

    ours._mailbox = SimpleNamespace(offer=offer)
    with pytest.raises(ActorDead) as info:
        ours.tell("message")
    assert info.value.message == "message"
    with pytest.raises(ActorDead):
        ours.ask("message")
    ours._mailbox = ours._cell.mailbox


def test_2_the_inbox_is_unbounded_or_bounded(started: Any, gates: Any) -> None:
    """Stock takes what comes; ours refuses beyond its capacity."""
    for cls in (Stock, Ours):
        ref, gate = started(cls), gates()
        ref.tell(lambda _, gate=gate: gate.hold())
        gate.await_reached()
        for n in range(2):
            ref.tell(n)
        if cls is Stock:
            for n in range(1000):
                ref.tell(n)
        else:
            with pytest.raises(InboxFull):
                ref.tell("no room")
        gate.open()


def test_3_with_a_bounded_inbox_even_a_stop_blocks(started: Any, gates: Any, in_thread: Any) -> None:
    """Stock: stop(block=False) waits for room. Ours: it never does, and a tell and an ask have one deadline."""

    class Bounded(Stock):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return queue.Queue(maxsize=1)

    gate = gates()
    stock = started(Bounded)
    stock.tell(gate.hold)
    gate.await_reached()
    stock.tell("fills it")
    stopping = in_thread(stock.stop, block=False)
    with pytest.raises(TimeoutError):
        stopping.result(0.05)
    gate.open()
    stopping.result(10).get(timeout=10)

    gate = gates()
    ours = started(Ours)
    ours.tell(gate.hold)
    gate.await_reached()
    for n in range(2):
        ours.tell(n)
    with pytest.raises(AskTimeout):
        in_thread(ours.ask, "x", timeout=0.01).result(10)
    stopped = in_thread(ours.stop, block=False).result(10)
    gate.open()
    assert stopped.get(timeout=10) is True


def exits(_: Any) -> None:
    raise SystemExit("one handler")


def test_4_a_base_exception_in_one_handler_stops_all_actors_or_one(started: Any) -> None:
    """Stock: every actor of the process. Ours: itself only, and its asker is told."""
    victim, stock = started(Stock), started(Stock)
    stock.tell(exits)
    assert victim.actor_stopped.wait(10), "an actor that has nothing to do with it"

    bystander, other, ours = started(Ours), started(Stock), started(Ours)
    with pytest.raises(SystemExit):
        ours.ask(exits, timeout=10)
    ours.tell(exits)
    assert ours.actor_stopped.wait(10)
    assert bystander.ask("alive", timeout=10) == "alive"
    assert other.ask("alive", timeout=10) == "alive"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_5_a_base_exception_in_on_start_leaves_a_ghost_or_an_end(started: Any, eventually: Any) -> None:
    """Stock: dead, but it looks alive and stays registered. Ours: it has ended, and askers are told."""

    class StockGhost(Stock):
        def on_start(self) -> None:
            raise SystemExit

    class OursGhost(Ours):
        def on_start(self) -> None:
            raise SystemExit

    stock = StockGhost.start()
    eventually(lambda: not any(thread.name.startswith("StockGhost") for thread in threading.enumerate()))
    assert stock.is_alive()
    assert stock in pykka.ActorRegistry.get_all()
    pykka.ActorRegistry.unregister(stock)

    ours = OursGhost.start()
    assert ours.actor_stopped.wait(10)
    assert not ours.is_alive()
    with pytest.raises(ActorDead):
        ours.ask("x", timeout=10)


def test_5_a_base_exception_in_on_stop_runs_it_twice_or_once(started: Any) -> None:
    """Stock: the hook runs again while everything is stopped. Ours: once."""
    calls: list[str] = []

    class StockTwice(Stock):
        def on_stop(self) -> None:
            calls.append("stock")
            if calls.count("stock") == 1:
                raise SystemExit

    class OursOnce(Ours):
        def on_stop(self) -> None:
            calls.append("ours")
            raise SystemExit

    stock = StockTwice.start()
    thread = next(t for t in threading.enumerate() if t.name.startswith("StockTwice"))
    stock.tell(pykka.messages._ActorStop())
    thread.join(10)
    ours = OursOnce.start()
    ours.stop(timeout=10)
    assert (calls.count("stock"), calls.count("ours")) == (2, 1)


def test_6_a_foreign_set_on_the_future_of_an_ask_kills_the_actor_or_not(
    started: Any, gates: Any, eventually: Any
) -> None:
    """Stock: its reply finds the future full, and its thread dies silently. Ours: the first writer wins."""
    gate = gates()
    stock = started(Stock)
    future = stock.ask(lambda _: gate.hold(), block=False)
    gate.await_reached()
    future.set("cancelled")
    before = threading.excepthook
    deaths: list[Any] = []
    threading.excepthook = lambda args: deaths.append(args.exc_type)
    try:
        gate.open()
        eventually(lambda: deaths)
    finally:
        threading.excepthook = before
    assert deaths == [queue.Full]
    assert stock.is_alive(), "it looks alive"
    pykka.ActorRegistry.unregister(stock)
    stock.actor_stopped.set()

    gate = gates()
    ours = started(Ours)
    reply = ours.ask(lambda _: gate.hold(), block=False)
    gate.await_reached()
    reply.set("cancelled")
    gate.open()
    assert ours.ask("alive", timeout=10) == "alive"
    assert reply.get(timeout=0) == "cancelled"


def test_7_futures_have_more_than_get(started: Any) -> None:
    """Stock: no done(), no callback; get_all applies its timeout to each in turn. Ours: done(), callbacks."""
    stock: Any = pykka.ThreadingFuture()
    assert not hasattr(stock, "done")
    assert not hasattr(stock, "add_done_callback")
    ours: ReplyFuture[int] = ReplyFuture()
    seen: list[int] = []
    ours.add_done_callback(lambda future: seen.append(future.get()))
    assert not ours.done()
    ours.set(1)
    assert ours.done()
    assert seen == [1]


def test_7_a_map_holds_a_lock_or_not(in_thread: Any, gates: Any) -> None:
    """Stock: while one reader runs the function of a map, nobody else gets near the future. Ours: they do."""
    for cls in (pykka.ThreadingFuture, ReplyFuture):
        gate = gates()
        source: Any = cls()
        source.set(1)
        mapped = source.map(lambda n, gate=gate: (gate.hold(), n)[1])
        reader = in_thread(mapped.get)
        gate.await_reached()
        try:
            other = in_thread(mapped.set_get_hook, lambda _: 2)
            if cls is ReplyFuture:
                other.result(10)
            else:
                with pytest.raises(TimeoutError):
                    other.result(0.05)
        finally:
            gate.open()
        assert reader.result(10) == 1


def test_8_awaiting_blocks_the_loop_or_not() -> None:
    """Stock: other tasks of the loop get no turn until the value is there. Ours: a task of the same loop sets it."""

    async def awaited(future: Any, last_step: Any) -> list[Any]:
        order: list[Any] = []

        async def task() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            order.append("task")
            last_step()

        async def wait() -> None:
            order.append(await future)

        running = asyncio.ensure_future(task())
        await asyncio.wait_for(wait(), 10)
        await running
        return order

    stock: Any = pykka.ThreadingFuture()
    rescue = threading.Timer(0.05, stock.set, ("value",))
    rescue.start()
    assert asyncio.run(awaited(stock, lambda: None)) == ["value", "task"]
    rescue.join(10)
    ours: ReplyFuture[str] = ReplyFuture()
    assert asyncio.run(awaited(ours, lambda: ours.set("value"))) == ["task", "value"]


def test_9_actor_stopped_is_set_before_or_after_the_cleanup(started: Any, gates: Any, in_thread: Any) -> None:
    """Stock: stopped while on_stop still runs. Ours: the end comes last."""
    seen: dict[str, bool] = {}

    class StockCleanup(Stock):
        def on_stop(self) -> None:
            seen["stock"] = self.actor_stopped.is_set()

    class OursCleanup(Ours):
        def on_stop(self) -> None:
            seen["ours"] = self.actor_stopped.is_set()

    started(StockCleanup).stop(timeout=10)
    started(OursCleanup).stop(timeout=10)
    assert seen == {"stock": True, "ours": False}


def test_10_the_registry_grows_or_not(started: Any) -> None:
    """Stock: each actor is an entry of a list. Ours: none, so another library's stop_all() reaches nobody."""
    before = len(pykka.ActorRegistry.get_all())
    started(Stock)
    assert len(pykka.ActorRegistry.get_all()) == before + 1
    ours = started(Ours)
    assert len(pykka.ActorRegistry.get_all()) == before + 1
    pykka.ActorRegistry.stop_all()
    assert ours.ask("alive", timeout=10) == "alive"


@pinned_only
def test_11_a_thread_that_cannot_start_leaves_a_ghost_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock: registered and never run. Ours: an error, and nothing."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for cls in (Stock, Ours):
            with pytest.raises(RuntimeError):
                cls.start()
    (ghost,) = pykka.ActorRegistry.get_all()
    assert ghost.actor_class is Stock
    pykka.ActorRegistry.unregister(ghost)


@pinned_only
def test_12_threads_hold_the_exit_up_or_not(started: Any) -> None:
    """Stock: not a daemon, so a forgotten actor hangs the exit. Ours: a daemon that the exit hook ends."""
    assert pykka.ThreadingActor.use_daemon_thread is False
    ours = started(Ours)
    (thread,) = [t for t in threading.enumerate() if t.name.startswith("Ours-")]
    assert thread.daemon
    assert id(ours._cell) in at_exit()._open
    ours.stop(timeout=10)
    assert id(ours._cell) not in at_exit()._open


class Parcel:
    """Something that can be watched."""


def test_13_the_idle_loop_keeps_the_last_message_alive_or_not(started: Any, eventually: Any) -> None:
    """Stock keeps it in its loop's variables until the next one comes. Ours lets go."""
    for cls in (Stock, Ours):
        ref = started(cls)
        parcel = Parcel()
        watched = weakref.ref(parcel)
        ref.ask(parcel, timeout=10)
        if cls is Ours:
            eventually(lambda ref=ref: lies_idle(ref._mailbox))
        else:
            eventually(lambda ref=ref: ref.actor_inbox.empty())
        del parcel
        gc.collect()
        assert (watched() is None) == (cls is Ours), cls.__name__


def test_14_agents_cost_a_thread_each_or_share_them(make_pool: Any) -> None:
    """Stock: a thread for each actor. Ours: agents that run one after another run on the same one."""
    threads = set()
    for _ in range(3):
        ref = Stock.start()
        threads.add(ref.ask(lambda _: threading.current_thread(), timeout=10))
        ref.stop(timeout=10)
    assert len(threads) == 3
    pool = make_pool(max_concurrent=1, max_queued=None)
    handles = [pool.submit(lambda: threading.current_thread()) for _ in range(20)]
    assert len({handle.result(10) for handle in handles}) < 20


def test_15_a_reference_holds_the_actor_weakly_or_not() -> None:
    """Stock: an actor that is not started yet vanishes behind its reference. Ours: the reference holds it."""
    stock, ours = Stock().actor_ref, Ours().actor_ref
    gc.collect()
    assert stock._actor_weakref() is None
    assert ours._actor_weakref() is not None


def test_16_one_exception_object_is_shared_or_fresh() -> None:
    """Stock: each get raises the same object and adds to its traceback. Ours: a copy from the original."""
    for cls in (pykka.ThreadingFuture, ReplyFuture):
        future: Any = cls()
        original = KeyError("words")
        future.set_exception((KeyError, original, None))
        seen = []
        for _ in range(2):
            with pytest.raises(KeyError) as info:
                future.get(timeout=0)
            seen.append(info.value)
        assert (seen[0] is seen[1]) == (cls is pykka.ThreadingFuture)
        if cls is ReplyFuture:
            assert seen[0].__cause__ is original


def test_17_context_variables_follow_or_not(started: Any) -> None:
    """Stock: the actor's thread sees the defaults. Ours: what the starter had set."""
    var: ContextVar[str] = ContextVar("var", default="default")
    var.set("starter")
    assert started(Stock).ask(lambda _: var.get(), timeout=10) == "default"
    assert started(Ours).ask(lambda _: var.get(), timeout=10) == "starter"


# The contract ---------------------------------------------------------------------------------------------------

OVERRIDDEN = ("_create_future", "_start_actor_loop")
"""Private methods of Pykka's actors that ours replace: Pykka calls them, or they call Pykka's."""


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_private_method_that_we_override_is_still_there(name: str) -> None:
    """Else ours would silently not be called any more."""
    assert callable(getattr(pykka.ThreadingActor, name))
    assert name in vars(Actor), "the adapter does not override it (any more): take it out of the list"


def test_every_private_method_of_pykka_that_we_shadow_is_in_the_list() -> None:
    """A private name of ours that Pykka also has is an override: it is watched by this test."""
    shadowed = {
        name
        for cls in (Actor, AgentActor)
        for name in vars(cls)
        if name.startswith("_") and not name.startswith("__") and hasattr(pykka.ThreadingActor, name)
    }
    assert shadowed - {"_abc_impl"} == set(OVERRIDDEN)


def test_pykka_calls_the_private_methods_as_we_expect() -> None:
    """The future on the class; the loop hands _handle_receive a message."""
    assert list(inspect.signature(pykka.Actor._handle_receive).parameters) == ["self", "message"]
    assert list(inspect.signature(pykka.ThreadingActor._start_actor_loop).parameters) == ["self"]
    assert list(inspect.signature(pykka.ThreadingActor._create_future).parameters) == []


def test_pykkas_actor_has_the_attributes_that_we_use() -> None:
    """What ours has by properties: a stock actor sets them, and its reference reads them."""
    stock = Stock()
    for name in ("_actor_ref", "actor_urn", "actor_inbox", "actor_stopped"):
        assert name in vars(stock), name
    ref = stock.actor_ref
    for name in ("_actor_weakref", "actor_class", "actor_urn", "actor_inbox", "actor_stopped"):
        assert name in vars(ref), name
    assert ref._actor_weakref() is stock
    gc.collect()


def test_pykkas_future_has_the_hook_that_we_read() -> None:
    """Derived futures are made by the class, with a hook that takes the timeout."""
    future: Any = ReplyFuture()
    assert future._get_hook is None
    derived = future.map(lambda n: n)
    assert type(derived) is ReplyFuture
    assert callable(derived._get_hook)
    assert list(inspect.signature(derived._get_hook).parameters) == ["timeout"]


def test_pykkas_stop_message_and_proxy_messages_are_there() -> None:
    """The names that the loop tells apart."""
    assert isinstance(pykka.messages._ActorStop, type)
    for name in ("ProxyCall", "ProxyGetAttr", "ProxySetAttr"):
        assert isinstance(getattr(pykka.messages, name), type)


def test_private_names_of_pykka_stand_in_the_adapter_only() -> None:
    """No other file of core reaches into Pykka's modules."""
    source = inspect.getsource(adapter)
    tree = ast.parse(source)
    private = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and isinstance(node.value, ast.Attribute)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "pykka"
    }
    assert private == {"_ActorStop"}, "a new private name of Pykka: give it a test here"


def test_the_version_of_pykka_is_the_one_we_require() -> None:
    """At least 4.4, below 5."""
    from importlib.metadata import version

    major, minor = (int(part) for part in version("pykka").split(".")[:2])
    assert major == 4
    assert minor >= 4
