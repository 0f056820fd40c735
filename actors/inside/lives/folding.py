"""What a timeline keeps of agents that it does not tell one by one any more: sums."""

from __future__ import annotations

from collections import Counter
from copy import copy
from typing import TYPE_CHECKING

from ..picture import FoldedAgents
from . import notes
from .occupancy import Occupancy
from .stretch import Used

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...core.records.message import AgentId
    from ...core.records.state import AgentState
    from .life import Life
    from .notes import Note
    from .stretch import Stretch


class Folding:
    """The sums of what was folded.

    Of each pair of agents it counts the messages that were sent and read, so that the others still find each other.

    Args:
        origin: The moment at which the timeline begins.

    Threads: one at a time.
    """

    def __init__(self, origin: float) -> None:
        self.count = 0
        self.occupancy = Occupancy(origin)
        self.sent: Counter[tuple[AgentId, AgentId]] = Counter()
        self.read: Counter[tuple[AgentId, AgentId]] = Counter()
        self._begin: float | None = None
        self._end = origin
        self._ends: Counter[str] = Counter()
        self._seconds: dict[AgentState, float] = {}
        self._used = Used()

    def copy(self) -> Folding:
        """One that goes on by itself."""
        other = copy(self)
        other.occupancy, other._used = self.occupancy.copy(), copy(self._used)  # noqa: SLF001 - its own
        other.sent, other.read = self.sent.copy(), self.read.copy()
        other._ends, other._seconds = self._ends.copy(), self._seconds.copy()  # noqa: SLF001
        return other

    def fold(self, agent_id: AgentId, life: Life, told: Iterable[Note]) -> None:
        """An agent has ended, and is not told any more; *told* are the notes of it that were not folded yet."""
        self.count += 1
        self._begin = life.begin if self._begin is None else min(life.begin, self._begin)
        self._end = max(life.end, self._end)
        self._ends[life.status or ""] += 1
        self._used.add(life.used)
        self.add(agent_id, life.stretches, life.held, told)

    def add(
        self, agent_id: AgentId, stretches: Iterable[Stretch], held: Iterable[tuple[float, float]], told: Iterable[Note]
    ) -> None:
        """These stretches of an agent are not told any more."""
        seconds = self._seconds
        queued = []
        for each in stretches:
            if each.lane is None:
                seconds[each.state] = seconds.get(each.state, 0.0) + each.end - each.begin
                if each.state == notes.QUEUED:
                    queued.append((each.begin, each.end))
        self.occupancy.add(held, queued)
        for note in told:
            if note[0] == notes.SENT:
                self.sent[agent_id, note[2]] += 1
            elif note[0] == notes.READ and note[2]:
                self.read[note[2], agent_id] += 1

    def forget_pairs(self, agent_id: AgentId, others: Iterable[AgentId]) -> None:
        """Neither of them is told any more: their messages need not be counted."""
        for other in others:
            for counts in (self.sent, self.read):
                counts.pop((agent_id, other), None)
                counts.pop((other, agent_id), None)

    def sums(self, origin: float) -> FoldedAgents:
        """What is known of all of them; seconds since *origin*."""
        return FoldedAgents(
            count=self.count,
            begin=0.0 if self._begin is None else self._begin - origin,
            end=self._end - origin,
            ends=dict(self._ends),
            seconds=dict(self._seconds),
            input_tokens=self._used.input_tokens,
            output_tokens=self._used.output_tokens,
            cost_usd=self._used.cost_usd,
        )
