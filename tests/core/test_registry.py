"""Registries: names, who has them and for how long, and how all are stopped; on both dispatchers."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from actors import Actor, ActorEnd, AskTimeout, DeadlockError, ForkedPoolError, Registry, start_router
from actors.core.process import fork

from ..waiting import Gate, eventually
from .troupe import BOTH, Bomb, Player, again

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef


class Printer(Player):
    """One kind."""


class Plotter(Printer):
    """A kind of that kind."""


@pytest.fixture(params=BOTH.values(), ids=BOTH, autouse=True)
def _dispatcher(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Player, "dispatcher", request.param)


# Names ------------------------------------------------------------------------------------------------------------


def test_a_name_leads_to_its_actor(started: Callable[..., ActorRef[Any]]) -> None:
    """And no other name to any."""
    registry = Registry()
    one, two = started(), started()
    registry.register("one", one)
    registry.register("two", two)
    assert (registry.find("one"), registry.find("two"), registry.find("three")) == (one, two, None)
    assert ("one" in registry, "three" in registry, 3 in registry, len(registry)) == (True, False, False, 2)
    assert registry.names() == ["one", "two"]
    assert repr(registry) == "<Registry of 2>"


def test_a_registry_without_anybody() -> None:
    """It is a registry all the same; it is no other's."""
    registry = Registry()
    assert (registry.find("one"), registry.all(), registry.stop_all(), registry.names()) == (None, [], [], [])
    assert (len(registry), bool(registry), registry.unregister("one")) == (0, True, False)


def test_a_name_in_use_is_refused(started: Callable[..., ActorRef[Any]]) -> None:
    """Who has it keeps it; the same one may be registered again; once it is free, others may have it."""
    registry = Registry()
    one, two = started(), started()
    registry.register("name", one)
    registry.register("name", one)
    with pytest.raises(ValueError, match=rf"the name 'name' is in use by Player \({one.actor_urn}\): unregister it"):
        registry.register("name", two)
    assert registry.find("name") is one
    assert registry.unregister("name") is True
    assert registry.unregister("name") is False
    assert one.is_alive()
    registry.register("name", two)
    assert registry.find("name") is two


def test_one_may_have_several_names(started: Callable[..., ActorRef[Any]]) -> None:
    """It is one all the same."""
    registry = Registry()
    ref = started()
    registry.register("a", ref)
    registry.register("b", ref)
    assert (registry.names(), registry.all()) == (["a", "b"], [ref])
    assert registry.stop_all() == [True]
    assert registry.names() == []


def test_all_of_a_class(started: Callable[..., ActorRef[Any]]) -> None:
    """Of its subclasses, too, in the order in which they were registered; every class will do."""
    registry = Registry()
    refs = [started(cls) for cls in (Plotter, Player, Printer, Plotter)]
    for number, ref in enumerate(refs):
        registry.register(str(number), ref)
    assert registry.all() == registry.all(None) == registry.all(Actor) == registry.all(pykka.Actor) == refs
    assert registry.all(Printer) == [refs[0], refs[2], refs[3]]
    assert registry.all(Plotter) == [refs[0], refs[3]]
    assert registry.all(Bomb) == []  # type: ignore[type-var]


def test_a_router_may_have_a_name() -> None:
    """It is found, is of the class of its members, and is stopped with the others."""
    registry = Registry()
    router = start_router(Printer, 2, [])
    registry.register("printers", router)
    assert (registry.find("printers"), registry.all(Player), registry.all(Plotter)) == (router, [router], [])
    assert registry.stop_all() == [True]
    assert registry.find("printers") is None
    assert not router.is_alive()


# Ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_an_entry_goes_with_its_actor(started: Callable[..., ActorRef[Any]], how: str) -> None:
    """All its names, before who waits for the end is told; the name is free."""
    registry = Registry()
    ref, other = started(), started()
    registry.register("a", ref)
    registry.register("b", ref)
    ref.abort() if how == "abort" else ref.tell(Bomb()) if how == "crash" else ref.stop()
    assert isinstance(ref._cell.ended.get(timeout=10), ActorEnd)
    assert (registry.find("a"), registry.names(), registry.all()) == (None, [], [])
    registry.register("a", other)
    assert registry.find("a") is other


def test_a_restart_keeps_its_name(supervised: Callable[..., ActorRef[Any]]) -> None:
    """It is no end."""
    registry = Registry()
    ref = supervised(restart=again(1))
    registry.register("a", ref)
    ref.tell(Bomb())
    assert ref.ask(lambda actor: actor.life, timeout=10) == 2
    assert registry.find("a") is ref


def test_who_has_ended_is_not_entered(started: Callable[..., ActorRef[Any]]) -> None:
    """Nothing stays, and nothing is raised: it may end at any moment."""
    registry = Registry()
    ref = started()
    ref.stop()
    registry.register("a", ref)
    assert (registry.find("a"), registry.names()) == (None, [])


@pytest.mark.parametrize("winner", ["register", "end"])
def test_registering_against_the_end(started: Callable[..., ActorRef[Any]], winner: str, monkeypatch: Any) -> None:
    """The actor ends between its entry and the watch, or after both: it does not stay."""
    registry = Registry()
    ref = started()
    watch = type(ref).watch

    def slow(self: Any, fn: Any) -> Any:
        if winner == "end":
            self.stop()
        forget = watch(self, fn)
        if winner == "register":
            self.stop()
        return forget

    monkeypatch.setattr(type(ref), "watch", slow)
    registry.register("a", ref)
    monkeypatch.undo()
    assert registry._roll.entries() == []


def test_a_name_is_free_as_soon_as_its_actor_has_ended(
    started: Callable[..., ActorRef[Any]], gates: Callable[[], Gate]
) -> None:
    """Also when those who watch it are just being told; the end of the old one does not take out the new one."""
    registry = Registry()
    old, new = started(), started()
    gate = gates()
    old.watch(gate.hold)  # told before the registry
    registry.register("name", old)
    old.stop(block=False)
    gate.await_reached()
    assert (registry.find("name"), registry.names()) == (None, [])
    registry.register("name", new)
    gate.open()
    old._cell.ended.get(timeout=10)
    assert registry.find("name") is new


def test_many_want_one_name(started: Callable[..., ActorRef[Any]]) -> None:
    """One has it, the others are told so."""
    registry = Registry()
    refs = [started() for _ in range(8)]
    ready = threading.Barrier(len(refs))
    won: list[ActorRef[Any]] = []
    lost: list[str] = []

    def register(ref: ActorRef[Any]) -> None:
        ready.wait(10)
        try:
            registry.register("name", ref)
            won.append(ref)
        except ValueError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=register, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert won == [registry.find("name")]
    assert len(lost) == 7
    assert all(str(won[0]) in line for line in lost)
    assert [ref._cell.gone._callbacks for ref in refs if ref is not won[0]] == [None] * 7


# Stopping all -----------------------------------------------------------------------------------------------------


def test_stop_all_goes_back_and_drains(started: Callable[..., ActorRef[Any]]) -> None:
    """The last that was registered has ended before the one before it is told; what was accepted is handled."""
    registry = Registry()
    words: list[Any] = []

    def stop(actor: Any) -> None:
        words.append((actor.name, [ref.is_alive() for ref in refs]))

    refs = [started(Player, [], stop=stop) for _ in range(3)]
    for number, ref in enumerate(refs):
        ref.ask(lambda actor, number=number: setattr(actor, "name", number), timeout=10)
        registry.register(str(number), ref)
    other = started()
    for ref in refs:
        ref.tell(lambda actor: words.append(("last words", actor.name)))
    assert registry.stop_all() == [True, True, True]
    assert [word for word in words if word[0] != "last words"] == [
        (2, [True, True, True]),
        (1, [True, True, False]),
        (0, [True, False, False]),
    ]
    assert sorted(word[1] for word in words if word[0] == "last words") == [0, 1, 2]
    assert other.is_alive()
    assert (len(registry), registry.stop_all()) == (0, [])


def test_stop_all_without_waiting(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """Futures, in the order in which they were told."""
    registry = Registry()
    refs = [started(), started()]
    for number, ref in enumerate(refs):
        registry.register(str(number), ref)
        ref.tell(gate.hold)
    gate.next()
    gate.next()
    futures = registry.stop_all(block=False)
    assert [future.done() for future in futures] == [False, False]
    gate.open()
    assert [future.get(timeout=10) for future in futures] == [True, True]


def test_one_deadline_holds_for_all(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """When it runs out, all have been told all the same."""
    registry = Registry()
    first, stuck = started(), started()
    registry.register("first", first)
    registry.register("stuck", stuck)
    stuck.tell(gate.hold)
    gate.await_reached()
    with pytest.raises(AskTimeout, match="it still will"):
        registry.stop_all(timeout=0)
    assert first._cell.ended.get(timeout=10) == ActorEnd.STOPPED
    gate.open()
    assert stuck._cell.ended.get(timeout=10) == ActorEnd.STOPPED


def test_stop_all_from_one_of_them(started: Callable[..., ActorRef[Any]]) -> None:
    """It cannot wait for its own end, and says so; without waiting it can."""
    registry = Registry()
    first, caller = started(), started()
    registry.register("first", first)
    registry.register("caller", caller)
    with pytest.raises(DeadlockError):
        caller.ask(lambda _: registry.stop_all(), timeout=10)
    for ref in (first, caller):
        assert ref._cell.ended.get(timeout=10) == ActorEnd.STOPPED

    again_ = started()
    registry.register("again", again_)
    assert len(again_.ask(lambda _: registry.stop_all(block=False), timeout=10)) == 1
    assert again_._cell.ended.get(timeout=10) == ActorEnd.STOPPED


# Who keeps whom alive, bad input, other processes -----------------------------------------------------------------


def test_a_registry_keeps_no_ended_actor_alive() -> None:
    """Neither the actor nor its reference."""
    registry = Registry()
    ref = Player.start([])
    gone = weakref.ref(ref)
    registry.register("a", ref)
    ref.stop()
    del ref
    eventually(lambda: gc.collect() is not None and gone() is None)


def test_a_registry_that_is_dropped_is_not_kept(started: Callable[..., ActorRef[Any]]) -> None:
    """Its actors live on, and watch nothing for it any more."""
    ref = started()
    registry = Registry()
    gone = weakref.ref(registry)
    registry.register("a", ref)
    assert len(ref._cell.gone._callbacks) == 1
    del registry
    assert gone() is None
    assert ref._cell.gone._callbacks is None
    assert ref.is_alive()


@pytest.mark.parametrize("wrong", [None, "ref", Player, object()])
def test_only_references_are_registered(wrong: Any) -> None:
    """A message that says what is wanted."""
    with pytest.raises(TypeError, match=r"as start\(\) returns it"):
        Registry().register("name", wrong)


def test_other_bad_input(started: Callable[..., ActorRef[Any]]) -> None:
    """Nothing stays of it."""
    registry = Registry()
    with pytest.raises(TypeError, match="must be a str"):
        registry.register(3, started())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a class"):
        registry.all("Printer")  # type: ignore[call-overload]
    assert len(registry) == 0


def test_in_a_forked_child_it_is_refused(started: Callable[..., ActorRef[Any]], monkeypatch: Any) -> None:
    """Its actors live in the parent."""
    registry = Registry()
    ref = started()
    registry.register("a", ref)
    with monkeypatch.context() as child:
        child.setattr(fork._mark, "generation", fork.generation() + 1)
        for use in (
            lambda: registry.register("b", ref),
            lambda: registry.unregister("a"),
            lambda: registry.find("a"),
            registry.all,
            registry.names,
            registry.stop_all,
            lambda: len(registry),
        ):
            with pytest.raises(ForkedPoolError):
                use()
    assert registry.find("a") is ref
