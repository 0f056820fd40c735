"""pytest fixtures: pools that are closed, and a failure for each thread that is left.

# conftest.py
from actors.testing.fixtures import agent_pool, make_agent_pool
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..pool import AgentPool
from .leaks import no_thread_left

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def make_agent_pool() -> Iterator[Callable[..., AgentPool]]:
    """``make_agent_pool(driver, ...)`` makes a pool as :class:`AgentPool` does. When the test ends all are closed, what
    still runs is aborted, and a thread that is left (of an agent that never looks at its cancel, say) fails the test.
    """
    pools: list[AgentPool] = []

    def make(*args: Any, **kwargs: Any) -> AgentPool:
        pools.append(AgentPool(*args, **kwargs))
        return pools[-1]

    with no_thread_left():
        yield make
        for pool in pools:
            pool.close()


@pytest.fixture
def agent_pool(make_agent_pool: Callable[..., AgentPool]) -> AgentPool:
    """A pool without a driver, as ``AgentPool()`` makes it; see :func:`make_agent_pool`."""
    return make_agent_pool()
