"""The mailbox of an agent that lives elsewhere, with a line that the test holds in its hand."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from actors.cluster.items import Deliver, Told
from actors.cluster.portable import load_value
from actors.cluster.remote_mailbox import RemoteMailbox
from actors.core.actors.envelope import Question
from actors.core.actors.reply import ReplyFuture
from actors.core.messaging.dead_letter import DeadLetterReason
from actors.core.messaging.putter import Put
from actors.core.records.message import AgentMessage
from actors.errors import NotAcrossNodes, NotPortable

from ..waiting import eventually


class FakeLine:
    """What a mailbox tells a host; the engine's thread is the test's."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.told: list[Any] = []
        self.known: dict[int, RemoteMailbox] = {}
        self.placed = False
        self.later: list[RemoteMailbox] = []

    def number(self, mailbox: RemoteMailbox) -> int:
        """1, 2, 3, ..."""
        number = next(self._numbers)
        self.known[number] = mailbox
        return number

    def forget(self, number: int) -> None:
        """It is known no more."""
        self.known.pop(number, None)

    def tell(self, agent_id: int, item: Any) -> bool:
        """Note it."""
        self.told.append(item)
        return True

    def has_placed(self, agent_id: int) -> bool:
        """As the test says."""
        return self.placed

    def call_arrived(self, mailbox: RemoteMailbox) -> None:
        """Noted, for ``run``."""
        self.later.append(mailbox)

    def run(self) -> None:
        """The engine's thread is done with what it did."""
        later, self.later = self.later, []
        for mailbox in later:
            mailbox.arrived()

    def contents(self) -> list[Any]:
        """What was delivered, in its order."""
        return [load_value(item.mail.content) for item in self.told if isinstance(item, Deliver)]


def message(content: Any) -> AgentMessage:
    """One from the program."""
    return AgentMessage(0, 7, content)


def placed() -> tuple[RemoteMailbox, FakeLine]:
    """A mailbox of two whose agent was sent to a host."""
    line = FakeLine()
    mailbox = RemoteMailbox(7, 2, line)
    line.placed = True
    assert mailbox.leave() == ()
    line.run()
    return mailbox, line


def in_thread(mailbox: RemoteMailbox, content: Any, timeout: float | None) -> tuple[threading.Thread, list[Put]]:
    """Put it in there."""
    results: list[Put] = []
    thread = threading.Thread(target=lambda: results.append(mailbox.put(message(content), timeout)))
    thread.start()
    return thread, results


def test_what_is_put_while_the_agent_leaves_comes_after_what_was_there() -> None:
    """Nothing is told before its place was sent, and then in its order."""
    line = FakeLine()
    mailbox = RemoteMailbox(7, 2, line)
    assert mailbox.offer(message("a")) is Put.ACCEPTED
    line.placed = True
    begun = mailbox.begin(message("b"))  # sees that it was placed before it is told so itself
    assert [load_value(mail.content) for mail in mailbox.leave()] == ["a"]
    assert line.told == []
    line.run()
    assert line.contents() == ["b"]
    mailbox.answered(line.told[0].mail.number, "ok")
    assert callable(begun)
    assert begun() is Put.ACCEPTED
    assert [item.content for item in mailbox.waiting()] == ["a", "b"]


def test_who_waits_for_room_here_waits_on_there() -> None:
    """Nobody reads in the program: room comes with the place."""
    line = FakeLine()
    mailbox = RemoteMailbox(7, 1, line)
    assert mailbox.offer(message("a")) is Put.ACCEPTED
    assert mailbox.offer(message("x")) is Put.FULL
    thread, results = in_thread(mailbox, "b", None)
    eventually(lambda: len(mailbox._under_way) == 1)
    line.placed = True
    mailbox.leave()
    line.run()
    assert line.contents() == ["b"]
    assert line.told[0].timeout is None
    mailbox.answered(line.told[0].mail.number, "ok")
    thread.join(10)
    assert results == [Put.ACCEPTED]


@pytest.mark.parametrize(("how", "result"), [("ok", Put.ACCEPTED), ("full", Put.FULL), ("closed", Put.CLOSED)])
def test_a_put_ends_with_the_hosts_answer(how: str, result: Put) -> None:
    """And is kept only when it was accepted."""
    mailbox, line = placed()
    thread, results = in_thread(mailbox, "a", 0.0)
    eventually(lambda: line.told)
    mailbox.answered(line.told[0].mail.number, how)
    thread.join(10)
    assert results == [result]
    assert len(mailbox) == (1 if how == "ok" else 0)
    assert len(line.known) == len(mailbox)


def test_what_was_read_before_its_acceptance_was_heard_was_accepted() -> None:
    """The agent reads at once, and that may be told first."""
    mailbox, line = placed()
    thread, results = in_thread(mailbox, "a", 0.0)
    eventually(lambda: line.told)
    number = line.told[0].mail.number
    mailbox.read(number)
    mailbox.answered(number, "ok")
    thread.join(10)
    assert results == [Put.ACCEPTED]
    assert len(mailbox) == 0
    assert not line.known


@pytest.mark.parametrize("how", ["ok", "full"])
def test_a_time_that_runs_out_withdraws_and_the_host_decides(how: str) -> None:
    """It may have been accepted just then: both winners."""
    mailbox, line = placed()
    thread, results = in_thread(mailbox, "a", 0.01)
    eventually(lambda: len(line.told) == 2)
    delivered, withdrawn = line.told
    assert isinstance(withdrawn, Told)
    assert load_value(withdrawn.args) == (delivered.mail.number,)
    mailbox.answered(delivered.mail.number, how)
    thread.join(10)
    assert results == [Put.ACCEPTED if how == "ok" else Put.FULL]


def test_a_loss_refuses_what_was_under_way_and_keeps_what_was_accepted() -> None:
    """For the next life, in its order; without one it is handed back, with the reason."""
    mailbox, line = placed()
    thread, results = in_thread(mailbox, "a", 0.0)
    eventually(lambda: line.told)
    mailbox.answered(line.told[0].mail.number, "ok")
    thread.join(10)
    lost, refused = in_thread(mailbox, "b", None)
    eventually(lambda: len(line.told) == 2)
    line.placed = False
    mailbox.lose()
    lost.join(10)
    assert (results, refused) == ([Put.ACCEPTED], [Put.CLOSED])
    assert mailbox.unread_reason is DeadLetterReason.NODE_LOST
    assert mailbox.offer(message("c")) is Put.ACCEPTED
    line.placed = True
    assert [load_value(mail.content) for mail in mailbox.leave()] == ["a", "c"]
    line.run()
    assert mailbox.unread_reason is DeadLetterReason.RECEIVER_ENDED
    left, wakes = mailbox.shut()
    assert ([item.content for item in left], wakes, line.known) == (["a", "c"], [], {})
    assert mailbox.offer(message("d")) is Put.CLOSED


def test_its_end_closes_on_who_waits() -> None:
    """The caller wakes them, outside its lock."""
    mailbox, line = placed()
    thread, results = in_thread(mailbox, "a", None)
    eventually(lambda: line.told)
    left, wakes = mailbox.shut()
    assert left == []
    for wake in wakes:
        wake.wake()
    thread.join(10)
    assert results == [Put.CLOSED]


def test_an_ask_and_what_cannot_be_pickled_are_refused_to_whom_they_come_from() -> None:
    """Nothing goes on its way."""
    mailbox, line = placed()
    with pytest.raises(NotAcrossNodes, match="ask"):
        mailbox.put(Question("?", ReplyFuture(None)))
    with pytest.raises(NotPortable, match="content of a message"):
        mailbox.put(message(threading.Lock()))
    assert line.told == []


def test_puts_of_one_thread_keep_their_order_whoever_tells_them() -> None:
    """Two threads that put at once: what one tells for the other is in the order of each."""
    mailbox, line = placed()
    wide = RemoteMailbox(7, 1000, line)
    wide.leave()
    line.run()

    def put(who: str) -> None:
        for number in range(100):
            wide.begin(message((who, number)))

    threads = [threading.Thread(target=put, args=(who,)) for who in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    told = line.contents()
    for who in "abc":
        assert [number for one, number in told if one == who] == list(range(100))
    assert len(mailbox) == 0
