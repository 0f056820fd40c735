"""When many are woken at once, they go a few at a time; nobody is left asleep."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import Agent, AgentManifest, AgentMessage, AgentPool, ReplyFuture, SpawnConfig
from actors.core.process.threads import Crew
from actors.core.waiting import crowd as crowd_module, waiter as waiter_module
from actors.core.waiting.crowd import FEW, MANY, UNDER_WAY, Crowd, crowd
from actors.core.waiting.waiter import Waiter

from ..waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stander:
    """One who waits, without a thread."""

    def __init__(self, opened: list[Stander]) -> None:
        self.waits = True
        self.opened = opened
        self.fails = False

    def is_waiting(self) -> bool:
        """Until the test says otherwise."""
        return self.waits

    def unlock(self) -> None:
        """Note it."""
        if self.fails:
            self.fails = False
            raise KeyboardInterrupt
        self.opened.append(self)

    ring = unlock


@pytest.fixture
def others() -> Crowd:
    """A crowd without an alarm: the test rings itself."""
    made = Crowd()
    made.alarm.mind = lambda *_: True  # type: ignore[method-assign]
    return made


def standers(count: int) -> tuple[list[Stander], list[Stander]]:
    """So many, and a list of those whose gate was opened."""
    opened: list[Stander] = []
    return [Stander(opened) for _ in range(count)], opened


def leave(others: Crowd, one: Stander) -> None:
    """It runs."""
    one.waits = False
    others.left(one)


def test_few_are_on_their_way_and_each_lets_the_next_one_go(others: Crowd) -> None:
    """In the order in which they were woken."""
    all_of_them, opened = standers(30)
    for one in all_of_them:
        others.let_go(one)
    for n in range(30 - UNDER_WAY):
        assert opened == all_of_them[: UNDER_WAY + n]
        leave(others, all_of_them[n])
    assert opened == all_of_them
    for one in all_of_them:
        leave(others, one)
    assert not others.under_way


def test_letting_go_twice_is_once(others: Crowd) -> None:
    """It takes one place, and one that is on its way does not stand in line as well."""
    all_of_them, opened = standers(UNDER_WAY + 1)
    for one in [*all_of_them, *all_of_them]:
        others.let_go(one)
    assert set(opened) == set(all_of_them[:UNDER_WAY])
    leave(others, all_of_them[0])
    assert all_of_them[-1] in opened
    assert len(others.under_way) == UNDER_WAY


def test_who_has_left_takes_no_place(others: Crowd) -> None:
    """Its time ran out while it stood in line, or just as it was let go."""
    all_of_them, opened = standers(UNDER_WAY + 3)
    for one in all_of_them[:-1]:
        others.let_go(one)
    all_of_them[UNDER_WAY].waits = False
    leave(others, all_of_them[0])
    assert opened[-1] is all_of_them[UNDER_WAY + 1]
    all_of_them[-1].waits = False
    others.let_go(all_of_them[-1])
    leave(others, all_of_them[1])
    assert opened[-1] is all_of_them[-1]
    assert len(others.under_way) == UNDER_WAY - 1


def test_others_go_in_place_of_those_who_do_not_get_on(others: Crowd) -> None:
    """As many again each time that nothing has moved; none while it moves."""
    all_of_them, opened = standers(4 * UNDER_WAY)
    for one in all_of_them:
        others.let_go(one)
    others.ring()
    assert len(opened) == UNDER_WAY, "it has moved since"
    others.ring()
    assert len(opened) == 2 * UNDER_WAY
    others.ring()
    others.ring()
    assert len(opened) == 3 * UNDER_WAY
    for one in all_of_them[: 2 * UNDER_WAY]:  # those that were passed come at last
        leave(others, one)
    for one in all_of_them[2 * UNDER_WAY :]:
        leave(others, one)
    assert opened == all_of_them


@pytest.mark.parametrize("place", [0, UNDER_WAY])
def test_an_interrupt_leaves_nobody_asleep(others: Crowd, place: int) -> None:
    """Of who is just let go, by a wake or by who runs: it goes with the next one that moves, if not before."""
    all_of_them, opened = standers(UNDER_WAY + 2)
    all_of_them[place].fails = True
    for one in all_of_them:
        try:
            others.let_go(one)
        except KeyboardInterrupt:
            others.let_go(one)  # as ``Waiter.open`` after an interrupted wake
    if place:
        with pytest.raises(KeyboardInterrupt):
            leave(others, all_of_them[0])
    for one in all_of_them:
        leave(others, one)
    assert opened == all_of_them


def test_a_wake_while_few_wait_goes_past_the_line() -> None:
    """At most so many can be on their way then."""
    waiter = Waiter()
    waiter._crowd = Crowd()
    waiter.wake()
    assert not waiter._crowd.under_way
    assert waiter._gate.acquire(blocking=False)


# Threads --------------------------------------------------------------------------------------------------------------


class Most(dict[Any, Any]):
    """Remembers how many it held at most."""

    most = 0

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self.most = max(self.most, len(self))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    """The process's crowd for this test, which remembers how many were on their way at most."""
    made = Crowd()
    made.under_way = Most()
    monkeypatch.setattr(crowd_module, "PUSH", BOUND)  # here nobody is passed, however slow the machine is
    monkeypatch.setattr(crowd_module, "_crowd", made)
    yield made
    eventually(lambda: not (made.waiting or made.under_way or made._line or made._timed))
    eventually(lambda: not (made.alarm.minded.keys() - {made}))
    made.alarm.forget(made)


def most(own: Crowd) -> int:
    """How many were on their way at once."""
    assert isinstance(own.under_way, Most)
    return own.under_way.most


COUNT = 60


def until_it_is_late(agent: Any) -> None:
    """Wait for a message that does not come."""
    with pytest.raises(TimeoutError):
        agent.receive(3.0)


class Waits(Agent[Any]):
    """Waits as its query says."""

    def run(self, query: Any) -> Any:
        """Do so."""
        return query(self)


def crowded_pool(own: Crowd, wait: Callable[[Any], Any], slots: int, **fields: Any) -> AgentPool:
    """A pool whose agents all wait."""
    pool = AgentPool(max_concurrent=slots, max_queued=None, max_live=COUNT, abort_timeout=BOUND)
    pool.fan_out([SpawnConfig(AgentManifest(), wait, agent=Waits, **fields)] * COUNT)
    eventually(lambda: len(own.waiting) >= COUNT)  # with a timer thread, if there is one
    return pool


@pytest.mark.parametrize("slots", [4, COUNT])
@pytest.mark.parametrize("cause", ["messages", "answer", "outcome", "timers", "deadlines", "abort", "close"])
def test_a_crowd_that_is_woken_goes_a_few_at_a_time(own: Crowd, cause: str, slots: int) -> None:
    """Whatever wakes it, and whether it has to get slots back or has them still."""
    future: ReplyFuture[int] = ReplyFuture()
    gate = Gate()
    status = "cancelled" if cause in ("abort", "close") else "timed_out" if cause == "deadlines" else "completed"
    other = AgentPool(max_concurrent=1)
    awaited = other.submit(gate.hold)
    waits: dict[str, Callable[[Any], Any]] = {
        "answer": lambda _: future.get(),
        "outcome": lambda _: awaited.outcome(),
        "timers": until_it_is_late,
    }
    fields = {"deadline": 3.0} if cause == "deadlines" else {}
    with other, crowded_pool(own, waits.get(cause, lambda agent: agent.receive()), slots, **fields) as pool:
        if cause == "messages":
            for n in range(COUNT):
                pool.router.send(AgentMessage(0, n + 1, "go"))
        elif cause == "abort":
            pool.abort_all("enough")
        elif cause == "close":
            pool.close()
        future.set(1)
        gate.open()
        outcomes = pool.join_all(BOUND)
        assert {outcome.status for outcome in outcomes.values()} == {status}
        assert len(outcomes) == COUNT
    assert 0 < most(own) <= UNDER_WAY


def test_sleepers_that_end_together_go_a_few_at_a_time(own: Crowd) -> None:
    """Those that the alarm minds; a few mind themselves."""
    with crowded_pool(own, lambda agent: agent.sleep(3.0), COUNT) as pool:
        assert len(own._timed) == FEW
        assert len(own.alarm.minded) == COUNT - FEW
        assert all(outcome.ok for outcome in pool.join_all(BOUND).values())
    assert 0 < most(own) <= UNDER_WAY


def test_callers_that_join_one_agent_go_a_few_at_a_time(own: Crowd, in_thread: Any) -> None:
    """They are threads of the program's own."""
    gate = Gate()
    with AgentPool() as pool:
        handle = pool.submit(gate.hold)
        joining = [in_thread(handle.outcome) for _ in range(COUNT)]
        eventually(lambda: len(own.waiting) == COUNT)
        gate.open()
        assert all(one.result(BOUND).ok for one in joining)
    assert 0 < most(own) <= UNDER_WAY


@pytest.mark.parametrize("winner", ["wake", "time"])
def test_a_wake_against_the_end_of_the_time(own: Crowd, winner: str, in_thread: Any) -> None:
    """One that stands in line when its time is over was woken; one that is woken after that takes no place."""
    for n in range(UNDER_WAY):
        own.under_way[n] = None  # type: ignore[index]  # nobody of them gets on
    others = [Waiter() for _ in range(UNDER_WAY)]
    keeping = [in_thread(one.wait) for one in others]
    eventually(lambda: len(own.waiting) == UNDER_WAY)
    waiter = Waiter()
    waiting = in_thread(waiter.wait, 0.2)
    eventually(lambda: len(own.waiting) == UNDER_WAY + 1)
    if winner == "wake":
        waiter.wake()
        assert list(own._line) == [waiter]
        assert waiting.result(BOUND) is True
    else:
        assert waiting.result(BOUND) is False
        waiter.wake()
        assert not own._line
    assert waiter not in own.under_way
    own.under_way.clear()
    for one in others:
        one.wake()
    assert all(one.result(BOUND) for one in keeping)
    own._go_on()


def test_a_thread_that_stands_in_line_looks_up(own: Crowd, in_thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when those before it never get on, it sees that it was woken."""
    monkeypatch.setattr(waiter_module, "LOOK_UP", 0.01)
    for n in range(UNDER_WAY):
        own.under_way[n] = None  # type: ignore[index]
    waiters = [Waiter() for _ in range(UNDER_WAY + 1)]
    waiting = [in_thread(one.wait) for one in waiters]
    eventually(lambda: len(own.waiting) == len(waiters))
    for one in waiters:
        own.let_go(one)
    assert not any(one.done() for one in waiting)
    for one in waiters:
        one.woken = True
    assert all(one.result(BOUND) for one in waiting)
    own.under_way.clear()
    own._go_on()


def test_those_who_come_together_do_not_look_up_together() -> None:
    """The more wait, the later each looks up, each at its own time."""
    made = Crowd()
    made.waiting = dict.fromkeys(range(100 * MANY))  # type: ignore[arg-type]
    pauses = {made.pause() for _ in range(50)}
    assert len(pauses) > 40
    assert min(pauses) >= 25.0
    assert max(pauses) <= 75.0


@pytest.mark.process
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_a_crowd_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who were on their way in the parent are not there, and in nobody's way."""
    monkeypatch.setattr(crowd_module, "_crowd", None)
    before = crowd()
    for n in range(UNDER_WAY):
        before.under_way[n] = None  # type: ignore[index]
    pid = os.fork()
    if not pid:
        os._exit(0 if crowd() is not before and not crowd().under_way else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert crowd() is before


def test_idle_workers_end_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that has ended ends the next one."""
    crew, together = Crew("crew", keep=None), threading.Barrier(COUNT)

    def job(_: Any) -> bool:
        together.wait(BOUND)
        return False

    for _ in range(COUNT):
        crew.start(job)
    eventually(lambda: len(crew._idle) == COUNT)
    gate, real = Gate(), crew.left
    monkeypatch.setattr(crew, "left", lambda worker: (gate.hold(), real(worker)))
    crew.close()
    for _ in range(8):
        gate.next()
    assert len(crew._idle) == COUNT - 8
    gate.open()
    crew.join(BOUND, {})
    assert not crew.threads()
