"""MessageRouter, AgentMessage, dead letters."""

from __future__ import annotations

import json
import pickle
import threading
import time

import pytest

from actors import AgentMessage, AgentPool, MessageRouter
from actors.errors import InboxClosed, InboxFull, NotRegistered, SendError

from ..waiting import eventually
from .doubles import WAIT, Background, doing, held


def message(to, content="x", sender=0):
    return AgentMessage(sender=sender, to=to, content=content)


# AgentMessage ----------------------------------------------------------------------------------------------------


def test_message_is_frozen_and_equal_by_value() -> None:
    """A frozen pydantic model."""
    made = message(2, "hi", sender=1)
    assert made == message(2, "hi", sender=1)
    with pytest.raises(Exception, match=r"(?i)frozen|immutable"):
        made.content = "other"


def test_json_names_of_a_message() -> None:
    """from, to, content; both ways."""
    made = message(2, {"n": [1, None]}, sender=1)
    assert json.loads(made.model_dump_json(by_alias=True)) == {"from": 1, "to": 2, "content": {"n": [1, None]}}
    assert AgentMessage.model_validate_json('{"from": 1, "to": 2, "content": {"n": [1, null]}}') == made


def test_any_object_is_content_and_is_not_copied() -> None:
    """Threads of one process hand over the object itself."""
    content = object()
    assert message(1, content).content is content
    items = ["list"]
    assert message(1, items).content is items


def test_message_survives_pickling() -> None:
    """A round trip."""
    made = message(2, ("a", 1), sender=-3)
    assert pickle.loads(pickle.dumps(made)) == made


def test_unknown_fields_are_refused() -> None:
    """A typo is an error."""
    with pytest.raises((ValueError, TypeError)):
        AgentMessage(sender=0, to=1, content="x", colour="red")


# Stand-alone -----------------------------------------------------------------------------------------------------


def test_register_send_receive() -> None:
    """What is sent to an id comes out of its inbox, in order."""
    router = MessageRouter(4)
    inbox = router.register(7)
    for number in range(4):
        assert router.send(message(7, number, sender=3)) is None
    assert len(inbox) == 4
    assert [inbox.receive(timeout=WAIT).content for _ in range(3)] == [0, 1, 2]
    assert inbox.receive_nowait().content == 3
    assert inbox.receive_nowait() is None
    with pytest.raises(TimeoutError):
        inbox.receive(timeout=0.05)


def test_register_twice() -> None:
    """ValueError; after unregister the id is free."""
    router = MessageRouter(1)
    router.register(1)
    with pytest.raises(ValueError):
        router.register(1)
    router.unregister(1)
    router.register(1)


def test_agent_count() -> None:
    """Registered ids."""
    router = MessageRouter(1)
    assert router.agent_count == 0
    router.register(1), router.register(2)
    assert router.agent_count == 2
    router.unregister(1)
    assert router.agent_count == 1


def test_unknown_target() -> None:
    """NotRegistered with the message; also after unregister."""
    router = MessageRouter(1)
    with pytest.raises(NotRegistered) as caught:
        router.send(message(5))
    assert caught.value.message == message(5)
    assert isinstance(caught.value, SendError)
    assert "5" in str(caught.value)
    router.register(5)
    router.unregister(5)
    with pytest.raises(NotRegistered):
        router.send(message(5), timeout=WAIT)


def test_full_inbox_errs_at_once_or_after_the_timeout() -> None:
    """Repaired: bounded, and no wait that the sender did not ask for."""
    router = MessageRouter(2)
    inbox = router.register(1)
    router.send(message(1, "a")), router.send(message(1, "b"))
    for timeout in (0, 0.1):
        begin = time.monotonic()
        with pytest.raises(InboxFull) as caught:
            router.send(message(1, "c"), timeout=timeout)
        assert timeout * 0.9 <= time.monotonic() - begin < timeout + 2
        assert caught.value.message == message(1, "c")
        assert len(inbox) == 2  # I6


def test_blocked_sender_goes_on_when_there_is_room() -> None:
    """A receive lets it in."""
    router = MessageRouter(1)
    inbox = router.register(1)
    router.send(message(1, "a"))
    call = Background(lambda: router.send(message(1, "b"), timeout=WAIT))
    eventually(call.blocked)
    assert inbox.receive(timeout=WAIT).content == "a"
    call.result()
    assert inbox.receive(timeout=WAIT).content == "b"


def test_blocked_sender_is_woken_by_the_close() -> None:
    """InboxClosed with the message, soon."""
    router = MessageRouter(1)
    router.register(1)
    router.send(message(1, "a"))
    calls = [Background(lambda n=n: router.send(message(1, n), timeout=WAIT)) for n in range(3)]
    for call in calls:
        eventually(call.blocked)
    router.unregister(1)
    for number, call in enumerate(calls):
        with pytest.raises(InboxClosed) as caught:
            call.result()
        assert caught.value.message == message(1, number)
        assert call.seconds < 5


def test_blocked_receiver_is_woken_by_the_close() -> None:
    """No receiver waits for ever at a closed inbox."""
    router = MessageRouter(1)
    inbox = router.register(1)
    call = Background(lambda: inbox.receive(timeout=WAIT))
    eventually(call.blocked)
    router.unregister(1)
    with pytest.raises((InboxClosed, TimeoutError)):
        call.result()
    assert call.seconds < 5


def test_unread_messages_become_dead_letters() -> None:
    """Frozen records with a reason, in order."""
    router = MessageRouter(8)
    router.register(1)
    for content in ("first", "second"):
        router.send(message(1, content))
    router.unregister(1)
    letters = list(router.dead_letters)
    assert len(letters) == 2
    for letter, content in zip(letters, ("first", "second"), strict=True):
        assert letter.reason
        assert content in repr(letter)
        with pytest.raises(Exception, match=r"(?i)frozen|assign|immutable"):
            letter.reason = "other"


def test_refused_messages_are_not_dead_letters_too() -> None:
    """I1: each message once; a refused one went back to its sender."""
    router = MessageRouter(1)
    router.register(1)
    router.send(message(1, "a"))
    with pytest.raises(InboxFull):
        router.send(message(1, "b"))
    with pytest.raises(NotRegistered):
        router.send(message(2))
    assert list(router.dead_letters) == []


def test_dead_letters_are_bounded() -> None:
    """A flood does not fill the memory."""
    router = MessageRouter(20_000)
    router.register(1)
    for number in range(20_000):
        router.send(message(1, number))
    router.unregister(1)
    assert len(router.dead_letters) < 20_000


def test_unregister_of_nobody() -> None:
    """No error: it is gone, as asked."""
    MessageRouter(1).unregister(99)


def test_every_accepted_message_is_somewhere() -> None:
    """I1, with senders that race a reader and a close: handled or dead, each once."""
    for _ in range(20):
        router = MessageRouter(4)
        inbox = router.register(1)
        accepted, handled = [], []
        barrier = threading.Barrier(4)

        def send(sender, router=router, barrier=barrier, accepted=accepted):
            barrier.wait(WAIT)
            for number in range(30):
                try:
                    router.send(message(1, (sender, number), sender=sender), timeout=0.02)
                except InboxFull:
                    continue
                except (InboxClosed, NotRegistered):
                    return
                accepted.append((sender, number))

        def read(inbox=inbox, barrier=barrier, handled=handled, router=router):
            barrier.wait(WAIT)
            for _ in range(25):
                handled.append(inbox.receive(timeout=WAIT).content)
            router.unregister(1)

        calls = [Background(lambda s=s: send(s)) for s in (1, 2, 3)] + [Background(read)]
        for call in calls:
            call.result()
        dead = list(router.dead_letters)
        assert len(handled) + len(dead) == len(accepted)
        assert len(set(handled)) == len(handled)
        for sender in (1, 2, 3):  # I4
            numbers = [number for who, number in handled if who == sender]
            assert numbers == sorted(numbers)


# In a pool -------------------------------------------------------------------------------------------------------


def test_messages_reach_the_agent() -> None:
    """Repaired: the receiver of an inbox is not dropped at spawn."""
    with AgentPool() as pool:
        handle = pool.spawn(doing(lambda agent, _: agent.receive(timeout=WAIT)))
        pool.router.send(message(handle.id, "hello"))
        got = handle.result(timeout=WAIT)
    assert (got.sender, got.content) == (0, "hello")


def test_positive_ids_are_the_supervisors() -> None:
    """Endpoints of the program take negative ones."""
    with AgentPool() as pool:
        with pytest.raises(ValueError):
            pool.router.register(5)
        inbox = pool.router.register(-1)
        with pytest.raises(ValueError):
            pool.router.register(-1)
        pool.spawn(doing(lambda agent, _: agent.send(-1, "to the endpoint"))).result(timeout=WAIT)
        assert inbox.receive(timeout=WAIT).content == "to the endpoint"
        pool.router.unregister(-1)


def test_a_send_to_the_program_never_fails() -> None:
    """Id 0: when full, its oldest message becomes a dead letter."""
    with AgentPool(inbox_capacity=2) as pool:
        pool.spawn(doing(lambda agent, _: [agent.send(0, f"note {n}") for n in range(5)])).result(timeout=WAIT)
        assert [pool.inbox.receive(timeout=WAIT).content for _ in range(2)] == ["note 3", "note 4"]
        assert pool.inbox.receive_nowait() is None
        letters = list(pool.router.dead_letters)
        assert len(letters) == 3
        assert all(f"note {n}" in repr(letter) for n, letter in enumerate(letters))
        assert pool.stats().dead_letters == 3


def test_ids_are_forgotten_after_every_end(gate) -> None:
    """Repaired: after a crash or an abort the router forgets the id, always."""
    with AgentPool(max_concurrent=3) as pool:
        crashed = pool.spawn(doing(lambda agent, _: 1 / 0))
        aborted = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT)))
        aborted.cancel()
        pool.join_all(timeout=WAIT)
        assert pool.router.agent_count == 0
        for handle in (crashed, aborted):
            with pytest.raises((NotRegistered, InboxClosed)):
                pool.router.send(message(handle.id))


def test_abandoned_agent_is_forgotten_and_its_late_sends_dropped(gate) -> None:
    """Its slot is free, its id unknown, what it still sends does not arrive."""
    sent = threading.Event()

    def run(agent, query):
        gate.arrive()
        try:
            agent.send(0, "late")
        finally:
            sent.set()

    with AgentPool(max_concurrent=1, abort_timeout=0.2) as pool:
        handle = pool.spawn(doing(run))
        gate.next()
        handle.cancel("stuck")
        assert handle.outcome(timeout=WAIT).status == "abandoned"
        assert pool.router.agent_count == 0
        gate.open()
        assert sent.wait(WAIT)
        eventually(lambda: pool.stats().abandoned_threads == 0)
        assert pool.inbox.receive_nowait() is None
        assert pool.spawn(held(gate)).result(timeout=WAIT) == "held"
