"""What a turn decided is done once, whatever comes in between."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from actors.core.acts import Acts


def test_an_interrupt_before_the_thread_starts_loses_no_agent(supervise: Any, start: Any, monkeypatch: Any) -> None:
    """Ctrl-C in the caller's thread: the one who was given a slot is started all the same, and the caller is told."""
    supervisor = supervise()
    real = supervisor.crew.start
    steps: list[str] = []

    def interrupted(job: Any) -> None:
        steps.append("start")
        if len(steps) == 1:
            raise KeyboardInterrupt
        real(job)

    monkeypatch.setattr(supervisor.crew, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(supervisor, lambda _: "ran")
    assert [outcome.result for outcome in supervisor.owed.all(10).values()] == ["ran"]


def test_an_interrupt_after_the_thread_started_runs_the_agent_once(
    supervise: Any, start: Any, monkeypatch: Any, eventually: Any
) -> None:
    """The second start finds its one life taken."""
    supervisor = supervise()
    real = supervisor.crew.start
    steps: list[str] = []
    runs: list[int] = []

    def interrupted(job: Any) -> None:
        real(job)
        steps.append("start")
        if len(steps) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(supervisor.crew, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start(supervisor, lambda cell: runs.append(cell.id))
    assert len(supervisor.owed.all(10)) == 1
    eventually(lambda: len(supervisor.crew._idle) == len(supervisor.crew.threads()))
    assert runs == [1]
    assert steps == ["start", "start"]


def test_an_interrupt_between_callbacks_calls_each_once(supervise: Any) -> None:
    """None is lost by it, and none is called again."""
    supervisor = supervise()
    calls: list[str] = []

    def interrupts() -> None:
        calls.append("second")
        if calls.count("second") == 1:
            raise KeyboardInterrupt

    acts = Acts(calls=deque([lambda: calls.append("first"), interrupts, lambda: calls.append("third")]))
    with pytest.raises(KeyboardInterrupt):
        supervisor.perform(acts)
    assert calls.count("first") == 1
    assert calls.count("third") == 1
