"""The engine over Ray."""

from __future__ import annotations

from collections.abc import Mapping

from .cluster_engine import ClusterEngine
from .policy import Policy


class RayEngine(ClusterEngine):
    """Lets the agents of a pool live on the nodes of a Ray cluster. The program decides, as ever; only lives go there.

    Ray itself runs in a process beside the program. Whoever can reach Ray's ports, or is a node, can run code in the
    program: use it in a network that you trust.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, SpawnConfig
        from actors.cluster import RayEngine

        poet = AgentManifest(name="poet")
        with AgentPool("echo", max_concurrent=1_000, max_queued=None, engine=RayEngine()) as pool:
            outcomes = list(pool.map(SpawnConfig(poet, subject) for subject in ("rain", "snow")))
        ```

    Args:
        address: Of the cluster, as Ray takes it: ``auto`` finds the one of this machine.
        slots_per_node: Slots of the pool that one node may have, at most; None: 512.
        prefetch: Agents that may wait on a node, so that it never idles; None: a quarter of its slots, at least 8.
            With 0 the order of priorities and groups is exact.
        lost_after: Seconds without an answer after which a node is lost; None: 10 more than it may take to answer.
        start_timeout: Seconds that *min_nodes* have to come up.
        min_nodes: Nodes without which the pool does not begin.
        runtime_env: What Ray brings to the nodes, as Ray takes it: ``{"working_dir": "."}``, ``{"py_modules": [...]}``.
    Raises:
        ImportError: Ray is not installed: ``pip install "actors[ray]"``.
        TypeError, ValueError: A setting makes no sense.
    """

    def __init__(
        self,
        address: str = "auto",
        *,
        slots_per_node: int | None = None,
        prefetch: int | None = None,
        lost_after: float | None = None,
        start_timeout: float = 60.0,
        min_nodes: int = 1,
        runtime_env: Mapping[str, object] | None = None,
    ) -> None:
        Policy(slots_per_node, prefetch, lost_after, start_timeout, min_nodes)  # before a process is started
        if not isinstance(runtime_env, Mapping | None):
            raise TypeError(f"runtime_env must be a mapping, as Ray takes it, got {runtime_env!r}")
        if not isinstance(address, str):
            raise TypeError(f"address must be a string, as in 'head:6379', got {address!r}")
        if not address:
            raise ValueError("address must name a cluster, as 'auto' or 'head:6379' do, got ''")
        from .ray_link import RayLink  # a program of its own, too: who starts it has not imported it before

        link = RayLink(address, runtime_env=None if runtime_env is None else dict(runtime_env))
        super().__init__(
            link,
            slots_per_node=slots_per_node,
            prefetch=prefetch,
            lost_after=lost_after,
            start_timeout=start_timeout,
            min_nodes=min_nodes,
        )
