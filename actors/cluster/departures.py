"""Agents on their way to a host: looked up, placed, or told to stop."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.crash import crashed, report
from ..core.records.ending import Ending
from ..core.records.heard import KEPT
from ..core.records.outcome import AgentStatus
from ..core.supervision.runner import keep, recall
from ..core.waiting.wait_graph import enter
from .engine_state import PACKED
from .items import Cancel, KitItem, Place
from .looking_up import LookingUp

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..core.records.outcome import AgentOutcome
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.scheduling.effects import Effects
    from .engine_state import EngineState
    from .kits import Packed
    from .loss import Losses
    from .node import Node

LOOKED_UP: Final = "looked_up"
"""It was looked up whether the agent has ended before: one of the cell's lazies."""
WAITED: Final = "waited"
"""The agent has laid its place out, to wait before it goes to a host: one of the cell's lazies."""
MOST_IDS: Final = 5_000
"""Of one cancel: so it fits one call."""


class Departures:
    """Sends agents to hosts, and their cancels after them.

    Locks: none: the engine's thread alone; what may wait is done on another one, which gives back an outcome.
    """

    def __init__(self, state: EngineState, losses: Losses) -> None:
        self._state = state
        self._losses = losses
        self._homeless: list[AgentCell] = []
        self._groups: dict[Hashable, int] = {None: 0}

    def start(self, cell: AgentCell) -> None:
        """Send *cell* to a host, unless it has ended before, in this process or an earlier one."""
        if cell.outcome is not None or cell.stopping:
            self._end(cell, cell.stopped_outcome())
        elif cell.spec.record is not None and LOOKED_UP not in cell.lazies:
            cell.lazies[LOOKED_UP] = True
            self._state.elsewhere(partial(copy_context().run, self._look_up, cell), partial(self._crash, cell))
        elif self._state.lost is not None:
            self._end(cell, self._losses.lost(cell))
        elif not self._place(cell):
            self._homeless.append(cell)

    def start_homeless(self) -> None:
        """Those whose host went before they came: there may be room elsewhere by now."""
        if self._homeless:
            homeless, self._homeless = self._homeless, []
            for cell in homeless:
                self.start(cell)

    def _end(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> None:
        self._arrived(cell)
        self._losses.settle(cell, outcome)

    def _arrived(self, cell: AgentCell) -> None:
        """*cell* needs the place no longer that it got, unless it has laid that out before."""
        if cell.lazies.pop(WAITED, False):
            self._state.laid_out -= 1
        else:
            self._state.arrived += 1

    def _crash(self, cell: AgentCell, error: BaseException) -> None:
        self._end(cell, cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error))))

    # Was it done before? ------------------------------------------------------------------------------------------

    def _look_up(self, cell: AgentCell) -> None:
        """Look up whether *cell* has ended before. A thread that may wait."""
        enter(LookingUp(cell, partial(self._state.thread.do, partial(self._lay_out, cell))))
        outcome: AgentOutcome[Any] | None = None
        record = cell.spec.record
        try:
            if record is not None and (known := recall(cell, record)) is not None:
                outcome = known if known.recalled else keep(cell, record, known)
        except BaseException as error:  # noqa: BLE001 - a defect of ours must not lose an outcome
            report("it could not be looked up whether agent {} has ended before", cell.id)
            outcome = cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error)))
        self._state.thread.do(partial(self._looked_up, cell, outcome))

    def _lay_out(self, cell: AgentCell) -> None:
        """It waits before it goes anywhere: its place is for others. It has begun, as it would have on a host."""
        self._arrived(cell)
        cell.lazies[WAITED] = True
        self._state.laid_out += 1
        self._state.in_step(partial(self._begin, cell))

    def _begin(self, cell: AgentCell, effects: Effects) -> None:
        roster = self._state.pool.roster
        if cell.outcome is None and cell.id in roster.queued:
            roster.begin(cell, effects)

    def _looked_up(self, cell: AgentCell, outcome: AgentOutcome[Any] | None) -> None:
        if outcome is None:
            self.start(cell)
        else:
            self._end(cell, outcome)

    # On its way ---------------------------------------------------------------------------------------------------

    def _place(self, cell: AgentCell) -> bool:
        """Send *cell* to a host; False when none has room."""
        state = self._state
        near = None if cell.parent is None else state.where.get(cell.parent.id)  # what they say stays on a node
        node = state.placement.choose(near)
        if node is None or node.line is None:
            return False
        self._arrived(cell)
        packed: Packed = cell.lazies[PACKED]
        if packed.kit.number not in node.kits:
            node.kits.add(packed.kit.number)
            node.line.put(KitItem(packed.kit.number, packed.kit.data))
        node.placed[cell.id] = cell
        state.where[cell.id] = node
        node.line.put(self._item(cell, packed))
        state.placement.changed(node)
        return True

    def _item(self, cell: AgentCell, packed: Packed) -> Place:
        spec, deadline = cell.spec, cell.token.deadline
        return Place(
            id=cell.id,
            kit=packed.kit.number,
            data=packed.data,
            name=spec.name,
            key=spec.key,
            parent_id=None if cell.parent is None else cell.parent.id,
            depth=cell.depth,
            max_depth=spec.max_depth,
            priority=spec.priority,
            group=self._groups.setdefault(cell.group, len(self._groups)),  # the pool has made it comparable
            seconds_left=None if deadline is None else deadline.remaining(),
            deadline_reason="" if deadline is None else deadline.reason,
            timeout=spec.timeout,
            restarts=cell.restarts,
            is_heard=bool(cell.heard),
            streams=True if spec.streams is None and cell.heard is KEPT else spec.streams,
            is_recorded=spec.record is not None,
            lives=self._losses.lives(cell),
            mail=self._state.mail_for(cell),
        )

    # Stopped ------------------------------------------------------------------------------------------------------

    def stop(self, cells: tuple[AgentCell, ...]) -> None:
        """They were cancelled: tell their hosts, each of all at once."""
        told: dict[Node, dict[tuple[str, bool], list[int]]] = {}
        for cell in cells:
            node = self._state.where.get(cell.id)
            if node is not None:
                why = cell.token.reason, cell.token.timed_out
                told.setdefault(node, {}).setdefault(why, []).append(cell.id)
            elif self._losses.is_resting(cell):  # it waits to be run again
                self._losses.settle(cell, cell.stopped_outcome())
        for node, reasons in told.items():
            for (reason, timed_out), ids in reasons.items():
                for first in range(0, len(ids), MOST_IDS):
                    if node.line is not None:
                        node.line.put(Cancel(tuple(ids[first : first + MOST_IDS]), reason, timed_out))
