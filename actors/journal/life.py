"""What the entries of one agent come to, read one by one: the last entry of a path counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..agent.ledger import BEGUN, RAISED, is_before
from ..agent.terms.effect import Effect

BOUGHT = frozenset({"completion", "summary"})
"""Kinds that are answers of a model."""
EFFECTS = frozenset({"completion", "summary", "tool", "step"})
"""Kinds that are steps: all others are kept so that these can be told again."""


class Line(NamedTuple):
    """One entry of an agent, with what its payload says that is of interest."""

    seq: int
    path: str
    state: str
    kind: str | None
    process: int
    at: float
    data: Any


@dataclass(slots=True)
class Standing:
    """What stands at one path.

    Args:
        first: The entry with which it began, which gives it its place.
        last: The one that counts.
    """

    first: Line
    last: Line

    @property
    def effect(self) -> Effect | None:
        """What it does to the world, where that was recorded."""
        said = self.last.data.get("effect")
        return Effect(said) if said in _WORDS else None

    @property
    def is_begun(self) -> bool:
        """Has it no end?"""
        return self.last.state == BEGUN

    @property
    def is_once(self) -> bool:
        """Must it not be done again when nobody knows whether it was done?"""
        return self.effect is Effect.AT_MOST_ONCE


_WORDS = frozenset(Effect)


@dataclass(slots=True)
class Life:
    """What stands of one agent; what was set aside does not.

    Args:
        admitted: The entry of its admission.
        begun: One for each process that began it.
        ended: How it ended, if nothing began it afterwards.
        pruned: Its steps were dropped.
        steps: By their paths, in the order in which they began.
        asides: From which completion on something was set aside, each time; 0 for all.
    """

    key: str
    admitted: Line | None = None
    begun: list[Line] = field(default_factory=list)
    ended: Line | None = None
    pruned: Line | None = None
    steps: dict[str, Standing] = field(default_factory=dict)
    asides: list[int] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Take the next entry."""
        if line.path:
            self._step(line)
        elif line.state == "admitted":
            self.admitted = line
        elif line.state == "refused":
            self.admitted = None
        elif line.state == "begun":
            self.begun.append(line)
            if not self.is_completed:  # one whose result was not kept is run again from its steps
                self.ended = None
        elif line.state == "ended":
            self.ended = line
        elif line.state == "pruned":
            self.pruned = line
        elif line.state == "aside":
            self._set_aside(line)

    @property
    def is_known(self) -> bool:
        """Does anything stand of it?"""
        return self.admitted is not None or self.ended is not None or bool(self.begun)

    @property
    def is_completed(self) -> bool:
        """Did it complete, as far as that stands?"""
        return self.ended is not None and self.ended.data.get("status") == "completed"

    def is_in_doubt(self, step: Standing, live: int | None) -> bool:
        """Has an effect that must not be repeated begun, and will nobody tell any more whether it was done?

        Args:
            live: The process that writes the file now; None: none does.
        """
        return step.is_begun and step.is_once and (step.last.process != live or self.ended is not None)

    def _step(self, line: Line) -> None:
        known = self.steps.get(line.path)
        if known is None:
            self.steps[line.path] = Standing(line, line)
        elif known.last.state == BEGUN or (known.last.state == RAISED and line.state != BEGUN):
            known.last = line

    def _set_aside(self, line: Line) -> None:
        start = line.data.get("from")
        self.asides.append(int(start or 0))
        self.ended = None
        if start:
            self.steps = {path: step for path, step in self.steps.items() if is_before(path, int(start))}
        else:
            self.admitted, self.pruned = None, None
            self.begun, self.steps = [], {}
