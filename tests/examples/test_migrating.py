"""The programs of other libraries in ``docs/migrating``, which are shown there and not run by ``tests/docs``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from ..docs.pages import DOCS, blocks_of

PAGES = {"crewai.md": "crewai", "pydantic-ai.md": "pydantic_ai"}
NEEDS_A_KEY = ("crewai.md",)


@pytest.mark.process
@pytest.mark.parametrize("page", PAGES)
def test_the_program_before_is_one(page: str, tmp_path: Path) -> None:
    """It is Python; where its library is installed, and no key is needed, it prints what the one after it prints."""
    blocks = blocks_of(DOCS / "migrating" / page)
    (before,) = (block.text for block in blocks if block.language == "console")
    (after,) = (block for block in blocks if block.language == "python")
    assert PAGES[page] in before
    compile(before, page, "exec")
    if page not in NEEDS_A_KEY and importlib.util.find_spec(PAGES[page]) is not None:
        command = [sys.executable, "-c", before]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path)
        assert done.stdout == after.output
