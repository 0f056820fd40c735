"""Hosts and nodes that are killed under agents: is an outcome lost, and how long do the last ones take?

``python -m benchmarks.many_machines.losses ADDRESS COUNT ROUNDS`` kills a host at random in each round, and prints a
line of JSON for each.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

from actors import AgentHandle, AgentPool, RestartPolicy
from actors.cluster import RayEngine

from .agents import Sleeper, configs

SECONDS = 0.2
SLOTS = 96
LOST_AFTER = 8.0


def rounds(address: str, count: int, number: int, *, again: bool) -> list[dict[str, float | str | None]]:
    """What became of *count* agents in each round.

    Args:
        again: Are those that were lost run again?
    """
    engine = RayEngine(address, min_nodes=3, lost_after=LOST_AFTER)
    restart = RestartPolicy(max_restarts=5) if again else None
    found = []
    with AgentPool(max_concurrent=SLOTS, max_queued=None, abort_timeout=1.0, restart=restart, engine=engine) as pool:
        for _ in range(number):
            handles = pool.fan_out(configs(Sleeper, iter([SECONDS] * count)))
            for _ in range(count // 4):
                pool.join_next()
            victim = random.choice([node for node in engine.nodes() if node.state == "up"])
            os.kill(victim.pid, signal.SIGKILL)
            killed = time.perf_counter()
            pool.join_all()
            found.append(_told(handles, time.perf_counter() - killed, again=again))
    return found


def _told(handles: list[AgentHandle[int]], seconds: float, *, again: bool) -> dict[str, float | str | None]:
    outcomes = [handle.outcome(timeout=0) for handle in handles]
    statuses = [str(outcome.status) for outcome in outcomes]
    return {
        "case": "a host is killed, lost agents run again" if again else "a host is killed",
        "agents": len(handles),
        "outcomes": len({outcome.agent_id for outcome in outcomes}),
        "completed": statuses.count("completed"),
        "lost": statuses.count("lost"),
        "median s to the last": seconds,
    }


def main(address: str, count: str, number: str) -> None:
    """Measure both ways."""
    for again in (False, True):
        for row in rounds(address, int(count), int(number), again=again):
            print(json.dumps(row))


if __name__ == "__main__":
    main(*sys.argv[1:])
