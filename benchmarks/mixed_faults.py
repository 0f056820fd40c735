"""How long do agents take at a model server that fails one request in ten in each of several ways?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from actors import AgentManifest, AgentPool, RateLimiter, SpawnConfig, ToolRegistry, tool
from actors.agent.loop.driver_call import RETRIES
from actors.drivers.openai import OpenAIDriver

from .figures import Spread, ratios
from .http_throughput import server
from .peers import Peers, is_there, not_there
from .report import Cell, Report, Table
from .size import Size
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTION = "How long do agents take at a model server that fails one request in ten in each of several ways?"

SHARE = 0.1
FAULTS = {
    "none": (),
    "HTTP 500": ("error",),
    "HTTP 429": ("refuse",),
    "cut connections": ("cut",),
    "broken JSON": ("broken",),
    "all at once": ("error", "refuse", "cut", "broken"),
}
TRIES = 1 + RETRIES
"""Of each completion: an agent fails whose completion has failed so often."""
COMPLETE = 0.95
"""Share that must complete of the agents that can be expected to."""


@dataclass(frozen=True, slots=True)
class Workload:
    """How many agents, how many at once, completions of each, how slow the server is, and how often."""

    agents: int
    at_once: int
    completions: tuple[int, ...]
    latency: float
    repeats: int


WORKLOADS = {
    Size.FULL: Workload(256, 64, (1, 4), 0.2, 5),
    Size.QUICK: Workload(256, 64, (1, 4), 0.2, 1),
    Size.SMOKE: Workload(8, 4, (2,), 0.01, 1),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What came of the agents of one run."""

    seconds: float
    completed: float
    refused: int
    pauses: int


@tool
def note(text: str) -> str:
    """Note something."""
    return text


def run(load: Workload, completions: int, faults: tuple[str, ...]) -> Run:
    """All agents, at a server with those faults."""
    words = [f"rounds:{completions}", *(f"{fault}:{SHARE}" for fault in faults)]
    manifest = AgentManifest(name="asker", privacy="private")
    with server(load.latency, *words) as (url, _):
        driver = OpenAIDriver("slow", base_url=url, limiter=RateLimiter())
        with AgentPool(driver, load.at_once, tools=ToolRegistry([note]), max_queued=None) as pool:
            begin = time.perf_counter()
            pool.fan_out([SpawnConfig(manifest, "yes?", stream=False)] * load.agents)
            outcomes = pool.join_all()
            seconds = time.perf_counter() - begin
        stats = driver.limiter.stats()
    completed = sum(outcome.ok for outcome in outcomes.values()) / load.agents
    return Run(seconds, completed, stats.refused, stats.pauses)


def measure(size: Size, peers: Peers | None = None) -> Report:  # noqa: ARG001 - measured by itself without faults
    """Find the answer."""
    load = WORKLOADS[size]
    if not is_there("openai"):
        return Report("mixed_faults", QUESTION, [], [f"skipped: openai is {not_there()}"])
    tables, problems = [], []
    for completions in load.completions:
        cases = {case: partial(run, load, completions, faults) for case, faults in FAULTS.items()}
        runs = in_turn(cases, repeats=load.repeats, warmups=0)
        title = f"{load.agents} agents, {load.at_once} at once, {completions} completions each of {load.latency:g} s"
        tables.append(Table(title, rows(runs)))
        if size is not Size.SMOKE:
            problems += [
                f"{case}, {completions} completions each: {completed:.0%} of the agents have completed"
                for case, found in runs.items()
                if (completed := Spread.of([one.completed for one in found]).median)
                < COMPLETE * expected(FAULTS[case], completions)
            ]
    most = max(load.completions)
    best = expected(FAULTS["all at once"], most)
    notes = [
        f"An agent fails after {TRIES} tries of a completion: of {most} with all faults at once {best:.0%} complete.",
        "Each fault befalls one request in ten; by none: formed within each turn.",
        "HTTP 429 asks for a second (Retry-After: 1), beside headers that say that nothing is left for six minutes.",
    ]
    return Report("mixed_faults", QUESTION, tables, notes, problems)


def expected(faults: tuple[str, ...], completions: int) -> float:
    """The share of agents all of whose completions succeed at one of their tries."""
    return float((1 - (SHARE * len(faults)) ** TRIES) ** completions)


def rows(runs: Mapping[str, list[Run]]) -> list[dict[str, Cell]]:
    """A row for each case."""
    plain = [one.seconds for one in runs["none"]]
    found: list[dict[str, Cell]] = []
    for case, repeats in runs.items():
        seconds = [one.seconds for one in repeats]
        ratio = ratios(seconds, plain)
        found.append(
            {
                "faults": case,
                "median s": Spread.of(seconds).median,
                "by none": ratio.median,
                "spread": f"{ratio.low:.3g} to {ratio.high:.3g}",
                "completed %": 100 * Spread.of([one.completed for one in repeats]).median,
                "refused": sum(one.refused for one in repeats),
                "pauses": sum(one.pauses for one in repeats),
            }
        )
    return found
