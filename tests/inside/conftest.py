"""What the tests of the looks inside share: a browser, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..processes import mark
from .browser import Browser, browsing

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a browser."""
    mark(items, Path(__file__).parent, "browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one file; they are left out where it or Playwright is not installed."""
    with browsing() as started:
        yield started
