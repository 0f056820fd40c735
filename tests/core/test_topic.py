"""Topics: who is told what, who leaves, and who keeps whom alive; on both dispatchers."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from actors import ActorEnd, DeadLetters, ForkedPoolError, InboxFull, Topic, start_router
from actors.core.process import fork

from ..waiting import Gate, eventually
from .troupe import BOTH, Bomb, Player, again

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef


class Small(Player):
    """One with room for two."""

    inbox_capacity = 2


@pytest.fixture(params=BOTH.values(), ids=BOTH, autouse=True)
def _dispatcher(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Player, "dispatcher", request.param)


def heard(ref: ActorRef[Any]) -> list[Any]:
    """What it has handled so far, in order."""
    words: list[Any] = ref.ask(lambda actor: [word for _, word in actor.diary if not callable(word)], timeout=10)
    return words[2:]  # after "init" and "start"


# Who is told ------------------------------------------------------------------------------------------------------


def test_all_who_have_subscribed_are_told(started: Callable[..., ActorRef[Any]]) -> None:
    """In order; how many took it is answered. Who did not subscribe hears nothing."""
    topic: Topic[int] = Topic("numbers")
    one, two, other = started(), started(), started()
    topic.subscribe(one)
    assert topic.publish(1) == 1
    topic.subscribe(two)
    assert [topic.publish(2), topic.publish(3)] == [2, 2]
    assert (heard(one), heard(two), heard(other)) == ([1, 2, 3], [2, 3], [])
    assert (topic.name, len(topic), topic.subscribers) == ("numbers", 2, [one, two])
    assert repr(topic) == "<Topic 'numbers'>"


def test_nobody_has_subscribed() -> None:
    """Nobody took it; it is a topic all the same."""
    topic: Topic[str] = Topic()
    assert topic.publish("anything") == 0
    assert (topic.name, len(topic), topic.subscribers, bool(topic)) == ("", 0, [], True)


def test_only_what_is_accepted_is_told(started: Callable[..., ActorRef[Any]]) -> None:
    """What is true counts as yes."""
    topic: Topic[int] = Topic()
    odd, all_ = started(), started()
    topic.subscribe(odd, lambda number: number % 2)
    topic.subscribe(all_, accept=None)
    assert [topic.publish(number) for number in range(4)] == [1, 2, 1, 2]
    assert (heard(odd), heard(all_)) == ([1, 3], [0, 1, 2, 3])


@pytest.mark.parametrize("error", [ValueError, SystemExit, BaseException])
def test_an_accept_that_raises_says_no(
    started: Callable[..., ActorRef[Any]], error: type[BaseException], log_lines: list[str]
) -> None:
    """It is logged; the others are told, and the publisher is not harmed."""
    topic: Topic[int] = Topic()
    bad, good = started(), started()
    topic.subscribe(bad, Bomb(error=error))
    topic.subscribe(good)
    assert [topic.publish(1), topic.publish(2)] == [1, 1]
    assert (heard(bad), heard(good)) == ([], [1, 2])
    assert sum("accept of a subscriber to a topic failed" in line for line in log_lines) == 1


def test_a_ctrl_c_in_accept_is_not_swallowed(started: Callable[..., ActorRef[Any]]) -> None:
    """It is for the program."""
    topic: Topic[int] = Topic()
    topic.subscribe(started(), Bomb(error=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        topic.publish(1)


def test_each_publisher_is_heard_in_its_order(started: Callable[..., ActorRef[Any]]) -> None:
    """Two threads and an actor at once: nothing is lost, and each one's messages stay in order."""
    topic: Topic[tuple[str, int]] = Topic()
    listeners = [started(), started()]
    for ref in listeners:
        topic.subscribe(ref)

    def publish(name: str) -> None:
        for number in range(100):
            assert topic.publish((name, number)) == 2

    threads = [threading.Thread(target=publish, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    started().ask(lambda _: publish("actor"), timeout=10)
    for thread in threads:
        thread.join(10)
    for ref in listeners:
        words = heard(ref)
        assert len(words) == 300
        for name in ("a", "b", "actor"):
            assert [number for who, number in words if who == name] == list(range(100))


def test_an_actor_may_publish_to_itself(started: Callable[..., ActorRef[Any]]) -> None:
    """It gets it after the message that it handles."""
    topic: Topic[str] = Topic()
    ref = started()
    topic.subscribe(ref)
    assert ref.ask(lambda _: topic.publish("to all"), timeout=10) == 1
    assert heard(ref) == ["to all"]


# Subscriptions ----------------------------------------------------------------------------------------------------


def test_unsubscribing(started: Callable[..., ActorRef[Any]]) -> None:
    """From then on it is not told; once more does nothing."""
    topic: Topic[int] = Topic()
    ref = started()
    leave = topic.subscribe(ref)
    topic.publish(1)
    leave()
    leave()
    assert topic.publish(2) == 0
    assert (heard(ref), len(topic)) == ([1], 0)


@pytest.mark.parametrize("which", [0, 1])
def test_who_subscribes_twice_is_told_once(started: Callable[..., ActorRef[Any]], which: int) -> None:
    """What the later call accepts holds; either function ends it."""
    topic: Topic[int] = Topic()
    ref = started()
    ways = [topic.subscribe(ref), topic.subscribe(ref, lambda number: number > 1)]
    assert [topic.publish(1), topic.publish(2), len(topic)] == [0, 1, 1]
    ways[which]()
    assert [topic.publish(3), len(topic)] == [0, 0]
    assert heard(ref) == [2]


def test_an_old_function_does_not_end_a_new_subscription(started: Callable[..., ActorRef[Any]]) -> None:
    """One that has ended its own ends nothing any more."""
    topic: Topic[int] = Topic()
    ref = started()
    leave = topic.subscribe(ref)
    leave()
    topic.subscribe(ref)
    leave()
    assert topic.publish(1) == 1


def test_subscribing_while_somebody_publishes(started: Callable[..., ActorRef[Any]]) -> None:
    """An accept that subscribes another, and ends its own subscription: those of the beginning are told."""
    topic: Topic[int] = Topic()
    first, second, late = started(), started(), started()

    def change(_: int) -> bool:
        topic.subscribe(late)
        leave()
        return True

    leave = topic.subscribe(first, change)
    topic.subscribe(second)
    assert topic.publish(1) == 2
    assert topic.subscribers == [second, late]
    assert topic.publish(2) == 2
    assert (heard(first), heard(second), heard(late)) == ([1], [1, 2], [2])


def test_many_subscribe_and_leave_while_others_publish(started: Callable[..., ActorRef[Any]]) -> None:
    """In the end nobody is there, and nobody is watched any more."""
    topic: Topic[int] = Topic()
    refs = [started(Player, [], inbox_capacity=None) for _ in range(4)]
    interval = sys.getswitchinterval()
    stop = threading.Event()

    def come_and_go(ref: ActorRef[Any]) -> None:
        for _ in range(100):
            topic.subscribe(ref)()

    def publish() -> None:
        while not stop.is_set():
            topic.publish(1)

    sys.setswitchinterval(1e-5)
    try:
        publisher = threading.Thread(target=publish)
        publisher.start()
        threads = [threading.Thread(target=come_and_go, args=(ref,)) for ref in refs * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        stop.set()
        publisher.join(10)
    finally:
        sys.setswitchinterval(interval)
    assert (len(topic), topic.publish(2)) == (0, 0)
    assert [ref._cell.gone._callbacks for ref in refs] == [None] * 4


# Ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_who_ends_leaves(started: Callable[..., ActorRef[Any]], how: str) -> None:
    """By itself, and before who waits for the end is told."""
    topic: Topic[Any] = Topic()
    ref, other = started(), started()
    topic.subscribe(ref)
    topic.subscribe(other)
    ref.abort() if how == "abort" else ref.tell(Bomb()) if how == "crash" else ref.stop()
    assert ref._cell.ended.get(timeout=10) == ActorEnd({"stop": "stopped", "crash": "crashed"}.get(how, "aborted"))
    assert topic.subscribers == [other]
    assert topic.publish(1) == 1


def test_who_has_ended_is_not_entered(started: Callable[..., ActorRef[Any]]) -> None:
    """Nothing stays, nothing is raised, and the function that is returned does nothing."""
    topic: Topic[int] = Topic()
    ref = started()
    ref.stop()
    leave = topic.subscribe(ref)
    assert (len(topic), topic.publish(1)) == (0, 0)
    leave()


def test_a_restart_stays(supervised: Callable[..., ActorRef[Any]]) -> None:
    """It is no end: what is published while it is made anew is handled by the next one."""
    topic: Topic[Any] = Topic()
    ref = supervised(restart=again(1))
    topic.subscribe(ref)
    assert topic.publish(Bomb()) == topic.publish("next") == 1
    assert ref.ask(lambda actor: (actor.life, actor.diary[-2][1]), timeout=10) == (2, "next")
    assert topic.subscribers == [ref]


def test_one_that_was_told_to_stop_takes_nothing(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """It is still there, and drains; that is no dead letter, as it was never accepted."""
    topic: Topic[int] = Topic()
    ref = started()
    topic.subscribe(ref)
    ref.tell(gate.hold)
    gate.await_reached()
    topic.publish(1)
    ref.stop(block=False)
    assert (topic.publish(2), len(topic), ref.dead_letters.total) == (0, 1, 0)
    gate.open()
    assert ref._cell.ended.get(timeout=10) == ActorEnd.STOPPED
    assert len(topic) == 0


@pytest.mark.parametrize("winner", ["publish", "end"])
def test_a_publish_against_the_end(started: Callable[..., ActorRef[Any]], winner: str) -> None:
    """Before it, the message is handled; after it, nobody took it. The order is forced inside the publish."""
    topic: Topic[Any] = Topic()
    first, second = started(), started()
    if winner == "end":
        topic.subscribe(first, lambda _: second.stop())  # once the publish has begun
    topic.subscribe(second)
    diary: list[Any] = second.ask(lambda actor: actor.diary, timeout=10)
    assert topic.publish("news") == 1
    if winner == "publish":
        second.stop()
    assert ("news" in [word for _, word in diary]) == (winner == "publish")
    assert second not in topic.subscribers
    assert second.dead_letters.total == 0


@pytest.mark.parametrize("winner", ["subscribe", "end"])
def test_a_subscription_against_the_end(
    started: Callable[..., ActorRef[Any]], gates: Callable[[], Gate], winner: str, monkeypatch: Any
) -> None:
    """The actor ends between its entry and the watch, or after both: it does not stay."""
    topic: Topic[int] = Topic()
    ref = started()
    watch = type(ref).watch

    def slow(self: Any, fn: Any) -> Any:
        if winner == "end":
            self.stop()
        forget = watch(self, fn)
        if winner == "subscribe":
            self.stop()
        return forget

    monkeypatch.setattr(type(ref), "watch", slow)
    topic.subscribe(ref)
    assert len(topic) == 0
    assert ref._cell.gone._callbacks is None


# No room ----------------------------------------------------------------------------------------------------------


def full(started: Callable[..., ActorRef[Any]], gate: Gate, **hooks: Any) -> ActorRef[Any]:
    """One that is at work until the gate is opened, and whose mailbox has no room."""
    ref = started(Small, **hooks)
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell("first")
    ref.tell("second")
    return ref


def test_one_that_is_full_misses_it(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """A dead letter of that actor, at once; the others are told. It is told of it on its own turn."""
    topic: Topic[str] = Topic()
    told: list[Any] = []
    ref = full(started, gate, undelivered=lambda actor, letter: told.append((letter, threading.get_ident())))
    other = started()
    topic.subscribe(ref)
    topic.subscribe(other)
    assert topic.publish("news") == 1
    (letter,) = ref.dead_letters
    assert (letter.message, letter.reason, letter.receiver) == ("news", "topic_full", "actor Small")
    assert told == []
    gate.open()
    eventually(lambda: told)
    ((told_letter, thread),) = told
    assert told_letter is letter
    assert thread != threading.get_ident()
    assert heard(ref) == ["first", "second"]
    assert heard(other) == ["news"]


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_what_it_missed_is_told_at_its_end(started: Callable[..., ActorRef[Any]], gate: Gate, how: str) -> None:
    """Also to one that does not come to it before."""
    topic: Topic[str] = Topic()
    told: list[Any] = []
    ref = full(started, gate, undelivered=lambda _, letter: told.append((letter.message, letter.reason)))
    topic.subscribe(ref)
    topic.publish("news")
    ref.stop(block=False) if how == "stop" else ref.abort()
    gate.open()
    ref._cell.ended.get(timeout=10)
    assert told[0] == ("news", "topic_full")
    assert ref.dead_letters.counts()["topic_full"] == 1  # type: ignore[index]  # as a str


def test_a_storm_over_one_that_is_stuck_does_not_pile_up(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """All are counted; only the latest are kept, and one order waits for the actor."""
    topic: Topic[object] = Topic()
    told: list[Any] = []
    ref = full(started, gate, undelivered=lambda _, letter: told.append(letter.message))
    topic.subscribe(ref)

    class Weighty:
        pass

    first = Weighty()
    gone = weakref.ref(first)
    topic.publish(first)
    del first
    for number in range(1500):
        topic.publish(number)
    assert gone() is None
    assert ref.dead_letters.total == 1501
    assert len(ref._cell.mailbox._system or ()) == 1
    gate.open()
    eventually(lambda: len(told) == 1000)
    assert told == list(range(500, 1500))


# Who keeps whom alive ---------------------------------------------------------------------------------------------


def test_a_topic_keeps_no_ended_actor_alive(started: Callable[..., ActorRef[Any]]) -> None:
    """Neither the actor nor its reference."""
    topic: Topic[int] = Topic()
    ref = Player.start([])
    gone = weakref.ref(ref)
    leave = topic.subscribe(ref)
    ref.stop()
    del ref, leave
    gc.collect()
    eventually(lambda: gc.collect() is not None and gone() is None)


def test_a_topic_that_is_dropped_is_not_kept(started: Callable[..., ActorRef[Any]]) -> None:
    """Its subscribers live on, and watch nothing for it any more; what ended the subscription does nothing."""
    ref = started()
    watchers = []
    ref.watch(watchers.append)
    before = list(ref._cell.gone._callbacks)
    topic: Topic[int] = Topic()
    gone = weakref.ref(topic)
    leave = topic.subscribe(ref)
    assert len(ref._cell.gone._callbacks) == len(before) + 1
    del topic
    assert gone() is None
    assert ref._cell.gone._callbacks == before
    leave()
    ref.stop()
    assert watchers == [ref]


def test_a_finalizer_may_use_a_topic(started: Callable[..., ActorRef[Any]], gate: Gate) -> None:
    """Also in a thread that is just adding a dead letter, or a watcher, of the actor in question."""
    topic: Topic[str] = Topic()
    ref = full(started, gate)
    topic.subscribe(ref)

    class Last:
        def __del__(self) -> None:
            topic.publish("from a finalizer")
            topic.subscribe(ref)
            Topic[str]().subscribe(ref)

    for lock in (ref.dead_letters._lock, ref._cell.gone._lock, topic._roll._lock, ref._cell.mailbox._lock):
        with lock:
            Last()
    assert [letter.message for letter in ref.dead_letters] == ["from a finalizer"] * 4
    gate.open()


# Bad input, other processes ---------------------------------------------------------------------------------------


class Told:
    """Somebody who is no actor, with a ``tell`` and a ``watch`` of its own."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.words: list[Any] = []

    def tell(self, message: Any) -> None:
        if self.error is not None:
            raise self.error
        self.words.append(message)

    def watch(self, fn: Any) -> Callable[[], None]:
        return lambda: None


def test_others_that_can_be_told_and_watched(log_lines: list[str]) -> None:
    """What one raises is logged, and harms nobody."""
    topic: Topic[int] = Topic()
    bad, good = Told(OSError("no way")), Told()
    topic.subscribe(bad)
    topic.subscribe(good)
    assert (topic.publish(1), good.words) == (1, [1])
    assert any("could not be told" in line and "no way" in line for line in log_lines)


def test_others_that_are_full(log_lines: list[str]) -> None:
    """One with dead letters of its own has one more; of another one it is logged."""
    topic: Topic[int] = Topic()
    with_letters, without = Told(InboxFull("no room", 1)), Told(InboxFull("no room", 1))
    with_letters.dead_letters = letters = DeadLetters()  # type: ignore[attr-defined]
    topic.subscribe(with_letters)
    topic.subscribe(without)
    assert topic.publish(1) == 0
    assert [(letter.message, letter.reason) for letter in letters] == [(1, "topic_full")]
    assert sum("a subscriber to a topic had no room" in line for line in log_lines) == 1


def test_a_router_may_listen(gates: Callable[[], Gate]) -> None:
    """One of its members is told; when none has room, the router has a dead letter; it leaves when it ends."""
    topic: Topic[Any] = Topic()
    gate = gates()
    router = start_router(Small, 2, [], routing="round_robin")
    try:
        topic.subscribe(router)
        assert [topic.publish(lambda _: gate.arrive()) for _ in range(2)] == [1, 1]
        gate.next(), gate.next()
        assert [topic.publish(number) for number in range(5)] == [1, 1, 1, 1, 0]
        assert [(letter.message, letter.reason) for letter in router.dead_letters] == [(4, "topic_full")]
    finally:
        gate.open()
        router.stop()
    assert (len(topic), topic.publish("late")) == (0, 0)


@pytest.mark.parametrize("wrong", [None, "ref", Player, object(), 3])
def test_only_references_subscribe(wrong: Any) -> None:
    """A message that says what is wanted."""
    with pytest.raises(TypeError, match=r"as start\(\) returns it"):
        Topic().subscribe(wrong)


def test_other_bad_input(started: Callable[..., ActorRef[Any]]) -> None:
    """Nothing stays of it."""
    topic: Topic[int] = Topic()
    with pytest.raises(TypeError, match="accept must be a function"):
        topic.subscribe(started(), "yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a str"):
        Topic(3)  # type: ignore[arg-type]
    assert len(topic) == 0


def test_a_watch_that_fails_leaves_nothing() -> None:
    """The error is the caller's."""

    class Broken(Told):
        def watch(self, fn: Any) -> Callable[[], None]:
            raise OSError("no watch")

    topic: Topic[int] = Topic()
    with pytest.raises(OSError, match="no watch"):
        topic.subscribe(Broken())
    assert len(topic) == 0


def test_in_a_forked_child_it_is_refused(started: Callable[..., ActorRef[Any]], monkeypatch: Any) -> None:
    """Whoever subscribed lives in the parent; dropping it there touches nothing."""
    topic: Topic[int] = Topic()
    dropped: Topic[int] = Topic()
    ref = started()
    leave = topic.subscribe(ref)
    dropped.subscribe(ref)
    with monkeypatch.context() as child:
        child.setattr(fork._mark, "generation", fork.generation() + 1)
        for use in (lambda: topic.publish(1), lambda: topic.subscribe(ref), leave, lambda: len(topic)):
            with pytest.raises(ForkedPoolError):
                use()
        del dropped
    assert len(ref._cell.gone._callbacks) == 2
    assert topic.publish(1) == 1
