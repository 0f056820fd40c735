"""Reads what a journal has of its agents, and makes of it what it tells."""

from __future__ import annotations

import difflib
import json
import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..agent.ledger import DONE
from ..core.shown import shown
from .journaled import EffectState, JournaledAgent, JournaledEffect, JournaledStatus
from .life import BOUGHT, EFFECTS, Life, Line
from .words import cut, error_text, figure, moment, paid_in, said, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .life import Standing

    Ask = Callable[..., list[tuple[Any, ...]]]
    Live = Callable[[], int | None]
    KeyOf = Callable[[str, str, Sequence[int]], str]

AT_ONCE = 200
"""So many agents are looked at in one read: while nobody looks, nothing is held open."""
GUESSED_FROM = 5_000
"""So many keys are compared with one that is not there."""


class UnknownKey(KeyError):
    """No agent of that key stands in the journal."""

    def __str__(self) -> str:
        return str(self.args[0])


_KEYS = "SELECT DISTINCT agent FROM entry WHERE agent > ? ORDER BY agent LIMIT ?"
_ENDED = ("status", "kept", "usage", "cost_usd", "iterations", "error")
_STEP = ("effect", "paid", "approved")
# What is of interest is taken out of the payload by the database: an answer may be large.
_OF_INTEREST = """
SELECT agent, seq, path, state, kind, process, at,
    CASE WHEN NOT json_valid(payload) THEN NULL
         WHEN path <> '' THEN json_extract(payload, '$.effect', '$.paid', '$.approved')
         WHEN state = 'ended' THEN json_extract(
            payload, '$.status', '$.kept', '$.fields.usage', '$.fields.cost_usd', '$.fields.iterations',
            '$.fields.error')
         ELSE json_remove(payload, '$.fingerprint') END
FROM entry WHERE {} ORDER BY agent, seq
"""
_LINE = _OF_INTEREST.format("agent = ?")
_LINES = _OF_INTEREST.format("agent > ? AND agent <= ?")
_WHOLE = (
    "SELECT seq, path, state, kind, process, at, payload FROM entry WHERE agent = ? AND seq > ? ORDER BY seq LIMIT ?"
)


def agents_of(ask: Ask, live: Live) -> Iterator[JournaledAgent]:
    """Every agent, in the order of the keys. Read bit by bit: a large file does not fill the memory.

    Args:
        ask: Makes one read, and returns its rows.
        live: The number of the process that writes the file now; None: none does.
    """
    for life in lives(ask):
        if life.is_known:
            yield agent_of(life, live())


def one_of(ask: Ask, live: Live, key: str) -> JournaledAgent:
    """The agent of *key*.

    Raises:
        KeyError: There is none.
    """
    life = Life(key)
    for _, *line, data in ask(_LINE, key):
        life.add(Line(*[*line, _of_interest(data)]))
    if not life.is_known:
        raise _unknown(ask, key)
    return agent_of(life, live())


def lives(ask: Ask) -> Iterator[Life]:
    """What stands of each agent."""
    for key, lines in agent_lines(ask):
        life = Life(key)
        for line in lines:
            if line.data is None:
                raise ValueError(f"entry {line.seq:,} (agent {shown(key)}) is no JSON")
            life.add(line)
        yield life


def agent_lines(ask: Ask) -> Iterator[tuple[str, list[Line]]]:
    """The entries of each agent, in the order of the keys."""
    last = ""
    while keys := ask(_KEYS, last, AT_ONCE):
        first, last = last, keys[-1][0]
        if not first < last:
            raise sqlite3.DatabaseError("agents are out of order")
        for key, rows in groupby(ask(_LINES, first, last), itemgetter(0)):
            yield key, [Line(*[*line, _of_interest(data)]) for _, *line, data in rows]


def _of_interest(text: str | None) -> Any:
    """The names belong to a list of what was taken out."""
    data = None if text is None else json.loads(text)
    if isinstance(data, list):
        data = dict(zip(_ENDED if len(data) == len(_ENDED) else _STEP, data, strict=True))
    return data


def effects_of(ask: Ask, live: Live, key: str, key_of: KeyOf) -> list[JournaledEffect]:
    """What the agent of *key* has bought and done, in the order in which it began.

    Args:
        key_of: The effect key of a path of an agent, of which from these completions on something was set aside.
    Raises:
        KeyError: There is no such agent; the message names the key that is most like it.
    """
    life = Life(key)
    last = 0
    while rows := ask(_WHOLE, key, last, AT_ONCE):
        last = rows[-1][0]
        for *line, payload in rows:
            life.add(Line(*[*line, _in_short(line[3], json.loads(payload))]))
    if not life.is_known:
        raise _unknown(ask, key)
    running = live()
    return [effect_of(life, step, running, key_of) for step in life.steps.values()]


def _in_short(kind: str | None, data: Any) -> Any:
    """What is told of an entry, without what may be large."""
    if kind is None:
        return {"from": data.get("from"), "status": data.get("status")}
    name = data.get({"completion": "model", "summary": "model", "tool": "tool", "step": "name"}.get(kind, ""))
    short = {each: data.get(each) for each in _STEP}
    return {**short, "name": cut(name), "text": said(kind, data)}


def _unknown(ask: Ask, key: str) -> UnknownKey:
    known = [name for (name,) in ask(_KEYS, "", GUESSED_FROM)]
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f", did you mean {close[0]!r}?" if close else ": agents() lists those that it has"
    return UnknownKey(f"the journal has no agent {key!r}{hint}")


def agent_of(life: Life, live: int | None) -> JournaledAgent:
    """What *life* comes to.

    Args:
        live: The process that writes the file now; None: none does.
    """
    admitted, ended, steps = life.admitted, life.ended, [s for s in life.steps.values() if s.last.kind in EFFECTS]
    start = admitted.data if admitted is not None else {}
    end = ended.data if ended is not None else {}
    tokens_in, tokens_out, cost = paid_in(step.last.data.get("paid") for step in life.steps.values())
    usage = end.get("usage")
    if isinstance(usage, dict):  # an outcome knows what tries cost that led to no answer, too
        tokens_in, tokens_out = int(figure(usage.get("input_tokens"))), int(figure(usage.get("output_tokens")))
        cost = figure(end.get("cost_usd"))
    lines = [line for line in (admitted, *life.begun, ended) if line is not None]
    return JournaledAgent(
        key=life.key,
        name=text_of(start.get("name")),
        parent=start.get("parent"),
        status=status_of(life, live),
        processes=len({line.process for line in life.begun}),
        steps=len(steps),
        bought=sum(step.last.kind in BOUGHT and step.last.state == DONE for step in steps),
        in_doubt=sum(life.is_in_doubt(step, live) for step in steps),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=cost,
        kept=bool(end.get("kept", False)),
        pruned=life.pruned is not None,
        process=max((line.process for line in [*lines, *(step.last for step in steps)]), default=0),
        admitted_at=None if admitted is None else moment(admitted.at),
        started_at=moment(life.begun[0].at) if life.begun else None,
        ended_at=None if ended is None else moment(ended.at),
        error=error_text(end.get("error")),
    )


def status_of(life: Life, live: int | None) -> JournaledStatus:
    """How *life* stands."""
    if life.ended is not None:
        return JournaledStatus(life.ended.data["status"])
    if not life.begun:
        return JournaledStatus.QUEUED
    return JournaledStatus.RUNNING if life.begun[-1].process == live else JournaledStatus.INTERRUPTED


def effect_of(life: Life, step: Standing, live: int | None, key_of: KeyOf) -> JournaledEffect:
    """What stands at one path of *life*."""
    first, last = step.first, step.last
    tokens_in, tokens_out, cost = paid_in([last.data.get("paid")])
    has_both = first is not last and first.process == last.process
    return JournaledEffect(
        path=last.path,
        kind=last.kind or "",
        name=last.data["name"],
        state=_state_of(life, step, live),
        effect=step.effect,
        effect_key=None if step.effect is None else key_of(life.key, last.path, life.asides),
        process=last.process,
        at=moment(last.at),
        seconds=max(0.0, last.at - first.at) if has_both else None,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=cost,
        text=last.data["text"],
    )


def _state_of(life: Life, step: Standing, live: int | None) -> EffectState:
    if life.is_in_doubt(step, live):
        return EffectState.IN_DOUBT
    if step.last.kind == "approval" and not step.last.data.get("approved"):
        return EffectState.DENIED
    return EffectState(step.last.state)
