"""The watchdog: notices agents that make no progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from .agent_cell import AgentCell

LOOKS = 4
"""How often per period everybody is looked at: a stall is noticed within a quarter of the period."""


LEAST_PERIOD = 0.01
"""Seconds between two looks, at least."""


class _Mark(NamedTuple):
    """How far an agent had come when it was seen to move last; ``told`` says that its stall was reported."""

    steps: int
    at: float
    told: bool


class Stalls:
    """Looks at all agents from time to time.

    Progress is whatever counts ``steps``: a checkpoint, a message sent or received, an event, a park, a driver or tool
    call that begins or ends. Who waits for another agent is not reported: the one it waits for is.

    Locks: none of its own. Every method is called under the pool's turn, which also guards ``armed``.

    Args:
        after: Seconds.
    """

    def __init__(self, after: float) -> None:
        self.period = max(after / LOOKS, LEAST_PERIOD)
        self.armed = False
        self._after = after
        self._marks: dict[AgentCell, _Mark] = {}

    def look(self, live: Collection[AgentCell], now: float, dropped: list[object]) -> list[tuple[AgentCell, float]]:
        """Who has stalled since the last look, and for how many seconds. Each standstill is told once.

        Args:
            dropped: Gets what is kept no longer, to be let go of after the turn: the last of an agent may be among it.
        """
        stalled: list[tuple[AgentCell, float]] = []
        marks: dict[AgentCell, _Mark] = {}
        for cell in live:
            mark = self._marks.get(cell)
            if mark is None or mark.steps != cell.steps or _waits_for_another(cell):
                mark = _Mark(cell.steps, now, told=False)
            elif not mark.told and now - mark.at >= self._after:
                stalled.append((cell, now - mark.at))
                mark = _Mark(mark.steps, mark.at, told=True)
            marks[cell] = mark
        dropped.append(self._marks)
        self._marks = marks  # nothing is kept of those who ended
        return stalled


def _waits_for_another(cell: AgentCell) -> bool:
    """Does it wait for an agent that is looked at itself?"""
    return any(getattr(target, "host", None) is cell.host for target in cell.targets())
