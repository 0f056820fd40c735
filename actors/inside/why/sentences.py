"""Says in words why a run took so long."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from ...core.figures import counted
from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, QUEUED, RUNNING, AgentState
from ...core.shown import shown
from ..picture import PathPiece
from .chain import Chain, parts_in_words, parts_of
from .wording import LONGEST_NAME, awaited, name_of, seconds_in_words, share_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..picture import Picture, TimelineSummary

MOST: Final = 4
MUCH: Final = 0.05
"""A share of the time from which on something is worth a sentence."""
CROWDED: Final = 0.5
"""A share of the time in which all slots were used from which on that is worth a sentence."""


class Sentence(NamedTuple):
    """One sentence, and the place of the run that it speaks of; None: of all of it."""

    weight: float
    text: str
    place: PathPiece | None = None


def sentences_of(picture: Picture) -> list[Sentence]:
    """What matters most first; at most four."""
    if not picture.agents and not picture.folded:
        return [Sentence(1, "No agent was started.")]
    found = [*_slots(picture), *_chain(picture), *_work(picture), *_last(picture), *_failures(picture)]
    found.sort(key=lambda each: -each.weight)
    return found[:MOST]


def _chain(picture: Picture) -> Iterator[Sentence]:
    told = Chain(picture).sentence()
    if told is not None:
        yield Sentence(*told)


def _slots(picture: Picture) -> Iterator[Sentence]:
    summary = picture.summary
    if summary.full is None or not picture.slots:
        return
    slots = max(slots for _, slots in picture.slots)
    waits = [span.end - span.begin for agent in picture.agents for span in agent.spans if span.state is QUEUED]
    waited = summary.seconds.get(QUEUED, 0.0)
    whole = sum(summary.seconds.values())
    all_of_them = "The only slot was" if slots == 1 else f"All {slots:,} slots were"
    if summary.full >= CROWDED and waited > 0 and waits:
        typical = seconds_in_words(median(waits)) + ("" if len(waits) == 1 else " (median)")
        yield Sentence(
            summary.full * (0.5 + 1.5 * waited / whole),
            f"{all_of_them} in use for {share_in_words(summary.full)} of the run, and "
            f"{counted(len(waits), 'agent')} waited {typical} for one: {_advice(summary)}.",
        )
    elif slots > 1 and summary.mean_used < slots / 2 and len(picture.agents) > 1 and waited <= MUCH * whole:
        yield Sentence(
            0.3 * (1 - summary.mean_used / slots),
            f"On average {summary.mean_used:.1f} of {slots:,} slots were in use: more slots would not have helped.",
        )


def _advice(summary: TimelineSummary) -> str:
    """What more slots would have done."""
    seconds = summary.seconds
    if summary.rate_limited > MUCH * sum(seconds.values()):
        return "but calls waited for the rate limit, too"
    held = sum(each for state, each in seconds.items() if state not in (QUEUED, PARKED))
    if seconds.get(RUNNING, 0.0) > CROWDED * held:
        return "more slots would have helped if the agents' own code, which held them, waits rather than computes"
    return "more slots would have helped"


def _work(picture: Picture) -> Iterator[Sentence]:
    summary = picture.summary
    spent = {state: each for state, each in summary.seconds.items() if state is not QUEUED}
    whole = sum(spent.values())
    if whole <= 0:
        return
    state, most = max(((state, each) for state, each in spent.items()), key=lambda each: each[1])
    worked, is_rest = 1.0, state is PARKED
    if is_rest:  # as a rule for others that worked meanwhile: then what those did says more
        worked = _worked_on_the_way(summary.path)
        yield Sentence(max(0.25, 0.8 * (1 - worked)) * most / whole, _parked(summary, most / whole))
        whole -= most
        state, most = max(((each, spent[each]) for each in spent if each is not PARKED), key=lambda each: each[1])
    if whole > 0 and most / whole >= MUCH and worked >= MUCH:
        yield Sentence(0.8 * most / whole * worked, _worked(summary, state, most / whole, is_rest=is_rest))
    limited = summary.rate_limited
    if limited > MUCH * whole:
        told = f"Calls waited {seconds_in_words(limited)} in all for the rate limit of their model."
        yield Sentence(0.9 * limited / whole + 0.2, told)


def _worked_on_the_way(path: Sequence[PathPiece]) -> float:
    """For which share of the longest chain somebody was at work; else all waited for a person, a message, a time."""
    whole = sum(piece.end - piece.begin for piece in path)
    parked = sum(piece.end - piece.begin for piece in path if piece.state is PARKED)
    return 1 - parked / whole if whole > 0 else 1.0


def _parked(summary: TimelineSummary, share: float) -> str:
    on = f", mostly for {awaited(summary.parked_on[0][0])}" if summary.parked_on else ""
    return f"{share_in_words(share)} of the agents' time they were parked{on}."


def _worked(summary: TimelineSummary, state: AgentState, share: float, *, is_rest: bool) -> str:
    whose = "Of the agents' time that they were not parked" if is_rest else "Of the agents' time"
    if state is IN_DRIVER or state is IN_TOOL:
        of_kind = [each for each in summary.labels if each[0] is state]
        what = "the model worked" if state is IN_DRIVER else "tools worked"
        if of_kind:
            _, label, count, seconds = of_kind[0]
            name = shown(label, LONGEST_NAME) if label else "it"
            word = "completion" if state is IN_DRIVER else "call"
            times = f"1 {word}" if count == 1 else f"{count:,} {word}s, {seconds_in_words(seconds / count)} each"
            return f"{whose}, {share_in_words(share)} went by while {what}: most of it {name} ({times})."
        return f"{whose}, {share_in_words(share)} went by while {what}."
    what = {
        RUNNING: "in the agents' own code",
        AgentState.IN_BACKOFF: "in backoffs after failed attempts",
        AgentState.RESTARTING: "before restarts",
    }[state]
    if state is AgentState.IN_BACKOFF and summary.rate_limited > summary.seconds[state] / 2:
        what = "waiting for the rate limit"
    return f"{whose}, {share_in_words(share)} went by {what}."


def _last(picture: Picture) -> Iterator[Sentence]:
    """One that ended long after all others."""
    roots = [agent for agent in picture.agents if agent.depth == 0]
    if len(roots) < 2 or picture.seconds <= 0:
        return
    *_, second, last = sorted(roots, key=lambda agent: agent.end)
    lag = last.end - second.end
    if lag < MUCH * picture.seconds:
        return
    failed = sum(span.error is not None for span in last.spans if span.state is IN_DRIVER)
    reasons = [f"{counted(failed, 'attempt')} failed"] if failed else []
    if last.restarts:
        reasons.append("it was restarted once" if last.restarts == 1 else f"it was restarted {last.restarts:,} times")
    parts = parts_of(picture.summary.path, since=second.end)
    if told := parts_in_words(parts, 2, least=MUCH * lag):
        reasons.append(told)
    verb = "went on longest" if last.is_open else "ended last"
    name = name_of(last)
    text = f"{name[0].upper()}{name[1:]} {verb}, {seconds_in_words(lag)} after all others"
    place = PathPiece(last.id, None, second.end, last.end)
    weight = 0.25 + lag / picture.seconds
    yield Sentence(weight, f"{text}: {', '.join(reasons)}." if reasons else f"{text}.", place)


def _failures(picture: Picture) -> Iterator[Sentence]:
    ends: Counter[str] = Counter(agent.status for agent in picture.agents if agent.status is not None)
    if picture.rest is not None:
        ends.update(picture.rest.ends)
    count = sum(ends.values())
    bad = {status: number for status, number in ends.items() if status != "completed"}
    still = sum(agent.is_open for agent in picture.agents)
    if still:
        yield Sentence(0.5, "1 agent has not ended." if still == 1 else f"{still:,} agents have not ended.")
    failed = sum(bad.values())
    if not failed:
        return
    how = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in sorted(bad.items()))
    first = next((agent for agent in picture.agents if agent.status in bad and agent.error), None)
    why, place = "", None
    if first is not None:
        why = f"; first {name_of(first)}: {shown(first.error or '', 120)}"
        place = PathPiece(first.id, None, first.begin, first.end)
    text = f"{failed:,} of {count:,} agents did not complete ({how}){why}."
    yield Sentence(0.45 + 0.5 * failed / count, text, place)
