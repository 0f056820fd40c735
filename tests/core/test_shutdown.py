"""How a pool ends: drain, close, and who is told."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from actors import AgentPool
from actors.core.clock import Clock
from actors.core.process.at_exit import at_exit
from actors.core.supervision.pool_state import PoolPhase
from actors.core.waiting.wait_graph import wait_for
from actors.core.waiting.waiter import Waiter
from actors.errors import DeadlockError, PoolClosed


def parks(cell: Any) -> None:
    wait_for(Waiter(), None, "tea")


# Drain ----------------------------------------------------------------------------------------------------------


def test_drain_waits_for_all_and_refuses_new_ones(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Queued ones run, too; their outcomes are still owed."""
    supervisor = supervise(max_concurrent=1)
    start(supervisor, gate.hold)
    start(supervisor, lambda _: "queued")
    draining = in_thread(supervisor.shutdown.drain, None)
    eventually(lambda: len(supervisor.pool.roster.idle_waiters) == 1)
    with pytest.raises(PoolClosed, match="pool team is draining"):
        start(supervisor)
    gate.open()
    assert draining.result(10) is True
    assert len(supervisor.owed) == 2
    assert supervisor.shutdown.drain(0) is True


def test_a_drain_that_takes_too_long_says_so(supervise: Any, start: Any, gate: Any) -> None:
    """False; everybody runs on."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    assert supervisor.shutdown.drain(0) is False
    assert supervisor.shutdown.drain(0.01) is False
    assert handle.status == "running"
    gate.open()
    assert supervisor.shutdown.drain(10) is True


# Close ----------------------------------------------------------------------------------------------------------


def test_close_aborts_what_runs(supervise: Any, start: Any, eventually: Any) -> None:
    """With its reason; outcomes can still be taken, then there are none; new spawns are refused."""
    supervisor = supervise()
    handle = start(supervisor, parks)
    eventually(lambda: handle.status == "parked")
    supervisor.shutdown.close("enough")
    assert supervisor.owed.next(0).error.reason == "enough"
    assert supervisor.owed.next() is None
    with pytest.raises(PoolClosed, match="is closed"):
        start(supervisor)


def test_close_leaves_no_thread_and_no_entry(supervise: Any, start: Any, eventually: Any) -> None:
    """I8: workers, the supervisor's own thread and the event delivery have ended when it returns."""
    before = set(threading.enumerate())
    supervisor = supervise(sink=lambda event: None)
    supervisor.pool.timer_thread.ensure_thread()
    for _ in range(8):
        start(supervisor, parks)
    eventually(lambda: supervisor.figures().parked == 8)
    supervisor.shutdown.close()
    eventually(lambda: set(threading.enumerate()) <= before)
    assert id(supervisor) not in at_exit()._open


def test_when_close_returns_the_supervisors_own_thread_has_ended(supervise: Any) -> None:
    """Not only its actor: a thread that is just ending is still a thread that is left."""
    supervisor = supervise()
    found: list[threading.Thread] = []
    release = threading.Event()

    def last_step(_: Any) -> None:
        found.append(threading.current_thread())
        release.wait(0.2)  # bounded: close() may not wait for ever either

    supervisor.pool.timer_thread.ensure_thread()
    supervisor.pool.timer_thread.ended.add_done_callback(last_step)
    supervisor.shutdown.close()
    assert [thread.is_alive() for thread in found] == [False]


def test_close_is_quick_with_a_thread_of_the_supervisors_own(supervise: Any) -> None:
    """Its own thread ends because the pool closes: neither waits for the other."""
    supervisor = supervise(abort_timeout=5.0)
    supervisor.pool.timer_thread.ensure_thread()
    began = time.monotonic()
    supervisor.shutdown.close()
    assert time.monotonic() - began < 2.0


def test_closing_twice_does_nothing_twice(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any
) -> None:
    """Two threads close: both return when the pool has ended."""
    supervisor = supervise()
    start(supervisor, gate.hold)
    gate.await_reached()
    first = in_thread(supervisor.shutdown.close)
    eventually(lambda: supervisor.pool.phase >= PoolPhase.CLOSING)
    second = in_thread(supervisor.shutdown.close)
    gate.open()
    assert first.result(10) is None
    assert second.result(10) is None
    supervisor.shutdown.close()


def test_close_after_a_drain_that_failed_aborts(supervise: Any, start: Any, gate: Any) -> None:
    """What did not end by itself is ended."""
    supervisor = supervise()
    handle = start(supervisor, parks)
    assert supervisor.shutdown.drain(0) is False
    supervisor.shutdown.close()
    assert handle.status == "cancelled"


def test_close_gives_stuck_agents_up(supervise: Any, start: Any, gate: Any) -> None:
    """After abort_timeout they are abandoned, and close returns without their threads."""
    supervisor = supervise(abort_timeout=0.02)
    handle = start(supervisor, gate.hold)
    gate.await_reached()
    supervisor.shutdown.close()
    assert handle.status == "abandoned"
    assert supervisor.figures().abandoned_threads == 1
    gate.open()


def test_close_gives_a_stuck_sink_up(supervise: Any, start: Any, gate: Any, log_lines: list[str]) -> None:
    """The thread of the sink is left behind, and that is logged."""
    supervisor = supervise(abort_timeout=0.02, sink=gate.hold)
    start(supervisor)
    gate.await_reached()
    supervisor.shutdown.close()
    assert any("event sink of team is stuck" in line for line in log_lines)
    gate.open()


def test_close_flushes_the_events(supervise: Any, start: Any) -> None:
    """Everything that happened was told when it returns."""
    events: list[Any] = []
    supervisor = supervise(sink=events.append)
    for _ in range(20):
        start(supervisor)
    supervisor.shutdown.drain(10)
    supervisor.shutdown.close()
    assert len([event for event in events if type(event).__name__ == "AgentEnded"]) == 20


def test_without_a_thread_of_its_own_close_minds_the_timers(
    supervise: Any, start: Any, gate: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """No thread can be started for the supervisor: a stuck agent is still abandoned, by who waits in close()."""
    supervisor = supervise(abort_timeout=0.02)
    handle = start(supervisor, gate.hold)
    gate.await_reached()

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(supervisor.pool.timer_thread, "_start_thread", refuse)
    handle.cancel()
    supervisor.shutdown.close()
    assert handle.status == "abandoned"
    assert any("deadlines wait for close()" in line for line in log_lines)
    gate.open()


def test_without_a_thread_a_deadline_is_refused_before_anything_is_admitted(
    supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could watch it: RuntimeError, and no id is used."""
    supervisor = supervise()

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.pool.timer_thread, "_start_thread", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            start(supervisor, timeout=5)
    assert start(supervisor).id == 1


def test_a_closed_pool_starts_no_thread_for_its_supervisor(supervise: Any, eventually: Any) -> None:
    """Asking for the supervisor's reference afterwards leaves nothing running."""
    supervisor = supervise()
    supervisor.shutdown.close()
    before = set(threading.enumerate())
    supervisor.pool.timer_thread.ensure_thread()
    try:
        eventually(lambda: set(threading.enumerate()) <= before, 0.3)
    finally:
        supervisor.pool.timer_thread.mailbox.seal()


def test_an_interrupted_close_counts_as_given_up(supervise: Any, start: Any, gate: Any, monkeypatch: Any) -> None:
    """A second Ctrl-C while close() waits: it raises, and a later close() does not wait for ever."""
    supervisor = supervise()
    start(supervisor, gate.hold)
    gate.await_reached()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.shutdown, "_wait_until_idle", interrupt)
        with pytest.raises(KeyboardInterrupt):
            supervisor.shutdown.close()
    supervisor.shutdown.close()
    assert id(supervisor) not in at_exit()._open
    gate.open()
    supervisor.shutdown._end_threads()


# Inside ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["drain", "close"])
def test_an_agent_cannot_wait_for_the_end_of_all(supervise: Any, start: Any, what: str) -> None:
    """It would wait for itself; its tools neither. Refused, and the pool goes on."""
    supervisor = supervise()
    calls = {"drain": lambda: supervisor.shutdown.drain(10), "close": supervisor.shutdown.close}

    def agent(cell: Any) -> None:
        with pytest.raises(DeadlockError, match=f"{what}\\(\\) inside an agent"):
            calls[what]()
        (ran,) = supervisor.tool_threads.run(cell, [(lambda _: calls[what](), None)])
        assert isinstance(ran.error, DeadlockError)

    assert start(supervisor, agent).outcome(10).error is None
    assert start(supervisor, lambda _: "goes on").result(10) == "goes on"


def test_an_agent_of_another_pool_may_close_this_one(supervise: Any, start: Any) -> None:
    """It waits for others, not for itself."""
    mine, other = supervise(), supervise()
    start(other, parks)
    assert start(mine, lambda _: other.shutdown.close()).outcome(10).error is None
    assert other.is_closed


# The supervisor as an actor -------------------------------------------------------------------------------------


def test_stopping_the_supervisor_closes_the_pool(supervise: Any, start: Any, eventually: Any) -> None:
    """A stop by its Pykka reference aborts the agents, with a reason that says so."""
    supervisor = supervise()
    supervisor.pool.timer_thread.ensure_thread()
    handle = start(supervisor, parks)
    eventually(lambda: handle.status == "parked")
    supervisor.actor_ref.stop(timeout=10)
    assert handle.outcome(0).error.reason == "its supervisor was stopped"
    with pytest.raises(PoolClosed):
        start(supervisor)


def test_stopping_the_supervisor_of_stuck_agents_gives_them_up(supervise: Any, start: Any, gate: Any) -> None:
    """Its own thread minds the timers while it closes."""
    supervisor = supervise(abort_timeout=0.02)
    supervisor.pool.timer_thread.ensure_thread()
    handle = start(supervisor, gate.hold)
    gate.await_reached()
    supervisor.actor_ref.stop(timeout=10)
    assert handle.status == "abandoned"
    gate.open()


@pytest.mark.parametrize("cancelled_before", [False, True])
def test_aborting_the_supervisor_closes_the_pool(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any, cancelled_before: bool
) -> None:
    """Like a stop: close() returns when the agents have ended, no earlier, and leaves no thread."""
    before = set(threading.enumerate())
    supervisor = supervise()
    supervisor.pool.timer_thread.ensure_thread()
    handle = start(supervisor, lambda cell: (gate.hold(), cell.token.check()))
    gate.await_reached()
    if cancelled_before:
        handle.cancel("before")
        eventually(lambda: not supervisor.pool.timer_thread.timers.earlier())
    supervisor.actor_ref.abort("enough")
    eventually(lambda: supervisor.is_closed)
    closing = in_thread(supervisor.shutdown.close)
    try:
        with pytest.raises(TimeoutError):
            closing.result(0.2)
        gate.open()
        closing.result(10)
        assert handle.status == "cancelled"
        eventually(lambda: set(threading.enumerate()) <= {*before, closing.thread}, 1.0)
    finally:
        gate.open()
        supervisor.pool.crew.close()


def test_a_foreign_message_is_handled_and_one_that_fails_ends_nothing(
    supervise: Any, start: Any, log_lines: list[str]
) -> None:
    """The supervisor answers like any actor; a failing message is reported with its traceback."""
    supervisor = supervise()
    supervisor.pool.timer_thread.ensure_thread()
    ref = supervisor.actor_ref
    assert ref.ask("hello", timeout=10) is None
    assert ref.proxy().name.get(timeout=10) == "team"
    from pykka.messages import ProxyCall

    ref.tell(ProxyCall(attr_path=("no_such_thing",), args=(), kwargs={}))
    assert ref.ask("still there", timeout=10) is None
    assert start(supervisor, lambda _: 1).result(10) == 1
    assert any("failed" in line and "no_such_thing" in line for line in log_lines)


def test_the_end_of_the_program_closes_the_pool(supervise: Any, start: Any, eventually: Any) -> None:
    """What the exit hook calls."""
    supervisor = supervise()
    handle = start(supervisor, parks)
    eventually(lambda: handle.status == "parked")
    supervisor.shutdown.abort_at_exit()
    supervisor.shutdown.end_at_exit()
    assert handle.outcome(0).error.reason == "the program ends"


def test_a_close_waits_for_a_tool_that_cleans_up(supervise: Any, start: Any, gate: Any, in_thread: Any) -> None:
    """It was left at its agent's cancel, and has its abort_timeout, too."""
    supervisor = supervise(abort_timeout=10.0)
    done = threading.Event()

    def tool(_: Any) -> None:
        gate.hold()
        done.set()

    handle = start(supervisor, lambda cell: supervisor.tool_threads.run(cell, [(tool, None)]))
    gate.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).status == "cancelled"
    closing = in_thread(lambda: (supervisor.shutdown.close(), done.is_set()))
    gate.open()
    assert closing.result(10)[1]


class Hand(Clock):
    """A clock that the test moves."""

    ahead = 0.0

    def monotonic(self) -> float:  # type: ignore[override]
        """As ever, but so far ahead."""
        return time.monotonic() + self.ahead


@pytest.mark.parametrize("left", ["at its own timeout", "at its agent's cancel", "as its agent was abandoned"])
def test_a_close_waits_no_longer_than_what_is_left_of_the_time(
    supervise: Any, start: Any, gates: Any, in_thread: Any, left: str
) -> None:
    """For tools that were left long ago it does not wait at all; nor for an agent that had its time."""
    clock, gate, stuck = Hand(), gates(), gates()
    supervisor = supervise(abort_timeout=600.0, clock=clock)
    timeout = 0.01 if left == "at its own timeout" else None
    jobs = [(gate.hold, timeout)] * 3

    def run(cell: Any) -> Any:
        if left == "as its agent was abandoned":
            stuck.hold()
        return supervisor.tool_threads.run(cell, jobs)

    handle = start(supervisor, run)
    if left == "as its agent was abandoned":
        stuck.await_reached()
        handle.cancel("enough")
        clock.ahead = 700.0
        supervisor.tick()
        assert handle.outcome(10).status == "abandoned"
    else:
        for _ in jobs:
            gate.next()
        if timeout is None:
            handle.cancel("enough")
        handle.outcome(10)
        assert supervisor.figures().abandoned_threads == 3
        clock.ahead = 700.0
    in_thread(supervisor.shutdown.close).result(10)
    assert supervisor.figures().abandoned_threads > 0
    gate.open()
    stuck.open()


def test_of_the_time_that_a_tool_has_to_clean_up_the_rest_is_waited(
    supervise: Any, start: Any, gate: Any, in_thread: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tool has its own."""
    clock = Hand()
    supervisor = supervise(abort_timeout=600.0, clock=clock)
    joined: list[Any] = []
    monkeypatch.setattr(supervisor.pool.crew, "join", lambda timeout, spent: joined.append((timeout, spent)))
    handle = start(supervisor, lambda cell: supervisor.tool_threads.run(cell, [(gate.hold, 0.01)]))
    handle.outcome(10)
    clock.ahead = 200.0
    later = start(supervisor, lambda cell: supervisor.tool_threads.run(cell, [(gate.hold, 0.01)]))
    later.outcome(10)
    clock.ahead = 300.0
    supervisor.shutdown.close()
    ((timeout, spent),) = joined
    assert timeout == 600.0
    assert sorted(round(seconds, -2) for seconds in spent.values()) == [100.0, 300.0]
    gate.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


def test_a_callback_that_closes_the_pool_keeps_no_close_waiting(supervise: Any, start: Any, gate: Any) -> None:
    """It runs on a worker that the other close joins: it does not wait for that."""
    supervisor = supervise(abort_timeout=600.0)
    closed = threading.Event()
    handle = start(supervisor, gate.hold)
    gate.await_reached()
    handle.add_done_callback(lambda _: (supervisor.shutdown.close(), closed.set()))
    threading.Timer(0.01, gate.open).start()
    supervisor.shutdown.close()
    assert closed.wait(10)


def test_a_close_in_a_signal_handler_during_a_close_returns(supervise: Any, start: Any, gate: Any) -> None:
    """It cannot wait for the thread that it interrupts."""
    supervisor = supervise(abort_timeout=10.0)
    start(supervisor, gate.hold)
    gate.await_reached()
    seen: list[str] = []

    def handler(*_: Any) -> None:
        supervisor.shutdown.close()
        seen.append("returned")
        gate.open()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        supervisor.shutdown.close()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == ["returned"]


@pytest.mark.parametrize("where", ["enter_phase", "close"])
def test_an_interrupt_as_the_threads_are_told_leaves_none(
    make_pool: Any, start: Any, eventually: Any, where: str
) -> None:
    """It waits until all were told; a second close ends what the first did not wait for."""
    pool: AgentPool = make_pool(name="interrupted", on_event=lambda _: None)
    assert pool.submit(int).result(10) == 0
    state = pool._core.pool
    owner: Any = state.crew if where == "close" else state
    real = getattr(owner, where)

    def interrupted(*args: Any) -> Any:
        if where == "close" or args == (PoolPhase.ENDING,):
            setattr_of(owner, where, real)
            signal.raise_signal(signal.SIGINT)
        return real(*args)

    setattr_of(owner, where, interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    pool.close()
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("interrupted")])


def setattr_of(owner: Any, name: str, value: Any) -> None:
    vars(owner)[name] = value
