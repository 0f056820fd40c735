"""Every pool of these tests has an engine, whose hosts are in this process."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from actors import AgentPool
from actors.cluster import ClusterEngine
from actors.testing.cluster import LocalLink
from tests.contract import test_scale
from tests.contract.conftest import *  # noqa: F403

from .differs import mark

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each pool an engine of its own. Without a place to wait on a host, each agent is a call there and back."""
    monkeypatch.setattr(test_scale, "MANY", 1_000)
    make = AgentPool.__init__

    @functools.wraps(make)
    def made(self: AgentPool, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("engine") is None:
            kwargs["engine"] = ClusterEngine(LocalLink(nodes=2, shares=True), prefetch=0)
        make(self, *args, **kwargs)

    monkeypatch.setattr(AgentPool, "__init__", made)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What differs has to. What starts a process makes its pools there, without
    an engine: that is tested in its own place.
    """
    own = [item for item in items if item.path.parent == HERE]
    mark(own)
    elsewhere = [item for item in own if item.get_closest_marker("process")]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in set(elsewhere)]
