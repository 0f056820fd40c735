"""How handlers that stand are told of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from actors import Actor, Dispatcher
from actors.core.process.at_exit import at_exit

from ..waiting import BOUND, eventually

if TYPE_CHECKING:
    from ..waiting import Gate

TOLD = "has been in one handler"


class Stone(Actor):
    """Stands at the gate that it is told."""

    dispatcher = Dispatcher(workers=3, stalled_after=0.02, linger=0.01, name="stones")

    def on_receive(self, message: Gate) -> None:
        message.arrive()


class Beeper(Actor):
    """Calls what it is told."""

    def on_receive(self, message: Any) -> None:
        message()


def test_a_log_that_blocks_holds_up_no_timer(gates: Any, log_lines: list[str]) -> None:
    """It is told on another thread than that of the alarm: on one, however many stand."""
    slow, stands = gates(), gates()
    sink = logger.add(lambda _: slow.arrive(), filter=lambda record: TOLD in record["message"])
    rung = threading.Event()
    stones = [Stone.start(), Stone.start()]
    beeper = Beeper.start()
    stones[0].tell(stands)
    slow.await_reached()
    stones[1].tell(stands)
    beeper.tell_later(0.05, rung.set)
    assert rung.wait(BOUND)
    slow.open()
    eventually(lambda: sum(TOLD in line for line in log_lines) == 2)
    stands.open()
    for ref in (*stones, beeper):
        ref.stop()
    logger.remove(sink)


def test_without_a_thread_it_is_told_later(gate: Gate, log_lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a later look, once there can be one."""
    start, tries = at_exit().crew.start, []

    def fail_first(job: Any) -> None:
        tries.append(job)
        if len(tries) == 1:
            raise RuntimeError("can't start new thread")
        start(job)

    stone = Stone.start()
    monkeypatch.setattr(at_exit().crew, "start", fail_first)
    stone.tell(gate)
    eventually(lambda: any(TOLD in line for line in log_lines))
    gate.open()
    stone.stop()
    (told,) = [line for line in log_lines if TOLD in line]
    assert "in arrive" in told
    assert len(tries) == 2
