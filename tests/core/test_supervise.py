"""Long-lived actors that are started again when they crash."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pykka
import pytest

from actors import Actor, ActorDead, Agent, Backoff, CancelToken, DeadlockError, InboxFull, RestartPolicy, supervise

from ..process.program import run
from .troupe import FOR_EVER, Bomb, Player, again, failing, failing_on, lies_idle, rests

pytestmark = pytest.mark.usefixtures("each_dispatcher")

KINDS = [Exception, SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, BaseException]


def handled(diary: list[Any]) -> list[Any]:
    """What its lives handled: (life, message)."""
    words = ("init", "start", "stop", "failure")
    return [(life, what) for life, what in diary if what not in words and not isinstance(what, type(print))]


# A restart ------------------------------------------------------------------------------------------------------


def test_what_was_unread_is_kept_and_comes_after_the_message_that_is_tried_again(supervised: Any, gate: Any) -> None:
    """In order, on a fresh actor; nothing becomes a dead letter."""
    diary: list[Any] = []
    ref = supervised(Player, diary)
    ref.tell(gate.hold)
    gate.await_reached()
    bomb = Bomb(times=2)
    for message in (bomb, 1, 2, 3):
        ref.tell(message)
    gate.open()
    assert ref.ask("last", timeout=10) == "last"
    assert diary[-8:] == [(2, "failure"), (3, "init"), (3, "start"), (3, bomb), (3, 1), (3, 2), (3, 3), (3, "last")]
    assert [life for life, what in diary if what is bomb] == [1, 2, 3]
    assert ref.dead_letters.total == 0


def test_the_state_is_gone_and_the_identity_stays(supervised: Any) -> None:
    """Same reference, urn, mailbox, event, and the thread of its own if it has one; a new object."""
    ref = supervised()
    urn, mailbox, stopped = ref.actor_urn, ref.actor_inbox, ref.actor_stopped

    def seen(me: Any) -> tuple[Any, ...]:
        return me, me.count, me.actor_ref, me.actor_urn, me.actor_inbox, me.actor_stopped, threading.get_ident()

    before = ref.ask(seen, timeout=10)
    ref.tell(Bomb())
    after = ref.ask(seen, timeout=10)
    assert before[0] is not after[0]
    assert (before[1], after[1]) == (1, 2)  # the bomb that went off no more, and this question
    for one in (before, after):
        assert one[2] is ref
        assert one[3] == urn
        assert one[4] is mailbox
        assert one[5] is stopped
    assert before[6] == after[6] or before[0].dispatcher != "pinned"
    assert ref.is_alive()
    assert ref.how_ended is None
    assert not stopped.is_set()
    assert pykka.ActorRegistry.get_all() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["handler", "on_start", "on_start again", "__init__ again", "on_failure"])
def test_whatever_is_raised_wherever_it_is_started_again(supervised: Any, where: str, kind: Any) -> None:
    """The message is not lost by it, and others are not harmed."""
    diary: list[Any] = []
    hooks: dict[str, dict[str, Any]] = {
        "handler": {},
        "on_start": {"start": failing_on({1}, kind)},
        "on_start again": {"start": failing_on({2}, kind)},
        "__init__ again": {"init": failing_on({2}, kind)},
        "on_failure": {"failure": failing_on({1, 2}, kind)},
    }
    other = supervised()
    ref = supervised(Player, diary, **hooks[where])
    bomb = Bomb(1, kind)
    ref.tell(bomb)
    last = ref.ask(lambda me: me.life, timeout=10)
    assert last == (3 if where in ("on_start", "on_start again", "__init__ again") else 2)
    assert bomb.tries == 2
    assert ref.dead_letters.total == 0
    assert other.ask("alive", timeout=10) == "alive"


def test_on_failure_of_the_crashed_one_is_called_before_the_next_is_made(supervised: Any) -> None:
    """With the error; on_stop is not called, but once at the very end."""
    diary: list[Any] = []
    seen: list[Any] = []

    class Observed(Player):
        def on_failure(self, *failure: Any) -> None:
            super().on_failure(*failure)
            seen.append(failure)

    ref = supervised(Observed, diary)
    bomb = Bomb()
    ref.tell(bomb)
    ref.stop(timeout=10)
    assert diary == [
        (1, "init"),
        (1, "start"),
        (1, bomb),
        (1, "failure"),
        (2, "init"),
        (2, "start"),
        (2, bomb),
        (2, "stop"),
    ]
    ((kind, value, traceback),) = seen
    assert (kind, str(value)) == (ValueError, "boom")
    assert traceback is not None
    assert ref.how_ended == "stopped"


def test_a_crash_is_logged_with_its_traceback(supervised: Any, log_lines: list[str]) -> None:
    """Each of them."""
    ref = supervised()
    ref.tell(Bomb(2))
    ref.ask("done", timeout=10)
    lines = [line for line in log_lines if "actor Player failed" in line]
    assert len(lines) == 2
    assert all("ValueError: boom" in line for line in lines)


def test_each_life_gets_the_arguments_that_it_was_supervised_with(supervised: Any) -> None:
    """Positional ones and keywords."""

    class Named(Actor):
        def __init__(self, first: str, *, second: str) -> None:
            super().__init__()
            self.names = (first, second)

        def on_receive(self, message: Any) -> Any:
            return message(self)

    ref = supervised(Named, "a", second="b")
    ref.tell(Bomb())
    assert ref.ask(lambda me: me.names, timeout=10) == ("a", "b")


def test_a_class_whose_new_takes_the_arguments_is_made_again(supervised: Any) -> None:
    """As a call of the class would."""

    class Picky(Player):
        def __new__(cls, diary: list[Any]) -> Any:
            return super().__new__(cls)

    ref = supervised(Picky, [])
    ref.tell(Bomb())
    assert ref.ask("alive", timeout=10) == "alive"


def test_a_failing_ask_is_no_crash(supervised: Any) -> None:
    """Its asker is told; the actor goes on as it is, and nothing is counted."""
    diary: list[Any] = []
    ref = supervised(Player, diary, restart=again(0))
    for kind in (ValueError, SystemExit, KeyboardInterrupt):
        with pytest.raises(kind):
            ref.ask(Bomb(1, kind), timeout=10)
    assert ref.ask(lambda me: me.count, timeout=10) == 4
    assert ref.dead_letters.total == 0
    assert (1, "failure") not in diary


def test_a_foreign_cancel_is_a_crash_like_any_other(supervised: Any) -> None:
    """The actor was not aborted: a token of somebody else, cancelled, must not make a message vanish."""
    token = CancelToken()
    token.cancel("not this actor's")
    ref = supervised(restart=again(1))

    def check(me: Any) -> None:
        token.check()

    ref.tell(check)
    ref.ask("after it", timeout=10)
    assert [letter.message for letter in ref.dead_letters] == [check]


# Poison ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_restarts", [0, 1, 3])
def test_poison_becomes_a_dead_letter_and_the_actor_lives_on(supervised: Any, max_restarts: int) -> None:
    """After max_restarts + 1 tries; what comes next is handled."""
    diary: list[Any] = []
    told: list[Any] = []
    ref = supervised(
        Player, diary, restart=again(max_restarts), undelivered=lambda me, letter: told.append((me.life, letter))
    )
    poison = Bomb(times=1000)
    ref.tell(poison)
    ref.tell("next")
    life = ref.ask(lambda me: me.life, timeout=10)
    assert poison.tries == life == max_restarts + 1
    (letter,) = ref.dead_letters
    assert letter.message is poison
    assert (letter.reason, letter.receiver) == ("poison", "actor Player")
    assert told == [(max_restarts + 1, letter)]
    assert (max_restarts + 1, "next") in diary
    assert diary.count((max_restarts + 1, "failure")) == 0


def test_only_the_restarts_of_its_window_count(supervised: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When none is left, one crash makes poison; when the window has moved on, there are restarts again."""

    class Hand:
        time = 1000.0

        def monotonic(self) -> float:
            return self.time

    clock = Hand()
    monkeypatch.setattr("actors.core.actors.actor.SYSTEM_CLOCK", clock)
    ref = supervised(restart=again(2, window=60.0))
    ref.tell(Bomb(times=2))  # takes both
    assert ref.ask(lambda me: me.life, timeout=10) == 3
    first = Bomb()
    ref.tell(first)
    assert ref.ask(lambda me: me.life, timeout=10) == 3
    clock.time += 59.9
    second = Bomb()
    ref.tell(second)
    assert ref.ask(lambda me: me.life, timeout=10) == 3
    assert [letter.message for letter in ref.dead_letters] == [first, second]
    clock.time += 0.2
    third = Bomb(times=2)
    ref.tell(third)
    assert ref.ask(lambda me: me.life, timeout=10) == 5
    assert third.tries == 3
    assert ref.dead_letters.total == 2


def test_poison_of_a_proxy_call(supervised: Any) -> None:
    """A deferred call that crashes is tried again, and buried, like a message."""

    class Callee(Player):
        def explode(self) -> None:
            raise ValueError(self.note("exploding"))

    diary: list[Any] = []
    ref = supervised(Callee, diary, restart=again(1))
    ref.proxy().explode.defer()
    assert ref.ask("next", timeout=10) == "next"
    assert [life for life, what in diary if what == "exploding"] == [1, 2]
    (letter,) = ref.dead_letters
    assert isinstance(letter.message, pykka.messages.ProxyCall)


# It cannot start ------------------------------------------------------------------------------------------------


def test_the_first_init_raises_where_it_is_supervised() -> None:
    """There is nothing to restart yet, and no thread."""

    class Broken(Actor):
        def __init__(self) -> None:
            raise LookupError("no such thing")

    before = threading.active_count()
    with pytest.raises(LookupError, match="no such thing"):
        supervise(Broken, restart=again(3))
    assert threading.active_count() == before


@pytest.mark.parametrize("where", ["on_start", "on_start again", "__init__ again"])
def test_one_that_cannot_start_any_more_ends(supervised: Any, gate: Any, where: str) -> None:
    """When the restarts are used up: what was accepted becomes dead letters, and askers are told."""
    diary: list[Any] = []
    hooks: dict[str, dict[str, Any]] = {
        "on_start": {"start": failing(1000)},
        "on_start again": {"start": failing_on(set(range(2, 1000)))},
        "__init__ again": {"init": failing_on(set(range(2, 1000)))},
    }
    bomb = Bomb(times=1000)
    ref = supervised(Player, diary, **hooks[where])
    if where == "on_start":
        assert ref.actor_stopped.wait(10)
        expected: list[Any] = []
    else:
        ref.tell(gate.hold)
        gate.await_reached()
        ref.tell(bomb)
        ref.tell("unread")
        asked = ref.ask_future("asked")
        gate.open()
        assert ref.actor_stopped.wait(10)
        with pytest.raises(ActorDead):
            asked.get(timeout=10)
        expected = [bomb, "unread", "asked"]
    assert ref.how_ended == "crashed"
    assert [word for _, word in diary].count("init") == 4
    assert [word for _, word in diary].count("stop") == 0
    assert [letter.message for letter in ref.dead_letters] == expected
    assert {letter.reason for letter in ref.dead_letters} <= {"receiver_ended"}
    with pytest.raises(ActorDead):
        ref.tell("too late")


def test_on_failure_is_called_for_a_start_that_crashed(supervised: Any) -> None:
    """What on_start had opened can be closed, before the next life opens it again."""
    diary: list[Any] = []
    ref = supervised(Player, diary, start=failing_on({1}))
    ref.ask("started", timeout=10)
    assert diary[:5] == [(1, "init"), (1, "start"), (1, "failure"), (2, "init"), (2, "start")]


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """supervise raises; what its __init__ told itself is a dead letter, and who waits for it is told."""
    refs: list[Any] = []
    asked: list[Any] = []

    class Eager(Player):
        def __init__(self) -> None:
            super().__init__()
            refs.append(self.actor_ref)
            self.actor_ref.tell("to myself")
            asked.append(self.actor_ref.ask_future("me"))

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            supervise(Eager, restart=again(3))
    (ref,) = refs
    assert not ref.is_alive()
    assert ref.how_ended == "crashed"
    assert [letter.message for letter in ref.dead_letters] == ["to myself", "me"]
    with pytest.raises(ActorDead):
        asked[0].get(timeout=0)
    seen: list[Any] = []
    ref.watch(seen.append)
    assert seen == [ref]


@pytest.mark.parametrize("wrong", [Player.__mro__[-1], pykka.ThreadingActor, Agent, "Player", None, Player()])
def test_only_classes_of_ours_can_be_supervised(wrong: Any) -> None:
    """Neither an instance, nor an agent, nor another library's actor."""
    with pytest.raises(TypeError, match=r"a subclass of actors\.Actor"):
        supervise(wrong)


@pytest.mark.parametrize("wrong", [None, 3, "3", Backoff(), RestartPolicy])
def test_a_policy_must_be_a_policy(wrong: Any) -> None:
    """Named by the error; nothing is made."""
    diary: list[Any] = []
    with pytest.raises(TypeError, match="restart must be a RestartPolicy"):
        supervise(Player, diary, restart=wrong)
    assert diary == []


def test_wrong_arguments_of_the_class_are_its_own_error() -> None:
    """A TypeError in the caller's thread."""
    with pytest.raises(TypeError):
        supervise(Player, [], "too many")


def test_an_init_that_forgot_super_is_refused() -> None:
    """As by start()."""

    class Forgot(Actor):
        def __init__(self) -> None:
            pass

    with pytest.raises(TypeError, match="must call super"):
        supervise(Forgot)


# Stops --------------------------------------------------------------------------------------------------------------


def in_backoff(ref: Any) -> Any:
    """Does it wait for its restart?"""
    return lambda: rests(ref)


@pytest.mark.parametrize("where", ["handler", "on_start"])
def test_a_stop_ends_the_backoff_and_what_was_accepted_is_handled(supervised: Any, eventually: Any, where: str) -> None:
    """By a fresh actor, now; then it ends."""
    diary: list[Any] = []
    ref = supervised(
        Player, diary, restart=again(3, backoff=FOR_EVER), start=failing_on({1} if where == "on_start" else set())
    )
    bomb = Bomb()
    if where == "handler":
        ref.tell(bomb)
    eventually(in_backoff(ref))
    ref.tell("accepted")
    asked = ref.ask_future("asked")
    assert ref.is_alive()
    assert ref.stop(timeout=10) is True
    assert handled(diary)[-2:] == [(2, "accepted"), (2, "asked")]
    assert asked.get(timeout=0) == "asked"
    assert bomb.tries == (2 if where == "handler" else 0)
    assert diary[-1] == (2, "stop")
    assert ref.how_ended == "stopped"
    assert ref.dead_letters.total == 0


def test_a_stop_outlasts_no_further_backoff(supervised: Any, eventually: Any) -> None:
    """Once it is told to stop, crashes wait no more: a storm of them ends in max_restarts steps."""
    ref = supervised(restart=again(20, backoff=FOR_EVER))
    poison = [Bomb(times=1000) for _ in range(10)]
    for message in poison:
        ref.tell(message)
    eventually(in_backoff(ref))
    assert ref.stop(timeout=10) is True
    assert [letter.message for letter in ref.dead_letters] == poison
    assert sum(message.tries for message in poison) == 20 + 10
    assert ref.how_ended == "stopped"


@pytest.mark.parametrize("where", ["handler", "on_start"])
def test_an_abort_ends_the_backoff_and_nothing_is_handled(supervised: Any, eventually: Any, where: str) -> None:
    """What was accepted, the message that crashed it first, becomes dead letters; nobody is made any more."""
    diary: list[Any] = []
    ref = supervised(
        Player, diary, restart=again(3, backoff=FOR_EVER), start=failing_on({1} if where == "on_start" else set())
    )
    bomb = Bomb()
    if where == "handler":
        ref.tell(bomb)
    eventually(in_backoff(ref))
    ref.tell("accepted")
    asked = ref.ask_future("asked")
    ref.abort("enough")
    assert ref.actor_stopped.wait(10)
    assert [letter.message for letter in ref.dead_letters] == [
        *([bomb] if where == "handler" else []),
        "accepted",
        "asked",
    ]
    assert set(ref.dead_letters.counts()) == {"receiver_ended"}
    with pytest.raises(ActorDead):
        asked.get(timeout=10)
    assert (2, "init") not in diary
    assert ref.how_ended == "aborted"


def test_an_actor_that_crashed_is_cleaned_up_once(supervised: Any, eventually: Any) -> None:
    """on_failure comes in place of on_stop: an abort in the backoff does not add the other."""
    diary: list[Any] = []
    ref = supervised(Player, diary, restart=again(3, backoff=FOR_EVER))
    ref.tell(Bomb())
    eventually(in_backoff(ref))
    ref.abort()
    assert ref.actor_stopped.wait(10)
    assert [word for _, word in diary if word in ("failure", "stop")] == ["failure"]


def test_an_abort_while_it_handles_starts_nobody(supervised: Any, gate: Any) -> None:
    """Its cancel is no crash, and an error that comes after the cancel leads to no restart."""
    for raises in (lambda me: me.cancel_token.check(), Bomb()):
        diary: list[Any] = []
        ref = supervised(Player, diary)

        def work(me: Any, raises: Any = raises) -> None:
            gate.hold()
            raises(me)

        ref.tell(work)
        gate.await_reached()
        ref.tell("unread")
        ref.abort("enough")
        gate.open()
        assert ref.actor_stopped.wait(10)
        assert (2, "init") not in diary
        assert (1, "unread") not in diary
        assert ref.how_ended == "aborted"
        assert "unread" in [letter.message for letter in ref.dead_letters]


def test_a_stop_from_the_handler_that_crashes(supervised: Any) -> None:
    """The message is tried again, then it ends."""
    diary: list[Any] = []
    ref = supervised(Player, diary, restart=again(1, backoff=FOR_EVER))

    def stop_and_crash(me: Any) -> None:
        me.stop()
        raise ValueError("boom")

    ref.tell(stop_and_crash)
    assert ref.actor_stopped.wait(10)
    assert ref.how_ended == "stopped"
    assert [letter.reason for letter in ref.dead_letters] == ["poison"]
    assert diary[-1] == (2, "stop")


def test_on_stop_that_raises_is_no_crash(supervised: Any) -> None:
    """It ends, once."""
    diary: list[Any] = []
    ref = supervised(Player, diary, stop=failing(1000))
    assert ref.stop(timeout=10) is True
    assert [word for _, word in diary] == ["init", "start", "stop"]
    assert ref.how_ended == "stopped"


@pytest.mark.parametrize("kind", KINDS)
def test_on_undelivered_that_raises_harms_nobody(supervised: Any, log_lines: list[str], kind: Any) -> None:
    """Logged; the actor lives on, and ends."""
    ref = supervised(restart=again(0), undelivered=failing(1000, kind))
    ref.tell(Bomb(1000))
    assert ref.ask("alive", timeout=10) == "alive"
    assert any("on_undelivered failed" in line and "boom" in line for line in log_lines)
    assert ref.stop(timeout=10) is True


@pytest.mark.process
def test_the_end_of_the_program_ends_a_backoff(each_dispatcher: str) -> None:
    """Aborted: its hooks are waited for, no restart is."""
    done = run(
        f"""
import threading
from actors import Actor, Backoff, RestartPolicy, supervise
crashed = threading.Event()
class Broken(Actor):
    dispatcher = "{each_dispatcher}"
    def on_receive(self, message):
        raise ValueError(message)
    def on_failure(self, *_):
        crashed.set()
    def on_undelivered(self, letter):
        threading.Event().wait(0.1)
        print(letter.message, letter.reason, flush=True)
ref = supervise(Broken, restart=RestartPolicy(3, backoff=Backoff(base=600.0, maximum=600.0)))
ref.tell("words")
crashed.wait(10)
"""
    )
    assert done.clean() == ["words receiver_ended"]


# Others ---------------------------------------------------------------------------------------------------------


def test_a_proxy_stays_valid_over_a_restart(supervised: Any) -> None:
    """Its calls and attributes are those of the new life."""
    ref = supervised()
    before = ref.proxy()
    assert before.number().get(timeout=10) == 1
    before.count = 41
    ref.tell(Bomb())
    assert before.number().get(timeout=10) == 2
    assert before.count.get(timeout=10) == 1


def test_a_proxy_can_be_made_after_a_restart(supervised: Any) -> None:
    """When nobody holds the crashed one any more."""
    ref = supervised()
    ref.tell(Bomb())
    assert ref.ask("again", timeout=10) == "again"
    gc.collect()
    assert ref.proxy().number().get(timeout=10) == 2


def test_each_life_may_make_a_proxy_of_itself(supervised: Any) -> None:
    """While it is made: Pykka's way to put work off."""

    class Cooperating(Player):
        def __init__(self, diary: list[Any]) -> None:
            super().__init__(diary)
            self._me = self.actor_ref.proxy()

        def ask_itself(self) -> Any:
            return self._me.number()

    ref = supervised(Cooperating, [])
    ref.tell(Bomb())
    proxy = ref.proxy()
    assert proxy.ask_itself().get(timeout=10).get(timeout=10) == 2


def test_a_proxy_can_be_made_during_a_backoff(supervised: Any, eventually: Any) -> None:
    """Also when the actor that was to follow could not be made: the reference is alive."""
    ref = supervised(
        Player,
        [],
        restart=again(5, backoff=Backoff(base=0.01, factor=60_000.0, maximum=600.0, jitter=0.0)),
        init=failing_on({2}),
    )
    ref.tell(Bomb(1000))
    eventually(lambda: ref._cell.supervision.restarts.total == 2 and in_backoff(ref)())
    gc.collect()
    assert ref.is_alive()
    ref.proxy()


def test_the_crashed_actor_is_freed(supervised: Any, eventually: Any) -> None:
    """By the time that its successor is idle, at the latest."""
    ref = supervised()
    old = ref.ask(weakref.ref, timeout=10)
    assert old() is not None
    ref.tell(Bomb())
    new = ref.ask(weakref.ref, timeout=10)
    eventually(lambda: lies_idle(ref._mailbox))
    gc.collect()
    assert old() is None
    assert new() is not None


def test_the_crashed_actor_is_freed_before_its_message_is_tried_again(supervised: Any, gate: Any) -> None:
    """A second try that takes long holds not two of them in memory."""
    lives: list[Any] = []

    def try_it(me: Any) -> None:
        lives.append(weakref.ref(me))
        if len(lives) == 1:
            raise ValueError("boom")
        gate.hold()

    ref = supervised()
    ref.tell(try_it)
    gate.await_reached()
    gc.collect()
    assert lives[0]() is None


@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_a_dead_actor_is_freed_though_its_reference_is_kept(supervised: Any, how: str) -> None:
    """What it held goes with it; a reference is small."""
    lives: list[Any] = []

    def start(me: Any) -> None:
        lives.append(weakref.ref(me))
        if how == "crash":
            raise ValueError("boom")

    ref = supervised(restart=again(0), start=start)
    if how != "crash":
        ref.ask("started", timeout=10)
        ref.stop(block=False) if how == "stop" else ref.abort()
    assert ref.actor_stopped.wait(10)
    ref._cell.ended.get(timeout=10)
    gc.collect()
    assert [life() for life in lives] == [None]


def test_an_ask_waits_for_the_next_life_of_a_supervised_one(supervised: Any, gate: Any) -> None:
    """It stays in the mailbox over the restart; the other way round it works as well, from the new life."""
    left, right = supervised(), supervised()
    right.tell(gate.hold)
    gate.await_reached()
    right.tell(Bomb())
    asked = left.ask_future(lambda me: right.ask(lambda other: other.life, timeout=10))
    gate.open()
    assert asked.get(timeout=10) == 2
    assert right.ask(lambda me: left.ask(lambda other: other.life, timeout=10), timeout=10) == 1


def test_two_that_ask_each_other_while_one_is_restarted(supervised: Any, gate: Any) -> None:
    """At the same time that may be a circle: then one of them is told, at least, and nobody hangs or crashes."""
    left, right = supervised(), supervised()
    right.tell(gate.hold)
    gate.await_reached()
    right.tell(Bomb())
    asked = [
        left.ask_future(lambda me: right.ask(lambda other: "right", timeout=10)),
        right.ask_future(lambda me: left.ask(lambda other: "left", timeout=10)),
    ]
    gate.open()
    answers = []
    for future in asked:
        try:
            answers.append(future.get(timeout=10))
        except DeadlockError as refused:
            answers.append(len(refused.path))
    assert answers in (["right", "left"], ["right", 3], [3, "left"], [3, 3])
    assert left.ask(lambda me: me.life, timeout=10) == 1
    assert right.ask(lambda me: me.life, timeout=10) == 2


def test_a_start_that_asks_who_waits_for_it_is_refused(supervised: Any, gate: Any, eventually: Any) -> None:
    """A circle of waiting over a restart is a DeadlockError at once, so a crash; when no restart is left, it ends."""
    refs: dict[str, Any] = {}
    seen: list[Any] = []

    def ask_left(me: Any) -> None:
        if me.life == 1:
            return
        try:
            refs["left"].ask("hello")
        except BaseException as error:
            seen.append(type(error))
            raise

    left = refs["left"] = supervised()
    right = supervised(Player, [], start=ask_left)
    right.tell(gate.hold)
    gate.await_reached()
    right.tell(Bomb())
    asked = left.ask_future(lambda me: right.ask("never handled"))
    eventually(lambda: bool(left._cell.waits))
    gate.open()
    with pytest.raises(ActorDead):
        asked.get(timeout=10)
    assert right.actor_stopped.wait(10)
    assert seen == [DeadlockError] * 3
    assert right.how_ended == "crashed"


def test_every_message_of_a_storm_is_handled_or_a_dead_letter_once(supervised: Any, eventually: Any) -> None:
    """Four senders, every seventh message crashes once or for ever, restarts may run out, an abort in the middle."""
    for ending in ("stop", "abort"):
        done: list[int] = []
        inside = threading.Lock()
        overlaps: list[int] = []
        tries: dict[int, int] = {}

        def handle(me: Any, message: int, tries: Any = tries, done: Any = done, inside: Any = inside) -> None:
            if not inside.acquire(blocking=False):
                overlaps.append(message)  # noqa: B023 - each round fills its own before the next begins
            try:
                tries[message] = tries.get(message, 0) + 1
                if message % 7 == 0 and (tries[message] == 1 or message % 2):
                    raise ValueError(message)
                done.append(message)
            finally:
                inside.release()

        class Worker(Actor):
            inbox_capacity = 8

            def on_receive(self, message: Any, handle: Any = handle) -> None:
                handle(self, message)

        ref = supervised(Worker, restart=again(2, window=0.002))
        accepted: list[list[int]] = [[] for _ in range(4)]

        def send(lane: int, ref: Any = ref, accepted: Any = accepted) -> None:
            for n in range(lane, 800, 4):
                try:
                    ref.tell(n, timeout=10)
                except ActorDead:
                    return
                accepted[lane].append(n)

        senders = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
        for sender in senders:
            sender.start()
        if ending == "abort":
            eventually(lambda done=done: len(done) >= 200)
            ref.abort()
        for sender in senders:
            sender.join(20)
        if ending == "stop":
            ref.stop(timeout=20)
        assert ref.actor_stopped.wait(10)
        letters = [letter.message for letter in ref.dead_letters]
        assert sorted(done + letters) == sorted(n for lane in accepted for n in lane)
        assert overlaps == []
        assert ref.dead_letters.total == len(letters)
        if ending == "stop":
            assert set(letters) <= set(range(0, 800, 7))
            assert set(letters) >= {n for n in range(0, 800, 7) if n % 2}
            assert set(ref.dead_letters.counts()) <= {"poison", "restarts_used_up"}
        for lane in range(4):  # first in, first out for each sender
            mine = [n for n in done if n % 4 == lane]
            assert mine == sorted(mine)


# Why it ended, and circles of room --------------------------------------------------------------------------------


def test_a_reference_tells_what_ended_the_actor() -> None:
    """The error of the crash; nothing when it was stopped, also after restarts."""

    class Fragile(Actor):
        def on_receive(self, message: Any) -> Any:
            raise ValueError(message)

    ref = Fragile.start()
    assert (ref.how_ended, ref.error) == (None, None)
    ref.tell("words")
    assert ref.actor_stopped.wait(10)
    ref.stop()
    assert ref.how_ended == "crashed"
    assert (ref.error.type_name, ref.error.text) == ("ValueError", "words")
    assert "on_receive" in ref.error.traceback

    ref = supervise(Fragile, restart=RestartPolicy(max_restarts=1, backoff=Backoff(base=0)))
    ref.tell("words")
    ref.stop(timeout=10)
    assert (ref.how_ended, ref.error) == ("stopped", None)


def test_who_waits_for_room_in_its_own_mailbox_is_told() -> None:
    """Nobody else makes room: a circle, found at once; a wait with an end just ends."""

    class Talker(Actor):
        inbox_capacity = 1

        def on_receive(self, message: Any) -> Any:
            self.actor_ref.tell("fits")
            with pytest.raises(InboxFull):
                self.actor_ref.tell("no room", timeout=0.01)
            with pytest.raises(DeadlockError):
                self.actor_ref.tell("never", timeout=None)
            return "told"

    ref = Talker.start()
    assert ref.ask("begin", timeout=10) == "told"
    ref.abort()
    assert ref.actor_stopped.wait(10)
