"""Says in words why a run took so long."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, Final

from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, QUEUED, RUNNING, AgentState
from ...core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..picture import PathPiece, Picture, TimelineAgent, TimelineSummary

MOST: Final = 4
MUCH: Final = 0.05
"""A share of the time from which on something is worth a sentence."""
CROWDED: Final = 0.5
"""A share of the time in which all slots were used from which on that is worth a sentence."""
LONGEST_NAME: Final = 60
AT: Final[Mapping[AgentState | None, str]] = {
    QUEUED: "in the queue",
    RUNNING: "own code",
    IN_DRIVER: "the model",
    IN_TOOL: "tools",
    PARKED: "parked",
    AgentState.IN_BACKOFF: "backoff",
    AgentState.RESTARTING: "before a restart",
    None: "the program",
}


def sentences_of(picture: Picture) -> list[str]:
    """What matters most first; at most four."""
    if not picture.agents and not picture.folded:
        return ["No agent was started."]
    found = [*_slots(picture), *_path(picture), *_work(picture), *_last(picture), *_failures(picture)]
    found.sort(key=lambda each: -each[0])
    return [sentence for _, sentence in found[:MOST]]


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


def name_of(agent: TimelineAgent) -> str:
    """``agent 7 (writer)``."""
    return f"agent {agent.id} ({shown(agent.name, LONGEST_NAME)})" if agent.name else f"agent {agent.id}"


def _share(part: float) -> str:
    return f"{part * 100:.0f} %" if part >= 0.095 else f"{part * 100:.1f} %"


def _slots(picture: Picture) -> Iterator[tuple[float, str]]:
    summary = picture.summary
    if summary.full is None or not picture.slots:
        return
    counts = sorted({slots for _, slots in picture.slots})
    slots = counts[-1]
    waits = [span.end - span.begin for agent in picture.agents for span in agent.spans if span.state is QUEUED]
    waited = summary.seconds.get(QUEUED, 0.0)
    all_of_them = "The only slot was" if slots == 1 else f"All {slots:,} slots were"
    if summary.full >= CROWDED and waited > 0 and waits:
        limited = summary.rate_limited > MUCH * sum(summary.seconds.values())
        advice = "but calls waited for the rate limit, too" if limited else "more slots would have helped"
        how_many = "1 agent" if len(waits) == 1 else f"{len(waits):,} agents"
        typical = seconds_in_words(median(waits)) + ("" if len(waits) == 1 else " (median)")
        weight = waited / (waited + sum(each for state, each in summary.seconds.items() if state is not QUEUED))
        yield (
            summary.full * (0.5 + weight),
            f"{all_of_them} in use for {_share(summary.full)} of the run, and {how_many} waited {typical} for one: "
            f"{advice}.",
        )
    elif slots > 1 and summary.mean_used < slots / 2 and len(picture.agents) > 1:
        yield (
            0.3 * (1 - summary.mean_used / slots),
            f"On average {summary.mean_used:.1f} of {slots:,} slots were in use: more slots would not have helped.",
        )


def _work(picture: Picture) -> Iterator[tuple[float, str]]:
    summary = picture.summary
    spent = {state: each for state, each in summary.seconds.items() if state is not QUEUED}
    whole = sum(spent.values())
    if whole <= 0:
        return
    state, most = max(((state, each) for state, each in spent.items()), key=lambda each: each[1])
    worked, is_rest = 1.0, state is PARKED
    if is_rest:  # as a rule for others that worked meanwhile: then what those did says more
        worked = _worked_on_the_way(summary.path)
        yield max(0.25, 0.8 * (1 - worked)) * most / whole, _parked(summary, most / whole)
        whole -= most
        state, most = max(((each, spent[each]) for each in spent if each is not PARKED), key=lambda each: each[1])
    if whole > 0 and most / whole >= MUCH and worked >= MUCH:
        yield (
            0.8 * most / whole * worked,
            _worked(summary, state, most / whole, is_rest=is_rest),
        )
    limited = summary.rate_limited
    if limited > MUCH * whole:
        yield (
            0.9 * limited / whole + 0.2,
            f"Calls waited {seconds_in_words(limited)} in all for the rate limit of their model.",
        )


def _worked_on_the_way(path: Iterable[PathPiece]) -> float:
    """For which share of the longest chain somebody was at work; else all waited for a person, a message, a time."""
    spent = _spent(path, since=0.0)
    whole = sum(spent.values())
    return 1 - spent.get(PARKED, 0.0) / whole if whole > 0 else 1.0


def _parked(summary: TimelineSummary, share: float) -> str:
    on = f", most of it on {shown(summary.parked_on[0][0], LONGEST_NAME)}" if summary.parked_on else ""
    return f"{_share(share)} of the agents' time they were parked{on}."


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
            return f"{whose}, {_share(share)} went by while {what}: most of it {name} ({times})."
        return f"{whose}, {_share(share)} went by while {what}."
    what = {
        RUNNING: "in the agents' own code",
        AgentState.IN_BACKOFF: "in backoffs, after completions that failed",
        AgentState.RESTARTING: "before restarts",
    }[state]
    return f"{whose}, {_share(share)} went by {what}."


def _last(picture: Picture) -> Iterator[tuple[float, str]]:
    """One that ended long after all others."""
    roots = [agent for agent in picture.agents if agent.depth == 0]
    if len(roots) < 2 or picture.seconds <= 0:
        return
    *_, second, last = sorted(roots, key=lambda agent: agent.end)
    lag = last.end - second.end
    if lag < MUCH * picture.seconds:
        return
    failed = sum(span.error is not None for span in last.spans if span.state is IN_DRIVER)
    reasons = []
    if failed:
        reasons.append("1 attempt failed" if failed == 1 else f"{failed:,} attempts failed")
    if last.restarts:
        reasons.append("it was restarted once" if last.restarts == 1 else f"it was restarted {last.restarts:,} times")
    spent = _spent(picture.summary.path, since=second.end)
    parts = sorted(spent.items(), key=lambda each: -each[1])[:2]
    if parts:
        reasons.append(
            " and ".join(f"{seconds_in_words(each)} {AT[state]}" for state, each in parts if each >= MUCH * lag)
        )
    verb = "went on longest" if last.is_open else "ended last"
    name = name_of(last)
    told = f"{name[0].upper()}{name[1:]} {verb}, {seconds_in_words(lag)} after all others"
    yield 0.3 + lag / picture.seconds, f"{told}: {', '.join(reasons)}." if reasons else f"{told}."


def _path(picture: Picture) -> Iterator[tuple[float, str]]:
    pieces = picture.summary.path
    whole = sum(piece.end - piece.begin for piece in pieces)
    if whole <= 0 or len(pieces) < 2:
        return
    spent = _spent(pieces, since=0.0)
    parts = sorted(spent.items(), key=lambda each: -each[1])
    told = ", ".join(f"{seconds_in_words(each)} {AT[state]}" for state, each in parts[:3] if each >= MUCH * whole)
    agents = len({piece.agent_id for piece in pieces if piece.agent_id})
    through = "1 agent" if agents == 1 else f"{agents:,} agents"
    longest = max(pieces, key=lambda piece: piece.end - piece.begin)
    yield (
        0.55,
        f"The longest chain of waits leads through {through} and takes {seconds_in_words(whole)}: {told}; its longest "
        f"piece: {_piece(picture, longest)}.",
    )


def _spent(pieces: Iterable[PathPiece], *, since: float) -> dict[AgentState | None, float]:
    """For how long the chain was at what."""
    spent: defaultdict[AgentState | None, float] = defaultdict(float)
    for piece in pieces:
        if piece.end > since:
            spent[piece.state if piece.agent_id else None] += piece.end - max(piece.begin, since)
    return spent


def _piece(picture: Picture, piece: PathPiece) -> str:
    """``search of agent 7 (writer), 3.1 s``."""
    agent = next((each for each in picture.agents if each.id == piece.agent_id), None)
    label = shown(piece.label, LONGEST_NAME)
    if agent is None:
        what = "the program"
    elif label and piece.state is PARKED:
        what = f"parked on {label}, {name_of(agent)}"
    else:
        what = f"{label or AT[piece.state]} of {name_of(agent)}"
    return f"{what}, {seconds_in_words(piece.end - piece.begin)}"


def _failures(picture: Picture) -> Iterator[tuple[float, str]]:
    ends: Counter[str] = Counter(agent.status for agent in picture.agents if agent.status is not None)
    if picture.rest is not None:
        ends.update(picture.rest.ends)
    count = sum(ends.values())
    bad = {status: number for status, number in ends.items() if status != "completed"}
    still = sum(agent.is_open for agent in picture.agents)
    if still:
        yield 0.5, "1 agent has not ended." if still == 1 else f"{still:,} agents have not ended."
    failed = sum(bad.values())
    if not failed:
        return
    how = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in sorted(bad.items()))
    first = next((agent for agent in picture.agents if agent.status in bad and agent.error), None)
    why = f"; first {name_of(first)}: {shown(first.error or '', 120)}" if first is not None else ""
    yield 0.45 + 0.3 * failed / count, f"{failed:,} of {count:,} agents did not complete ({how}){why}."
