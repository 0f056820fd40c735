"""The router: each message to the mailbox of its id, and a reason for those that nobody reads."""

from __future__ import annotations

import time
from typing import Any

import pytest

from actors.core.actors.actor import Actor
from actors.core.actors.envelope import Question
from actors.core.actors.reply import ReplyFuture
from actors.core.messaging.router import Endpoint, Inbox, MessageRouter
from actors.core.records.message import AgentMessage
from actors.errors import ActorDead, Cancelled, InboxClosed, InboxFull, NotRegistered


def message(to: int, content: Any = "hello", sender: int = 0) -> AgentMessage:
    return AgentMessage(sender, to, content)


def reasons(router: MessageRouter) -> list[tuple[Any, str]]:
    return [(letter.message.content, str(letter.reason)) for letter in router.dead_letters]


def somebody_reads(router: MessageRouter) -> bool:
    mailbox = router._endpoints[1].mailbox
    return mailbox is not None and bool(mailbox._getters)


def somebody_waits_for_room(router: MessageRouter) -> bool:
    mailbox = router._endpoints[1].mailbox
    return mailbox is not None and bool(mailbox._putters)


# Registration ---------------------------------------------------------------------------------------------------


def test_a_router_stands_alone() -> None:
    """Any id may register; 0 is the program's and is not counted."""
    router = MessageRouter(4)
    inbox = router.register(7)
    router.register(-1)
    assert router.agent_count == 2
    router.send(message(7))
    assert len(inbox) == 1
    assert inbox.receive(0).content == "hello"
    assert bool(inbox), "an empty inbox is still an inbox"


@pytest.mark.parametrize("capacity", [0, -1])
def test_an_inbox_holds_at_least_one(capacity: int) -> None:
    """A router without room is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        MessageRouter(capacity)


def test_a_taken_id_is_refused() -> None:
    """Also 0, once somebody has it."""
    router = MessageRouter()
    router.register(1)
    with pytest.raises(ValueError, match="already registered"):
        router.register(1)
    router.register(0)
    with pytest.raises(ValueError, match="already registered"):
        router.register(0)


def test_in_a_pools_router_positive_ids_are_the_supervisors() -> None:
    """The program takes negative ones; 0 is read through the pool."""
    router = MessageRouter(supervised=True)
    with pytest.raises(ValueError, match="register -5 instead"):
        router.register(5)
    with pytest.raises(ValueError, match="belongs to the pool"):
        router.unregister(5)
    with pytest.raises(ValueError, match="already registered"):
        router.register(0)
    router.register(-5)
    router.send(message(-5))


def test_the_program_is_never_unregistered() -> None:
    """A send to 0 never fails, so 0 stays."""
    with pytest.raises(ValueError, match="belongs to the program"):
        MessageRouter().unregister(0)


def test_unregistering_makes_dead_letters_of_the_unread() -> None:
    """With the reason; unknown ids are ignored; the id may be used again."""
    router = MessageRouter()
    inbox = router.register(1)
    router.send(message(1, "read"))
    router.send(message(1, "unread"))
    assert inbox.receive(0).content == "read"
    router.unregister(1)
    router.unregister(1)
    assert reasons(router) == [("unread", "unregistered")]
    assert router.agent_count == 0
    with pytest.raises(InboxClosed, match="inbox of 1 is closed"):
        inbox.receive(10)
    assert inbox.receive_nowait() is None
    router.register(1)


def test_a_second_unregister_does_not_take_the_ids_next_owner_with_it() -> None:
    """Unregister finds the endpoint; meanwhile the id is freed and taken anew: the new one stays."""
    router = MessageRouter()
    router.register(1)
    old = router._endpoints[1]
    router.unregister(1)
    router.register(1)
    router.forget(old, [])  # the second half of an unregister that was overtaken
    router.send(message(1))
    assert router.agent_count == 1


def test_an_endpoint_without_mail_has_no_mailbox_to_bury() -> None:
    """Most agents never get a message."""
    router = MessageRouter()
    inbox = router.register(1)
    assert len(inbox) == 0
    assert inbox.receive_nowait() is None
    router.unregister(1)
    assert reasons(router) == []


# Sending --------------------------------------------------------------------------------------------------------


def test_a_send_to_nobody_carries_the_message_back() -> None:
    """NotRegistered: it ended, or never was."""
    letter = message(9)
    with pytest.raises(NotRegistered, match="agent 9 is not registered") as info:
        MessageRouter().send(letter)
    assert info.value.message is letter


def test_a_full_inbox_errs_at_once_or_after_the_named_time() -> None:
    """InboxFull carries the message back, and nothing was sent."""
    router = MessageRouter(1)
    inbox = router.register(1)
    router.send(message(1, "first"))
    letter = message(1, "second")
    before = time.monotonic()
    with pytest.raises(InboxFull, match=r"is full \(1 messages\)") as info:
        router.send(letter)
    assert time.monotonic() - before < 1
    assert info.value.message is letter
    with pytest.raises(InboxFull):
        router.send(letter, timeout=0.01)
    assert inbox.receive(0).content == "first"
    assert inbox.receive_nowait() is None


def test_a_sender_may_wait_for_room(in_thread: Any, eventually: Any) -> None:
    """With a timeout the message gets in as soon as somebody reads."""
    router = MessageRouter(1)
    inbox = router.register(1)
    router.send(message(1, "first"))
    sender = in_thread(router.send, message(1, "second"), timeout=None)
    eventually(lambda: somebody_waits_for_room(router))
    assert inbox.receive(0).content == "first"
    sender.result(10)
    assert inbox.receive(10).content == "second"


def test_a_blocked_sender_whose_receiver_ends_is_told(in_thread: Any, eventually: Any) -> None:
    """InboxClosed carries its message back; only what was accepted is a dead letter."""
    router = MessageRouter(1)
    router.register(1)
    router.send(message(1, "accepted"))
    letter = message(1, "waiting")
    sender = in_thread(router.send, letter, timeout=None)
    eventually(lambda: somebody_waits_for_room(router))
    router.unregister(1)
    with pytest.raises(InboxClosed, match="it ended") as info:
        sender.result(10)
    assert info.value.message is letter
    assert reasons(router) == [("accepted", "unregistered")]


def test_a_sender_that_looked_the_id_up_before_it_went_is_told() -> None:
    """Found, then forgotten, then opened: the mailbox is born closed, and nothing is lost in it."""
    router = MessageRouter()
    router.register(1)
    endpoint = router._endpoints[1]

    class Late(dict[int, Endpoint]):
        def get(self, key: int, default: Any = None) -> Any:
            router._endpoints = real
            found = real.get(key)
            router.unregister(1)
            return found

    real = router._endpoints
    router._endpoints = Late(real)
    with pytest.raises(InboxClosed):
        router.send(message(1))
    assert endpoint.gone
    assert router.agent_count == 0


def test_order_is_kept_for_each_pair() -> None:
    """First in, first out."""
    router = MessageRouter()
    inbox = router.register(1)
    for n in range(10):
        router.send(message(1, n, sender=n % 2))
    assert [inbox.receive(0).content for _ in range(10)] == list(range(10))


# The program's inbox --------------------------------------------------------------------------------------------


def test_a_send_to_the_program_never_fails() -> None:
    """When its inbox is full the oldest message becomes a dead letter."""
    router = MessageRouter(2)
    for n in range(4):
        router.send(message(0, n, sender=1))
    assert reasons(router) == [(0, "dropped_oldest"), (1, "dropped_oldest")]
    inbox = router.inbox()
    assert len(inbox) == 2
    assert [inbox.receive(0).content, inbox.receive_nowait().content] == [2, 3]  # type: ignore[union-attr]


def test_who_registers_0_reads_what_was_sent_to_the_program() -> None:
    """It is the same mailbox."""
    router = MessageRouter()
    router.send(message(0, "early"))
    assert router.register(0).receive(0).content == "early"


# Receiving ------------------------------------------------------------------------------------------------------


def test_receive_waits_its_time() -> None:
    """0 does not wait; the error names id and time."""
    inbox = MessageRouter().register(3)
    with pytest.raises(TimeoutError, match="no message for 3 within 0 s"):
        inbox.receive(0)
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        inbox.receive(0.01)


def test_receive_is_woken_by_a_message_and_by_the_end(in_thread: Any, eventually: Any) -> None:
    """A reader that waits gets the message, or learns that none will come."""
    router = MessageRouter()
    inbox = router.register(1)
    for step in ("message", "end"):
        reader = in_thread(inbox.receive)
        eventually(lambda: somebody_reads(router))
        if step == "message":
            router.send(message(1))
            assert reader.result(10).content == "hello"
        else:
            router.unregister(1)
            with pytest.raises(InboxClosed):
                reader.result(10)


def test_an_inbox_that_deals_with_items_itself_goes_on_to_the_next() -> None:
    """What a subclass answers on the way is no message, whichever way it is read, and the time is one time."""

    class Picky(Inbox):
        def _message(self, item: Any) -> AgentMessage | None:
            return item if isinstance(item, AgentMessage) else None

    router = MessageRouter()
    router.register(1)
    endpoint = router._endpoints[1]
    inbox = Picky(router, endpoint)
    box = router.open(endpoint)
    box.offer("ask")
    box.offer(message(1, "one"))
    assert inbox.receive(10).content == "one"
    box.offer("ask")
    box.offer(message(1, "two"))
    two = inbox.receive_nowait()
    assert two is not None
    assert two.content == "two"
    box.offer("ask")
    assert inbox.receive_nowait() is None
    box.offer("ask")
    with pytest.raises(TimeoutError):
        inbox.receive(0.01)


def test_an_ask_that_nobody_read_is_refused_and_a_dead_letter() -> None:
    """Its sender is told, and what it asked is kept."""
    router = MessageRouter()
    router.register(1)
    future: ReplyFuture[Any] = ReplyFuture()
    router.open(router._endpoints[1]).offer(Question("question", future))
    router.unregister(1)
    with pytest.raises(ActorDead, match="unregistered before it answered"):
        future.get(timeout=0)
    assert [letter.message for letter in router.dead_letters] == ["question"]


def test_an_actor_that_waits_for_a_message_can_be_aborted(eventually: Any) -> None:
    """A wait in an inbox ends at the cancel of who waits; the inbox is as it was."""
    router = MessageRouter()
    inbox = router.register(1)
    seen: list[str] = []

    class Reader(Actor):
        def on_receive(self, _: Any) -> None:
            try:
                inbox.receive()
            except Cancelled as error:
                seen.append(error.reason)
                raise

    ref = Reader.start()
    ref.tell("read")
    eventually(lambda: somebody_reads(router))
    ref.abort("enough")
    assert ref.actor_stopped.wait(10)
    assert seen == ["enough"]
    router.send(message(1))
    assert inbox.receive(0).content == "hello"
