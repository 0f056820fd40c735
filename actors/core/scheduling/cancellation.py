"""Cancels, deadlines and abandonment."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..records.state import QUEUED
from ..tracing import SPANS
from .host_room import HostRoom
from .timers import Due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..clock import Clock
    from ..records.outcome import AgentOutcome
    from .agent_cell import AgentCell
    from .effects import Effects
    from .roster import Roster
    from .timers import Timers
    from .tool_thread import ToolThread

WAVE = 4
"""How many cancelled agents are on their way to the end at once. Waking 5,000 threads at once takes 16 s; each further
one beyond 4 costs more in hand-overs between threads than it gains.
"""
WAVE_PUSH = 0.02
"""Seconds after which others go in place of those that have not ended: they may be stuck in their cleanup."""

LATE_WAVE = 64
"""How many are told at once when their time is over before their wave came."""


HOST_GRACE = 2.0
"""Seconds beyond ``abort_timeout`` after which an agent is abandoned whose host has not said how it ended."""

TOLD_WITHIN = 0.25
"""Seconds that whoever traces an agent has to hear that it is abandoned, before it is. That may hang, too."""


class Cancellation:
    """How agents are stopped: marked at once, woken in waves, abandoned when they do not end in time.

    Locks: none of its own. Every method is called under the pool's turn, and every field is guarded by it, but for
    ``when_told``, which is set once.
    """

    def __init__(self, roster: Roster, timers: Timers, clock: Clock, abort_timeout: float) -> None:
        self._roster = roster
        self._timers = timers
        self._clock = clock
        self._abort_timeout = abort_timeout
        self._is_elsewhere = isinstance(roster.slots, HostRoom)
        self._patience = abort_timeout + (HOST_GRACE if self._is_elsewhere else 0.0)
        self.abandoned: set[AgentCell | ToolThread[AgentCell]] = set()
        self.when_told: Callable[[AgentCell], object] | None = None
        """Called, outside the turn, with an agent whose spans know that it is abandoned; None where nobody traces."""

    def cancel(self, cells: Iterable[AgentCell], reason: str, effects: Effects, *, timed_out: bool = False) -> None:
        """Cancel *cells* and all below them: whoever looks sees it at once, whoever waits is woken in a wave."""
        running: list[AgentCell] = []
        todo = deque((cell, reason, timed_out) for cell in cells)
        cell: AgentCell
        while todo:
            cell, why, late = todo.popleft()
            if cell.outcome is not None or cell.stopping:
                continue
            cell.stopping = True
            cell.token.mark(why, timed_out=late)
            below = f"its parent, {cell.label}, was stopped" if cell.children else ""
            todo.extend((child, below, False) for child in (cell.children or {}).values())
            if cell.state is QUEUED and not cell.has_slot:
                self.settle(cell, cell.stopped_outcome(), effects)
                continue
            running.append(cell)
            self._roster.slots.woken.pop(cell, None)  # it goes on without a slot, to its end
            self._timers.push(self._clock.monotonic() + self._patience, Due.ABANDON, cell.tether())
        if self._is_elsewhere:  # no thread of theirs is here: all are told at once
            effects.stops += running
            return
        effects.fires += running[:WAVE]
        if len(running) > WAVE:
            if not self._roster.wave:
                self._timers.push(self._clock.monotonic() + WAVE_PUSH, Due.WAVE, [])
            self._roster.wave.extend(running[WAVE:])

    def settle(self, cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects) -> None:
        """End *cell*, and cancel those whom its failure takes along."""
        victims = self._roster.settle(cell, outcome, effects)
        if victims:
            self.take_along(victims, cell, outcome, effects)

    def take_along(
        self, victims: list[AgentCell], cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects
    ) -> None:
        """Cancel *victims*, as *cell* failed."""
        self.cancel(victims, f"{cell.label} {outcome.status}, and the rest is cancelled with it", effects)

    def handle_due(self, effects: Effects) -> None:
        """Handle the timers that are due."""
        now = self._clock.monotonic()
        late = 0
        for kind, cell in self._timers.due(now):
            if kind is Due.WAVE:
                self._push_wave(now, effects)
            elif kind is Due.LOOK:
                self._roster.look_for_stalls(now, effects)
            elif cell is None or cell.outcome is not None:
                continue
            elif kind is Due.ABANDON:
                if cell.token.fired:
                    if not self._tells_spans(cell, now, effects):
                        self.abandon(cell, effects)
                else:  # so many were cancelled that its wave has not come: it is told now, and has its time
                    late += 1
                    wait = self._abort_timeout if late <= LATE_WAVE else WAVE_PUSH
                    self._timers.push(now + wait, Due.ABANDON, cell.tether())
                    if late <= LATE_WAVE:
                        effects.fires.append(cell)
            else:
                deadline = cell.token.deadline
                if deadline is not None and deadline.at <= now:
                    self.cancel([cell], deadline.reason, effects, timed_out=True)

    def _tells_spans(self, cell: AgentCell, now: float, effects: Effects) -> bool:
        """Are spans to be ended before *cell* is abandoned? Then it is when that is done, or takes too long."""
        when_told = self.when_told
        if when_told is None:
            return False
        spans = [(one, open_ones) for one in _family(cell) if (open_ones := one.lazies.pop(SPANS, None)) is not None]
        if not spans:
            return False

        def tell() -> None:
            for one, open_ones in spans:
                open_ones.end(one.outcome or one.stopped_outcome(abandoned=True))
            when_told(cell)

        effects.calls.append(tell)
        self._timers.push(now + TOLD_WITHIN, Due.ABANDON, cell.tether())
        return True

    def abandon(self, cell: AgentCell, effects: Effects) -> None:
        """Wait no longer for *cell* and those below it, unless it has ended."""
        if cell.outcome is not None:
            return
        for child in list((cell.children or {}).values()):  # they end before it, also so
            self.abandon(child, effects)
        if cell.thread:  # else it never got a thread
            self.abandoned.add(cell)
        self.settle(cell, cell.stopped_outcome(abandoned=True), effects)

    def _push_wave(self, now: float, effects: Effects) -> None:
        wave = self._roster.wave
        ended, self._roster.wave_ended = self._roster.wave_ended, 0  # each of them woke the next one
        for _ in range(min(WAVE - ended, len(wave))):
            effects.fires.append(wave.popleft())
        if wave:
            self._timers.push(now + WAVE_PUSH, Due.WAVE, [])


def _family(cell: AgentCell) -> list[AgentCell]:
    """*cell* and all below it; children come before their parents."""
    below = [one for child in (cell.children or {}).values() for one in _family(child)]
    return [*below, cell]
