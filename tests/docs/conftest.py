"""What the tests of pages and of docstrings share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .running import PageRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[PageRun]:
    """In a folder of its own."""
    monkeypatch.chdir(tmp_path)
    run = PageRun(tmp_path, lambda: tuple(capfd.readouterr()))
    yield run
    run.close()
