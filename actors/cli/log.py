"""The library's log, turned on for those who ask."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from loguru import logger

from ..core.process.log import log

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def log_lines(verbose: int) -> Iterator[None]:
    """Write the log to standard error meanwhile: from -v on what is important, from -vv on everything."""
    if not verbose:
        yield
        return
    sink = log("INFO" if verbose == 1 else "DEBUG")
    try:
        yield
    finally:
        logger.remove(sink)
