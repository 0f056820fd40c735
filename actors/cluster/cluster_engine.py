"""What a pool is given, so that its agents live on the nodes of a cluster."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..core.waiting.waiter import Waiter
from ..errors import EngineLost, NotAcrossNodes
from .engine import ClusterLives
from .link import LinkError
from .node import NodeState, NodeView
from .policy import Policy

if TYPE_CHECKING:
    from ..agent.assembly.factory import AgentFactory
    from ..core.supervision.pool_state import PoolState
    from ..core.supervision.supervisor import Supervisor
    from .link import Link, NodeInfo


class ClusterEngine:
    """An engine over a link: ``RayEngine`` is one over Ray, ``LocalEngine`` one whose hosts are in this process.

    Args:
        link: What connects the program with the nodes. It ends with the engine.
        slots_per_node, prefetch, lost_after, start_timeout, min_nodes: As for :class:`RayEngine`.

    Guarantees: it serves one pool, begins with it and ends with it.

    Locks: ``_lock`` guards ``_lives`` and ``_is_closed``.
    """

    def __init__(
        self,
        link: Link,
        *,
        slots_per_node: int | None = None,
        prefetch: int | None = None,
        lost_after: float | None = None,
        start_timeout: float = 60.0,
        min_nodes: int = 1,
    ) -> None:
        self._policy = Policy(slots_per_node, prefetch, lost_after, start_timeout, min_nodes)
        self._link = link
        self._lock = threading.Lock()
        self._lives: ClusterLives | None = None
        self._is_closed = False

    def lives(self, pool: PoolState) -> ClusterLives:
        """What lets the agents of *pool* live.

        Raises:
            RuntimeError: It serves a pool already, or has ended.
            ValueError: ``lost_after`` is too short for the pool's ``abort_timeout``.
            NotAcrossNodes: The pool has ``tracing=``.
        """
        if pool.tracing is not None:
            raise NotAcrossNodes(
                "tracing=", "spans are entered in threads of the program; trace a pool without engine="
            )
        with self._lock:
            if self._lives is not None or self._is_closed:
                state = "has ended with its pool" if self._is_closed else "serves a pool already"
                raise RuntimeError(f"an engine serves one pool, and this one {state}: make another one")
            self._lives = lives = ClusterLives(pool, self._link, self._policy)
        return lives

    def begin(self, supervisor: Supervisor, factory: AgentFactory) -> None:
        """The pool is made: make hosts, and wait until there are ``min_nodes``.

        Args:
            supervisor: The pool's.
            factory: What makes its agents.
        Raises:
            EngineLost: They did not come up within ``start_timeout``.
        """
        assert self._lives is not None
        self._lives.begin(supervisor, factory)

    def close(self) -> None:
        """End the hosts, and what connects with them. Twice does nothing twice."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        if was_closed:
            return
        if self._lives is None:
            self._link.close()
        else:
            self._lives.close()

    def nodes(self) -> list[NodeView]:
        """The nodes, as of now. Before it serves a pool: those that there are.

        Raises:
            EngineLost: The cluster cannot be reached.
        """
        if self._lives is not None:
            return self._lives.fleet.views()
        found: list[list[NodeInfo] | LinkError] = []
        waiter = Waiter()

        def take(answer: list[NodeInfo] | LinkError) -> None:
            found.append(answer)
            waiter.wake()

        self._link.nodes(take)
        if not waiter.wait(self._policy.start_timeout) or not found:
            raise EngineLost(f"no answer from the cluster within {self._policy.start_timeout:g} s")
        (nodes,) = found
        if isinstance(nodes, LinkError):
            raise EngineLost(str(nodes)) from nodes
        return [_seen(info) for info in nodes]


def _seen(info: NodeInfo) -> NodeView:
    state = NodeState.STARTING if info.is_alive else NodeState.GONE
    return NodeView(node=info.name, pid=0, lease=0, placed=0, parked=0, heard=None, state=str(state))
