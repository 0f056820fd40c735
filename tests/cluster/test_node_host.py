"""A host of agents, driven by frames."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import Backoff, RestartPolicy
from actors.cluster.host.fence import Fence
from actors.cluster.items import Began, Cancel, Close, Deliver, Ended, Lease, Listen, Mail, Read
from actors.cluster.portable import dump_value, load_value
from actors.cluster.shared import sharing
from actors.errors import AgentCancelled, AgentCrashed, AgentTimedOut, NotPortable
from actors.testing import no_thread_left

from ..manual_alarm import ManualClock
from ..waiting import Gate, eventually
from .driven_host import DrivenHost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import Agent


@pytest.fixture
def make() -> Iterator[Callable[..., DrivenHost]]:
    """Makes hosts, to which gates go as they are."""
    made: list[DrivenHost] = []

    def host(**settings: Any) -> DrivenHost:
        made.append(DrivenHost(**settings))
        return made[-1]

    with no_thread_left(), sharing():
        yield host
        for each in made:
            each.close()


@pytest.fixture
def alone() -> Iterator[DrivenHost]:
    """One to which nothing goes but as bytes."""
    with no_thread_left():
        made = DrivenHost()
        made.lend(1)
        yield made
        made.close()


@pytest.fixture
def host(make: Callable[..., DrivenHost]) -> DrivenHost:
    """One with two slots."""
    made = make()
    made.lend(2)
    return made


# Begun and ended ------------------------------------------------------------------------------------------------


def test_an_agent_begins_and_ends_under_the_id_that_it_was_given(host: DrivenHost) -> None:
    """It is told of both, in that order, with its result."""
    host.put(*host.place(17, lambda agent: (agent.agent_id, agent._context.depth), depth=3))
    ended = host.ended(17)
    assert [type(item) for item in host.of(17)] == [Began, Ended]
    assert ended.status == "completed"
    assert ended.result is not None
    assert load_value(ended.result) == (17, 3)
    assert ended.error is None


def test_its_times_are_those_of_its_own_life(host: DrivenHost) -> None:
    """From its slot to its end, however late that is told."""
    host.put(*host.place(1, lambda agent: None))
    ended = host.ended(1)
    (began,) = [item for item in host.of(1) if isinstance(item, Began)]
    assert ended.at == pytest.approx(began.at + ended.duration)
    assert ended.at <= host.state.sent_at


def test_a_result_that_cannot_be_pickled_is_a_crash_that_names_it(alone: DrivenHost) -> None:
    """The next agent is not touched."""
    alone.put(*alone.place(1, lambda agent: {"lock": threading.Lock()}), *alone.place(2, lambda agent: 2))
    assert alone.ended(2).status == "completed"
    ended = alone.ended(1)
    assert ended.status == "crashed"
    assert ended.error is not None
    error = load_value(ended.error)
    assert isinstance(error, NotPortable)
    assert error.what == "the result['lock']"


class Odd:
    """What raises whatever it was told to when it is pickled."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error("no")


@pytest.mark.parametrize("error", [ValueError, RecursionError, KeyboardInterrupt, SystemExit])
def test_whatever_pickling_raises_there_is_one_end(alone: DrivenHost, error: type[BaseException]) -> None:
    """Also what is no ``Exception``."""
    host = alone
    host.put(*host.place(1, lambda agent: Odd(error)), *host.place(2, lambda agent: 2))
    assert host.ended(2).status == "completed"
    ended = host.ended(1)
    assert ended.status == "crashed"
    assert ended.error is not None
    assert isinstance(load_value(ended.error), NotPortable)


def test_one_that_cannot_be_taken_in_has_an_end_and_harms_nobody(host: DrivenHost) -> None:
    """Its kit never came."""
    kit, place = host.place(1, lambda agent: 1)
    host.put(kit, place._replace(id=2, kit=99), place)
    assert host.ended(2).status == "crashed"
    assert host.ended(1).status == "completed"


def test_bytes_that_cannot_be_read_are_that_agents_end(host: DrivenHost) -> None:
    """They are read on its own thread."""
    kit, place = host.place(1, lambda agent: 1)
    host.put(kit, place._replace(id=2, data=b"no pickle"), place)
    ended = host.ended(2)
    assert ended.status == "crashed"
    assert ended.error is not None
    assert isinstance(load_value(ended.error), AgentCrashed)
    assert host.ended(1).status == "completed"


def test_what_one_thread_has_of_contexts_is_not_the_agents(host: DrivenHost) -> None:
    """The variables of whoever calls the host do not reach it."""
    from contextvars import ContextVar

    name: ContextVar[str] = ContextVar("name", default="nobody")
    name.set("the caller")
    host.put(*host.place(1, lambda agent: name.get()))
    ended = host.ended(1)
    assert ended.result is not None
    assert load_value(ended.result) == "nobody"


# Stopped --------------------------------------------------------------------------------------------------------


def wait_for_cancel(agent: Agent[Any]) -> None:
    """Wait until somebody cancels it."""
    agent.receive()


def test_a_cancel_ends_with_its_reason(host: DrivenHost) -> None:
    """As it was given in the program."""
    host.put(*host.place(1, wait_for_cancel))
    host.began(1)
    host.put(Cancel((1,), "enough", timed_out=False))
    ended = host.ended(1)
    assert ended.status == "cancelled"
    assert ended.error is not None
    error = load_value(ended.error)
    assert isinstance(error, AgentCancelled)
    assert "enough" in str(error)


def test_a_cancel_of_who_has_not_begun_needs_no_slot(make: Callable[..., DrivenHost]) -> None:
    """No slot was ever lent."""
    host = make()
    host.put(*host.place(1, wait_for_cancel))
    host.put(Cancel((1,), "enough", timed_out=False))
    assert host.ended(1).status == "cancelled"
    assert not any(isinstance(item, Began) for item in host.of(1))


def test_a_cancel_of_who_has_ended_is_nothing(host: DrivenHost) -> None:
    """Whoever comes later is not touched."""
    host.put(*host.place(1, lambda agent: 1))
    host.ended(1)
    host.put(Cancel((1, 2), "late", timed_out=False), *host.place(2, lambda agent: 2))
    assert host.ended(2).status == "completed"
    assert len(host.of(1)) == 2


def test_a_thousand_are_cancelled_in_one_step(make: Callable[..., DrivenHost]) -> None:
    """They wait here, and no slot is lent: all end at once, in one batch after the other."""
    host = make(inbox_capacity=1)
    for first in range(1, 1001, 250):
        host.put(*[item for number in range(first, first + 250) for item in host.place(number, wait_for_cancel)])
    host.put(Cancel(tuple(range(1, 1001)), "all", timed_out=False))
    assert len(host.host.core.pool.roster.queued) == 0
    host.until(lambda: sum(isinstance(item, Ended) for item in host.said) == 1000)
    assert {item.status for item in host.said if isinstance(item, Ended)} == {"cancelled"}


def test_a_deadline_has_the_programs_reason(host: DrivenHost) -> None:
    """What is left of it counts from when it came."""
    host.put(*host.place(1, wait_for_cancel, seconds_left=0.02, deadline_reason="not done within 5 s of its admission"))
    ended = host.ended(1)
    assert ended.status == "timed_out"
    assert ended.error is not None
    error = load_value(ended.error)
    assert isinstance(error, AgentTimedOut)
    assert "not done within 5 s of its admission" in str(error)


def test_a_timeout_counts_from_its_slot(host: DrivenHost) -> None:
    """It says what a local one says."""
    host.put(*host.place(1, wait_for_cancel, timeout=0.02))
    ended = host.ended(1)
    assert ended.status == "timed_out"
    assert ended.error is not None
    assert "ran longer than its timeout of 0.02 s" in str(load_value(ended.error))


def test_mail_that_came_before_is_there_in_its_order_beyond_any_bound(make: Callable[..., DrivenHost]) -> None:
    """It was accepted in the program; and as it is read, that is told."""
    host = make(inbox_capacity=2)
    host.lend(1)
    mail = tuple(Mail(number, 0, 1, dump_value(number, "it")) for number in range(1, 5))
    host.put(*host.place(1, lambda agent: [agent.receive().content for _ in range(4)], mail=mail))
    ended = host.ended(1)
    assert ended.result is not None
    assert load_value(ended.result) == [1, 2, 3, 4]
    assert [item.numbers for item in host.said if isinstance(item, Read)] == [(1,), (2,), (3,), (4,)]


# Restarts -------------------------------------------------------------------------------------------------------

TWICE = RestartPolicy(max_restarts=2, backoff=Backoff(base=0.0, jitter=0.0))


def crash(agent: Agent[Any]) -> None:
    """End by a defect."""
    raise ZeroDivisionError


def test_a_crash_is_started_again_where_it_was(make: Callable[..., DrivenHost]) -> None:
    """It is told how often, and it began once."""
    host = make(restart=TWICE)
    host.lend(1)
    host.put(*host.place(1, crash, is_heard=True))
    ended = host.ended(1)
    assert (ended.status, ended.restarts) == ("crashed", 2)
    assert sum(isinstance(item, Began) for item in host.of(1)) == 1
    assert host.events(1).count("AgentRestarted") == 2


def test_restarts_elsewhere_count(make: Callable[..., DrivenHost]) -> None:
    """One that was run again twice is not, once more."""
    host = make(restart=TWICE)
    host.lend(1)
    host.put(*host.place(1, crash, restarts=2))
    ended = host.ended(1)
    assert (ended.status, ended.restarts) == ("crashed", 2)
    assert sum(isinstance(item, Began) for item in host.of(1)) == 1


# Slots ----------------------------------------------------------------------------------------------------------


def test_slots_are_given_back_only_when_nobody_has_them(host: DrivenHost) -> None:
    """Two run, one slot is left: it is said when one of the two has ended."""
    gates = Gate(), Gate()
    for number, gate in enumerate(gates, 1):
        host.put(*host.place(number, lambda agent, gate=gate: gate.arrive()))
        gate.await_reached()
    host.put(Lease(1))
    host.drain()
    assert host.leased() == [2]
    gates[0].open()
    host.ended(1)
    host.until(lambda: host.leased() == [2, 1])
    gates[1].open()


def test_slots_of_those_who_are_parked_are_given_back_at_once(host: DrivenHost) -> None:
    """And they stand in line for the one that is left."""
    gates = Gate(), Gate()
    for number, gate in enumerate(gates, 1):
        host.put(*host.place(number, lambda agent, gate=gate: (agent.receive().content, gate.arrive())))
    host.until(lambda: host.state.parked == 2)
    host.put(Lease(1))
    host.until(lambda: host.leased() == [2, 1])
    host.put(*[deliver(number, number) for number in (1, 2)])
    eventually(lambda: any(gate.reached for gate in gates))
    assert not all(gate.reached for gate in gates)
    for gate in gates:
        gate.open()
    host.ended(1), host.ended(2)


def test_a_slot_that_is_laid_out_while_more_were_lent_is_given_back(host: DrivenHost) -> None:
    """Who parks after that keeps none."""
    gates = Gate(), Gate()
    for number, gate in enumerate(gates, 1):
        host.put(*host.place(number, lambda agent, gate=gate: (gate.arrive(), agent.receive())))
        gate.await_reached()
    host.put(Lease(1))
    host.drain()
    assert host.leased() == [2]
    gates[0].open()
    host.until(lambda: host.leased() == [2, 1])
    gates[1].open()


def deliver(agent_id: int, number: int) -> Any:
    """A message for an agent."""
    return Deliver(Mail(number, 0, agent_id, dump_value("hello", "it")), 0.0)


def test_who_parks_makes_room_and_that_is_told_at_once(make: Callable[..., DrivenHost]) -> None:
    """A drain that waits returns, as the program takes the host for full."""
    host = make()
    host.lend(1)
    gate = Gate()
    host.put(*host.place(1, lambda agent: (gate.arrive(), agent.receive())))
    host.began(1)
    while host.drain():
        pass
    assert (host.state.parked, host.state.free) == (0, 0)
    answered = threading.Event()
    drainer = threading.Thread(target=lambda: (host.drain(30.0), answered.set()))
    drainer.start()
    assert not answered.is_set()
    gate.open()
    assert answered.wait(10)
    drainer.join()
    assert (host.state.parked, host.state.free) == (1, 1)
    host.put(deliver(1, 1))
    host.ended(1)
    host.until(lambda: (host.state.parked, host.state.free) == (0, 1))


# Events ---------------------------------------------------------------------------------------------------------


def test_events_of_who_is_heard_are_told_and_of_nobody_else(host: DrivenHost) -> None:
    """Each that is parked goes on, and all of it comes before the end."""
    host.put(
        *host.place(1, lambda agent: agent.receive(), is_heard=True), *host.place(2, lambda agent: agent.receive())
    )
    host.until(lambda: host.state.parked == 2)
    host.put(deliver(1, 1), deliver(2, 2))
    host.ended(1), host.ended(2)
    assert host.events(1) == ["AgentParked", "AgentResumed", "MessageRead"]
    assert host.events(2) == []
    assert isinstance(host.of(1)[-1], Ended)


def test_no_event_is_made_while_nobody_is_heard(host: DrivenHost) -> None:
    """The pool has no sink then; it has one as long as somebody is."""
    pool = host.host.core.pool
    host.put(*host.place(1, lambda agent: pool.listening, is_heard=False))
    ended = host.ended(1)
    assert ended.result is not None
    assert load_value(ended.result) is False
    host.put(*host.place(2, lambda agent: agent.receive(), is_heard=True))
    assert pool.listening
    host.put(deliver(2, 2))
    host.ended(2)
    assert not pool.listening


def test_who_listens_to_all_hears_all_from_then_on(host: DrivenHost) -> None:
    """Also those that run already."""
    host.put(*host.place(1, lambda agent: (agent.receive(), agent.receive())))
    host.until(lambda: host.state.parked == 1)
    host.put(Listen(to_all=True, to_text=False))
    host.put(deliver(1, 1), deliver(1, 2))
    host.ended(1)
    assert "MessageRead" in host.events(1)
    host.put(Listen(to_all=False, to_text=False), *host.place(2, lambda agent: agent.receive()))
    host.put(deliver(2, 3))
    host.ended(2)
    assert host.events(2) == []


@pytest.mark.parametrize("wants", [True, False])
def test_text_is_streamed_for_who_wants_it(host: DrivenHost, wants: bool) -> None:
    """Somebody hears all agents, with or without text."""
    host.put(Listen(to_all=True, to_text=wants), *host.place(1, lambda agent: agent._context.streams))
    ended = host.ended(1)
    assert ended.result is not None
    assert load_value(ended.result) is wants


# The fence ------------------------------------------------------------------------------------------------------


class Fenced:
    """A fence whose clock a test moves: patience is 3 seconds, then one for all to end."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.done: list[str] = []
        self.aborted = threading.Event()
        self.fence = Fence(
            "host",
            lost_after=6.0,
            abort_timeout=1.0,
            abort=self._abort,
            end_process=lambda: self.done.append("end"),
            clock=self.clock,
        )

    def _abort(self) -> None:
        self.done.append("abort")
        self.aborted.set()


def test_the_fence_fires_when_nobody_has_heard_for_too_long() -> None:
    """All is aborted, and the process ended ``abort_timeout`` later."""
    fenced = Fenced()
    assert fenced.fence.look() == pytest.approx(3.0)
    fenced.clock.at += 3.0
    assert fenced.fence.look() == pytest.approx(1.0)
    assert fenced.aborted.wait(10)
    assert fenced.done == ["abort"]
    fenced.clock.at += 1.0
    assert fenced.fence.look() is None
    assert fenced.done == ["abort", "end"]


def test_the_fence_does_not_fire_while_answers_are_got() -> None:
    """It counts from when the last one was sent that the program has got."""
    fenced = Fenced()
    for _ in range(5):
        sent_at = fenced.clock.at
        fenced.clock.at += 2.0
        fenced.fence.heard(sent_at)
        assert fenced.fence.look() == pytest.approx(1.0)
    assert not fenced.fence.has_fired()


def test_a_call_that_comes_late_moves_no_fence() -> None:
    """It tells of an answer of long ago: that of a process that stood still is over as it goes on."""
    fenced = Fenced()
    sent_at = fenced.clock.at
    fenced.clock.at += 10.0
    fenced.fence.heard(sent_at)
    assert fenced.fence.has_fired()
    fenced.fence.heard(fenced.clock.at)
    assert fenced.fence.has_fired()


def test_a_process_that_stood_still_beyond_its_end_ends_as_it_goes_on() -> None:
    """Its agents get no time to end: each may have another life by then. Late by less, they have what is left."""
    fenced, late = Fenced(), Fenced()
    late.clock.at += 3.75
    assert late.fence.look() == pytest.approx(0.25)
    assert late.aborted.wait(10)
    assert late.done == ["abort"]
    fenced.clock.at += 6.0
    assert fenced.fence.look() is None
    assert "end" in fenced.done


def test_an_abort_that_hangs_does_not_hold_up_the_end() -> None:
    """It has a thread of its own."""
    gate = Gate()
    done: list[str] = []
    clock = ManualClock()
    fence = Fence(
        "host", lost_after=6.0, abort_timeout=1.0, abort=gate.hold, end_process=lambda: done.append("end"), clock=clock
    )
    clock.at += 3.0
    fence.look()
    gate.await_reached()
    clock.at += 1.0
    assert fence.look() is None
    assert done == ["end"]
    gate.open()


def test_after_the_fence_nothing_is_taken_in_and_nothing_told(make: Callable[..., DrivenHost]) -> None:
    """The clock of a host that stood still, while a call was on its way to it."""
    clock = ManualClock()
    host = make(clock=clock, lost_after=10.0, abort_timeout=1.0)
    host.lend(1)
    host.put(*host.place(1, lambda agent: 1))
    host.ended(1)
    clock.at += 10.0
    state = host.put(*host.place(2, lambda agent: 2))
    assert state.incarnation != "life-1"
    assert host.host.cell(2) is None
    assert host.drain() == []
    assert host.state.incarnation != "life-1"


def test_a_fence_ends_the_process_whatever_runs(make: Callable[..., DrivenHost]) -> None:
    """An agent that heeds no cancel is left where it is."""
    ended, gate = threading.Event(), Gate()
    host = make(end_process=ended.set, lost_after=2.06, abort_timeout=0.02)
    host.lend(1)
    host.put(*host.place(1, lambda agent: gate.arrive()))
    assert ended.wait(10)
    gate.open()


# Its end --------------------------------------------------------------------------------------------------------


def test_close_ends_all_that_runs_and_is_said_twice(make: Callable[..., DrivenHost]) -> None:
    """By a call and by the program at once: no thread is left."""
    host = make()
    host.lend(1)
    host.put(*host.place(1, wait_for_cancel))
    host.began(1)
    host.put(Close())
    host.close()
    host.close()
    assert host.host.core.pool.is_closed


def test_a_drain_that_waits_ends_with_the_host(make: Callable[..., DrivenHost]) -> None:
    """It does not wait for its time."""
    host = make()
    drainer = threading.Thread(target=host.drain, args=(30.0,))
    drainer.start()
    host.close()
    drainer.join(10)
    assert not drainer.is_alive()
