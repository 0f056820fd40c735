"""Messages between agents of different nodes, and of the program, on a cluster that is played in this process."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentPool, AgentStatus, Backoff, RestartPolicy, SpawnConfig
from actors.core.messaging.dead_letter import DeadLetterReason
from actors.errors import InboxClosed, InboxFull, NotPortable, NotRegistered, SendError
from actors.testing import no_thread_left
from actors.testing.cluster import LocalEngine

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors import AgentHandle

PLAIN = AgentManifest(name="one")


class Reader(Agent[list[Any]]):
    """Reads so many messages, once it may."""

    def run(self, query: tuple[int, Gate | None]) -> list[Any]:
        """What they said."""
        count, gate = query
        if gate is not None:
            gate.arrive(self.agent_id)
        return [self.receive(10).content for _ in range(count)]


class Sender(Agent[Any]):
    """Sends, and says what happened."""

    def run(self, query: tuple[int, list[Any], float | None]) -> Any:
        """``sent``, or the name of the error and what it carries."""
        to, contents, timeout = query
        try:
            for content in contents:
                self.send(to, content, timeout)
        except SendError as error:
            return type(error).__name__, error.message.content
        return "sent"


@pytest.fixture
def pool() -> Iterator[AgentPool]:
    """A pool with one slot on each of three nodes, and inboxes of two."""
    engine = LocalEngine(3, shares=True, slots_per_node=1, prefetch=0)
    with no_thread_left(), AgentPool(max_concurrent=3, max_queued=None, inbox_capacity=2, engine=engine) as made:
        yield made


def reader(pool: AgentPool, count: int, gate: Gate | None = None) -> AgentHandle[list[Any]]:
    """One on a node of its own."""
    made = pool.spawn(SpawnConfig(PLAIN, (count, gate), agent=Reader))
    if gate is not None:
        gate.next()
    return made


def sender(pool: AgentPool, to: int, *contents: Any, timeout: float | None = 0.0) -> AgentHandle[Any]:
    """One that sends to another."""
    return pool.spawn(SpawnConfig(PLAIN, (to, list(contents), timeout), agent=Sender))


def test_messages_to_another_node_come_in_order_and_wait_for_room(pool: AgentPool) -> None:
    """Each send waits for the acceptance of the one before: an inbox of two passes any number on."""
    to = reader(pool, 40)
    assert sender(pool, to.id, *range(40), timeout=None).result(10) == "sent"
    assert to.result(10) == list(range(40))


def test_what_the_program_sends_comes_in_order_before_and_after_the_agent_began(pool: AgentPool) -> None:
    """What waits in the program's queue goes first."""
    gates = [Gate() for _ in range(3)]
    busy = [reader(pool, 0, gate) for gate in gates]
    to = pool.spawn(SpawnConfig(PLAIN, (6, None), agent=Reader))
    to.send(0)
    to.send(1)
    with pytest.raises(InboxFull):
        to.send("no room")
    assert to.messages_in == 2
    for gate in gates:
        gate.open()
    for number in range(2, 6):
        to.send(number, timeout=None)
    assert to.result(10) == list(range(6))
    assert all(one.result(10) == [] for one in busy)


def test_a_full_inbox_refuses_at_once_or_after_the_time(pool: AgentPool) -> None:
    """The program and an agent of another node get the same error, with the message in it."""
    gate = Gate()
    to = reader(pool, 2, gate)
    to.send("a")
    to.send("b")
    began = time.monotonic()
    with pytest.raises(InboxFull, match="2 messages"):
        to.send("c", timeout=0.05)
    assert time.monotonic() - began >= 0.05
    assert sender(pool, to.id, "d").result(10) == ("InboxFull", "d")
    assert sender(pool, to.id, "e", timeout=0.05).result(10) == ("InboxFull", "e")
    gate.open()
    assert to.result(10) == ["a", "b"]


def test_an_ended_receiver_refuses_and_one_that_ends_closes_on_who_waits(pool: AgentPool) -> None:
    """Nobody waits for one that is gone; what it has not read is a dead letter."""
    gate = Gate()
    to = reader(pool, 0, gate)
    to.send("a")
    to.send("b")
    waits = sender(pool, to.id, "late", timeout=None)
    eventually(lambda: waits.status is AgentStatus.RUNNING)
    caught: list[BaseException] = []

    def send() -> None:
        try:
            to.send("too late", timeout=None)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    gate.open()
    thread.join(10)
    assert to.result(10) == []
    # Both winners: they stand in line when it ends, or come after that.
    assert [type(error) for error in caught] in ([InboxClosed], [NotRegistered])
    assert waits.result(10) in (("InboxClosed", "late"), ("NotRegistered", "late"))
    with pytest.raises(NotRegistered):
        to.send("x")
    assert sender(pool, to.id, "x").result(10) == ("NotRegistered", "x")
    assert sender(pool, 999, "x").result(10) == ("NotRegistered", "x")
    letters = pool.router.dead_letters
    assert [letter.message.content for letter in letters] == ["a", "b"]
    assert letters.counts() == {DeadLetterReason.RECEIVER_ENDED: 2}


def test_a_cancel_ends_the_wait_for_room_on_another_node(pool: AgentPool) -> None:
    """And the message is withdrawn: who reads later does not get it."""
    gate = Gate()
    to = reader(pool, 3, gate)
    to.send("a")
    to.send("b")
    waits = sender(pool, to.id, "withdrawn", timeout=None)
    mailbox = pool._supervisor.pool.roster.find(to.id).mailbox  # type: ignore[union-attr]  # it lives
    eventually(lambda: len(mailbox._under_way) == 1)  # type: ignore[union-attr]
    waits.cancel("enough")
    assert waits.outcome(10).status is AgentStatus.CANCELLED
    eventually(lambda: not mailbox._under_way)  # type: ignore[union-attr]
    gate.open()
    to.send("c", timeout=None)
    assert to.result(10) == ["a", "b", "c"]


def test_a_broadcast_reaches_all_nodes_and_counts_who_took_it(pool: AgentPool) -> None:
    """Who has no room is passed over, and that is a dead letter."""
    gates = [Gate() for _ in range(3)]
    all_of_them = [reader(pool, count, gate) for count, gate in zip((1, 1, 2), gates, strict=True)]
    all_of_them[2].send("first")
    assert pool.broadcast("hello") == 3
    assert pool.broadcast("again") == 2
    assert pool.router.dead_letters.counts() == {DeadLetterReason.INBOX_FULL: 1}
    for gate in gates:
        gate.open()
    assert [one.result(10) for one in all_of_them] == [["hello"], ["hello"], ["first", "hello"]]


def test_to_the_program_nobody_waits_and_none_is_dropped(pool: AgentPool) -> None:
    """Its inbox, of two elsewhere, holds a batch of every node."""
    ends = [sender(pool, 0, *range(100)) for _ in range(3)]
    assert [end.result(10) for end in ends] == ["sent"] * 3
    got = [pool.inbox.receive(5) for _ in range(300)]
    for end in ends:
        assert [message.content for message in got if message.sender == end.id] == list(range(100))
    assert pool.stats().dead_letters == 0


def test_an_inbox_of_the_program_takes_what_fits_and_makes_who_sends_wait(pool: AgentPool) -> None:
    """A negative id has its room, for senders on nodes as for those here."""
    inbox = pool.router.register(-5)
    assert sender(pool, -5, 1, 2, 3).result(10) == ("InboxFull", 3)
    waits = sender(pool, -5, 4, 5, timeout=None)
    assert [inbox.receive(5).content for _ in range(4)] == [1, 2, 4, 5]
    assert waits.result(10) == "sent"


def test_what_cannot_cross_is_refused_where_it_is_sent() -> None:
    """And what cannot be read harms no message behind it."""
    engine = LocalEngine(2, slots_per_node=1, prefetch=0)
    with AgentPool(max_concurrent=2, max_queued=None, engine=engine) as pool:
        to = pool.spawn(SpawnConfig(PLAIN, (1, None), agent=Reader))
        with pytest.raises(NotPortable, match="the content of a message"):
            to.send(threading.Lock())
        to.send("fine")
        assert to.result(10) == ["fine"]


def test_mail_of_a_killed_receiver_is_a_dead_letter_that_says_so() -> None:
    """It may have been read. What was sent when it was gone is refused."""
    gate = Gate()
    engine = LocalEngine(2, shares=True, prefetch=0)
    with AgentPool(max_concurrent=2, max_queued=None, engine=engine) as pool:
        to = reader(pool, 3, gate)
        to.send("a")
        to.send("b")
        node = next(view.node for view in engine.nodes() if view.placed)
        engine.link.kill_host(node)
        gate.open()
        assert to.outcome(10).status is AgentStatus.LOST
        with pytest.raises(NotRegistered):
            to.send("c")
        assert pool.router.dead_letters.counts() == {DeadLetterReason.NODE_LOST: 2}


def test_mail_of_a_killed_receiver_reaches_its_next_life() -> None:
    """In its order, and what comes meanwhile after it."""
    gate = Gate()
    engine = LocalEngine(2, shares=True, prefetch=0)
    policy = RestartPolicy(max_restarts=2, backoff=Backoff(0.0))
    with AgentPool(max_concurrent=2, max_queued=None, engine=engine, restart=policy) as pool:
        to = reader(pool, 4, gate)
        to.send("a")
        to.send("b")
        node = next(view.node for view in engine.nodes() if view.placed)
        engine.link.kill_host(node)
        gate.next()  # its next life
        gate.open()
        for content in ("c", "d"):
            _send_until_taken(to, content)
        outcome = to.outcome(20)
        assert outcome.status is AgentStatus.COMPLETED
        assert outcome.result == ["a", "b", "c", "d"]
        assert pool.stats().dead_letters == 0


def _send_until_taken(to: AgentHandle[Any], content: Any) -> None:
    """A send that was under way when the host went is refused: it is sent again."""
    while True:
        try:
            to.send(content, timeout=None)
        except InboxClosed:
            continue
        return


def test_calls_that_fail_in_every_way_lose_no_message_and_no_order() -> None:
    """15 % each lost, unheard, doubled and late: two senders, each in its order, each message once."""
    engine = LocalEngine(
        3, seed=5, lost=0.15, lost_answers=0.15, doubled=0.15, late=0.15, late_by=0.002, shares=True,
        slots_per_node=1, prefetch=0,
    )  # fmt: skip
    with AgentPool(max_concurrent=3, max_queued=None, inbox_capacity=4, engine=engine) as pool:
        to = pool.spawn(SpawnConfig(PLAIN, (12, None), agent=Reader))
        ends = [sender(pool, to.id, *[(who, number) for number in range(6)], timeout=None) for who in "ab"]
        assert [end.result(20) for end in ends] == ["sent", "sent"]
        got = to.result(20)
        for who in "ab":
            assert [number for one, number in got if one == who] == list(range(6)), f"with {engine.link!r}"
