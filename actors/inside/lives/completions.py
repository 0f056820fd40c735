"""The completions of one agent that are under way: its loop's one, and those that its tools ask for."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...core.records.state import IN_DRIVER
from .stretch import Stretch, Used

if TYPE_CHECKING:
    from .tool_lanes import ToolCall


@dataclass(slots=True)
class Call:
    """A completion that has begun: its stretches so far, several where its agent was parked meanwhile."""

    model: str
    attempt: int
    input: Any = None
    used: Used = field(default_factory=Used)
    pieces: list[Stretch] = field(default_factory=list)


class Completions:
    """The completions that are under way; what has ended goes into *stretches*.

    Threads: one at a time.
    """

    def __init__(self, stretches: list[Stretch]) -> None:
        self.open: list[Call] = []
        self._stretches = stretches

    def copy(self, stretches: list[Stretch], changing: dict[int, Stretch]) -> tuple[Completions, dict[int, Call]]:
        """One that goes on by itself, into *stretches*; and its calls by the ids of these ones.

        Args:
            changing: The stretches that are not final, by the ids of those of this one.
        """
        other = Completions(stretches)
        calls = {id(call): copy(call) for call in self.open}
        for call in calls.values():
            call.used = copy(call.used)
            call.pieces = [changing[id(piece)] for piece in call.pieces]
        other.open = list(calls.values())
        return other, calls

    def changing(self) -> list[Stretch]:
        """The stretches that are not final."""
        return [piece for call in self.open for piece in call.pieces]

    def start(self, model: str | None, attempt: int, content: Any = None) -> None:
        """The driver is asked."""
        self.open.append(Call(model or "", attempt, content))

    def find(self, model: str | None, attempt: int) -> Call | None:
        """The one that is told of; tools may ask models, several at the same time."""
        alike = (call for call in self.open if call.attempt == attempt and call.model == (model or ""))
        return next(alike, self.open[-1] if self.open else None)

    def end(
        self,
        call: Call,
        moment: float,
        *,
        tools: list[ToolCall],
        error: str | None = None,
        is_open: bool = False,
        recalled: bool = False,
        output: Any = None,
    ) -> None:
        """Its stretches are known: it is over. One that took no time has one of no length; one inside a tool has none,
        and what it used is its tool's, if it is clear which one.
        """
        if not call.pieces and (recalled or not tools):
            piece = Stretch(IN_DRIVER, moment, moment, call.model, attempt=call.attempt)
            self._stretches.append(piece)
            call.pieces.append(piece)
        if call.pieces:
            last = call.pieces[-1]
            last.used, last.input, last.output = call.used, call.input, output
            last.is_open = is_open and last.end >= moment  # else its agent was at something else since
        elif len(tools) == 1:
            tools[0].used.add(call.used)
        for piece in call.pieces:
            piece.error, piece.recalled = error, recalled
