"""The library's log. It is silent until somebody turns it on."""

from __future__ import annotations

import sys

from loguru import logger

NAMESPACE = "actors"


def log(level: str = "INFO") -> int:
    """Turn our log on: lines of at least *level* go to stderr.

    loguru's own default sink, which would print them a second time, is removed; sinks of yours stay.

    Returns:
        The new sink's id, for ``loguru.logger.remove``.
    """
    try:
        logger.remove(0)
    except ValueError:  # it was removed before
        pass
    logger.enable(NAMESPACE)
    # Without the values of variables: they may be secrets, and their repr anything.
    return logger.add(sys.stderr, level=level, diagnose=False)
