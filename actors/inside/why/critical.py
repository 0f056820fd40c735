"""The chain of waits that explains why a run took so long: its critical path."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from ...core.records.state import IN_TOOL, PARKED, QUEUED
from ..picture import PathPiece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.message import AgentId
    from ..picture import Picture, TimelineAgent, TimelineSpan

MOST: Final = 2_000
"""Pieces of a path at most: those nearest to the end."""
NAMED: Final = re.compile(r"\bagent (\d+)")
"""An agent that somebody waits for, as a wait names it."""

Moments = list[tuple[float, int]]


class Track:
    """One agent's own track, to look up what it was at."""

    __slots__ = ("_calls", "agent", "begins", "spans")

    def __init__(self, agent: TimelineAgent) -> None:
        self.agent = agent
        self.spans = [span for span in agent.spans if span.lane is None and span.end > span.begin]
        self.begins = [span.begin for span in self.spans]
        calls = (span for span in agent.spans if span.lane is not None and span.end > span.begin)
        self._calls = sorted(calls, key=lambda span: (span.end, -span.begin))

    def before(self, moment: float) -> TimelineSpan | None:
        """What it was at just before *moment*."""
        place = bisect_left(self.begins, moment) - 1
        return self.spans[place] if place >= 0 else None

    def call_before(self, moment: float) -> TimelineSpan | None:
        """The tool call that ended last by then: of several at the same time, the one that was waited for."""
        place = bisect_right(self._calls, moment, key=lambda span: span.end) - 1
        return self._calls[place] if place >= 0 else None


class CriticalPath:
    """Walks back from the end of what ended last: what was that waiting for, and what was that one waiting for?

    Where an agent waited for a child it goes on with the child, at a message with its sender, in the queue with the
    agent whose slot became free, at an agent's beginning with who started it. Else the agent itself was at something.

    Guarantees: the pieces do not overlap, and cover the time from the beginning to that end without a gap, but for
    those that are too many.

    Threads: one at a time.
    """

    def __init__(self, picture: Picture) -> None:
        self._tracks = {agent.id: Track(agent) for agent in picture.agents}
        self._pieces: list[PathPiece] = []
        self._seen: set[tuple[float, AgentId]] = set()
        self._children: defaultdict[AgentId, Moments] = defaultdict(list)
        self._ends: Moments = []
        self._releases: Moments = []
        self._inbox: defaultdict[AgentId, Moments] = defaultdict(list)
        for agent in picture.agents:
            end = (agent.end, agent.id)
            self._releases.append(end)
            if agent.parent_id:
                self._children[agent.parent_id].append(end)
            else:
                self._ends.append(end)
            self._releases += [(span.begin, agent.id) for span in agent.spans if span.state is PARKED and span.begin]
        for message in picture.messages:
            if message.read is not None:
                self._inbox[message.receiver].append((message.sent, message.sender))
        for moments in (self._ends, self._releases, *self._children.values(), *self._inbox.values()):
            moments.sort()

    def walk(self) -> tuple[PathPiece, ...]:
        """The chain, from its beginning to the last end."""
        ends = [(track.agent.end, track.agent.id) for track in self._tracks.values()]
        if not ends:
            return ()
        moment, agent_id = max(ends)
        while moment > 0 and len(self._pieces) < MOST:
            self._seen.add((moment, agent_id))
            moment, agent_id = self._step(self._tracks[agent_id], moment)
        self._pieces.reverse()
        return tuple(self._pieces)

    def _step(self, track: Track, moment: float) -> tuple[float, AgentId]:
        """From when on, and in whom, the walk goes on from *moment* in this one."""
        agent = track.agent
        span = track.before(moment)
        if span is None or moment <= agent.begin:
            return self._birth(agent, moment)
        if moment > span.end:  # it was at nothing that is known
            return self._add(agent.id, None, span.end, moment)
        cause = None
        if span.state is IN_TOOL:
            call = track.call_before(moment)
            if call is not None and call.end > span.begin and call.begin < moment:
                return self._add(agent.id, call, max(call.begin, span.begin), moment)
        if span.state is PARKED:
            cause = self._woken_by(agent, span, moment)
        elif span.state is QUEUED:
            cause = self._last_in(self._releases, span.begin, moment, but=agent.id)
        if cause is None or cause in self._seen:  # they wait for each other
            return self._add(agent.id, span, span.begin, moment)
        at, other = cause
        if at < moment:  # it was over there, and took a while to go on here
            self._add(agent.id, span, at, moment)
        return at, other

    def _birth(self, agent: TimelineAgent, moment: float) -> tuple[float, AgentId]:
        """Who started it was at something until then; the program may have waited for another agent's end."""
        parent = agent.parent_id
        if parent is not None and parent in self._tracks and (moment, parent) not in self._seen:
            return moment, parent
        before = self._last_in(self._ends, 0.0, moment, but=agent.id)
        at, other = before if before is not None and before not in self._seen else (0.0, agent.id)
        if at < moment:
            self._pieces.append(PathPiece(0, None, at, moment, "the program"))
        return at, other

    def _woken_by(self, agent: TimelineAgent, span: TimelineSpan, moment: float) -> tuple[float, AgentId] | None:
        """Whose deed ended the wait."""
        named = NAMED.search(span.label)
        if named is not None:
            track = self._tracks.get(int(named[1]))
            if track is not None and span.begin < track.agent.end <= moment and track.agent.id != agent.id:
                return track.agent.end, track.agent.id
        if span.label == "receive":
            sent = self._last_in(self._inbox[agent.id], span.begin, moment, but=agent.id)
            if sent is not None and sent[1] in self._tracks:
                return sent
        if span.label in ("the next outcome", "children", "parked", "") or named is not None:
            return self._last_in(self._children[agent.id], span.begin, moment, but=agent.id)
        return None

    @staticmethod
    def _last_in(
        moments: Sequence[tuple[float, int]], begin: float, end: float, *, but: AgentId
    ) -> tuple[float, int] | None:
        """The last of *moments* after *begin* up to *end* that is not *but*'s."""
        place = bisect_right(moments, (end, float("inf"))) - 1
        while place >= 0 and moments[place][0] > begin:
            if moments[place][1] != but:
                return moments[place]
            place -= 1
        return None

    def _add(self, agent_id: AgentId, span: TimelineSpan | None, begin: float, end: float) -> tuple[float, AgentId]:
        state, label = (None, "") if span is None else (span.state, span.label)
        self._pieces.append(PathPiece(agent_id, state, begin, end, label))
        return begin, agent_id
