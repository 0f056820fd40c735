"""A picture as Chrome Trace Event JSON, which ui.perfetto.dev and chrome://tracing open.

Perfetto calls the format a legacy one, and does not draw slices that overlap on a track. So the process is the pool,
and each agent has one track for what it is at, and one for each lane of its tool calls. Source: the document "Trace
Event Format" of Chromium's catapult, and Perfetto's importer of it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..core.glance import plain
from ..core.records.state import IN_DRIVER, IN_TOOL, PARKED
from ..core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.records.message import AgentId
    from .picture import Picture, TimelineAgent, TimelineMark, TimelineSpan

POOL: Final = 1
"""The process of all tracks."""
LONGEST_NAME: Final = 200
LONGEST_TEXT: Final = 2_000
SLICE, MARK, ARROW, TIP, COUNTER = range(5)
"""What comes first of the same moment: arrows need the slices that they lead between."""

Told: TypeAlias = "tuple[int, int, Callable[[], dict[str, Any]]]"


def chrome_lines(picture: Picture) -> Iterator[str]:
    """The text of the whole file, bit by bit: an event on each line.

    Names come first, all else in the order of time. What a model chose is shown as one line, whatever is in it.
    """
    about = {
        "pool": shown(picture.name, LONGEST_NAME),
        "began_at": None if picture.began_at is None else picture.began_at.isoformat(),
        "sentences": list(picture.summary.sentences),
        "folded": picture.folded,
    }
    yield f'{{"displayTimeUnit":"ms","otherData":{_json(about)},"traceEvents":[\n'
    tracks = Tracks(picture)
    told = [*_slices(picture, tracks), *_arrows(picture, tracks), *_counters(picture)]
    told.sort(key=itemgetter(0, 1))
    before = ""
    for event in tracks.names(picture):
        yield before + _json(event)
        before = ",\n"
    for moment, _, make in told:  # made one by one: a long run has many
        yield before + _json({**make(), "ts": moment / 1_000})
        before = ",\n"
    yield "\n]}\n"


_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _ns(seconds: float) -> int:
    """Whole nanoseconds: so the end of a slice is exactly the beginning of the next one."""
    return round(seconds * 1e9)


class Tracks:
    """Numbers of tracks: agents as they are drawn, children below their parents, each with its lanes."""

    def __init__(self, picture: Picture) -> None:
        self._of: dict[tuple[AgentId, int | None], int] = {}
        self._slices: dict[AgentId, list[tuple[int, int]]] = {}
        for agent in _in_order(picture.agents):
            self._of[agent.id, None] = len(self._of) + 1
            for lane in sorted({span.lane for span in agent.spans if span.lane is not None}):
                self._of[agent.id, lane] = len(self._of) + 1
            own = [(_ns(span.begin), _ns(span.end)) for span in agent.spans if span.lane is None]
            self._slices[agent.id] = own or [(_ns(agent.begin), _ns(agent.end))]

    def __getitem__(self, place: tuple[AgentId, int | None]) -> int:
        return self._of[place]

    def inside(self, agent_id: AgentId, moment: int, *, at_end: bool) -> int | None:
        """A moment near *moment* at which a slice of the agent is there to bind an arrow to; None: there is none.

        Args:
            at_end: Of two slices that meet there take the one that ends.
        """
        own = self._slices.get(agent_id)
        if own is None:
            return None
        place = bisect_right(own, (moment, float("inf"))) - 1
        if place < 0:
            return None
        if at_end and place and own[place][0] == moment and own[place - 1][1] == moment:
            place -= 1
        begin, end = own[place]
        if moment > end:
            return None
        return moment if moment < end or begin == end else end - 1

    def names(self, picture: Picture) -> Iterator[dict[str, Any]]:
        """What tracks are called, and their order."""
        yield _named("process_name", 0, name=shown(picture.name, LONGEST_NAME) or "pool")
        agents = {agent.id: agent for agent in picture.agents}
        for (agent_id, lane), track in self._of.items():
            agent = agents[agent_id]
            name = f"{agent.id} {shown(agent.name, LONGEST_NAME)}"
            if agent.key is not None and lane is None:
                name += f" [{shown(agent.key, LONGEST_NAME)}]"
            yield _named("thread_name", track, name=name if lane is None else f"{name}: tools {lane}")
            yield _named("thread_sort_index", track, sort_index=track)


def _named(what: str, track: int, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": POOL, "tid": track, "args": args}


def _in_order(agents: tuple[TimelineAgent, ...]) -> Iterator[TimelineAgent]:
    """By their beginnings, children below their parents."""
    there = {agent.id for agent in agents}
    children: defaultdict[AgentId | None, list[TimelineAgent]] = defaultdict(list)
    for agent in agents:
        parent = agent.parent_id
        children[parent if parent in there and parent != agent.id else None].append(agent)
    waiting = list(reversed(children.pop(None, [])))
    while waiting:
        agent = waiting.pop()
        yield agent
        waiting += reversed(children.pop(agent.id, []))
    for rest in list(children.values()):  # parents of each other, which only a broken file says
        yield from rest


def _slices(picture: Picture, tracks: Tracks) -> Iterator[Told]:
    for agent in picture.agents:
        track = tracks[agent.id, None]
        last = next((each for each in reversed(agent.spans) if each.lane is None), None)
        if last is None:
            yield _ns(agent.begin), SLICE, partial(_bare_slice, agent, track)
        for span in agent.spans:
            ends = agent if span is last else None
            yield _ns(span.begin), SLICE, partial(_slice, span, tracks[agent.id, span.lane], ends=ends)
        for mark in agent.marks:
            yield _ns(mark.at), MARK, partial(_mark, mark, track)


def _slice(span: TimelineSpan, track: int, *, ends: TimelineAgent | None) -> dict[str, Any]:
    """*ends*: the agent whose last one this is."""
    args = _args(span) if ends is None else _args(span) | _end(ends)
    return {
        "ph": "X",
        "cat": str(span.state),
        "name": _title(span),
        "pid": POOL,
        "tid": track,
        "dur": (_ns(span.end) - _ns(span.begin)) / 1_000,
        "args": args,
    }


def _bare_slice(agent: TimelineAgent, track: int) -> dict[str, Any]:
    """Of an agent that was at nothing: it was recalled, or cancelled at once."""
    of_all = {"ph": "X", "cat": "agent", "name": agent.status or "agent", "pid": POOL, "tid": track}
    return {**of_all, "dur": (_ns(agent.end) - _ns(agent.begin)) / 1_000, "args": {"agent": agent.id} | _end(agent)}


def _mark(mark: TimelineMark, track: int) -> dict[str, Any]:
    of_all = {"ph": "i", "s": "t", "cat": "mark", "name": shown(mark.kind, LONGEST_NAME), "pid": POOL, "tid": track}
    return {**of_all, "args": {"text": shown(mark.text, LONGEST_TEXT)}}


def _title(span: TimelineSpan) -> str:
    label = shown(span.label, LONGEST_NAME)
    if span.state is PARKED:
        return f"parked on {label}" if label else "parked"
    if span.state in (IN_DRIVER, IN_TOOL):
        return label or str(span.state)
    return f"{span.state} ({label})" if label else str(span.state)


def _args(span: TimelineSpan) -> dict[str, Any]:
    args: dict[str, Any] = {"agent": span.agent_id, "state": str(span.state)}
    if span.state is IN_DRIVER:
        args |= {"model": shown(span.label, LONGEST_NAME), "attempt": span.attempt}
    if span.input_tokens or span.output_tokens:
        args |= {"input_tokens": span.input_tokens, "output_tokens": span.output_tokens}
    if span.cost_usd:
        args["cost_usd"] = _finite(span.cost_usd)
    if span.error is not None:
        args["error"] = shown(span.error, LONGEST_TEXT)
    if span.is_open:
        args["open"] = True
    if span.recalled:
        args["recalled"] = True
    if span.input is not None:
        args["input"] = plain(span.input, LONGEST_TEXT)
    if span.output is not None:
        args["output"] = plain(span.output, LONGEST_TEXT)
    return args


def _end(agent: TimelineAgent) -> dict[str, Any]:
    """What is known of the whole agent: it stands on its last slice."""
    args: dict[str, Any] = {"status": agent.status, "restarts": agent.restarts}
    args |= {"all_input_tokens": agent.input_tokens, "all_output_tokens": agent.output_tokens}
    args["all_cost_usd"] = _finite(agent.cost_usd)
    if agent.key is not None:
        args["key"] = shown(agent.key, LONGEST_NAME)
    if agent.error is not None:
        args["agent_error"] = shown(agent.error, LONGEST_TEXT)
    return args


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None


def _arrows(picture: Picture, tracks: Tracks) -> Iterator[Told]:
    """From who sent a message to who read it, and from who started an agent to that one's first slice."""
    births = [("birth", each.parent_id, each.begin, each.id, each.begin) for each in picture.agents if each.parent_id]
    read = [each for each in picture.messages if each.read is not None]
    found = births + [("message", each.sender, each.sent, each.receiver, each.read or 0.0) for each in read]
    for number, (kind, source, sent, target, taken) in enumerate(found, 1):
        tail = tracks.inside(source, _ns(sent), at_end=True)
        tip = tracks.inside(target, _ns(taken), at_end=False)
        if tail is None or tip is None or tail > tip:
            continue
        arrow = {"cat": kind, "name": kind, "id": number, "pid": POOL}
        yield tail, ARROW, partial(dict, arrow, ph="s", tid=tracks[source, None])
        yield tip, TIP, partial(dict, arrow, ph="f", bp="e", tid=tracks[target, None])


def _counters(picture: Picture) -> Iterator[Told]:
    for load in picture.load:
        moment = _ns(load.at)
        yield moment, COUNTER, partial(_counter, "slots used", used=load.used)
        yield moment, COUNTER, partial(_counter, "queue", waiting=load.queued)


def _counter(what: str, **values: float) -> dict[str, Any]:
    return {"ph": "C", "name": what, "pid": POOL, "args": {name: round(each, 3) for name, each in values.items()}}
