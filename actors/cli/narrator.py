"""``-v`` and ``-vv``: what agents do, as they do it, a line for each event."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from ..agent.events import (
    ApprovalDecided,
    ApprovalRequested,
    BudgetWarned,
    ContextTrimmed,
    HandedOff,
    ToolEnded,
    ToolStarted,
)
from ..core.crash import safe_repr
from ..core.records.answer import CompletionFailed, CompletionFinished, CompletionStarted, LimiterWaited
from ..core.records.event import (
    AgentEnded,
    AgentParked,
    AgentQueued,
    AgentRestarted,
    AgentResumed,
    AgentStalled,
    AgentStarted,
    Event,
    MessageRead,
    MessageSent,
)
from ..core.records.outcome import AgentStatus
from ..core.shown import shown
from .secrets import Secrets
from .terminal import say
from .wording import counted, dollars, one_line, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.records.message import AgentId

LIFE = 1
"""The level of ``-v``: how agents begin and end, and what goes wrong on the way."""
WORK = 2
"""The level of ``-vv``: each answer, each tool call, each message, each wait, too."""
LONGEST = 160
"""Characters of one thing that was said."""
LEAST = 40
"""Of these on a narrow terminal."""
BEFORE = 55
"""Columns of what stands before it: time, label, and what happened."""
WIDEST_LABEL = 24
"""Columns that agents' names may widen the label to; longer ones stand out."""


@dataclass(slots=True)
class _Told:
    """What was heard of an agent that has not ended."""

    began: float
    tokens: int = 0
    cost_usd: float = 0.0
    tools: int = 0
    asked_at: float = 0.0
    parked_at: float | None = None
    restarts: int = 0


class Narrator:
    """Writes a line to standard error for each event that its level tells: the seconds since the first one, whose it
    is, and what happened.

    Args:
        level: 1 tells of lives, from 2 on of each answer, tool call, message and wait, too.
        secrets: What must not be shown.
        write: Takes a line.
        longest: Characters of one thing that was said.

    Threads: the pool's event delivery alone calls it.
    """

    def __init__(
        self,
        level: int,
        *,
        secrets: Secrets | None = None,
        write: Callable[[str], None] = say,
        longest: int = LONGEST,
    ) -> None:
        self._longest = longest
        self._level = level
        self._secrets = Secrets() if secrets is None else secrets
        self._write = write
        self._origin: float | None = None
        self._width = 0
        self._alive: dict[AgentId, _Told] = {}

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._origin is None:
            self._origin = event.moment
        told = self._alive.get(event.agent_id)
        if told is None:
            told = _Told(event.moment)
            if event.agent_id and not isinstance(event, AgentEnded):
                self._alive[event.agent_id] = told
        found = self._words(event, told)
        if found is not None and found[0] <= self._level:
            self._write(self._line(event, found[1]))
        if isinstance(event, AgentEnded):
            self._alive.pop(event.agent_id, None)

    def _line(self, event: Event, words: str) -> str:
        assert self._origin is not None
        label = f"#{event.agent_id} {shown(event.agent, 40)}" if event.agent_id else "pool"
        self._width = max(self._width, min(len(label), WIDEST_LABEL))
        return f"{max(0.0, event.moment - self._origin):9.3f} s  {label:<{self._width}}  {words}"

    def _said(self, mark: str, content: Any) -> str:
        """*content* behind *mark*, on one line, masked before it is cut; nothing where there is none."""
        if content is None or content == "":
            return ""
        text = content if isinstance(content, str) else _json(content)
        return mark + one_line(self._secrets.masked(text), self._longest)

    @singledispatchmethod
    def _words(self, event: Event, told: _Told) -> tuple[int, str] | None:  # noqa: ARG002 - what others need
        """From which level on an event is told, and its words; None: it is not."""
        return None

    @_words.register
    def _(self, event: AgentQueued, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return WORK, "waits for a slot"

    @_words.register
    def _(self, event: AgentStarted, told: _Told) -> tuple[int, str]:
        waited = event.moment - told.began
        parts = [
            "" if event.parent_id is None else f", child of #{event.parent_id}",
            f", key {shown(event.key, 60)}" if event.key else "",
            f", after {seconds(waited)} in the queue" if waited >= 0.01 else "",
            self._said(": ", event.input),
        ]
        told.began = event.moment
        return LIFE, "started" + "".join(parts)

    @_words.register
    def _(self, event: AgentEnded, told: _Told) -> tuple[int, str]:
        parts = [
            f"{str(event.status).replace('_', ' ')} in {seconds(max(0.0, event.moment - told.began))}",
            f"{told.tokens:,} tokens" if told.tokens else "",
            dollars(told.cost_usd) if told.cost_usd else "",
            counted(told.tools, "tool call") if told.tools else "",
            counted(told.restarts, "restart") if told.restarts else "",
            "recalled" if event.recalled else "",
        ]
        ended_well = event.status is AgentStatus.COMPLETED
        said = self._said(": ", event.result if ended_well else event.error)
        return LIFE, ", ".join(filter(None, parts)) + said

    @_words.register
    def _(self, event: AgentRestarted, told: _Told) -> tuple[int, str]:
        told.restarts += 1
        return LIFE, f"crashed: starts again, for the {_th(event.attempt)} time, in {seconds(event.delay)}"

    @_words.register
    def _(self, event: AgentStalled, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        on = f", on {shown(event.on)}" if event.on else ""
        return LIFE, f"makes no progress since {seconds(event.seconds)}: {event.state}{on}"

    @_words.register
    def _(self, event: AgentParked, told: _Told) -> tuple[int, str]:
        told.parked_at = event.moment
        return WORK, f"waits for {shown(event.on)}"

    @_words.register
    def _(self, event: AgentResumed, told: _Told) -> tuple[int, str]:
        since, told.parked_at = told.parked_at, None
        return WORK, "goes on" if since is None else f"goes on after {seconds(max(0.0, event.moment - since))}"

    @_words.register
    def _(self, event: MessageSent, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return WORK, f"-> #{event.to}{self._said(': ', event.text)}"

    @_words.register
    def _(self, event: MessageRead, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        sender = f"#{event.sender}" if event.sender else "the program"
        return WORK, f"<- {sender}{self._said(': ', event.text)}"

    @_words.register
    def _(self, event: CompletionStarted, told: _Told) -> tuple[int, str]:
        told.asked_at = event.moment
        attempt = f", for the {_th(event.attempt)} time" if event.attempt > 1 else ""
        return WORK, f"asks {_model(event.model)}{attempt}"

    @_words.register
    def _(self, event: CompletionFinished, told: _Told) -> tuple[int, str]:
        parts = [
            f"{event.input_tokens:,} tokens in, {event.output_tokens:,} out",
            dollars(event.cost_usd) if event.cost_usd else "",
            "" if event.stop_reason is None else shown(event.stop_reason, 40).replace("_", " "),
        ]
        if event.recalled:
            parts.append("recalled")
        else:
            told.tokens += event.input_tokens + event.output_tokens
            told.cost_usd += event.cost_usd
            parts.insert(0, seconds(max(0.0, event.moment - told.asked_at)) if told.asked_at else "")
        return WORK, f"{_model(event.model)}: {', '.join(filter(None, parts))}{self._said(': ', event.text)}"

    @_words.register
    def _(self, event: CompletionFailed, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        after = "gives up" if event.delay is None else f"asks again in {seconds(event.delay)}"
        attempt = f" ({_th(event.attempt)} time)" if event.attempt > 1 else ""
        return LIFE, f"{_model(event.model)} failed{attempt}, {after}{self._said(': ', event.error)}"

    @_words.register
    def _(self, event: LimiterWaited, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return WORK, f"waited {seconds(event.seconds)} for the limiter of its driver"

    @_words.register
    def _(self, event: ToolStarted, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return WORK, f"calls {shown(event.tool, 60)}{self._said(' ', event.input)}"

    @_words.register
    def _(self, event: ToolEnded, told: _Told) -> tuple[int, str]:
        told.tools += 1
        how = "failed" if event.is_error else "returned"
        took = seconds(event.duration)
        return WORK, f"{shown(event.tool, 60)} {how} after {took}{self._said(': ', event.result)}"

    @_words.register
    def _(self, event: ApprovalRequested, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        left = "" if event.timeout is None else f" within {seconds(event.timeout)}, else {shown(event.default, 20)}"
        return LIFE, f"asks for approval of {shown(event.tool, 60)}{left}{self._said(': ', event.input)}"

    @_words.register
    def _(self, event: ApprovalDecided, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        how = "approved" if event.approved else "denied"
        by = " (nobody answered in time)" if event.by_default else ""
        return LIFE, f"{shown(event.tool, 60)} was {how}{by}{self._said(': ', event.reason)}"

    @_words.register
    def _(self, event: BudgetWarned, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return LIFE, one_line(event.message, self._longest)

    @_words.register
    def _(self, event: HandedOff, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        return LIFE, f"goes on as {shown(event.target, 60)} (was {shown(event.source, 60)})"

    @_words.register
    def _(self, event: ContextTrimmed, told: _Told) -> tuple[int, str]:  # noqa: ARG002
        how = "are summed up" if event.summarized else "are left out"
        return WORK, f"{counted(event.dropped, 'message')}, about {event.tokens:,} tokens, {how}"


def longest_here() -> int:
    """Characters of one thing that was said, so that most lines fit the terminal, if there is one."""
    if not sys.stderr.isatty():
        return LONGEST
    return min(LONGEST, max(LEAST, shutil.get_terminal_size().columns - BEFORE))


def _model(name: str | None) -> str:
    return "the model" if name is None else shown(name, 60)


def _th(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 <= number % 100 <= 20 else ends.get(number % 10, 'th')}"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=safe_repr)
    except (TypeError, ValueError, RecursionError):
        return safe_repr(value)
