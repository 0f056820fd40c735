"""How sentences call what agents were at, for how long, and who they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, QUEUED, RUNNING, AgentState
from ...core.shown import shown
from ..lives.life import RATE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..picture import TimelineAgent

LONGEST_NAME: Final = 60
IN_BACKOFF: Final = AgentState.IN_BACKOFF
RESTARTING: Final = AgentState.RESTARTING
APPROVAL: Final = re.compile(r"approval of (.*) \([^()]*\)", re.DOTALL)
OF_AN_AGENT: Final = re.compile(r"the (outcome|events) of agent \d+\b.*", re.DOTALL)
SEVERAL_TOOLS: Final = re.compile(r", | x\d+$")
CALLED: Final[Mapping[AgentState, tuple[str, str]]] = {
    IN_DRIVER: ("answer for", "answers for"),
    IN_TOOL: ("call of", "calls of"),
    RUNNING: ("stretch of", "stretches of"),
}
OTHERWISE: Final = ("wait of", "waits of")
ELSE: Final[Mapping[AgentState | None, str]] = {
    QUEUED: "in the queue",
    RUNNING: "in agents' own code",
    RESTARTING: "before restarts",
    None: "in the program, before it started the next agent",
}


def seconds_in_words(seconds: float) -> str:
    """``3.1 s``, ``2 min 5 s``, ``1 h 4 min``, ``12 ms``."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    if seconds >= 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    if seconds >= 9.95:
        return f"{seconds:.0f} s"
    if seconds >= 0.0995:
        return f"{seconds:.1f} s"
    if seconds >= 0.00095:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds * 1e6:.0f} us"


def share_in_words(part: float) -> str:
    """``42 %``, ``3.1 %``."""
    return f"{part * 100:.0f} %" if part >= 0.095 else f"{part * 100:.1f} %"


def pieces_in_words(state: AgentState | None, count: int) -> str:
    """``one call of``, ``3 answers for``: stretches in which agents were at that."""
    one, more = OTHERWISE if state is None else CALLED.get(state, OTHERWISE)
    return f"one {one}" if count == 1 else f"{count:,} {more}"


def name_of(agent: TimelineAgent) -> str:
    """``agent 7 (writer)``."""
    return f"agent {agent.id} ({shown(agent.name, LONGEST_NAME)})" if agent.name else f"agent {agent.id}"


def awaited(label: str) -> str:
    """What a parked agent waits for; waits for one thing of several agents, or calls, are called the same."""
    if label == "receive":
        return "a message"
    if label == "children":
        return "its children"
    if (found := APPROVAL.fullmatch(label)) is not None:
        return f"an approval of {shown(found[1], LONGEST_NAME)}"
    if (found := OF_AN_AGENT.fullmatch(label)) is not None:
        return f"the {found[1]} of another agent"
    return shown(label, LONGEST_NAME)


def doing(state: AgentState | None, label: str = "") -> str:
    """``in the tool search``, ``with the model gpt-5-mini``, ``waiting for a message``: goes on "it was ..."."""
    name = shown(label, LONGEST_NAME)
    if state is IN_DRIVER:
        return f"with the model {name}" if name else "with the model"
    if state is IN_TOOL:
        return f"in the {'tools' if SEVERAL_TOOLS.search(label) else 'tool'} {name}" if name else "in tools"
    if state is PARKED:
        return "parked" if label in ("", "parked") else f"waiting for {awaited(label)}"
    if state is IN_BACKOFF:
        return "waiting for the rate limit" if label == RATE_LIMIT else "in backoffs after failed attempts"
    return ELSE.get(state, str(state))
