"""An agent that waits for a message in its own thread: what comes just as it enters that wait, or leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentParked, AgentResumed, AgentStatus, DeadLetterReason, MessageRead, MessageSent
from actors.core.messaging.mailbox import Mailbox

from ..contract.doubles import doing

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND = 10.0


def at_wait(monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox, call: Callable[[], object], *, where: str) -> list[bool]:
    """Call *call* once, where the agent of *mailbox* looks for an item, or before or after it enters its wait."""
    called: list[bool] = []

    def once(at: str, box: Mailbox) -> None:
        if at == where and box is mailbox and not called:
            called.append(True)
            call()

    def take(self: Mailbox) -> Any:
        item = real_take(self)
        once("look", self)
        return item

    def attend(self: Mailbox, reader: Any) -> bool:
        once("before", self)
        entered = real_attend(self, reader)
        once("after", self)
        return entered

    real_take, real_attend = Mailbox.take, Mailbox.attend
    monkeypatch.setattr(Mailbox, "take", take)
    monkeypatch.setattr(Mailbox, "attend", attend)
    return called


WHERE = ["look", "before", "after"]


@pytest.mark.parametrize("where", WHERE)
def test_a_message_that_comes_as_the_wait_begins_ends_it(
    where: str, make_pool: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it looks for one, or after: it is woken, or sees it."""

    def run(agent: Any, _: str) -> Any:
        agent.send(0, "this makes the record of its events")
        gate.hold()
        return agent.receive().content

    handle = make_pool().spawn(doing(run))
    gate.await_reached()
    called = at_wait(
        monkeypatch, handle._supervisor.pool.router.open(handle._cell), lambda: handle.send("x"), where=where
    )
    gate.open()
    assert handle.result(BOUND) == "x"
    assert called


@pytest.mark.parametrize("where", WHERE)
def test_a_cancel_that_comes_as_the_wait_begins_ends_it(
    where: str, make_pool: Any, gate: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it looks whether it was cancelled, or after: it is woken, or sees it. What comes then is unread."""

    def run(agent: Any, _: str) -> Any:
        agent.send(0, "this makes the record of its events")
        gate.hold()
        return agent.receive().content

    pool = make_pool(abort_timeout=BOUND)
    handle = pool.spawn(doing(run, ending=lambda *_: handle.send("late")))
    gate.await_reached()
    mailbox = handle._supervisor.pool.router.open(handle._cell)
    called = at_wait(monkeypatch, mailbox, lambda: in_thread(handle.cancel, "enough").result(BOUND), where=where)
    gate.open()
    outcome = handle.outcome(BOUND)
    assert called
    assert (outcome.status, outcome.error.reason) == (AgentStatus.CANCELLED, "enough")
    assert [letter.reason for letter in pool.router.dead_letters] == [DeadLetterReason.RECEIVER_ENDED]


def test_a_cancelled_agent_that_was_woken_leaves_the_message_to_its_tools(
    make_pool: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """A thread of the agent's own waits for the same mailbox: it gets what the agent does not take any more."""
    got: list[Any] = []

    def run(agent: Any, _: str) -> Any:
        agent.send(0, "this makes the record of its events")
        got.append(in_thread(lambda: agent.inbox.receive(BOUND)))
        return agent.receive()

    pool = make_pool(abort_timeout=BOUND)
    handle = pool.spawn(doing(run, ending=lambda *_: gate.hold()))
    mailbox = handle._supervisor.pool.router.open(handle._cell)
    eventually(lambda: mailbox._getters and mailbox._attendant is not None)
    cell = handle._cell
    cell.token.mark("enough")  # nobody is woken by that
    handle.send("x")  # this wakes the agent, which sees that it was cancelled
    gate.await_reached()
    assert got[0].result(BOUND).content == "x"
    gate.open()
    cell.token.fire()
    assert handle.outcome(BOUND).status is AgentStatus.CANCELLED


TOLD = {AgentParked: "receive", AgentResumed: None, MessageRead: 0}


def told(events: Any) -> list[Any]:
    """What they tell of a wait for a message."""
    words = {AgentParked: "on", MessageRead: "sender"}
    return [(type(one), getattr(one, words.get(type(one), ""), None)) for one in events if type(one) in TOLD]


@pytest.mark.parametrize("timeout", [None, BOUND])
@pytest.mark.parametrize("is_sent_before", [True, False])
def test_the_short_way_and_the_long_one_tell_the_same(
    timeout: float | None, is_sent_before: bool, make_pool: Any, eventually: Any
) -> None:
    """Of each wait the same events, whether the first one makes the record of them or finds it."""

    def run(agent: Any, _: str) -> None:
        if is_sent_before:
            agent.send(0, "this makes the record of its events")
        for _ in range(3):
            agent.send(0, agent.receive(timeout).content)

    pool = make_pool()
    handle = pool.spawn(doing(run))
    for number in range(3):
        eventually(lambda: handle.status == "parked")
        handle.send(number)
        while pool.inbox.receive(BOUND).content != number:
            pass
    assert handle.outcome(BOUND).ok
    assert told(handle.events()) == list(TOLD.items()) * 3


@pytest.mark.parametrize("how", ["sink", "reader"])
def test_who_begins_to_listen_during_a_wait_is_told_of_its_end(how: str, make_pool: Any, eventually: Any) -> None:
    """A sink of the pool, and a reader of an agent that nobody has listened to before."""
    pool = make_pool()
    seen: list[Any] = []

    def run(agent: Any, _: str) -> None:
        agent.receive()
        agent.send(0, "got it")

    (handle,) = pool.fan_out([doing(run)])
    eventually(lambda: handle.status == "parked")
    if how == "sink":
        end = pool.subscribe(seen.append)
    else:
        reader = handle.events()
    handle.send("x")
    assert handle.outcome(BOUND).ok
    events = list(reader) if how == "reader" else (end(), seen)[1]
    kinds = [type(one) for one in events]
    wanted = [AgentResumed, MessageRead, MessageSent]
    assert [kind for kind in kinds if kind in wanted] == wanted
