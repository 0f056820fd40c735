"""One agent's events become the stretches of its life."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from ...core.records.state import IN_DRIVER, IN_TOOL, PARKED, QUEUED, RESTARTING, RUNNING, AgentState
from ..picture import TimelineMark
from . import notes
from .completions import Call, Completions
from .stretch import Stretch, Used
from .tool_lanes import ToolLanes, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .notes import Note

IN_BACKOFF: Final = AgentState.IN_BACKOFF
RATE_LIMIT: Final = "rate limit"
"""The label of a backoff in which a call waits for its driver's limiter."""

Step: TypeAlias = Callable[..., None]


class Life:
    """What one agent was at, as its notes tell it one after the other.

    On its own track one stretch ends where the next one begins; each tool call has a lane of its own as long as it
    lasts. What was never told to end is open.

    Guarantees: whatever notes come, and in whatever order, no two stretches of one track overlap, and none goes beyond
    the agent's life. A note after the agent's end changes nothing.

    Args:
        floor: The moment before which nothing can be known of it.

    Threads: one at a time.
    """

    def __init__(self, floor: float) -> None:
        self._floor = floor
        self.begin = self.end = floor
        self.has_ended = False
        self.is_cut = False
        self.is_open = False
        self.status: str | None = None
        self.error: str | None = None
        self.recalled = False
        self.restarts = 0
        self.used = Used()
        self.input: Any = None
        self.output: Any = None
        self.stretches: list[Stretch] = []
        self.marks: list[TimelineMark] = []
        self.held: list[tuple[float, float]] = []
        """From when to when it held a slot."""
        self._is_born = False
        self._last = floor
        self._has_started = False
        self._held_since: float | None = None
        self._parked_on: str | None = None
        self._until: float | None = None  # the end of a backoff, or of the wait before a restart
        self._is_restarting = False
        self._completions = Completions(self.stretches)
        self._tools = ToolLanes(self.stretches)
        self._state: AgentState | None = None
        self._label = ""
        self._call: Call | None = None
        self._names: list[str] = []
        self._since = floor

    def copy(self) -> Life:
        """Another one that goes on by itself."""
        other = copy(self)
        # What is over does not change any more, but for the pieces of a completion that is not.
        changing = {id(piece): copy(piece) for piece in self._completions.changing()}
        other.used = copy(self.used)
        other.stretches = [changing.get(id(each), each) for each in self.stretches]
        other.marks, other.held = self.marks.copy(), self.held.copy()
        other._names = self._names.copy()  # noqa: SLF001 - its own
        other._completions, calls = self._completions.copy(other.stretches, changing)  # noqa: SLF001
        other._tools = self._tools.copy(other.stretches)  # noqa: SLF001
        other._call = None if self._call is None else calls.get(id(self._call))  # noqa: SLF001
        return other

    def take(self, told: Iterable[Note]) -> None:
        """Take notes, in order."""
        steps = self._steps
        for note in told:
            if self.has_ended:
                return
            kind, moment = note[0], note[1]
            if moment < self._last:
                moment = self._last
            self._last = moment
            if not self._is_born:
                self._be_born(kind, moment, note)
            until = self._until
            if until is not None and moment > until and self._parked_on is None:
                self._come_back(until)
            steps[kind](self, moment, *note[2:])

    def close(self, moment: float) -> None:
        """It has not ended by the last *moment*: what is open goes up to there."""
        if not self.has_ended:
            self.is_open = True
            self._finish(max(moment, self._last))

    def forget_past(self) -> tuple[list[Stretch], list[tuple[float, float]]]:
        """What is over is told no more: returned, with when slots were held, and dropped."""
        changing = self._completions.changing()
        over = [each for each in self.stretches if all(each is not other for other in changing)]
        self.stretches[:] = changing
        held, self.held = self.held, []
        self.marks = []
        if self._held_since is not None and self._last > self._held_since:
            held.append((self._held_since, self._last))
            self._held_since = self._last
        self.is_cut = True
        return over, held

    # What notes do --------------------------------------------------------------------------------------------------

    def _be_born(self, kind: str, moment: float, note: Note) -> None:
        """By its first note. That may be any one: it may have begun before anybody looked."""
        self._is_born = True
        self.begin = self._since = moment
        if kind in (notes.QUEUED, notes.STARTED):
            return
        self.is_cut = True
        if kind == notes.ENDED and note[4]:  # recalled: it was not run
            return
        self.begin = self._since = floor = min(self._floor, moment)
        self._has_started = True
        self._held_since = floor
        if kind == notes.BROKE or (kind == notes.ANSWERED and not note[5]):
            self._completions.start(note[2], note[3])
        elif kind == notes.RESUMED:
            self._parked_on, self._held_since = "", None
        elif kind == notes.TOOL_ENDED and not note[6]:
            self._tools.start(note[2], note[3], max(floor, moment - max(0.0, note[5])))
        self._settle(floor)

    def _queued(self, moment: float) -> None:
        self._settle(moment)

    def _started(self, moment: float, content: Any) -> None:
        self._has_started = True
        self.input = content
        if self._held_since is None and self._parked_on is None:
            self._held_since = moment
        self._settle(moment)

    def _parked(self, moment: float, on: str) -> None:
        self._has_started = True
        self._parked_on = on
        self._lay_out(moment)
        self._settle(moment)

    def _resumed(self, moment: float) -> None:
        self._parked_on = None
        self._until, self._is_restarting = None, False
        if self._held_since is None:
            self._held_since = moment
        self._settle(moment)

    def _restarted(self, moment: float, delay: float) -> None:
        self._drop_all(moment, is_open=True)
        self.restarts += 1
        self._until, self._is_restarting = moment + delay, True
        self._settle(moment)

    def _ended(self, moment: float, status: str, error: str | None, recalled: bool, output: Any) -> None:
        self.status, self.error, self.recalled, self.output = status, error, recalled, output
        self._finish(moment)

    def _asked(self, moment: float, model: str | None, attempt: int, content: Any) -> None:
        self._has_started = True
        self._until = None
        self._completions.start(model, attempt, content)
        self._settle(moment)

    def _answered(
        self,
        moment: float,
        model: str | None,
        attempt: int,
        stop_reason: str | None,
        recalled: bool,
        used: tuple[int, int, float],
        text: str | None,
    ) -> None:
        call = None if recalled else self._completions.find(model, attempt)
        used = (used[0], used[1], used[2] if isfinite(used[2]) else 0.0)
        if not recalled:
            self.used.add(Used(*used))
        if call is None:
            call = Call(model or "", attempt)
        elif stop_reason is None:  # it failed after it had worked, which is told next
            call.used.add(Used(*used))
            return
        call.used.add(Used(*used))
        self._end_call(call, moment, recalled=recalled, output=text)

    def _broke(self, moment: float, model: str | None, attempt: int, error: str, delay: float | None) -> None:
        call = self._completions.find(model, attempt) or Call(model or "", attempt)
        if delay is not None and not self._tools.open:
            self._until = moment + delay
        self._end_call(call, moment, error=error)

    def _end_call(self, call: Call, moment: float, **how: Any) -> None:
        if call in self._completions.open:
            self._completions.open.remove(call)
        self._settle(moment)
        if not call.pieces and (how.get("recalled") or not self._tools.open):
            self._cut(moment)  # it took no time, and stands between what was before and what comes
        self._completions.end(call, moment, tools=self._tools.open, **how)

    def _limited(self, moment: float, seconds: float) -> None:
        """The stretch that ends now was a wait for the limiter."""
        if self._state is not IN_DRIVER:
            return
        label, call = self._label, self._call
        self._cut(max(self._since, moment - max(0.0, seconds)))
        self._state, self._label, self._call = IN_BACKOFF, RATE_LIMIT, None
        self._cut(moment)
        self._state, self._label, self._call = IN_DRIVER, label, call

    def _reasons(self, moment: float) -> None:
        """The loop goes on to the next completion."""
        self._tools.leave(moment)
        self._settle(moment)

    def _tool_started(self, moment: float, call_id: str, tool: str, lane: int, content: Any) -> None:
        self._has_started = True
        self._tools.start(call_id, tool, moment, lane=lane, input=content)
        if self._state is IN_TOOL:
            self._names.append(tool)
        self._settle(moment)

    def _tool_ended(self, moment: float, call_id: str, tool: str, is_error: bool, duration: float, output: Any) -> None:
        begin = max(self.begin, moment - max(0.0, duration))
        self._tools.end(call_id, tool, moment, begin=begin, is_error=is_error, output=output)
        self._settle(moment)

    def _marked(self, moment: float, kind: str, text: str) -> None:
        self.marks.append(TimelineMark(moment, kind, text))

    def _missed(self, moment: float, count: int) -> None:
        self.marks.append(TimelineMark(moment, "events missed", f"{count:,}"))
        self._drop_all(moment, is_open=True)
        self._settle(moment)

    def _nothing(self, moment: float, *of_it: Any) -> None:
        """Messages are looked at by themselves."""

    # Its own track --------------------------------------------------------------------------------------------------

    def _settle(self, moment: float) -> None:
        """What it is at from *moment* on."""
        state, label, call = self._at()
        if state is self._state and call is self._call and (label == self._label or state is IN_TOOL):
            return
        self._cut(moment)
        self._state, self._label, self._call = state, label, call
        if state is IN_TOOL:
            self._names = [each.tool for each in self._tools.open]

    def _at(self) -> tuple[AgentState, str, Call | None]:
        if not self._has_started:
            return QUEUED, "", None
        if self._until is not None:
            return (RESTARTING if self._is_restarting else IN_BACKOFF), "", None
        if self._parked_on is not None:
            return PARKED, self._parked_on, None
        if self._tools.open:
            return IN_TOOL, "", None
        if self._completions.open:
            call = self._completions.open[-1]
            return IN_DRIVER, call.model, call
        return RUNNING, "", None

    def _cut(self, moment: float) -> None:
        """What it is at ends at *moment*."""
        state, since = self._state, self._since
        self._since = moment
        if state is None or moment <= since:
            return
        stretch = Stretch(state, since, moment, together(self._names) if state is IN_TOOL else self._label)
        self.stretches.append(stretch)
        if self._call is not None:
            stretch.attempt = self._call.attempt
            self._call.pieces.append(stretch)

    def _come_back(self, moment: float) -> None:
        """The time until it is tried again is over, and nothing told of it."""
        self._until, self._is_restarting = None, False
        self._settle(moment)

    def _lay_out(self, moment: float) -> None:
        """It holds no slot any more."""
        if self._held_since is not None and moment > self._held_since:
            self.held.append((self._held_since, moment))
        self._held_since = None

    def _drop_all(self, moment: float, *, is_open: bool) -> None:
        """All that it was at is over, and nothing told of that."""
        before = len(self.stretches)
        self._cut(moment)
        for stretch in self.stretches[before:]:
            stretch.is_open = is_open and stretch.state in (IN_DRIVER, IN_TOOL)
        self._state, self._call = None, None
        self._until, self._is_restarting = None, False
        calls, self._completions.open = self._completions.open, []
        for call in calls:
            self._completions.end(call, moment, tools=self._tools.open, is_open=is_open)
        self._tools.drop(moment, is_open=is_open)

    def _finish(self, moment: float) -> None:
        before = len(self.stretches)
        self._drop_all(moment, is_open=self.is_open)
        for stretch in self.stretches[before:]:
            stretch.is_open = self.is_open
        self._lay_out(moment)
        self.end, self.has_ended = moment, True

    _steps: ClassVar[Mapping[str, Step]] = {
        notes.QUEUED: _queued,
        notes.STARTED: _started,
        notes.PARKED: _parked,
        notes.RESUMED: _resumed,
        notes.RESTARTED: _restarted,
        notes.ENDED: _ended,
        notes.SENT: _nothing,
        notes.READ: _nothing,
        notes.ASKED: _asked,
        notes.ANSWERED: _answered,
        notes.BROKE: _broke,
        notes.LIMITED: _limited,
        notes.REASONS: _reasons,
        notes.TOOL_STARTED: _tool_started,
        notes.TOOL_ENDED: _tool_ended,
        notes.MARKED: _marked,
        notes.MISSED: _missed,
    }
    """What each kind of note does."""
