"""What an agent is at, and what it may come to be at next."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ...public import publish

if TYPE_CHECKING:
    from collections.abc import Mapping


class AgentState(StrEnum):
    """What an agent is at, more finely than its status."""

    QUEUED = "queued"
    RUNNING = "running"
    PARKED = "parked"
    IN_DRIVER = "in_driver"
    IN_TOOL = "in_tool"
    IN_BACKOFF = "in_backoff"
    RESTARTING = "restarting"


# By names of the module: before 3.12 a member of an enum is looked up slowly.
QUEUED: Final = AgentState.QUEUED
RUNNING: Final = AgentState.RUNNING
PARKED: Final = AgentState.PARKED
IN_DRIVER: Final = AgentState.IN_DRIVER
IN_TOOL: Final = AgentState.IN_TOOL
RESTARTING: Final = AgentState.RESTARTING

NEXT: Final[Mapping[AgentState, frozenset[AgentState]]] = {
    QUEUED: frozenset({RUNNING}),
    RUNNING: frozenset({AgentState.IN_DRIVER, IN_TOOL, AgentState.IN_BACKOFF, RESTARTING, PARKED, QUEUED}),
    AgentState.IN_DRIVER: frozenset({RUNNING, PARKED}),
    IN_TOOL: frozenset({RUNNING, PARKED}),
    AgentState.IN_BACKOFF: frozenset({RUNNING, PARKED}),
    RESTARTING: frozenset({RUNNING}),
    PARKED: frozenset({PARKED, RUNNING, AgentState.IN_DRIVER, IN_TOOL, AgentState.IN_BACKOFF}),
}
"""What may follow. From any of them an agent may end: then its outcome says how.

One that is parked, or waits to be started again, goes back to what it was at. All tools of an agent may wait: then it
is parked, on what the first of them waits for, and on another one's when that one goes. One whose host went, and that
is to be run again, is queued again.
"""

publish("actors.monitoring", AgentState)
