"""The life of an agent, on a worker's thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..errors import AgentError, Cancelled
from .crash import crashed, report
from .ending import Ending, stopped, without_locals
from .event import AgentRestarted
from .log import labelled
from .member import enter
from .outcome import AgentOutcome, AgentStatus
from .restarts import Restarts

if TYPE_CHECKING:
    from .cell import AgentCell


def live(cell: AgentCell) -> AgentOutcome[Any]:
    """Do the whole job, from the building of the agent to ``on_end``. Never raises."""
    cell.thread = threading.get_ident()
    try:
        context = cell.context
        if context is None:
            return cell.stopped_outcome()
        return context.run(labelled, cell.id, cell.spec.name, _live, cell)
    except BaseException as error:  # noqa: BLE001 - a defect of ours must not lose an outcome
        report("the life of agent {} failed", cell.id)
        return cell.make_outcome(Ending(AgentStatus.CRASHED, error=crashed(error)))


def _live(cell: AgentCell) -> AgentOutcome[Any]:
    enter(cell)
    ending = _try_until_done(cell)
    cell.end_children()
    outcome = cell.make_outcome(ending)
    if cell.actor is not None:
        try:
            cell.actor.on_end(outcome)
        except BaseException:  # noqa: BLE001 - the outcome stands, whatever the cleanup does
            report("on_end of agent {} failed; its outcome stands", cell.id)
        cell.actor = None
    return outcome


def _try_until_done(cell: AgentCell) -> Ending:
    while True:
        ending = _attempt(cell)
        if ending.status is not AgentStatus.CRASHED or cell.spec.restart is None:
            return ending
        delay = _restart_delay(cell)
        if delay is None:
            return ending
        cell.end_children()
        try:
            _back_off(cell, delay)
        except Cancelled as cancelled:
            return stopped(cancelled)


def _attempt(cell: AgentCell) -> Ending:
    starting = False
    try:
        cell.token.check()
        make = cell.spec.build(cell)
        cell.token.check()  # a cancel that came meanwhile: the next stage does not begin
        starting = True
        cell.actor = actor = make()
        cell.token.check()
        del make  # an agent may live long, and this holds more than it needs
        actor.on_start()
        cell.token.check()
        starting = False
        return Ending(AgentStatus.COMPLETED, actor.run(cell.spec.query))
    except Cancelled as cancelled:
        return stopped(cancelled)
    except AgentError as error:
        if starting:  # __init__ or on_start: a crash, whatever they raise
            return Ending(AgentStatus.CRASHED, error=crashed(error))
        return Ending(AgentStatus.FAILED, error=without_locals(error))
    except BaseException as error:  # noqa: BLE001 - whatever the agent raises harms nobody but itself
        return Ending(AgentStatus.CRASHED, error=crashed(error))


def _restart_delay(cell: AgentCell) -> float | None:
    policy = cell.spec.restart
    if policy is None or cell.token.cancelled:
        return None
    if cell.restarted is None:
        cell.restarted = Restarts(policy, cell.supervisor.clock)
    return cell.restarted.take()


def _back_off(cell: AgentCell, delay: float) -> None:
    """Wait before a restart, without a slot."""
    cell.state = AgentStatus.RESTARTING
    cell.supervisor.pool.emit(cell, AgentRestarted, attempt=cell.restarts, delay=delay)
    try:
        cell.park("restart")
        try:
            cell.token.wait(delay)
        finally:
            cell.unpark()
        cell.token.check()
    finally:
        cell.state = AgentStatus.RUNNING
