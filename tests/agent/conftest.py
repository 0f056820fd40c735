"""What the tests of agents share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def agent_log() -> Iterator[list[str]]:
    """The lines that the library logs during the test, with their tracebacks."""
    lines: list[str] = []
    logger.enable("actors")
    sink = logger.add(lines.append, level="DEBUG", format="{level}|{extra}|{message}")
    try:
        yield lines
    finally:
        logger.remove(sink)
        logger.disable("actors")
