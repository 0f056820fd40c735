"""The agents of the program that live on a host, in its own pool."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING

from ...core.actors.restarts import Restarts
from ...core.crash import report
from ...core.records.heard import NOT_HEARD
from ...core.supervision.pool_state import Step
from ...core.waiting.cancel import Deadline
from .node_record import NodeRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.spec import RestartPolicy
    from ...core.scheduling.agent_cell import AgentCell
    from ...core.supervision.supervisor import Supervisor
    from ..items import Cancel, Place
    from ..program import Program
    from ..unpacker import Unpacker
    from .hearing import Hearing
    from .node_post import NodePost
    from .reports import Reports


class Residents:
    """Takes agents in, under the ids that the program has given them, and cancels them.

    Guarantees: whoever is taken in ends once, and that is told: also one that could not be unpacked.

    Locks: none; one thread at a time takes in what the program has.
    """

    def __init__(
        self,
        core: Supervisor,
        program: Program,
        *,
        unpacker: Unpacker,
        post: NodePost,
        reports: Reports,
        hearing: Hearing,
        restart: RestartPolicy | None,
    ) -> None:
        self._core = core
        self._program = program
        self._unpacker = unpacker
        self._post = post
        self._reports = reports
        self._hearing = hearing
        self._restart = restart

    def admit(self, places: Sequence[Place]) -> None:
        """Take in all of them, in one step."""
        cells = []
        for place in places:
            self._hearing.add(place)
            try:
                cells.append(self._cell(place))
            except BaseException as error:  # noqa: BLE001 - one that cannot be taken in harms nobody else
                report("agent {} could not be taken in", place.id)
                now = self._core.clock.monotonic()
                self._reports.crash(place.id, error, at=now, restarts=place.restarts)
        self._core.admission.enter(cells)

    def _cell(self, place: Place) -> AgentCell:
        core, spec = self._core, self._unpacker.spec(place)
        spec.restart, spec.deadline = self._restart, None
        make = core.admission.make_cell
        cell = make(core.parking, spec, None, self._reports, bounded=False, group=place.group, heard=NOT_HEARD)
        cell.id, cell.depth, cell.context = place.id, place.depth, Context()
        if place.seconds_left is not None:
            at = core.clock.monotonic() + place.seconds_left
            cell.token.deadline = Deadline(at, core.clock, place.deadline_reason)
        if self._restart is not None and place.restarts:
            cell.restarted = Restarts(self._restart, core.clock)
            cell.restarted.go_on(place.restarts)
        if place.is_recorded:
            spec.record = record = NodeRecord(self._program, self._reports.told)
            record.claim(cell)
        self._post.enter(cell, place.mail)
        return cell

    def cancel(self, item: Cancel) -> None:
        """Cancel all of them that are here, in one step. The others have ended: they came before."""
        pool = self._core.pool
        with Step(pool, calls_here=False) as effects:
            cells = [cell for agent_id in item.ids if (cell := pool.roster.find(agent_id)) is not None]
            pool.cancellation.cancel(cells, item.reason, effects, timed_out=item.timed_out)
            pool.roster.balance(effects)
