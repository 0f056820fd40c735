"""What a host says of its agents: they began, they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.crash import crashed, report
from ...core.records.ending import Ending
from ...core.records.expenses import NOTHING_USED
from ...core.records.outcome import AgentStatus
from ...core.scheduling.event_log import end_of
from ...errors import NotPortable
from ..failures import dump_error
from ..items import Began, Ended
from ..portable import TO_PROGRAM, dump_value

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from ...core.records.outcome import AgentOutcome
    from ...core.scheduling.agent_cell import AgentCell
    from ...core.waiting.waiter import Parked, Wakeable
    from ..lane import Outbox
    from ..pickler import Way


class _Sealed(NamedTuple):
    """How an agent ended, as bytes."""

    outcome: AgentOutcome[Any]
    result: bytes | None
    error: bytes | None
    fields: bytes | None

    def is_of(self, outcome: AgentOutcome[Any]) -> bool:
        """Is it the same end, whatever was used since?"""
        return self.outcome.result is outcome.result and self.outcome.error is outcome.error


class Reports:
    """To whom the outcomes of a host's agents are owed: it hands them to the program.

    Guarantees: one ``Ended`` for each agent, after all else that is said of it, whatever becomes of its result: what a
    user wrote is pickled on the agent's own thread, before it is settled.

    Args:
        ended: Called with the id of each agent that has ended, before the program is told.
        parked: Called when an agent laid its slot out, also under the turn.
        way: From here to the program.

    Locks: none; ``_sealed`` changes by single operations.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        ended: Callable[[int], object],
        parked: Callable[[], object],
        way: Way = TO_PROGRAM,
    ) -> None:
        self._outbox = outbox
        self._ended = ended
        self._parked = parked
        self._way = way
        self._sealed: dict[int, _Sealed] = {}

    # As the pool's witness: on the agent's own thread ---------------------------------------------------------------

    def began(self, cell: AgentCell) -> None:
        """It got a slot."""
        if cell.outcome is None and cell.started is not None:
            self._outbox.put(Began(cell.id, cell.started))

    def ended(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> AgentOutcome[Any]:
        """Pickle how it ended; what cannot go is a crash."""
        if cell.outcome is not None:  # it was abandoned
            return outcome
        try:
            sealed = self._seal(outcome)
        except BaseException as failure:  # noqa: BLE001 - whatever a user's class does as it is pickled
            sealed = self._seal(_refused(cell, failure))
        self._sealed[cell.id] = sealed
        return sealed.outcome

    def parked(self) -> None:
        """A slot was laid out."""
        self._parked()

    # As to whom the outcomes are owed -------------------------------------------------------------------------------

    def add(self, cell: AgentCell) -> None:
        """It was admitted."""

    def finish(self, cell: AgentCell, wakes: list[Wakeable], calls: deque[Callable[[], object]]) -> list[AgentCell]:  # noqa: ARG002
        """Its outcome is there: it is told when the turn is over. Of its children nobody tells it from then on: the
        thread of one that was abandoned must not wait for them.
        """
        for child in list((cell.children or {}).values()):
            cell.remove_child(child, wakes)
        wakes.append(_Telling(self, cell))
        return []

    def remove(self, cell: AgentCell) -> None:
        """Nobody takes it here."""

    def tell(self, cell: AgentCell) -> None:
        """Say how *cell* ended. Nothing that a user wrote runs here."""
        outcome, sealed = cell.outcome, self._sealed.pop(cell.id, None)
        assert outcome is not None
        if sealed is None or not sealed.is_of(outcome):
            sealed = self._seal(outcome)  # another thread has made it: what it is made of is the library's
        elif sealed.outcome is not outcome:  # something was used since
            sealed = _Sealed(outcome, sealed.result, sealed.error, self._fields(outcome))
        self._ended(cell.id)
        self._outbox.put(_told(cell, sealed))

    def told(self, cell: AgentCell, outcome: AgentOutcome[Any]) -> Ended:
        """How it is told that *cell* came to *outcome*.

        Raises:
            NotPortable: What it gave cannot go to the program.
        """
        return _told(cell, self._seal(outcome))

    def crash(self, agent_id: int, error: BaseException, *, at: float, restarts: int) -> None:
        """Say that an agent ended by a failure of the host: it could not be taken in, or its end not be told."""
        self._ended(agent_id)
        data = dump_error(crashed(error), self._way)
        self._outbox.put(Ended(agent_id, str(AgentStatus.CRASHED), None, data, at, 0.0, restarts, None))

    # Pickled --------------------------------------------------------------------------------------------------------

    def _seal(self, outcome: AgentOutcome[Any]) -> _Sealed:
        way, result, error = self._way, outcome.result, outcome.error
        return _Sealed(
            outcome,
            None if result is None else dump_value(result, "the result", way),
            None if error is None else dump_error(error, way),
            self._fields(outcome),
        )

    def _fields(self, outcome: AgentOutcome[Any]) -> bytes | None:
        fields = {name: getattr(outcome, name) for name in NOTHING_USED}
        return None if fields == NOTHING_USED else dump_value(fields, "what it used", self._way)


def _told(cell: AgentCell, sealed: _Sealed) -> Ended:
    outcome = sealed.outcome
    return Ended(
        id=cell.id,
        status=str(outcome.status),
        result=sealed.result,
        error=sealed.error,
        at=end_of(cell, outcome),
        duration=outcome.duration,
        restarts=outcome.restarts,
        fields=sealed.fields,
    )


def _refused(cell: AgentCell, failure: BaseException) -> AgentOutcome[Any]:
    """The outcome of one whose result, or conversation, cannot go."""
    if not isinstance(failure, NotPortable):
        refusal = NotPortable("the result", f"it cannot be pickled: {failure!r}")
        refusal.__cause__ = failure
        failure = refusal
    outcome = cell.make_outcome(Ending(AgentStatus.CRASHED, error=failure))
    return outcome.model_copy(update={"messages": ()}) if failure.what.startswith("what it used") else outcome


class _Telling:
    """Says how an agent ended, as one of those who are woken by that: so its worker is free for the next one.

    Locks: none; nothing changes.
    """

    __slots__ = ("_cell", "_reports")

    owner: Parked | None = None

    def __init__(self, reports: Reports, cell: AgentCell) -> None:
        self._reports = reports
        self._cell = cell

    def wake(self) -> None:
        """It is settled."""
        cell = self._cell
        try:
            self._reports.tell(cell)
        except BaseException as error:  # noqa: BLE001 - a defect of ours must not lose an outcome
            report("it could not be told how agent {} ended", cell.id)
            self._reports.crash(cell.id, error, at=cell.host.clock.monotonic(), restarts=cell.restarts)
