"""Which message that was sent is which one that was read."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from ..picture import TimelineMessage
from . import notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...core.records.message import AgentId
    from .notes import Note

    Pair = tuple[AgentId, AgentId]


def messages_of(
    told: Iterable[tuple[AgentId, Iterable[Note]]],
    origin: float,
    *,
    sent_before: Mapping[Pair, int],
    read_before: Mapping[Pair, int],
) -> list[TimelineMessage]:
    """The messages between agents, in the order in which they were sent.

    First in, first out: of two agents the n-th that was sent is the n-th that is read. One of which only the reading
    was told is left out.

    Args:
        told: The notes of each agent.
        origin: The moment at which the timeline begins.
        sent_before, read_before: How many that are not told any more, by sender and receiver.
    """
    sent: defaultdict[Pair, list[float]] = defaultdict(list)
    read: defaultdict[Pair, list[float]] = defaultdict(list)
    for agent_id, of_agent in told:
        for note in of_agent:
            if note[0] == notes.SENT:
                sent[agent_id, note[2]].append(note[1])
            elif note[0] == notes.READ and note[2]:
                read[note[2], agent_id].append(note[1])
    sent_counts, read_counts = Counter(sent_before), Counter(read_before)
    found = []
    for pair, moments in sent.items():
        reads, shift = read.get(pair, []), sent_counts[pair] - read_counts[pair]
        for place, moment in enumerate(moments, shift):
            is_read = 0 <= place < len(reads)
            taken = max(moment, reads[place]) - origin if is_read else None
            found.append(TimelineMessage(*pair, moment - origin, taken))
    found.sort(key=lambda message: message.sent)
    return found
