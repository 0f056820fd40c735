"""What do tell and ask of a long-lived actor cost?"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import pykka

from actors import Actor

from .contest import contest
from .peers import Peers
from .report import Report, Table
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


class Ours(Actor):
    """Answers with what it is told; None is the last."""

    inbox_capacity: ClassVar[int | None] = None

    def __init__(self, ended: threading.Event) -> None:
        super().__init__()
        self.ended = ended

    def on_receive(self, message: Any) -> Any:
        """Return *message*."""
        if message is None:
            self.ended.set()
        return message


class Bare(pykka.ThreadingActor):
    """The same on Pykka alone."""

    def __init__(self, ended: threading.Event) -> None:
        super().__init__()
        self.ended = ended

    def on_receive(self, message: Any) -> Any:
        """Return *message*."""
        if message is None:
            self.ended.set()
        return message


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


def ask_ours_pipelined(count: int) -> float:
    """Seconds for asks of which 64 are in flight."""
    ref = Ours.start(threading.Event())
    flying: deque[Any] = deque()
    begin = time.perf_counter()
    for number in range(count):
        if len(flying) == WINDOW:
            flying.popleft().result()
        flying.append(ref.ask_future(number))
    while flying:
        flying.popleft().result()
    seconds = time.perf_counter() - begin
    ref.stop()
    return seconds


def ask_bare_pipelined(count: int) -> float:
    """The same on Pykka alone."""
    ref = Bare.start(threading.Event())
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
    cases = {
        "tell": (lambda: tell(Ours, count), lambda: tell(Bare, count)),
        "ask": (lambda: ask(Ours, count), lambda: ask(Bare, count)),
        f"ask, {WINDOW} in flight": (lambda: ask_ours_pipelined(count), lambda: ask_bare_pipelined(count)),
    }
    tables: list[Table] = []
    with_pykka = peers.has("pykka")
    for name, (ours, bare) in cases.items():
        tables += contest(
            f"{name}: {count:,} messages, microseconds for one",
            {"actors": ours},
            {"pykka": bare} if with_pykka else {},
            repeats=load.repeats,
            per=count,
        )
    return Report("actor_calls", QUESTION, tables, peers.notes())
