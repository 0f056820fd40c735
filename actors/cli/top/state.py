"""What a live view tells of its pool, as records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    MadeT = TypeVar("MadeT")

VERSION = 1
"""Of the answers that are read here."""


class Fields:
    """The fields of one object of an answer.

    What lacks, or is of another kind, is as if there were nothing: a view of a newer version may say more or less.
    """

    def __init__(self, found: object) -> None:
        self._found: Mapping[str, Any] = found if isinstance(found, dict) else {}

    def names(self) -> list[str]:
        """What there is."""
        return list(self._found)

    def text(self, name: str) -> str:
        """A text."""
        return self.maybe_text(name) or ""

    def maybe_text(self, name: str) -> str | None:
        """A text; None where there is none. What is no text is shown as one."""
        found = self._found.get(name)
        return found if found is None or isinstance(found, str) else str(found)[:1_000]

    def number(self, name: str) -> float:
        """A number."""
        return self.maybe_number(name) or 0.0

    def maybe_number(self, name: str) -> float | None:
        """A number; None where there is none."""
        found = self._found.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 1e15:
            return None
        return float(found) if math.isfinite(found) else None

    def whole(self, name: str) -> int:
        """A whole number."""
        return int(self.number(name))

    def maybe_whole(self, name: str) -> int | None:
        """A whole number; None where there is none."""
        found = self.maybe_number(name)
        return None if found is None else int(found)

    def is_so(self, name: str) -> bool:
        """Does it say so?"""
        return self._found.get(name) is True

    def inner(self, name: str) -> Fields:
        """An object."""
        return Fields(self._found.get(name))

    def rows(self, name: str, make: Callable[[Fields], MadeT]) -> tuple[MadeT, ...]:
        """A list of objects."""
        return tuple(make(Fields(row)) for row in self._list(name) if isinstance(row, dict))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(text for text in self._list(name) if isinstance(text, str))

    def pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """A list of pairs of texts."""
        lists = [pair for pair in self._list(name) if isinstance(pair, list) and len(pair) == 2]
        return tuple((one, other) for one, other in lists if isinstance(one, str) and isinstance(other, str))

    def counts(self, name: str) -> dict[str, int]:
        """Words and how often, those that are there at all."""
        found = self._found.get(name)
        numbers = Fields(found)
        return {key: number for key in (found if isinstance(found, dict) else ()) if (number := numbers.whole(key)) > 0}

    def _list(self, name: str) -> list[Any]:
        found = self._found.get(name)
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Thread:
    """A tool call that runs, or a thread that was left behind. ``stack`` only where one agent was asked for."""

    label: str
    on: str | None
    seconds: float
    stack: str

    @classmethod
    def of(cls, fields: Fields) -> Thread:
        """Read it."""
        return cls(fields.text("label"), fields.maybe_text("on"), fields.number("seconds"), fields.text("stack"))


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that has not ended. ``seconds`` in this state, ``age`` since it was admitted."""

    id: int
    name: str
    key: str | None
    group: str | None
    parent_id: int | None
    depth: int
    state: str
    on: str | None
    seconds: float
    age: float
    inbox: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    restarts: int
    waits_for: tuple[str, ...]
    tools: tuple[Thread, ...]
    node: str | None = None

    @classmethod
    def of(cls, fields: Fields) -> Agent:
        """Read it."""
        return cls(
            id=fields.whole("id"),
            name=fields.text("name"),
            key=fields.maybe_text("key"),
            group=fields.maybe_text("group"),
            parent_id=fields.maybe_whole("parent_id"),
            depth=fields.whole("depth"),
            state=fields.text("state"),
            on=fields.maybe_text("on"),
            seconds=fields.number("seconds"),
            age=fields.number("age"),
            inbox=fields.whole("inbox"),
            input_tokens=fields.whole("input_tokens"),
            output_tokens=fields.whole("output_tokens"),
            cost_usd=fields.number("cost_usd"),
            restarts=fields.whole("restarts"),
            waits_for=fields.texts("waits_for"),
            tools=fields.rows("tools", Thread.of),
            node=fields.maybe_text("node"),
        )

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that somebody has to approve; ``left``: seconds until ``default`` holds, None waits for ever."""

    agent_id: int
    agent: str
    call_id: str
    tool: str
    input: str
    seconds: float
    left: float | None
    default: str
    in_doubt: bool

    @classmethod
    def of(cls, fields: Fields) -> Approval:
        """Read it."""
        return cls(
            agent_id=fields.whole("agent_id"),
            agent=fields.text("agent"),
            call_id=fields.text("call_id"),
            tool=fields.text("tool"),
            input=fields.text("input"),
            seconds=fields.number("seconds"),
            left=fields.maybe_number("left"),
            default=fields.text("default"),
            in_doubt=fields.is_so("in_doubt"),
        )


@dataclass(frozen=True, slots=True)
class State:
    """A pool at one moment. ``left_off``: agents that are not among ``agents``, because they were too many."""

    version: int
    name: str
    pid: int
    phase: str
    seconds: float
    slots: int
    control: bool
    figures: Fields
    ended: dict[str, int]
    states: dict[str, int]
    agents: tuple[Agent, ...]
    left_off: int
    waits: tuple[tuple[str, str], ...]
    abandoned: tuple[Thread, ...]
    approvals: tuple[Approval, ...]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> State:
        """Read the answer to ``/state``."""
        fields = Fields(answer)
        pool, figures = fields.inner("pool"), fields.inner("figures")
        return cls(
            version=fields.whole("v"),
            name=pool.text("name"),
            pid=pool.whole("pid"),
            phase=pool.text("phase"),
            seconds=pool.number("seconds"),
            slots=pool.whole("slots"),
            control=pool.is_so("control"),
            figures=figures,
            ended=figures.counts("ended"),
            states=fields.counts("states"),
            agents=fields.rows("agents", Agent.of),
            left_off=fields.whole("left_off"),
            waits=fields.pairs("waits"),
            abandoned=fields.rows("abandoned", Thread.of),
            approvals=fields.rows("approvals", Approval.of),
        )

    @property
    def is_closed(self) -> bool:
        """Has the pool ended?"""
        return self.phase == "closed"

    @property
    def ended_count(self) -> int:
        """How many agents have ended."""
        return sum(self.ended.values())


@dataclass(frozen=True, slots=True)
class Closeup:
    """One agent, with the stack of its thread, its children and what it did last."""

    agent: Agent
    stack: str
    tools: tuple[Thread, ...]
    children: tuple[int, ...]
    events: tuple[Fields, ...]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Closeup:
        """Read the answer to ``/agent``."""
        fields = Fields(answer)
        children = answer.get("children")
        return cls(
            agent=Agent.of(fields),
            stack=fields.text("stack"),
            tools=fields.rows("tools", Thread.of),
            children=tuple(one for one in (children if isinstance(children, list) else []) if isinstance(one, int)),
            events=fields.rows("events", lambda event: event),
        )
