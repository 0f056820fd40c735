"""Routers by key: one key, one member, in order, whatever becomes of the members (design.md section 5, Routers)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import defaultdict
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from actors import Actor, by_key, start_router
from actors.core.addressing.key_hash import place_of, point_of

from ...waiting import eventually
from .conftest import Worker, me


class Colour(Enum):
    """A key."""

    RED = 1


# Where a key belongs --------------------------------------------------------------------------------------------

KEYS = ("a", "ä\ud800", b"a", 1, -1, 2.5, None, True, ("a", 1), frozenset({"a", "b", "c"}), ("a", (b"b", None)))


@pytest.mark.process
def test_a_key_has_the_same_place_in_every_process() -> None:
    """Python's own hash of a text is another one in each."""
    program = f"from actors.core.addressing.key_hash import point_of; print([point_of(key) for key in {KEYS!r}])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == str([point_of(key) for key in KEYS])


def test_equal_keys_have_one_place() -> None:
    """As in a dict."""
    assert len({point_of(key) for key in (1, 1.0, True, Decimal(1), Fraction(1), 1 + 0j)}) == 1
    assert point_of((1, "a")) == point_of((1.0, "a"))
    assert point_of(frozenset("ab")) == point_of(frozenset("ba"))
    assert point_of("1") != point_of(1) != point_of(b"1")
    assert point_of(Colour.RED) != point_of("RED")
    assert point_of(Colour.RED) == point_of(Colour(1))
    odd = object()
    assert point_of(odd) == point_of(odd)
    with pytest.raises(TypeError, match="unhashable"):
        point_of([])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unhashable"):
        point_of(([],))


@given(st.integers(0, 2**64 - 1), st.integers(1, 200))
def test_one_place_more_moves_only_what_it_gets(point: int, count: int) -> None:
    """Consistent hashing."""
    assert 0 <= place_of(point, count) < count
    assert place_of(point, count + 1) in {place_of(point, count), count}


@pytest.mark.parametrize("keys", [range(4000), [f"user-{n}" for n in range(4000)]])
def test_every_place_has_its_share(keys: Any) -> None:
    """Of numbers in a row, and of texts that are nearly the same."""
    counts: dict[int, int] = defaultdict(int)
    for key in keys:
        counts[place_of(point_of(key), 8)] += 1
    assert len(counts) == 8
    assert all(350 < count < 650 for count in counts.values())


# Routing --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("each_dispatcher")
def test_a_key_goes_to_one_member_and_a_resize_moves_its_share(router: Any) -> None:
    """Those that a new member gets, or that the one that goes had."""

    def owners() -> list[Any]:
        return [workers.ask((key, me), timeout=10) for key in range(200)]

    workers = router(4, cls=Keyed, routing=by_key(key_of))
    before = owners()
    assert owners() == before
    assert set(before) == set(workers.members)
    workers.resize(5)
    after = owners()
    moved = [new for old, new in zip(before, after, strict=True) if old is not new]
    assert set(moved) == {workers.members[4]}
    assert len(moved) < 80
    workers.resize(4)
    assert owners() == before


def test_what_the_function_raises_goes_to_the_sender(router: Any) -> None:
    """And so does a key that cannot be hashed; the router is as it was."""
    workers = router(2, routing=by_key(lambda message: message["key"]))
    for bad, error in (({}, KeyError), ({"key": []}, TypeError)):
        with pytest.raises(error):
            workers.tell(bad)
        with pytest.raises(error):
            workers.ask(bad)
        with pytest.raises(error):
            workers.ask_future(bad).get(timeout=10)
    assert workers.ask({"key": 1}, timeout=10) == {"key": 1}


# Keys that move -------------------------------------------------------------------------------------------------


def key_of(message: Any) -> Any:
    """The key, of a pair."""
    return message[0]


class Keyed(Worker):
    """Takes pairs of a key and something to be done or noted."""

    inbox_capacity = 4

    def on_receive(self, message: Any) -> Any:
        return super().on_receive(message[1])


def moving_key(workers: Any, count: int) -> int:
    """A key that has another member after a resize to *count*, and the first one now."""
    now = len(workers.members)
    return next(
        key
        for key in range(10_000)
        if place_of(point_of(key), now) == 0 and place_of(point_of(key), count) not in {0, now - 1}
    )


def key_at(*places: int) -> int:
    """A key that has these places among 2, 3, ... members."""
    return next(
        key
        for key in range(10_000)
        if all(place_of(point_of(key), count) == place for count, place in enumerate(places, 2))
    )


@pytest.mark.usefixtures("each_dispatcher")
def test_a_key_that_moved_waits_for_what_its_old_member_has(router: Any, gate: Any) -> None:
    """Other keys of the new member do not; nor does a key that did not move."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))
    key = moving_key(workers, 3)
    other = next(n for n in range(10_000) if place_of(point_of(n), 2) == 1 and place_of(point_of(n), 3) == 2)
    workers.tell((key, gate.hold))
    gate.await_reached()
    workers.tell((key, "a"))
    workers.resize(3)
    workers.tell((key, "b"))
    asked = workers.ask_future((key, me))
    assert workers.ask((other, me), timeout=10) is workers.members[2]
    assert not asked.done()
    assert notes == []
    gate.open()
    assert asked.get(timeout=10) is workers.members[2]
    assert notes == ["a", "b"]
    eventually(lambda: workers._members.table.routes.changes == ())
    assert workers.ask((key, me), timeout=10) is workers.members[2]


@pytest.mark.usefixtures("each_dispatcher")
def test_who_goes_waits_for_what_is_held_back_for_one_move_after_the_other(router: Any, gates: Any) -> None:
    """A message may come to wait behind the mark of the end of what was accepted, although it was there before."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))

    def hold(at: int) -> Any:
        gate = gates()
        workers.members[at].tell((0, gate.hold))
        gate.await_reached()
        return gate

    first = hold(0)
    workers.resize(3)
    third = hold(2)
    workers.resize(4)
    one, other = key_at(1, 2, 3), key_at(0, 2, 3, 4)
    workers.tell((one, "one"))  # waits at the fourth for the third
    workers.resize(5)
    fifth = hold(4)
    workers.resize(4)
    workers.tell((other, "other"))  # waits at the fourth for the first, then for the third, then for the fifth
    seat = workers._members.table.routes.seats[3]
    eventually(lambda: seat.held_count == len(seat.held) == 2)
    workers.resize(3)
    asked = workers.ask_future((other, me))
    eventually(lambda: [len(line) for line in seat.held.values()] == [3, 1])  # with the marks of its own ends
    first.open()
    eventually(lambda: len(seat.held) == 1)
    third.open()
    eventually(lambda: notes == ["one"])
    assert not asked.done()
    fifth.open()
    assert asked.get(timeout=10) is workers.members[2]
    assert notes == ["one", "other"]
    assert workers.is_alive()


@pytest.mark.usefixtures("each_dispatcher")
def test_what_is_held_back_has_a_bound(router: Any, gate: Any, in_thread: Any) -> None:
    """That of a mailbox; who waits for room gets it when the old member is done."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))
    key = moving_key(workers, 3)
    workers.tell((key, gate.hold))
    gate.await_reached()
    workers.resize(3)
    sending = in_thread(lambda: [workers.tell((key, n), timeout=10) for n in range(30)])
    seat = workers._members.table.routes.seats[2]
    eventually(lambda: seat.held_count >= 4)
    assert not sending.done()
    gate.open()
    sending.result(10)
    workers.stop(timeout=10)
    assert notes == list(range(30))


@pytest.mark.usefixtures("each_dispatcher")
@pytest.mark.parametrize("how", ["stop", "abort"])
def test_what_is_held_back_outlives_its_member(router: Any, gate: Any, how: str) -> None:
    """The next one on its seat goes on with it."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))
    key = moving_key(workers, 3)
    workers.tell((key, gate.hold))
    gate.await_reached()
    workers.tell((key, "a"))
    workers.resize(3)
    workers.tell((key, "b"))
    seat = workers._members.table.routes.seats[2]
    eventually(lambda: seat.held_count == 1)
    new = workers.members[2]
    getattr(new, how)()
    eventually(lambda: workers.members[2] is not new)
    workers.tell((key, "c"))
    gate.open()
    assert workers.ask((key, "d"), timeout=10) == "d"
    assert notes == ["a", "b", "c", "d"]


@pytest.mark.usefixtures("each_dispatcher")
@pytest.mark.parametrize("end", ["stop", "abort", "resize"])
def test_the_end_comes_while_something_is_held_back(router: Any, gate: Any, end: str) -> None:
    """A stop and a resize handle it in order; an abort tells of it."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))
    key = moving_key(workers, 3)
    workers.tell((key, gate.hold))
    gate.await_reached()
    workers.tell((key, "a"))
    workers.resize(3)
    workers.tell((key, "b"))
    new = workers.members[2]
    seat = workers._members.table.routes.seats[2]
    eventually(lambda: seat.held_count == 1)
    if end == "abort":
        workers.abort()
    elif end == "resize":
        workers.resize(1)
        workers.tell((key, "c"))
    else:
        workers.stop(block=False)
    gate.open()
    workers.stop(timeout=10)
    if end == "abort":
        assert notes == []
        assert [letter.message for letter in workers.dead_letters] == [(key, "b")]
    else:
        assert notes == ["a", "b", *(["c"] if end == "resize" else [])]
        assert new.how_ended == "stopped"


@pytest.mark.usefixtures("each_dispatcher")
@pytest.mark.parametrize("first", ["tell", "resize"])
def test_a_tell_and_a_resize(router: Any, gates: Any, in_thread: Any, first: str) -> None:
    """Whoever is first: a sender that was under way by the old seats is waited for, and its message comes before."""
    notes: list[Any] = []
    workers = router(2, notes, cls=Keyed, routing=by_key(key_of))
    key, at_offer = moving_key(workers, 3), gates()
    box = workers.members[0].actor_inbox
    offer = type(box).offer

    def offer_late(self: Any, item: Any) -> Any:
        if self is box and first == "resize":
            at_offer.arrive()
        taken = offer(self, item)
        if self is box and first == "tell":
            at_offer.arrive()
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(box), "offer", offer_late)
        telling = in_thread(workers.tell, (key, "a"))
        at_offer.await_reached()
        workers.resize(3)
    asked = workers.ask_future((key, "b"))
    assert not asked.done()
    at_offer.open()
    telling.result(10)
    assert asked.get(timeout=10) == "b"
    assert notes == ["a", "b"]


@pytest.mark.usefixtures("each_dispatcher")
def test_who_waits_for_room_as_its_key_moves_comes_before(
    router: Any, gates: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message may be accepted by the old member until it is told to look again; then the end is marked."""
    workers = router(2, cls=Keyed, routing=by_key(key_of))
    key, first, second = moving_key(workers, 3), gates(), gates()
    table = workers._members.table
    old = workers.members[0]
    workers.tell((key, first.hold))
    first.await_reached()
    for n in range(4):
        workers.tell((key, n))
    waiting = in_thread(workers.tell, (key, second.hold), 10)
    eventually(lambda: old.actor_inbox._putters)
    asked: list[Any] = []
    let_go = type(table)._let_go

    def let_go_late(self: Any, routes: Any) -> None:
        self.settle()  # as whoever has just sent something does
        first.open()
        second.await_reached()
        asked.append(workers.ask_future((key, me)))
        let_go(self, routes)

    with monkeypatch.context() as patch:
        patch.setattr(type(table), "_let_go", let_go_late)
        workers.resize(3)
    waiting.result(10)
    assert not any(gate.is_passed for gate in table.routes.changes[-1].gates.values() if gate.source.ref is old)
    assert not asked[0].done()
    second.open()
    assert asked[0].get(timeout=10) is workers.members[2]


@pytest.mark.usefixtures("each_dispatcher")
def test_members_that_ask_each_other_are_not_held_up_by_a_resize(router: Any, gate: Any) -> None:
    """A moved key waits for the member that had it, and for no other: no circle comes of it that was not there."""
    workers = router(2, cls=Keyed, routing=by_key(key_of))
    moved = moving_key(workers, 3)
    other = next(n for n in range(10_000) if place_of(point_of(n), 2) == 1 == place_of(point_of(n), 3))

    def ask_moved(_: Any) -> Any:
        gate.arrive()
        return workers.ask((moved, me))

    asked = workers.ask_future((other, ask_moved))
    gate.await_reached()
    workers.resize(3)
    gate.open()
    assert asked.get(timeout=10) is workers.members[2]


# All of it ------------------------------------------------------------------------------------------------------


class Strict(Actor):
    """Sees to it that messages of a key come one at a time."""

    inbox_capacity = 3

    def __init__(self, seen: dict[Any, list[int]], busy: dict[int, Any], wrong: list[Any]) -> None:
        super().__init__()
        self.seen, self.busy, self.wrong = seen, busy, wrong

    def on_receive(self, message: Any) -> Any:
        key, sender, number = message
        if key == "crash":
            raise RuntimeError("told to crash")
        if self.busy.setdefault(key, self) is not self:
            self.wrong.append(message)
        self.seen[key, sender].append(number)
        if self.busy.pop(key, None) is not self:
            self.wrong.append(message)
        return number


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("resize"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["stop", "abort", "crash"]), st.integers(0, 4)),
    ),
    max_size=8,
)


@pytest.mark.usefixtures("each_dispatcher")
@settings(max_examples=8, deadline=None)
@given(steps=STEPS, is_supervised=st.booleans())
def test_the_order_of_every_key_is_kept(steps: Any, is_supervised: bool) -> None:
    """By any resizes and deaths: each message is handled once, by one member at a time, and in order."""
    seen: dict[Any, list[int]] = defaultdict(list)
    wrong: list[Any] = []
    workers = start_router(Strict, 2, seen, {}, wrong, routing=by_key(key_of), supervised=is_supervised)

    def send(sender: int) -> None:
        for number in range(60):
            if number % 7:
                workers.tell((number % 5, sender, number), timeout=10)
            elif workers.ask((number % 5, sender, number), timeout=10) != number:
                wrong.append(number)

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
    for thread in senders:
        thread.start()
    for what, which in steps:
        member = workers.members[which % len(workers.members)]
        if what == "resize":
            workers.resize(which)
        elif what == "stop":
            member.stop(block=False)
        elif what == "abort":
            member.abort()
        elif not is_supervised:
            workers.tell(("crash", 0, which), timeout=10)
    for thread in senders:
        thread.join(30)
    assert workers.stop(timeout=10)
    assert wrong == []
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == 180
    assert workers.dead_letters.total == 0
