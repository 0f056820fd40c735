"""Where the agents of a pool live, if not in its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...core.scheduling.lives import Lives
    from ...core.supervision.pool_state import PoolState
    from ...core.supervision.supervisor import Supervisor
    from .factory import AgentFactory


class Engine(Protocol):
    """What ``AgentPool(engine=)`` takes. It serves one pool, begins with it and ends with it."""

    def lives(self, pool: PoolState) -> Lives:
        """What lets the agents of *pool* live.

        Raises:
            RuntimeError: It serves a pool already, or has ended.
        """

    def begin(self, supervisor: Supervisor, factory: AgentFactory) -> None:
        """The pool is made: agents may come."""

    def close(self) -> None:
        """The pool has ended, or was given up. Twice does nothing twice."""


def engine_or_none(engine: Engine | None) -> None:
    """Raise when *engine* is none.

    Raises:
        TypeError: It is something else.
    """
    is_one = not isinstance(engine, type) and all(hasattr(engine, name) for name in ("lives", "begin", "close"))
    if engine is not None and not is_one:
        what = f"the class {engine.__name__}" if isinstance(engine, type) else type(engine).__name__
        raise TypeError(f"engine= takes an engine, as RayEngine(...) of actors.cluster, not {what}")
