"""The library's log. It is silent until somebody turns it on."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import _logger, logger

from ..shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

ResultT = TypeVar("ResultT")

NAMESPACE = "actors"

_extra: Any = getattr(_logger, "context", None)
IS_QUICK = isinstance(_extra, ContextVar)
"""Can a line be labelled without a lock?"""
_shown = lru_cache(256)(shown)  # most agents have the name of others


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


def labelled(agent_id: int, agent: str, fn: Callable[..., ResultT], *args: Any) -> ResultT:
    """Call *fn* in a context of its own, in which every line of the log has the id and the name of its agent.

    ``logger.contextualize`` takes the one lock of all loggers twice, which is much for an agent that logs nothing. A
    context that ends with *fn* needs no reset, so the variable behind it is set; where it is not what it was, the long
    way is taken.
    """
    if not isinstance(_extra, ContextVar):
        with logger.contextualize(agent_id=agent_id, agent=shown(agent)):
            return fn(*args)
    label(agent_id, agent)
    return fn(*args)


def label(agent_id: int, agent: str) -> None:
    """From now on every line of the log in this context has the id and the name of its agent. Only where ``IS_QUICK``;
    :func:`labelled` does it anywhere.
    """
    _extra.set({**_extra.get(), "agent_id": agent_id, "agent": _shown(agent)})
