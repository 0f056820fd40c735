"""Audit Python files on a cluster, kill a node on the way, and show that every file has its outcome.

    python examples/cluster/cluster.py PATH... [--at-once N] [--kill-after N] [--again]

It starts a head and two nodes on this machine, with Ray's own command, and ends them. Exit codes: 0 every file has one
outcome, 1 not so, 2 bad usage.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from machines import Cluster

from actors import AgentManifest, AgentPool, FileRead, LlmAgent, RestartPolicy, SpawnConfig
from actors.agents import AgentLoopResult
from actors.cluster import RayEngine

AUDIT = Path(__file__).parents[1] / "audit"
NODES = ("left", "right")


class Auditor(LlmAgent):
    """The agent of audit.toml, with a model that takes its time. It stands in the main program, and goes along."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def run(self, query: str) -> AgentLoopResult:
        """Audit the file that *query* names."""
        self.sleep(self.seconds)
        return super().run(query)


def auditors(files: list[Path], seconds: float) -> Iterator[SpawnConfig]:
    """One for each file; it may read that file and no other."""
    manifest = AgentManifest.load(AUDIT / "audit.toml")
    for file in files:
        own_file = FileRead(allowed_paths=(str(file),))
        yield SpawnConfig(
            manifest.model_copy(update={"capabilities": (own_file,)}),
            str(file),
            agent=Auditor,
            kwargs={"seconds": seconds},
            timeout=120,
        )


def audit(cluster: Cluster, options: argparse.Namespace) -> bool:
    """Run one auditor for each file, kill a node on the way; has every file one outcome?"""
    engine = RayEngine(cluster.address, lost_after=15.0, min_nodes=len(NODES) + 1)
    ends: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    with AgentPool(
        max_concurrent=options.at_once,
        abort_timeout=1.0,
        restart=RestartPolicy(max_restarts=3) if options.again else None,
        engine=engine,
    ) as pool:
        for outcome in pool.map(auditors(options.files, options.seconds)):
            heard[outcome.query] += 1
            ends[outcome.status] += 1
            if heard.total() == options.kill_after:
                killed = cluster.kill(NODES[0])
                print(f"{heard.total()} outcomes are here: {NODES[0]} is killed, with its {killed} processes")
        for node in sorted(engine.nodes(), key=lambda node: node.node):
            print(f"{node.node}: {node.state}{f' ({node.why})' if node.why else ''}")
    print(f"{len(options.files)} files, {heard.total()} outcomes:", ", ".join(f"{n} {end}" for end, n in ends.items()))
    return heard == Counter(map(str, options.files))


def arguments() -> argparse.Namespace:
    """Read the command line; ``files`` holds every Python file that it names."""
    parser = argparse.ArgumentParser(description="Audit Python files on a cluster, and kill a node of it on the way.")
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a Python file, or a folder of them")
    parser.add_argument("--at-once", metavar="N", type=int, default=12, help="agents at once, on all nodes (12)")
    parser.add_argument("--kill-after", metavar="N", type=int, default=30, help="outcomes before a node is killed (30)")
    parser.add_argument("--seconds", metavar="S", type=float, default=0.3, help="how long a model would take (0.3)")
    parser.add_argument("--again", action="store_true", help="run again what is lost with the node")
    options = parser.parse_args()
    found = (path.rglob("*.py") if path.is_dir() else [path] for path in options.paths)
    options.files = sorted({Path(os.path.abspath(file)) for files in found for file in files})
    if not options.files:
        parser.error("no Python file there")
    return options


def main() -> int:
    """Start the cluster, audit, and return the exit code."""
    options = arguments()
    with Cluster(NODES, modules=[AUDIT]) as cluster:
        os.environ.update(cluster.environment)
        print(f"a head and {len(NODES)} nodes at {cluster.address}")
        return 0 if audit(cluster, options) else 1


if __name__ == "__main__":
    sys.exit(main())
