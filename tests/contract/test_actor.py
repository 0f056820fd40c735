"""actors.Actor: long-lived, as Pykka documents it, without its hazards."""

from __future__ import annotations

import threading
import time

import pykka
import pytest

import actors
from actors.errors import ActorDead, ActorsError, AskTimeout, DeadlockError, InboxFull, SendError

from ..waiting import Gate, eventually, until_parked
from .doubles import WAIT, Background, doing, echo

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Recorder(actors.Actor):
    """Notes what happens to it; messages are functions of the actor, or plain values."""

    inbox_capacity = None

    def __init__(self, log=None):
        super().__init__()
        self.log = [] if log is None else log
        self.colour = "red"

    def on_start(self):
        self.log.append("on_start")

    def on_stop(self):
        self.log.append("on_stop")

    def on_failure(self, exception_type, exception_value, traceback):
        self.log.append(("on_failure", exception_type.__name__))

    def on_receive(self, message):
        if callable(message):
            return message(self)
        self.log.append(message)
        return ("got", message)

    def add(self, left, right=0):
        return left + right


class Small(Recorder):
    inbox_capacity = 2


@pytest.fixture
def start(no_leaks):
    """Start actors; end them after the test."""
    refs = []

    def make(cls=Recorder, *args, **kwargs):
        ref = cls.start(*args, **kwargs)
        refs.append(ref)
        return ref

    yield make
    for ref in refs:
        ref.abort()
    for ref in refs:
        eventually(lambda ref=ref: not ref.is_alive())


def test_it_is_a_pykka_actor(start) -> None:
    """A subclass of pykka.ThreadingActor; 32 places by default."""
    assert issubclass(actors.Actor, pykka.ThreadingActor)
    assert actors.Actor.inbox_capacity == 32
    ref = start()
    assert isinstance(ref, pykka.ActorRef)
    assert ref.is_alive()


def test_start_hands_over_its_arguments_and_runs_on_start(start) -> None:
    """start(*args, **kwargs) builds the actor; on_start runs before the first message."""
    log = []
    ref = start(Recorder, log=log)
    assert ref.ask("hello", timeout=WAIT) == ("got", "hello")
    assert log == ["on_start", "hello"]


def test_tell_returns_nothing_and_keeps_the_order(start) -> None:
    """First in, first out; one at a time."""
    log = []
    ref = start(Recorder, log)
    for number in range(100):
        assert ref.tell(number) is None
    assert ref.ask("last", timeout=WAIT) == ("got", "last")
    assert log == ["on_start", *range(100), "last"]


def test_one_handler_at_a_time(start) -> None:
    """I5, with senders in several threads."""
    inside = []
    overlaps = []

    def handle(actor):
        inside.append(1)
        if len(inside) > 1:
            overlaps.append(1)
        threading.Event().wait(0.0005)
        inside.pop()

    ref = start()
    senders = [Background(lambda: [ref.ask(handle, timeout=WAIT) for _ in range(20)]) for _ in range(4)]
    for sender in senders:
        sender.result()
    assert overlaps == []


def test_stop_handles_what_was_accepted_before(start) -> None:
    """stop() ends after it; on_stop runs; the actor is dead when stop returns."""
    log = []
    ref = start(Recorder, log)
    gate = Gate()
    ref.tell(lambda actor: gate.arrive())
    for number in range(5):
        ref.tell(number)
    gate.next()
    stopping = Background(ref.stop)
    eventually(stopping.blocked)
    gate.open()
    stopping.result()
    assert not ref.is_alive()
    assert log == ["on_start", 0, 1, 2, 3, 4, "on_stop"]


def test_stop_never_waits_for_room(start) -> None:
    """A full mailbox does not hold a stop back."""
    gate = Gate()
    ref = start(Small)
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell(1), ref.tell(2)
    begin = time.monotonic()
    ref.stop(block=False)
    assert time.monotonic() - begin < 2
    gate.open()
    eventually(lambda: not ref.is_alive())


def test_stop_twice_and_stop_of_a_dead_one(start) -> None:
    """No error."""
    ref = start()
    ref.stop()
    ref.stop()
    ref.abort()
    assert not ref.is_alive()


def test_an_actor_may_stop_itself(start) -> None:
    """self.stop() as Pykka documents it."""
    log = []
    ref = start(Recorder, log)
    ref.tell(lambda actor: actor.stop())
    eventually(lambda: not ref.is_alive())
    eventually(lambda: "on_stop" in log)


def test_abort_drops_what_waits(start) -> None:
    """abort() does not handle the rest; asks among it settle with ActorDead."""
    log = []
    ref = start(Recorder, log)
    gate = Gate()
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell("never")
    future = ref.ask_future("never asked")
    ref.abort()
    gate.open()
    with pytest.raises(ActorDead):
        future.result(timeout=WAIT)
    eventually(lambda: not ref.is_alive())
    assert "never" not in log


def test_ask_raises_what_the_handler_raised(start) -> None:
    """Same class, a fresh object, from the original; the actor lives on."""
    ref = start()
    original = LookupError("nothing there")

    def fail(actor):
        raise original

    raised = []
    for _ in range(2):
        with pytest.raises(LookupError, match="nothing there") as caught:
            ref.ask(fail, timeout=WAIT)
        assert type(caught.value) is LookupError
        assert caught.value.__cause__ is original
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert ref.is_alive()
    assert ref.ask("still here", timeout=WAIT) == ("got", "still here")


def test_failing_tell_ends_the_actor(start) -> None:
    """Without a supervisor that restarts it; on_failure is called; waiting asks get ActorDead."""
    log = []
    ref = start(Recorder, log)
    gate = Gate()
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell(lambda actor: 1 / 0)
    future = ref.ask_future("too late")
    gate.open()
    with pytest.raises(ActorDead):
        future.result(timeout=WAIT)
    eventually(lambda: not ref.is_alive())
    eventually(lambda: ("on_failure", "ZeroDivisionError") in log)


def test_ask_of_a_dead_actor_settles_with_actor_dead(start) -> None:
    """It never raises at send: the future carries it."""
    ref = start()
    ref.stop()
    future = ref.ask_future("anyone?")
    with pytest.raises(ActorDead):
        future.result(timeout=WAIT)
    with pytest.raises(ActorDead):
        ref.ask("anyone?", timeout=WAIT)
    assert issubclass(ActorDead, SendError)


def test_tell_to_a_dead_actor_is_an_error(start) -> None:
    """It is not lost in silence."""
    ref = start()
    ref.stop()
    with pytest.raises((SendError, pykka.ActorDeadError)):
        ref.tell("anyone?")


def test_ask_times_out(start, gate) -> None:
    """AskTimeout, also a TimeoutError; the handler may still run; the next ask is not mixed up with its reply."""
    ref = start()
    begin = time.monotonic()
    with pytest.raises(AskTimeout) as caught:
        ref.ask(lambda actor: gate.arrive() or "late", timeout=0.1)
    assert 0.09 <= time.monotonic() - begin < 3
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, ActorsError)
    gate.open()
    assert ref.ask("next", timeout=WAIT) == ("got", "next")


def test_ask_deadline_counts_the_wait_for_room(start, gate) -> None:
    """One deadline for the place in the mailbox and the reply."""
    ref = start(Small)
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell(1), ref.tell(2)
    begin = time.monotonic()
    with pytest.raises((AskTimeout, InboxFull)):
        ref.ask("no room", timeout=0.15)
    assert time.monotonic() - begin < 3
    gate.open()


def test_ask_future_gives_the_reply(start) -> None:
    """.result(timeout), again and again."""
    ref = start()
    future = ref.ask_future("x")
    assert future.result(timeout=WAIT) == ("got", "x")
    assert future.result(timeout=0) == ("got", "x")


def test_ask_future_that_is_not_there_yet(start, gate) -> None:
    """TimeoutError, then the reply."""
    ref = start()
    future = ref.ask_future(lambda actor: gate.arrive() or "reply")
    with pytest.raises(TimeoutError):
        future.result(timeout=0.05)
    gate.open()
    assert future.result(timeout=WAIT) == "reply"


def test_full_mailbox(start, gate) -> None:
    """InboxFull at once, or after the timeout, with the message."""
    ref = start(Small)
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell(1), ref.tell(2)
    for timeout in (0, 0.1):
        begin = time.monotonic()
        with pytest.raises(InboxFull) as caught:
            ref.tell("one too many", timeout=timeout)
        assert timeout * 0.9 <= time.monotonic() - begin < timeout + 2
        assert caught.value.message == "one too many"
    waiting = Background(lambda: ref.tell("in time", timeout=WAIT))
    eventually(waiting.blocked)
    gate.open()
    waiting.result()
    assert ref.ask("end", timeout=WAIT) == ("got", "end")


def test_blocked_teller_is_woken_by_the_end(start, gate) -> None:
    """A sender that waits for room in a mailbox that closes gets an error soon."""
    ref = start(Small)
    ref.tell(lambda actor: gate.arrive())
    gate.next()
    ref.tell(1), ref.tell(2)
    waiting = Background(lambda: ref.tell(3, timeout=WAIT))
    eventually(waiting.blocked)
    ref.abort()
    gate.open()
    with pytest.raises(SendError):
        waiting.result()
    assert waiting.seconds < 5


def test_proxy(start) -> None:
    """Methods, attributes, assignment: Pykka's proxies."""
    proxy = start().proxy()
    assert proxy.add(1, right=2).get(timeout=WAIT) == 3
    assert proxy.colour.get(timeout=WAIT) == "red"
    proxy.colour = "blue"
    assert proxy.colour.get(timeout=WAIT) == "blue"
    with pytest.raises(TypeError):
        proxy.add("a").get(timeout=WAIT)
    proxy.stop()


def test_ask_of_oneself_is_a_deadlock(start) -> None:
    """DeadlockError at once, with the path."""
    ref = start()
    begin = time.monotonic()
    with pytest.raises(DeadlockError):
        ref.ask(lambda actor: actor.actor_ref.ask("me", timeout=WAIT), timeout=WAIT)
    assert time.monotonic() - begin < 3
    assert ref.is_alive()


def test_ask_round_a_circle_is_a_deadlock(start) -> None:
    """A asks B, B asks A."""
    first, second = start(), start()
    begin = time.monotonic()
    with pytest.raises(DeadlockError) as caught:
        first.ask(lambda actor: second.ask(lambda other: first.ask("round", timeout=WAIT), timeout=WAIT), timeout=WAIT)
    assert time.monotonic() - begin < 3
    assert len(caught.value.path) >= 2
    assert first.ask("alive", timeout=WAIT) == ("got", "alive")


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("how", ["tell", "ask", "on_start", "on_stop"])
def test_nobody_else_is_harmed(start, error, how) -> None:
    """Whatever one actor raises, another library's actor and our other ones live on; the asker is answered."""

    class Foreign(pykka.ThreadingActor):
        def on_receive(self, message):
            return "foreign"

    class Bad(Recorder):
        def on_start(self):
            if how == "on_start":
                raise error

        def on_stop(self):
            if how == "on_stop":
                raise error

    def fail(actor):
        raise error

    foreign, ours = Foreign.start(), start()
    try:
        bad = start(Bad)
        if how == "tell":
            bad.tell(fail)
        elif how == "ask":
            with pytest.raises(BaseException):
                bad.ask_future(fail).result(timeout=WAIT)
        elif how == "on_start":
            with pytest.raises(ActorDead):
                bad.ask("x", timeout=WAIT)
        else:
            bad.stop()
        if how != "ask":
            eventually(lambda: not bad.is_alive())
        assert foreign.ask("x", timeout=WAIT) == "foreign"
        assert ours.ask("x", timeout=WAIT) == ("got", "x")
    finally:
        foreign.stop()


def test_foreign_stop_all_does_not_reach_ours(start, gate) -> None:
    """Another library's ActorRegistry.stop_all() leaves our actors and agents alone."""
    from actors import AgentPool

    ref = start()
    with AgentPool() as pool:
        handle = pool.spawn(doing(lambda agent, _: gate.arrive() or "fine"))
        gate.next()
        pykka.ActorRegistry.stop_all(block=False)
        gate.open()
        assert handle.result(timeout=WAIT) == "fine"
        assert pool.spawn(echo()).result(timeout=WAIT) == "q"
    assert ref.is_alive()
    assert ref.ask("x", timeout=WAIT) == ("got", "x")


def test_many_asks_racing_a_stop_all_settle(start) -> None:
    """I2: every ask settles, with a reply or with ActorDead."""
    for _ in range(20):
        ref = start()
        barrier = threading.Barrier(3)

        def ask_many(ref=ref, barrier=barrier):
            barrier.wait(WAIT)
            return [ref.ask_future(number) for number in range(50)]

        askers = [Background(ask_many) for _ in range(2)]
        barrier.wait(WAIT)
        ref.stop()
        for asker in askers:
            for number, future in enumerate(asker.result()):
                try:
                    assert future.result(timeout=WAIT) == ("got", number)
                except ActorDead:
                    pass


def test_agent_may_ask_an_actor_without_its_slot(start, gate) -> None:
    """An ask parks."""
    from actors import AgentPool

    ref = start()
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(doing(lambda agent, _: ref.ask(lambda actor: gate.arrive() or "reply", timeout=WAIT)))
        gate.next()
        until_parked(pool, handle)
        assert pool.spawn(echo(), timeout=WAIT).result(timeout=WAIT) == "q"
        gate.open()
        assert handle.result(timeout=WAIT) == "reply"
