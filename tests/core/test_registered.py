"""Actors in Pykka's own registry, and what Pykka documents of all actors, on both dispatchers."""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from actors import Actor, ActorDead, ActorEnd, ReplyFuture
from actors.core.process.at_exit import at_exit

from ..waiting import Gate, eventually
from .troupe import BOTH, Bomb, Player, again

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef

REGISTRY = pykka.ActorRegistry


class Known(Player):
    """A player that is registered."""

    registered = True


class Other(Known):
    """Another one."""


@pytest.fixture(params=BOTH.values(), ids=BOTH, autouse=True)
def _dispatcher(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Player, "dispatcher", request.param)


def test_it_is_found_while_it_lives(started: Callable[..., ActorRef[Any]]) -> None:
    """By its class, a superclass, the name of its class, and its urn; not when it has ended."""
    known, other, unknown = started(Known), started(Other), started(Player)
    assert REGISTRY.get_all() == [known, other]
    assert REGISTRY.get_by_class(Known) == [known, other]
    assert REGISTRY.get_by_class(Other) == REGISTRY.get_by_class_name("Other") == [other]
    assert REGISTRY.get_by_urn(known.actor_urn) is known
    assert REGISTRY.get_by_urn(unknown.actor_urn) is None
    known.stop()
    assert REGISTRY.get_all() == [other]


def test_it_is_found_from_the_start_to_the_end(started: Callable[..., ActorRef[Any]]) -> None:
    """In its first hook, and in its last; those who watch it find it no more."""
    seen: list[tuple[str, bool]] = []

    def look(actor: Any) -> None:
        seen.append((actor.diary[-1][1], actor.actor_ref in REGISTRY.get_all()))

    ref = started(Known, start=look, stop=look)
    ref.watch(lambda ended: seen.append(("watched", ended in REGISTRY.get_all())))
    assert ref in REGISTRY.get_all()
    ref.stop()
    assert seen == [("start", True), ("stop", True), ("watched", False)]


def test_one_that_was_only_made_is_not_registered() -> None:
    """As of Pykka's."""
    actor = Known([])
    assert actor.actor_ref not in REGISTRY.get_all()


def test_a_broadcast_reaches_it(started: Callable[..., ActorRef[Any]]) -> None:
    """All of them, those of a class, those of a name."""
    diaries: dict[str, list[Any]] = {"known": [], "other": [], "unknown": []}
    started(Known, diaries["known"])
    started(Other, diaries["other"])
    started(Player, diaries["unknown"])
    REGISTRY.broadcast("all")
    REGISTRY.broadcast("class", Other)
    REGISTRY.broadcast("name", "Known")
    REGISTRY.stop_all()
    told = {name: [word for _, word in diary if word in {"all", "class", "name"}] for name, diary in diaries.items()}
    assert told == {"known": ["all", "name"], "other": ["all", "class"], "unknown": []}


def test_stop_all_drains(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """What was accepted before is handled; who is not registered lives on."""
    diary: list[Any] = []
    first, _, unknown = started(Known, diary), started(Known), started(Player)
    first.tell(lambda _: gate.hold())
    for number in range(3):
        first.tell(number)
    gate.await_reached()
    futures = REGISTRY.stop_all(block=False)
    gate.open()
    assert [future.get(timeout=10) for future in futures] == [True, True]
    assert [word for _, word in diary[-4:]] == [0, 1, 2, "stop"]
    assert unknown.is_alive()
    assert REGISTRY.stop_all() == []


def test_stop_all_goes_back(started: Callable[..., ActorRef[Any]]) -> None:
    """The last that was started is the first that has ended."""
    ended: list[Any] = []
    refs = [started(Known) for _ in range(3)]
    for ref in refs:
        ref.watch(ended.append)
    assert REGISTRY.stop_all() == [True, True, True]
    assert ended == refs[::-1]


def test_a_stop_that_takes_too_long_is_pykkas_timeout(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """``stop_all(timeout=)`` works as for one reference."""
    started(Known).tell(lambda _: gate.hold())
    gate.await_reached()
    with pytest.raises(pykka.Timeout):
        REGISTRY.stop_all(timeout=0)
    gate.open()


@pytest.mark.parametrize(
    "end",
    [
        lambda ref: ref.stop(),
        lambda ref: ref.abort(),
        lambda ref: ref.tell(Bomb()),
        lambda ref: ref.tell(Bomb(error=SystemExit)),
        lambda ref: ref.tell(lambda actor: actor.stop()),
    ],
    ids=["stop", "abort", "crash", "base exception", "own stop"],
)
def test_whatever_ends_it_takes_it_out(started: Callable[..., ActorRef[Any]], end: Callable[[Any], object]) -> None:
    """It is gone when its end can be seen; others are not harmed."""
    ref, other = started(Known), started(Known)
    end(ref)
    assert ref.actor_stopped.wait(10)
    assert REGISTRY.get_all() == [other]


def test_one_whose_on_start_fails_is_taken_out(started: Callable[..., ActorRef[Any]]) -> None:
    """It was registered, and is no more."""
    ref = started(Known, start=Bomb())
    assert ref.actor_stopped.wait(10)
    assert REGISTRY.get_all() == []


def test_one_that_cannot_be_started_leaves_no_ghost(monkeypatch: Any) -> None:
    """Neither where no thread can be had, nor where the dispatcher takes nobody."""

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(type(at_exit().crew), "start", refuse)
    monkeypatch.setattr("actors.core.actors.shared_cell.copy_context", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        Known.start([])
    assert REGISTRY.get_all() == []


def test_one_whose_init_fails_was_never_registered() -> None:
    """The caller has the error, and nothing else is there."""
    with pytest.raises(ValueError, match="boom"):
        Known.start([], init=Bomb())
    assert REGISTRY.get_all() == []


def test_a_restart_stays_registered(supervised: Callable[..., ActorRef[Any]]) -> None:
    """Once, under the same reference; at its end it is taken out."""
    ref = supervised(Known, restart=again(1))
    ref.tell(Bomb())
    assert ref.ask(lambda actor: actor.life, timeout=10) == 2
    assert REGISTRY.get_all() == [ref]
    ref.stop()
    assert REGISTRY.get_all() == []


def test_one_that_was_taken_out_by_hand_ends_all_the_same(started: Callable[..., ActorRef[Any]]) -> None:
    """Out, and in again."""
    ref = started(Known)
    REGISTRY.unregister(ref)
    REGISTRY.unregister(ref)
    assert REGISTRY.get_all() == []
    REGISTRY.register(ref)
    assert ref.stop()
    assert REGISTRY.get_all() == []


def test_many_come_and_go_at_once() -> None:
    """From several threads, with a ``stop_all`` among them: none is left, and each has ended once."""
    made: list[ActorRef[Any]] = []
    ready = threading.Barrier(4)

    def run() -> None:
        ready.wait(10)
        for _ in range(20):
            made.append(Known.start([]))
            made[-1].stop(block=False)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    while any(thread.is_alive() for thread in threads):
        REGISTRY.stop_all(block=False)
    REGISTRY.stop_all()
    for ref in made:
        assert ref.actor_stopped.wait(10)
    assert len(made) == 60
    assert REGISTRY.get_all() == []


def test_pykkas_log_tells_of_its_failures(
    started: Callable[..., ActorRef[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Those that an asker is told of, those of a handler, and those of a hook; of one that is not registered, none."""
    caplog.set_level(logging.INFO, "pykka")

    class Failing(Known):
        def on_failure(self, *_: Any) -> None:
            raise LookupError("in on_failure")

    ref, unknown = started(Failing), started(Player)
    for asked in (ref, unknown):
        with pytest.raises(ValueError, match="boom"):
            asked.ask(Bomb(), timeout=10)
        asked.tell(Bomb(error=SystemExit))
        assert asked._cell.ended.get(timeout=10) == ActorEnd.CRASHED
    told = [(record.levelname, record.getMessage(), record.exc_info[0]) for record in caplog.records if record.exc_info]
    assert told == [
        ("INFO", f"Exception returned from {ref} to caller:", ValueError),
        ("ERROR", f"Unhandled exception in {ref}:", SystemExit),
        ("ERROR", f"Unhandled exception in {ref}:", LookupError),
    ]


def test_a_log_that_fails_harms_nobody(started: Callable[..., ActorRef[Any]], monkeypatch: Any) -> None:
    """It ends as it would have ended."""
    monkeypatch.setattr(logging.getLogger("pykka"), "log", Bomb(100))
    ref = started(Known)
    with pytest.raises(ZeroDivisionError):
        ref.ask(lambda _: 1 / 0, timeout=10)
    ref.tell(Bomb())
    assert ref._cell.ended.get(timeout=10) == ActorEnd.CRASHED


# What Pykka documents of all actors -----------------------------------------------------------------------------------


def test_who_it_is(started: Callable[..., ActorRef[Any]]) -> None:
    """A urn with a random UUID; the words of the actor and of its reference have it, and the name of the class."""
    ref = started(Known)
    assert uuid.UUID(ref.actor_urn).version == 4
    assert str(ref) == f"Known ({ref.actor_urn})"
    assert repr(ref) == f"<ActorRef for Known ({ref.actor_urn})>"
    assert ref.ask(str, timeout=10) == str(ref)
    assert ref.ask(lambda actor: (actor.actor_urn, actor.actor_inbox, actor.actor_stopped), timeout=10) == (
        ref.actor_urn,
        ref.actor_inbox,
        ref.actor_stopped,
    )


def test_on_start_may_stop_it(started: Callable[..., ActorRef[Any]]) -> None:
    """Before the first message; ``on_stop`` is called."""
    diary: list[Any] = []
    ref = started(Known, diary, start=lambda actor: actor.stop())
    assert ref.actor_stopped.wait(10)
    assert [word for _, word in diary] == ["init", "start", "stop"]


def test_on_failure_gets_the_exc_info(started: Callable[..., ActorRef[Any]]) -> None:
    """Class, value and traceback of what the handler raised, while it is being handled; ``on_stop`` is not called."""
    seen: list[Any] = []

    class Failing(Known):
        def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
            seen.append((exception_type, str(exception_value), traceback.tb_frame is not None))

    ref = started(Failing)
    ref.tell(Bomb())
    assert ref.actor_stopped.wait(10)
    assert seen == [(ValueError, "boom", True)]


def test_an_actor_of_pykkas_and_its_mixins() -> None:
    """A class that is no actor by itself, mixed in, as Pykka's users write it."""

    class Greeting(pykka.Actor):
        def greet(self, name: str) -> str:
            return f"hello {name}"

    class Greeter(Greeting, Actor):
        registered = True

    proxy: Any = Greeter.start().proxy()
    assert proxy.greet("you").get(timeout=10) == "hello you"
    assert REGISTRY.get_by_class(Greeting) == [proxy.actor_ref]
    assert proxy.stop().get(timeout=10) is None
    eventually(lambda: not proxy.actor_ref.is_alive())


def test_a_proxy_reaches_what_is_traversable(started: Callable[..., ActorRef[Any]]) -> None:
    """An attribute that is marked, and what it has; a private one is not there."""

    class Deck:
        def __init__(self) -> None:
            self.cards = 52

        def take(self) -> int:
            self.cards -= 1
            return self.cards

    class Dealer(Known):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.deck = pykka.traversable(Deck())
            self._hand = 5

    proxy: Any = started(Dealer).proxy()
    assert proxy.deck.take().get(timeout=10) == 51
    assert proxy.deck.cards.get(timeout=10) == 51
    proxy.deck.cards = 3
    assert proxy.deck.cards.get(timeout=10) == 3
    with pytest.raises(AttributeError, match="has no attribute '_hand'"):
        proxy._hand  # noqa: B018
    take = proxy.deck.take
    proxy.actor_ref.stop()
    with pytest.raises(ActorDead):
        take().get(timeout=10)
    with pytest.raises(pykka.ActorDeadError):
        proxy.actor_ref.proxy()


# Futures with a hook ----------------------------------------------------------------------------------------------


def test_a_future_with_a_hook_is_not_set() -> None:
    """Its value is computed; whoever sets it, or the hook of one that is settled, made a mistake."""
    calls: list[Any] = []
    future: ReplyFuture[int] = ReplyFuture()
    future.set_get_hook(lambda timeout: calls.append(timeout) or 5)
    with pytest.raises(queue.Full, match="computed"):
        future.set(4)
    with pytest.raises(queue.Full, match="computed"):
        future.set_exception((ValueError, ValueError("no"), None))
    assert (future.get(timeout=1.5), future.get(), calls) == (5, 5, [1.5])
    with pytest.raises(queue.Full, match="settled"):
        future.set_get_hook(lambda _: 6)

    settled: ReplyFuture[int] = ReplyFuture()
    settled.set(1)
    with pytest.raises(queue.Full, match="settled"):
        settled.set_get_hook(lambda _: 2)
    settled.set(3)
    assert settled.get() == 1
