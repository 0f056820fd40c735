"""A picture as the data of its page: columns of numbers, and each text once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from ...core.crash import safe_repr, text_of
from ...core.records.state import AgentState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..picture import PathPiece, Picture, TimelineAgent, TimelineSpan, TimelineSummary

MOST_OF_A_NAME: Final = 300
MOST_OF_AN_ERROR: Final = 4_000
MOST_OF_A_CONTENT: Final = 20_000
MOST_OF_ALL_CONTENTS: Final = 4_000_000
"""Characters, as they stand in the page: another than ASCII takes six. A page is opened by a browser, on a phone, too;
who wants all of it has the JSON and the journal.
"""

STATES: Final = tuple(AgentState)
_PLACES: Final = {state: place for place, state in enumerate(STATES)}
_OPEN: Final = 1
_RECALLED: Final = 2
_CUT: Final = 4


def data_of(picture: Picture) -> dict[str, Any]:
    """What the script of the page reads: times are whole microseconds since the timeline begins.

    Texts stand in ``texts``, and everywhere else their place there, -1 for none. What few spans have (an error, a
    second attempt, contents) stands as the places of those spans and, beside them, the values.
    """
    texts = _Texts()
    agents = _columns_of(picture.agents, texts)
    spans = _spans_of((span for agent in picture.agents for span in agent.spans), texts)
    return {
        "name": cut(picture.name, MOST_OF_A_NAME),
        "began": None if picture.began_at is None else picture.began_at.timestamp() * 1000,
        "length": _micros(picture.seconds),
        "slots": [[_micros(since), many] for since, many in picture.slots],
        "rest": _rest_of(picture),
        "states": [state.value for state in STATES],
        "agents": agents,
        "spans": spans,
        "marks": _marks_of(picture.agents, texts),
        "messages": _messages_of(picture),
        "load": [[_micros(load.at), round(load.used, 3), round(load.queued, 3)] for load in picture.load],
        "summary": _summary_of(picture.summary, texts),
        "left_out": texts.left_out,
        "texts": texts.all,
    }


def cut(value: object, most: int) -> str:
    """Its text, whole or up to *most* characters and how many there were."""
    text = text_of(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


class _Texts:
    """Each text once, in the order of first use."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self.left_out = 0
        self._places: dict[str, int] = {}
        self._room = MOST_OF_ALL_CONTENTS

    def place(self, text: str) -> int:
        place = self._places.setdefault(text, len(self.all))
        if place == len(self.all):
            self.all.append(text)
        return place

    def named(self, value: object) -> int:
        """The place of a name or another short text; -1 for none."""
        return -1 if value is None or value == "" else self.place(cut(value, MOST_OF_A_NAME))

    def error(self, error: str | None) -> int:
        return -1 if error is None else self.place(cut(error or "(an error without a text)", MOST_OF_AN_ERROR))

    def content(self, value: Any) -> int:
        """The place of what was said, -1 for nothing; what finds no room is only counted."""
        if value is None:
            return -1
        text = cut(_content_text(value), MOST_OF_A_CONTENT)
        if text not in self._places:
            room = len(text) if text.isascii() else len(json.dumps(text))
            if room > self._room:
                self.left_out += 1
                return self.place("(left out: the page holds four million characters of contents)")
            self._room -= room
        return self.place(text)


def _content_text(value: Any) -> str:
    if isinstance(value, str):
        return text_of(value)
    try:
        return to_json(value, indent=2, fallback=safe_repr, inf_nan_mode="constants").decode()
    except Exception:  # noqa: BLE001 - a record of a user's that cannot be written, a lone surrogate
        return safe_repr(value)


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)


def _columns_of(agents: Iterable[TimelineAgent], texts: _Texts) -> dict[str, list[Any]]:
    rows = [
        (
            agent.id,
            -1 if agent.parent_id is None else agent.parent_id,
            texts.named(agent.name),
            texts.named(agent.key),
            _of_a_user(agent.group, texts),
            _of_a_user(agent.tag, texts),
            texts.named(agent.status),
            texts.error(agent.error),
            _micros(agent.begin),
            _micros(agent.end),
            agent.is_open * _OPEN + agent.recalled * _RECALLED + agent.is_cut * _CUT,
            agent.restarts,
            agent.input_tokens,
            agent.output_tokens,
            round(agent.cost_usd, 9),
            len(agent.spans),
            texts.content(agent.input),
            texts.content(agent.output),
        )
        for agent in agents
    ]
    return dict(zip(_AGENT, map(list, zip(*rows, strict=True)) if rows else ([] for _ in _AGENT), strict=True))


_AGENT: Final = (
    *("id", "parent", "name", "key", "group", "tag", "status", "error", "begin", "end"),
    *("flags", "restarts", "input_tokens", "output_tokens", "cost", "spans", "input", "output"),
)


def _of_a_user(value: object, texts: _Texts) -> int:
    return -1 if value is None else texts.place(cut(value, MOST_OF_A_NAME))


def _spans_of(spans: Iterable[TimelineSpan], texts: _Texts) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {name: [] for name in ("state", "begin", "length", "label", "lane")}
    few: dict[str, tuple[list[int], list[Any]]] = {name: ([], []) for name in _FEW}
    state, begin, length, label, lane = columns.values()
    before = 0
    for place, span in enumerate(spans):
        begins = _micros(span.begin)
        state.append(_PLACES[span.state])
        begin.append(begins - before)  # the distance to the one before: most are small, and so is the page
        length.append(max(0, _micros(span.end) - begins))
        label.append(texts.named(span.label))
        lane.append(-1 if span.lane is None else span.lane)
        before = begins
        for name, value in _rare(span, texts):
            places, values = few[name]
            places.append(place)
            values.append(value)
    return {**columns, **few}


_FEW: Final = ("attempt", "error", "flags", "input_tokens", "output_tokens", "cost", "input", "output")


def _rare(span: TimelineSpan, texts: _Texts) -> Iterable[tuple[str, Any]]:
    if span.attempt != 1:
        yield "attempt", span.attempt
    if span.error is not None:
        yield "error", texts.error(span.error)
    if flags := span.is_open * _OPEN + span.recalled * _RECALLED:
        yield "flags", flags
    if span.input_tokens:
        yield "input_tokens", span.input_tokens
    if span.output_tokens:
        yield "output_tokens", span.output_tokens
    if span.cost_usd:
        yield "cost", round(span.cost_usd, 9)
    if span.input is not None:
        yield "input", texts.content(span.input)
    if span.output is not None:
        yield "output", texts.content(span.output)


def _rest_of(picture: Picture) -> dict[str, Any] | None:
    rest = picture.rest
    if rest is None:
        return {"count": picture.folded, "ends": {}, "begin": 0, "end": 0} if picture.folded else None
    return {
        "count": rest.count,
        "ends": dict(rest.ends),
        "begin": _micros(rest.begin),
        "end": _micros(rest.end),
        "input_tokens": rest.input_tokens,
        "output_tokens": rest.output_tokens,
        "cost": rest.cost_usd,
    }


def _marks_of(agents: Iterable[TimelineAgent], texts: _Texts) -> list[list[int]]:
    """The place of the agent, when, of which kind, and what is said of it."""
    return [
        [place, _micros(mark.at), texts.named(mark.kind), texts.named(mark.text)]
        for place, agent in enumerate(agents)
        for mark in agent.marks
    ]


def _summary_of(summary: TimelineSummary, texts: _Texts) -> dict[str, Any]:
    return {
        "sentences": [cut(sentence, MOST_OF_AN_ERROR) for sentence in summary.sentences],
        "places": [None if place is None else _piece_of(place, texts) for place in summary.places],
        "seconds": [_micros(summary.seconds.get(state, 0.0)) for state in STATES],
        "rate_limited": _micros(summary.rate_limited),
        "parked_on": [[texts.named(what), _micros(seconds)] for what, seconds in summary.parked_on],
        "labels": [
            [_PLACES[state], texts.named(label), calls, _micros(seconds)]
            for state, label, calls, seconds in summary.labels
        ],
        "longest": list(summary.longest),
        "mean_used": summary.mean_used,
        "full": summary.full,
        "path": [_piece_of(piece, texts) for piece in summary.path],
    }


def _piece_of(piece: PathPiece, texts: _Texts) -> list[int]:
    state = -1 if piece.state is None else _PLACES[piece.state]
    return [piece.agent_id, state, _micros(piece.begin), _micros(piece.end), texts.named(piece.label)]


def _messages_of(picture: Picture) -> list[list[int]]:
    return [
        [message.sender, message.receiver, _micros(message.sent), -1 if message.read is None else _micros(message.read)]
        for message in picture.messages
    ]
