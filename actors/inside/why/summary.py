"""Where the time went: the sums of a picture, and what they mean in words."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, AgentState
from ..lives.life import RATE_LIMIT
from ..picture import Load, TimelineSummary
from .critical import CriticalPath
from .sentences import sentences_of
from .wording import awaited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..picture import Picture, TimelineSpan

MOST_LONGEST: Final = 10
MOST_LABELS: Final = 8
FULL: Final = 0.97
"""From this share on a mean counts as all slots."""


def with_summary(picture: Picture) -> Picture:
    """The same picture, and where the time went."""
    seconds, rate_limited = _seconds(picture)
    mean, full = _use(picture)
    summary = TimelineSummary(
        seconds=seconds,
        rate_limited=rate_limited,
        parked_on=_parked_on(picture),
        labels=_labels(picture),
        longest=tuple(
            agent.id
            for agent in sorted(picture.agents, key=lambda agent: agent.begin - agent.end)[:MOST_LONGEST]
            if agent.end > agent.begin
        ),
        mean_used=mean,
        full=full,
        path=CriticalPath(picture).walk(),
    )
    drawn = replace(picture, summary=summary)
    found = sentences_of(drawn)
    sentences, places = tuple(each.text for each in found), tuple(each.place for each in found)
    return replace(drawn, summary=replace(summary, sentences=sentences, places=places))


def _seconds(picture: Picture) -> tuple[dict[AgentState, float], float]:
    seconds = dict.fromkeys(AgentState, 0.0)
    limited = 0.0
    if picture.rest is not None:
        for state, each in picture.rest.seconds.items():
            seconds[state] += each
    for agent in picture.agents:
        for span in agent.spans:
            if span.lane is None:
                seconds[span.state] += span.end - span.begin
                if span.label == RATE_LIMIT and span.state is AgentState.IN_BACKOFF:
                    limited += span.end - span.begin
    return seconds, limited


def _parked_on(picture: Picture) -> tuple[tuple[str, float], ...]:
    found: defaultdict[str, float] = defaultdict(float)
    for agent in picture.agents:
        for span in agent.spans:
            if span.state is PARKED:
                found[awaited(span.label)] += span.end - span.begin
    return tuple(sorted(found.items(), key=lambda each: -each[1])[:MOST_LABELS])


def _labels(picture: Picture) -> tuple[tuple[AgentState, str, int, float], ...]:
    """Of models and tools: how often each was asked, and for how long in all."""
    found: dict[tuple[AgentState, str], list[float]] = {}
    for agent in picture.agents:
        parks = [span for span in agent.spans if span.state is PARKED]
        for span in agent.spans:
            if span.state is IN_DRIVER or (span.state is IN_TOOL and span.lane is not None):
                place = found.setdefault((span.state, span.label), [0, 0.0])
                place[0] += 1
                place[1] += span.end - span.begin
                if span.state is IN_TOOL and parks:
                    place[1] -= _shared(span, parks)
    told = [(state, label, int(count), seconds) for (state, label), (count, seconds) in found.items()]
    told.sort(key=lambda each: -each[3])
    models = [each for each in told if each[0] is IN_DRIVER][:MOST_LABELS]
    return (*models, *[each for each in told if each[0] is IN_TOOL][:MOST_LABELS])


def _shared(span: TimelineSpan, parks: Sequence[TimelineSpan]) -> float:
    """For how long of *span* its agent was parked, in order: a tool that waits does not work."""
    first = bisect_right(parks, span.begin, key=lambda park: park.end)
    last = bisect_left(parks, span.end, key=lambda park: park.begin)
    return sum(min(park.end, span.end) - max(park.begin, span.begin) for park in parks[first:last])


def _use(picture: Picture) -> tuple[float, float | None]:
    """How many slots were used on average, and for which share of the time all of them were."""
    whole = picture.seconds
    if whole <= 0 or not picture.load:
        return 0.0, None
    slots = list(picture.slots)
    used = full = 0.0
    limit = slots[0][1] if slots else None
    place = 0
    for load, after in pairwise([*picture.load, Load(whole, 0, 0)]):
        while place < len(slots) and slots[place][0] <= load.at:
            limit = slots[place][1]
            place += 1
        seconds = max(0.0, after.at - load.at)
        used += load.used * seconds
        if limit is not None and load.used >= limit * (1 if float(load.used).is_integer() else FULL):
            full += seconds
    return used / whole, None if limit is None else min(1.0, full / whole)
