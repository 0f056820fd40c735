"""What becomes of agents whose host went: each is lost, or run again, when all below it have ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.actors.restarts import Restarts
from ..core.records.ending import Ending
from ..core.records.event import AgentRestarted
from ..core.records.outcome import AgentStatus
from ..errors import AgentLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.records.outcome import AgentOutcome
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.scheduling.effects import Effects
    from .engine_state import EngineState
    from .node import Node

LIVED: Final = "lived"
"""How often the agent was placed with a host that went: one of the cell's lazies, so that it goes with it."""


class Losses:
    """Settles agents when all below them have ended, and those whose host went.

    Guarantees: without a restart policy nothing runs twice; no agent is settled, or run again, before its children
    have ended.

    Locks: none: the engine's thread alone.
    """

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._resting: set[AgentCell] = set()

    def lives(self, cell: AgentCell) -> int:
        """How often it was placed before, with a host that went."""
        lived: int = cell.lazies.get(LIVED, 0)
        return lived

    def is_resting(self, cell: AgentCell) -> bool:
        """Does it wait to be run again?"""
        return cell in self._resting

    # Ends ------------------------------------------------------------------------------------------------------------

    def settle(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> None:
        """End *cell*, unless it has ended: when all below it have."""
        self._state.in_step(partial(self._end, cell, outcome))

    def _end(self, cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects) -> None:
        self._resting.discard(cell)
        self._when_childless(cell, partial(self._settle, cell, outcome), effects)

    def _settle(self, cell: AgentCell, outcome: AgentOutcome[Any], effects: Effects) -> None:
        if cell.outcome is None:  # else it was abandoned meanwhile
            self._state.pool.cancellation.settle(cell, outcome, effects)

    def _when_childless(self, cell: AgentCell, decide: Callable[[Effects], None], effects: Effects) -> None:
        """Do *decide* when nobody below *cell* is left; who is, is cancelled. Under the turn."""
        children = list((cell.children or {}).values())
        if not children:
            decide(effects)
            return
        self._state.pool.cancellation.cancel(children, f"{cell.label} ended", effects)
        left = [child for child in children if child.outcome is None]
        if not left:
            decide(effects)
            return
        again = partial(self._state.in_step, partial(self._when_childless, cell, decide))
        child = left[0]
        if child.callbacks is None:
            child.callbacks = []
        child.callbacks.append(partial(self._state.thread.do, again))

    # Losses ----------------------------------------------------------------------------------------------------------

    def lose(self, node: Node, why: str) -> None:
        """The host on *node* went, and with it all that it had."""
        cells = list(node.placed.values())
        node.placed.clear()
        for cell in cells:
            self._state.where.pop(cell.id, None)
        self._state.tell_lost(cells)
        self._state.tell_gone(node.incarnation)
        for cell in cells:
            error = AgentLost(why, node.info.name)
            error.__cause__ = self._state.lost
            self._state.in_step(partial(self._orphan, cell, error))

    def lose_queued(self, effects: Effects) -> None:
        """No host will ever come: who waits for one is lost, too. Under the turn."""
        roster = self._state.pool.roster
        for cell in list(roster.queued.values()):
            if cell.id not in self._state.where:
                self._settle(cell, self.lost(cell), effects)
        effects.wakes += [waiting.waiter for waiting in roster.waiting_spawns]
        roster.waiting_spawns.clear()

    def lost(self, cell: AgentCell) -> AgentOutcome[Any]:
        """The outcome of one for whom there is no host any more."""
        error = AgentLost(str(self._state.lost))
        error.__cause__ = self._state.lost
        return cell.make_outcome(Ending(AgentStatus.LOST, error=error))

    def _orphan(self, cell: AgentCell, error: AgentLost, effects: Effects) -> None:
        if cell.outcome is None:
            self._when_childless(cell, partial(self._end_or_rest, cell, error), effects)
        else:
            self._state.ended(cell)

    def _end_or_rest(self, cell: AgentCell, error: AgentLost, effects: Effects) -> None:
        """It is lost; or it is run again, after a while."""
        if cell.outcome is not None:
            self._state.ended(cell)
            return
        delay = None if cell.stopping or self._state.lost is not None else self._delay(cell)
        if delay is None:
            lost = Ending(AgentStatus.LOST, error=error)
            outcome = cell.stopped_outcome() if cell.stopping else cell.make_outcome(lost)
            self._settle(cell, outcome, effects)
            self._state.ended(cell)
            return
        cell.lazies[LIVED] = self.lives(cell) + 1
        self._resting.add(cell)
        pool, fields = self._state.pool, {"attempt": cell.restarts, "delay": delay}
        pool.roster.tell(cell, AgentRestarted, fields, pool.moment(), effects)
        now = self._state.thread.now()
        self._state.thread.do(partial(self._state.thread.do_at, now + delay, partial(self._rise, cell)))

    def _delay(self, cell: AgentCell) -> float | None:
        """Seconds until it is run again; None: it is not. Had it begun? Nobody knows: word of that may be lost."""
        policy = cell.spec.restart
        if policy is None:
            return None
        if cell.restarted is None:
            cell.restarted = Restarts(policy, self._state.pool.clock)
        return cell.restarted.take()

    def _rise(self, cell: AgentCell) -> None:
        self._state.in_step(partial(self._queue_again, cell))

    def _queue_again(self, cell: AgentCell, effects: Effects) -> None:
        if cell not in self._resting:
            return
        self._resting.discard(cell)
        if cell.outcome is not None:
            self._state.ended(cell)
        elif cell.stopping:
            self._settle(cell, cell.stopped_outcome(), effects)
            self._state.ended(cell)
        elif self._state.lost is not None:  # meanwhile
            self._settle(cell, self.lost(cell), effects)
            self._state.ended(cell)
        else:
            self._state.pool.roster.queue_again(cell)
