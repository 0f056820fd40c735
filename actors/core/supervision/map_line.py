"""What a map has admitted and not yielded yet: it decides, and waits for nothing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from ..process.threads import start_from_collector
from ..records.outcomes import FailurePolicy
from .join_set import JoinSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..records.outcome import AgentOutcome
    from ..records.spec import AgentSpec
    from ..scheduling.agent_cell import AgentCell
    from .supervisor import Supervisor

T_co = TypeVar("T_co", covariant=True, default=Any)
CLOSED = "its map was closed"


class MapLine(Generic[T_co]):
    """The agents of a map between its source and whoever iterates, be that a thread or a coroutine.

    Guarantees: it has room for ``2 * max_concurrent + 16``; the agents are owed to it alone. An interrupt between the
    reading of an item and its admission loses no item: it stands in ``pulled``.

    Locks: none; one at a time uses it, but for :meth:`let_go`, which comes last. Whoever reads the source writes
    ``pulled`` and ``error``.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        spec: Callable[[Any], AgentSpec],
        *,
        ordered: bool,
        failure: FailurePolicy = FailurePolicy.COLLECT,
    ) -> None:
        self.supervisor = supervisor
        self.owed = JoinSet(supervisor.turn, cancels_rest=failure is FailurePolicy.CANCEL_REST)
        self.ordered = ordered
        self.pulled: list[Any] = []
        """What was read and is not admitted yet."""
        self.error: BaseException | None = None
        """What ended the source: raised once, when all that was admitted is yielded."""
        self.is_closed = False
        self._spec = spec
        self._cells: deque[AgentCell] = deque()  # if ordered: in the order of the source

    def __len__(self) -> int:
        """How many were admitted and not yielded."""
        return len(self._cells) if self.ordered else len(self.owed)

    @property
    def bound(self) -> int:
        """How many there may be."""
        return 2 * self.supervisor.pool.slots.limit + 16

    def is_broken(self) -> bool:
        """Has one failed that takes the rest along? Then the source is read no further."""
        return self.owed.is_broken()

    # Its beginning ----------------------------------------------------------------------------------------------

    def fill(self, source: Iterator[Any]) -> bool:
        """Admit from *source* as long as there is room; False when there is nothing more to be read."""
        owed, bound = self.owed, self.bound
        held = self._cells if self.ordered else owed
        while len(held) < bound:
            if owed.is_broken():
                self.close_source(source)
                return False
            try:
                if not self.pulled:
                    self.pulled.append(next(source))
                self.admit()
            except StopIteration:
                return False
            except Exception as error:  # noqa: BLE001 - raised once what was admitted is yielded
                self.error = error
                return False
        return True

    def admit(self) -> None:
        """Admit what was read last."""
        supervisor = self.supervisor
        spec = self._spec(self.pulled[0])
        with supervisor.turn.signals_held_off:  # an agent that is admitted stands in the line
            (cell,) = supervisor.admission.admit([spec], owner=self.owed, bounded=False)
            self.pulled.clear()
            if self.ordered:
                self._cells.append(cell)
        if self.owed.is_broken():  # just now: it goes with the others
            supervisor.cancel(cell, "another one of its map failed")
        if self.is_closed:
            supervisor.cancel(cell, CLOSED)

    def close_source(self, source: Iterator[Any]) -> None:
        """Read *source* no further; what its end raises comes after what was admitted."""
        try:
            close(source)
        except Exception as error:  # noqa: BLE001 - as above
            self.error = error

    # Its end ----------------------------------------------------------------------------------------------------

    def first(self) -> AgentCell:
        """The one that is to be yielded next, if they are in order."""
        return self._cells[0]

    def take_first(self) -> AgentOutcome[T_co]:
        """Yield it; it has ended."""
        cell = self._cells[0]
        self.supervisor.disown(cell)
        assert cell.outcome is not None
        self._cells.popleft()  # last: Ctrl-C before it loses nothing
        return cell.outcome

    def too_late(self, timeout: float | None) -> TimeoutError:
        """What to raise when the first has not ended in time."""
        cell = self._cells[0]
        return TimeoutError(f"{cell.label} is still {cell.status} after {timeout} s; the iterator goes on")

    def raise_error(self) -> None:
        """All is yielded: raise what ended the source, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Cancel what was admitted and not yielded."""
        cancel_pending(self.supervisor, self._empty())

    def let_go(self) -> None:
        """As :meth:`close`, from a finalizer: the locks that a cancel needs may be held by its thread."""
        owed, supervisor = self._empty(), self.supervisor
        if owed and not supervisor.pool.is_forked:
            start_from_collector(lambda: cancel_pending(supervisor, owed), f"{supervisor.name}-map-end")

    def _empty(self) -> JoinSet:
        self.is_closed = True  # first: who is just being admitted is cancelled here or there
        owed, self.owed = self.owed, JoinSet(self.supervisor.turn)
        self._cells.clear()
        self.pulled.clear()
        self.error = None
        return owed


def close(source: Iterator[Any]) -> None:
    """Close *source*, if it is one that can be closed."""
    end = getattr(source, "close", None)
    if callable(end):
        end()


def cancel_pending(supervisor: Supervisor, owed: JoinSet) -> None:
    """Cancel those of *owed* that have not ended."""
    for cell in owed.pending():
        supervisor.cancel(cell, CLOSED)
