"""What tests of servers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.tools.mcp import McpServers


@pytest.fixture
def servers() -> Iterator[McpServers]:
    """The servers of a pool that closes."""
    made = McpServers()
    yield made
    made.close()


@pytest.fixture
def lives(tmp_path: Path) -> Path:
    """Where a rogue notes each of its lives."""
    return tmp_path / "lives"
