"""One agent's life: how each attempt ends, restarts, children, and the one outcome."""

from __future__ import annotations

import gc
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from actors.core.records.event import AgentParked, AgentRestarted, AgentResumed
from actors.core.records.spec import Backoff, RestartPolicy
from actors.core.supervision.pool_state import PoolPhase
from actors.core.supervision.runner import Runner
from actors.errors import AgentCancelled, AgentCrashed, AgentTimedOut, PoolClosed, ToolFailed

AT_ONCE = Backoff(base=0, jitter=0)


def raises(error: BaseException) -> Any:
    def fail(*_: Any) -> Any:
        raise error

    return fail


# How it ends ----------------------------------------------------------------------------------------------------


def test_what_run_returns_is_the_result(supervise: Any, start: Any) -> None:
    """With what it was asked, its tag, and its times."""
    outcome = start(supervise(), lambda _: [1, 2], name="me", query="q", tag=object).outcome(10)
    assert (outcome.status, outcome.result, outcome.error) == ("completed", [1, 2], None)
    assert (outcome.name, outcome.query, outcome.tag, outcome.restarts) == ("me", "q", object, 0)
    assert outcome.started_at <= outcome.ended_at
    assert outcome.duration >= 0


def test_it_lives_once(supervise: Any, start: Any) -> None:
    """Whoever else is handed the same job, as after an interrupted start, finds it claimed."""
    lives: list[Any] = []
    supervisor = supervise()
    handle = start(supervisor, lives.append)
    assert handle.outcome(10).status == "completed"
    cell = handle._cell
    assert cell.begin() is False
    assert Runner(supervisor.pool, cell).work(None) is False
    assert len(lives) == 1


def test_an_agents_own_error_is_a_failure(supervise: Any, start: Any) -> None:
    """The error itself, with where it was raised but not the values alive there."""
    error = ToolFailed("words")

    def run(_: Any) -> None:
        big = Held()
        refs.append(weakref.ref(big))
        raise error

    refs: list[Any] = []
    outcome = start(supervise(), run).outcome(10)
    assert outcome.status == "failed"
    assert outcome.error is error
    gc.collect()
    assert refs[0]() is None
    places = []
    tb = error.__traceback__
    while tb is not None:
        places.append(tb.tb_frame.f_code.co_name)
        tb = tb.tb_next
    assert places[-1] == "run"


class Held:
    """Something that can be watched."""


@pytest.mark.parametrize("error", [ValueError("words"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_any_other_exception_is_a_crash(supervise: Any, start: Any, error: BaseException) -> None:
    """Its class, its words, its traceback; the worker goes on."""
    supervisor = supervise(max_concurrent=1)
    outcome = start(supervisor, raises(error)).outcome(10)
    assert outcome.status == "crashed"
    assert isinstance(outcome.error, AgentCrashed)
    assert outcome.error.type_name == type(error).__name__
    assert "in fail" in outcome.error.traceback
    assert start(supervisor, lambda _: "next").result(10) == "next"


@pytest.mark.parametrize("hook", ["on_init", "on_start"])
@pytest.mark.parametrize("error", [ValueError("x"), ToolFailed("x"), SystemExit()])
def test_an_error_before_run_is_a_crash_whatever_it_is(
    supervise: Any, start: Any, hook: str, error: BaseException
) -> None:
    """In __init__ and in on_start, also for the agent's own errors; run is not called."""
    outcome = start(supervise(), lambda _: pytest.fail("ran"), **{hook: raises(error)}).outcome(10)
    assert outcome.status == "crashed"
    assert "in fail" in outcome.error.traceback


def test_an_error_of_the_outfitting_is_a_failure(supervise: Any, start: Any) -> None:
    """What build raises before it makes the agent is the agent's failure, and on_end has nobody to call."""
    outcome = start(supervise(), build=raises(ToolFailed("no tools"))).outcome(10)
    assert (outcome.status, str(outcome.error)) == ("failed", "no tools")


def test_on_end_sees_the_outcome_before_anybody_else(supervise: Any, start: Any) -> None:
    """Called once, on the agent's thread, whatever the end; the outcome is not visible yet."""
    seen: list[Any] = []
    supervisor = supervise()
    handle = start(
        supervisor, raises(KeyError()), on_end=lambda outcome: seen.append((outcome.status, supervisor.owed.partial()))
    )
    handle.outcome(10)
    assert seen == [("crashed", {})]


@pytest.mark.parametrize("error", [ValueError("in on_end"), SystemExit()])
def test_on_end_that_raises_is_logged_and_the_outcome_stands(
    supervise: Any, start: Any, error: BaseException, log_lines: list[str]
) -> None:
    """Whatever the cleanup does."""
    outcome = start(supervise(), lambda _: 1, on_end=raises(error)).outcome(10)
    assert (outcome.status, outcome.result) == ("completed", 1)
    assert any("on_end of agent 1 failed" in line and "in fail" in line for line in log_lines)


def test_a_defect_of_ours_loses_no_outcome(
    supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """If the life itself fails, it is a crash, and joins do not hang."""
    from actors.core.supervision import runner

    monkeypatch.setattr(runner.Runner, "_attempt", raises(RuntimeError("a defect")))
    supervisor = supervise()
    start(supervisor)
    (outcome,) = supervisor.owed.all(10).values()
    assert (outcome.status, outcome.error.text) == ("crashed", "a defect")
    assert any("the life of agent 1 failed" in line for line in log_lines)


def test_the_context_of_the_spawner_is_copied_in(supervise: Any, start: Any, log_lines: list[str]) -> None:
    """Its variables are seen, changes stay inside, and log lines are bound to the agent."""
    from loguru import logger

    var: ContextVar[str] = ContextVar("var", default="unset")
    token = var.set("spawner")

    def run(cell: Any) -> str:
        logger.patch(lambda record: record.update(name="actors.mine")).info("inside")
        before = var.get()
        var.set("inside")
        return before

    handle = start(supervise(), run, name="me")
    var.reset(token)
    assert handle.result(10) == "spawner"
    assert var.get() == "unset"
    assert any("inside" in line and "'agent_id': 1, 'agent': 'me'" in line for line in log_lines)


def test_an_ended_agent_keeps_nothing_alive(supervise: Any, start: Any) -> None:
    """A handle may be kept for long: what built the agent, and the agent, are let go; it cannot be built again."""
    held = Held()
    ref = weakref.ref(held)
    handle = start(supervise(), lambda _, held=held: None, timeout=100)
    del held
    handle.result(10)
    gc.collect()
    assert ref() is None
    cell = handle._cell
    assert (cell.actor, cell.context, cell.tied) == (None, None, [])
    with pytest.raises(RuntimeError, match="has ended"):
        cell.spec.build(cell)


def test_a_thread_that_cannot_be_started_is_a_clear_outcome(
    supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """Crashed, instead of a hang; the slot is free again, and who waits for it gets it."""
    supervisor = supervise(max_concurrent=1)
    real = supervisor.pool.crew.start
    calls: list[Any] = []

    def refuse_first(job: Any) -> None:
        calls.append(job)
        if len(calls) == 1:
            raise RuntimeError("can't start new thread")
        real(job)

    monkeypatch.setattr(supervisor.pool.crew, "start", refuse_first)
    outcome = start(supervisor).outcome(10)
    assert (outcome.status, outcome.error.text) == ("crashed", "can't start new thread")
    assert any("could not be started" in line for line in log_lines)
    assert start(supervisor, lambda _: "next").result(10) == "next"


# Cancels and times ----------------------------------------------------------------------------------------------


def test_a_timeout_counts_from_the_start(supervise: Any, start: Any) -> None:
    """timed_out, with the reason; AgentTimedOut is no TimeoutError."""
    outcome = start(supervise(), lambda cell: (cell.token.wait(10), cell.token.check()), timeout=0.02).outcome(10)
    assert outcome.status == "timed_out"
    assert isinstance(outcome.error, AgentTimedOut)
    assert not isinstance(outcome.error, TimeoutError)
    assert "0.02 s" in str(outcome.error)


def test_a_deadline_counts_the_queue(supervise: Any, start: Any, gate: Any) -> None:
    """From the admission: a queued agent that is too late never starts."""
    supervisor = supervise(max_concurrent=1)
    start(supervisor, gate.hold)
    late = start(supervisor, lambda _: pytest.fail("ran"), deadline=0.02)
    outcome = late.outcome(10)
    assert (outcome.status, outcome.started_at) == ("timed_out", None)
    assert "of its admission" in str(outcome.error)
    gate.open()


def test_the_nearer_of_timeout_and_deadline_counts(supervise: Any, start: Any) -> None:
    """Both ways round."""
    supervisor = supervise()

    def wait(cell: Any) -> None:
        cell.token.wait(10)
        cell.token.check()

    assert "ran longer" in str(start(supervisor, wait, timeout=0.01, deadline=100).outcome(10).error)
    assert "admission" in str(start(supervisor, wait, timeout=100, deadline=0.01).outcome(10).error)


def test_a_wait_that_ends_in_time_is_not_harmed_by_a_deadline(supervise: Any, start: Any) -> None:
    """An agent that is done before its time is completed, and its timer stops nobody."""
    supervisor = supervise()
    assert start(supervisor, lambda _: 1, timeout=0.01).result(10) == 1
    assert start(supervisor, lambda cell: cell.token.wait(0.03)).result(10) is False


def test_a_cancel_before_the_first_line_runs_nothing(supervise: Any, start: Any, monkeypatch: Any) -> None:
    """Cancelled between the start of its thread and its first step: no code of the agent runs."""
    supervisor = supervise()
    real = supervisor.pool.crew.start

    def late(job: Any) -> None:
        supervisor.pool.cancel_all("in between")
        real(job)

    monkeypatch.setattr(supervisor.pool.crew, "start", late)
    outcome = start(supervisor, lambda _: pytest.fail("ran"), on_init=lambda _: pytest.fail("built")).outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "in between")


# Restarts -------------------------------------------------------------------------------------------------------


def crash_times(count: int, then: Any = "done") -> Any:
    """A function that crashes *count* times, and then returns *then*."""
    calls: list[int] = []

    def run(cell: Any) -> Any:
        calls.append(cell.id)
        if len(calls) <= count:
            raise KeyError(f"crash {len(calls)}")
        return then

    run.calls = calls  # type: ignore[attr-defined]
    return run


def test_a_crashed_agent_is_started_again(supervise: Any, start: Any) -> None:
    """Same id; the outcome counts the restarts; on_end once."""
    ends: list[Any] = []
    run = crash_times(2)
    policy = RestartPolicy(max_restarts=3, backoff=AT_ONCE)
    outcome = start(supervise(), run, restart=policy, on_end=ends.append).outcome(10)
    assert (outcome.status, outcome.result, outcome.restarts) == ("completed", "done", 2)
    assert run.calls == [1, 1, 1]
    assert len(ends) == 1


def test_restarts_within_the_window_are_bounded(supervise: Any, start: Any) -> None:
    """I9: after max_restarts the crash is the outcome."""
    run = crash_times(10)
    policy = RestartPolicy(max_restarts=2, backoff=AT_ONCE)
    outcome = start(supervise(), run, restart=policy).outcome(10)
    assert (outcome.status, outcome.restarts) == ("crashed", 2)
    assert outcome.error.text == "'crash 3'"


def test_crashes_outside_the_window_are_forgotten(supervise: Any, start: Any, manual_clock: Any) -> None:
    """One restart per window, and the clock goes on by more than a window each time: it may go on."""
    supervisor = supervise(clock=manual_clock)
    run = crash_times(3)

    def slowly(cell: Any) -> Any:
        manual_clock.at += 100
        return run(cell)

    policy = RestartPolicy(max_restarts=1, window=60, backoff=AT_ONCE)
    assert start(supervisor, slowly, restart=policy).outcome(10).restarts == 3


@pytest.fixture
def manual_clock() -> Any:
    """A clock that moves when it is told to."""
    from actors.core.clock import Clock

    class Manual(Clock):
        at = 1000.0

        def monotonic(self) -> float:  # type: ignore[override]
            return self.at

    return Manual()


def test_only_crashes_are_restarted(supervise: Any, start: Any) -> None:
    """Not a failure, not a cancel, and not with a policy that allows none."""
    supervisor = supervise()
    policy = RestartPolicy(max_restarts=3, backoff=AT_ONCE)
    assert start(supervisor, raises(ToolFailed("x")), restart=policy).outcome(10).restarts == 0
    none = RestartPolicy(max_restarts=0)
    assert start(supervisor, raises(KeyError()), restart=none).outcome(10).restarts == 0


def test_a_cancelled_agent_that_crashes_is_not_restarted(supervise: Any, start: Any, gate: Any) -> None:
    """It was to end."""
    policy = RestartPolicy(max_restarts=3, backoff=AT_ONCE)
    handle = start(supervise(), lambda _: (gate.hold(), {}["missing"]), restart=policy)
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.restarts) == ("crashed", 0)


def test_unread_messages_survive_a_restart(supervise: Any, start: Any) -> None:
    """Same mailbox."""
    from actors.core.records.message import AgentMessage

    supervisor = supervise()
    crash = crash_times(1)

    def run(cell: Any) -> Any:
        if not crash.calls:
            supervisor.pool.router.send(AgentMessage(0, cell.id, "unread"))
        crash(cell)
        return supervisor.pool.router.open(cell).get(0).content

    policy = RestartPolicy(max_restarts=1, backoff=AT_ONCE)
    assert start(supervisor, run, restart=policy).result(10) == "unread"


def test_the_backoff_frees_the_slot(supervise: Any, start: Any) -> None:
    """With one slot the next agent runs while the first one waits to be restarted; a cancel ends that wait."""
    events: list[Any] = []
    supervisor = supervise(max_concurrent=1, sink=events.append)
    policy = RestartPolicy(max_restarts=1, backoff=Backoff(base=60, maximum=60, jitter=0))
    waiting = start(supervisor, raises(KeyError()), restart=policy)
    assert start(supervisor, lambda _: waiting.status).result(10) == "restarting"
    waiting.cancel("enough")
    outcome = waiting.outcome(10)
    assert (outcome.status, outcome.restarts) == ("cancelled", 1)
    supervisor.shutdown.close()
    (restarted,) = [event for event in events if isinstance(event, AgentRestarted)]
    assert (restarted.attempt, restarted.delay) == (1, 60)
    assert any(isinstance(event, AgentParked) and event.on == "restart" for event in events)


# Parks ----------------------------------------------------------------------------------------------------------


def test_parks_are_events_and_a_status(supervise: Any, start: Any, eventually: Any) -> None:
    """Parked on what, and resumed."""
    events: list[Any] = []
    supervisor = supervise(sink=events.append)
    handle = start(supervisor, lambda cell: supervisor.pool.router.open(cell).get(10, "receive"))
    eventually(lambda: handle.status == "parked")
    assert handle._cell.parked_on == "receive"
    supervisor.pool.router.open(handle._cell).offer("go")
    assert handle.result(10) == "go"
    supervisor.shutdown.close()
    assert [type(event) for event in events if isinstance(event, AgentParked | AgentResumed)] == [
        AgentParked,
        AgentResumed,
    ]


def test_an_ended_agent_emits_nothing(supervise: Any, start: Any) -> None:
    """What an abandoned agent does later is no event."""
    events: list[Any] = []
    supervisor = supervise(sink=events.append)
    handle = start(supervisor)
    handle.result(10)
    supervisor.pool.emit(handle._cell, AgentParked, {"on": "nothing"})
    supervisor.shutdown.close()
    assert not any(isinstance(event, AgentParked) for event in events)


# Children -------------------------------------------------------------------------------------------------------


def test_children_end_before_their_parents_outcome_is_visible(supervise: Any, start: Any) -> None:
    """Those that still run are cancelled; grandchildren, too."""
    supervisor = supervise()
    family: dict[str, Any] = {}
    seen: list[Any] = []

    def sleep(cell: Any) -> None:
        cell.token.wait(10)
        cell.token.check()

    def parent(cell: Any) -> str:
        family["child"] = start(supervisor, nested, parent=cell)
        assert ready.wait(10)
        return "done"

    def nested(cell: Any) -> None:
        family["grandchild"] = start(supervisor, sleep, parent=cell)
        ready.set()
        sleep(cell)

    ready = threading.Event()
    handle = start(supervisor, parent)
    handle.add_done_callback(lambda _: seen.extend(child.status for child in family.values()))
    assert handle.result(10) == "done"
    supervisor.shutdown.drain(10)
    assert seen == ["cancelled", "cancelled"]
    assert "agent 1 (job) ended" in str(family["child"].outcome(0).error)
    assert "its parent, agent 2 (job), was stopped" in str(family["grandchild"].outcome(0).error)


def test_children_are_owed_to_their_parent_only(supervise: Any, start: Any) -> None:
    """Not joined, not counted as outstanding."""
    supervisor = supervise()

    def parent(cell: Any) -> int:
        start(supervisor, parent=cell).result(10)
        return len(supervisor.owed)

    assert start(supervisor, parent).result(10) == 1
    assert supervisor.owed.next() is None


def test_a_cancel_of_the_parent_cancels_its_children(supervise: Any, start: Any, gate: Any) -> None:
    """Down to the deepest, with a reason that names the parent."""
    supervisor = supervise()
    child: list[Any] = []

    def sleep(cell: Any) -> None:
        gate.hold()
        cell.token.check()

    def parent(cell: Any) -> None:
        child.append(start(supervisor, sleep, parent=cell))
        child[0].result(10)

    handle = start(supervisor, parent)
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    assert handle.outcome(10).status == "cancelled"
    outcome = child[0].outcome(10)
    assert isinstance(outcome.error, AgentCancelled)
    assert outcome.error.reason == "its parent, agent 1 (job), was stopped"


def test_a_cancelled_parent_gets_no_more_children(supervise: Any, start: Any, gate: Any) -> None:
    """Admission looks at the parent: nobody is born that nobody would stop."""
    supervisor = supervise()

    def parent(cell: Any) -> None:
        gate.hold()
        start(supervisor, lambda _: pytest.fail("ran"), parent=cell)

    handle = start(supervisor, parent)
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    assert handle.outcome(10).status == "cancelled"
    assert supervisor.pool.roster.started == 1


def test_an_ended_parent_gets_no_more_children(supervise: Any, start: Any) -> None:
    """Not even from a thread that it left behind."""
    supervisor = supervise()
    handle = start(supervisor)
    handle.result(10)
    with pytest.raises(PoolClosed, match="can have no more children"):
        start(supervisor, parent=handle._cell)


def test_a_child_that_is_born_in_on_end_does_not_outlive_its_parent(supervise: Any, start: Any) -> None:
    """It is refused, or it is ended before the parent's outcome is visible."""
    supervisor = supervise()
    born: list[Any] = []

    def sleep(cell: Any) -> None:
        cell.token.wait(10)
        cell.token.check()

    def on_end(_: Any) -> None:
        born.append(start(supervisor, sleep, parent=handle._cell))

    ready = threading.Event()
    handle = start(supervisor, lambda _: ready.wait(10), on_end=on_end)
    ready.set()
    handle.result(10)
    assert [child.done() for child in born] in ([], [True])


def test_a_restart_ends_the_children_first(supervise: Any, start: Any) -> None:
    """The second attempt has a clean house."""
    supervisor = supervise()
    children: list[Any] = []

    def sleep(cell: Any) -> None:
        cell.token.wait(10)
        cell.token.check()

    def run(cell: Any) -> Any:
        if children:
            return children[0].status
        children.append(start(supervisor, sleep, parent=cell))
        raise KeyError

    policy = RestartPolicy(max_restarts=1, backoff=AT_ONCE)
    assert start(supervisor, run, restart=policy).result(10) == "cancelled"


def test_a_pool_that_drains_still_takes_children(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Who was admitted may finish its work; nobody else may begin."""
    supervisor = supervise()
    handle = start(
        supervisor, lambda cell: (gate.hold(), start(supervisor, lambda _: "child", parent=cell).result(10))[1]
    )
    gate.await_reached()
    draining = in_thread(supervisor.shutdown.drain, 10)
    eventually(lambda: supervisor.pool.phase >= PoolPhase.DRAINING)
    with pytest.raises(PoolClosed, match="draining"):
        start(supervisor)
    gate.open()
    assert draining.result(10)
    assert handle.result(10) == "child"


def test_no_user_code_runs_under_the_turn(supervise: Any, start: Any, manual_clock: Any) -> None:
    """A cancel callback of an agent whose deadline passed unseen is not called while the supervisor's lock is held."""
    supervisor = supervise(clock=manual_clock)
    held: list[bool] = []

    def run(cell: Any) -> None:
        cell.token.on_cancel(lambda: held.append(supervisor.turn.locked()))
        manual_clock.at += 1000  # past its deadline; the timer thread has not looked yet
        start(supervisor, parent=cell)

    assert start(supervisor, run, timeout=500).outcome(10).status == "timed_out"
    assert held == [False]
