"""Gives every pool of a run an engine whose hosts are in this process, so that what holds without one is seen to hold
with one::

    pytest -p tests.cluster.through_engine tests/contract
    pytest -p tests.cluster.through_engine --faults 7 tests/contract
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from actors.pool import AgentPool
from actors.testing.cluster import LocalEngine

from .contract.differs import mark

if TYPE_CHECKING:
    import pytest

OFTEN = 0.1


def pytest_addoption(parser: pytest.Parser) -> None:
    """Calls may go wrong, too."""
    parser.addoption("--faults", type=int, help="a seed: one call in ten is lost, its answer is, it is doubled or late")


def pytest_configure(config: pytest.Config) -> None:
    """From now on."""
    make, seed = AgentPool.__init__, config.getoption("--faults")
    faults: dict[str, Any] = {}
    if seed is not None:
        faults = {"seed": seed, **dict.fromkeys(("lost", "lost_answers", "doubled", "late"), OFTEN)}

    @wraps(make)
    def made(self: AgentPool, *args: Any, **said: Any) -> None:
        if said.get("engine") is None:
            said["engine"] = LocalEngine(2, shares=True, prefetch=0, **faults)
        make(self, *args, **said)

    AgentPool.__init__ = made  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What differs has to."""
    mark(items)
