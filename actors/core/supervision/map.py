"""Runs any number of agents through a pool, in bounded memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from ..clock import SYSTEM_CLOCK
from ..process.threads import start_from_collector
from ..records.outcomes import FailurePolicy
from .join_set import JoinSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..records.outcome import AgentOutcome
    from ..records.spec import AgentSpec
    from ..scheduling.agent_cell import AgentCell
    from .supervisor import Supervisor


T_co = TypeVar("T_co", covariant=True, default=Any)


class MapIterator(Generic[T_co]):
    """The iterator that ``AgentPool.map`` returns.

    Guarantees: pulled from the source and not yet yielded are at most ``2 * max_concurrent + 16``; the agents are owed
    to this iterator alone; :meth:`close` cancels what it still waits for. When one fails that takes the rest along,
    the source is read no further.

    Threads: one at a time.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        configs: Iterable[Any],
        spec: Callable[[Any], AgentSpec],
        *,
        ordered: bool,
        timeout: float | None,
        failure: FailurePolicy = FailurePolicy.COLLECT,
    ) -> None:
        self._supervisor = supervisor
        self._source: Iterator[Any] | None = iter(configs)
        self._spec = spec
        self._ordered = ordered
        self._timeout = timeout
        self._owed = JoinSet(supervisor.turn, cancels_rest=failure is FailurePolicy.CANCEL_REST)
        self._line: deque[AgentCell] = deque()  # if ordered: the agents in the order of the source
        self._error: BaseException | None = None
        self._pulled: list[Any] = []  # what was read and is not admitted yet: an interrupt may come in between

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> AgentOutcome[T_co]:
        self._supervisor.pool.refuse_after_fork()
        end = None if self._timeout is None else SYSTEM_CLOCK.monotonic() + self._timeout
        self._fill()
        if not self._held():
            error, self._error = self._error, None
            if error is not None:
                raise error
            raise StopIteration
        left = None if end is None else max(0.0, end - SYSTEM_CLOCK.monotonic())
        outcome = self._next_in_line(left) if self._ordered else self._owed.next(left)
        assert outcome is not None
        return outcome

    def _held(self) -> int:
        """How many were pulled and not yielded."""
        return len(self._line) if self._ordered else len(self._owed)

    def _next_in_line(self, timeout: float | None) -> AgentOutcome[Any]:
        cell = self._line[0]
        if cell.outcome is None and not self._supervisor.wait_ended(cell, timeout):
            raise TimeoutError(f"{cell.label} is still {cell.status} after {timeout} s; the iterator goes on")
        self._supervisor.disown(cell)
        assert cell.outcome is not None
        self._line.popleft()  # last: Ctrl-C before it loses nothing
        return cell.outcome

    def _fill(self) -> None:
        """Admit from the source up to the bound."""
        bound = 2 * self._supervisor.pool.slots.limit + 16
        while self._source is not None and self._held() < bound:
            if self._owed.is_broken():
                try:
                    self._leave_source()
                except Exception as error:  # noqa: BLE001 - raised once what was admitted is yielded
                    self._error = error
                return
            try:
                if not self._pulled:
                    self._pulled.append(next(self._source))
                spec = self._spec(self._pulled[0])
                with self._supervisor.turn.signals_held_off:  # an agent that is admitted stands in the line
                    (cell,) = self._supervisor.admission.admit([spec], owner=self._owed, bounded=False)
                    self._pulled.clear()
                    if self._ordered:
                        self._line.append(cell)
                if self._owed.is_broken():  # just now: it goes with the others
                    self._supervisor.cancel(cell, "another one of its map failed")
            except StopIteration:
                self._source = None
            except BaseException as error:  # raised once what was admitted is yielded
                if not isinstance(error, Exception):
                    raise
                self._source = None
                self._error = error

    def _leave_source(self) -> None:
        source, self._source = self._source, None
        close = getattr(source, "close", None)
        if callable(close):
            close()

    def close(self) -> None:
        """Read no further, and cancel what was admitted and not yielded."""
        self._supervisor.pool.refuse_after_fork()
        owed, self._owed = self._owed, JoinSet(self._supervisor.turn)
        try:
            self._leave_source()
        finally:
            _cancel_pending(self._supervisor, owed)
        self._line.clear()
        self._error = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        owed = getattr(self, "_owed", None)
        if not owed:
            return
        supervisor = self._supervisor
        start_from_collector(lambda: _cancel_pending(supervisor, owed), f"{supervisor.name}-map-end")


def _cancel_pending(supervisor: Supervisor, owed: JoinSet) -> None:
    for cell in owed.pending():
        supervisor.cancel(cell, "its map was closed")
