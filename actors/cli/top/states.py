"""What an agent is at, or how it ended, as it is drawn: a letter and a word beside the colour, as on the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...core.records.state import AgentState


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state is drawn.

    Args:
        letter: In a bar, where there is no room for a word.
        word: In a table.
        ink: The style of the word: told from the others on dark and on light grounds.
        fill: The style of the letter in a bar.
        has_slot: Does an agent hold a slot in it?
    """

    letter: str
    word: str
    ink: str
    fill: str
    has_slot: bool = True


MARKS: Final = {
    AgentState.RUNNING: Mark("C", "own code", "green", "bold #ffffff on #26803f"),
    AgentState.IN_DRIVER: Mark("M", "model", "#5f87ff", "bold #ffffff on #3568d4"),
    AgentState.IN_TOOL: Mark("T", "tool", "#d78700", "bold #2f1900 on #f29a3e"),
    AgentState.IN_BACKOFF: Mark("B", "backoff", "bold #d7664b", "bold #6d1f0d on #fbd8cc"),
    AgentState.RESTARTING: Mark("R", "restarting", "bold #af8700", "bold #372b00 on #f3d35c", has_slot=False),
    AgentState.PARKED: Mark("P", "parked", "#8f7fe0", "#4b3990 on #e6dffa", has_slot=False),
    AgentState.QUEUED: Mark("Q", "queued", "dim", "dim", has_slot=False),
}
"""In the order in which a bar shows them: who works comes first."""
UNKNOWN: Final = Mark("?", "?", "", "", has_slot=False)

ENDS: Final = {
    "completed": "green",
    "failed": "red",
    "crashed": "bold red",
    "timed_out": "magenta",
    "abandoned": "bold magenta",
    "lost": "bold yellow",
    "cancelled": "yellow",
}
"""How agents ended -> the style of the word, as in the summary of a run."""


def mark_of(state: str) -> Mark:
    """How *state* is drawn; one that a newer version has is drawn as a question mark."""
    try:
        return MARKS[AgentState(state)]
    except (ValueError, KeyError):
        return UNKNOWN
