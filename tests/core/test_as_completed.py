"""Agents in the order in which they end."""

from __future__ import annotations

from typing import Any

import pytest

from actors.core.supervision import as_completed as queue_module
from actors.core.supervision.as_completed import AsCompleted


def test_handles_come_as_their_agents_end(supervise: Any, start: Any, gates: Any) -> None:
    """Each once, also when it was given twice; then None."""
    supervisor = supervise()
    held = [gates() for _ in range(3)]
    handles = [start(supervisor, one.hold) for one in held]
    queue = AsCompleted([*handles, handles[0]])
    for n in (2, 0, 1):
        held[n].open()
        assert queue.next(10) is handles[n]
    assert queue.next() is None
    assert queue.next(0) is None


def test_those_that_have_ended_come_at_once(supervise: Any, start: Any) -> None:
    """Without a wait."""
    supervisor = supervise()
    handle = start(supervisor)
    supervisor.wait_ended(handle._cell, 10)
    assert AsCompleted([handle]).next(0) is handle


def test_no_handles_are_none() -> None:
    """Nothing to wait for."""
    assert AsCompleted([]).next() is None


def test_a_timeout_loses_nothing(supervise: Any, start: Any, gate: Any) -> None:
    """TimeoutError; the next call answers."""
    supervisor = supervise()
    queue = AsCompleted([start(supervisor, gate.hold)])
    for timeout in (0, 0.001):
        with pytest.raises(TimeoutError, match="1 agents have not ended"):
            queue.next(timeout)
    gate.open()
    assert queue.next(10).id == 1  # type: ignore[union-attr]


def test_an_end_between_the_look_and_the_wait_is_seen(supervise: Any, start: Any, gate: Any, monkeypatch: Any) -> None:
    """The agent ends just as the reader makes its waiter: it does not wait."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    queue = AsCompleted([handle])
    real = queue_module.Waiter

    def end_first() -> Any:
        gate.open()
        while not queue._ended:
            supervisor.wait_ended(handle._cell, 10)
        return real()

    monkeypatch.setattr(queue_module, "Waiter", end_first)
    assert queue.next(0) is handle


def test_an_end_just_as_the_time_runs_out_counts(
    supervise: Any, start: Any, gate: Any, eventually: Any, monkeypatch: Any
) -> None:
    """The wait ran out; the agent ended before the last look."""
    supervisor = supervise()
    handle = start(supervisor, gate.hold)
    queue = AsCompleted([handle])

    def late(*_: Any) -> bool:
        gate.open()
        eventually(lambda: bool(queue._ended))
        return False

    monkeypatch.setattr(queue_module, "wait_for", late)
    assert queue.next(5) is handle


def test_a_wake_for_nothing_waits_on(supervise: Any, start: Any, gate: Any, monkeypatch: Any) -> None:
    """A signal of an earlier wait does not end this one with empty hands."""
    supervisor = supervise()
    queue = AsCompleted([start(supervisor, gate.hold)])
    real = queue_module.wait_for
    calls: list[int] = []

    def spurious(waiter: Any, timeout: float | None, on: str, target: Any = None) -> bool:
        calls.append(1)
        if len(calls) == 1:
            return True
        gate.open()
        return real(waiter, timeout, on, target)

    monkeypatch.setattr(queue_module, "wait_for", spurious)
    handle = queue.next(10)
    assert handle is not None
    assert handle.done()
