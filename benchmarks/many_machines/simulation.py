"""How far one supervisor goes: a thousand nodes that are played, and as many agents as one likes."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors import Agent, AgentManifest, AgentPool, SpawnConfig
from actors.cluster.cluster_engine import ClusterEngine

from ..parked import resident
from ..report import Cell
from .played_link import PlayedLink

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = AgentManifest(name="idle")
MICRO = 1e6
LOST_AFTER = 60.0
"""The nodes are played by this machine: when it is slow, none of them is lost."""


class Idle(Agent[None]):
    """Never runs: its host is played."""

    def run(self, query: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured.

    Args:
        slots: Of all nodes together.
        seconds: How long an agent lives.
        at_once: Are all agents owed at once, or do they go through a map?
    """

    name: str
    nodes: int
    agents: int
    slots: int
    seconds: float = 0.0
    latency: float = 0.0
    at_once: bool = False


def simulate(case: Case) -> dict[str, Cell]:
    """One row: what the program took for it."""
    link = PlayedLink(case.nodes, seconds=case.seconds, latency=case.latency)
    engine = ClusterEngine(link, min_nodes=case.nodes, lost_after=LOST_AFTER, start_timeout=300.0)
    with AgentPool(max_concurrent=case.slots, max_queued=None, abort_timeout=1.0, engine=engine) as pool:
        gc.collect()
        held, calls, played = resident(), link.puts + link.drains, link.cpu
        cpu, begin = time.process_time(), time.perf_counter()
        ended, most = _at_once(pool, case.agents) if case.at_once else _mapped(pool, case.agents)
        seconds = time.perf_counter() - begin
        cpu = time.process_time() - cpu - (link.cpu - played)
        calls = link.puts + link.drains - calls
    assert ended == case.agents, (ended, case.agents)
    return {
        "case": case.name,
        "nodes": case.nodes,
        "agents": case.agents,
        "median us of program CPU for one": cpu * MICRO / case.agents,
        "agents/s": case.agents / seconds,
        "calls/s": calls / seconds,
        "agents a call": case.agents / calls,
        "share of a core": cpu / seconds,
        "KB an owed agent": (most - held) / case.agents if case.at_once else None,
        "MB more": (most - held) / 1024,
    }


def _configs(agents: int) -> Iterator[SpawnConfig]:
    return (SpawnConfig(MANIFEST, number, agent=Idle, keep_messages=False) for number in range(agents))


def _mapped(pool: AgentPool, agents: int) -> tuple[int, float]:
    ended = sum(outcome.ok for outcome in pool.map(_configs(agents)))
    return ended, resident()


def _at_once(pool: AgentPool, agents: int) -> tuple[int, float]:
    pool.fan_out(list(_configs(agents)))
    outcomes = pool.join_all()
    most = resident()
    return sum(outcome.ok for outcome in outcomes.values()), most
