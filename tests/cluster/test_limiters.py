"""Limiters of the program, for drivers of hosts: one line for all of them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import AgentManifest, AgentPool, AgentStatus, Cancelled, CancelToken, Deadline, RateLimiter, SpawnConfig
from actors.core.waiting.wait_graph import current
from actors.drivers import shared_limiters
from actors.drivers.openai import OpenAIDriver
from actors.drivers.shared_limiters import limiter_of, make_limiters_by
from actors.testing.cluster import LocalEngine

from ..drivers.stand import Stand
from ..waiting import Gate, eventually


class Count:
    """How many are at it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.all = 0

    def change(self, by: int) -> None:
        """One comes, or goes."""
        with self._lock:
            self.now += by
            self.all += by > 0
            self.most = max(self.most, self.now)


COUNT = Count()
TRIOS = threading.Barrier(3)


def call(limiter: RateLimiter) -> None:
    """Make a call."""
    member: Any = current()
    with limiter.acquire(5, cancel=member.token) as permit:
        COUNT.change(1)
        TRIOS.wait(10)  # never fewer either
        limiter.feed({"x-ratelimit-remaining-requests": "1"})
        permit.answered(7)
        COUNT.change(-1)


def hold(limiter: RateLimiter, gate: Gate) -> None:
    """Make a call that takes as long as it is let."""
    member: Any = current()
    with limiter.acquire(5, cancel=member.token):
        gate.arrive(0)


def test_never_more_than_three_over_all_hosts() -> None:
    """Whatever becomes of the calls between program and hosts; and none is in flight when all have ended."""
    limiter = RateLimiter(max_concurrent=3)
    engine = LocalEngine(3, seed=3, lost=0.03, lost_answers=0.03, doubled=0.2, late=0.2, late_by=0.002)
    with AgentPool(None, 24, max_queued=None, engine=engine) as pool:
        for handle in [pool.submit(call, limiter) for _ in range(30)]:
            handle.result(20)
    assert (COUNT.all, COUNT.most, COUNT.now) == (30, 3, 0)
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)


def test_permits_of_a_lost_host_are_free() -> None:
    """And so are the places in line of those who waited there."""
    limiter, gate = RateLimiter(max_concurrent=2), Gate()
    engine = LocalEngine(2, shares=True, prefetch=0)
    with AgentPool(None, 8, engine=engine) as pool:
        handles = [pool.submit(hold, limiter, gate) for _ in range(8)]
        eventually(lambda: (limiter.stats().in_flight, limiter.stats().waiting) == (2, 6))
        engine.link.kill_host("node-1")
        eventually(lambda: limiter.stats().waiting + limiter.stats().in_flight == 4)
        gate.open()
        statuses = sorted(str(handle.outcome(10).status) for handle in handles)
    assert statuses == ["completed"] * 4 + ["lost"] * 4
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)


def test_a_cancel_ends_the_wait() -> None:
    """Who stands behind goes on, and the wait is told."""
    limiter, gate, heard = RateLimiter(max_concurrent=1), Gate(), []
    with AgentPool(None, 8, engine=LocalEngine(2, shares=True)) as pool:
        pool.subscribe(heard.append)
        first = pool.submit(hold, limiter, gate)
        eventually(lambda: limiter.stats().in_flight == 1)
        second = pool.submit(hold, limiter, gate)
        eventually(lambda: limiter.stats().waiting == 1)
        third = pool.submit(hold, limiter, gate)
        eventually(lambda: limiter.stats().waiting == 2)
        second.cancel()
        assert second.outcome(10).status is AgentStatus.CANCELLED
        assert limiter.stats().waiting == 1
        gate.open()
        first.result(10)
        third.result(10)
        eventually(lambda: limiter.stats().in_flight == 0)
    waited = {event.agent_id for event in heard if type(event).__name__ == "LimiterWaited"}
    assert waited == {second.id, third.id}


def give_up(limiter: RateLimiter) -> bool:
    """Wait for a call as long as a token says that nobody fires."""
    with pytest.raises(Cancelled) as caught:
        limiter.acquire(5, cancel=CancelToken(Deadline.after(0.05)))
    return caught.value.timed_out


def test_a_deadline_ends_the_wait() -> None:
    """Also one that nobody fires; and the place in line is free."""
    limiter = RateLimiter(max_concurrent=1)
    with AgentPool(None, 2, engine=LocalEngine(1)) as pool, limiter.acquire(1, cancel=CancelToken()):
        assert pool.submit(give_up, limiter).result(10)
        eventually(lambda: limiter.stats().waiting == 0)


def test_a_refused_call_learns_how_long_to_wait() -> None:
    """From the limiter of the program."""

    def refused(limiter: RateLimiter) -> tuple[float | None, int]:
        with limiter.acquire(5, cancel=CancelToken()) as permit:
            return permit.refused(1.5), limiter.stats().refused

    limiter = RateLimiter()
    with AgentPool(None, 1, engine=LocalEngine(1)) as pool:
        assert pool.submit(refused, limiter).result(10) == (1.5, 1)


def test_a_call_gets_its_turn_after_its_minute() -> None:
    """Without a thread that waits: by a timer of who asks."""
    limiter, due, given = RateLimiter(requests_per_minute=1), [], []
    limiter.acquire_later(1, lambda permit, waited: given.append((permit, waited)), lambda *each: due.append(each))
    assert [waited for _, waited in given] == [0.0]
    turn = limiter.acquire_later(1, lambda permit, waited: given.append((permit, waited)), lambda *a: due.append(a))
    (seconds, look), *_ = due
    assert 59 < seconds <= 60
    look()
    assert (len(due), len(given), limiter.stats().waiting) == (2, 1, 1)
    turn.leave()
    turn.leave()
    look()
    assert (len(due), len(given), limiter.stats().waiting) == (2, 1, 0)


def test_who_leaves_the_line_lets_the_next_one_look() -> None:
    """Also where the next one has no thread of its own."""
    limiter, due, given = RateLimiter(max_concurrent=1), [], []
    first = limiter.acquire(1, cancel=CancelToken())
    second = limiter.acquire_later(1, lambda permit, _: given.append(permit), lambda *each: due.append(each))
    limiter.acquire_later(1, lambda permit, _: given.append(permit), lambda *each: due.append(each))
    assert due == []  # whoever ends wakes them
    second.leave()
    first.let_go()
    assert [seconds for seconds, _ in due] == [0.0, 0.0]
    for _, look in due:
        look()
    assert len(given) == 1
    given[0].let_go()
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)


def test_a_process_of_a_host_has_the_limiters_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each key, by a digest of it: the key itself goes nowhere."""
    asked: list[tuple[str, str]] = []

    def make(server: str, digest: str) -> RateLimiter:
        asked.append((server, digest))
        return RateLimiter()

    monkeypatch.setattr(shared_limiters, "_maker", shared_limiters._Maker())
    make_limiters_by(make)
    limiter = limiter_of("api.here.test", "a secret")
    assert limiter_of("api.here.test", "a secret") is limiter
    [(server, digest)] = asked
    assert (server, len(digest), "secret" in digest) == ("api.here.test", 64, False)


def test_a_closed_pool_leaves_no_call_in_flight() -> None:
    """Also of agents that do not stop: their hosts are no more."""
    limiter, gate = RateLimiter(max_concurrent=1), Gate()
    with AgentPool(None, 2, abort_timeout=0.05, engine=LocalEngine(1, shares=True)) as pool:
        handle = pool.submit(hold, limiter, gate)
        gate.next()
        pool.submit(call, limiter)
        eventually(lambda: limiter.stats().waiting == 1)
        pool.abort_all("enough")
        assert handle.outcome(10).status is AgentStatus.ABANDONED
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)
    gate.open()


def test_a_driver_that_asks_a_server_has_the_limiter_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made again on each host, and all calls stand in one line."""
    limiter = RateLimiter(max_concurrent=1)
    config = SpawnConfig(AgentManifest(name="bot", privacy="standard"), "q")
    monkeypatch.setenv("OPENAI_API_KEY", "of each node")
    with Stand("chat", ["yes"]) as stand:
        driver = OpenAIDriver("m", base_url=stand.url, limiter=limiter)
        with AgentPool(driver, 6, max_queued=None, engine=LocalEngine(3)) as pool:
            answers = [handle.result(10).text for handle in pool.fan_out([config] * 9)]
    assert (answers, len(stand.asked)) == (["yes"] * 9, 9)
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)
