"""Every test here runs programs, or shares a process with them."""

from pathlib import Path

import pytest

from ..processes import mark


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them all."""
    mark(items, Path(__file__).parent)
