"""What a step decided is done once, whatever comes in between."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from actors.core.supervision.pool_state import Step


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_around_the_start_of_a_thread_loses_no_agent(
    supervise: Any, start: Any, monkeypatch: Any, when: str
) -> None:
    """Ctrl-C in the caller's thread: the one who was given a slot runs, once, and the caller is told."""
    supervisor = supervise()
    real = supervisor.pool.crew.start

    def interrupted(job: Any) -> None:
        if when == "before":
            signal.raise_signal(signal.SIGINT)
        real(job)
        if when == "after":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(supervisor.pool.crew, "start", interrupted)
    runs: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        start(supervisor, lambda cell: runs.append(cell.id))
    assert len(supervisor.owed.all(10)) == 1
    assert runs == [1]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_inside_a_step_waits_for_its_end(supervise: Any, start: Any, name: str) -> None:
    """Its handler may call the pool, and what was decided is done before."""
    supervisor = supervise()
    handle = start(supervisor, lambda cell: cell.token.wait(10) and cell.token.check())
    number = getattr(signal, name)
    seen: list[tuple[int, int]] = []

    def handler(*_: Any) -> None:
        seen.append((len(supervisor.cells()[0]), supervisor.pool.cancel_all("a signal")))

    previous = signal.signal(number, handler)
    try:
        with Step(supervisor.pool):
            signal.raise_signal(number)
            assert not seen
        assert seen == [(1, 1)]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, previous)
    assert handle.outcome(10).status == "cancelled"


def test_each_of_several_signals_is_handled_once(supervise: Any) -> None:
    """In the order in which they came; one whose handler raises keeps none of the others from theirs."""
    supervisor = supervise()
    seen: list[int] = []

    def handler(number: int, _: Any) -> None:
        seen.append(number)
        if number == signal.SIGUSR1:
            raise ValueError("from the handler")

    numbers = [signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR2]
    previous = [signal.signal(number, handler) for number in numbers]
    try:
        with pytest.raises(ValueError, match="from the handler"), supervisor.turn:
            for number in numbers:
                signal.raise_signal(number)
        assert seen == numbers
        assert [signal.getsignal(number) for number in numbers] == [handler] * 3
    finally:
        for number, old in zip(numbers, previous, strict=True):
            signal.signal(number, old)


def test_an_interrupt_between_callbacks_calls_each_once(supervise: Any) -> None:
    """None is lost by it, and none is called again."""
    supervisor = supervise()
    calls: list[str] = []

    def interrupts() -> None:
        calls.append("second")
        if calls.count("second") == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Step(supervisor.pool) as effects:
        effects.calls += [lambda: calls.append("first"), interrupts, lambda: calls.append("third")]
    assert calls.count("first") == 1
    assert calls.count("third") == 1


def test_an_interrupted_spawn_does_not_stay_in_line(supervise: Any, start: Any, gate: Any, monkeypatch: Any) -> None:
    """What nobody waits for any more is not admitted later."""
    supervisor = supervise(max_concurrent=1, max_queued=0)
    start(supervisor, gate.hold)
    gate.await_reached()
    real = supervisor.pool.roster.balance

    def interrupted(effects: Any) -> None:
        real(effects)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(supervisor.pool.roster, "balance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(supervisor, lambda _: "ghost", admit={"timeout": 10})
    assert not supervisor.pool.roster.waiting_spawns
    gate.open()
    assert len(supervisor.owed.all(10)) == 1
