"""The same races without steps, many times, with threads that switch as often as possible: the books always balance."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import Actor, ActorDead, AgentMessage, AgentPool, PoolClosed, SendError

from ..contract.doubles import doing, echo
from .steps import quick_switches

ROUNDS = 150


@pytest.fixture(autouse=True)
def _quick_switches() -> Any:
    with quick_switches():
        yield


def together(*fns: Any) -> list[Any]:
    """Call *fns* at the same time, each in a thread; what they return or raise."""
    barrier = threading.Barrier(len(fns), timeout=10)
    results: list[Any] = [None] * len(fns)

    def call(index: int, fn: Any) -> None:
        barrier.wait()
        try:
            results[index] = fn()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=call, args=item, daemon=True) for item in enumerate(fns)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "it hangs"
    return results


def test_stop_against_put() -> None:
    """A tell that was accepted is handled, one that was refused is not: each message is in one of the two places."""

    class Counting(Actor):
        def __init__(self, handled: list[int]) -> None:
            super().__init__()
            self.handled = handled

        def on_receive(self, message: int) -> None:
            self.handled.append(message)

    for _ in range(ROUNDS):
        handled: list[int] = []
        ref = Counting.start(handled)
        accepted: list[int] = []

        def tell(ref: Any = ref, accepted: Any = accepted) -> None:
            for number in range(20):
                ref.tell(number)
                accepted.append(number)

        told, stopped = together(tell, lambda ref=ref: ref.stop(timeout=10))
        assert told is None or isinstance(told, ActorDead)
        assert stopped is True
        assert handled == accepted


def test_cancel_against_complete_against_join() -> None:
    """Two cancels, a join and the end itself: one outcome, taken once, and what was sent is read or a dead letter."""
    with AgentPool(max_concurrent=4) as pool:
        read: list[Any] = []

        def run(agent: Any, _: str) -> str:
            read.append(agent.receive(10).content)
            return "value"

        sent = 0
        for number in range(ROUNDS):
            handle = pool.spawn(doing(run))
            message = AgentMessage(sender=0, to=handle.id, content=number)
            put, first, second, one, other = together(
                lambda message=message: pool.router.send(message),
                lambda handle=handle: handle.cancel("first"),
                lambda handle=handle: pool.abort(handle.id, "second"),
                lambda: pool.join_next(10),
                lambda: pool.join_next(10),
            )
            assert put is None or isinstance(put, SendError)
            sent += put is None
            assert isinstance(first, bool)
            assert isinstance(second, bool)
            (outcome,) = [taken for taken in (one, other) if taken is not None]
            assert outcome.agent_id == handle.id
            assert (outcome.status, outcome.result) in {("completed", "value"), ("cancelled", None)}
            if outcome.status == "cancelled":
                assert outcome.error.reason in {"first", "second"}
        assert len(read) + pool.router.dead_letters.total == sent
        assert sum(pool.stats().ended.values()) == ROUNDS
        assert pool.stats().active == pool.outstanding_count == 0


def test_spawn_against_close() -> None:
    """Whatever was admitted is owed, whatever was refused is not."""
    for _ in range(ROUNDS // 5):
        pool = AgentPool(max_concurrent=2, max_queued=None)
        admitted: list[int] = []

        def spawn(pool: Any = pool, admitted: Any = admitted) -> None:
            for _ in range(1000):
                admitted.append(pool.spawn(echo()).id)

        first, second, closed = together(spawn, spawn, pool.close)
        for result in (first, second):
            assert result is None or isinstance(result, PoolClosed), result
        assert closed is None
        assert sorted(pool.join_all(0)) == sorted(admitted)
        assert pool.router.agent_count == 0
