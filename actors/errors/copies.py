"""Raising the same failure again."""

from __future__ import annotations

import copy
from typing import TypeVar, cast

from .base import AgentError
from .outcomes import AgentCrashed
from .portable import Portable, rebuild

ErrorT = TypeVar("ErrorT", bound=BaseException)


def fresh_copy(error: ErrorT, *, alone: bool = False) -> ErrorT:
    """Make a new error like *error*, to be raised once.

    One exception object raised in several threads has its traceback rewritten by each of them, and keeps
    their frames alive. A crash is caused by a new exception like the one that the agent raised.

    Args:
        alone: A crash has this class alone, and not also that of what the agent raised.
    Returns:
        A copy with the same class, args and fields; *error* itself when its class cannot be copied.
    """
    try:
        if isinstance(error, AgentCrashed) and error._origin is not None:  # noqa: SLF001
            return cast("ErrorT", error._origin.raised(error, alone=alone))  # noqa: SLF001
        if isinstance(error, Portable):
            # Not through __reduce__: that would format a crash's traceback.
            fresh = rebuild(type(error), error.args, dict(error.__dict__))
        else:
            fresh = copy.copy(error)
    except Exception:  # noqa: BLE001 - a user's exception class may do anything when it is copied
        return error
    if type(fresh) is not type(error):
        return error
    notes = fresh.__dict__.get("__notes__")
    if notes is not None:  # not shared: a note on the one is not for the other
        fresh.__dict__["__notes__"] = list(notes)
    if isinstance(error, AgentError):
        fresh.__traceback__ = error.__traceback__  # where it was raised first; what is added now is not shared
    fresh.__cause__ = error.__cause__
    fresh.__suppress_context__ = error.__suppress_context__
    return fresh
