"""What becomes of the other agents when one fails: ``failure`` on the pool, ``join_all`` and ``map``."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    AgentCancelled,
    AgentCrashed,
    AgentMessage,
    AgentPool,
    AgentStatus,
    Backoff,
    DriverError,
    FailurePolicy,
    JoinTimeout,
    Outcomes,
    RestartPolicy,
    SpawnConfig,
)

from .agent.doubles import doing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import Agent, AgentHandle

REST = FailurePolicy.CANCEL_REST


def fails(agent: Agent[Any], query: Any) -> None:
    """A failure."""
    raise DriverError("no")


def crashes(agent: Agent[Any], query: Any) -> None:
    """A crash."""
    raise ValueError("no")


def waits(agent: Agent[Any], query: Any) -> None:
    """Parked, until it is cancelled."""
    agent.receive()


def works(agent: Agent[Any], query: Any) -> None:
    """Busy, until it is cancelled."""
    agent.sleep(3600)


def answers(agent: Agent[Any], query: Any) -> Any:
    """Done at once."""
    return query


def at(gate: Any, then: Callable[..., Any] = answers, **fields: Any) -> SpawnConfig:
    """One that stands at *gate* first."""
    return doing(lambda agent, query: (gate.hold(), then(agent, query))[1], **fields)


def handles(pool: AgentPool, *configs: SpawnConfig) -> list[AgentHandle[Any]]:
    """One for each."""
    return [pool.spawn(config) for config in configs]


def statuses(outcomes: Outcomes) -> dict[int, str]:
    """How each ended."""
    return {id_: str(outcome.status) for id_, outcome in sorted(outcomes.items())}


class Source:
    """An iterator of configs that notes what is read, and that it was closed."""

    def __init__(self, configs: Iterator[SpawnConfig], *, error: Exception | None = None) -> None:
        self.read = 0
        self.closed = 0
        self._configs = configs
        self._error = error

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> SpawnConfig:
        config = next(self._configs)
        self.read += 1
        return config

    def close(self) -> None:
        """As a generator's."""
        self.closed += 1
        if self._error is not None:
            raise self._error


# What is asked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["cancel", "", 1, ["collect"], object()])
def test_another_policy_is_refused_by_name(make_pool: Any, value: Any) -> None:
    """At once, at each door, with the choices; nothing is waited for, nothing is read."""
    message = "failure must be 'collect' or 'cancel_rest', got "
    with pytest.raises(ValueError, match=message):
        AgentPool(failure=value)
    pool = make_pool()
    source = Source(iter([doing(answers)]))
    with pytest.raises(ValueError, match=message):
        pool.map(source, failure=value)
    with pytest.raises(ValueError, match=message):
        pool.join_all(failure=value)
    assert source.read == 0


def test_a_pool_has_a_policy() -> None:
    """None is for those who do as the pool does: the pool itself must have one."""
    with pytest.raises(ValueError, match="got None"):
        AgentPool(failure=None)  # type: ignore[arg-type]


def test_a_failure_harms_nobody_unless_asked(make_pool: Any, gate: Any) -> None:
    """The default collects."""
    pool = make_pool()
    other = pool.spawn(at(gate))
    failed = pool.spawn(doing(fails))
    assert failed.outcome(10).status == "failed"
    gate.open()
    assert other.result(10) == "q"


@pytest.mark.parametrize("word", ["cancel_rest", REST])
def test_a_word_is_as_good_as_the_enum(make_pool: Any, word: Any) -> None:
    """In each place."""
    assert statuses(fill(make_pool(None, 2, failure=word)).join_all(10)) == {1: "cancelled", 2: "failed"}
    assert statuses(fill(make_pool(None, 2)).join_all(10, failure=word)) == {1: "cancelled", 2: "failed"}
    mapped = make_pool(None, 2).map([doing(waits), doing(fails)], failure=word, timeout=10)
    assert [outcome.status for outcome in mapped] == ["cancelled", "failed"]


def fill(pool: AgentPool) -> AgentPool:
    """One that waits, one that fails."""
    pool.spawn(doing(waits))
    pool.spawn(doing(fails))
    return pool


# The pool's policy ----------------------------------------------------------------------------------------------


def test_the_first_failure_cancels_the_running_the_parked_and_the_queued(
    make_pool: Any, gate: Any, eventually: Any
) -> None:
    """Each yields its outcome; a queued one never starts; the reason names who failed."""
    pool = make_pool(None, 2, max_queued=2, failure="cancel_rest")
    parked = pool.spawn(doing(waits, name="parked"))
    eventually(lambda: parked.status == "parked")
    running = pool.spawn(doing(works, name="running"))
    pool.spawn(at(gate, fails, name="culprit"))
    gate.await_reached()
    queued = pool.spawn(doing(answers, name="queued"))
    assert queued.status == "queued"
    gate.open()
    outcomes = pool.join_all(10)
    assert statuses(outcomes) == {1: "cancelled", 2: "cancelled", 3: "failed", 4: "cancelled"}
    assert outcomes[queued.id].started_at is None
    for handle in (parked, running, queued):
        error = outcomes[handle.id].error
        assert isinstance(error, AgentCancelled)
        assert error.reason == "agent 3 (culprit) failed, and the rest is cancelled with it"


def test_a_cancel_by_the_user_is_no_failure(make_pool: Any, gate: Any) -> None:
    """Nor is the abandonment of one that was cancelled."""
    pool = make_pool(None, 3, failure="cancel_rest", abort_timeout=0.02)
    handle, stuck, other = handles(pool, doing(works), at(gate), doing(waits))
    gate.await_reached()
    assert handle.cancel("enough")
    assert handle.outcome(10).status == "cancelled"
    assert stuck.cancel("enough")
    assert stuck.outcome(10).status == "abandoned"
    gate.open()
    pool.router.send(AgentMessage(0, other.id, "go on"))
    assert other.outcome(10).status == "completed"


@pytest.mark.parametrize("how", ["failed", "crashed", "timed_out", "abandoned", "in_init"])
def test_whatever_else_goes_wrong_is_a_failure(make_pool: Any, gate: Any, how: str) -> None:
    """A failure, a crash (also in ``__init__``), a deadline, and one that had to be abandoned for it."""
    configs = {
        "failed": doing(fails),
        "crashed": doing(crashes),
        "timed_out": doing(works, timeout=0.02),
        "abandoned": at(gate, timeout=0.02),
        "in_init": SpawnConfig(doing(answers).manifest, "q", agent=doing(answers).agent, kwargs={"wrong": 1}),
    }
    pool = make_pool(None, 2, failure="cancel_rest", abort_timeout=0.02)
    other = pool.spawn(doing(waits))
    handle = pool.spawn(configs[how])
    assert handle.outcome(10).status == {"in_init": "crashed"}.get(how, how)
    assert other.outcome(10).status == "cancelled"
    gate.open()


def test_a_deadline_in_the_queue_is_a_failure(make_pool: Any, gate: Any) -> None:
    """An agent that never started failed all the same."""
    pool = make_pool(None, 1, max_queued=1, failure="cancel_rest")
    busy = pool.spawn(doing(works))
    late = pool.spawn(doing(answers, deadline=0.02))
    assert late.outcome(10).status == "timed_out"
    assert busy.outcome(10).status == "cancelled"


def test_a_crash_that_is_restarted_is_no_failure_yet(make_pool: Any) -> None:
    """What counts is how the agent ends."""
    crashed: list[int] = []

    def once(agent: Agent[Any], query: Any) -> str:
        if not crashed:
            crashed.append(1)
            raise ValueError("no")
        return "done"

    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=0.0))
    pool = make_pool(None, 2, failure="cancel_rest", restart=policy)
    other = pool.spawn(doing(waits))
    assert pool.spawn(doing(once)).result(10) == "done"
    pool.router.send(AgentMessage(0, other.id, "go on"))
    assert other.outcome(10).status == "completed"


def test_a_later_spawn_is_not_touched(make_pool: Any) -> None:
    """The pool goes on; the next failure takes along who is there then."""
    pool = fill(make_pool(None, 4, failure="cancel_rest"))
    assert statuses(pool.join_all(10)) == {1: "cancelled", 2: "failed"}
    assert pool.spawn(doing(answers)).result(10) == "q"
    assert statuses(fill(pool).join_all(10)) == {4: "cancelled", 5: "failed"}


def test_a_later_spawn_is_not_touched_while_the_failure_is_still_owed(make_pool: Any) -> None:
    """An outcome that waits to be taken takes nobody along."""
    pool = make_pool(None, 4, failure="cancel_rest")
    pool.spawn(doing(fails)).future.exception(10)
    later = pool.spawn(doing(answers))
    assert later.future.result(10) == "q"


def test_detached_agents_stand_aside(make_pool: Any, gates: Any, eventually: Any) -> None:
    """Their failures take nobody along, and nobody's failure takes them along."""
    pool = make_pool(None, 4, failure="cancel_rest")
    bad, good, last = gates(), gates(), gates()
    failing, working, owed = pool.spawn(at(bad, fails)), pool.spawn(at(good, _looks)), pool.spawn(at(last, _looks))
    failing.detach()
    working.detach()
    bad.open()
    assert failing.outcome(10).status == "failed"
    last.open()
    assert owed.outcome(10).status == "completed"
    assert pool.spawn(doing(fails)).outcome(10).status == "failed"
    good.open()
    assert working.outcome(10).status == "completed"


def _looks(agent: Agent[Any], query: Any) -> str:
    agent.checkpoint()
    return "looked"


def test_children_are_their_parents_matter(make_pool: Any, gate: Any, eventually: Any) -> None:
    """A child that fails takes nobody along; those of a victim end with it."""
    pool = make_pool(None, 4, failure="cancel_rest")
    ended: list[str] = []

    def parent(agent: Agent[Any], query: Any) -> None:
        ended.append(str(agent.spawn(doing(fails)).outcome(10).status))
        child = agent.spawn(doing(works))
        child.add_done_callback(lambda handle: ended.append(str(handle.status)))
        gate.hold()
        child.outcome()

    family = pool.spawn(doing(parent))
    gate.await_reached()
    assert ended == ["failed"]
    assert not family.done()
    gate.open()
    assert pool.spawn(doing(fails)).outcome(10).status == "failed"
    assert family.outcome(10).status == "cancelled"
    eventually(lambda: ended == ["failed", "cancelled"])  # callbacks run after the outcome is visible


def test_a_map_is_a_set_of_its_own(make_pool: Any, gates: Any) -> None:
    """A failure among those that are owed to the caller leaves it alone, and the other way round."""
    pool = make_pool(None, 8, failure="cancel_rest")
    mine, outside = gates(), gates()
    mapped = pool.map([at(mine, _looks), doing(answers)], ordered=False, timeout=10)
    assert next(mapped).result == "q"
    assert pool.spawn(doing(fails)).outcome(10).status == "failed"
    mine.open()
    assert [outcome.status for outcome in mapped] == ["completed"]
    other = pool.spawn(at(outside, _looks))
    assert {str(outcome.status) for outcome in pool.map([doing(waits), doing(fails)], timeout=10)} == {
        "failed",
        "cancelled",
    }
    outside.open()
    assert other.outcome(10).status == "completed"


def test_a_map_may_collect_in_a_strict_pool(make_pool: Any, gate: Any) -> None:
    """What the map asks for wins."""
    pool = make_pool(None, 4, failure="cancel_rest")
    mapped = pool.map([doing(fails), at(gate, _looks)], failure="collect", timeout=10)
    assert next(mapped).status == "failed"
    gate.open()
    assert next(mapped).status == "completed"


def test_many_that_fail_at_once(make_pool: Any) -> None:
    """Each ends once: failed, or cancelled before it could."""
    pool = make_pool(None, 8, max_queued=None, failure="cancel_rest")
    start = threading.Barrier(8)

    def together(agent: Agent[Any], query: Any) -> None:
        start.wait(10)
        raise DriverError("no")

    pool.fan_out([doing(together) for _ in range(8)])
    outcomes = pool.join_all(10)
    assert len(outcomes) == 8
    assert set(statuses(outcomes).values()) <= {"failed", "cancelled"}
    assert any(outcome.status == "failed" for outcome in outcomes.values())


def test_a_crowd_is_cancelled(make_pool: Any, gate: Any) -> None:
    """Hundreds, most of them in the queue."""
    pool = make_pool(None, 2, max_queued=None, failure="cancel_rest")
    pool.spawn(at(gate, fails))
    pool.fan_out([doing(works) for _ in range(500)])
    gate.open()
    outcomes = pool.join_all(10)
    assert len(outcomes) == 501
    assert sum(outcome.status == "cancelled" for outcome in outcomes.values()) == 500
    assert pool.stats().outstanding == 0


def test_what_no_thread_could_be_started_for_is_a_failure(make_pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent that could not start takes the rest along; nobody waits for ever."""
    pool = make_pool(None, 2, failure="cancel_rest")
    other = pool.spawn(doing(works))

    def none(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        failed = pool.spawn(doing(answers))
    assert failed.outcome(10).status == "crashed"
    assert other.outcome(10).status == "cancelled"


# The policy of one join_all -------------------------------------------------------------------------------------


def test_a_failure_during_the_join(make_pool: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """Cancels the others, and the join returns all of them."""
    pool = make_pool(None, 4)
    pool.spawn(at(gate, crashes))
    parked = pool.spawn(doing(waits))
    joined = in_thread(pool.join_all, 10, failure="cancel_rest")
    eventually(lambda: parked.status == "parked" and pool._core.owed._all)  # it waits
    gate.open()
    assert statuses(joined.result(10)) == {1: "crashed", 2: "cancelled"}


def test_a_failure_before_the_join(make_pool: Any) -> None:
    """One that is still owed counts as well."""
    pool = make_pool(None, 4)
    handle = pool.spawn(doing(fails))
    handle.future.exception(10)
    pool.spawn(doing(waits))
    assert statuses(pool.join_all(10, failure="cancel_rest")) == {1: "failed", 2: "cancelled"}


def test_a_failure_that_was_taken_is_over(make_pool: Any, gate: Any) -> None:
    """Who took it has seen it."""
    pool = make_pool(None, 4)
    assert pool.spawn(doing(fails)).outcome(10).status == "failed"
    pool.spawn(at(gate, _looks))
    gate.open()
    assert statuses(pool.join_all(10, failure="cancel_rest")) == {2: "completed"}


def test_a_cancel_before_the_join_is_no_failure(make_pool: Any, gate: Any) -> None:
    """And the others end by themselves."""
    pool = make_pool(None, 4)
    pool.spawn(doing(works)).cancel("enough")
    pool.spawn(at(gate, _looks))
    gate.open()
    assert statuses(pool.join_all(10, failure="cancel_rest")) == {1: "cancelled", 2: "completed"}


def test_a_policy_ends_with_its_join(make_pool: Any, gates: Any) -> None:
    """A later failure takes nobody along."""
    pool = fill(make_pool(None, 4))
    assert statuses(pool.join_all(10, failure="cancel_rest")) == {1: "cancelled", 2: "failed"}
    gate = gates()
    other = pool.spawn(at(gate, _looks))
    assert pool.spawn(doing(fails)).outcome(10).status == "failed"
    gate.open()
    assert other.outcome(10).status == "completed"


def test_a_join_that_runs_out_leaves_everything(make_pool: Any, gates: Any) -> None:
    """Nobody is cancelled by it, nothing is taken, and its policy is over."""
    pool = make_pool(None, 4)
    bad, good = gates(), gates()
    failing, other = pool.spawn(at(bad, fails)), pool.spawn(at(good, _looks))
    with pytest.raises(JoinTimeout) as caught:
        pool.join_all(0.01, failure="cancel_rest")
    assert caught.value.partial == {}
    assert not failing.done()
    bad.open()
    failing.future.exception(10)
    good.open()
    assert statuses(pool.join_all(10)) == {1: "failed", 2: "completed"}
    assert other.done()


def test_a_group_takes_along_only_its_own(make_pool: Any, gates: Any) -> None:
    """Failures outside do not count, and nobody outside is cancelled."""
    pool = make_pool(None, 8)
    outside = gates()
    pool.spawn(doing(fails, group="b")).future.exception(10)
    other = pool.spawn(at(outside, _looks, group="b"))
    alone = pool.spawn(at(outside, _looks))
    pool.spawn(doing(waits, group="a"))
    pool.spawn(doing(fails, group="a"))
    assert statuses(pool.join_all(10, group="a", failure="cancel_rest")) == {4: "cancelled", 5: "failed"}
    outside.open()
    assert statuses(pool.join_all(10)) == {1: "failed", other.id: "completed", alone.id: "completed"}


def test_a_group_whose_failure_came_first(make_pool: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """It counts for the join of that group only."""
    pool = make_pool(None, 8)
    other = pool.spawn(at(gate, _looks, group="b"))
    pool.spawn(doing(fails, group="a")).future.exception(10)
    pool.spawn(doing(waits, group="a"))
    joined = in_thread(pool.join_all, 10, group="b", failure="cancel_rest")
    eventually(lambda: pool._core.owed._all)
    gate.open()
    assert statuses(joined.result(10)) == {other.id: "completed"}
    assert statuses(pool.join_all(10, group="a", failure="cancel_rest")) == {2: "failed", 3: "cancelled"}


def test_two_joins_with_two_policies(make_pool: Any, gates: Any, in_thread: Any, eventually: Any) -> None:
    """Each holds for its own group, at the same time."""
    pool = make_pool(None, 8)
    bad, good = gates(), gates()
    pool.spawn(at(bad, fails, group="strict"))
    pool.spawn(doing(waits, group="strict"))
    pool.spawn(at(bad, fails, group="lenient"))
    pool.spawn(at(good, _looks, group="lenient"))
    strict = in_thread(pool.join_all, 10, group="strict", failure="cancel_rest")
    lenient = in_thread(pool.join_all, 10, group="lenient", failure="collect")
    eventually(lambda: len(pool._core.owed._all) == 2)
    bad.open()
    assert statuses(strict.result(10)) == {1: "failed", 2: "cancelled"}
    good.open()
    assert statuses(lenient.result(10)) == {3: "failed", 4: "completed"}


def test_two_strict_joins_of_the_same(make_pool: Any, gates: Any, in_thread: Any, eventually: Any) -> None:
    """The one that gives up does not end the policy of the other."""
    pool = make_pool(None, 8)
    bad = gates()
    pool.spawn(at(bad, fails))
    pool.spawn(doing(waits))
    patient = in_thread(pool.join_all, 10, failure="cancel_rest")
    eventually(lambda: pool._core.owed._all)
    with pytest.raises(TimeoutError):
        pool.join_all(0, failure="cancel_rest")
    bad.open()
    assert statuses(patient.result(10)) == {1: "failed", 2: "cancelled"}


def test_a_join_of_nothing(make_pool: Any) -> None:
    """Is empty at once, whatever the policy."""
    outcomes = make_pool().join_all(0, failure="cancel_rest")
    assert isinstance(outcomes, Outcomes)
    assert outcomes.unwrap() == {}


def test_a_join_after_the_end_of_the_pool(make_pool: Any) -> None:
    """Gives what is owed."""
    pool = fill(make_pool(None, 4))
    pool.close()
    assert set(statuses(pool.join_all(0, failure="cancel_rest"))) == {1, 2}


def test_the_plainest_way_to_raise(make_pool: Any) -> None:
    """``join_all(...).unwrap()``: results, or one error for each that failed, with its name."""
    pool = make_pool(None, 4)
    pool.fan_out([doing(answers, number) for number in range(3)])
    assert pool.join_all(10).unwrap() == {1: 0, 2: 1, 3: 2}
    pool.spawn(doing(answers))
    pool.spawn(doing(crashes, name="culprit"))
    with pytest.raises(ExceptionGroup, match="1 of 2 agents did not complete") as caught:
        pool.join_all(10).unwrap()
    (error,) = caught.value.exceptions
    assert isinstance(error, AgentCrashed)
    assert "ValueError: no" in error.traceback
    assert error.__notes__[-1] == "agent 5 (culprit), crashed"


def test_what_a_join_shows_when_it_runs_out_can_be_unwrapped(make_pool: Any, gate: Any) -> None:
    """``partial`` is what the join would have returned of it."""
    pool = make_pool(None, 4)
    pool.spawn(at(gate))
    pool.spawn(doing(answers)).future.result(10)
    with pytest.raises(JoinTimeout) as caught:
        pool.join_all(0)
    assert caught.value.partial.unwrap() == {2: "q"}  # type: ignore[attr-defined]


# The policy of one map ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [True, False])
def test_a_map_is_read_no_further(make_pool: Any, gate: Any, in_thread: Any, eventually: Any, ordered: bool) -> None:
    """The source is closed, once; what was admitted is yielded, and nothing else."""
    pool = make_pool(None, 2)
    source = Source(iter([at(gate, fails), *[doing(works) for _ in range(1000)]]))
    mapped = pool.map(source, ordered=ordered, failure="cancel_rest", timeout=10)
    taken = in_thread(list, mapped)
    eventually(lambda: source.read == 2 * 2 + 16 and pool.queued_count == 18)
    gate.open()
    outcomes = taken.result(10)
    assert len(outcomes) == source.read == 2 * 2 + 16
    assert source.closed == 1
    assert [outcome.status for outcome in outcomes].count(AgentStatus.CANCELLED) == source.read - 1
    assert {outcome.status for outcome in outcomes} == {"failed", "cancelled"}
    assert list(mapped) == []


def test_a_generator_is_closed(make_pool: Any) -> None:
    """Its ``finally`` runs, in the thread that maps."""
    pool = make_pool(None, 1)
    closed: list[threading.Thread] = []

    def configs() -> Iterator[SpawnConfig]:
        try:
            yield doing(fails)
            while True:
                yield doing(waits)
        finally:
            closed.append(threading.current_thread())

    outcomes = list(pool.map(configs(), failure="cancel_rest", timeout=10))
    assert outcomes[0].status == "failed"
    assert {outcome.status for outcome in outcomes[1:]} <= {"cancelled"}
    assert closed == [threading.current_thread()]


def test_a_source_without_close(make_pool: Any, gate: Any, in_thread: Any, eventually: Any) -> None:
    """A plain list has none, and needs none."""
    pool = make_pool(None, 1)
    mapped = pool.map([at(gate, fails), *[doing(waits)] * 30], failure="cancel_rest", timeout=10)
    taken = in_thread(list, mapped)
    eventually(lambda: pool.queued_count == 17)
    gate.open()
    assert [outcome.status for outcome in taken.result(10)] == ["failed"] + ["cancelled"] * 17


@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_of_closing_comes_after_what_was_admitted(make_pool: Any, ordered: bool) -> None:
    """As any error of the source: what was admitted is yielded before."""
    pool = make_pool(None, 4)
    source = Source(iter([doing(fails), *[doing(waits)] * 1000]), error=OSError("cannot close"))
    mapped = pool.map(source, ordered=ordered, failure="cancel_rest", timeout=10)
    outcomes = []
    with pytest.raises(OSError, match="cannot close"):
        for outcome in mapped:
            outcomes.append(outcome)  # noqa: PERF402 - what came before the error counts
    assert len(outcomes) == source.read


@pytest.mark.parametrize("ordered", [True, False])
def test_a_failure_while_the_source_is_read(make_pool: Any, gate: Any, eventually: Any, ordered: bool) -> None:
    """What it gives then is one of the rest: it does not run on by itself."""
    pool = make_pool(None, 4)

    def configs() -> Iterator[SpawnConfig]:
        yield at(gate, fails)
        gate.open()
        eventually(lambda: pool.stats().ended.get(AgentStatus.FAILED))
        yield doing(waits)

    outcomes = list(pool.map(configs(), ordered=ordered, failure="cancel_rest", timeout=1))
    assert [outcome.status for outcome in outcomes] in (["failed"], ["failed", "cancelled"])


def test_a_cancel_ends_no_map(make_pool: Any) -> None:
    """The source is read to its end."""
    pool = make_pool(None, 1)

    def configs() -> Iterator[SpawnConfig]:
        yield doing(works)
        assert pool.abort(1, "enough")
        yield doing(answers)

    assert [outcome.status for outcome in pool.map(configs(), failure="cancel_rest", timeout=10)] == [
        "cancelled",
        "completed",
    ]


def test_a_map_of_an_agents_own(make_pool: Any) -> None:
    """Each map stands for itself: a failure in one cancels nobody in the other."""
    pool = make_pool(None, 8)
    first = pool.map([doing(answers), doing(answers)], failure="cancel_rest", timeout=10)
    second = pool.map([doing(waits), doing(fails)], failure="cancel_rest", timeout=10)
    assert next(first).status == "completed"
    assert {str(outcome.status) for outcome in second} == {"failed", "cancelled"}
    assert next(first).status == "completed"


def test_as_completed_sees_the_pools_policy(make_pool: Any) -> None:
    """The outcomes of those that were cancelled come as any others."""
    pool = fill(make_pool(None, 4, failure="cancel_rest"))
    assert sorted(outcome.status for outcome in pool.as_completed(timeout=10)) == ["cancelled", "failed"]


def test_callbacks_of_the_victims_are_called(make_pool: Any) -> None:
    """Once each, with the outcome there."""
    pool = make_pool(None, 4, failure="cancel_rest")
    called: list[tuple[int, str]] = []
    victims = handles(pool, doing(waits), doing(works))
    for victim in victims:
        victim.add_done_callback(lambda handle: called.append((handle.id, str(handle.status))))
    pool.spawn(doing(fails))
    pool.join_all(10)
    pool.close()
    assert sorted(called) == [(1, "cancelled"), (2, "cancelled")]
