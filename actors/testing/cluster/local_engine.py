"""An engine whose cluster is played in this process."""

from __future__ import annotations

from ...cluster.cluster_engine import ClusterEngine
from .local_link import LocalLink


class LocalEngine(ClusterEngine):
    """Lets the agents of a pool live with hosts in this process: a program is tested as on a cluster, without one.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, SpawnConfig
        from actors.testing.cluster import LocalEngine

        engine = LocalEngine(nodes=3, seed=7, lost=0.15, lost_answers=0.15, doubled=0.15, late=0.15)
        with AgentPool("echo", max_queued=None, engine=engine) as pool:
            handles = pool.fan_out(SpawnConfig(AgentManifest(name="one"), str(number)) for number in range(20))
            outcomes = [handle.outcome() for handle in handles]
        print(len(outcomes))
        ```

        ```text
        20
        ```

    ``link`` is the :class:`LocalLink`, to break what a test wants to be broken.

    Args:
        nodes, seed, lost, lost_answers, doubled, late, late_by, shares, patience: As for :class:`LocalLink`.
        slots_per_node, prefetch, lost_after, start_timeout: As for ``RayEngine``.
        min_nodes: As for ``RayEngine``; None waits for all of them.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        seed: int | None = None,
        lost: float = 0.0,
        lost_answers: float = 0.0,
        doubled: float = 0.0,
        late: float = 0.0,
        late_by: float = 0.02,
        shares: bool = False,
        patience: float | None = 0.01,
        slots_per_node: int | None = None,
        prefetch: int | None = None,
        lost_after: float | None = None,
        start_timeout: float = 60.0,
        min_nodes: int | None = None,
    ) -> None:
        self.link = LocalLink(
            nodes,
            seed=seed,
            lost=lost,
            lost_answers=lost_answers,
            doubled=doubled,
            late=late,
            late_by=late_by,
            patience=patience,
            shares=shares,
        )
        super().__init__(
            self.link,
            slots_per_node=slots_per_node,
            prefetch=prefetch,
            lost_after=lost_after,
            start_timeout=start_timeout,
            min_nodes=max(1, nodes) if min_nodes is None else min_nodes,
        )
