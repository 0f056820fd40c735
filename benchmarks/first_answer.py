"""What does ``actors.ask`` cost beside an agent of a pool that stands?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import actors
from actors import AgentManifest, AgentPool, FunctionDriver, SpawnConfig

from .contest import contest
from .report import Report
from .size import Size

if TYPE_CHECKING:
    from .peers import Peers

QUESTION = "What does actors.ask cost, with a pool for each question, next to an agent of a pool that stands?"


@dataclass(frozen=True, slots=True)
class Workload:
    """How many questions, and how often."""

    questions: int
    repeats: int


WORKLOADS = {Size.FULL: Workload(200, 9), Size.QUICK: Workload(50, 3), Size.SMOKE: Workload(2, 1)}


def by_ask(driver: FunctionDriver | str, count: int) -> float:
    """Seconds for so many, one after another."""
    begin = time.perf_counter()
    for _ in range(count):
        assert actors.ask(driver, "yes")
    return time.perf_counter() - begin


def by_pool(driver: FunctionDriver, count: int) -> float:
    """Seconds for so many in one pool."""
    with AgentPool(driver, 1) as pool:
        begin = time.perf_counter()
        for _ in range(count):
            assert pool.spawn(SpawnConfig(AgentManifest(name="ask", privacy="standard"), "yes")).result().text
        return time.perf_counter() - begin


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - there are none
    """Find the answer."""
    load = WORKLOADS[size]
    driver = FunctionDriver(lambda _: "yes")
    tables = contest(
        "questions one after another, microseconds for one",
        {
            "actors.ask": lambda: by_ask(driver, load.questions),
            "actors.ask, with a word for the driver": lambda: by_ask("echo", load.questions),
        },
        {"a pool that stands": lambda: by_pool(driver, load.questions)},
        repeats=load.repeats,
        per=load.questions,
    )
    return Report("first_answer", QUESTION, tables, ["The model is a function that answers at once."])
