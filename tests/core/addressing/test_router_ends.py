"""What becomes of a router whose members end, and how it ends itself (design.md section 5, Routers)."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any, ClassVar

import pytest

from actors import Actor, ActorDead, ActorEnd, AskTimeout, DeadLetterReason, by_key, start_router
from actors.core.addressing.members import Members
from actors.core.addressing.table import Table

from ...waiting import eventually
from .conftest import Worker, me

pytestmark = pytest.mark.usefixtures("each_dispatcher")

ONE = by_key(lambda _: "one")


def filled(workers: Any, gate: Any, messages: Any) -> Any:
    """The only member stands at the gate, and has not read *messages*."""
    workers.tell(gate.hold)
    gate.await_reached()
    for message in messages:
        workers.tell(message)
    return workers.members[0]


# Members that end for good --------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing", ["round_robin", "broadcast", ONE])
@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_a_member_that_ends_is_replaced(router: Any, how: str, routing: Any) -> None:
    """Before a stop of it returns; the others stay as they are."""
    workers = router(2, supervised=False, routing=routing)
    before = workers.members
    odd = workers.ask(me, timeout=10)
    odd = odd[0] if isinstance(odd, list) else odd
    if how == "stop":
        assert odd.stop(timeout=10)
    elif how == "abort":
        odd.abort()
    else:
        odd.tell("crash")
    eventually(lambda: odd not in workers.members)
    assert [ref for ref in before if ref in workers.members] == [ref for ref in before if ref is not odd]
    assert workers.is_alive()
    assert all(ref.is_alive() for ref in workers.members)
    workers.ask(me, timeout=10)


def test_a_supervised_member_that_crashes_is_restarted_in_place(router: Any) -> None:
    """Same reference, same mailbox: it is no end."""
    workers = router(1, supervised=True)
    member = workers.members[0]
    assert member._cell.supervision is not None
    calls: list[int] = []

    def crash_once(_: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("once")

    workers.tell(crash_once)
    assert workers.ask(me, timeout=10) is member
    assert len(calls) == 2
    assert workers.members == (member,)


@pytest.mark.parametrize("routing", ["round_robin", "broadcast", ONE])
@pytest.mark.parametrize("how", ["abort", "crash", "stop"])
def test_what_it_had_not_read_is_handled_by_others(
    router: Any, gate: Any, in_thread: Any, how: str, routing: Any
) -> None:
    """In order, asks included, whose askers wait on; nothing is a dead letter."""
    notes: list[Any] = []
    workers = router(1, notes, supervised=False, routing=routing)

    def held(actor: Any) -> None:
        gate.arrive()
        if how == "crash":
            raise RuntimeError("told to crash")

    workers.tell(held)
    gate.next()
    member = workers.members[0]
    workers.tell("a")
    asking = in_thread(workers.ask, "b", 10)
    eventually(lambda: len(member.actor_inbox) == 2)
    if how == "abort":
        member.abort()
        if routing == "round_robin":
            workers.resize(2)  # somebody is there at once, whatever the aborted one does
    elif how == "stop":
        member.stop(block=False)
    else:
        gate.open()
    workers.tell("c", timeout=10)  # while it ends, too
    gate.open()
    assert asking.result(10) == (["b"] if routing == "broadcast" else "b")
    workers.stop(timeout=10)
    assert sorted(notes) == ["a", "b", "c"]
    if workers.how_ended is ActorEnd.STOPPED and routing != "round_robin":
        assert notes == ["a", "b", "c"]
    assert member.dead_letters.total == workers.dead_letters.total == 0


@pytest.mark.parametrize("routing", ["round_robin", "broadcast", ONE])
def test_what_it_had_not_read_needs_nothing_else_to_come(router: Any, gate: Any, routing: Any) -> None:
    """The next member begins with it."""
    notes: list[Any] = []
    workers = router(1, notes, routing=routing)
    member = filled(workers, gate, ["a", "b"])
    member.abort()
    gate.open()
    eventually(lambda: notes == ["a", "b"])


def test_what_a_member_wanted_of_itself_goes_with_it(router: Any, gate: Any) -> None:
    """Ticks of its timers are not the next one's."""
    notes: list[Any] = []
    workers = router(1, notes)

    def set_timer(actor: Any) -> None:
        actor.tell_later(0.001, "tick")
        gate.arrive()

    workers.tell(set_timer)
    gate.next()
    member = workers.members[0]
    eventually(lambda: len(member.actor_inbox) == 1)
    workers.tell("a")
    member.abort()
    gate.open()
    eventually(lambda: member.how_ended is not None)
    workers.stop(timeout=10)
    assert notes == ["a"]
    assert [letter.message for letter in member.dead_letters] == ["tick"]


def test_what_an_aborted_member_had_goes_to_the_others_at_once(router: Any, gate: Any) -> None:
    """Also while its handler looks at no cancel."""
    notes: list[Any] = []
    workers = router(2, notes)
    stuck = workers.members[0]
    stuck.tell(gate.hold)
    gate.await_reached()
    stuck.tell("a")
    asked = stuck.ask_future("b")
    stuck.abort()
    assert asked.get(timeout=10) == "b"
    eventually(lambda: notes == ["a", "b"])
    assert not gate.is_open


def test_by_key_nothing_of_a_key_overtakes_what_a_stuck_member_has_begun(router: Any, gate: Any) -> None:
    """One key, one member: what comes later waits for its end."""
    notes: list[Any] = []
    workers = router(2, notes, routing=ONE)
    stuck = workers.ask(me, timeout=10)
    workers.tell(gate.hold)
    gate.await_reached()
    workers.tell("a")
    stuck.abort()
    workers.tell("b")
    asked = workers.ask_future("c")
    with pytest.raises(AskTimeout):
        asked.get(timeout=0.01)
    assert notes == []
    gate.open()
    assert asked.get(timeout=10) == "c"
    assert notes == ["a", "b", "c"]


def test_an_asker_is_found_in_a_circle_after_its_ask_has_moved(router: Any, gate: Any, in_thread: Any) -> None:
    """It waits for whoever has its message now."""
    workers, other = router(2, supervised=False), router(1)
    first, second = workers.members
    first.tell(gate.hold)
    gate.await_reached()
    first.tell(1)
    asking = in_thread(other.ask, lambda _: workers.ask(lambda _: other.ask(me), timeout=10), 10)
    eventually(lambda: len(first.actor_inbox) == 2 or asking.done())
    first.abort()
    with pytest.raises(Exception, match="circle"):
        asking.result(10)
    assert second.is_alive()


# Members that cannot be replaced --------------------------------------------------------------------------------


class Weak(Worker):
    """Cannot start any more, once it is told."""

    fails: ClassVar[str] = ""
    lives: ClassVar[int] = 0

    def __init__(self, notes: list[Any] | None = None) -> None:
        super().__init__(notes)
        type(self).lives += 1
        if self.fails == "__init__":
            raise OSError("no more of them")

    def on_start(self) -> None:
        if self.fails == "on_start":
            raise OSError("no more of them")
        if self.fails == "stops":
            self.stop()


@pytest.mark.parametrize("fails", ["__init__", "on_start", "stops"])
def test_a_storm_of_replacements_ends_the_router(
    router: Any, gate: Any, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """As crashed, with what kept them from starting; what nobody can handle is told of."""
    monkeypatch.setattr("actors.core.addressing.members.PAUSE", 0.001)
    monkeypatch.setattr(Weak, "fails", "")
    monkeypatch.setattr(Weak, "lives", 0)
    notes: list[Any] = []
    ends: list[Any] = []
    workers = router(1, notes, cls=Weak, supervised=False, routing=ONE)
    workers.watch(lambda ended: ends.append((ended, ended.how_ended, str(ended.error))))
    member = filled(workers, gate, ())
    member.stop(block=False)
    if fails != "stops":
        workers.tell("a")
        asked = workers.ask_future("b")
    monkeypatch.setattr(Weak, "fails", fails)
    gate.open()
    eventually(lambda: ends)
    assert ends[0][:2] == (workers, "crashed")
    assert ("no more of them" in ends[0][2]) == (fails != "stops")
    assert Weak.lives <= 150
    assert not workers.is_alive()
    with pytest.raises(ActorDead):
        workers.tell("c")
    if fails != "stops":
        with pytest.raises(ActorDead):
            asked.get(timeout=10)
        assert workers.dead_letters.counts() == {DeadLetterReason.RECEIVER_ENDED: 2}


def test_the_others_get_what_a_seat_had_that_is_given_up(router: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And end once it is handled."""
    monkeypatch.setattr("actors.core.addressing.members.PAUSE", 0.001)
    monkeypatch.setattr(Weak, "fails", "")
    notes: list[Any] = []
    workers = router(2, notes, cls=Weak, supervised=False)
    monkeypatch.setattr(Weak, "fails", "__init__")
    workers.members[0].stop(block=False)
    workers.stop(timeout=10)
    assert workers.how_ended in {"crashed", "stopped"}
    assert all(not ref.is_alive() for ref in workers.members)


def test_a_router_that_cannot_begin_ends(router: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first members have started as far as the caller sees; or they were too quick for that."""
    monkeypatch.setattr("actors.core.addressing.members.PAUSE", 0.001)
    monkeypatch.setattr(Weak, "fails", "on_start")
    try:
        workers = router(2, cls=Weak, supervised=False)
    except ActorDead as ended:
        error: Any = ended.__cause__
    else:
        eventually(lambda: workers.how_ended is ActorEnd.CRASHED)
        error = workers.error
    assert "no more of them" in str(error)


def test_a_router_that_ends_while_it_is_started_says_why(gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first member could not start, again and again, before the second was made."""
    shut, new_seat = Table.shut, Members._new_seat

    def told(table: Table) -> None:
        shut(table)
        gate.note()

    def after_the_end(members: Members) -> Any:
        if members._here:
            gate.await_reached()
        return new_seat(members)

    monkeypatch.setattr("actors.core.addressing.members.PAUSE", 0.001)
    monkeypatch.setattr(Table, "shut", told)
    monkeypatch.setattr(Members, "_new_seat", after_the_end)
    monkeypatch.setattr(Weak, "fails", "on_start")
    with pytest.raises(ActorDead, match=r"router of Weak has stopped: .*no more of them"):
        start_router(Weak, 2, supervised=False)


def test_a_stop_ends_the_pause_between_two_tries(router: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it."""
    monkeypatch.setattr("actors.core.addressing.members.PAUSE", 1000.0)
    monkeypatch.setattr(Weak, "fails", "")
    workers = router(1, cls=Weak, supervised=False)
    monkeypatch.setattr(Weak, "fails", "__init__")
    workers.members[0].stop(block=False)
    eventually(lambda: workers._members._pauses)
    assert workers.stop(timeout=10)
    assert workers.how_ended == "stopped"


# Its own end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing", ["round_robin", "broadcast", ONE])
def test_a_stop_handles_what_was_accepted(router: Any, gate: Any, routing: Any) -> None:
    """Then all members end, and who watches is told once, before the stop returns."""
    notes: list[Any] = []
    ends: list[Any] = []
    workers = router(2, notes, routing=routing)
    forget = workers.watch(lambda _: ends.append("forgotten"))
    workers.watch(ends.append)
    forget()
    assert workers.how_ended is None
    for member in workers.members:
        member.tell(gate.hold)
    workers.tell("a")
    stopping = workers.stop(block=False)
    with pytest.raises(ActorDead, match="router of Worker has stopped") as told:
        workers.tell("b")
    assert told.value.message == "b"
    with pytest.raises(ActorDead):
        workers.ask("b")
    with pytest.raises(ActorDead):
        workers.ask_future("b").get(timeout=10)
    with pytest.raises(ActorDead):
        workers.resize(5)
    with pytest.raises(AskTimeout, match="it still will"):
        workers.stop(timeout=0.01)
    assert ends == []
    gate.open()
    assert stopping.get(timeout=10)
    assert ends == [workers]
    assert set(notes) == {"a"}
    assert workers.how_ended is ActorEnd.STOPPED
    assert not workers.is_alive()
    assert workers.stop() is False
    assert workers.stop(block=False).get(timeout=10) is False
    workers.watch(ends.append)
    assert ends == [workers, workers]
    assert all(not member.is_alive() for member in workers.members)


@pytest.mark.parametrize("routing", ["round_robin", "broadcast", ONE])
def test_an_abort_tells_askers_at_once(router: Any, gate: Any, routing: Any) -> None:
    """What was not handled is a dead letter."""
    workers = router(1, routing=routing)
    member = filled(workers, gate, ["a"])
    asked = workers.ask_future("b")
    workers.abort("enough")
    with pytest.raises(ActorDead):
        asked.get(timeout=10)
    gate.open()
    workers.stop(timeout=10)
    assert workers.how_ended is ActorEnd.ABORTED
    assert [letter.message for letter in member.dead_letters] == ["a", "b"]


def test_an_abort_reaches_what_waits_for_the_next_member(router: Any, gate: Any) -> None:
    """It lies in no member's mailbox yet."""
    workers = router(1, routing=ONE)
    member = filled(workers, gate, [])
    member.stop(block=False)
    asked = workers.ask_future("a")
    workers.abort()
    with pytest.raises(ActorDead):
        asked.get(timeout=10)
    assert [letter.message for letter in workers.dead_letters] == ["a"]


def test_a_crash_while_it_stops_loses_nothing(router: Any, gate: Any) -> None:
    """Another member comes for what is left."""
    notes: list[Any] = []
    workers = router(1, notes, supervised=False)
    filled(workers, gate, ["crash", "a"])
    stopping = workers.stop(block=False)
    gate.open()
    assert stopping.get(timeout=10)
    assert notes == ["a"]
    assert workers.how_ended is ActorEnd.STOPPED


@pytest.mark.parametrize("how", ["handled", "crash"])
def test_a_member_that_goes_handles_what_it_accepted(router: Any, gate: Any, how: str) -> None:
    """A resize does not wait for it."""
    notes: list[Any] = []
    workers = router(2, notes, supervised=False)
    goes = workers.members[1]
    goes.tell(gate.hold)
    gate.await_reached()
    goes.tell("crash" if how == "crash" else "a")
    goes.tell("b")
    workers.resize(1)
    assert len(workers.members) == 1
    assert {workers.ask(me, timeout=10) for _ in range(4)} == {workers.members[0]}
    gate.open()
    eventually(lambda: goes.how_ended is not None)
    workers.stop(timeout=10)
    assert notes == (["b"] if how == "crash" else ["a", "b"])


# Around it ------------------------------------------------------------------------------------------------------

COLOUR: ContextVar[str] = ContextVar("colour", default="none")


def test_members_have_the_context_of_who_started_the_router(router: Any) -> None:
    """Also those that come later: nothing of a member's handlers reaches the next."""
    COLOUR.set("green")
    workers = router(1)
    COLOUR.set("blue")
    assert workers.ask(lambda _: COLOUR.get(), timeout=10) == "green"
    workers.ask(lambda _: COLOUR.set("red") and None, timeout=10)
    workers.members[0].stop(timeout=10)
    assert workers.ask(lambda _: COLOUR.get(), timeout=10) == "green"


@pytest.mark.parametrize("first", ["tell", "end"])
@pytest.mark.parametrize("routing", ["round_robin", ONE])
def test_a_tell_and_the_end_of_the_member(router: Any, gates: Any, in_thread: Any, first: str, routing: Any) -> None:
    """Whoever is first: it is handled, once."""
    notes: list[Any] = []
    workers = router(1, notes, routing=routing)
    member = workers.members[0]
    at_offer, box = gates(), member.actor_inbox
    offer = type(box).offer

    def offer_late(self: Any, item: Any) -> Any:
        if self is box and first == "end":
            at_offer.arrive()
        taken = offer(self, item)
        if self is box and first == "tell":
            at_offer.arrive()
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(box), "offer", offer_late)
        telling = in_thread(workers.tell, "a")
        at_offer.await_reached()
        member.stop(block=False)
    at_offer.open()
    telling.result(10)
    assert workers.ask("b", timeout=10) == "b"
    assert notes == ["a", "b"]
    eventually(lambda: workers.members[0] is not member)


@pytest.mark.process
def test_a_forked_child_is_refused(router: Any) -> None:
    """Its threads are the parent's."""
    workers = router(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for call in (
            lambda: workers.tell(1),
            lambda: workers.ask(1),
            lambda: workers.ask_future(1).get(timeout=1),
            lambda: workers.resize(2),
            lambda: workers.stop(),
            lambda: workers.abort(),
            lambda: workers.watch(print),
            lambda: workers.is_alive(),
        ):
            try:
                call()
            except BaseException as error:
                said.append(type(error).__name__)
        os.write(write, " ".join(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1000).decode().split() == ["ForkedPoolError"] * 8
    os.close(read)
    os.close(write)
    assert workers.ask(1, timeout=10) == 1


class Nested(Actor):
    """Starts a router in a handler."""

    def on_receive(self, message: Any) -> Any:
        return start_router(Worker, 2)


def test_a_router_started_in_a_handler_outlives_the_actor() -> None:
    """It has no parent."""
    ref = Nested.start()
    workers = ref.ask("now", timeout=10)
    ref.stop(timeout=10)
    assert workers.ask(1, timeout=10) == 1
    assert workers.stop(timeout=10)
