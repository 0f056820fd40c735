"""Starts a small cluster of Ray's on this machine, says where it is, and ends it when its standard input ends.

Run as a program: Ray leaves threads and handlers in the process that it is in, and a killed raylet has to be reaped by
whoever started it, else its workers take it for alive.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading


def main(nodes: int) -> None:
    """Serve until nobody needs it."""
    os.setsid()  # all that Ray starts is in one group
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_worker_prestart": "0"}
    from ray.cluster_utils import Cluster

    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    small = {"object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=1, **small)
    made = [cluster.head_node, *cluster.worker_nodes]
    raylets = {node.node_id: node.all_processes["raylet"][0].process for node in made}
    print(
        json.dumps({"address": cluster.address, "raylets": {name: of.pid for name, of in raylets.items()}}),
        file=told,
        flush=True,
    )
    for process in raylets.values():
        threading.Thread(target=process.wait, daemon=True).start()
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)  # Ray would ask each of its processes to end, and wait for it


if __name__ == "__main__":
    main(int(sys.argv[1]))
