"""What an agent is at, for whoever asks why nothing moves."""

from __future__ import annotations

from enum import StrEnum


class AgentState(StrEnum):
    """What an agent is at, more finely than its status."""

    QUEUED = "queued"
    RUNNING = "running"
    PARKED = "parked"
    IN_DRIVER = "in_driver"
    IN_TOOL = "in_tool"
    IN_BACKOFF = "in_backoff"
    RESTARTING = "restarting"
