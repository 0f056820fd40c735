"""The two lanes to one host, over calls that fail."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, cast

import pytest

from actors.cluster.items import Began, Close
from actors.cluster.lane import DrainCall, Drained, HostState, Inlet, Outbox, PutAnswer, PutCall, dump, load
from actors.cluster.line import PATIENCE, TRY_AGAIN, Line
from actors.cluster.link import HostDied, LinkError, LinkGone

if TYPE_CHECKING:
    from collections.abc import Callable


class ByHand:
    """An engine's thread that does its jobs when it is told to, on a clock that is set."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], object]] = []
        self.timers: list[tuple[float, int, Callable[[], object]]] = []
        self.moment = 100.0

    def do(self, job: Callable[[], object]) -> None:
        """Keep it."""
        self.jobs.append(job)

    def do_at(self, moment: float, job: Callable[[], object]) -> None:
        """Keep it for later."""
        heapq.heappush(self.timers, (moment, len(self.timers), job))

    def now(self) -> float:
        """As it was set."""
        return self.moment

    def run(self, seconds: float = 0.0) -> None:
        """Do all that is due after so long."""
        self.moment += seconds
        while self.jobs or (self.timers and self.timers[0][0] <= self.moment):
            if self.jobs:
                self.jobs.pop(0)()
            else:
                heapq.heappop(self.timers)[2]()


class Host:
    """A host whose answers are given by hand; and the link to it, and who owns the line."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes, Callable[[Any], None]]] = []
        self.outbox = Outbox()
        self.inlet = Inlet()
        self.got_items: list[Any] = []
        self.got_by_program: list[Any] = []
        self.deaths: list[LinkError] = []
        self.sent = 0.0
        self.incarnation = "one"

    def call(self, incarnation: str, method: str, frame: bytes, done: Callable[[Any], None]) -> None:
        """Keep the call."""
        assert incarnation == "one"
        self.calls.append((method, frame, done))

    def state(self) -> HostState:
        """As it is."""
        self.sent += 1
        return HostState(self.incarnation, self.sent, self.inlet.last, 0, 0)

    def run(self, frame: bytes, method: str) -> bytes:
        """Do what was called."""
        if method == "put":
            self.got_items += self.inlet.take(load(frame, PutCall))
            return dump(PutAnswer(self.state()))
        self.outbox.acknowledge(load(frame, DrainCall).ack)
        batch = self.outbox.next()
        return dump(Drained(self.state(), batch.first, batch.items) if batch else Drained(self.state(), 1, []))

    def answer(self, method: str) -> None:
        """Answer the oldest call of that name."""
        index = next(index for index, call in enumerate(self.calls) if call[0] == method)
        _, frame, done = self.calls.pop(index)
        done(self.run(frame, method))

    def fail(self, method: str, error: LinkError) -> None:
        """Let the oldest call of that name fail."""
        index = next(index for index, call in enumerate(self.calls) if call[0] == method)
        self.calls.pop(index)[2](error)

    def methods(self) -> list[str]:
        """The calls that are out."""
        return [method for method, _, _ in self.calls]

    def heard(self, line: Line, state: HostState) -> None:
        """It answered."""

    def got(self, line: Line, items: list[Any]) -> None:
        """What it says."""
        self.got_by_program += items

    def died(self, line: Line, error: LinkError) -> None:
        """It is over."""
        self.deaths.append(error)


@pytest.fixture
def parts() -> tuple[ByHand, Host, Line]:
    """A thread, a host, and the line between them."""
    thread, host = ByHand(), Host()
    line = Line(cast("Any", host), cast("Any", thread), host, "one", wait=1.0)
    return thread, host, line


Parts = tuple[ByHand, Host, Line]


def test_one_put_at_a_time(parts: Parts) -> None:
    """What is put while a call is out goes with the next one."""
    thread, host, line = parts
    line.put(Close())
    thread.run()
    line.put(Close())
    line.put(Close())
    thread.run()
    assert host.methods() == ["put"]
    host.answer("put")
    thread.run()
    assert host.methods() == ["put"]
    host.answer("put")
    thread.run()
    assert (host.methods(), len(host.got_items)) == ([], 3)


@pytest.mark.parametrize("came", [True, False])
def test_a_put_that_failed(parts: Parts, came: bool) -> None:
    """It is made again; what had come all the same comes once."""
    thread, host, line = parts
    line.put(Close())
    thread.run()
    if came:
        host.run(host.calls[0][1], "put")
    host.fail("put", LinkError("lost"))
    thread.run()
    assert host.methods() == []
    thread.run(TRY_AGAIN)
    host.answer("put")
    thread.run()
    assert (host.methods(), host.got_items) == ([], [Close()])


@pytest.mark.parametrize("late", [True, False])
def test_a_call_without_an_answer(parts: Parts, late: bool) -> None:
    """It is made again after a while; an answer that comes then is taken in, and changes nothing else."""
    thread, host, line = parts
    line.drain()
    host.outbox.put(Began(1, 2.0))
    lost = host.calls.pop()
    thread.run(0.5 + PATIENCE)
    assert host.methods() == []
    thread.run(0.5)
    assert host.methods() == ["drain"]
    if late:
        lost[2](host.run(lost[1], "drain"))
        thread.run()
        assert host.got_by_program == [Began(1, 2.0)]
        assert host.methods() == ["drain"]
    host.answer("drain")
    thread.run()
    assert (host.methods(), host.got_by_program) == (["drain"], [Began(1, 2.0)])


def test_a_drain_follows_the_other(parts: Parts) -> None:
    """Each acknowledges what came with the one before."""
    thread, host, line = parts
    line.drain()
    for number in range(3):
        host.outbox.put(Began(number, 0.0))
        host.answer("drain")
        thread.run()
        assert host.methods() == ["drain"]
        assert load(host.calls[0][1], DrainCall).heard == host.sent
    assert [item.id for item in host.got_by_program] == [0, 1, 2]


@pytest.mark.parametrize("how", ["another", "gap", "died", "gone"])
def test_it_is_over(parts: Parts, how: str) -> None:
    """Another host answers, items are missing, or it is said."""
    thread, host, line = parts
    line.drain()
    if how == "another":
        host.incarnation = "two"
        host.answer("drain")
    elif how == "gap":
        host.calls.pop()[2](dump(Drained(host.state(), 3, [dump(Close())])))
    else:
        host.fail("drain", HostDied("killed") if how == "died" else LinkGone("gone"))
    thread.run()
    assert len(host.deaths) == 1


def test_nothing_comes_after_the_end(parts: Parts) -> None:
    """A line that was closed takes nothing in, and calls nobody."""
    thread, host, line = parts
    line.drain()
    line.put(Close())
    host.outbox.put(Began(1, 0.0))
    line.close()
    host.answer("drain")
    thread.run(10)
    assert (host.methods(), host.got_by_program) == ([], [])
