"""Cancellation: marked at once, woken in waves, abandoned when they do not end in time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors.core.scheduling.cancellation import WAVE
from actors.core.scheduling.effects import Effects
from actors.core.waiting.wait_graph import wait_for
from actors.core.waiting.waiter import Waiter
from actors.errors import AgentAbandoned, AgentCancelled, AgentTimedOut


def parks(cell: Any) -> None:
    """Wait for what never comes."""
    wait_for(Waiter(), None, "tea")


# Cancels --------------------------------------------------------------------------------------------------------


def test_a_cancel_returns_at_once_and_the_outcome_arrives(supervise: Any, start: Any, eventually: Any) -> None:
    """With its reason; cancelling again, or an ended one, is False."""
    supervisor = supervise()
    handle = start(supervisor, parks)
    eventually(lambda: handle.status == "parked")
    assert supervisor.cancel_id(1, "enough") is True
    outcome = handle.outcome(10)
    assert (outcome.status, outcome.error.reason) == ("cancelled", "enough")
    assert isinstance(outcome.error, AgentCancelled)
    assert handle.cancel("again") is False
    assert supervisor.cancel_id(1, "again") is False
    assert supervisor.cancel_id(99, "nobody") is False


def test_the_first_reason_stands(supervise: Any, start: Any, gate: Any) -> None:
    """A second cancel of one that is still ending changes nothing."""
    supervisor = supervise()
    handle = start(supervisor, lambda cell: (gate.hold(), cell.token.check()))
    gate.await_reached()
    assert handle.cancel("first") is True
    assert handle.cancel("second") is True, "it had not ended"
    gate.open()
    assert handle.outcome(10).error.reason == "first"


def test_a_mass_cancel_starts_nobody(supervise: Any, start: Any, gate: Any) -> None:
    """The queued ones end first, so that no slot that becomes free starts one of them."""
    supervisor = supervise(max_concurrent=1)
    running = start(supervisor, lambda cell: (gate.hold(), cell.token.check()))
    gate.await_reached()
    queued = [start(supervisor, lambda _: pytest.fail("ran")) for _ in range(5)]
    assert supervisor.pool.cancel_all("all") == 6
    assert [handle.status for handle in queued] == ["cancelled"] * 5
    gate.open()
    assert running.outcome(10).status == "cancelled"
    assert supervisor.pool.roster.started == 1


def test_a_queued_child_of_a_cancelled_parent_never_starts(supervise: Any, start: Any, gate: Any) -> None:
    """It ends where it stands, with the reason of its parent."""
    supervisor = supervise(max_concurrent=1)
    children: list[Any] = []

    def parent(cell: Any) -> None:
        children.append(start(supervisor, lambda _: pytest.fail("ran"), parent=cell))
        gate.hold()
        cell.token.check()

    handle = start(supervisor, parent)
    gate.await_reached()
    handle.cancel("enough")
    gate.open()
    handle.outcome(10)
    assert "its parent" in children[0].outcome(0).error.reason


# Waves ----------------------------------------------------------------------------------------------------------


def test_thousands_are_marked_at_once_and_woken_in_waves(
    supervise: Any, start: Any, eventually: Any, monkeypatch: Any
) -> None:
    """Everybody who looks sees the cancel; only one wave is woken by it, and who ends wakes the next one."""
    count = 3 * WAVE
    supervisor = supervise(max_concurrent=4, max_live=count)
    handles = [start(supervisor, parks) for _ in range(count)]
    eventually(lambda: supervisor.figures().parked == count)
    acts_fired: list[int] = []
    real = Effects.call

    def call(effects: Effects) -> None:
        acts_fired.append(len(effects.fires))
        real(effects)

    monkeypatch.setattr(Effects, "call", call)
    supervisor.pool.cancel_all("all")
    assert all(handle._cell.token.cancelled for handle in handles)
    assert {handle.outcome(10).status for handle in handles} == {"cancelled"}
    assert max(acts_fired) == WAVE
    assert sum(acts_fired) == count
    assert not supervisor.pool.roster.wave


def test_a_stuck_wave_is_pushed_on(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """Those of the first wave do not end: a timer wakes the next ones nevertheless."""
    count = 2 * WAVE + 4
    supervisor = supervise(max_concurrent=count, max_live=count)
    stuck = gates()

    def first(cell: Any) -> None:
        try:
            parks(cell)
        finally:
            stuck.hold()

    handles = [start(supervisor, first) for _ in range(WAVE)]
    handles += [start(supervisor, parks) for _ in range(count - WAVE)]
    eventually(lambda: supervisor.figures().parked == count)
    supervisor.pool.cancel_all("all")
    for handle in handles[WAVE:]:
        assert handle.outcome(10).status == "cancelled"
    assert not any(handle.done() for handle in handles[:WAVE])
    stuck.open()
    for handle in handles[:WAVE]:
        handle.outcome(10)


def test_a_slow_cancel_callback_holds_nobody_who_got_a_slot(supervise: Any, start: Any, gates: Any) -> None:
    """The worker that passes the wave on does not keep the agent waiting that got its slot."""
    supervisor = supervise(max_concurrent=WAVE + 1)
    slow, begun = gates(), threading.Semaphore(0)

    def waits(cell: Any) -> None:
        begun.release()
        cell.token.wait(10)
        cell.token.check()

    def slowly(cell: Any) -> None:
        cell.token.on_cancel(slow.hold)
        waits(cell)

    handles = [start(supervisor, waits) for _ in range(WAVE)]
    handles.append(start(supervisor, slowly))
    for _ in handles:
        assert begun.acquire(timeout=10)
    following = start(supervisor, lambda _: "went on")
    supervisor.pool.cancel_all("all", [handle._cell for handle in handles])
    slow.await_reached()
    assert following.result(1.0) == "went on"
    slow.open()


# Abandonment ----------------------------------------------------------------------------------------------------


def test_an_agent_that_does_not_end_is_abandoned(supervise: Any, start: Any, gate: Any, eventually: Any) -> None:
    """Its outcome is delivered with the cause, its slot is free, its thread is counted until it ends."""
    supervisor = supervise(max_concurrent=1, abort_timeout=0.02)
    handle = start(supervisor, lambda _: (gate.hold(), "late")[1])
    gate.await_reached()
    handle.cancel("enough")
    outcome = handle.outcome(10)
    assert outcome.status == "abandoned"
    assert isinstance(outcome.error, AgentAbandoned)
    assert isinstance(outcome.error.cause, AgentCancelled)
    assert outcome.error.cause.reason == "enough"
    assert supervisor.figures().abandoned_threads == 1
    assert start(supervisor, lambda _: "free").result(10) == "free"
    gate.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)
    assert handle.outcome(0) is outcome, "its late result is dropped"


def test_a_deadline_holds_for_code_that_never_looks(supervise: Any, start: Any, gate: Any) -> None:
    """Within timeout + abort_timeout; the cause says that it was the time."""
    supervisor = supervise(abort_timeout=0.02)
    handle = start(supervisor, gate.hold, timeout=0.3)
    gate.await_reached()
    outcome = handle.outcome(10)
    assert outcome.status == "abandoned"
    assert isinstance(outcome.error.cause, AgentTimedOut)
    gate.open()


def test_who_ends_in_time_is_not_abandoned(supervise: Any, start: Any, gate: Any) -> None:
    """The abandon timer of an ended agent stops nobody."""
    supervisor = supervise(abort_timeout=0.02)
    handle = start(supervisor, lambda cell: (gate.hold(), cell.token.check()))
    gate.await_reached()
    gate.open()
    handle.cancel("enough")
    assert handle.outcome(10).status in ("cancelled", "completed")
    assert start(supervisor, lambda cell: cell.token.wait(0.05)).result(10) is False
    assert supervisor.figures().abandoned_threads == 0


def test_an_abandoned_agent_parks_without_giving_a_slot_away(
    supervise: Any, start: Any, gates: Any, eventually: Any
) -> None:
    """It holds none any more: what it lays out is nobody's."""
    supervisor = supervise(max_concurrent=1, abort_timeout=0.02)
    stuck, holder = gates(), gates()
    done = threading.Event()

    def run(cell: Any) -> None:
        stuck.hold()
        cell.host.park(cell, "too late")
        done.set()

    handle = start(supervisor, run)
    stuck.await_reached()
    handle.cancel("enough")
    assert handle.outcome(10).status == "abandoned"
    other = start(supervisor, holder.hold)
    holder.await_reached()
    stuck.open()
    assert done.wait(10)
    assert supervisor.pool.slots.idle == {}
    waiting = start(supervisor)
    assert waiting.status == "queued"
    assert supervisor.pool.slots.held == 1
    holder.open()
    other.result(10)
    waiting.result(10)
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


def test_a_deadline_that_moved_is_looked_at_again(supervise: Any, start: Any, gate: Any) -> None:
    """A timer of an older, later moment finds an agent that has an earlier one, and the agent ends once."""
    supervisor = supervise()
    handle = start(supervisor, parks, deadline=0.05, timeout=0.02)
    assert "timeout" in str(handle.outcome(10).error)
    assert start(supervisor, lambda cell: cell.token.wait(0.06)).result(10) is False
    assert supervisor.pool.roster.ended == {"timed_out": 1, "completed": 1}


def test_timers_that_fail_are_logged_and_go_on(
    supervise: Any, start: Any, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """A defect of ours must not end all deadlines."""
    supervisor = supervise()
    real = supervisor.pool.cancellation.handle_due
    calls: list[int] = []

    def fail_first(effects: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a defect")
        real(effects)

    monkeypatch.setattr(supervisor.pool.cancellation, "handle_due", fail_first)
    assert start(supervisor, parks, timeout=0.02).outcome(10).status == "timed_out"
    assert any("timers of team failed" in line for line in log_lines)


def test_who_was_not_told_yet_is_not_abandoned(supervise: Any, start: Any, gates: Any, eventually: Any) -> None:
    """A wave that is held up comes late: who stands behind it is told when its time is over, and has its time then."""
    count = 3 * WAVE
    supervisor = supervise(max_concurrent=count, max_live=count, abort_timeout=0.05)
    supervisor.pool.cancellation._push_wave = lambda *_: None  # nobody pushes the wave on
    stuck = gates()

    def first(cell: Any) -> None:
        try:
            parks(cell)
        finally:
            stuck.hold()

    handles = [start(supervisor, first) for _ in range(WAVE)]
    handles += [start(supervisor, parks) for _ in range(count - WAVE)]
    eventually(lambda: supervisor.figures().parked == count)
    supervisor.pool.cancel_all("all")
    assert [str(handle.outcome(10).status) for handle in handles] == ["abandoned"] * WAVE + ["cancelled"] * (2 * WAVE)
    stuck.open()
    eventually(lambda: supervisor.figures().abandoned_threads == 0)


def test_a_cancel_by_id_meets_an_agent_that_starts_just_then(supervise: Any, start: Any, monkeypatch: Any) -> None:
    """It is looked up and cancelled in one step."""
    supervisor = supervise(max_concurrent=1)
    looked: list[bool] = []
    real = supervisor.pool.roster.find

    def find(agent_id: int) -> Any:
        looked.append(supervisor.turn.locked())
        return real(agent_id)

    monkeypatch.setattr(supervisor.pool.roster, "find", find)
    handle = start(supervisor, parks)
    assert supervisor.cancel_id(handle.id, "enough")
    assert handle.outcome(10).status == "cancelled"
    assert looked == [True]
    assert not supervisor.cancel_id(99, "nobody")
