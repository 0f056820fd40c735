"""Waiting for what a provider allows, with threads."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from actors import Cancelled, CancelToken, Deadline, RateLimiter
from actors.core.process import fork
from actors.drivers.shared_limiters import limiter_of


def waiting(limiter: RateLimiter, count: int) -> Any:
    return lambda: limiter.stats().waiting == count


def test_a_permit_is_given_back() -> None:
    """Also when the call fails."""
    limiter = RateLimiter(max_concurrent=1)
    with pytest.raises(KeyError), limiter.acquire(1, cancel=CancelToken()):
        assert limiter.stats().in_flight == 1
        raise KeyError
    with limiter.acquire(1, cancel=CancelToken()) as permit:
        permit.answered(5)
    stats = limiter.stats()
    assert (stats.in_flight, stats.waiting, stats.refused, stats.paused_for) == (0, 0, 0, 0.0)


def test_first_come_first_served(in_thread: Any, eventually: Any) -> None:
    """In the order in which they came."""
    limiter = RateLimiter(max_concurrent=1)
    order: list[int] = []
    first = limiter.acquire(1, cancel=CancelToken())

    def call(number: int) -> None:
        with limiter.acquire(1, cancel=CancelToken()):
            order.append(number)

    futures = []
    for number in range(5):
        futures.append(in_thread(call, number))
        eventually(waiting(limiter, number + 1))
    first.__exit__()
    for future in futures:
        future.result(10)
    assert order == [0, 1, 2, 3, 4]


def test_never_more_at_once(in_thread: Any) -> None:
    """However many threads."""
    limiter = RateLimiter(max_concurrent=3)
    lock, now, most = threading.Lock(), [0], [0]

    def call() -> None:
        for _ in range(20):
            with limiter.acquire(1, cancel=CancelToken()):
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                with lock:
                    now[0] -= 1

    for future in [in_thread(call) for _ in range(16)]:
        future.result(10)
    assert most[0] <= 3
    assert limiter.stats().in_flight == limiter.stats().waiting == 0


def test_a_cancel_ends_the_wait_and_those_behind_go_on(in_thread: Any, eventually: Any) -> None:
    """The first in line leaves: the second one is served."""
    limiter = RateLimiter(max_concurrent=1)
    held = limiter.acquire(1, cancel=CancelToken())
    token = CancelToken()
    leaving = in_thread(limiter.acquire, 1, cancel=token)
    eventually(waiting(limiter, 1))
    staying = in_thread(lambda: limiter.acquire(1, cancel=CancelToken()).__exit__())
    eventually(waiting(limiter, 2))
    token.cancel("enough")
    with pytest.raises(Cancelled, match="enough"):
        leaving.result(10)
    held.__exit__()
    staying.result(10)
    assert limiter.stats().waiting == 0


def test_a_deadline_ends_the_wait() -> None:
    """Also one that nobody fires."""
    limiter = RateLimiter(requests_per_minute=1)
    limiter.acquire(1, cancel=CancelToken()).__exit__()
    with pytest.raises(Cancelled) as caught:
        limiter.acquire(1, cancel=CancelToken(Deadline.after(0.05)))
    assert caught.value.timed_out
    assert limiter.stats().waiting == 0


def test_a_cancelled_caller_does_not_get_in_line() -> None:
    """It is told at once."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        RateLimiter().acquire(1, cancel=token)


def test_headers_hold_everybody_up() -> None:
    """What they say is heard; an answer ends it, and those of an error stop nobody."""
    limiter = RateLimiter()
    used_up = {
        "x-ratelimit-limit-requests": "2",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
    }
    with limiter.acquire(1, cancel=CancelToken()) as permit:
        limiter.feed(used_up, refused=True)
        assert limiter.stats().paused_for == 0
        limiter.feed(used_up)
        assert 25 < limiter.stats().paused_for <= 30
        with pytest.raises(Cancelled):
            limiter.acquire(1, cancel=CancelToken(Deadline.after(0.05)))
        permit.answered(1)
    limiter.acquire(1, cancel=CancelToken(Deadline.after(10))).__exit__()


def test_refusals_are_counted() -> None:
    """And in a row they hold everybody up for as long as the server says."""
    limiter = RateLimiter()
    for _ in range(4):
        with limiter.acquire(1, cancel=CancelToken()) as permit:
            permit.refused(30.0)
    assert limiter.stats().refused == 4
    assert limiter.stats().paused_for > 20
    assert limiter.stats().pauses == 1


def test_one_for_each_key() -> None:
    """The same for the same server and key, another for another; and none is kept for ever."""
    one = limiter_of("https://a", "key")
    assert limiter_of("https://a", "key") is one
    assert limiter_of("https://b", "key") is not one
    assert limiter_of("https://a", "other") is not one
    one.acquire(1, cancel=CancelToken()).refused(None)
    del one
    gc.collect()
    assert limiter_of("https://a", "key").stats().refused == 0


def test_a_forked_child_begins_anew(monkeypatch: pytest.MonkeyPatch, in_thread: Any) -> None:
    """Those who call and wait are its parent's, and so are locks that are held; several threads come at once."""
    limiter = RateLimiter(max_concurrent=1)
    limiter.acquire(1, cancel=CancelToken())
    limiter._here().lock.acquire()
    shared = limiter_of("https://a", "key")
    generation = fork.generation()
    monkeypatch.setattr(fork, "generation", lambda: generation + 1)
    meet = threading.Barrier(8)

    def call() -> None:
        meet.wait(10)
        limiter.acquire(1, cancel=CancelToken(Deadline.after(10))).__exit__()

    for future in [in_thread(call) for _ in range(8)]:
        future.result(10)
    assert (limiter.stats().in_flight, limiter.stats().waiting) == (0, 0)
    assert limiter_of("https://a", "key") is not shared
