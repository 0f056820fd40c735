"""Section 6: who is owed what."""

from __future__ import annotations

import concurrent.futures
import threading
import time

import pytest

from actors import AgentPool

from ..waiting import eventually
from .doubles import WAIT, Background, doing, echo, held, sleeper


def finished(handles) -> None:
    """Wait for the ends without taking an outcome."""
    _, late = concurrent.futures.wait([handle.future for handle in handles], timeout=WAIT)
    assert not late


def test_join_next_gives_none_only_when_nothing_is_outstanding() -> None:
    """No agents: None at once, even with timeout=None."""
    with AgentPool() as pool:
        assert pool.join_next() is None
        assert pool.join_next(timeout=0) is None
        pool.spawn(echo())
        assert pool.join_next(timeout=WAIT).result == "q"
        assert pool.join_next() is None


def test_join_next_times_out_and_loses_nothing(gate) -> None:
    """TimeoutError while one is outstanding; its outcome comes later."""
    with AgentPool() as pool:
        pool.spawn(held(gate))
        for timeout in (0, 0.05):
            with pytest.raises(TimeoutError):
                pool.join_next(timeout=timeout)
        assert pool.outstanding_count == 1
        gate.open()
        assert pool.join_next(timeout=WAIT).result == "held"


def test_completion_order_not_spawn_order(gate, second_gate) -> None:
    """join_next gives the one that ended first."""
    with AgentPool() as pool:
        slow, slower = pool.spawn(held(second_gate, "slow")), pool.spawn(held(gate, "slower"))
        quick = pool.spawn(echo("quick"))
        assert pool.join_next(timeout=WAIT).agent_id == quick.id
        second_gate.open()
        assert pool.join_next(timeout=WAIT).agent_id == slow.id
        gate.open()
        assert pool.join_next(timeout=WAIT).agent_id == slower.id


@pytest.mark.parametrize("take", ["result", "outcome"])
def test_taken_by_the_handle_once(take) -> None:
    """After handle.result() or handle.outcome() nobody else gets it, but the handle still answers."""
    with AgentPool() as pool:
        handle = pool.spawn(echo())
        getattr(handle, take)(timeout=WAIT)
        assert pool.outstanding_count == 0
        assert pool.join_next(timeout=0) is None
        assert pool.join_all(timeout=0) == {}
        assert handle.result(timeout=0) == "q"
        assert handle.outcome(timeout=0).ok


def test_taken_by_join_next_the_handle_still_answers() -> None:
    """A later handle.result() keeps working."""
    with AgentPool() as pool:
        handle = pool.spawn(echo())
        assert pool.join_next(timeout=WAIT).agent_id == handle.id
        assert handle.result(timeout=0) == "q"
        assert handle.outcome(timeout=0).agent_id == handle.id
        assert pool.join_next(timeout=0) is None


def test_taken_by_join_all_once() -> None:
    """The second join_all is empty."""
    with AgentPool() as pool:
        handles = pool.fan_out([echo(), echo()])
        assert sorted(pool.join_all(timeout=WAIT)) == [1, 2]
        assert pool.join_all(timeout=0) == {}
        assert [handle.result(timeout=0) for handle in handles] == ["q", "q"]


def test_taken_by_as_completed_once() -> None:
    """as_completed takes too."""
    with AgentPool() as pool:
        handles = pool.fan_out([echo(), echo()])
        assert sorted(outcome.agent_id for outcome in pool.as_completed(timeout=WAIT)) == [1, 2]
        assert pool.join_all(timeout=0) == {}
        assert handles[0].result(timeout=0) == "q"


def test_future_callback_and_done_take_nothing() -> None:
    """Looking is not taking."""
    with AgentPool() as pool:
        handle = pool.spawn(echo())
        assert handle.future.result(timeout=WAIT) == "q"
        called = threading.Event()
        handle.add_done_callback(lambda given: called.set())
        assert called.wait(WAIT)
        assert handle.done()
        assert handle.status == "completed"
        assert pool.outstanding_count == 1
        assert pool.join_next(timeout=0).result == "q"


def test_failing_result_takes_too() -> None:
    """handle.result() that raises the agent's error has taken the outcome."""
    from actors.errors import AgentCrashed

    with AgentPool() as pool:
        handle = pool.spawn(doing(lambda agent, _: 1 / 0))
        with pytest.raises(AgentCrashed):
            handle.result(timeout=WAIT)
        assert pool.join_next(timeout=0) is None


def test_result_that_runs_out_of_time_takes_nothing(gate) -> None:
    """The outcome is still owed."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        with pytest.raises(TimeoutError):
            handle.result(timeout=0.05)
        with pytest.raises(TimeoutError):
            handle.outcome(timeout=0)
        gate.open()
        assert pool.join_next(timeout=WAIT).agent_id == handle.id


def test_two_threads_in_join_next_with_one_agent_left(gate) -> None:
    """One gets it, the other gets None, nobody blocks."""
    with AgentPool() as pool:
        for _ in range(20):
            handle = pool.spawn(held(gate))
            joiners = [Background(lambda: pool.join_next(timeout=WAIT)) for _ in range(2)]
            if not gate.is_open:
                for joiner in joiners:
                    eventually(joiner.blocked)
                gate.open()
            got = [joiner.result() for joiner in joiners]
            assert sorted(outcome is not None for outcome in got) == [False, True]
            assert next(outcome for outcome in got if outcome).agent_id == handle.id


def test_many_joiners_share_many_outcomes() -> None:
    """Each outcome is taken exactly once, whoever takes it."""
    with AgentPool(max_concurrent=4, max_queued=None) as pool:
        pool.fan_out([echo(str(number)) for number in range(300)])
        taken = []

        def join():
            while (outcome := pool.join_next(timeout=WAIT)) is not None:
                taken.append(outcome.agent_id)

        for joiner in [Background(join) for _ in range(4)]:
            joiner.result()
    assert sorted(taken) == list(range(1, 301))


def test_handle_and_join_next_race_for_one_outcome(gate) -> None:
    """A handle that waits and a joiner that waits: the outcome is taken once, both return."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        by_handle = Background(lambda: handle.result(timeout=WAIT))
        by_join = Background(lambda: pool.join_next(timeout=WAIT))
        eventually(by_handle.blocked)
        eventually(by_join.blocked)
        gate.open()
        assert by_handle.result() == "held"
        outcome = by_join.result()
        assert outcome is None or outcome.agent_id == handle.id
        assert pool.join_next(timeout=0) is None


def test_join_all_counts_later_spawns(gate, second_gate) -> None:
    """What is spawned while join_all waits is waited for too."""
    with AgentPool() as pool:
        pool.spawn(held(gate, "first"))
        joining = Background(lambda: pool.join_all(timeout=WAIT))
        eventually(joining.blocked)
        pool.spawn(held(second_gate, "later"))
        gate.open()
        assert second_gate.next() == "later"
        assert joining.thread.is_alive()
        second_gate.open()
        assert {outcome.result for outcome in joining.result().values()} == {"first", "later"}


def test_join_all_timeout_shows_what_is_done_and_takes_nothing(gate) -> None:
    """error.partial has the finished ones; a second call gives all."""
    with AgentPool() as pool:
        done = pool.spawn(echo("done"))
        finished([done])
        slow = pool.spawn(held(gate, "slow"))
        with pytest.raises(TimeoutError) as caught:
            pool.join_all(timeout=0.05)
        partial = caught.value.partial
        assert list(partial) == [done.id]
        assert partial[done.id].result == "done"
        assert pool.outstanding_count == 2
        with pytest.raises(TimeoutError):
            pool.join_all(timeout=0)
        gate.open()
        assert sorted(pool.join_all(timeout=WAIT)) == [done.id, slow.id]


def test_join_all_of_one_group(gate) -> None:
    """group= takes that group alone."""
    with AgentPool() as pool:
        pool.spawn(held(gate, "other", group="other"))
        mine = [pool.spawn(echo(str(n), group="mine")) for n in range(2)]
        ungrouped = pool.spawn(echo("none"))
        outcomes = pool.join_all(timeout=WAIT, group="mine")
        assert sorted(outcomes) == [handle.id for handle in mine]
        with pytest.raises(TimeoutError) as caught:
            pool.join_all(timeout=0.05, group="other")
        assert caught.value.partial == {}
        assert pool.join_all(timeout=0, group="nobody") == {}
        gate.open()
        assert sorted(pool.join_all(timeout=WAIT)) == [1, ungrouped.id]


def test_join_all_by_id_has_every_way_to_end() -> None:
    """INV-010: a crash, an abort and a deadline are outcomes like any other."""
    from actors.errors import ToolFailed

    def fail(agent, query):
        raise ToolFailed("x")

    def leave(agent, query):
        raise SystemExit(3)

    with AgentPool(max_concurrent=8) as pool:
        pool.spawn(echo())
        pool.spawn(doing(fail))
        pool.spawn(doing(leave))
        aborted = pool.spawn(doing(lambda agent, _: agent.sleep(WAIT)))
        pool.spawn(doing(lambda agent, _: agent.sleep(WAIT), timeout=0.05))
        pool.abort(aborted.id)
        outcomes = pool.join_all(timeout=WAIT)
    assert {key: str(outcome.status) for key, outcome in outcomes.items()} == {
        1: "completed",
        2: "failed",
        3: "crashed",
        4: "cancelled",
        5: "timed_out",
    }
    assert all(outcome.agent_id == key for key, outcome in outcomes.items())


def test_crash_does_not_look_like_none_left() -> None:
    """Repaired: join_next after a crash gives its outcome, not None."""
    with AgentPool() as pool:
        pool.spawn(doing(lambda agent, _: 1 / 0))
        outcome = pool.join_next(timeout=WAIT)
        assert outcome is not None
        assert outcome.status == "crashed"
        assert pool.router.agent_count == 0


def test_detached_is_owed_to_nobody(gate) -> None:
    """detach() before or after the end."""
    with AgentPool() as pool:
        early, late = pool.spawn(held(gate)), pool.spawn(echo())
        finished([late])
        assert pool.outstanding_count == 2
        early.detach()
        late.detach()
        assert pool.outstanding_count == 0
        assert pool.join_next(timeout=0) is None
        gate.open()
        assert early.result(timeout=WAIT) == "held"


def test_detach_wakes_a_joiner(gate) -> None:
    """A join_next that waits for the detached agent alone gets None."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        joining = Background(lambda: pool.join_next(timeout=WAIT))
        eventually(joining.blocked)
        handle.detach()
        assert joining.result() is None
        assert joining.seconds < 5
        gate.open()


def test_as_completed_of_some_handles(gate) -> None:
    """Only these; the others stay owed."""
    with AgentPool() as pool:
        first, second, other = pool.spawn(held(gate, "a")), pool.spawn(echo("b")), pool.spawn(echo("c"))
        stream = pool.as_completed([first, second], timeout=WAIT)
        assert next(stream).result == "b"
        gate.open()
        assert next(stream).result == "a"
        assert list(stream) == []
        assert sorted(pool.join_all(timeout=WAIT)) == [other.id]


def test_as_completed_times_out(gate) -> None:
    """TimeoutError; the agent is still owed."""
    with AgentPool() as pool:
        handle = pool.spawn(held(gate))
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            list(pool.as_completed(timeout=0.1))
        assert time.monotonic() - begin < 3
        gate.open()
        assert pool.join_next(timeout=WAIT).agent_id == handle.id


def test_after_close_the_rest_then_none(gate) -> None:
    """Joiners get what is left, then None."""
    pool = AgentPool(max_concurrent=2, max_queued=None)
    pool.spawn(echo())
    pool.spawn(sleeper(gate))
    gate.next()
    for _ in range(3):
        pool.spawn(sleeper(gate))
    pool.close()
    statuses = []
    while (outcome := pool.join_next(timeout=0)) is not None:
        statuses.append(outcome.status)
    assert len(statuses) == 5
    assert set(statuses) <= {"completed", "cancelled"}
    assert pool.join_all(timeout=0) == {}
    assert list(pool.as_completed(timeout=0)) == []


def test_joiner_that_waits_during_close_is_woken(gate) -> None:
    """I8: close() leaves no blocked waiter."""
    pool = AgentPool()
    handle = pool.spawn(sleeper(gate))
    gate.next()
    calls = [
        Background(lambda: pool.join_all(timeout=WAIT)),
        Background(lambda: handle.outcome(timeout=WAIT)),
    ]
    for call in calls:
        eventually(call.blocked)
    pool.close()
    joined, outcome = calls[0].result(), calls[1].result()
    assert outcome.status == "cancelled"
    assert set(joined) <= {handle.id}
    assert all(call.seconds < 8 for call in calls)


def test_children_may_be_spawned_while_draining(gate) -> None:
    """drain() refuses the caller's spawns, not a parent's."""

    def parent(agent, query):
        gate.arrive("parent")
        return agent.spawn(echo("child")).result(timeout=WAIT)

    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(doing(parent))
        gate.next()
        draining = Background(lambda: pool.drain(timeout=WAIT))
        eventually(draining.blocked)
        gate.open()
        draining.result()
        assert handle.result(timeout=WAIT) == "child"
