"""Who comes first at a mailbox, or at the future of an ask: both winners of each race."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import (
    Actor,
    ActorDead,
    AgentMessage,
    AskTimeout,
    DeadLetterReason,
    InboxClosed,
    MessageRouter,
    SendError,
)

from ..contract.doubles import doing
from . import points
from .steps import in_order

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Echo(Actor):
    """Answers with the message, and notes it; calls a message that can be called."""

    inbox_capacity = 1

    def __init__(self, handled: list[Any]) -> None:
        super().__init__()
        self.handled = handled

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        self.handled.append(message)
        return message


SENDS = {
    "tell": lambda ref, message: ref.tell(message),
    "tell with patience": lambda ref, message: ref.tell(message, timeout=10),
    "ask": lambda ref, message: ref.ask(message, timeout=10),
    "ask_future": lambda ref, message: ref.ask_future(message).result(10),
}


@pytest.mark.parametrize("how", SENDS)
@pytest.mark.parametrize("winner", ["stop", "put"])
def test_stop_against_put(winner: str, how: str, actor: Any, steps: Any, in_thread: Any) -> None:
    """What is in before the stop is handled; what comes after it is refused, and its sender has it back."""
    handled: list[Any] = []
    ref = actor(Echo, handled)
    race = steps(*in_order(winner, "stop", "put"))
    points.at_mailbox_of_actor(ref, race)
    putting = in_thread(race.part("put", SENDS[how]), ref, "message")
    stopping = in_thread(race.part("stop", ref.stop), timeout=10)
    assert stopping.result(10) is True
    if winner == "put":
        assert putting.result(10) == (None if how.startswith("tell") else "message")
        assert handled == ["message"]
    else:
        with pytest.raises(ActorDead) as info:
            putting.result(10)
        assert info.value.message == "message"
        assert handled == []


@pytest.mark.parametrize("winner", ["put", "close"])
def test_close_against_a_blocked_put(
    winner: str, actor: Any, steps: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Room that appears before the close lets the waiting sender in; a close before that wakes it with an error."""
    handled: list[Any] = []
    race = steps(*in_order(winner, "put", "close"))

    def busy(_: Any) -> None:
        gate.hold()
        race.play("put")  # this thread makes room next

    ref = actor(Echo, handled)
    ref.tell(busy)
    gate.await_reached()
    ref.tell("first")
    blocked = in_thread(ref.tell, "blocked", timeout=None)
    eventually(lambda: points.waiting_senders(ref) == 1)
    points.at_mailbox_of_actor(ref, race)
    stopping = in_thread(race.part("close", ref.stop), timeout=10)
    gate.open()
    assert stopping.result(10) is True
    if winner == "put":
        assert blocked.result(10) is None
        assert handled == ["first", "blocked"]
    else:
        with pytest.raises(ActorDead) as info:
            blocked.result(10)
        assert info.value.message == "blocked"
        assert handled == ["first"]


@pytest.mark.parametrize("winner", ["close", "put"])
def test_close_against_a_put_that_is_about_to_wait(
    winner: str, actor: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """Between the refusal for lack of room and the place in the line: whoever is first, the sender is told, at once."""
    ref = actor(Echo, [])
    ref.tell(lambda _: gate.hold())
    gate.await_reached()
    ref.tell("first")
    race = steps(*in_order(winner, "close", "put"), put=1)
    points.at_mailbox_of_actor(ref, race)
    putting = in_thread(race.part("put", ref.tell), "blocked", timeout=None)
    in_thread(race.part("close", ref.stop), block=False).result(10)
    with pytest.raises(ActorDead):
        putting.result(5)  # the actor still handles its first message
    assert points.waiting_senders(ref) == 0
    gate.open()


@pytest.mark.parametrize("winner", ["room", "patience"])
def test_room_against_the_patience_of_a_sender(
    winner: str, actor: Any, steps: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """A sender whose time runs out just as it gets in, is in; else it takes its message back. Never both."""
    handled: list[Any] = []
    race = steps(*in_order(winner, "room", "patience"), patience=2)

    def busy(_: Any) -> None:
        gate.hold()
        race.play("room")

    ref = actor(Echo, handled)
    ref.tell(busy)
    gate.await_reached()
    ref.tell("first")
    points.at_mailbox_of_actor(ref, race)
    # Its third visit to the lock is the one after the wait: it leaves the line.
    putting = in_thread(race.part("patience", ref.tell), "second", timeout=0.02)
    gate.open()
    if winner == "room":
        assert putting.result(10) is None
    else:
        with pytest.raises(SendError) as info:
            putting.result(10)
        assert info.value.message == "second"
    assert ref.stop(timeout=10) is True
    assert handled == (["first", "second"] if winner == "room" else ["first"])


@pytest.mark.parametrize("winner", ["timeout", "reply"])
def test_timeout_against_reply(
    winner: str, actor: Any, steps: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply that is there when the time runs out is the answer; one that comes later is dropped, and harms nobody."""
    race = steps(*in_order(winner, "timeout", "reply"))
    points.at_settling(monkeypatch, race)

    def answer(_: Any) -> str:
        race.play("reply")
        return "reply"

    ref = actor(Echo, [])
    asking = in_thread(race.part("timeout", ref.ask), answer, timeout=0.02)
    if winner == "reply":
        assert asking.result(10) == "reply"
    else:
        with pytest.raises(AskTimeout):
            asking.result(10)
    assert ref.ask("next", timeout=10) == "next"


@pytest.mark.parametrize("winner", ["ask", "abort"])
def test_ask_against_abort(winner: str, actor: Any, steps: Any, gate: Any, in_thread: Any) -> None:
    """The asker is told at once in both cases, whatever the actor is at; and the message is not handled."""
    handled: list[Any] = []
    ref = actor(Echo, handled)
    ref.tell(lambda _: gate.hold())
    gate.await_reached()
    race = steps(*in_order(winner, "ask", "abort"))
    points.at_mailbox_of_actor(ref, race)
    asking = in_thread(race.part("ask", ref.ask), "message", timeout=None)
    in_thread(race.part("abort", ref.abort), "enough").result(10)
    race.await_passed("ask")
    with pytest.raises(ActorDead) as info:
        asking.result(10)
    assert ref.is_alive(), "its handler has not ended yet"
    gate.open()
    assert info.value.message == "message"
    assert ref.actor_stopped.wait(10)
    assert handled == []


@pytest.mark.parametrize("winner", ["reply", "abort"])
def test_reply_against_abort(winner: str, actor: Any, steps: Any, in_thread: Any) -> None:
    """A handler that is through before the abort answers; one that meets it at a checkpoint does not."""
    race = steps(*in_order(winner, "reply", "abort"))

    def answer(self: Echo) -> str:
        with race.point("reply"):
            self.cancel_token.check()
        race.await_passed("abort")
        return "reply"

    ref = actor(Echo, [])
    asking = in_thread(ref.ask, answer, timeout=10)
    with race.point("abort"):
        ref.abort("enough")
    if winner == "reply":
        assert asking.result(10) == "reply"
    else:
        with pytest.raises(ActorDead, match="enough"):
            asking.result(10)


@pytest.mark.parametrize("winner", ["callback", "settle"])
def test_registering_a_callback_against_settling(
    winner: str, actor: Any, steps: Any, gate: Any, in_thread: Any
) -> None:
    """Called once: by the thread that settles, or by the one that comes too late to be told."""

    def answer(_: Any) -> int:
        gate.hold()
        race.play("settle")
        return threading.get_ident()

    ref = actor(Echo, [])
    future = ref.ask_future(answer)
    gate.await_reached()
    race = steps(*in_order(winner, "callback", "settle"))
    points.at_future(future, race)
    called: list[int] = []

    def register() -> int:
        future.add_done_callback(lambda _: called.append(threading.get_ident()))
        return threading.get_ident()

    registering = in_thread(race.part("callback", register))
    gate.open()
    settler = future.result(10)
    registrar = registering.result(10)
    ref.stop(timeout=10)
    assert called == [settler if winner == "callback" else registrar]


@pytest.mark.parametrize("winner", ["unregister", "send"])
def test_unregister_against_send(winner: str, steps: Any, in_thread: Any) -> None:
    """What is in before is a dead letter; what comes after is refused, and its sender has it back."""
    router = MessageRouter(4)
    router.register(7)
    router.send(AgentMessage(sender=0, to=7, content="earlier"))  # its mailbox is made by the first message
    race = steps(*in_order(winner, "unregister", "send"))
    points.at_mailbox_of_id(router, 7, race)
    message = AgentMessage(sender=0, to=7, content="words")
    sending = in_thread(race.part("send", router.send), message)
    in_thread(race.part("unregister", router.unregister), 7).result(10)
    if winner == "send":
        assert sending.result(10) is None
    else:
        with pytest.raises(InboxClosed) as info:
            sending.result(10)
        assert info.value.message == message
    letters = [letter.message.content for letter in router.dead_letters]
    assert letters == (["earlier", "words"] if winner == "send" else ["earlier"])
    assert {letter.reason for letter in router.dead_letters} == {DeadLetterReason.UNREGISTERED}


@pytest.mark.parametrize("winner", ["end", "send"])
def test_the_end_of_an_agent_against_send(winner: str, make_pool: Any, steps: Any, gate: Any, in_thread: Any) -> None:
    """What is in before is a dead letter; what comes after is refused."""
    race = steps(*in_order(winner, "end", "send"))
    pool = make_pool()
    handle = pool.spawn(doing(lambda agent, _: gate.hold(), ending=lambda *_: race.play("end")))
    gate.await_reached()
    points.at_mailbox_of_agent(pool, handle, race)
    sending = in_thread(race.part("send", pool.router.send), AgentMessage(sender=0, to=handle.id, content="words"))
    gate.open()
    assert handle.outcome(10).ok
    if winner == "send":
        assert sending.result(10) is None
        (letter,) = pool.router.dead_letters
        assert (letter.message.content, letter.reason) == ("words", DeadLetterReason.RECEIVER_ENDED)
    else:
        with pytest.raises(InboxClosed):
            sending.result(10)
        assert not list(pool.router.dead_letters)
