"""Who comes first between those who wake an actor and the workers that lay it down, leave, or take it: both winners."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, ActorDead, Dispatcher, blocking, supervise

from ..core.troupe import FOR_EVER, Bomb, again
from ..waiting import BOUND, Gate, eventually
from . import points
from .steps import in_order, quick_switches

if TYPE_CHECKING:
    from collections.abc import Callable


class Doing(Actor):
    """A message that can be called is called."""

    inbox_capacity = None

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Bomb):
            return message(self)
        return message() if callable(message) else message


class Small(Doing):
    """With a mailbox that has a lock at every step."""

    inbox_capacity = 2


KINDS = pytest.mark.parametrize("base", [Doing, Small], ids=["without a bound", "bounded"])


def on(dispatcher: Dispatcher, base: type[Doing] = Doing, **hooks: Any) -> type[Doing]:
    """A class of actors on that dispatcher."""
    return type(base.__name__, (base,), {"dispatcher": dispatcher, **hooks})


def has_all_tokens(dispatcher: Dispatcher) -> bool:
    """Is every worker at home, and every token in its place?"""
    stats = dispatcher.stats()
    tokens = len(dispatcher._places), len(dispatcher._room), len(dispatcher._debts)
    return stats.workers == stats.ready == 0 and tokens == (dispatcher.workers, dispatcher.max_blocked, 0)


@KINDS
@pytest.mark.parametrize("winner", ["tell", "park"])
def test_a_tell_against_an_actor_that_is_laid_down(
    winner: str, base: Any, steps: Any, actor: Any, in_thread: Any, make_dispatcher: Any, monkeypatch: Any
) -> None:
    """It has read its last message, and says that it will be woken; meanwhile another one comes. It is handled."""
    race = steps(*in_order(winner, "tell", "park"))
    ref = actor(on(make_dispatcher(1), base))
    ref.ask("warm", timeout=BOUND)
    points.at_attending(monkeypatch, race)
    heard = threading.Event()
    ref.tell(lambda: race.play("park"))
    telling = in_thread(race.part("tell", lambda: points.offering(race, ref, heard.set)))
    telling.result(BOUND)
    assert heard.wait(BOUND)


@pytest.mark.parametrize("winner", ["tell", "leave"])
def test_a_tell_against_the_last_worker_that_leaves(
    winner: str, steps: Any, actor: Any, in_thread: Any, make_dispatcher: Any
) -> None:
    """It has found the line empty, and gives its place back; meanwhile an actor is put in line. Somebody takes it."""
    race = steps(*in_order(winner, "tell", "leave"))
    dispatcher = make_dispatcher(1)
    points.at_places(dispatcher, race)
    points.at_line(dispatcher, race)
    first, second = actor(on(dispatcher)), actor(on(dispatcher))
    heard = threading.Event()
    first.tell(lambda: race.play("leave"))
    telling = in_thread(race.part("tell", second.tell), heard.set)
    telling.result(BOUND)
    assert heard.wait(BOUND)
    eventually(lambda: has_all_tokens(dispatcher))


@KINDS
@pytest.mark.parametrize("end", ["stop", "abort"])
@pytest.mark.parametrize("winner", ["tell", "end"])
def test_a_tell_against_the_end_of_an_idle_actor(
    winner: str, end: str, base: Any, steps: Any, actor: Any, in_thread: Any, make_dispatcher: Any, monkeypatch: Any
) -> None:
    """What came before a stop is handled; after an abort it is a dead letter; who comes later is told."""
    race = steps(*in_order(winner, "tell", "end"))
    ref = actor(on(make_dispatcher(1), base))
    ref.ask("warm", timeout=BOUND)
    points.at_offering_and_closing(monkeypatch, race)
    heard = threading.Event()
    telling = in_thread(race.part("tell", ref.tell), heard.set)
    ending = in_thread(race.part("end", lambda: ref.stop(block=False) if end == "stop" else ref.abort()))
    ending.result(BOUND)
    if winner == "end":
        with pytest.raises(ActorDead):
            telling.result(BOUND)
    else:
        telling.result(BOUND)
    assert ref._cell.ended.get(timeout=BOUND) == ("stopped" if end == "stop" else "aborted")
    is_handled, is_dead = heard.is_set(), bool(list(ref.dead_letters))
    if winner == "tell":
        assert is_handled != is_dead
        assert is_handled or end == "abort"
    else:
        assert (is_handled, is_dead) == (False, False)


@pytest.mark.parametrize("end", ["stop", "abort"])
@pytest.mark.parametrize("winner", ["steal", "end"])
def test_an_end_against_the_worker_that_takes_the_actor(
    winner: str, end: str, steps: Any, actor: Any, in_thread: Any, make_dispatcher: Any, monkeypatch: Any
) -> None:
    """It stands in line with a message. It ends once, and the message is handled, or its asker is told."""
    race = steps(*in_order(winner, "steal", "end"))
    dispatcher = make_dispatcher(1)
    first, ref = actor(on(dispatcher)), actor(on(dispatcher))
    points.at_claims(monkeypatch, race, ref)
    held, ends = Gate(), []
    first.tell(held.hold)
    held.await_reached()
    reply = ref.ask_future("words")
    ref.watch(lambda ended: ends.append(ended.how_ended))
    first.tell(lambda: race.play("steal"))  # the next that it takes from the line is *ref*
    dispatcher._line.rotate(-dispatcher._line.index(ref._cell))
    ending = in_thread(race.part("end", lambda: points.ending(race, ref, end)))
    held.open()
    ending.result(BOUND)
    assert ref._cell.ended.get(timeout=BOUND) == ("stopped" if end == "stop" else "aborted")
    eventually(lambda: ends == [ref.how_ended])
    if end == "stop":
        assert reply.get(timeout=BOUND) == "words"
    else:
        try:
            assert (reply.get(timeout=BOUND), winner) == ("words", "steal")
        except ActorDead:
            pass
    eventually(lambda: has_all_tokens(dispatcher))


@pytest.mark.parametrize("winner", ["one", "other"])
def test_two_workers_that_take_one_actor(
    winner: str, steps: Any, actor: Any, in_thread: Any, make_dispatcher: Any
) -> None:
    """One gets it."""
    race = steps(*in_order(winner, "one", "other"))
    ref = actor(on(make_dispatcher(1)))
    cell = ref._cell

    def claim() -> bool:
        with race.point():
            return bool(cell.claim())

    got = {name: in_thread(race.part(name, claim)) for name in ("one", "other")}
    assert {name: future.result(BOUND) for name, future in got.items()} == {
        winner: True,
        ({"one", "other"} - {winner}).pop(): False,
    }
    cell._leave = True
    assert ref.ask("alive", timeout=BOUND) == "alive"


@pytest.mark.parametrize("winner", ["resume", "leave"])
def test_a_wait_that_is_over_against_the_worker_that_leaves(
    winner: str, steps: Any, actor: Any, make_dispatcher: Any
) -> None:
    """The place of the one is the other's: it finds it, or owes it. At the end every token is in its place."""
    race = steps(*in_order(winner, "resume", "leave"))
    dispatcher = make_dispatcher(1)
    points.at_places(dispatcher, race)
    waiting, working = actor(on(dispatcher)), actor(on(dispatcher))
    answer, work = Gate(), Gate()

    def wait() -> None:
        with blocking():
            answer.hold()
            race.play("resume")

    def end() -> None:
        work.hold()
        race.play("leave")

    waiting.tell(wait)
    answer.await_reached()
    working.tell(end)
    work.await_reached()
    work.open()
    answer.open()
    race.await_passed("leave")
    race.await_passed("resume")
    assert waiting.ask("alive", timeout=BOUND) == working.ask("alive", timeout=BOUND) == "alive"
    eventually(lambda: has_all_tokens(dispatcher))


@pytest.mark.parametrize("end", ["stop", "abort"])
@pytest.mark.parametrize("winner", ["rest", "end"])
def test_the_end_of_a_pause_against_the_worker_that_lays_the_actor_down(
    winner: str, end: str, steps: Any, actor: Any, make_dispatcher: Any, monkeypatch: Any, in_thread: Any
) -> None:
    """It is woken before it lies, or after: it goes on in both cases."""
    race = steps(*in_order(winner, "rest", "end"))
    cls = on(make_dispatcher(1), on_failure=lambda *_: race.play("rest"))
    points.at_laying_down(monkeypatch, race)
    ref = supervise(cls, restart=again(3, backoff=FOR_EVER))
    ref.tell(Bomb())
    ending = in_thread(race.part("end", lambda: points.ending(race, ref, end)))
    ending.result(BOUND)
    assert ref._cell.ended.get(timeout=BOUND) == ("aborted" if end == "abort" else "stopped")


def test_one_handler_at_a_time_whatever_is_in_line(actor: Any, make_dispatcher: Any) -> None:
    """A1: the line is full of an actor's entries, and several workers take them; each message once, in order."""
    dispatcher = make_dispatcher(4, throughput=1)
    refs = [actor(on(dispatcher)) for _ in range(3)]
    inside, overlaps = Counter[int](), []
    heard: dict[int, list[int]] = {number: [] for number in range(3)}

    def handle(number: int, message: int) -> Callable[[], None]:
        def work() -> None:
            inside[number] += 1
            if inside[number] != 1:
                overlaps.append(number)
            heard[number].append(message)
            inside[number] -= 1

        return work

    with quick_switches():
        for message in range(300):
            for number, ref in enumerate(refs):
                ref.tell(handle(number, message))
                dispatcher.ready(ref._cell)
        for ref in refs:
            ref.ask("all", timeout=BOUND)
    assert not overlaps
    assert heard == {number: list(range(300)) for number in range(3)}
    eventually(lambda: has_all_tokens(dispatcher))


def test_no_worker_waits_while_an_actor_stands_in_line(actor: Any, make_dispatcher: Any) -> None:
    """A3: whoever is told by a handler does not wait for the end of that, nor do those behind it in the line."""
    dispatcher = make_dispatcher(4)
    gate = Gate()
    refs = [actor(on(dispatcher)) for _ in range(4)]

    def begin() -> None:
        for ref in refs[1:]:
            ref.tell(gate.arrive)
        gate.arrive()

    refs[0].tell(begin)
    for _ in range(4):
        gate.next()
    assert dispatcher.stats().ready == 0
    gate.open()
    eventually(lambda: has_all_tokens(dispatcher))


def test_who_comes_calls_the_next_one(actor: Any, make_dispatcher: Any) -> None:
    """A3: many came to stand in line while one worker was on its way, and called no other."""
    dispatcher = make_dispatcher(4)
    gate = Gate()
    refs = [actor(on(dispatcher)) for _ in range(4)]
    dispatcher._is_coming = True
    for ref in refs:
        ref.tell(gate.arrive)
    assert (dispatcher.stats().ready, dispatcher.stats().workers) == (4, 0)
    dispatcher._call_one()
    for _ in refs:
        gate.next()
    gate.open()
    eventually(lambda: has_all_tokens(dispatcher))


def test_nobody_is_lost_among_many_that_block(actor: Any, make_dispatcher: Any) -> None:
    """A2 and A3: askers in chains, more of them than workers, with threads that come and go all the time."""
    dispatcher = make_dispatcher(2, throughput=1, linger=0.0)
    refs = [actor(on(dispatcher)) for _ in range(12)]

    def down(number: int) -> Callable[[], int]:
        return lambda: number if number == len(refs) - 1 else refs[number + 1].ask(down(number + 1))

    with quick_switches():
        for turn in range(40):
            futures = [refs[(turn * 5 + start) % 12].ask_future(down((turn * 5 + start) % 12)) for start in (0, 4, 8)]
            assert [future.get(timeout=BOUND) for future in futures] == [11] * 3
    eventually(lambda: has_all_tokens(dispatcher))


def test_when_all_have_ended_no_thread_is_left(make_dispatcher: Any) -> None:
    """A10: but those that idle, and they end soon."""
    dispatcher = make_dispatcher(3, linger=0.02)
    before = set(threading.enumerate())
    gate = Gate()
    refs = [on(dispatcher).start() for _ in range(3)]
    for ref in refs:
        ref.tell(gate.arrive)
    for _ in refs:
        gate.next()
    mine = {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("actors-dispatcher")}
    assert len(mine) == 3
    gate.open()
    for ref in refs:
        ref.stop(timeout=BOUND)
    eventually(lambda: not any(thread.is_alive() for thread in mine))
    assert not dispatcher.cells()
    assert has_all_tokens(dispatcher)
