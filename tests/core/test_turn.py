"""The turn: one step at a time, whoever waits for it and how."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors.core.scheduling import turn as turn_module
from actors.core.scheduling.turn import Turn


@pytest.mark.parametrize("patience", [0, 1, 1_000_000])
def test_who_finds_it_taken_gets_it_when_it_is_free(
    patience: int, in_thread: Any, gate: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standing in line from the start, after a while, or never."""
    monkeypatch.setattr(turn_module, "PATIENCE", patience)
    turn, order = Turn(), []

    def first() -> None:
        with turn:
            gate.hold()
            order.append("first")

    def second() -> None:
        order.append("asked")
        with turn:
            order.append("second")

    holding = in_thread(first)
    gate.await_reached()
    waiting = in_thread(second)
    eventually(lambda: order == ["asked"])
    gate.open()
    holding.result(10)
    waiting.result(10)
    assert order == ["asked", "first", "second"]
    assert not turn.locked()


def test_of_many_that_find_it_taken_one_looks_for_its_end(
    in_thread: Any, gate: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others sleep until that one has it: they would only keep the holder from running."""
    looking: set[int] = set()
    monkeypatch.setattr(turn_module, "PATIENCE", 10**9)
    monkeypatch.setattr(turn_module.time, "sleep", lambda _: looking.add(threading.get_ident()))
    turn, asked, done = Turn(), [], []

    def hold() -> None:
        with turn:
            gate.hold()

    def step() -> None:
        asked.append(None)
        with turn:
            done.append(None)

    holding = in_thread(hold)
    gate.await_reached()
    waiting = [in_thread(step) for _ in range(10)]
    eventually(lambda: len(asked) == 10 and looking)
    assert len(looking) == 1
    gate.open()
    for one in [holding, *waiting]:
        one.result(10)
    assert len(done) == 10


def test_a_finalizer_that_comes_while_its_thread_looks_may_take_a_step(
    in_thread: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for itself otherwise."""
    turn, order = Turn(), []

    def finalize(_: float) -> None:
        if not order:
            order.append("finalizer comes")
            with turn:
                order.append("finalizer")

    monkeypatch.setattr(turn_module.time, "sleep", lambda _: (finalize(0.0), gate.open()))

    def hold() -> None:
        with turn:
            gate.hold()

    def step() -> None:
        with turn:
            order.append("step")

    holding = in_thread(hold)
    gate.await_reached()
    in_thread(step).result(10)
    holding.result(10)
    assert order == ["finalizer comes", "finalizer", "step"]


def test_steps_of_many_threads_do_not_overlap(in_thread: Any) -> None:
    """Whoever comes, at most one is inside."""
    turn, inside, most = Turn(), 0, 0

    def step() -> None:
        nonlocal inside, most
        for _ in range(300):
            with turn:
                inside += 1
                most = max(most, inside)
                inside -= 1

    for stepping in [in_thread(step) for _ in range(6)]:
        stepping.result(30)
    assert (inside, most) == (0, 1)
