"""Says in words what the longest chain of waits was at: most of the time, the reason why a run took so long."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ...core.figures import counted
from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, RUNNING
from ..lives.life import RATE_LIMIT
from ..lives.notes import BY_DEFAULT
from .wording import APPROVAL, IN_BACKOFF, awaited, doing, name_of, pieces_in_words, seconds_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...core.records.message import AgentId
    from ...core.records.state import AgentState
    from ..picture import PathPiece, Picture, TimelineAgent, TimelineSpan

MOST_OF_IT: Final = 0.5
"""From this share of the chain on one thing is the reason."""
MUCH: Final = 0.05
NEARLY_ALL: Final = 0.8
SLOWER: Final = 2.0
"""So many times the others' mean is worth a word."""
CROWD: Final = 1.5
UNFINISHED: Final = {
    "timed_out": "it timed out there",
    "cancelled": "it was cancelled there",
    "abandoned": "it was abandoned there",
    "lost": "its node was lost then",
}
DECIDED: Final = frozenset({"approved", "denied"})
AT_WORK: Final = frozenset({RUNNING, IN_DRIVER, IN_TOOL})


@dataclass(slots=True)
class Part:
    """All pieces of a chain that are alike."""

    state: AgentState | None
    pieces: list[PathPiece] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def longest(self) -> PathPiece:
        """Of its pieces."""
        return max(self.pieces, key=lambda piece: piece.end - piece.begin)

    @property
    def doing(self) -> str:
        """In words; models and tools are named where nearly all is one."""
        if self.state is None:
            return "at nothing that is known" if self.pieces[0].agent_id else doing(None)
        by_label: defaultdict[str, float] = defaultdict(float)
        for piece in self.pieces:
            by_label[piece.label] += piece.end - piece.begin
        label, most = max(by_label.items(), key=lambda each: each[1])
        is_one = most >= NEARLY_ALL * sum(by_label.values())
        return doing(self.state, label if is_one or self.state in (PARKED, IN_BACKOFF) else "")


def parts_of(pieces: Iterable[PathPiece], *, since: float = 0.0) -> list[Part]:
    """What the chain was at after *since*, the longest first."""
    parts: dict[tuple[bool, AgentState | None, str], Part] = {}
    for piece in pieces:
        if piece.end > since:
            part = parts.setdefault((bool(piece.agent_id), piece.state, _kind(piece)), Part(piece.state))
            part.pieces.append(piece)
            part.seconds += piece.end - max(piece.begin, since)
    return sorted(parts.values(), key=lambda part: -part.seconds)


def parts_in_words(parts: Iterable[Part], most: int, *, least: float) -> str:
    """``1.3 s in the tool search and 0.1 s with the model``: at most so many, and none that is shorter."""
    told = [f"{seconds_in_words(part.seconds)} {part.doing}" for part in parts if part.seconds >= least][:most]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 2 else told)


def _kind(piece: PathPiece) -> str:
    if piece.state is PARKED:
        return awaited(piece.label)
    return RATE_LIMIT if piece.state is IN_BACKOFF and piece.label == RATE_LIMIT else ""


class Chain:
    """The chain of waits of a picture."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._agents: Mapping[AgentId, TimelineAgent] = {agent.id: agent for agent in picture.agents}
        self.pieces: Sequence[PathPiece] = picture.summary.path
        self.seconds = sum(piece.end - piece.begin for piece in self.pieces)
        self.parts = parts_of(self.pieces)

    def sentence(self) -> tuple[float, str, PathPiece] | None:
        """Its weight, what the chain was at, and the piece that matters most."""
        if self.seconds <= 0:
            return None
        most = _without_small(self.parts[0], least=MOST_OF_IT * self.seconds)
        share = most.seconds / self.seconds
        if share < MOST_OF_IT:
            longest = max((part.longest for part in self.parts), key=lambda piece: piece.end - piece.begin)
            return 0.55, self._mixed(longest), longest
        return 0.75 + 0.5 * share, self._reason(most), most.longest

    @property
    def _whole(self) -> str:
        """How long it is; one of too many pieces does not reach back to the beginning."""
        return f"{'the last ' * (self.pieces[0].begin > 0)}{seconds_in_words(self.seconds)}"

    def _mixed(self, longest: PathPiece) -> str:
        agents = len({piece.agent_id for piece in self.pieces if piece.agent_id})
        told = parts_in_words(self.parts, 3, least=MUCH * self.seconds)
        piece = Part(longest.state, [longest], longest.end - longest.begin)
        beside = "".join(f"; {each}" for each in self._beside(piece))
        whose = f", {name_of(self._agents[longest.agent_id])}" if longest.agent_id in self._agents else ""
        return (
            f"The longest chain of waits takes {self._whole}, through {counted(agents, 'agent')}: "
            f"{told}; its longest piece: {seconds_in_words(piece.seconds)} {piece.doing}{whose}{beside}."
        )

    def _reason(self, part: Part) -> str:
        agents = list(dict.fromkeys(piece.agent_id for piece in part.pieces))
        agent = self._agents.get(agents[0])
        count = pieces_in_words(part.state, len(part.pieces))
        told = f"{seconds_in_words(part.seconds)} of {self._whole}"
        sentence = f"Most of the time, {told}, went by {part.doing}"
        if len(agents) > 1:
            sentence += f": {count} {counted(len(agents), 'agent')}, one after the other"
        elif agent is not None:
            sentence += f": {count} {name_of(agent)}"
        more = [*self._beside(part), *self._outcome(part, agent), *self._at_once(part)]
        return "; ".join([sentence, *more]) + "."

    def _beside(self, part: Part) -> Iterable[str]:
        """How long it took elsewhere."""
        if part.state not in (IN_DRIVER, IN_TOOL) or len(part.pieces) != 1:
            return
        seconds, label = part.seconds, part.pieces[0].label
        for state, name, count, whole in self._picture.summary.labels:
            if state is part.state and name == label and count > 1:
                others = max(0.0, whole - seconds) / (count - 1)
                if seconds > SLOWER * others:
                    told = "the other one took" if count == 2 else f"the {count - 1:,} others took"
                    each = "" if count == 2 else " each (mean)"
                    yield f"{told} {seconds_in_words(others)}{each}"

    def _outcome(self, part: Part, agent: TimelineAgent | None) -> Iterable[str]:
        """What became of a single wait."""
        piece = part.longest
        if agent is None or len(part.pieces) > 1:
            return
        if part.state is PARKED and APPROVAL.fullmatch(piece.label):
            near = (mark for mark in agent.marks if abs(mark.at - piece.end) < MUCH * self.seconds)
            if any(mark.kind in DECIDED and mark.text.endswith(BY_DEFAULT) for mark in near):
                yield "nobody answered in time"
        elif part.state is PARKED and piece.label == "receive" and not self._was_told(piece):
            yield "no agent of this run sent it one until then"
        elif agent.status in UNFINISHED and agent.end - piece.end < MUCH * self.seconds:
            yield UNFINISHED[agent.status]
        if part.state is PARKED and self._working(piece.begin, piece.end) < MUCH * part.seconds:
            yield "meanwhile no agent was at work"

    def _was_told(self, piece: PathPiece) -> bool:
        """Did an agent send something that ended that wait? Of those that are folded one does not know."""
        if self._picture.folded:
            return True
        sent = (each.sent for each in self._picture.messages if each.receiver == piece.agent_id)
        return any(piece.begin <= moment <= piece.end for moment in sent)

    def _at_once(self, part: Part) -> Iterable[str]:
        """Own code of several agents at the same time may be slow for that alone."""
        if part.state is not RUNNING:
            return
        spans = [span for span in self._own() if span.state is RUNNING]
        covered = _covered((span.begin, span.end) for span in spans)
        mean = sum(span.end - span.begin for span in spans) / covered if covered else 0.0
        if mean >= CROWD:
            yield f"{mean:.1f} agents at a time were there: of code that computes, Python runs one at a time"

    def _working(self, begin: float, end: float) -> float:
        """For how long of that time any agent was at something but a wait."""
        at_work = (span for span in self._own() if span.state in AT_WORK and span.end > begin and span.begin < end)
        return _covered((max(span.begin, begin), min(span.end, end)) for span in at_work)

    def _own(self) -> Iterable[TimelineSpan]:
        return (span for agent in self._picture.agents for span in agent.spans if span.lane is None)


def _without_small(part: Part, *, least: float) -> Part:
    """Its longest piece alone, where that is nearly all of it."""
    longest = part.longest
    seconds = longest.end - longest.begin
    return Part(part.state, [longest], seconds) if seconds >= least else part


def _covered(intervals: Iterable[tuple[float, float]]) -> float:
    """For how long there is at least one of them."""
    covered, until = 0.0, float("-inf")
    for begin, end in sorted(intervals):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered
