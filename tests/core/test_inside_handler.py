"""What a handler may do with its message beside replying: stash, become, defer, pipe. On both dispatchers."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors import Actor, ActorRef, Agent, AgentManifest, RestartPolicy, SpawnConfig, supervise
from actors.actors import DeferredReply, Dispatcher, Piped, ReplyFuture
from actors.core.process import fork
from actors.errors import ActorDead, ActorsError, AskTimeout, DeadlockError, ForkedPoolError, StashFull
from actors.messages import DeadLetterReason

from ..waiting import Gate, eventually


class Upper(Agent[str]):
    """Answers in capitals."""

    def run(self, query: str) -> str:
        return "".join(letter.upper() for letter in query if letter != "?" or boom(self))


class Does(Actor):
    """A message is a function of the actor, which is called; anything else is noted and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.seen.append(message)
        return message


Start = Callable[..., ActorRef[Any]]


@pytest.fixture(params=["pinned", "shared"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts actors on one dispatcher, and aborts them at the end."""
    made: list[ActorRef[Any]] = []
    dispatcher = Dispatcher(workers=2, linger=0.0) if request.param == "shared" else request.param

    def make(cls: type[Actor] = Does, *, supervised: RestartPolicy | None = None, **attributes: Any) -> ActorRef[Any]:
        cls = type(cls.__name__, (cls,), {"dispatcher": dispatcher, **attributes})
        made.append(cls.start() if supervised is None else supervise(cls, restart=supervised))
        return made[-1]

    yield make
    for ref in made:
        ref.abort()
        assert ref.actor_stopped.wait(10)


def boom(_: Any) -> None:
    raise ValueError("boom")


# Stash ----------------------------------------------------------------------------------------------------------


class Door(Does):
    """Stashes everything while it is closed."""

    is_open = False

    def on_receive(self, message: Any) -> Any:
        if message == "open":
            self.is_open = True
            return self.unstash_all()
        if message == "close":
            self.is_open = False
            return None
        if not self.is_open and not callable(message):
            self.stash()
            return "not this"
        return super().on_receive(message)


def test_stashed_messages_come_back_first_and_in_order(start: Start) -> None:
    """Tells and asks alike; whoever asked waits on."""
    door = start(Door)
    door.tell(1)
    two, three = door.ask_future(2), door.ask_future(3)
    held = Gate()
    door.tell(lambda _: held.hold())
    opened = door.ask_future("open")
    door.tell(4)
    assert not two.done()
    held.open()
    assert (opened.get(timeout=5), two.get(timeout=5), three.get(timeout=5)) == (3, 2, 3)
    assert door.ask(lambda me: me.seen, timeout=5) == [1, 2, 3, 4]


def test_what_is_stashed_again_keeps_its_place(start: Start) -> None:
    """Brought back while others of an earlier time still stand in front: those that were kept last come first."""
    door = start(Door)
    for number in range(4):
        door.tell(number)

    def reopen(me: Any) -> None:
        me.is_open = True
        me.unstash_all()

    class Once:
        """Closes the door and opens it again while the others stand in front."""

        def __call__(self, me: Any) -> None:
            me.seen.append("once")

    door.tell(Once())
    assert door.ask("open", timeout=5) == 4
    assert door.ask(lambda me: me.seen, timeout=5) == ["once", 0, 1, 2, 3]
    door.ask("close", timeout=5)
    door.tell("a")
    door.tell("b")
    assert door.ask(lambda me: (reopen(me), me.unstash_all())[1], timeout=5) == 0
    assert door.ask(lambda me: me.seen[5:], timeout=5) == ["a", "b"]


def test_the_stash_is_bounded(start: Start) -> None:
    """One message more is StashFull, which is the answer of that ask; the others are kept."""
    door = start(Door, stash_capacity=2)
    door.tell(1)
    kept = door.ask_future(2)
    with pytest.raises(StashFull, match="stash_capacity = 2") as full:
        door.ask(3, timeout=5)
    assert full.value.message == 3
    assert door.ask("open", timeout=5) == 2
    assert kept.get(timeout=5) == 2


def test_an_ask_that_was_given_up_needs_no_place_in_the_stash(start: Start) -> None:
    """It is a dead letter when its place is needed, or when it would come back."""
    door = start(Door, stash_capacity=1)
    with pytest.raises(AskTimeout):
        door.ask(1, timeout=0.01)
    kept = door.ask_future(2)
    assert door.ask(lambda me: True, timeout=5)
    assert [letter.reason for letter in door.dead_letters] == [DeadLetterReason.ASK_EXPIRED]
    kept.fail(AskTimeout("given up"))
    assert door.ask("open", timeout=5) == 1
    assert door.ask(lambda me: me.seen, timeout=5) == []
    assert door.dead_letters.counts() == {DeadLetterReason.ASK_EXPIRED: 2}


@pytest.mark.parametrize(("capacity", "error"), [("3", TypeError), (True, TypeError), (-1, ValueError)])
def test_a_capacity_that_makes_no_sense_is_told(start: Start, capacity: Any, error: type[Exception]) -> None:
    """By the first stash."""
    with pytest.raises(error, match="stash_capacity"):
        start(Door, stash_capacity=capacity).ask(1, timeout=5)


def test_a_bounded_mailbox_stays_within_its_bound(start: Start) -> None:
    """I6: what comes back from the stash stands outside the mailbox."""
    door = start(Door, inbox_capacity=2)
    for number in range(10):
        assert door.ask(lambda me: True, timeout=5)
        door.tell(number)
    depths: list[int] = []
    door.ask(
        lambda me: me.become(lambda message: (depths.append(len(me.actor_inbox)), Door.on_receive(me, message))[1])
    )
    assert door.ask("open", timeout=5) == 10
    assert door.ask(lambda me: me.seen, timeout=5) == list(range(10))
    assert len(depths) == 12
    assert max(depths) <= 2


def test_what_is_stashed_at_the_end_is_a_dead_letter(start: Start) -> None:
    """I1, I2: and who asked is told."""
    door = start(Door)
    door.tell(1)
    asked = door.ask_future(2)
    door.stop()
    assert [(letter.message, letter.reason) for letter in door.dead_letters] == [
        (1, DeadLetterReason.RECEIVER_ENDED),
        (2, DeadLetterReason.RECEIVER_ENDED),
    ]
    with pytest.raises(ActorDead):
        asked.get(timeout=5)


def test_an_abort_tells_who_asked_at_once(start: Start, gate: Gate) -> None:
    """Although the actor is still busy: what it has stashed, and what it has brought back."""
    door = start(Door)
    stashed = door.ask_future(1)
    door.tell(lambda _: gate.hold())
    gate.await_reached()
    door.abort()
    with pytest.raises(ActorDead):
        stashed.get(timeout=5)
    gate.open()


def test_an_abort_reaches_what_was_brought_back(start: Start, gate: Gate) -> None:
    """It stands in front of the mailbox, and is told and buried once."""
    door = start(Door)
    asked = door.ask_future(1)
    door.tell(2)

    def hold(me: Any) -> None:
        me.unstash_all()
        gate.hold()

    door.tell(hold)
    gate.await_reached()
    door.abort()
    with pytest.raises(ActorDead):
        asked.get(timeout=5)
    gate.open()
    assert door.actor_stopped.wait(5)
    assert [letter.message for letter in door.dead_letters] == [1, 2]


def test_who_stashes_after_an_abort_keeps_no_asker_waiting(start: Start, gate: Gate) -> None:
    """The other winner: the abort has looked at the stash before."""

    class Late(Actor):
        def on_receive(self, message: Any) -> None:
            if message == "first":
                self.stash()
                return
            gate.hold()
            self.stash()
            gate.note("stashed")
            again.hold()

    again = Gate()
    late = start(Late)
    late.tell("first")
    asked = late.ask_future("second")
    gate.next()
    late.abort()
    gate.open()
    assert gate.next() == "stashed"
    with pytest.raises(ActorDead):
        asked.get(timeout=5)
    again.open()


def test_a_handler_that_raises_has_not_stashed(start: Start) -> None:
    """The asker gets the error, and the message does not come back."""

    class Fails(Does):
        def on_receive(self, message: Any) -> Any:
            if message == "bad":
                self.stash()
                raise ValueError("after all")
            return self.unstash_all() if message == "back" else None

    ref = start(Fails)
    with pytest.raises(ValueError, match="after all"):
        ref.ask("bad", timeout=5)
    assert ref.ask("back", timeout=5) == 0


def test_a_restart_begins_with_what_was_stashed(start: Start) -> None:
    """After the message that crashed it, which is tried again; with on_receive, whatever it had become."""
    log: list[Any] = []

    class Crashes(Actor):
        def on_receive(self, message: Any) -> Any:
            log.append(message)
            if message == "arm":
                self.become(self.armed)
            return message

        def armed(self, message: Any) -> None:
            self.stash()
            if message == "crash":
                raise ValueError("boom")

    ref = start(Crashes, supervised=RestartPolicy(max_restarts=1))
    ref.tell("arm")
    kept = [ref.ask_future(number) for number in range(3)]
    ref.tell("crash")
    assert [one.get(timeout=5) for one in kept] == [0, 1, 2]
    assert log == ["arm", "crash", 0, 1, 2]


@pytest.mark.parametrize("what", ["stash", "defer_reply"])
def test_a_message_is_put_aside_once(start: Start, what: str) -> None:
    """Twice, or both ways, is an error that says so."""

    class Twice(Actor):
        def on_receive(self, message: Any) -> None:
            getattr(self, what)()
            getattr(self, message)()

    ref = start(Twice)
    for second in ("stash", "defer_reply"):
        with pytest.raises(ActorsError, match=r"already|deferred"):
            ref.ask(second, timeout=5)


@pytest.mark.parametrize("call", [Actor.stash, Actor.defer_reply, Actor.unstash_all])
def test_outside_of_the_handlers_there_is_no_message(start: Start, call: Callable[[Any], Any]) -> None:
    """From another thread, from another actor, or before it is started."""
    ref = start()
    me = ref.ask(lambda me: me, timeout=5)
    with pytest.raises(ActorsError, match="handlers of actor Does"):
        call(me)
    with pytest.raises(ActorsError, match="handlers of actor Does"):
        start().ask(lambda _: call(me), timeout=5)
    fresh = Does()
    with pytest.raises(ActorsError, match="handlers of actor Does"):
        call(fresh)


def test_hooks_handle_no_message(start: Start) -> None:
    """on_start and on_stop may bring back what was stashed, and stash nothing."""
    errors: list[Any] = []

    class Hooks(Actor):
        def on_start(self) -> None:
            self.attempt()

        def on_stop(self) -> None:
            self.attempt()

        def attempt(self) -> None:
            assert self.unstash_all() == 0
            for call in (self.stash, self.defer_reply):
                try:
                    call()
                except ActorsError as error:
                    errors.append(str(error))

    start(Hooks).stop()
    assert len(errors) == 4
    assert all("handles no message now" in error for error in errors)


# Become ---------------------------------------------------------------------------------------------------------


class Light(Does):
    """Goes through its colours."""

    def on_receive(self, message: Any) -> Any:
        return self.change(message, "red")

    def green(self, message: Any) -> Any:
        return self.change(message, "green")

    def amber(self, message: Any) -> Any:
        return self.change(message, "amber")

    def change(self, message: Any, colour: str) -> Any:
        if message == "back":
            self.unbecome()
        elif message == "replace":
            self.become(self.amber, discard_old=True)
        elif message is not None:
            self.become(getattr(self, message))
        return colour


def test_become_is_for_the_next_messages(start: Start) -> None:
    """They are stacked; at the bottom is on_receive, and going back there twice changes nothing."""
    light = start(Light)
    asked = ["green", "amber", "back", "back", "back", "green", "replace", "back", None]
    replies = [light.ask(message, timeout=5) for message in asked]
    assert replies == ["red", "green", "amber", "green", "red", "red", "green", "amber", "red"]


def test_whoever_has_become_something_may_still_call_on_receive(start: Start) -> None:
    """It is the class's own; and proxies work as before."""

    class Wraps(Does):
        def wrapped(self, message: Any) -> Any:
            return ("wrapped", self.on_receive(message))

    ref = start(Wraps)
    ref.ask(lambda me: me.become(me.wrapped), timeout=5)
    assert ref.ask(3, timeout=5) == ("wrapped", 3)
    assert ref.proxy().seen.get(timeout=5) == [3]


@pytest.mark.parametrize("nothing", [None, 3, "closed"])
def test_become_takes_what_can_be_called(start: Start, nothing: Any) -> None:
    """And says so."""
    with pytest.raises(TypeError, match="become takes a function"):
        start().ask(lambda me: me.become(nothing), timeout=5)


# Deferred replies -----------------------------------------------------------------------------------------------


def deferred(ref: ActorRef[Any]) -> tuple[ReplyFuture[Any], DeferredReply[Any]]:
    """An ask whose reply was deferred, and that."""
    replies: list[DeferredReply[Any]] = []
    asked = ref.ask_future(lambda me: replies.append(me.defer_reply()))
    ref.ask(lambda me: None, timeout=5)
    return asked, replies.pop()


def test_a_deferred_reply_is_set_later_from_any_thread(start: Start, in_thread: Any) -> None:
    """The handler has returned, and the actor handles others meanwhile."""
    ref = start()
    asked, reply = deferred(ref)
    assert ref.ask(3, timeout=5) == 3
    assert not asked.done()
    assert not reply.done()
    assert in_thread(reply.set, "late").result(5) is True
    assert asked.get(timeout=5) == "late"
    assert reply.done()


def test_a_deferred_reply_may_be_a_failure(start: Start) -> None:
    """As if the handler had raised it."""
    asked, reply = deferred(start())
    assert reply.fail(KeyError("nobody")) is True
    with pytest.raises(KeyError, match="nobody"):
        asked.get(timeout=5)


@pytest.mark.parametrize("first", [lambda reply: reply.set(1), lambda reply: reply.fail(ValueError("1"))])
def test_a_deferred_reply_is_settled_once(start: Start, first: Any) -> None:
    """A second time is an error of the program; the first stands."""
    asked, reply = deferred(start())
    first(reply)
    for again in (lambda: reply.set(2), lambda: reply.fail(ValueError("2"))):
        with pytest.raises(ActorsError, match="answered once"):
            again()
    assert asked.done()


def test_of_many_that_set_one_reply_one_wins(start: Start) -> None:
    """A8: all at once."""
    ref = start()
    for _ in range(20):
        asked, reply = deferred(ref)
        ready, won = threading.Barrier(4), []

        def settle(number: int, reply: Any = reply, ready: Any = ready, won: Any = won) -> None:
            ready.wait(5)
            try:
                reply.set(number)
                won.append(number)
            except ActorsError:
                pass

        threads = [threading.Thread(target=settle, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert won == [asked.get(timeout=5)]


@pytest.mark.parametrize("error", [None, "late", ValueError])
def test_a_failure_is_an_exception(start: Start, error: Any) -> None:
    """And a wrong one settles nothing."""
    asked, reply = deferred(start())
    with pytest.raises(TypeError, match="fail takes an exception"):
        reply.fail(error)
    assert reply.set(3)
    assert asked.get(timeout=5) == 3


@pytest.mark.parametrize("end", ["stop", "abort"])
def test_the_end_of_the_actor_settles_what_was_deferred(start: Start, end: str) -> None:
    """A8: then a reply comes too late, which is no error."""
    ref = start()
    asked, reply = deferred(ref)
    getattr(ref, end)()
    with pytest.raises(ActorDead, match="before it replied"):
        asked.get(timeout=5)
    assert reply.set(3) is False


def test_a_reply_before_the_end_stands(start: Start) -> None:
    """A8: the other winner."""
    ref = start()
    asked, reply = deferred(ref)
    assert reply.set(3) is True
    ref.stop()
    assert asked.get(timeout=5) == 3


def test_an_abort_settles_what_was_deferred_at_once(start: Start, gate: Gate) -> None:
    """Although the actor is busy; and what is deferred after it, too."""
    ref = start()
    asked, reply = deferred(ref)

    def busy(me: Any) -> Any:
        gate.hold()
        return me.defer_reply()

    late = ref.ask_future(busy)
    gate.await_reached()
    ref.abort()
    with pytest.raises(ActorDead):
        asked.get(timeout=5)
    gate.open()
    with pytest.raises(ActorDead):
        late.get(timeout=5)
    assert reply.set(1) is False


def test_on_stop_may_still_reply(start: Start) -> None:
    """What is open then is settled after it."""

    class Last(Does):
        def on_stop(self) -> None:
            self.reply.set("at last")

        def on_receive(self, message: Any) -> Any:
            self.reply = self.defer_reply()

    ref = start(Last)
    asked = ref.ask_future(1)
    ref.stop()
    assert asked.get(timeout=5) == "at last"


def test_an_asker_that_has_given_up_is_not_told(start: Start) -> None:
    """A8: of a timeout and a reply one wins."""
    ref = start()
    replies: list[DeferredReply[Any]] = []
    with pytest.raises(AskTimeout):
        ref.ask(lambda me: replies.append(me.defer_reply()), timeout=0.01)
    eventually(lambda: ref.ask(lambda _: True) and True)
    for reply in replies:
        assert reply.done()
        assert reply.set(3) is False


def test_a_restart_leaves_a_deferred_reply_open(start: Start) -> None:
    """Who was to settle it may still do so."""
    ref = start(supervised=RestartPolicy(max_restarts=3))
    asked, reply = deferred(ref)
    ref.tell(Once(boom))
    assert ref.ask(lambda me: me.seen, timeout=5) == []
    assert reply.set("still") is True
    assert asked.get(timeout=5) == "still"


class Once:
    """A message that does something the first time only."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self.fn = fn
        self.done = False

    def __call__(self, me: Any) -> Any:
        first, self.done = not self.done, True
        return self.fn(me) if first else None


def test_a_deferred_reply_that_is_let_go_of_fails_the_ask(start: Start) -> None:
    """Nobody can settle it any more, and the asker must not wait for ever."""
    ref = start()
    asked = ref.ask_future(lambda me: me.defer_reply() and None)
    with pytest.raises(ActorsError, match="let go of it"):
        asked.get(timeout=5)


def test_what_a_handler_raises_after_it_has_deferred_goes_to_the_asker(start: Start) -> None:
    """The reply comes too late then."""
    replies: list[DeferredReply[Any]] = []

    def fails(me: Any) -> None:
        replies.append(me.defer_reply())
        raise ValueError("no")

    ref = start()
    with pytest.raises(ValueError, match="no"):
        ref.ask(fails, timeout=5)
    assert replies[0].set(3) is False
    assert ref.ask(4, timeout=5) == 4


def test_what_a_handler_returns_after_it_has_deferred_is_not_looked_at(start: Start) -> None:
    """Nor a future that it returns."""
    ref = start()
    replies: list[DeferredReply[Any]] = []
    asked = ref.ask_future(lambda me: replies.append(me.defer_reply()) or concurrent.futures.Future())
    ref.ask(lambda me: None, timeout=5)
    assert replies[0].set("mine")
    assert asked.get(timeout=5) == "mine"


def test_nobody_waits_for_the_reply_to_what_was_told(start: Start) -> None:
    """It may be set all the same, once."""
    ref = start()
    replies: list[DeferredReply[Any]] = []
    ref.tell(lambda me: replies.append(me.defer_reply()))
    ref.ask(lambda me: None, timeout=5)
    assert replies[0].done()
    assert replies[0].set(3) is False
    with pytest.raises(ActorsError, match="answered once"):
        replies[0].set(3)


# Futures as replies -----------------------------------------------------------------------------------------------


def test_a_future_of_another_ask_is_a_reply(start: Start) -> None:
    """While it is open the actor handles others; derived futures, too."""
    ref, other = start(), start()
    asked, reply = deferred(other)
    passed_on = ref.ask_future(lambda _: asked)
    mapped = ref.ask_future(lambda _: asked.map(lambda value: value * 2))
    joined = ref.ask_future(lambda _: asked.join(other.ask_future(7)))
    assert ref.ask(3, timeout=5) == 3
    assert not passed_on.done()
    reply.set(4)
    assert (passed_on.get(timeout=5), mapped.get(timeout=5), joined.get(timeout=5)) == (4, 8, [4, 7])
    with pytest.raises(ValueError, match="boom"):
        ref.ask(lambda _: other.ask_future(boom), timeout=5)


def test_a_standard_future_is_a_reply(start: Start) -> None:
    """Its value, its error, or an error that says that it was cancelled."""
    ref = start()
    for settle, error in (
        (lambda future: future.set_result(5), None),
        (lambda future: future.set_exception(KeyError("k")), KeyError),
        (lambda future: future.cancel(), ActorsError),
    ):
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        asked = ref.ask_future(lambda _, future=future: future)
        ref.ask(lambda _: None, timeout=5)
        settle(future)
        if error is None:
            assert asked.get(timeout=5) == 5
        else:
            with pytest.raises(error, match=r"k|cancelled"):
                asked.get(timeout=5)
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()
    done.set_result(6)
    assert ref.ask(lambda _: done, timeout=5) == 6


@pytest.mark.parametrize("kind", [concurrent.futures.Future, ReplyFuture])
def test_a_future_that_nobody_will_settle_fails_the_ask(start: Start, kind: Callable[[], Any]) -> None:
    """It was let go of; the ask that waits for it does not keep it."""
    asked = start().ask_future(lambda _: kind())
    with pytest.raises(ActorsError, match="let go of it"):
        asked.get(timeout=5)


def test_a_future_that_is_computed_from_another_is_a_reply(start: Start) -> None:
    """The other one keeps it."""
    ref, other = start(), start()
    later: concurrent.futures.Future[Any] = concurrent.futures.Future()
    asked = ref.ask_future(lambda _: other.ask_future(lambda _: later).map(str))
    assert ref.ask(1, timeout=5) == 1
    gc.collect()
    later.set_result(3)
    assert asked.get(timeout=5) == "3"


def test_an_agent_is_a_reply(start: Start, make_pool: Any) -> None:
    """Its result or its error; the outcome is owed to nobody else."""
    pool = make_pool()
    ref = start()

    def upper(query: str) -> Any:
        return lambda _: pool.spawn(SpawnConfig(AgentManifest(name="a"), query, agent=Upper))

    assert ref.ask(upper("q"), timeout=5) == "Q"
    with pytest.raises(ValueError, match="boom"):
        ref.ask(upper("?"), timeout=5)
    assert pool.join_all() == {}


def test_the_end_of_the_actor_settles_what_waits_for_a_future(start: Start) -> None:
    """A8: whatever becomes of the future."""
    ref = start()
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    asked = ref.ask_future(lambda _: future)
    ref.ask(lambda _: None, timeout=5)
    ref.abort()
    with pytest.raises(ActorDead):
        asked.get(timeout=5)
    future.set_result(3)


def test_a_future_that_a_proxy_returns_is_left_as_it_is(start: Start) -> None:
    """As in Pykka."""

    class Holds(Does):
        def later(self) -> Any:
            return self.actor_ref.ask_future(3)

    inner = start(Holds).proxy().later().get(timeout=5)
    assert isinstance(inner, ReplyFuture)
    assert inner.get(timeout=5) == 3


def test_a_future_as_the_reply_to_a_tell_is_nothing(start: Start) -> None:
    """Nobody waits for it."""
    ref = start()
    ref.tell(lambda _: concurrent.futures.Future())
    assert ref.ask(3, timeout=5) == 3


def test_in_a_forked_child_nobody_replies(start: Start, monkeypatch: Any) -> None:
    """The actor lives in the parent. What is let go of there touches none of its locks, which may be held for ever."""
    ref = start()
    kept: list[Any] = []
    asked = [ref.ask_future(lambda me: kept.append(me.defer_reply())) for _ in range(2)]
    me = ref.ask(lambda me: me, timeout=5)
    touched: list[Any] = []
    with monkeypatch.context() as child:
        child.setattr(fork._mark, "generation", fork.generation() + 1)
        child.setattr(type(ref._mailbox), "put_system", lambda _, order: touched.append(order))
        for use in (kept[0].set, lambda: kept[0].fail(ValueError()), lambda: me.pipe(concurrent.futures.Future())):
            with pytest.raises(ForkedPoolError):
                use()
        kept.pop()
        gc.collect()
    assert touched == []
    assert kept[0].set(3)
    assert asked[0].get(timeout=5) == 3


# Pipe -----------------------------------------------------------------------------------------------------------


def test_what_is_piped_comes_as_a_message(start: Start, make_pool: Any) -> None:
    """Of each kind of future."""
    ref, other = start(), start()
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    failed = KeyError("k")
    future.set_exception(failed)
    ref.ask(lambda me: me.pipe(other.ask_future(3), tag="asked"), timeout=5)
    eventually(lambda: ref.ask(lambda me: len(me.seen)) == 1)
    ref.ask(lambda me: me.pipe(future, None, 7), timeout=5)
    eventually(lambda: ref.ask(lambda me: len(me.seen)) == 2)
    ref.ask(lambda me: me.pipe(make_pool().submit(int, "3")), timeout=5)
    eventually(lambda: ref.ask(lambda me: len(me.seen)) == 3)
    first, second, third = ref.ask(lambda me: me.seen)
    assert (first, second, third) == (Piped(3, None, "asked"), Piped(None, failed, 7), Piped(3))
    assert first.unwrap() == 3
    with pytest.raises(KeyError):
        second.unwrap()


def test_what_is_piped_may_be_made_another_message(start: Start) -> None:
    """By a function that is called where messages are handled, so it is never run beside a handler."""
    ref = start()

    def wrap(piped: Piped) -> Any:
        return ("wrapped", piped.value, threading.get_ident())

    ref.ask(lambda me: me.pipe(me.actor_ref.ask_future(3), wrap), timeout=5)
    eventually(lambda: len(ref.ask(lambda me: me.seen)) == 2)
    assert ref.ask(lambda me: me.seen[-1][:2]) == ("wrapped", 3)


def test_a_full_mailbox_loses_nothing_that_is_piped(start: Start, gate: Gate) -> None:
    """It comes by another lane, and before what stands in the mailbox."""
    ref = start(inbox_capacity=2)
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def pipes(me: Any) -> None:
        for tag in range(10):
            me.pipe(future, tag=tag)
        gate.hold()

    ref.tell(pipes)
    gate.await_reached()
    ref.tell(1)
    ref.tell(2)
    future.set_result("v")
    gate.open()
    eventually(lambda: len(ref.ask(lambda me: me.seen, timeout=5)) == 12)
    assert ref.ask(lambda me: me.seen) == [*(Piped("v", None, tag) for tag in range(10)), 1, 2]


def test_what_is_piped_to_a_dead_actor_is_a_dead_letter(start: Start) -> None:
    """It has ended meanwhile."""
    ref = start()
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    ref.ask(lambda me: me.pipe(future), timeout=5)
    ref.stop()
    future.set_result(3)
    assert [(letter.message, letter.reason) for letter in ref.dead_letters] == [
        (Piped(3), DeadLetterReason.RECEIVER_ENDED)
    ]


@pytest.mark.parametrize("ends", ["abort", "crash"])
def test_what_was_piped_and_not_read_is_a_dead_letter(start: Start, gate: Gate, ends: str) -> None:
    """It came, and the actor ended before its turn: nothing of it is lost, and it is in order."""
    told: list[Any] = []
    ref = start(on_undelivered=lambda _, letter: told.append(letter.message))
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def pipes(me: Any) -> None:
        me.pipe(future, tag=1)
        me.pipe(future, tag=2)
        gate.hold()
        if ends == "crash":
            boom(me)

    ref.tell(pipes)
    gate.await_reached()
    future.set_result(3)
    if ends == "abort":
        ref.abort()
    gate.open()
    assert ref.actor_stopped.wait(5)
    assert told == [Piped(3, None, 1), Piped(3, None, 2)] == [letter.message for letter in ref.dead_letters]


def test_what_is_piped_comes_to_who_is_in_its_place(start: Start) -> None:
    """After a restart."""
    ref = start(supervised=RestartPolicy(max_restarts=3))
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    ref.ask(lambda me: me.pipe(future), timeout=5)
    ref.tell(Once(boom))
    assert ref.ask(lambda me: me.seen, timeout=5) == []
    future.set_result(3)
    eventually(lambda: ref.ask(lambda me: me.seen) == [Piped(3)])


def test_a_wrap_that_raises_is_a_crash(start: Start) -> None:
    """As a handler that does."""
    ref = start()
    ref.tell(lambda me: me.pipe(me.actor_ref.ask_future(3), boom))
    assert ref.actor_stopped.wait(5)
    assert "boom" in str(ref.error)


@pytest.mark.parametrize("source", [None, 3, "text", lambda: 3])
def test_only_what_will_have_a_value_is_piped(start: Start, source: Any) -> None:
    """And a wrap is a function."""
    ref = start()
    with pytest.raises(TypeError, match="pipe takes a ReplyFuture"):
        ref.ask(lambda me: me.pipe(source), timeout=5)
    with pytest.raises(TypeError, match="wrap must be a function"):
        ref.ask(lambda me: me.pipe(concurrent.futures.Future(), wrap=3), timeout=5)


def test_an_actor_that_says_what_it_is_told_costs_nothing(start: Start) -> None:
    """At runtime it is an actor like any other."""

    class Typed(Actor[int, str]):
        def on_receive(self, message: int) -> str:
            return str(message)

    assert start(Typed).ask(3, timeout=5) == "3"
    assert Typed.__init__ is Actor.__init__
    assert Typed.handle is Actor.handle


@pytest.mark.parametrize("hook", ["on_failure", "on_undelivered"])
def test_some_hooks_cannot_be_coroutines(hook: str) -> None:
    """The class is refused as it is made."""

    async def never(*_: Any) -> None:
        """Never awaited, never made."""

    with pytest.raises(TypeError, match=f"{hook} must be a plain function"):
        type("Odd", (Actor,), {hook: never})


# Circles --------------------------------------------------------------------------------------------------------


class Middle(Actor):
    """Defers to what another replies."""

    def on_receive(self, message: Any) -> Any:
        other, text = message
        return other.ask_future(text)


def test_a_circle_through_a_deferred_reply_is_seen_by_the_last(start: Start) -> None:
    """The one that closes it, once the reply was handed on: the asker goes on."""
    ref, middle, last = start(), start(Middle), start()
    gate = Gate()

    def ask_back(_: Any) -> Any:
        gate.arrive()
        eventually(lambda: [node.label for node in ref._cell.targets()] == ["a reply of actor Does"])
        return ref.ask(1)

    asked = ref.ask_future(lambda _: middle.ask((last, ask_back)))
    gate.await_reached()
    gate.open()
    with pytest.raises(DeadlockError, match="circle"):
        asked.get(timeout=5)
    assert ref.ask(2, timeout=5) == 2


def test_a_circle_through_a_deferred_reply_is_seen_when_it_is_deferred(start: Start) -> None:
    """The other winner: the last one waits for the first already."""
    ref, middle, last = start(), start(), start()
    gate = Gate()

    def ask_back(_: Any) -> Any:
        return ref.ask(1)

    def slowly(me: Any) -> Any:
        future = last.ask_future(ask_back)
        gate.arrive()
        eventually(lambda: last._cell.targets())
        return future

    asked = ref.ask_future(lambda _: middle.ask(slowly))
    gate.await_reached()
    gate.open()
    with pytest.raises(DeadlockError, match="deferred"):
        asked.get(timeout=5)
    assert ref.ask(2, timeout=5) == 2


def test_an_actor_may_defer_to_itself(start: Start) -> None:
    """It waits for nobody meanwhile, so that is no circle."""
    ref = start()
    assert ref.ask(lambda me: me.actor_ref.ask_future(lambda _: me.actor_ref.ask_future(3)), timeout=5) == 3
