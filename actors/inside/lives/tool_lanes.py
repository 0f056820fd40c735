"""The tool calls of one agent: which are under way, and on which lanes they are drawn."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ...core.records.state import IN_TOOL
from .stretch import Stretch, Used

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_NAMED: Final = 3
"""So many tools are named where several work at the same time."""
LEFT_BEHIND: Final = "left behind: its agent went on without it"
TOLD_ERROR: Final = "the model was told of an error"


@dataclass(slots=True)
class ToolCall:
    """A tool call that has begun. ``used``: by the completions that were asked for inside it."""

    id: str
    tool: str
    begin: float
    lane: int
    input: Any = None
    used: Used = field(default_factory=Used)


class ToolLanes:
    """The calls that are under way; what has ended goes into *stretches*.

    Guarantees: at any moment there is one call on a lane, whatever lanes were told.

    Threads: one at a time.
    """

    def __init__(self, stretches: list[Stretch]) -> None:
        self.open: list[ToolCall] = []
        self._stretches = stretches
        self._left: list[str] = []
        self._ends: dict[int, float] = {}

    def copy(self, stretches: list[Stretch]) -> ToolLanes:
        """One that goes on by itself, into *stretches*."""
        other = ToolLanes(stretches)
        other.open = [copy(call) for call in self.open]
        for call in other.open:
            call.used = copy(call.used)
        other._left, other._ends = self._left.copy(), self._ends.copy()
        return other

    def start(self, call_id: str, tool: str, moment: float, *, lane: int = 0, input: Any = None) -> None:  # noqa: A002
        """A call began; its lane is another one where that one is taken."""
        self.open.append(ToolCall(call_id, tool, moment, self._free(lane, moment), input))

    def end(
        self,
        call_id: str,
        tool: str,
        moment: float,
        *,
        begin: float,
        is_error: bool = False,
        output: Any = None,
    ) -> None:
        """A call ended. One that nothing told of began at *begin*; one that was left behind has ended for its agent."""
        call = next((each for each in self.open if each.id == call_id), None)
        if call is not None:
            self.open.remove(call)
        elif call_id in self._left:
            self._left.remove(call_id)
            return
        else:
            call = ToolCall(call_id, tool, begin, self._free(0, begin))
        stretch = self._add(call, moment, error=TOLD_ERROR if is_error else None)
        stretch.output = output

    def leave(self, moment: float) -> None:
        """The agent goes on: what is under way is left behind."""
        self._left += [call.id for call in self.open]
        self.drop(moment, error=LEFT_BEHIND)

    def drop(self, moment: float, *, is_open: bool = True, error: str | None = None) -> None:
        """All are over at *moment*, and nothing told of that."""
        for call in self.open:
            self._add(call, moment, error=error).is_open = is_open
        self.open = []

    def _add(self, call: ToolCall, moment: float, *, error: str | None) -> Stretch:
        self._ends[call.lane] = moment
        stretch = Stretch(IN_TOOL, call.begin, moment, call.tool, call.lane, error=error)
        stretch.used, stretch.input = call.used, call.input
        self._stretches.append(stretch)
        return stretch

    def _free(self, wanted: int, moment: float) -> int:
        taken = {call.lane for call in self.open}
        taken.update(lane for lane, end in self._ends.items() if end > moment)
        lane = wanted
        if lane in taken:
            lane = 0
            while lane in taken:
                lane += 1
        return lane


def together(names: Iterable[str]) -> str:
    """How tools that work at the same time are named: ``search x3, fetch``."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    told = [name if count == 1 else f"{name} x{count}" for name, count in counts.items()]
    more = len(told) - MOST_NAMED
    return ", ".join(told[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
