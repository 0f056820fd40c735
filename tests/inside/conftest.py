"""What the tests of the looks inside share: pools that are traced, and a browser, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..processes import mark
from .browser import Browser, browsing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors import AgentPool

    from .spans import Recorder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a browser."""
    mark(items, Path(__file__).parent, "browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one file; they are left out where it or Playwright is not installed."""
    with browsing() as started:
        yield started


@pytest.fixture
def recorder() -> Recorder:
    """Where the spans of a test go; without an SDK it is left out."""
    pytest.importorskip("opentelemetry.sdk")
    from .spans import Recorder

    return Recorder()


@pytest.fixture
def traced(make_pool: Callable[..., AgentPool], recorder: Recorder) -> Callable[..., AgentPool]:
    """Makes pools that are traced."""

    def make(*args: Any, content: bool = False, **options: Any) -> AgentPool:
        return make_pool(*args, tracing=recorder.tracing(with_content=content), **options)

    return make
