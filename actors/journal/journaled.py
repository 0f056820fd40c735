"""Agents and their effects, as a journal tells of them: for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ..agent.terms.effect import Effect
from ..public import publish


class JournaledStatus(StrEnum):
    """How an agent stands in a journal: one of the seven ends of ``AgentStatus``, or without an end so far.

    ``queued``: never begun. ``running``: the process that began it lives. ``interrupted``: that process has died, or
    closed the journal; the agent goes on when it is handed in again.
    """

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    CRASHED = "crashed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"
    LOST = "lost"


class EffectState(StrEnum):
    """How far an effect is.

    ``begun``: it is under way; or, if it is idempotent, it was when its process died, and is done again. ``in doubt``:
    it was begun, must not be done again, and nobody knows whether it was done. ``denied``: no approval was given.
    """

    BEGUN = "begun"
    DONE = "done"
    RAISED = "raised"
    DENIED = "denied"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True)
class JournaledAgent:
    """One agent, as a journal knows it.

    Args:
        key: Names it over all processes.
        name: That of its manifest.
        parent: The key of the agent that started it; None for the program.
        status: How it stands.
        processes: In how many it was begun.
        steps: Completions, calls of tools and steps of its own that stand in the journal; 0 once they were pruned.
        bought: How many of them are completions: these are never bought again.
        in_doubt: How many of them were begun, must not be done again, and nobody knows whether they were done.
        input_tokens: What its completions read, over all processes.
        output_tokens: What they wrote.
        cost_usd: What they cost.
        kept: Is its result in the journal? An agent that completed with one that JSON cannot hold is run again from its
            steps, which buys nothing.
        pruned: Were its steps dropped?
        process: The number of the process that last told of it, from 1.
        admitted_at: UTC; None where that was not recorded.
        started_at: UTC, when it was first begun; None: never.
        ended_at: UTC; None: it has not ended.
        error: What it ended with, such as ``ToolFailed: no such account``; None without an error.
    """

    key: str
    name: str
    parent: str | None
    status: JournaledStatus
    processes: int
    steps: int
    bought: int
    in_doubt: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    kept: bool
    pruned: bool
    process: int
    admitted_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None

    @property
    def is_ended(self) -> bool:
        """Has it an end?"""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class JournaledEffect:
    """One thing that an agent has bought or done, or something that it was told.

    Args:
        path: Names it inside its agent: ``3`` its fourth completion, ``3.1`` the second call of that answer, ``fetch``
            a step of its own, ``3.1/fetch`` one inside that call.
        kind: ``completion``, ``tool``, ``step``; ``approval``; ``handoff``; ``heard`` (messages), ``memories``,
            ``instructions`` (a system prompt that was made), ``summary`` and ``context`` (of what did not fit),
            ``remembered``.
        name: Of the model, the tool or the step; empty for all else.
        state: How far it is.
        effect: What it does to the world; None for what does nothing to it.
        effect_key: Names it in all its tries, for whoever asks the world outside; None where nobody was told one.
        process: The number of the process that entered it last.
        at: UTC, when that was.
        seconds: From its begin to its end; None where not both were recorded.
        input_tokens: What completions in it read.
        output_tokens: What they wrote.
        cost_usd: What they cost.
        text: The first words of the answer, the result, or the error.
    """

    path: str
    kind: str
    name: str
    state: EffectState
    effect: Effect | None
    effect_key: str | None
    process: int
    at: datetime
    seconds: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    text: str


publish("actors.journals", EffectState, JournaledAgent, JournaledEffect, JournaledStatus)
