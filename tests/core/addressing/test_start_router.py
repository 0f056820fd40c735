"""Routers: one address for several actors (design.md section 5, Routers)."""

from __future__ import annotations

import gc
import threading
from typing import Any, ClassVar

import pytest

from actors import (
    Actor,
    ActorDead,
    AskTimeout,
    DeadlockError,
    InboxFull,
    by_key,
    start_router,
)

from ...waiting import eventually
from .conftest import Worker, me

pytestmark = pytest.mark.usefixtures("each_dispatcher")


def held(router: Any, gate: Any, count: int) -> None:
    """Let *count* members stand at the gate."""
    for _ in range(count):
        router.tell(lambda _: gate.arrive())
    for _ in range(count):
        gate.next()


# Who gets it ----------------------------------------------------------------------------------------------------


def test_round_robin_goes_from_one_to_the_next(router: Any) -> None:
    """Each in turn, in the order of the members."""
    workers = router(3)
    assert [workers.ask(me, timeout=10) for _ in range(6)] == [*workers.members, *workers.members]
    assert len(set(workers.members)) == 3


def test_smallest_mailbox_passes_by_who_is_busy(router: Any, gate: Any) -> None:
    """Also one whose mailbox is empty, as it is at a message; then by how many lie there."""
    workers = router(3, routing="smallest_mailbox")
    held(workers, gate, 2)
    free = {workers.ask(me, timeout=10) for _ in range(4)}
    assert len(free) == 1
    workers.members[0].tell(1)
    workers.members[1].tell(1)
    assert {workers.ask(me, timeout=10) for _ in range(4)} == free


def test_random_reaches_all(router: Any) -> None:
    """Sooner or later."""
    workers = router(2, routing="random")
    seen: set[Any] = set()
    while len(seen) < 2:
        seen.add(workers.ask(me, timeout=10))
    assert seen == set(workers.members)


def test_broadcast_tells_all_and_asks_all(router: Any) -> None:
    """The replies stand in the order of the members."""
    notes: list[Any] = []
    workers = router(3, notes, routing="broadcast")
    workers.tell("x")
    assert workers.ask(me, timeout=10) == list(workers.members)
    assert workers.ask_future(me).get(timeout=10) == list(workers.members)
    assert notes == ["x"] * 3


def test_arguments_reach_each_member_and_no_parent_is_there(router: Any) -> None:
    """By position and by name."""
    notes: list[Any] = []
    workers = router(2, notes=notes)
    workers.ask("a", timeout=10)
    workers.ask("b", timeout=10)
    assert notes == ["a", "b"]
    assert str(workers) == "router of Worker"
    assert repr(workers) == "<router of Worker>"
    assert workers.actor_class is Worker


# Asks -----------------------------------------------------------------------------------------------------------


def test_an_ask_that_fails_tells_its_asker(router: Any) -> None:
    """As of any actor; the member lives on."""
    workers = router(1)
    member = workers.members[0]
    with pytest.raises(RuntimeError, match="told to crash"):
        workers.ask("crash", timeout=10)
    with pytest.raises(RuntimeError, match="told to crash"):
        workers.ask_future("crash").get(timeout=10)
    assert workers.members[0] is member
    assert member.is_alive()


def test_an_error_of_one_member_is_the_error_of_a_broadcast(router: Any) -> None:
    """The others have handled it all the same."""
    notes: list[Any] = []
    workers = router(3, notes, routing="broadcast")
    odd = workers.members[1]

    def fail_in_one(actor: Any) -> None:
        actor.notes.append("seen")
        if actor.actor_ref is odd:
            raise KeyError("one")

    with pytest.raises(KeyError, match="one"):
        workers.ask(fail_in_one, timeout=10)
    with pytest.raises(KeyError, match="one"):
        workers.ask_future(fail_in_one).get(timeout=10)
    workers.stop(timeout=10)
    assert notes == ["seen"] * 6


def test_an_ask_has_one_time_for_room_and_reply(router: Any, gate: Any) -> None:
    """No room in time, and no reply in time; whoever has not begun skips it."""
    notes: list[Any] = []
    made: list[Any] = []
    for routing in ("round_robin", "broadcast", by_key(lambda _: 1)):
        workers = router(1, notes, routing=routing)
        made.append(workers)
        held(workers, gate, 1)
        with pytest.raises(AskTimeout):
            workers.ask("late", timeout=0.01)
        workers.tell(1)
        with pytest.raises(AskTimeout, match="room"):
            workers.ask("no room", timeout=0.01)
        with pytest.raises(InboxFull):
            workers.ask_future("no room").get(timeout=10)
    gate.open()
    for one in made:
        one.stop(timeout=10)
    assert "late" not in notes
    assert "no room" not in notes


def test_a_member_may_tell_and_ask_its_own_router(router: Any) -> None:
    """It tells itself, too; an ask goes to another, and one that could only come to itself is refused."""
    notes: list[Any] = []
    workers = router(2, notes)
    workers.ask(lambda _: [workers.tell(n) for n in range(2)], timeout=10)
    assert [workers.ask(lambda _: workers.ask(me), timeout=10) in workers.members for _ in range(2)] == [True, True]
    workers.resize(1)
    with pytest.raises(DeadlockError):
        workers.ask(lambda _: workers.ask(me), timeout=10)
    with pytest.raises(DeadlockError):
        workers.ask(lambda _: workers.ask_future(me).get(timeout=10), timeout=10)
    with pytest.raises(DeadlockError):
        workers.ask(lambda _: workers.stop(), timeout=10)
    workers.stop(timeout=10)
    assert sorted(notes) == [0, 1]


@pytest.mark.parametrize("routing", ["broadcast", by_key(lambda _: "one")])
def test_circles_are_found_through_routers(router: Any, routing: Any) -> None:
    """A member asks an actor that asks the router: nobody waits for ever."""
    workers, other = router(2, routing=routing), router(1)

    def through(_: Any) -> Any:
        return other.ask(lambda _: workers.ask("never"), timeout=10)

    with pytest.raises(DeadlockError):
        workers.ask(through, timeout=10)


# Room -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing", ["round_robin", "random", "smallest_mailbox"])
def test_a_full_member_is_passed_by(router: Any, gate: Any, routing: str) -> None:
    """The next that has room; when none has, the sender is told, and the message is in the error."""
    workers = router(2, routing=routing)
    members = workers.members
    for member in members:
        member.tell(gate.hold)
    for _ in range(2):
        gate.next()
    members[0].tell(1)
    members[0].tell(2)
    workers.tell("a")
    workers.tell("b")
    assert [len(member.actor_inbox) for member in members] == [2, 2]
    with pytest.raises(InboxFull, match="router of Worker") as told:
        workers.tell("c")
    assert told.value.message == "c"


@pytest.mark.parametrize("which", [0, 1])
def test_a_sender_waits_for_room_at_any_member(router: Any, gates: Any, in_thread: Any, which: int) -> None:
    """Whichever makes room first: it is taken once, and stands in no line any more."""
    notes: list[Any] = []
    workers = router(2, notes)
    barriers = [gates(), gates()]
    for member, barrier in zip(workers.members, barriers, strict=True):
        member.tell(barrier.hold)
        barrier.await_reached()
        member.tell("x")
        member.tell("x")
    sending = in_thread(workers.tell, "late", 10)
    asking = in_thread(workers.ask, "asked", 10)
    pairs = [member.actor_inbox for member in workers.members]
    eventually(lambda: all(len(box._putters or ()) == 2 for box in pairs))
    barriers[which].open()
    assert sending.result(10) is None
    assert asking.result(10) == "asked"
    assert [len(box._putters or ()) for box in pairs] == [0, 0]
    barriers[1 - which].open()
    workers.stop(timeout=10)
    assert sorted(notes) == ["asked", "late", "x", "x", "x", "x"]


def test_a_wait_for_room_ends_with_its_time_and_with_the_router(router: Any, gate: Any, in_thread: Any) -> None:
    """A router that stops tells who waits for room that it has."""
    for routing in ("round_robin", by_key(lambda _: 1)):
        workers = router(1, routing=routing)
        held(workers, gate, 1)
        workers.tell(1)
        workers.tell(2)
        with pytest.raises(InboxFull):
            workers.tell("late", timeout=0.01)
        waiting = in_thread(workers.tell, "late", None)
        eventually(lambda box=workers.members[0].actor_inbox: box._putters)
        workers.stop(block=False)
        with pytest.raises(ActorDead):
            waiting.result(10)


def test_new_members_have_room_for_those_who_wait(router: Any, gate: Any, in_thread: Any) -> None:
    """Who waits for room looks again when the members change."""
    workers = router(1)
    held(workers, gate, 1)
    workers.tell(1)
    workers.tell(2)
    waiting = in_thread(workers.ask, me, 10)
    eventually(lambda: workers.members[0].actor_inbox._putters)
    workers.resize(2)
    assert waiting.result(10) is workers.members[1]


def test_a_broadcast_to_full_members_reaches_the_others(router: Any, gate: Any, in_thread: Any) -> None:
    """The sender is told how many missed it; with a time, it waits for them."""
    notes: list[Any] = []
    workers = router(2, notes, routing="broadcast")
    first = workers.members[0]
    first.tell(gate.hold)
    gate.await_reached()
    first.tell(1)
    first.tell(2)
    with pytest.raises(InboxFull, match="1 of 2") as told:
        workers.tell("a")
    assert told.value.message == "a"
    waiting = in_thread(workers.tell, "b", 10)
    eventually(lambda: notes.count("b") == 1)
    gate.open()
    waiting.result(10)
    workers.stop(timeout=10)
    assert (notes.count("a"), notes.count("b")) == (1, 2)


# Many -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routing", ["round_robin", "smallest_mailbox", by_key(lambda n: n % 50)])
def test_a_thousand_senders(router: Any, in_thread: Any, routing: Any) -> None:
    """From many threads at once, while members come and go: each is handled once."""
    notes: list[Any] = []
    workers = router(3, notes, routing=routing)
    ready = threading.Barrier(10)

    def send(first: int) -> None:
        ready.wait(10)
        for n in range(first, first + 100):
            workers.tell(n, timeout=10)

    sending = [in_thread(send, 100 * at) for at in range(10)]
    for count in (5, 2, 4, 1, 3):
        workers.resize(count)
    for one in sending:
        one.result(30)
    workers.stop(timeout=10)
    assert sorted(notes) == list(range(1000))


class _Sender:
    def __init__(self, router: Any, message: Any) -> None:
        self.router, self.message = router, message
        self.circle = self

    def __del__(self) -> None:
        self.router.tell(self.message)


def test_it_may_be_told_from_finalizers(router: Any) -> None:
    """Of the garbage collector, wherever it runs."""
    notes: list[Any] = []
    for routing in ("round_robin", by_key(str)):
        workers = router(2, notes, routing=routing)
        _Sender(workers, "last words")
        gc.collect()
        workers.stop(timeout=10)
    assert notes == ["last words"] * 2


# Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "says"),
    [
        ((Worker, 0), {}, ValueError, "at least 1"),
        ((Worker, -1), {}, ValueError, "at least 1"),
        ((Worker, True), {}, TypeError, "whole number"),
        ((Worker, "3"), {}, TypeError, "whole number"),
        ((Worker, 2), {"routing": "nearest"}, ValueError, "round_robin"),
        ((Worker, 2), {"routing": len}, TypeError, "by_key"),
        ((Worker, 2), {"supervised": 1}, TypeError, "supervised"),
        ((dict, 2), {}, TypeError, "subclass of actors.Actor"),
        ((Worker(), 2), {}, TypeError, "subclass of actors.Actor"),
    ],
)
def test_bad_input_is_refused(args: Any, kwargs: Any, error: Any, says: str) -> None:
    """Before anything is started."""
    with pytest.raises(error, match=says):
        start_router(*args, **kwargs)


def test_a_key_has_to_be_a_function() -> None:
    """Told at once."""
    with pytest.raises(TypeError, match="by_key takes a function"):
        by_key("name")  # type: ignore[arg-type]


def test_bad_sizes_and_watchers_are_refused(router: Any) -> None:
    """The router is as it was."""
    workers = router(2)
    for count, error in ((0, ValueError), (False, TypeError), (1.5, TypeError)):
        with pytest.raises(error):
            workers.resize(count)
    with pytest.raises(TypeError, match="watch takes"):
        workers.watch("fn")
    assert len(workers.members) == 2


class Third(Actor):
    """The third that is made cannot be."""

    made: ClassVar[list[Any]] = []

    def __init__(self) -> None:
        super().__init__()
        self.made.append(self.actor_ref)
        if len(self.made) == 3:
            raise ValueError("the third")


def test_what_was_started_is_stopped_when_one_cannot_be_made(router: Any) -> None:
    """The caller gets the error, of a start and of a resize; nothing is left behind."""
    Third.made = []
    with pytest.raises(ValueError, match="the third"):
        start_router(Third, 5)
    assert [ref.how_ended for ref in Third.made[:2]] == ["stopped", "stopped"]
    Third.made = [None]
    workers = router(1, cls=Third)
    with pytest.raises(ValueError, match="the third"):
        workers.resize(3)
    assert len(workers.members) == 1
    assert workers.members[0].is_alive()
    workers.resize(2)
    assert len(workers.members) == 2
