"""The roots."""

from __future__ import annotations

import traceback
from typing import Any

from .portable import Portable


class ActorsError(Portable, Exception):
    """The root of every error that the library raises."""


class Cancelled(Portable):
    """Raised inside an agent that was cancelled or ran out of time.

    A ``BaseException``, so that ``except Exception`` in an agent, a tool or a driver cannot swallow it. It never
    leaves the pool: outside, the outcome carries :class:`AgentCancelled` or :class:`AgentTimedOut`.
    """

    def __init__(self, reason: str = "", *, timed_out: bool = False) -> None:
        super().__init__(reason or ("timed out" if timed_out else "cancelled"))
        self.reason = reason
        self.timed_out = timed_out
        self.asked = True  # False: the cancel came before the model was asked anything
        self.tokens: tuple[int, int] | None = None  # read and written before it came, where a driver knows
        self.token_parts = (0, 0, 0)  # of these: cached, written into a cache, thoughts


class AgentError(ActorsError):
    """An agent could not do its job: its outcome is ``failed`` and carries this error itself."""

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if self.__traceback__ is not None:  # which neither a pickle nor a copy has: its text goes along
            state["_traceback"] = "".join(traceback.format_exception(self))
        return state
