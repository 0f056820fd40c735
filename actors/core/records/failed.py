"""Which ends are failures."""

from __future__ import annotations

from typing import Any

from ...errors import AgentCancelled

_NO_FAILURES = ("completed", "cancelled")


def has_failed(outcome: Any) -> bool:
    """Did the agent of this outcome fail, crash, run out of time, or go with its node? A cancel is no failure."""
    if outcome.status == "abandoned":
        return not isinstance(getattr(outcome.error, "cause", None), AgentCancelled)
    return outcome.status not in _NO_FAILURES
