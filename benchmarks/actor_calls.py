"""What do tell and ask of a long-lived actor cost?"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import pykka

from .contest import contest
from .peers import Peers
from .pinned import pinned
from .report import Report, Table
from .savina import Pinned, Shared
from .size import Size

QUESTION = "What do tell, ask and pipelined asks of a long-lived actor cost, without a bound?"

WINDOW = 64
"""Asks in flight."""
BOUND = 120.0


@dataclass(frozen=True, slots=True)
class Workload:
    """How many messages, and how often."""

    messages: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(20_000, 9), Size.QUICK: Workload(5_000, 3), Size.SMOKE: Workload(50, 1)}


def echo(base: type[Any]) -> type[Any]:
    """An actor that answers with what it is told; None is the last."""

    class Echo(base):  # type: ignore[misc]
        def __init__(self, ended: threading.Event) -> None:
            super().__init__()
            self.ended = ended

        def on_receive(self, message: Any) -> Any:
            if message is None:
                self.ended.set()
            return message

    return Echo


OURS, BARE = {"pinned": echo(Pinned), "shared": echo(Shared)}, echo(pykka.ThreadingActor)


def tell(kind: Any, count: int) -> float:
    """Seconds until all messages are handled."""
    ended = threading.Event()
    ref = kind.start(ended)
    begin = time.perf_counter()
    for number in range(count):
        ref.tell(number)
    ref.tell(None)
    assert ended.wait(BOUND)
    seconds = time.perf_counter() - begin
    ref.stop()
    return seconds


def ask(kind: Any, count: int) -> float:
    """Seconds for asks one after another."""
    ref = kind.start(threading.Event())
    begin = time.perf_counter()
    for number in range(count):
        ref.ask(number)
    seconds = time.perf_counter() - begin
    ref.stop()
    return seconds


def ask_pipelined(kind: Any, count: int) -> float:
    """Seconds for asks of which 64 are in flight."""
    ref = kind.start(threading.Event())
    flying: deque[Any] = deque()
    begin = time.perf_counter()
    for number in range(count):
        if len(flying) == WINDOW:
            flying.popleft().get()
        flying.append(ref.ask(number, block=False))
    while flying:
        flying.popleft().get()
    seconds = time.perf_counter() - begin
    ref.stop()
    return seconds


def measure(size: Size, peers: Peers | None = None) -> Report:
    """Find the answer."""
    load, peers = WORKLOADS[size], peers or Peers()
    count = load.messages
    cases = {"tell": tell, "ask": ask, f"ask, {WINDOW} in flight": ask_pipelined}
    tables: list[Table] = []
    with_pykka = peers.has("pykka")
    for where, held in (("", partial), (" on one core", lambda *words: pinned(partial(*words)))):
        for name, case in cases.items():
            tables += contest(
                f"{name}: {count:,} messages{where}, microseconds for one",
                {mine: held(case, kind, count) for mine, kind in OURS.items()},
                {"pykka": held(case, BARE, count)} if with_pykka else {},
                repeats=load.repeats,
                per=count,
            )
    return Report("actor_calls", QUESTION, tables, peers.notes())
