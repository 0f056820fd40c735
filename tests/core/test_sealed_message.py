"""Messages that came from another process."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from actors.core.messaging.dead_letter import DeadLetterReason
from actors.core.messaging.router import MessageRouter
from actors.core.records.message import AgentMessage
from actors.core.records.sealed_message import SealedMessage
from actors.errors import InboxFull, NotRegistered


def test_its_content_is_made_by_its_reader_who_gets_a_plain_message() -> None:
    """Nothing is made before it is read, and what is read is an ordinary message."""
    told: list[str] = []
    router = MessageRouter()
    inbox = router.register(5)

    def make() -> list[int]:
        told.append("made")
        return [1]

    router.send(SealedMessage.of(3, 5, make, lambda: told.append("read")))
    assert told == []
    message = inbox.receive(0)
    assert type(message) is AgentMessage
    assert (message, told) == (AgentMessage(3, 5, [1]), ["read", "made"])


def test_one_that_cannot_be_made_is_a_dead_letter_and_the_next_one_is_read() -> None:
    """A class that is not here harms no message behind it."""
    router = MessageRouter()
    inbox = router.register(5)

    def fail() -> Any:
        raise ModuleNotFoundError("no module named theirs")

    router.send(SealedMessage.of(3, 5, fail))
    router.send(AgentMessage(3, 5, "next"))
    assert inbox.receive(0).content == "next"
    assert router.dead_letters.counts() == {DeadLetterReason.POISON: 1}
    with pytest.raises(TimeoutError):
        inbox.receive(0)


def test_it_is_like_the_open_one_wherever_it_is_looked_at() -> None:
    """A listener to dead letters sees no difference."""
    sealed = SealedMessage.of(3, 5, lambda: "hello")
    plain = AgentMessage(3, 5, "hello")
    assert sealed == plain
    assert plain == sealed
    assert hash(sealed) == hash(plain)
    assert repr(sealed) == repr(plain)
    assert type(pickle.loads(pickle.dumps(sealed))) is AgentMessage


def test_a_router_asks_elsewhere_for_ids_that_it_does_not_know_and_for_mailboxes() -> None:
    """Both ways out of the process are one object, and a full mailbox there raises as one here."""

    class Far:
        def __init__(self) -> None:
            self.sent: list[int] = []

        def mailbox(self, endpoint: Any, capacity: int) -> None:
            self.sent.append(endpoint.id * capacity)

        def send(self, message: AgentMessage, timeout: float | None) -> None:
            self.sent.append(message.to)
            if timeout is None:
                raise NotRegistered("nobody", message)

    router, far = MessageRouter(1), Far()
    router.elsewhere = far
    router.send(AgentMessage(0, 7, "x"))
    with pytest.raises(NotRegistered):
        router.send(AgentMessage(0, 8, "x"), None)
    router.register(-3)
    router.send(AgentMessage(0, -3, "x"))
    with pytest.raises(InboxFull):
        router.send(AgentMessage(0, -3, "y"))
    assert far.sent == [7, 8, -3]
