"""What runs on the nodes. By their module: the nodes find it there."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from actors import Agent, AgentManifest, SpawnConfig
from actors.cluster import lane

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = AgentManifest(name="benchmark")
MOST_ITEMS = "BENCHMARK_MOST_ITEMS"
"""In the environment of a process: so many items a call carries at most."""


class Idle(Agent[int]):
    """Does nothing."""

    def run(self, query: int) -> int:
        """Return *query*."""
        return query


class Sleeper(Agent[int]):
    """Waits as for a model, where no cancel is seen."""

    def run(self, query: float) -> int:
        """Sleep *query* seconds."""
        time.sleep(query)
        return os.getpid()


class Patient(Agent[int]):
    """Waits until it is cancelled."""

    def run(self, query: float) -> int:
        """Wait *query* seconds at most."""
        self.sleep(query)
        return os.getpid()


def configs(agent: type[Agent[int]], queries: Iterator[float]) -> list[SpawnConfig[int]]:
    """One for each of *queries*."""
    return [SpawnConfig(MANIFEST, query, agent=agent, keep_messages=False) for query in queries]


def limit_items() -> None:
    """Let a call carry no more items than the environment says. Ray calls it in each process that it starts."""
    if most := os.environ.get(MOST_ITEMS):
        lane.MOST_ITEMS = int(most)
