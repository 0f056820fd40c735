"""What hosts say of the agents that they have: they began, something happened, they ended."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..core.actors.restarts import Restarts
from ..core.crash import crashed, report
from ..core.records.ending import Ending
from ..core.records.outcome import AgentStatus
from ..core.records.spec import RestartPolicy
from ..core.records.told import RESULT, told_value
from ..core.supervision.runner import keep
from ..errors import ActorsError, Cancelled, NotPortable
from .items import Ask, Began, Ended, Happened, Leased, Note
from .own import is_own
from .portable import is_plain, load_value

if TYPE_CHECKING:
    from ..core.records.outcome import AgentOutcome
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.scheduling.effects import Effects
    from .engine_state import EngineState
    from .loss import Losses
    from .node import Node
    from .program import Asked
    from .references import Finds

KEEP: Final = "keep"
"""Asked: how an agent ends whose ``on_end`` is to be told of it, as an ``Ended``: it is recorded before."""
MOST_HERE: Final = 100_000
"""Bytes of a result that the engine's own thread reads; larger ones are read by another one."""


class Arrivals:
    """Takes what hosts say, and turns it into steps of the pool.

    Locks: none: the engine's thread alone; what may wait, or runs what a user wrote, is done on another one, which
    gives back an outcome.
    """

    def __init__(self, state: EngineState, losses: Losses) -> None:
        self._state = state
        self._losses = losses
        state.hear(Began, self._began)
        state.hear(Ended, self._ended)
        state.hear(Happened, self._happened)
        state.hear(Leased, self._leased)
        state.hear(Ask, self._ask)
        state.hear(Note, self._note)
        state.desk.serve_later(KEEP, self._asked)

    # What it does ----------------------------------------------------------------------------------------------------

    def _moment(self, node: Node, at: float) -> float:
        """The moment *at* of its host on the pool's clock: never one to come."""
        return min(at + node.skew, self._state.thread.now())

    def _began(self, node: Node, item: Began) -> None:
        cell = node.placed.get(item.id)
        if cell is not None:
            self._state.in_step(partial(self._begin, cell, self._moment(node, item.at)))

    def _begin(self, cell: AgentCell, moment: float, effects: Effects) -> None:
        roster = self._state.pool.roster
        if cell.outcome is None and cell.id in roster.queued:
            roster.begin(cell, effects, moment)

    def _happened(self, node: Node, item: Happened) -> None:
        cell = node.placed.get(item.id)
        if cell is not None and cell.heard:
            make, fields = pickle.loads(item.event)  # noqa: S301 - a node can run code here anyway
            self._state.tell_event(cell, make, fields, self._moment(node, item.at))

    def _leased(self, node: Node, item: Leased) -> None:
        self._state.placement.leased(node, item.slots)

    def _ask(self, node: Node, item: Ask) -> None:
        if node.line is not None:
            self._state.desk.ask(node.line, item)

    def _note(self, node: Node, item: Note) -> None:
        if node.line is not None:
            self._state.desk.note(node.line, item)

    # How it ended ----------------------------------------------------------------------------------------------------

    def _ended(self, node: Node, item: Ended) -> None:
        cell = node.placed.get(item.id)
        if cell is None:
            return
        self._state.left(cell, node)
        self._state.ended(cell)
        moment = self._moment(node, item.at)
        if cell.spec.record is None and _is_light(item):
            self._finish(cell, item, moment)
        else:
            self._state.elsewhere(partial(self._finish, cell, item, moment), partial(self._crash, cell))

    def _finish(self, cell: AgentCell, item: Ended, moment: float) -> None:
        """Read how it ended, and record that before anybody sees it. A thread of its own, but for what is light."""
        try:
            outcome = self._outcome(cell, item, moment)
            if (record := cell.spec.record) is not None and cell.outcome is None:
                outcome = keep(cell, record, outcome)
        except BaseException as error:  # noqa: BLE001 - a defect of ours must not lose an outcome
            report("the end of agent {} could not be read", cell.id)
            outcome = cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error)), moment)
        self._state.thread.do(partial(self._losses.settle, cell, outcome))

    def _asked(self, asked: Asked, item: Ended) -> None:
        node = self._state.where.get(item.id)
        cell = None if node is None else node.placed.get(item.id)
        if node is None or cell is None:
            asked.refuse(Cancelled("it has ended"))
            return
        job = partial(self._record, asked, cell, item, self._moment(node, item.at))
        self._state.elsewhere(job, asked.refuse)

    def _record(self, asked: Asked, cell: AgentCell, item: Ended, moment: float) -> None:
        """Record how it ends. A thread of its own."""
        try:
            if (record := cell.spec.record) is not None and cell.outcome is None:
                record.keep(self._outcome(cell, item, moment))
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            asked.refuse(error)
        else:
            asked.answer(None)

    def _outcome(self, cell: AgentCell, item: Ended, moment: float) -> AgentOutcome[Any]:
        ending = _ending(item, self._state.references)
        if self._state.pool.with_content and ending.result is not None:
            cell.lazies[RESULT] = told_value(ending.result)
        if item.fields is not None:
            cell.expenses.take_over(pickle.loads(item.fields))  # noqa: S301 - as above
        if item.restarts != cell.restarts:
            if cell.restarted is None:
                cell.restarted = Restarts(cell.spec.restart or RestartPolicy(), self._state.pool.clock)
            cell.restarted.counted(item.restarts)
        return cell.make_outcome(ending, moment)

    def _crash(self, cell: AgentCell, error: BaseException) -> None:
        """Nothing can be done for *cell* here: no thread can be started."""
        self._losses.settle(cell, cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error))))


def _is_light(item: Ended) -> bool:
    """Can it be read at once? It is short, and runs nothing that a user wrote."""
    for data in (item.result, item.error, item.fields):
        if data is not None and (len(data) > MOST_HERE or not (is_plain(data) or is_own(data))):
            return False
    return True


def _ending(item: Ended, finds: Finds) -> Ending:
    """How it ended; what cannot be read is a crash."""
    status = AgentStatus(item.status)
    try:
        result = None if item.result is None else load_value(item.result, finds)
        error = None if item.error is None else load_value(item.error, finds)
    except BaseException as failure:  # noqa: BLE001 - what a user's class does when it is made again
        refusal = NotPortable("the result" if item.error is None else "the error", f"it cannot be read here: {failure}")
        refusal.__cause__ = failure
        return Ending(AgentStatus.CRASHED, error=refusal)
    assert error is None or isinstance(error, ActorsError)
    return Ending(status, result, error)
