"""Long-lived actors, and what makes an agent one: the one adapter to Pykka."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pykka
import pytest

from actors import Agent, AgentManifest, SpawnConfig
from actors.core.actors import pinned_cell
from actors.core.actors.actor import Actor, ActorRef
from actors.core.actors.actor_cell import ActorEnd
from actors.core.actors.envelope import Envelope
from actors.core.actors.reply import ReplyFuture
from actors.core.dispatching.dispatcher import shared_dispatcher
from actors.core.process.at_exit import at_exit
from actors.core.process.threads import Crew
from actors.errors import ActorDead, AskTimeout, InboxFull

from ..dispatchers import pinned_only, shared_only
from .troupe import lies_idle

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Echo(Actor):
    """Answers with what it is told; remembers what happened to it."""

    def __init__(self, name: str = "echo", **hooks: Any) -> None:
        super().__init__()
        self.name = name
        self.hooks = hooks
        self.log: list[Any] = []
        self.number = 1

    def on_start(self) -> None:
        self.log.append("start")
        self.hooks.get("on_start", lambda _: None)(self)

    def on_stop(self) -> None:
        self.log.append("stop")
        self.hooks.get("on_stop", lambda _: None)(self)

    def on_failure(self, kind: Any, value: Any, traceback: Any) -> None:
        self.log.append(("failure", kind))
        self.hooks.get("on_failure", lambda _: None)(self)

    def on_receive(self, message: Any) -> Any:
        self.log.append(message)
        return message(self) if callable(message) else message

    def double(self, n: int) -> int:
        return 2 * n


@pytest.fixture
def echo() -> Any:
    """Starts Echo actors, and aborts them at the end. ``.actor`` is the object behind the reference."""
    made: list[ActorRef[Any]] = []

    def make(cls: type[Actor] = Echo, **kwargs: Any) -> Any:
        actor = cls(**kwargs)
        ref = actor.actor_ref
        ref.actor = actor  # type: ignore[attr-defined]
        actor._cell.start()
        made.append(ref)
        return ref

    yield make
    for ref in made:
        ref.abort()
        assert ref.actor_stopped.wait(10)


# What Pykka documents -------------------------------------------------------------------------------------------


def test_tell_and_ask_work(echo: Any) -> None:
    """One message at a time, in order, on one thread that is not the caller's."""
    ref = echo(name="mine")
    ref.tell("one")
    ref.tell("two")
    assert ref.ask("three", timeout=10) == "three"
    assert ref.actor.log == ["start", "one", "two", "three"]
    assert ref.ask(lambda _: threading.get_ident(), timeout=10) != threading.get_ident()
    assert ref.actor.name == "mine"
    assert isinstance(ref, pykka.ActorRef)
    assert isinstance(ref.actor, pykka.ThreadingActor)
    assert ref.is_alive()
    assert ref.actor.actor_ref is ref


def test_ask_without_blocking_gives_a_future(echo: Any) -> None:
    """Pykka's form and ours."""
    ref = echo()
    assert ref.ask("a", block=False).get(timeout=10) == "a"
    assert ref.ask_future("b").result(10) == "b"


def test_a_proxy_works(echo: Any) -> None:
    """Methods, attributes, setting them, and calls without a reply."""
    proxy = echo().proxy()
    assert proxy.double(4).get(timeout=10) == 8
    proxy.number = 5
    assert proxy.number.get(timeout=10) == 5
    proxy.double.defer(1)
    assert isinstance(proxy.double(1), pykka.Future)


def test_the_context_of_the_starter_is_copied_in(echo: Any) -> None:
    """A ContextVar that was set at start is seen inside, and what is set inside stays inside."""
    var: ContextVar[str] = ContextVar("var", default="unset")
    token = var.set("starter")
    ref = echo()
    var.reset(token)
    assert ref.ask(lambda _: var.get(), timeout=10) == "starter"
    ref.ask(lambda _: var.set("inside") and None, timeout=10)
    assert var.get() == "unset"
    assert ref.ask(lambda _: var.get(), timeout=10) == "inside"


def test_an_actor_whose_init_forgot_super_is_refused() -> None:
    """A message that says what to do; no thread."""

    class Forgot(Actor):
        def __init__(self) -> None:
            pass

    with pytest.raises(TypeError, match="must call super"):
        Forgot.start()


def test_an_unhandled_message_answers_none(echo: Any) -> None:
    """Pykka's default on_receive logs and answers None."""
    assert echo(Actor).ask("who cares", timeout=10) is None


# Stopping -------------------------------------------------------------------------------------------------------


def test_stop_handles_what_was_accepted_before(echo: Any, gate: Any) -> None:
    """Then on_stop, then the end; what comes after is refused."""
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell("accepted")
    stopping = ref.stop(block=False)
    with pytest.raises(ActorDead, match="has stopped") as info:
        ref.tell("refused")
    assert info.value.message == "refused"
    gate.open()
    assert stopping.get(timeout=10) is True
    assert ref.actor.log[2:] == ["accepted", "stop"]
    assert not ref.is_alive()


def test_stop_answers_whether_it_was_alive(echo: Any) -> None:
    """Blocking, with a timeout, and of a dead one."""
    ref = echo()
    assert ref.stop(timeout=10) is True
    assert ref.stop() is False
    assert ref.stop(block=False).get(timeout=10) is False


def test_a_stop_that_takes_too_long_says_so(echo: Any, gate: Any) -> None:
    """AskTimeout; it still ends."""
    ref = echo()
    ref.tell(gate.hold)
    with pytest.raises(AskTimeout, match=r"has not ended within 0\.01 s; it still will"):
        ref.stop(timeout=0.01)
    gate.open()
    assert ref.actor_stopped.wait(10)


def test_an_actor_stops_itself(echo: Any) -> None:
    """From a handler: what was accepted before is still handled."""
    ref = echo()
    ref.tell(lambda me: me.stop())
    assert ref.actor_stopped.wait(10)
    assert ref.actor.log[-1] == "stop"


def test_pykkas_stop_message_stops_it(echo: Any) -> None:
    """Code of Pykka that sends its own stop message is understood."""
    ref = echo()
    ref.tell(pykka.messages._ActorStop())
    assert ref.actor_stopped.wait(10)
    assert ref.actor.log == ["start", "stop"]


def test_the_end_comes_after_the_cleanup(echo: Any, gate: Any) -> None:
    """actor_stopped is set, and stop() returns, when on_stop is done."""
    ref = echo(on_stop=lambda _: gate.hold())
    stopping = ref.stop(block=False)
    gate.await_reached()
    assert not ref.actor_stopped.is_set()
    assert not stopping.done()
    gate.open()
    assert stopping.get(timeout=10) is True
    assert ref.actor_stopped.is_set()


def test_a_stop_never_waits_for_room(echo: Any, gate: Any) -> None:
    """With a full mailbox, too."""
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    for n in range(Echo.inbox_capacity or 0):
        ref.tell(n)
    with pytest.raises(InboxFull):
        ref.tell("no room")
    stopping = ref.stop(block=False)
    gate.open()
    assert stopping.get(timeout=10) is True


# Aborting -------------------------------------------------------------------------------------------------------


def test_abort_interrupts_what_it_handles_and_drops_the_rest(echo: Any, gate: Any) -> None:
    """The current handler sees the cancel; what waits is not handled, and its askers are told."""
    ref = echo()

    def work(me: Any) -> None:
        gate.hold()
        me.cancel_token.check()
        me.log.append("not reached")

    ref.tell(work)
    gate.await_reached()
    asked = ref.ask_future("waiting")
    ref.abort("enough")
    gate.open()
    with pytest.raises(ActorDead, match="stopped before it handled"):
        asked.get(timeout=10)
    assert ref.actor_stopped.wait(10)
    assert "not reached" not in ref.actor.log
    assert "waiting" not in ref.actor.log
    assert ref.actor.log[-1] == "stop"


def test_abort_ends_an_idle_actor(echo: Any) -> None:
    """It waits for nothing any more."""
    ref = echo()
    ref.ask("idle now", timeout=10)
    ref.abort()
    assert ref.actor_stopped.wait(10)


def test_abort_during_on_start_handles_nothing(echo: Any, gate: Any) -> None:
    """Messages that were accepted while it started are not handled after an abort."""
    ref = echo(on_start=lambda _: gate.hold())
    gate.await_reached()
    ref.tell("accepted")
    asked = ref.ask_future("asked")
    ref.abort("enough")
    gate.open()
    assert ref.actor_stopped.wait(10)
    with pytest.raises(ActorDead):
        asked.get(timeout=10)
    assert "accepted" not in ref.actor.log


def test_the_asker_of_an_aborted_handler_is_told(echo: Any, gate: Any) -> None:
    """ActorDead with the reason, not Cancelled: it was not the asker who was cancelled."""
    ref = echo()
    asked = ref.ask_future(lambda me: (gate.hold(), me.cancel_token.check()))
    gate.await_reached()
    ref.abort("enough")
    gate.open()
    with pytest.raises(ActorDead, match="enough"):
        asked.get(timeout=10)


# Asking ---------------------------------------------------------------------------------------------------------


def test_ask_raises_what_the_handler_raised(echo: Any) -> None:
    """Same class, from the original; the actor lives on, whatever it was."""
    ref = echo()

    def fail(error: BaseException) -> Any:
        def handler(_: Any) -> None:
            raise error

        return handler

    for error in (KeyError("words"), SystemExit(3), KeyboardInterrupt()):
        with pytest.raises(type(error)) as info:
            ref.ask(fail(error), timeout=10)
        assert info.value is not error
        assert info.value.__cause__ is error
    assert ref.ask("still there", timeout=10) == "still there"


def test_ask_never_raises_at_send(echo: Any) -> None:
    """ask_future of a dead or full one settles with what is wrong."""
    ref = echo()
    ref.stop(timeout=10)
    with pytest.raises(ActorDead, match="has stopped"):
        ref.ask_future("x").get(timeout=0)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("x")


def test_ask_times_out_over_the_whole_call(echo: Any, gate: Any) -> None:
    """The wait for room and the wait for the reply share one timeout; a handler that has not begun skips it."""
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    with pytest.raises(AskTimeout, match=r"did not reply within 0\.0\d* s"):
        ref.ask("given up", timeout=0.01)
    for n in range((Echo.inbox_capacity or 0) - 1):
        ref.tell(n)
    with pytest.raises(AskTimeout, match="no room"):
        ref.ask("no room", timeout=0.01)
    with pytest.raises(InboxFull):
        ref.ask_future("no room").get(timeout=0)
    gate.open()
    ref.stop(timeout=10)
    assert "given up" not in ref.actor.log


def test_ask_waits_for_room(echo: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """As long as its timeout allows."""
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    for n in range(Echo.inbox_capacity or 0):
        ref.tell(n)
    asking = in_thread(ref.ask, "patient", timeout=None)
    eventually(lambda: bool(ref._mailbox._putters))
    gate.open()
    assert asking.result(10) == "patient"


def test_tell_may_wait_for_room(echo: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """And is told when the actor ends instead."""
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    for n in range(Echo.inbox_capacity or 0):
        ref.tell(n)
    telling = in_thread(ref.tell, "patient", timeout=None)
    eventually(lambda: bool(ref._mailbox._putters))
    ref.abort()
    with pytest.raises(ActorDead):
        telling.result(10)
    gate.open()


@pytest.mark.parametrize("capacity", [1, None])
def test_the_class_names_its_capacity(echo: Any, gate: Any, capacity: int | None) -> None:
    """None has no bound."""
    cls = type("Sized", (Echo,), {"inbox_capacity": capacity})
    ref = echo(cls)
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell(1)
    if capacity is None:
        for n in range(1000):
            ref.tell(n)
    else:
        with pytest.raises(InboxFull, match=r"1 messages"):
            ref.tell(2)
    gate.open()


# Failing --------------------------------------------------------------------------------------------------------


def test_a_failing_tell_is_reported_and_ends_the_actor(echo: Any, log_lines: list[str]) -> None:
    """on_failure instead of on_stop; what waited is refused."""
    ref = echo()

    def fail(_: Any) -> None:
        raise ValueError("words")

    ref.tell(fail)
    assert ref.actor_stopped.wait(10)
    assert ref.actor.log[-1] == ("failure", ValueError)
    assert "stop" not in ref.actor.log
    assert any("actor Echo failed" in line and "words" in line for line in log_lines)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), ValueError("x")])
@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_failure", "handler"])
def test_whatever_a_hook_raises_the_actor_ends_once(echo: Any, error: BaseException, hook: str) -> None:
    """Other actors of the process are not harmed, and nothing is left blocked."""
    other = echo(name="other")

    def fail(_: Any) -> None:
        raise error

    ref = echo(**({hook: fail} if hook != "handler" else {}))
    if hook in ("on_failure", "handler"):
        ref.tell(fail)
    elif hook == "on_stop":
        ref.stop(block=False)
    assert ref.actor_stopped.wait(10)
    assert ref.actor.log.count("stop") <= 1
    with pytest.raises(ActorDead):
        ref.ask("anybody?", timeout=10)
    assert other.ask("alive", timeout=10) == "alive"


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """start() raises and leaves nothing: the actor counts as ended, its mailbox is closed."""
    made: list[Echo] = []

    class Kept(Echo):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Kept.start()
    (actor,) = made
    assert actor.actor_stopped.is_set()
    assert actor.actor_ref.how_ended == "crashed"
    with pytest.raises(ActorDead):
        actor.actor_ref.tell("x")
    assert pykka.ActorRegistry.get_all() == []


# What is kept ---------------------------------------------------------------------------------------------------


class Parcel:
    """A message that can be watched."""


def test_an_idle_actor_keeps_its_last_message_not_alive(echo: Any, eventually: Any) -> None:
    """Neither the message nor the reply: an actor may idle for days."""
    ref = echo(type("Forgetful", (Actor,), {"on_receive": lambda self, message: Parcel()}))
    parcel = Parcel()
    message = weakref.ref(parcel)
    reply = weakref.ref(ref.ask(parcel, timeout=10))
    del parcel
    eventually(lambda: lies_idle(ref._mailbox))
    gc.collect()
    assert reply() is None
    assert message() is None


def test_a_dropped_reference_does_not_end_the_actor(eventually: Any) -> None:
    """Its thread holds it: told before, it still handles."""
    done = threading.Event()
    ref = Echo.start()
    mailbox = ref._mailbox
    ref.tell(lambda _: done.wait(10))
    del ref
    gc.collect()
    done.set()
    eventually(lambda: lies_idle(mailbox))
    mailbox.seal()


# Agents as actors -----------------------------------------------------------------------------------------------


MANIFEST = AgentManifest(name="pa")


class Answerer(Agent[Any]):
    """Reads its inbox until it is told to stop."""

    total = 7

    def run(self, query: Any) -> Any:
        heard = []
        while (content := self.receive().content) != "stop":
            heard.append(content)
        return heard

    def on_receive(self, message: Any) -> Any:
        if message == "fail":
            raise KeyError("asked for it")
        return f"re: {message}"


class Mute(Agent[Any]):
    """Reads one message; answers no asks."""

    def run(self, query: Any) -> Any:
        return self.receive().content


@pytest.fixture
def agent(make_pool: Any) -> Any:
    """Starts one agent; gives its handle and its Pykka reference."""

    def make(cls: type[Agent[Any]] = Answerer, **options: Any) -> Any:
        pool = make_pool(**options)
        begun = threading.Event()
        found: list[Any] = []

        class Shown(cls):  # type: ignore[valid-type, misc]
            def on_start(self) -> None:
                found.append(self)
                begun.set()

        handle = pool.spawn(SpawnConfig(MANIFEST, "", agent=Shown))
        assert begun.wait(10)
        return handle, found[0].actor_ref, found[0]

    return make


def test_an_agent_is_a_pykka_actor(agent: Any) -> None:
    """With a urn, an inbox, a reference, and the same ones each time."""
    handle, ref, actor = agent()
    assert isinstance(actor, pykka.ThreadingActor)
    assert isinstance(ref, pykka.ActorRef)
    assert actor.actor_ref is ref
    assert ref.actor_urn == actor.actor_urn
    assert ref.actor_urn.startswith("urn:uuid:")
    assert ref.actor_inbox is actor.actor_inbox
    assert ref.is_alive()
    assert pykka.ActorRegistry.get_all() == []
    ref.tell("hello")
    ref.tell("stop")
    assert handle.result(10) == ["hello"]
    assert not ref.is_alive()
    assert ref.actor_stopped.wait(10)


def test_an_agent_cannot_be_started_without_a_pool() -> None:
    """The message says what to do instead."""
    with pytest.raises(TypeError, match=r"use pool\.spawn"):
        Answerer.start()


def test_an_ask_is_answered_when_the_agent_reads_its_inbox(agent: Any) -> None:
    """By on_receive, on its own thread; also through a future and a proxy, and also an error."""
    _, ref, _ = agent()
    assert ref.ask("how are you", timeout=10) == "re: how are you"
    assert ref.ask("x", block=False).get(timeout=10) == "re: x"
    assert ref.ask_future("y").result(10) == "re: y"
    assert ref.proxy().total.get(timeout=10) == 7
    with pytest.raises(KeyError, match="asked for it"):
        ref.ask("fail", timeout=10)
    assert ref.is_alive()


def test_an_agent_that_defines_no_answer_says_so(agent: Any) -> None:
    """TypeError for the asker; the agent goes on."""
    handle, ref, _ = agent(Mute)
    with pytest.raises(TypeError, match="does not answer asks"):
        ref.ask("x", timeout=10)
    ref.tell("message")
    assert handle.result(10) == "message"


def test_asks_of_an_agent_that_is_gone_or_busy(agent: Any, gate: Any) -> None:
    """Dead, full and late each have their error; nothing hangs."""

    class Busy(Agent[Any]):
        def run(self, query: Any) -> None:
            gate.hold()

    handle, ref, _ = agent(Busy, inbox_capacity=2)
    with pytest.raises(AskTimeout):
        ref.ask("late", timeout=0.01)
    waiting = ref.ask_future("unread")
    with pytest.raises(InboxFull, match="is full"):
        ref.tell("no room")
    with pytest.raises(InboxFull):
        ref.ask_future("no room").get(timeout=0)
    gate.open()
    handle.result(10)
    with pytest.raises(ActorDead, match="ended before it answered"):
        waiting.get(timeout=10)
    with pytest.raises(ActorDead):
        ref.tell("gone")
    with pytest.raises(ActorDead):
        ref.ask("gone", timeout=10)


def test_stopping_an_agent_cancels_it(agent: Any) -> None:
    """stop() waits for its end and says whether it lived; abort() names a reason; the actor may stop itself."""
    handle, ref, _ = agent()
    assert ref.stop(timeout=10) is True
    assert handle.outcome(10).status == "cancelled"
    assert ref.stop(timeout=10) is False
    assert ref.stop(block=False).get(timeout=10) is False

    handle, ref, _ = agent()
    ref.abort("enough")
    assert handle.outcome(10).error.reason == "enough"

    handle, _, actor = agent()
    actor.stop()
    assert handle.outcome(10).error.reason == "stopped"


def test_another_librarys_stop_all_reaches_nobody_of_ours(agent: Any, echo: Any) -> None:
    """Neither actors nor agents are in Pykka's registry."""
    ref = echo()
    handle, agent_ref, _ = agent()
    pykka.ActorRegistry.stop_all()
    assert ref.ask("alive", timeout=10) == "alive"
    agent_ref.tell("stop")
    assert handle.outcome(10).status == "completed"


@pinned_only
def test_the_end_of_the_program_aborts_it(echo: Any) -> None:
    """What the exit hook calls: aborted, and its cleanup awaited."""
    ref = echo()
    ref._cell.abort_at_exit()
    ref._cell.end_at_exit()
    assert ref.actor_stopped.is_set()
    assert ref.actor.log[-1] == "stop"


@pinned_only
def test_the_end_of_the_program_waits_no_longer_than_it_may(echo: Any, gate: Any, monkeypatch: Any) -> None:
    """For a cleanup that hangs."""
    monkeypatch.setattr(pinned_cell, "EXIT_TIMEOUT", 0.01)
    ref = echo()
    ref.tell(gate.hold)
    gate.await_reached()
    ref._cell.abort_at_exit()
    ref._cell.end_at_exit()
    assert ref.is_alive()
    gate.open()


@pytest.fixture
def lasting() -> Iterator[None]:
    """Threads of actors that ended wait for the next one, however long; at the end they go."""
    crew, at_exit().crew = at_exit().crew, Crew("lasting", keep=None)
    yield
    crew, at_exit().crew = at_exit().crew, crew
    crew.close()


@pinned_only
@pytest.mark.usefixtures("lasting")
def test_the_thread_of_one_that_ended_is_the_next_ones(echo: Any, eventually: Any) -> None:
    """Under the name of whoever runs on it; who ended is not there any more."""
    first = echo()
    thread, cell = first.ask(lambda _: threading.current_thread(), timeout=10), first._cell
    assert thread.name.startswith("Echo-")
    first.stop()
    eventually(lambda: thread.name == "actors-idle")
    second = echo()
    look = second.ask(lambda _: (threading.current_thread(), thread.name, cell.is_here()), timeout=10)
    assert look[0] is thread
    assert look[1].startswith("Echo-")
    assert look[2] is False


def test_the_thread_of_one_that_ended_ends_soon(echo: Any, eventually: Any) -> None:
    """When nobody needs it."""
    ref = echo()
    thread = ref.ask(lambda _: threading.current_thread(), timeout=10)
    ref.stop()
    eventually(lambda: not thread.is_alive())


@pinned_only
@pytest.mark.usefixtures("lasting")
def test_one_whose_end_fails_is_not_there_any_more(echo: Any, eventually: Any, monkeypatch: Any) -> None:
    """A defect, or a sink of the log that raises."""
    first, second = echo(), echo()
    thread = first.ask(lambda _: threading.current_thread(), timeout=10)
    monkeypatch.setattr(first._cell, "finish", lambda _: 1 / 0)
    first.stop(block=False)
    eventually(lambda: thread.name == "actors-idle")
    monkeypatch.undo()
    third = echo()
    assert third.ask(lambda _: (threading.current_thread(), first._cell.is_here()), timeout=10) == (thread, False)
    first._cell.finish(ActorEnd.STOPPED)
    second.stop()


def test_who_asks_a_dead_one_after_its_own_abort_is_cancelled(echo: Any, gate: Any) -> None:
    """It has not crashed: both may end with the program, in any order."""
    failures: list[Any] = []
    cls = type("Noting", (Echo,), {"on_failure": lambda _, *failure: failures.append(failure)})
    dead, asking = echo(), echo(cls)
    dead.stop(timeout=10)
    asking.tell(lambda _: (gate.hold(), dead.ask("anybody there?")))
    gate.await_reached()
    asking.abort("enough")
    gate.open()
    assert asking._cell.ended.get(timeout=10) == "aborted"
    assert not failures


@pinned_only
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupted_start(echo: Any, monkeypatch: Any, when: str) -> None:
    """Ctrl-C comes before its job is handed over: nothing is left behind. After: it is aborted, and cleans up once."""
    start = at_exit().crew.start
    made: list[Any] = []

    def interrupted(job: Any) -> None:
        if when == "after":
            start(job)
            made[0]._is_under_way = True
        raise KeyboardInterrupt

    class Noted(Echo):
        def __init__(self) -> None:
            super().__init__()
            made.append(self._cell)

    monkeypatch.setattr(at_exit().crew, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        echo(Noted)
    cell = made[0]
    assert cell.ended.get(timeout=10) == ("aborted" if when == "after" else "crashed")
    assert cell.how_ended == cell.ended.get(timeout=10)


def test_the_future_of_the_class_is_ours() -> None:
    """Pykka asks the class for it."""
    assert isinstance(Echo._create_future(), ReplyFuture)


@pytest.mark.parametrize("chosen", ["pinned", "shared"])
def test_any_object_is_a_message(chosen: str, echo: Any) -> None:
    """What is told lies in the mailbox as it is: None, and what stands for something elsewhere, are messages too."""

    class Hears(Echo):
        dispatcher = chosen
        inbox_capacity = None

    ref, nothing = echo(Hears), object()
    odd = [None, False, nothing, Exception("no error"), ()]
    for message in odd:
        ref.tell(message)
    assert ref.stop(timeout=10)
    assert [one for one in ref.actor.log if one not in ("start", "stop")] == odd


def test_an_envelope_without_an_asker_is_a_message_like_any_other(echo: Any) -> None:
    """The loop takes what Pykka's inbox protocol puts."""
    ref = echo()
    ref.actor.actor_inbox.put(Envelope("put by hand"))
    ref.stop(timeout=10)
    assert "put by hand" in ref.actor.log


class Quiet(Actor):
    """Has no thread, and no hooks."""

    dispatcher = "shared"

    def on_receive(self, message: Any) -> Any:
        return message() if callable(message) else message


@shared_only
@pytest.mark.parametrize("first", ["new", "was asked"])
@pytest.mark.parametrize("block", [True, False])
def test_one_that_lies_idle_ends_in_the_thread_that_stops_it(first: str, block: bool, eventually: Any) -> None:
    """No worker is called for it, and its references are told all the same, before and after."""
    ref = Quiet.start()
    if first == "was asked":
        assert ref.ask(1, timeout=10) == 1
        eventually(lambda: ref._mailbox.is_attended and ref._cell.is_laid_down)
    actor = weakref.ref(ref._cell.actor)
    handled = shared_dispatcher().stats().handled
    found = ref.stop(block=block)
    assert ref.how_ended == "stopped"
    assert not ref.is_alive()
    assert actor() is None, "it is freed at once"
    assert (found if block else found.get(timeout=0)) is True
    assert ref.stop() is False
    assert ref.actor_stopped.is_set()
    told: list[Any] = []
    ref.watch(told.append)
    assert told == [ref]
    with pytest.raises(ActorDead):
        ref.tell("late")
    with pytest.raises(ActorDead):
        ref.ask("late", timeout=10)
    assert shared_dispatcher().stats().handled == handled


@shared_only
@pytest.mark.parametrize("what", ["a watcher", "a message", "at work"])
def test_one_that_would_notice_ends_by_a_worker(what: str, gate: Any) -> None:
    """Who watches it is told there; what was accepted is handled first."""
    ref, told = Quiet.start(), []
    if what == "a watcher":
        ref.watch(lambda _: told.append(threading.get_ident()))
    else:
        ref.tell(gate.hold)
        if what == "at work":
            gate.await_reached()
        ref.tell(lambda: told.append(threading.get_ident()))
    ending = ref.stop(block=False)
    if what != "a watcher":
        assert ref.is_alive()
    gate.open()
    assert ending.get(timeout=10) is True
    assert len(told) == 1
    assert told[0] != threading.get_ident()


def test_an_author_may_use_names_that_mean_something_here() -> None:
    """As programs do that were written for Pykka: theirs count, also in an actor that has a parent and children."""

    class Node(Actor):
        def __init__(self, parent: Any) -> None:
            super().__init__()
            self.parent = parent
            self.children = [1, 2]

        def on_receive(self, message: Any) -> Any:
            self.start_child(Quiet, name="own")
            return self.parent, self.children

    ref = Node.start("somebody")
    assert ref.ask("who", timeout=10) == ("somebody", [1, 2])
    ref.stop(timeout=10)
